"""What a step has to read: its findings, its documents, its live output, one at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import ClassVar, Literal

from rich.cells import cell_len
from rich.console import RenderableType
from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.widgets import Static

from screens.model import StepState
from screens.theme import MUTED, ORANGE, TEXT
from screens.widgets.documents import drawn, output
from screens.widgets.findings import FindingsTable, summary_of

Prefers = Literal["newest", "findings", "table"]
LINES_SHOWN = 300


@dataclass(frozen=True)
class Sheet:
    """One thing to read. It is drawn again when `version` is another."""

    key: str
    label: str
    version: object
    draw: Callable[[], RenderableType | Content]
    form: str = ""


class Strip(Static, can_focus=True):
    """The titles of what there is to read, in one line; left and right choose."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "choose(-1)", "Previous", show=False),
        Binding("right", "choose(1)", "Next", show=False),
    ]

    class DocumentChosen(Message):
        """The operator chose a sheet."""

        def __init__(self, index: int) -> None:
            super().__init__()
            self.index = index

    labels: reactive[tuple[str, ...]] = reactive(())
    active: reactive[int] = reactive(0)

    def render(self) -> Text:
        """Return as many titles as there is room for, the active one always among them."""
        first = self._first()
        text = Text("◂" if first else "", MUTED, no_wrap=True, overflow="ellipsis")
        for index in range(first, len(self.labels)):
            chosen = index == self.active
            style = f"bold {ORANGE} underline" if chosen else MUTED
            text.append(f" {self.labels[index]} ", style)
            text.append(" ", TEXT)
        return text

    def action_choose(self, by: int) -> None:
        """Go to the next sheet or the one before."""
        if self.labels:
            self.post_message(self.DocumentChosen((self.active + by) % len(self.labels)))

    def on_click(self, event: events.Click) -> None:
        """Choose the title that was clicked."""
        first = self._first()
        edge = 1 if first else 0
        for index in range(first, len(self.labels)):
            edge += cell_len(self.labels[index]) + 3
            if event.x < edge:
                self.post_message(self.DocumentChosen(index))
                return

    def _first(self) -> int:
        """Return the number of the first title to show, so that the active one fits."""
        first, widths = 0, [cell_len(label) + 3 for label in self.labels]
        while first < self.active and sum(widths[first : self.active + 1]) > self.size.width:
            first += 1
        return first


class Reading(Vertical):
    """A strip of titles and the sheet that is open. Follows what is new until one is chosen."""

    def __init__(self, prefers: Prefers = "newest", *, widget_id: str | None = None) -> None:
        super().__init__(id=widget_id)
        self._prefers = prefers
        self._sheets: list[Sheet] = []
        self._open = ""
        self._chosen = False
        self._drawn: object = None

    def compose(self) -> ComposeResult:
        yield Strip()
        with VerticalScroll(id="sheet"):
            yield Static(id="paper", markup=False)

    def show(self, step: StepState) -> None:
        """Show what the step has to read by now; hide while there is nothing."""
        self._sheets = _sheets(step)
        self.display = bool(self._sheets)
        if not self._sheets:
            return
        if not self._chosen or self._open not in {sheet.key for sheet in self._sheets}:
            self._open = self._preferred().key
        self._draw()

    def on_strip_document_chosen(self, event: Strip.DocumentChosen) -> None:
        """Open the chosen sheet, and follow new ones no more."""
        event.stop()
        self._chosen = True
        self._open = self._sheets[event.index].key
        self._draw()

    def _preferred(self) -> Sheet:
        by_form = [sheet for sheet in self._sheets if sheet.form == self._prefers]
        documents = [sheet for sheet in self._sheets if sheet.form not in ("findings", "output")]
        return (by_form or documents or self._sheets)[-1]

    def _draw(self) -> None:
        keys = [sheet.key for sheet in self._sheets]
        sheet = self._sheets[keys.index(self._open)]
        strip = self.query_one(Strip)
        strip.labels = tuple(item.label for item in self._sheets)
        strip.active = keys.index(self._open)
        if (sheet.key, sheet.version) == self._drawn:
            return
        scroll = self.query_one("#sheet", VerticalScroll)
        another = self._drawn is None or self._drawn[0] != sheet.key  # type: ignore[index]
        at_end = scroll.scroll_y >= scroll.max_scroll_y - 1
        self._drawn = (sheet.key, sheet.version)
        self.query_one("#paper", Static).update(sheet.draw())
        if sheet.form == "output" and (another or at_end):
            scroll.scroll_end(animate=False)
        elif another:
            scroll.scroll_home(animate=False)


def _sheets(step: StepState) -> list[Sheet]:
    sheets = []
    if step.findings:
        findings = list(step.findings.values())
        sheets.append(
            Sheet(
                "findings",
                f"Findings {summary_of(findings)}",
                tuple(findings),
                lambda: FindingsTable(findings),
                "findings",
            )
        )
    for (operation, title), document in step.documents.items():
        sheets.append(
            Sheet(
                f"{operation} {title}",
                title,
                document,
                lambda document=document: drawn(document),  # type: ignore[misc]
                document.form,
            )
        )
    if step.lines:
        start = max(0, len(step.lines) - LINES_SHOWN)
        sheets.append(
            Sheet(
                "output",
                "Output",
                step.lines_seen,
                lambda: output(islice(step.lines, start, None)),
                "output",
            )
        )
    return sheets
