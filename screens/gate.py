"""The gate before what cannot simply be taken back: read, type the name, go."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final, Literal

from rich.table import Table
from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Button, Footer, Input, Static

from screens.theme import BLUE, MUTED, TEXT, VERMILION, YELLOW
from screens.widgets.documents import drawn
from screens.widgets.findings import FindingsTable
from wizard.base.events import Document, Finding
from wizard.base.redaction import shown
from wizard.session.plan import Plan

MINIMUM: Final = (80, 24)
"""Columns and rows below which a plan cannot be read whole, so that no gate opens."""


Answer = Literal["go", "again", "decline"]


class GateScreen(ModalScreen[Answer]):
    """A plan, and an Input for its phrase. Closes with `go` when exactly that was entered.

    `reading` are the warnings and documents (a diff, a table) to read before consenting. They
    stand below what is done, destroyed and undone, which a terminal of 80x24 shows at once.
    """

    AUTO_FOCUS = "Input"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "decline", "Decline", priority=True, id="gate.decline"),
        Binding("f5", "again", "Fetch again", priority=True, id="gate.again"),
        Binding("up", "scroll(-1)", "Scroll", show=False),
        Binding("down", "scroll(1)", "Scroll", show=False),
        Binding("pageup", "scroll(-10)", "Scroll", show=False),
        Binding("pagedown", "scroll(10)", "Scroll", show=False),
    ]

    def __init__(
        self,
        plan: Plan,
        changed: Sequence[str] = (),
        reading: Sequence[Finding | Document] = (),
    ) -> None:
        super().__init__()
        assert plan.gate is not None
        self.plan = plan
        self.changed = changed
        self.findings = [event for event in reading if isinstance(event, Finding)]
        documents = [event for event in reading if isinstance(event, Document)]
        self.documents = sorted(documents, key=lambda document: document.form != "diff")
        self.phrase = plan.gate.phrase

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog", id="gate") as dialog:
            dialog.border_subtitle = f"plan {self.plan.fingerprint}"
            yield Static(
                Text(shown(f"◆ GATE  {self.plan.title}"), f"bold {YELLOW}"), id="gate-title"
            )
            with VerticalScroll(id="gate-plan", can_focus=False):
                yield Static(self._plan(), id="gate-text", markup=False)
                if self.findings:
                    yield Static(FindingsTable(self.findings), classes="gate-reading")
                for document in self.documents:
                    yield Static(document.title, classes="gate-document", markup=False)
                    yield Static(drawn(document), markup=False)
            yield Static(id="gate-more", markup=False)
            yield Static(id="gate-say", markup=False)
            with Horizontal(id="gate-answer"):
                yield Static(">", markup=False)
                yield Input(id="gate-input", compact=True)
                yield Button("Go", id="gate-go", variant="warning", disabled=True, compact=True)
                yield Button("Decline", id="gate-decline", compact=True)
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        """Say what has to be typed, and how much there is below."""
        for button in self.query(Button):
            button.can_focus = False  # for the mouse; the keys are Enter and Esc, nothing else
        self._judge()
        self.watch(self.query_one("#gate-plan"), "scroll_y", self._measure)

    def on_resize(self, event: events.Resize) -> None:
        """Close the gate on a terminal that is too small; open it on one that grows."""
        self._judge()
        self._measure()

    @property
    def too_small(self) -> bool:
        """Whether the plan cannot be read whole here."""
        return self.app.size.width < MINIMUM[0] or self.app.size.height < MINIMUM[1]

    @property
    def open(self) -> bool:
        """Whether the phrase stands in the Input, exactly."""
        typed = self.query_one("#gate-input", Input).value
        return not self.too_small and bool(self.phrase) and typed == self.phrase

    def _measure(self) -> None:
        self.call_after_refresh(self._tell_below)  # known once it is laid out

    def _tell_below(self) -> None:
        plan = self.query_one("#gate-plan")
        below = round(plan.max_scroll_y - plan.scroll_y)
        lines = "line" if below == 1 else "lines"
        hint = f"▼ {below} more {lines}: ↓ and PgDn" if below > 0 else ""
        self.query_one("#gate-more", Static).update(Text(hint, f"bold {BLUE}"))

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
            line = Text.assemble("Type ", (self.phrase, f"bold {YELLOW}"), " to go on.")
            if self.check_action("again", ()):
                line.append(" F5 fetches again and replays.")
            say.update(line)

    def on_input_changed(self) -> None:
        """Open or close with every key."""
        self._judge()

    def on_input_submitted(self) -> None:
        """Go through on Enter, or say what is missing."""
        self._go()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Do what the button's key does."""
        event.stop()
        if event.button.id == "gate-go":
            self._go()
        else:
            self.action_decline()

    def _go(self) -> None:
        if self.open:
            self.dismiss("go")
            return
        typed = self.query_one("#gate-input", Input).value
        if not self.too_small:
            problem = f"{typed!r} is not {self.phrase!r}" if typed else "Nothing was typed"
            say = f"▲ {problem}. Type {self.phrase} exactly, or Esc to decline."
            self.query_one("#gate-say", Static).update(Text(say, VERMILION))

    def action_decline(self) -> None:
        """Decline on Esc: nothing is done."""
        self.dismiss("decline")

    def action_again(self) -> None:
        """Start over on F5: undo what leads to this gate and do it anew, with the same answers."""
        self.dismiss("again")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer F5 only at a gate that has another way than consent."""
        if action == "again":
            return bool(self.plan.gate and self.plan.gate.again)
        return super().check_action(action, parameters)

    def action_scroll(self, lines: int) -> None:
        """Move through the plan while the cursor stays in the Input."""
        self.query_one("#gate-plan").scroll_relative(y=lines, animate=False)

    def _plan(self) -> Table:
        """Lay out what is done, destroyed and undone; each line with a glyph of its own."""
        table = Table.grid(padding=(0, 1), expand=True)
        table.add_column(width=1)
        table.add_column(ratio=1)
        for line in self.changed:
            table.add_row(
                Text("▲", YELLOW),
                Text(shown(f"changed since you looked: {line}"), f"bold {YELLOW}"),
            )
        for line in self.plan.does:
            table.add_row(Text("▶", MUTED), Text(shown(line), TEXT))
        for loss in self.plan.destroys:
            cell = Text.assemble(("Destroys: ", f"bold {VERMILION}"), (shown(str(loss)), VERMILION))
            table.add_row(Text("✗", VERMILION), cell)
        if self.plan.undo:
            cell = Text.assemble(("Undo: ", f"bold {BLUE}"), (shown(self.plan.undo), TEXT))
            table.add_row(Text("←", BLUE), cell)
        return table
