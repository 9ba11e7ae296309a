"""The line above the footer: what happens on Enter, what is going on, what stands in the way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from rich.text import Text
from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import Static

from screens.theme import MUTED, NIGHT, ORANGE, TEXT, YELLOW


@dataclass(frozen=True)
class PromptText:
    """What the prompt says. `go` is what pressing Enter does, empty when it does nothing."""

    text: str
    go: str = ""
    warning: str = ""


class Prompt(Static, can_focus=True):
    """The prompt: shows its text, and is pressed with Enter or the mouse."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "press", "Begin", show=False)]

    class Pressed(Message):
        """Enter on the prompt, or a click."""

    def show(self, prompt_text: PromptText) -> None:
        """Draw what there is to say."""
        text = Text()
        if prompt_text.warning:
            text.append(
                f" ▲ {prompt_text.warning}\n" if prompt_text.text else f" ▲ {prompt_text.warning}",
                YELLOW,
            )
        if prompt_text.go:
            text.append(f" {prompt_text.go} ", f"bold {NIGHT} on {ORANGE}")
            text.append(f"  {prompt_text.text}", TEXT)
        else:
            text.append(f" {prompt_text.text}", MUTED)
        self.update(text)

    def action_press(self) -> None:
        """Press the prompt, on Enter."""
        self.post_message(self.Pressed())

    def on_click(self, event: events.Click) -> None:
        """Press the prompt, on a click."""
        self.post_message(self.Pressed())
