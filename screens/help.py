"""F1: what this step is for, what it touches, how to undo it, and the keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Footer, Static

from screens.theme import BLUE, ORANGE, TEXT

if TYPE_CHECKING:
    from wizard.engine.operation import Step

KEYS = (
    ("ctrl+n, Enter", "begin the step that waits, or go to it"),
    ("ctrl+up/down, 1 to 6", "look at another step; the work goes on"),
    ("tab, left/right", "go to the documents and choose one"),
    ("F2", "the ledger, once the pages are converted"),
    ("ctrl+l", "the log of this session"),
    ("ctrl+p", "all actions"),
    ("ctrl+c", "stop: after this operation, now, or not at all"),
    ("Esc", "close a dialog; it never cancels work"),
)


class HelpScreen(ModalScreen[None]):
    """A page of text."""

    AUTO_FOCUS = "VerticalScroll"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,f1,q", "app.pop_screen", "Back", priority=True)
    ]

    def __init__(self, step: Step) -> None:
        super().__init__()
        self.step = step

    def compose(self) -> ComposeResult:
        step, text = self.step, Text()
        for heading, answer in (
            ("What it is for", step.purpose),
            ("What it touches", step.touches),
            ("How to undo it", step.undo),
        ):
            text.append(f"{heading}\n", f"bold {BLUE}")
            text.append(f"{answer}\n\n", TEXT)
        text.append("Keys\n", f"bold {BLUE}")
        for key, action in KEYS:
            text.append(f"{key:<23}", ORANGE)
            text.append(f"{action}\n", TEXT)
        text.rstrip()
        with Vertical(classes="dialog", id="help"):
            yield Static(f"Help: {step.title}", classes="dialog-title", markup=False)
            with VerticalScroll():
                yield Static(text)
        yield Footer(show_command_palette=False)
