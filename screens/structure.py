"""Step 3: the new model beside the old one, its diff, its migration and the SQL of that."""

from __future__ import annotations

from screens.step import StepScreen


class StructureScreen(StepScreen):
    """Documents in the order they are made, the newest open; Django's own output beside them."""

    READING = "newest"
