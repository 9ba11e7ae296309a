"""The ledger: an account of every row and value that refers to a page to be converted.

Before the conversion each is entered, by the row's key and the page that it refers to; after it,
each is looked for where it should be by then. Both are up to the kinds of reference; the ledger
compares the two. Whatever is not found again must have been entered as dropped, with consent. A
row without an account is a Refusal, and with it the transaction is rolled back.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Callable, Protocol

from ..plan.fieldmap import FieldMap
from ..protocol import Refusal
from ..site.tree import quoted
from ..site.types import Cursor, Field, Model
from . import columns
from .content import Pages
from .places import Place, Places
from .rewrite import PLAIN, Column, Holder, ValueRewriter, kind_of

ACCOUNTS = ("kept", "followed", "rewritten", "rebuilt", "dropped")
SHOWN = 1000  # rows of an entry that are shown one by one

# An SQL condition on the rows `t` of a model that are to be read for one of its fields, and its
# parameters.
Candidates = Callable[[Model, Field], tuple[str, list[Any]]]

# Holders as rows, of what `_as_json` makes of them.
HELD = (
    "FROM json_to_recordset(%s::json) "
    "AS w (key text, page bigint, number bigint, note text, was bigint)"
)


class ReadsContent(Protocol):
    """What the ledger asks of a kind of reference."""

    def in_content(
        self, model: Model, content: dict[str, Any], pages: Pages, levels: set[Model]
    ) -> dict[str, Any]: ...


@dataclass(frozen=True)
class ReferenceEntry:
    """One line of the ledger: a column, or the values inside of one, that refer to pages."""

    number: int
    owner: object  # the ReferenceKind that entered it
    name: str
    kind: str
    table: str
    column: str
    types: tuple[str, ...] = ()  # columns beside it that hold content types
    reference: object = None  # ForeignKey or GenericPair, if it is about one
    field: Field = None  # the model's field, if the references are inside of its values
    remade: bool = False  # made from the pages, so that rows may be others afterwards

    @property
    def value(self) -> Column:
        """The column of an entry that is about values."""
        return self.number, self.column, kind_of(self.field)


class ReferenceLedger:
    """The account of one conversion, kept in temporary tables of its transaction."""

    def __init__(
        self,
        cursor: Cursor,
        field_map: FieldMap,
        places: Places,
        pages: Mapping[int, int],
        kinds: Sequence[ReadsContent],
    ) -> None:
        self.cursor = cursor
        self.field_map = field_map
        self.places = places
        self.pages = pages
        self.kinds = kinds
        # Of pages that keep their ids, or whose new ones are not known yet, nothing becomes.
        self.becomes = {old: new for old, new in pages.items() if new not in (0, old)}
        self.originals = {page: page for page in pages}
        self.levels = columns.levels(field_map)
        self.values = ValueRewriter(cursor, places)
        self.entries: list[ReferenceEntry] = []
        self.strays: dict[str, list[str]] = {}
        self._entered: dict[int, int] = {}
        cursor.execute(
            "CREATE TEMPORARY TABLE remodel_ledger "
            # `was` is the hash of a value that is plain to follow; `remodel_values` has others'.
            "(entry int, key text, page bigint, number bigint, note text, was bigint, "
            "account text) WITH (fillfactor = 50) ON COMMIT DROP"
        )
        cursor.execute(
            "CREATE TEMPORARY TABLE remodel_confirmed (entry int, key text, page bigint, "
            "number bigint, note text) ON COMMIT DROP"
        )

    @property
    def renumbered(self) -> bool:
        """Whether the pages get new ids."""
        return bool(self.becomes)

    def add(self, owner: object, kind: str, table: str, column: str, **more: Any) -> ReferenceEntry:
        """Open an entry, without rows yet. `more` are other attributes of ReferenceEntry."""
        name = f"{table}.{column}"
        entry = ReferenceEntry(len(self.entries), owner, name, kind, table, column, **more)
        self.entries.append(entry)
        return entry

    def enter(self, entry: ReferenceEntry, condition: str, given: Sequence[object] = ()) -> None:
        """Enter the rows `t` of the entry's table that refer to an old page `m.old`."""
        key = self.places.key(entry.table, "t")
        self.cursor.execute(
            "INSERT INTO remodel_ledger (entry, key, page, number, note) "
            f"SELECT {entry.number}, {key}, m.old, count(*), {_note(entry.types)} "
            f"FROM {quoted(entry.table)} t JOIN remodel_map m ON {condition} GROUP BY 2, 3, 5",
            given,
        )

    def enter_values(self, entry: ReferenceEntry, holders: list[Holder]) -> None:
        """Enter values that refer to the old pages."""
        if holders:
            self.cursor.execute(
                "INSERT INTO remodel_ledger (entry, key, page, number, note, was) "
                f"SELECT {entry.number}, * {HELD}",
                [_as_json(holders)],
            )
            self.values.keep(entry.number, holders)

    def close(self) -> None:
        """Count what was entered; nothing can be entered after it."""
        self.cursor.execute("ANALYZE remodel_ledger")
        self.cursor.execute("SELECT entry, count(*) FROM remodel_ledger GROUP BY 1")
        self._entered = dict(self.cursor.fetchall())

    def entries_of(self, owner: object) -> list[ReferenceEntry]:
        """Return the entries of a kind of reference that have rows."""
        return [
            entry
            for entry in self.entries
            if entry.owner is owner and entry.number in self._entered
        ]

    def unclear(self) -> list[dict[str, Any]]:
        """Return streams that have a page's id where only the project knows what it means."""
        why = "a block of a kind that is not known holds the id of a page; look at it"
        return [
            {"name": name, "count": len(keys), "why": why}
            for name, keys in sorted(self.strays.items())
            if keys
        ]

    def drop(self, entry: ReferenceEntry) -> None:
        """Enter the references of an entry as dropped; the rows that hold them may stay."""
        self.cursor.execute(
            "UPDATE remodel_ledger SET account = 'dropped' WHERE entry = %s", [entry.number]
        )

    def drop_rows(self, entry: ReferenceEntry) -> None:
        """Enter the rows of an entry as dropped, and whatever else the same rows hold."""
        same = [other.number for other in self.entries if other.table == entry.table]
        self.cursor.execute(
            "UPDATE remodel_ledger l SET account = 'dropped' WHERE l.entry = ANY(%s) "
            "AND l.key IN (SELECT d.key FROM remodel_ledger d WHERE d.entry = %s)",
            [same, entry.number],
        )

    def _drop_leaving(self, entry: ReferenceEntry) -> None:
        """Enter as dropped what nothing carries: of the pages' own rows, and of moved ones."""
        leaving = self.places.leaving(entry.table)
        self.cursor.execute(
            "UPDATE remodel_ledger SET account = 'dropped' "
            f"WHERE account IS NULL AND entry = %s AND key IN ({leaving})",
            [entry.number],
        )

    def rewrite(self, owner: object) -> None:
        """Make the references inside of a kind's values ones to the new pages."""
        tables: dict[str, list[Column]] = {}
        for entry in self.entries_of(owner):
            tables.setdefault(entry.table, []).append(entry.value)
        for table, values in tables.items():
            self.values.write(table, values)

    def in_content(self, model: Model, content: dict[str, Any], pages: Pages) -> dict[str, Any]:
        """Return an object, as a revision has it, with the references of every kind followed."""
        for kind in self.kinds:
            content = kind.in_content(model, content, pages, self.levels)
        return content

    def candidates(self, model: Model, field: Field) -> tuple[str, list[Any]]:
        """Return the rows that came after the ledger was closed and may refer to the pages."""
        table = model._meta.db_table
        if table not in self.places.fresh:
            return "false", []
        link = quoted(self.places.links[table])
        return f"t.{link} IN (SELECT m.new FROM remodel_map m)", []

    def keys(self, entry: ReferenceEntry) -> str:
        """Return a query of the keys of an entry's rows; `l` is the row in the ledger."""
        return f"SELECT l.key FROM remodel_ledger l WHERE l.entry = {entry.number}"

    def confirm(
        self, entry: ReferenceEntry, place: Place, condition: str, given: Sequence[object] = ()
    ) -> None:
        """Confirm the rows `t` of a place that refer to a new page `m.new`, for `settle`."""
        note = "'moved'" if place.table != entry.table else _note(entry.types)
        self.cursor.execute(
            "INSERT INTO remodel_confirmed (entry, key, page, number, note) "
            f"SELECT {entry.number}, {self.places.key_before(place, 't')}, m.old, count(*), {note} "
            f"FROM {quoted(place.table)} t JOIN remodel_map m ON {condition} GROUP BY 2, 3, 5",
            given,
        )

    def confirm_values(self, entry: ReferenceEntry, holders: list[Holder]) -> None:
        """Confirm values that refer to the new pages; each Holder has the old ids."""
        if holders:
            self.cursor.execute(
                "INSERT INTO remodel_confirmed (entry, key, page, number, note) "
                f"SELECT {entry.number}, key, page, number, note {HELD}",
                [_as_json(holders)],
            )

    def settle(self) -> None:
        """Give every row its account. Raise Refusal `ledger` when one was not found again."""
        self.cursor.execute("ANALYZE remodel_confirmed")
        self.cursor.execute(
            """
            UPDATE remodel_ledger l
               SET account = CASE
                   WHEN l.entry = ANY(%s) AND (m.old <> m.new OR left(l.note, 3) = 'own')
                   THEN 'rewritten'
                   WHEN m.old <> m.new OR f.note = 'moved' THEN 'followed'
                   WHEN f.note = l.note THEN 'kept'
                   ELSE 'rewritten' END
              FROM remodel_confirmed f, remodel_map m
             WHERE l.account IS NULL AND m.old = l.page
               AND (f.entry, f.key, f.page, f.number) = (l.entry, l.key, l.page, l.number)
            """,
            [[entry.number for entry in self.entries if entry.field is not None]],
        )
        for entry in self.entries:
            if entry.number not in self._entered or not self.places.leaving(entry.table):
                continue
            # What goes somewhere has to be found there; only what goes nowhere is dropped.
            if len(self.places.after(entry.table, entry.column)) == 1:
                self._drop_leaving(entry)
        self.cursor.execute(
            "UPDATE remodel_ledger SET account = 'rebuilt' "
            "WHERE account IS NULL AND entry = ANY(%s)",
            [[entry.number for entry in self.entries if entry.remade]],
        )
        self._require_balance()

    def _require_balance(self) -> None:
        self.cursor.execute(
            "SELECT entry, count(*), (array_agg(key ORDER BY key))[1:5] FROM remodel_ledger "
            "WHERE account IS NULL GROUP BY 1 ORDER BY 1"
        )
        missing = self.cursor.fetchall()
        if missing:
            raise Refusal(
                "ledger",
                "Rows that referred to the pages cannot be accounted for; nothing was changed.",
                found="\n".join(
                    f"{self.entries[number].name}: {count}, among them {', '.join(keys)}"
                    for number, count, keys in missing
                ),
                hint="Something in the database (a trigger, a rule) changed them on their way.",
            )

    def lines(self) -> list[dict[str, Any]]:
        """Return the entries that have rows, sorted by name.

        Each has `name`, `kind`, `before`, a count by account, and `rows` of key, page, account.
        """
        self.cursor.execute(
            "SELECT entry, coalesce(account, ''), count(*) FROM remodel_ledger GROUP BY 1, 2"
        )
        counts: dict[int, dict[str, int]] = {}
        for number, account, count in self.cursor.fetchall():
            counts.setdefault(number, {})[account] = count
        self.cursor.execute(
            "SELECT l.* FROM unnest(%s::int[]) AS e (entry) CROSS JOIN LATERAL ("
            "SELECT entry, key, page, account FROM remodel_ledger r WHERE r.entry = e.entry "
            "ORDER BY account = 'dropped' DESC, length(key), key LIMIT %s) l",
            [list(counts), SHOWN],
        )
        rows: dict[int, list[list[Any]]] = {}
        for number, key, page, account in self.cursor.fetchall():
            rows.setdefault(number, []).append([key, page, account or ""])
        return [
            {
                "name": entry.name,
                "kind": entry.kind,
                "before": sum(counts[entry.number].values()),
                **{account: counts[entry.number].get(account, 0) for account in ACCOUNTS},
                "rows": rows[entry.number],
            }
            for entry in sorted(self.entries, key=lambda entry: entry.name)
            if entry.number in counts
        ]


def _note(types: tuple[str, ...]) -> str:
    """Return SQL for the content types beside an id, to compare them with those afterwards."""
    if not types:
        return "''"
    return "concat_ws(',', " + ", ".join(f"t.{quoted(column)}" for column in types) + ")"


def _as_json(holders: list[Holder]) -> str:
    """Return a row for each page that a value refers to, as JSON."""
    return json.dumps(
        [
            {
                "key": holder.key,
                "page": page,
                "number": number,
                "note": holder.note,
                "was": holder.was if holder.note == PLAIN else None,
            }
            for holder in holders
            for page, number in holder.found.items()
        ]
    )
