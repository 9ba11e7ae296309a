"""Before there is a remodel.yml: what was found, and questions for the rest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Footer, Static

from screens.theme import FINDINGS, HEIGHTS, MUTED, REMODEL, TEXT, WIDTHS
from screens.widgets.fields import Form
from wizard.session.questions import Question


async def run_setup(
    questions: Sequence[Question], detected: Sequence[tuple[str, str]]
) -> dict[str, Any] | None:
    """Ask on the terminal; return None when the operator leaves.

    `detected` are pairs of name and value.
    """
    return await SetupApp(questions, detected).run_async()


class SetupApp(App[dict[str, Any]]):
    """A form of its own: there is no session yet, and nothing to stop."""

    TITLE = "remodel"
    CSS_PATH = "remodel.tcss"
    ENABLE_COMMAND_PALETTE = False
    HORIZONTAL_BREAKPOINTS = WIDTHS
    VERTICAL_BREAKPOINTS = HEIGHTS
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+n", "submit", "Write remodel.yml", priority=True),
        Binding("ctrl+c", "leave", "Leave", priority=True),
        Binding("ctrl+q", "leave", "Leave", priority=True, show=False),
    ]

    def __init__(self, questions: Sequence[Question], detected: Sequence[tuple[str, str]]) -> None:
        super().__init__()
        self.register_theme(REMODEL)
        self.theme = "remodel"
        self.questions = list(questions)
        self.detected = detected

    def compose(self) -> ComposeResult:
        yield Static(" remodel  a new project", id="header", markup=False)
        yield Static(self._detected_lines(), id="detected")
        yield Form(self.questions, {})
        yield Footer(show_command_palette=False)

    def _detected_lines(self) -> Text:
        text, width = Text(), max((len(name) for name, _ in self.detected), default=0)
        for name, value in self.detected:
            text.append(f"{FINDINGS['ok'].glyph} ", FINDINGS["ok"].colour)
            text.append(f"{name:<{width}}  ", MUTED)
            text.append(f"{value}\n", TEXT)
        text.rstrip()
        return text

    def action_submit(self) -> None:
        """Submit the form on ctrl+n."""
        self.query_one(Form).submit()

    def on_form_submitted(self, event: Form.Submitted) -> None:
        """Close with the accepted answers."""
        self.exit(event.answers)

    def action_leave(self) -> None:
        """Leave on ctrl+c: nothing is written."""
        self.exit(None)
