"""Step 5: every name is given back, and every URL compared with what it was."""

from __future__ import annotations

from screens.step import StepScreen


class SlugsScreen(StepScreen):
    """The table of URLs before and after stays in front; diffs and SQL lie behind it."""

    READING = "table"
