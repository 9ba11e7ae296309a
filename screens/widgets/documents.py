"""Documents as something to look at: diffs, program text, SQL, tables, plain text, output."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text
from textual.content import Content
from textual.highlight import highlight

from screens.theme import BLUE, MUTED, ORANGE, TEXT
from wizard.base.events import Document, Line

ROWS_SHOWN = 500  # of a table; the session's log has all of it
CHARACTERS_SHOWN = 100_000

_DIFF = {"+": BLUE, "-": ORANGE, "@": MUTED, " ": TEXT}


def drawn(document: Document) -> RenderableType | Content:
    """Return what a Static can show of `document`. Nothing in it is read as markup."""
    text = document.text[:CHARACTERS_SHOWN]
    match document.form:
        case "diff":
            return _diff(text)
        case "python" | "sql":
            return highlight(text, language=document.form)
        case "table":
            return _table(document.text)
        case _:
            return Text(text, TEXT)


def output(lines: Iterable[Line]) -> Text:
    """Return live output as it came, the tool's name before its lines."""
    text = Text()
    for line in lines:
        text.append(f"{line.source:>10} ", MUTED)
        text.append(f"{line.text}\n", TEXT)
    text.rstrip()
    return text


def _diff(text: str) -> Text:
    drawn = Text()
    for line in text.splitlines():
        head = line.startswith(("+++", "---", "diff ", "index "))
        colour = f"bold {TEXT}" if head else _DIFF.get(line[:1], TEXT)
        drawn.append(line + "\n", colour)
    drawn.rstrip()
    return drawn


def _table(text: str) -> RenderableType:
    """Return a table of tab-separated rows, the first of which are the headings."""
    rows = [line.split("\t") for line in text.splitlines()]
    if not rows:
        return Text("nothing", MUTED)
    columns = max(len(row) for row in rows)
    table = Table(
        box=None,
        padding=(0, 1),
        pad_edge=False,
        expand=True,
        header_style=f"bold {BLUE}",
    )
    for heading in rows[0] + [""] * (columns - len(rows[0])):
        table.add_column(Text(heading), overflow="fold")
    for row in rows[1 : ROWS_SHOWN + 1]:
        table.add_row(*(Text(cell, TEXT) for cell in row))
    if len(rows) > ROWS_SHOWN + 1:
        table.add_row(Text(f"… and {len(rows) - ROWS_SHOWN - 1:,} more, all in the log", MUTED))
    return table
