"""Step 2: the dump of the source comes in, and goes into the local database."""

from __future__ import annotations

from screens.step import StepScreen


class BackupScreen(StepScreen):
    """Bytes and time left while the dump comes in; then what is known of it."""

    READING = "findings"
