"""Values that refer to the pages: read once, rewritten and looked for again in the database.

Whatever is inside of a value (a rich text, a stream, a revision) has to be parsed to be counted.
Mostly the digits of the page's id are then known to stand for nothing else in it, and following
it is a `replace` in the database. Where that is not so, what the value becomes is computed at
once, and kept in a temporary table until it is written.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Callable, List, NamedTuple, Optional, Tuple

from ..site.database import page_connection
from ..site.tree import quoted
from ..site.types import Cursor, Field
from .places import Places

PLAIN = "plain"  # the note of a value in which the digits of the page's id are references only


class Holder(NamedTuple):
    """A value that refers to pages.

    The key of its row, how often it refers to each page, a note, what the value was (a hash of
    its text), and what it becomes where it is not plain to follow.
    """

    key: str
    found: dict[int, int]
    note: str = ""
    was: Optional[int] = None
    value: Optional[str] = None


Column = Tuple[int, str, str]  # an entry of the ledger, the column that it is about, its SQL type


def is_plain(value: str, positions: Mapping[int, int], becomes: Mapping[int, int]) -> bool:
    """Return whether the id of the one page in a value is written there as a reference only."""
    if len(positions) != 1:
        return False
    ((page, times),) = positions.items()
    old, new = str(page), str(becomes[page])
    return value.count(old) == times and new not in value and old not in new


def held(
    key: str,
    value: str,
    was: int,
    positions: dict[int, int],
    becomes: Mapping[int, int] | None,
    follow: Callable[[Mapping[int, int]], str],
) -> Holder:
    """Return the holder of a value with these references.

    `follow` computes what the value becomes by a map, and is asked only where it is not plain.
    """
    if not becomes:
        return Holder(key, positions)
    if is_plain(value, positions, becomes):
        return Holder(key, positions, PLAIN, was)
    return Holder(key, positions, "", was, follow(becomes))


class ValueRewriter:
    """The values of one conversion, by entry of the ledger and key of the row."""

    def __init__(self, cursor: Cursor, places: Places) -> None:
        self.cursor = cursor
        self.places = places
        cursor.execute(
            "CREATE TEMPORARY TABLE remodel_values "
            "(entry int, key text, was bigint, value text) ON COMMIT DROP"
        )

    def keep(self, entry: int, holders: Iterable[Holder]) -> None:
        """Remember what becomes of an entry's values, where it is not plain."""
        kept = [
            {"k": holder.key, "w": holder.was, "v": holder.value}
            for holder in holders
            if holder.value is not None
        ]
        if kept:
            self.cursor.execute(
                f"INSERT INTO remodel_values (entry, key, was, value) SELECT {entry}, * "
                "FROM json_to_recordset(%s::json) AS w (k text, w bigint, v text)",
                [json.dumps(kept)],
            )

    def write(self, table: str, columns: List[Column]) -> None:
        """Write what every value of these columns of a table becomes."""
        self._replace(table, columns)
        for column in columns:
            self._write_kept(table, column)

    def _replace(self, table: str, columns: List[Column]) -> None:
        """Replace ids in plain values. Leave one that has changed, for the ledger to miss."""
        picked, changes = [], []
        for entry, column, kind in columns:
            name = f"t.{quoted(column)}"
            picked += [
                f"max(m.old) FILTER (WHERE l.entry = {entry})::text AS o{entry}",
                f"max(m.new) FILTER (WHERE l.entry = {entry})::text AS n{entry}",
                f"max(l.was) FILTER (WHERE l.entry = {entry}) AS w{entry}",
            ]
            changes.append(
                f"{quoted(column)} = (SELECT CASE WHEN w.w{entry} = {hashed('x.value')} "
                f"THEN replace(x.value, w.o{entry}, w.n{entry})::{kind} ELSE {name} END "
                f"FROM (SELECT {name}::text AS value OFFSET 0) x)"  # made text of once
            )
        self.cursor.execute(
            f"UPDATE {quoted(table)} t SET {', '.join(changes)} FROM ("
            f"SELECT l.key, {', '.join(picked)} FROM remodel_ledger l "
            "JOIN remodel_map m ON m.old = l.page "
            "WHERE l.entry = ANY(%s) AND l.note = %s GROUP BY 1) w "
            f"WHERE {self.places.is_after(table, 't', 'w.key')}",
            [[entry for entry, _, _ in columns], PLAIN],
        )

    def _write_kept(self, table: str, column: Column) -> None:
        """Write the values that were computed; again only over what was read."""
        entry, name, kind = column
        self.cursor.execute(
            f"UPDATE {quoted(table)} t SET {quoted(name)} = v.value::{kind} FROM remodel_values v "
            f"WHERE v.entry = {entry} AND {self.places.is_after(table, 't', 'v.key')} AND "
            f"v.was = {hashed(f't.{quoted(name)}::text')}"
        )

    def confirm(self, table: str, column: Column) -> None:
        """Confirm to the ledger the references that are where they should be."""
        entry, name, kind = column
        insert = (
            "INSERT INTO remodel_confirmed (entry, key, page, number, note) "
            "SELECT l.entry, l.key, l.page, l.number, '' FROM remodel_ledger l "
        )
        self.cursor.execute(
            # With the old digits for the new ones it is, to the byte, the value that was read.
            insert + "JOIN remodel_map m ON m.old = l.page "
            f"JOIN {quoted(table)} t ON {self.places.is_after(table, 't', 'l.key')} "
            f"CROSS JOIN LATERAL (SELECT t.{quoted(name)}::text AS value OFFSET 0) x "
            f"WHERE l.entry = {entry} AND l.note = %s AND strpos(x.value, m.old::text) = 0 "
            f"AND l.was = {hashed('replace(x.value, m.new::text, m.old::text)')}",
            [PLAIN],
        )
        same = (
            f"t.{quoted(name)} = v.value::jsonb"
            if kind == "jsonb"
            else f't.{quoted(name)}::text COLLATE "C" = (v.value::{kind})::text COLLATE "C"'
        )
        self.cursor.execute(
            insert + "JOIN remodel_values v ON v.entry = l.entry AND v.key = l.key "
            f"JOIN {quoted(table)} t ON {self.places.is_after(table, 't', 'v.key')} "
            f"WHERE l.entry = {entry} AND {same}"
        )


def kind_of(field: Field) -> str:
    """Return the SQL type of a field's column."""
    return str(field.db_type(page_connection()))


def hashed(text: str) -> str:
    """Return SQL for the hash by which a text is recognized within the transaction."""
    return f'hashtextextended({text} COLLATE "C", 0)'
