"""The list of a step's operations: glyph, word, title, and what can be said of each."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import Static

from screens.model import OperationState
from screens.theme import HEIGHTS, MUTED, STATES, TEXT, VERMILION, YELLOW
from screens.widgets.progress import bar, duration

STATE_WIDTH = 13
TALL = HEIGHTS[-1][0]
FEW = 4  # operations that a short screen can outline with two lines each


class Operations(VerticalScroll, can_focus=False):
    """The operations of a step, or of one of its parts."""

    def __init__(self, *, widget_id: str | None = None) -> None:
        super().__init__(id=widget_id)
        self._list = Static(markup=False)
        self._shown: Sequence[OperationState] = ()
        self._outline = False
        self._planning = ""

    def compose(self) -> ComposeResult:
        yield self._list

    def show(
        self, operations: Sequence[OperationState], *, outline: bool, planning: str = ""
    ) -> None:
        """Draw them; `outline` tells in a second line what each is about to do.

        `planning` is the key of the operation that is being planned.
        """
        self._shown, self._outline, self._planning = operations, outline, planning
        self._list.update(self._table())
        self.call_after_refresh(self._follow)

    def on_resize(self) -> None:
        """Draw the bar as wide as there is room."""
        self._list.update(self._table())

    def _table(self) -> Table:
        table = Table.grid(padding=(0, 1), expand=True)
        table.add_column(width=STATE_WIDTH, no_wrap=True)
        table.add_column(ratio=1)
        for operation in self._shown:
            mark = STATES["planning" if operation.key == self._planning else operation.state]
            table.add_row(Text(str(mark), mark.colour), self._description(operation))
        return table

    def _description(self, operation: OperationState) -> Text:
        worked_on = operation.state in ("running", "failed", "gate", "interrupted")
        text = Text(operation.title, f"bold {TEXT}" if worked_on else TEXT)
        if operation.state == "waiting":
            if operation.gated:
                text = Text.assemble(("◆ ", YELLOW), text)
            room = len(self._shown) <= FEW or self.app.size.height >= TALL
            if self._outline and operation.about and room:
                text.append(f"\n{operation.about}", MUTED)
        elif operation.state == "running" and operation.progress is not None:
            text.append("\n")
            text.append_text(bar(operation.progress, self.size.width - STATE_WIDTH))
        elif operation.state == "failed" and operation.message:
            text.append(f"\n{operation.message.splitlines()[0]}", VERMILION)
        elif operation.state in ("done", "skipped"):
            took = f"  {duration(operation.seconds)}" if operation.seconds >= 1 else ""
            about = f"  {operation.message}" if operation.message else ""
            text.append(took + about, MUTED)
            # What is done keeps to its line: the rest of a short screen is for what it found.
            text.no_wrap, text.overflow = operation.state == "done", "ellipsis"
        return text

    def _follow(self) -> None:
        """Keep the operation that is worked on in sight."""
        states = [operation.state for operation in self._shown]
        lines = [states.index(s) for s in ("failed", "gate", "running") if s in states]
        if lines and self.max_scroll_y:
            line = lines[0] * self.virtual_size.height // len(states)
            self.scroll_to(y=max(0, line - 2), animate=False, immediate=True)
