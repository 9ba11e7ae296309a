"""F2: the ledgers, of the conversion and of each delivery: a line for each place, then its rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen
from textual.widgets import DataTable, Footer, Static

from screens.theme import BLUE, MUTED, ORANGE, TEXT, VERMILION, WIDTHS
from wizard.session.ledger import ACCOUNTS, Ledger, LedgerEntry, Subject, number, summed

WIDE = WIDTHS[-1][0]
NUMBERS = ("before", *ACCOUNTS)
NAMES = {True: 46, False: 36}  # characters of a name on a wide and on a narrow terminal
COLOURS = {"followed": BLUE, "rewritten": ORANGE, "dropped": VERMILION}


class Entries(DataTable[Text]):
    """The table; its key stands in the footer."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "select_cursor", "Rows")]


class LedgerScreen(ModalScreen[None]):
    """A ledger's entries: what there was before, and the account of it.

    Enter shows an entry's rows; `n` the next of the `ledgers`, where there are several.
    """

    AUTO_FOCUS = "DataTable"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "app.pop_screen", "Back", priority=True),
        Binding("n", "next", "Next ledger"),
    ]

    def __init__(self, ledgers: Sequence[Ledger]) -> None:
        super().__init__()
        self.ledgers = list(ledgers)
        self._wide: bool | None = None

    @property
    def ledger(self) -> Ledger:
        """Return the one that is shown."""
        return self.ledgers[0]

    def compose(self) -> ComposeResult:
        yield Static(id="title", classes="sheet-title", markup=False)
        yield Entries(id="entries", cursor_type="row")
        yield Static(id="sum", classes="sheet-say", markup=False)
        yield Footer(show_command_palette=False)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Hide `next` where there is one ledger."""
        return action != "next" or len(self.ledgers) > 1

    def action_next(self) -> None:
        """Show the next ledger, after the last one the first."""
        self.ledgers.append(self.ledgers.pop(0))
        self._draw()
        self.query_one(Entries).move_cursor(row=0)

    def on_mount(self) -> None:
        """Draw for the width there is."""
        self._draw()

    def on_resize(self, event: events.Resize) -> None:
        """Draw again: another width may have room for a column of each account."""
        if (self.app.size.width >= WIDE) != self._wide:
            self._draw()

    def _draw(self) -> None:
        wide, subject = self.app.size.width >= WIDE, self.ledger.subject
        self._wide = wide
        self.query_one("#title", Static).update(f" {subject.title}")
        self.query_one("#sum", Static).update(f" {summed(self.ledger.totals, subject)}")
        table = self.query_one(Entries)
        at = table.cursor_row
        table.clear(columns=True)
        headings = ("kind", "before", *subject.accounts) if wide else ("before", "account")
        for heading in ("where", *headings):
            table.add_column(Text(_aligned(heading, heading), f"bold {BLUE}"))
        for entry in self.ledger.entries:
            where = Text(_short(entry.name, NAMES[wide]), TEXT)
            before = _number("before", entry)
            if wide:
                numbers = [_number(name, entry) for name in subject.accounts]
                table.add_row(where, Text(entry.kind, MUTED), before, *numbers)
            else:
                table.add_row(where, before, _account_of(entry))
        table.move_cursor(row=at)

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        """Show the entry's rows, on Enter or a click."""
        event.stop()
        entry = self.ledger.entries[event.cursor_row]
        self.app.push_screen(EntryScreen(entry, self.ledger.subject))


class EntryScreen(ModalScreen[None]):
    """One entry's rows or objects: which one, what there is to say of it, and its account."""

    AUTO_FOCUS = "DataTable"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "app.pop_screen", "Back", priority=True)
    ]

    def __init__(self, entry: LedgerEntry, subject: Subject) -> None:
        super().__init__()
        self.entry = entry
        self.subject = subject

    def compose(self) -> ComposeResult:
        entry, subject = self.entry, self.subject
        title = f" {entry.name}  ({entry.kind})"
        yield Static(title, classes="sheet-title", markup=False)
        yield DataTable(id="rows", cursor_type="row")
        shown, one = len(entry.rows), subject.row[0]
        counted = one if shown == 1 else f"{one}s"
        of = "" if shown == entry.before else f" of {entry.before:,}, {subject.shown}"
        meant = "; ".join(
            f"{name}: {meaning}"
            for name, meaning in subject.accounts.items()
            if getattr(entry, name)
        )
        said = f" {shown:,} {counted}{of}. {meant}"
        yield Static(said, classes="sheet-say", markup=False)
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        """Fill in the rows as the worker reported them."""
        table: DataTable[Text] = self.query_one(DataTable)
        for heading in (*self.subject.row, "account"):
            table.add_column(Text(heading, f"bold {BLUE}"))
        for key, what, account in self.entry.rows:
            table.add_row(
                Text(key, TEXT), Text(what, TEXT), Text(account, COLOURS.get(account, MUTED))
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
