"""The gate before what cannot simply be taken back: read, type the name, go."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Final

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Button, Footer, Input, Static

from screens.theme import BLUE, MUTED, TEXT, VERMILION, YELLOW
from wizard.operation import Plan

MINIMUM: Final = (80, 24)
"""Columns and rows below which a plan cannot be read whole, so that no gate opens."""


class GateScreen(ModalScreen[bool]):
    """A plan, and an Input for its phrase. True when it was typed exactly and sent off."""

    AUTO_FOCUS = "Input"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "decline", "Decline", priority=True, id="gate.decline"),
        Binding("up", "scroll(-1)", "Scroll", show=False),
        Binding("down", "scroll(1)", "Scroll", show=False),
        Binding("pageup", "scroll(-10)", "Scroll", show=False),
        Binding("pagedown", "scroll(10)", "Scroll", show=False),
    ]

    def __init__(self, plan: Plan, changed: Sequence[str] = ()) -> None:
        super().__init__()
        assert plan.gate is not None
        self.plan = plan
        self.changed = changed
        self.phrase = plan.gate.phrase

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog", id="gate"):
            yield Static(Text(f"◆ GATE  {self.plan.title}", f"bold {YELLOW}"), id="gate-title")
            with VerticalScroll(id="gate-plan", can_focus=False):
                yield Static(self._plan(), id="gate-text", markup=False)
            yield Static(id="gate-say", markup=False)
            yield Input(id="gate-input", compact=True)
            with Horizontal(classes="buttons"):
                yield Button("Go", id="gate-go", variant="warning", disabled=True, compact=True)
                yield Button("Decline", id="gate-decline", compact=True)
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        """Say what has to be typed."""
        self._judge()

    def on_resize(self, event: events.Resize) -> None:
        """A terminal that becomes too small closes the gate; one that grows opens it."""
        self._judge()

    @property
    def too_small(self) -> bool:
        """Whether the plan cannot be read whole here."""
        return self.app.size.width < MINIMUM[0] or self.app.size.height < MINIMUM[1]

    @property
    def open(self) -> bool:
        """Whether the phrase stands in the Input, exactly."""
        typed = self.query_one("#gate-input", Input).value
        return not self.too_small and bool(self.phrase) and typed == self.phrase

    def _judge(self) -> None:
        field = self.query_one("#gate-input", Input)
        was, field.disabled = field.disabled, self.too_small
        if was and not field.disabled:
            field.focus()
        self.query_one("#gate-go", Button).disabled = not self.open
        say = self.query_one("#gate-say", Static)
        if self.too_small:
            size = f"{self.app.size.width}x{self.app.size.height}"
            need = f"{MINIMUM[0]}x{MINIMUM[1]}"
            say.update(Text(f"▲ Closed: this terminal is {size}, a gate needs {need}.", YELLOW))
        elif self.open:
            say.update(Text("✓ Enter goes through this gate.", BLUE))
        else:
            say.update(Text.assemble("Type ", (self.phrase, f"bold {YELLOW}"), " to go on."))

    def on_input_changed(self) -> None:
        """Open or close with every key."""
        self._judge()

    def on_input_submitted(self) -> None:
        """Enter: through, or told what is missing."""
        self._go()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """The mouse's way to the same ends."""
        event.stop()
        if event.button.id == "gate-go":
            self._go()
        else:
            self.action_decline()

    def _go(self) -> None:
        if self.open:
            self.dismiss(True)
            return
        typed = self.query_one("#gate-input", Input).value
        if not self.too_small:
            told = f"{typed!r} is not {self.phrase!r}" if typed else "Nothing was typed"
            say = f"▲ {told}. Type {self.phrase} exactly, or Esc to decline."
            self.query_one("#gate-say", Static).update(Text(say, VERMILION))

    def action_decline(self) -> None:
        """Esc: nothing is done."""
        self.dismiss(False)

    def action_scroll(self, lines: int) -> None:
        """Move through the plan while the cursor stays in the Input."""
        self.query_one("#gate-plan").scroll_relative(y=lines, animate=False)

    def _plan(self) -> Text:
        plan, text = self.plan, Text()
        for line in self.changed:
            text.append(f"▲ changed since you looked: {line}\n", f"bold {YELLOW}")
        for line in plan.does:
            text.append(f"▶ {line}\n", TEXT)
        if plan.destroys:
            text.append("\nDestroys\n", f"bold {VERMILION}")
            for loss in plan.destroys:
                text.append(f"✗ {loss}\n", VERMILION)
        if rows := list(_rows({**plan.facts, **plan.details})):
            text.append("\n")
            width = max(len(name) for name, _ in rows)
            for name, value in rows:
                text.append(f"{name:<{width}}  ", MUTED)
                text.append(f"{value}\n", TEXT)
        if plan.undo:
            text.append("\nUndo  ", f"bold {BLUE}")
            text.append(f"{plan.undo}\n", TEXT)
        text.append(f"\nplan {plan.fingerprint}", MUTED)
        return text


def _rows(about: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What a person wants to see of a plan's facts and details: single values and short lists."""
    for name, value in about.items():
        if isinstance(value, list | tuple) and all(isinstance(item, str | int) for item in value):
            value = ", ".join(str(item) for item in value)
        if isinstance(value, str | int | float) and value != "" and "\n" not in str(value):
            shown = (
                f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else value
            )
            yield name.replace("_", " "), str(shown)
