"""ctrl+c: how to stop, or whether to leave. Escape keeps going: it never cancels work."""

from __future__ import annotations

from typing import ClassVar, Literal

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Footer, Static

Choice = Literal["after", "now", "stay"]


class StopScreen(ModalScreen[Choice]):
    """While work runs: after this operation, now, or keep going. Otherwise: leave or stay."""

    AUTO_FOCUS = "#stay"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,k", "choose('stay')", "Stay"),
        Binding("a", "choose('after')", "After this"),
        Binding("n", "choose('now')", "Now"),
        Binding("l", "leave", "Leave"),
        Binding("left", "app.focus_previous", show=False),
        Binding("right", "app.focus_next", show=False),
    ]

    def __init__(self, doing: str, *, running: bool) -> None:
        super().__init__()
        self.doing = doing
        self.running = running

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            if self.running:
                yield Static("Stop the work?", classes="dialog-title")
                yield Static(
                    f"Running: {self.doing}\n\n"
                    "`After this operation` lets it end in good order. `Now` breaks it off: on "
                    "resume, what is half done is looked at and taken up.",
                    markup=False,
                )
                with Horizontal(classes="buttons"):
                    yield Button("Keep going", id="stay", variant="primary", compact=True)
                    yield Button("After this operation", id="after", compact=True)
                    yield Button("Now", id="now", variant="error", compact=True)
            else:
                yield Static("Leave?", classes="dialog-title")
                yield Static(
                    "Nothing is running. `remodel resume` comes back here.",
                    markup=False,
                )
                with Horizontal(classes="buttons"):
                    yield Button("Stay", id="stay", variant="primary", compact=True)
                    yield Button("Leave", id="now", compact=True)
        yield Footer(show_command_palette=False)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer only the keys of what is asked."""
        if action == "leave":
            return not self.running
        return parameters == ("stay",) or self.running or action != "choose"

    def action_leave(self) -> None:
        """Leave at once: nothing runs that would be broken off."""
        self.dismiss("now")

    def action_choose(self, choice: Choice) -> None:
        """Choose by a key."""
        self.dismiss(choice)

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Choose by a button, named as its choice."""
        event.stop()
        self.dismiss(event.button.id)  # type: ignore[arg-type]
