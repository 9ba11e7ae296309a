"""Step 4: the page tree, with marks for what will become and what became of its pages."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Container, Vertical
from textual.widgets import Static

from screens.model import StepState
from screens.step import StepScreen
from screens.widgets.operations import Operations
from screens.widgets.reading import Reading
from screens.widgets.tree import PagesTree, legend


class CopyScreen(StepScreen):
    """The tree as it is in the local database; marks first tell the plan, then the deed."""

    READING = "table"

    def compose_body(self) -> ComposeResult:
        yield Operations(widget_id="operations")
        with Container(id="beside"):
            with Vertical(id="pages"):
                yield Static(id="legend", markup=False)
                yield PagesTree(self.context.pagetree, widget_id="tree")
            yield Reading(self.READING, widget_id="reading")

    def show_body(self, state: StepState) -> None:
        """Draw the tree besides what every step shows."""
        super().show_body(state)
        model = self.host.model
        planned = model.marks_planned
        self.query_one("#legend", Static).update(legend(model.marks, planned=planned))
        self.query_one(PagesTree).show(model.marks, planned=planned, version=model.tree_version)
