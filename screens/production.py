"""Step 6: a section for each target, the drill before it is touched, and the way back."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Static

from screens.model import StepState
from screens.step import StepScreen
from screens.widgets.operations import Operations
from screens.widgets.reading import Reading


class ProductionScreen(StepScreen):
    """What is common to all targets first, then each target with its own operations."""

    READING = "findings"

    def compose_body(self) -> ComposeResult:
        with Vertical(id="sections"):
            yield Operations(widget_id="operations")
            for number, (name, target) in enumerate(self.context.config.targets.items()):
                with Vertical(classes="section", id=f"section-{number}"):
                    yield Static(
                        f"{name}  {target.where}, {target.delivery} into {target.address.database}",
                        classes="section-title",
                        markup=False,
                    )
                    yield Operations(widget_id=f"target-{number}")
        yield Reading(self.READING, widget_id="reading")
        yield Static(f"Way back: {self.step.undo}", id="way-back", markup=False)

    def show_body(self, state: StepState) -> None:
        """Sort the operations into their sections."""
        targets = list(self.context.config.targets)
        common = [
            operation for operation in state.operations.values() if operation.target not in targets
        ]
        general = self.query_one("#operations", Operations)
        general.show(common, outline=self.outlined(state), planning=state.planning)
        general.display = bool(common)
        for number, name in enumerate(targets):
            own = [operation for operation in state.operations.values() if operation.target == name]
            self.query_one(f"#section-{number}").display = bool(own)
            self.query_one(f"#target-{number}", Operations).show(
                own, outline=False, planning=state.planning
            )
        self.query_one("#reading", Reading).show(state)
