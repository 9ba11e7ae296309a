"""The engine's questions as a form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Footer, Static

from screens.widgets.fields import Form
from wizard.session.questions import Question


class FormScreen(ModalScreen[dict[str, Any]]):
    """Closes with an accepted answer for each question. To stop instead there is ctrl+c."""

    AUTO_FOCUS = ""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+n", "submit", "Accept", priority=True, id="form.accept")
    ]

    def __init__(self, questions: Sequence[Question], recorded: Mapping[str, Any]) -> None:
        super().__init__()
        self.questions = list(questions)
        self.recorded = dict(recorded)

    def compose(self) -> ComposeResult:
        count = len(self.questions)
        with Vertical(classes="dialog", id="questions"):
            title = "A question before this step" if count == 1 else f"{count} questions"
            yield Static(title, classes="dialog-title")
            yield Form(self.questions, self.recorded)
            yield Static(
                "ctrl+n accepts and goes on. Nothing is changed by an answer alone.",
                classes="dialog-foot",
            )
        yield Footer(show_command_palette=False)

    def action_submit(self) -> None:
        """Submit the form on ctrl+n."""
        self.query_one(Form).submit()

    def on_form_submitted(self, event: Form.Submitted) -> None:
        """Close with the accepted answers."""
        self.dismiss(event.answers)
