"""The rail: the six steps and how each of them stands."""

from __future__ import annotations

from rich.text import Text
from textual import events
from textual.message import Message
from textual.widgets import Static

from screens.model import Model
from screens.theme import MUTED, STATES, TEXT


class Rail(Static):
    """Two lines for each step: its number and name, then its state. The step shown is marked."""

    class StepChosen(Message):
        """A step was clicked; `number` counts from 1."""

        def __init__(self, number: int) -> None:
            super().__init__()
            self.number = number

    def show(self, model: Model, shown_step: str) -> None:
        """Draw the steps as they stand."""
        text = Text()
        for number, step in enumerate(model.steps.values(), 1):
            mark = STATES[step.state]
            here = step.name == shown_step
            text.append("▌" if here else " ", STATES["running"].colour)
            text.append(
                f"{number} {step.title}\n",
                f"bold {TEXT}" if here else (TEXT if step.entered else MUTED),
            )
            text.append("▌" if here else " ", STATES["running"].colour)
            text.append(f"  {mark}\n\n", mark.colour)
        text.rstrip()
        self.update(text)

    def on_click(self, event: events.Click) -> None:
        """Choose the step that was clicked: each has three lines."""
        self.post_message(self.StepChosen(event.y // 3 + 1))
