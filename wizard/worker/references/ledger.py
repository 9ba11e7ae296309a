"""The ledger: an account of every row and value that refers to a page to be converted.

Before the conversion each is entered, by the row's key and the page that it refers to; after it,
each is looked for where it should be by then, with queries that know nothing of how it got
there. Whatever is not found again must have been entered as dropped, with consent. A row
without an account is a Refusal, and with it the transaction is rolled back.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..plan.fieldmap import FieldMap, copies, renames
from ..protocol import Refusal
from ..site.tree import quoted
from . import columns, links, revisions
from .columns import ForeignKey, Generic
from .places import Place, Places
from .rewrite import PLAIN, Column, Followed, Holder, kind_of
from .scan import Query, ReadAhead, query_of, read

ACCOUNTS = ("kept", "followed", "rewritten", "rebuilt", "dropped")
SHOWN = 1000  # rows of an entry that are told one by one

# Holders as rows, of what `_held` makes of them.
HELD = (
    "FROM json_to_recordset(%s::json) "
    "AS w (key text, page bigint, number bigint, note text, was bigint)"
)


@dataclass(frozen=True)
class ReferenceEntry:
    """One line of the ledger: a column, or the values inside of one, that refer to pages."""

    number: int
    name: str
    kind: str
    table: str
    reference: Any = None  # ForeignKey or Generic; None for values
    field: Any = None  # the model's field, for values

    @property
    def value(self) -> Column:
        """The column of an entry that is about values."""
        return self.number, self.field.column, kind_of(self.field)


class ReferenceLedger:
    """The account of one conversion, kept in temporary tables of its transaction."""

    def __init__(
        self, cursor: Any, field_map: FieldMap, places: Places, pages: Mapping[int, int]
    ) -> None:
        self.cursor = cursor
        self.field_map = field_map
        self.places = places
        self.pages = pages
        # Of pages that keep their ids, or whose new ones are not known yet, nothing becomes.
        self.becomes = {old: new for old, new in pages.items() if new not in (0, old)}
        self.followed = Followed(cursor, places)
        self.entries: list[ReferenceEntry] = []
        self.strays: dict[str, list[str]] = {}
        cursor.execute(
            "CREATE TEMPORARY TABLE remodel_ledger "
            # `was` is the hash of a value that is plain to follow; `remodel_values` has others'.
            "(entry int, key text, page bigint, number bigint, note text, was bigint, "
            "account text) WITH (fillfactor = 50) ON COMMIT DROP"
        )

    def reading(self) -> ReadAhead[ReferenceEntry]:
        """Begin to read the values that mention the map's old pages, for `open`."""
        for model, field in links.fields_with_links():
            table = model._meta.db_table
            self._add(f"{table}.{field.column}", "link", table, field=field)
        table, field = revisions.table_name(), revisions.content_field()
        self._add(f"{table}.{field.column}", "revision", table, field=field)
        return ReadAhead([(entry, self._query_of(entry)) for entry in self.entries])

    def _query_of(self, entry: ReferenceEntry) -> Query:
        if entry.kind == "revision":
            return revisions.query_of(self.pages)
        key = self.places.key(entry.table, "t")
        return query_of(entry.table, key, entry.field, self.pages)

    def open(self, values: ReadAhead[ReferenceEntry]) -> None:
        """Enter everything that refers to the map's old pages now; the values from `reading`."""
        for key in columns.foreign_keys(self.field_map.old_type):
            entry = self._add(key.name, "log" if key.log else "foreign key", key.table, key)
            self._enter_column(entry, f"m.old = t.{quoted(key.column)}", [], key.types)
        types = columns.known_types(self.field_map.old_type)
        for pair in columns.generics():
            kind = "passing state" if pair.transient else "index" if pair.derived else "generic key"
            entry = self._add(pair.name, kind, pair.table, pair)
            condition, given = columns.matches(pair, types)
            self._enter_column(entry, condition, given, pair.types)
        same = {page: page for page in self.pages}
        levels = columns.levels(self.field_map)
        dropped = [name for name, new in renames(self.field_map).items() if new is None]
        for entry, rows in values:
            if entry.kind == "revision":
                found = revisions.holders(rows, same, levels, self.becomes, without=dropped)
            else:
                strays = self.strays.setdefault(entry.name, [])
                found = links.holders(rows, entry.field, levels, same, self.becomes, strays)
            self._enter_values(entry, found)
        self.cursor.execute("ANALYZE remodel_ledger")

    def _add(
        self, name: str, kind: str, table: str, reference: Any = None, field: Any = None
    ) -> ReferenceEntry:
        entry = ReferenceEntry(len(self.entries), name, kind, table, reference, field)
        self.entries.append(entry)
        return entry

    def _enter_column(
        self, entry: ReferenceEntry, condition: str, given: list[Any], types: tuple[str, ...]
    ) -> None:
        key = self.places.key(entry.table, "t")
        self.cursor.execute(
            "INSERT INTO remodel_ledger (entry, key, page, number, note) "
            f"SELECT {entry.number}, {key}, m.old, count(*), {_note(types)} "
            f"FROM {quoted(entry.table)} t JOIN remodel_map m ON {condition} GROUP BY 2, 3, 5",
            given,
        )

    def _enter_values(self, entry: ReferenceEntry, holders: list[Holder]) -> None:
        if holders:
            self.cursor.execute(
                "INSERT INTO remodel_ledger (entry, key, page, number, note, was) "
                f"SELECT {entry.number}, * {HELD}",
                [_held(holders)],
            )
            self.followed.keep(entry.number, holders)

    def _find_held(self, entry: ReferenceEntry, holders: list[Holder]) -> None:
        if holders:
            self.cursor.execute(
                "INSERT INTO remodel_found (entry, key, page, number, note) "
                f"SELECT {entry.number}, key, page, number, note {HELD}",
                [_held(holders)],
            )

    def left(self) -> list[dict[str, Any]]:
        """Streams that have a page's id where nobody but the project knows what it means."""
        why = "a block of a kind that is not known holds the id of a page; look at it"
        return [
            {"name": name, "count": len(keys), "why": why}
            for name, keys in sorted(self.strays.items())
            if keys
        ]

    def counts(self) -> dict[int, int]:
        """Rows entered, by the number of the entry."""
        self.cursor.execute("SELECT entry, count(*) FROM remodel_ledger GROUP BY 1")
        return dict(self.cursor.fetchall())

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
        gone = self.places.leaving(entry.table)
        self.cursor.execute(
            "UPDATE remodel_ledger SET account = 'dropped' "
            f"WHERE account IS NULL AND entry = %s AND key IN ({gone})",
            [entry.number],
        )

    def follow(self, kind: str) -> None:
        """Let the references inside of values (`link` or `revision`) follow to the new pages."""
        tables: dict[str, list[Column]] = {}
        entered = self.counts()
        for entry in self.entries:
            if entry.kind == kind and entered.get(entry.number):
                tables.setdefault(entry.table, []).append(entry.value)
        for table, values in tables.items():
            self.followed.write(table, values)

    def revisions_with_others(self) -> str:
        """A query of the pages' own revisions that refer to more than their page."""
        entry = next(entry for entry in self.entries if entry.kind == "revision")
        return f"{self._keys(entry)} AND l.note = 'own, and others'"

    def candidates(self, model: Any, field: Any) -> tuple[str, list[Any]]:
        """The rows that were not there when the ledger was opened, and may refer to the pages."""
        table = model._meta.db_table
        if table not in self.places.fresh:
            return "false", []
        link = quoted(self.places.links[table])
        return f"t.{link} IN (SELECT m.new FROM remodel_map m)", []

    def _keys(self, entry: ReferenceEntry) -> str:
        return f"SELECT l.key FROM remodel_ledger l WHERE l.entry = {entry.number}"

    def settle(self) -> None:
        """Look everything up again. Raises Refusal `ledger` when a row has no account."""
        self.cursor.execute(
            "CREATE TEMPORARY TABLE remodel_found (entry int, key text, page bigint, "
            "number bigint, note text) ON COMMIT DROP"
        )
        entered = self.counts()
        for entry in self.entries:
            if not entered.get(entry.number):
                continue
            if entry.kind == "passing state":
                self.drop(entry)
            elif isinstance(entry.reference, (ForeignKey, Generic)):
                self._find_column(entry)
            else:
                self._find_values(entry)
        self.cursor.execute("ANALYZE remodel_found")
        values = [entry.number for entry in self.entries if entry.kind in ("link", "revision")]
        self.cursor.execute(
            """
            UPDATE remodel_ledger l
               SET account = CASE
                   WHEN l.entry = ANY(%s) AND (m.old <> m.new OR left(l.note, 3) = 'own')
                   THEN 'rewritten'
                   WHEN m.old <> m.new OR f.note = 'moved' THEN 'followed'
                   WHEN f.note = l.note THEN 'kept'
                   ELSE 'rewritten' END
              FROM remodel_found f, remodel_map m
             WHERE l.account IS NULL AND m.old = l.page
               AND (f.entry, f.key, f.page, f.number) = (l.entry, l.key, l.page, l.number)
            """,
            [values],
        )
        for entry in self.entries:
            if not entered.get(entry.number) or not self.places.leaving(entry.table):
                continue
            # What goes somewhere has to be found there; only what goes nowhere is let go.
            if len(self.places.after(entry.table, (entry.field or entry.reference).column)) == 1:
                self._drop_leaving(entry)
        derived = [entry.number for entry in self.entries if entry.kind == "index"]
        self.cursor.execute(
            "UPDATE remodel_ledger SET account = 'rebuilt' "
            "WHERE account IS NULL AND entry = ANY(%s)",
            [derived],
        )
        self._require_balance()

    def _find_column(self, entry: ReferenceEntry) -> None:
        reference = entry.reference
        for place in self.places.after(entry.table, reference.column):
            given: list[Any] = []
            if isinstance(reference, Generic):
                there = Generic(
                    reference.model, place.table, reference.types, place.column, reference.text
                )
                kinds = columns.known_types(self.field_map.old_type)
                kinds += columns.known_types(self.field_map.new_type)
                condition, given = columns.matches(there, kinds, "new")
            else:
                condition = f"m.new = t.{quoted(place.column)}"
            note = "'moved'" if place.table != entry.table else _note(reference.types)
            key = self.places.key_before(place, "t")
            self.cursor.execute(
                "INSERT INTO remodel_found (entry, key, page, number, note) "
                f"SELECT {entry.number}, {key}, m.old, count(*), {note} "
                f"FROM {quoted(place.table)} t JOIN remodel_map m ON {condition} GROUP BY 2, 3, 5",
                given,
            )

    def _find_values(self, entry: ReferenceEntry) -> None:
        if entry.kind == "revision":
            self._find_revisions(entry)
        for place in self.places.after(entry.table, entry.field.column):
            if place.table != entry.table:
                self._find_moved(entry, place)
            elif self.becomes:
                self.followed.find(entry.table, entry.value)
            elif entry.kind == "link":
                self._find_untouched(entry)

    def _find_revisions(self, entry: ReferenceEntry) -> None:
        """Revisions that did not become what was known when the ledger was opened."""
        # Fields that the target has besides are no reference that was there before.
        besides = [
            field_source.field.name
            for field_source in self.field_map.field_sources
            if field_source.how not in ("same", "renamed")
        ]
        besides += [new for _, new in copies(self.field_map)]
        keys = self._keys(entry) + (" AND left(l.note, 3) = 'own'" if self.becomes else "")
        levels = columns.levels(self.field_map)
        for rows in read(*revisions.query_of(self.pages, keys)):
            found = revisions.holders(rows, self._news(), levels, without=besides)
            self._find_held(entry, found)

    def _find_moved(self, entry: ReferenceEntry, place: Place) -> None:
        key = self.places.key_before(place, "t")
        condition = f"{key} IN ({self._keys(entry)})"
        field, levels = place.field or entry.field, columns.levels(self.field_map)
        query = query_of(place.table, key, field, self.pages, condition)
        for rows in read(*query):
            found = links.holders(rows, field, levels, self._news())
            self._find_held(entry, [holder._replace(note="moved") for holder in found])

    def _news(self) -> dict[int, int]:
        return {new: old for old, new in self.pages.items()}

    def _find_untouched(self, entry: ReferenceEntry) -> None:
        """Values that no conversion with kept ids has business with.

        They are not read again: `contents.fingerprints` has the whole column, before and after.
        """
        leaving = self.places.leaving(entry.table)
        self.cursor.execute(
            "INSERT INTO remodel_found (entry, key, page, number, note) "
            "SELECT entry, key, page, number, note FROM remodel_ledger "
            f"WHERE entry = %s {f'AND key NOT IN ({leaving})' if leaving else ''}",
            [entry.number],
        )

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
        """The entries that have rows: name, kind, `before`, a count an account, and the rows."""
        self.cursor.execute(
            "SELECT entry, coalesce(account, ''), count(*) FROM remodel_ledger GROUP BY 1, 2"
        )
        counted: dict[int, dict[str, int]] = {}
        for number, account, count in self.cursor.fetchall():
            counted.setdefault(number, {})[account] = count
        self.cursor.execute(
            "SELECT l.* FROM unnest(%s::int[]) AS e (entry) CROSS JOIN LATERAL ("
            "SELECT entry, key, page, account FROM remodel_ledger r WHERE r.entry = e.entry "
            "ORDER BY account = 'dropped' DESC, length(key), key LIMIT %s) l",
            [list(counted), SHOWN],
        )
        rows: dict[int, list[list[Any]]] = {}
        for number, key, page, account in self.cursor.fetchall():
            rows.setdefault(number, []).append([key, page, account or ""])
        return [
            {
                "name": entry.name,
                "kind": entry.kind,
                "before": sum(counted[entry.number].values()),
                **{account: counted[entry.number].get(account, 0) for account in ACCOUNTS},
                "rows": rows[entry.number],
            }
            for entry in sorted(self.entries, key=lambda entry: entry.name)
            if entry.number in counted
        ]


def _note(types: tuple[str, ...]) -> str:
    """SQL for the content types that stand beside an id, to tell whether they changed."""
    if not types:
        return "''"
    return "concat_ws(',', " + ", ".join(f"t.{quoted(column)}" for column in types) + ")"


def _held(holders: list[Holder]) -> str:
    """A row for each page that a value refers to, as JSON."""
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
