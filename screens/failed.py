"""An operation failed: what was tried, what was found, what to do, and then again or stop."""

from __future__ import annotations

from typing import ClassVar, Final

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Button, Footer, Static

from screens.theme import MUTED, TEXT, VERMILION, YELLOW
from wizard.base.errors import ExitCode, RemodelError
from wizard.base.redaction import shown
from wizard.engine.operators import Verdict

WORDS: Final = {
    ExitCode.FAILED: "the operation failed",
    ExitCode.USAGE: "configuration or answers are not valid",
    ExitCode.CONNECTION: "the connection failed; worth a retry",
    ExitCode.STOPPED: "stopped with work left",
    ExitCode.STALE: "plan stale, or not the database, host or project it was",
    ExitCode.VERIFICATION: "verification found a fault",
}


class FailedScreen(ModalScreen[Verdict]):
    """The error, and the choice to try again or stop. No key pressed by accident does anything."""

    AUTO_FOCUS = "#found"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r", "settle('retry')", "Retry"),
        Binding("s", "settle('stop')", "Stop here"),
        Binding("c", "copy", "Copy"),
    ]

    def __init__(self, error: RemodelError, operation: str) -> None:
        super().__init__()
        self.error = error
        self.operation = operation

    def compose(self) -> ComposeResult:
        error = self.error
        word = WORDS.get(error.exit_code, "")
        with Vertical(classes="dialog", id="failed"):
            yield Static(Text(f"✗ FAILED  {self.operation}", f"bold {VERMILION}"))
            yield Static(Text(shown(error.message), f"bold {TEXT}"), id="message")
            with VerticalScroll(id="found"):
                yield Static(Text(shown(error.found), TEXT))
            if error.hint:
                yield Static(
                    Text.assemble(("What to do  ", f"bold {YELLOW}"), (shown(error.hint), TEXT)),
                    id="hint",
                )
            yield Static(Text(f"exit code {int(error.exit_code)}: {word}", MUTED), id="code")
            with Horizontal(classes="buttons"):
                yield Button("Retry (r)", id="retry", variant="primary", compact=True)
                yield Button("Stop (s)", id="stop", compact=True)
                yield Button("Copy (c)", id="copy", compact=True)
        yield Footer(show_command_palette=False)

    def action_settle(self, verdict: Verdict) -> None:
        """Close with the choice: try again, or stop."""
        self.dismiss(verdict)

    def action_copy(self) -> None:
        """Copy the whole error into the terminal's clipboard."""
        self.app.copy_to_clipboard(shown(str(self.error)))
        self.notify("The error is in the clipboard.")

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Do what the button's key does."""
        event.stop()
        if event.button.id == "copy":
            self.action_copy()
        else:
            self.dismiss(event.button.id)  # type: ignore[arg-type]
