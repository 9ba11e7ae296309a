"""Step 1: what was found, what is missing, and what to do about each."""

from __future__ import annotations

from screens.step import StepScreen


class ProjectScreen(StepScreen):
    """The findings of the preflight, each with its judgement and hint."""

    READING = "findings"
