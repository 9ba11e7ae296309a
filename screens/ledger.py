"""F2: the ledger of the conversion, a line for each place that refers to a page, then its rows."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen
from textual.widgets import DataTable, Footer, Static

from screens.theme import BLUE, MUTED, ORANGE, TEXT, VERMILION, WIDTHS
from wizard.reports.ledger import ACCOUNTS, Ledger, LedgerEntry, number, summed

WIDE = WIDTHS[-1][0]
NUMBERS = ("before", *ACCOUNTS)
NAMES = {True: 46, False: 36}  # characters of a name on a wide and on a narrow terminal
COLOURS = {"followed": BLUE, "rewritten": ORANGE, "dropped": VERMILION}


class Entries(DataTable[Text]):
    """The table; its key stands in the footer."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "select_cursor", "Rows")]


class LedgerScreen(ModalScreen[None]):
    """Every entry: what there was before, and the account of it. Enter shows an entry's rows."""

    AUTO_FOCUS = "DataTable"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "app.pop_screen", "Back", priority=True)
    ]

    def __init__(self, ledger: Ledger) -> None:
        super().__init__()
        self.ledger = ledger
        self._wide: bool | None = None

    def compose(self) -> ComposeResult:
        yield Static(" Ledger of the conversion", classes="sheet-title", markup=False)
        yield Entries(id="entries", cursor_type="row")
        yield Static(f" {summed(self.ledger.totals)}", classes="sheet-say", markup=False)
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        """Draw for the width there is."""
        self._draw()

    def on_resize(self, event: events.Resize) -> None:
        """Draw again: another width may have room for a column of each account."""
        self._draw()

    def _draw(self) -> None:
        wide = self.app.size.width >= WIDE
        if wide == self._wide:
            return
        self._wide = wide
        table = self.query_one(Entries)
        at = table.cursor_row
        table.clear(columns=True)
        headings = ("kind", "before", *ACCOUNTS) if wide else ("before", "account")
        for heading in ("where", *headings):
            table.add_column(Text(_aligned(heading, heading), f"bold {BLUE}"))
        for entry in self.ledger.entries:
            where = Text(_short(entry.name, NAMES[wide]), TEXT)
            before = _number("before", entry)
            if wide:
                numbers = [_number(name, entry) for name in ACCOUNTS]
                table.add_row(where, Text(entry.kind, MUTED), before, *numbers)
            else:
                table.add_row(where, before, _account_of(entry))
        table.move_cursor(row=at)

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        """Show the entry's rows, on Enter or a click."""
        event.stop()
        self.app.push_screen(EntryScreen(self.ledger.entries[event.cursor_row]))


class EntryScreen(ModalScreen[None]):
    """One entry's rows: which row, which page it referred to, and its account."""

    AUTO_FOCUS = "DataTable"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "app.pop_screen", "Back", priority=True)
    ]

    def __init__(self, entry: LedgerEntry) -> None:
        super().__init__()
        self.entry = entry

    def compose(self) -> ComposeResult:
        entry = self.entry
        title = f" {entry.name}  ({entry.kind})"
        yield Static(title, classes="sheet-title", markup=False)
        yield DataTable(id="rows", cursor_type="row")
        shown = len(entry.rows)
        of = "" if shown == entry.before else f" of {entry.before:,}, the first of them"
        meant = "; ".join(
            f"{name}: {meaning}" for name, meaning in ACCOUNTS.items() if getattr(entry, name)
        )
        yield Static(f" {shown:,} rows{of}. {meant}", classes="sheet-say", markup=False)
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        """Fill in the rows as the worker reported them."""
        table: DataTable[Text] = self.query_one(DataTable)
        for heading in ("row", "page before", "account"):
            table.add_column(Text(heading, f"bold {BLUE}"))
        for key, page, account in self.entry.rows:
            table.add_row(
                Text(key, TEXT), Text(page, TEXT), Text(account, COLOURS.get(account, MUTED))
            )


def _number(name: str, entry: LedgerEntry) -> Text:
    count = getattr(entry, name)
    colour = COLOURS.get(name, TEXT) if count else MUTED
    return Text(_aligned(name, number(count)), colour)


def _aligned(heading: str, text: str) -> str:
    """Align a text right in a column of numbers, which a DataTable cannot do by itself."""
    return text.rjust(max(7, len(heading))) if heading in NUMBERS else text


def _short(name: str, width: int) -> str:
    """Shorten a long name in its middle, so that there is room for the account."""
    if len(name) <= width:
        return name
    return f"{name[: width // 2 - 1]}…{name[-width // 2 :]}"


def _account_of(entry: LedgerEntry) -> Text:
    """Return `12 followed, 3 rewritten`, on a narrow terminal in place of five columns."""
    text = Text()
    for name in ACCOUNTS:
        if count := getattr(entry, name):
            text.append(", " if text else "", MUTED)
            text.append(f"{count:,} {name}", COLOURS.get(name, TEXT))
    return text or Text("-", MUTED)
