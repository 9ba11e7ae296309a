"""Where a row and a column are before a conversion, and where they are after it.

Most stay. A column of a level that the new type does not have becomes a column of one of the new
type's own levels, and a row of a side table (child rows, tags, many-to-many) becomes a row of
another side table, with another key. The ledger finds everything again by this.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..plan.fieldmap import FieldMap
from ..site.database import page_connection
from ..site.models import chain
from ..site.tree import quoted
from ..site.types import Cursor, Field
from . import columns


@dataclass(frozen=True)
class Place:
    """A column after the conversion, and its field where that is another than before.

    `rows` is the temporary table of old keys to new, for rows that got others.
    """

    table: str
    column: str
    rows: str = ""
    field: Field = None


class Places:
    """The places of one conversion, for a field map."""

    def __init__(self, cursor: Cursor, field_map: FieldMap) -> None:
        self.primary = _primary_keys(cursor)
        self._moves: dict[tuple[str, str], Place] = {}
        # Where the new pages' ids stand in the tables that get rows of theirs.
        self.links = {
            level._meta.db_table: level._meta.pk.column
            for level in {*field_map.shared, *field_map.joined}
        }
        # Tables that get rows which are no copies of a row in the same table.
        self.fresh = {level._meta.db_table for level in field_map.joined}
        self.fresh |= {related.new._meta.db_table for related in field_map.related_rows}
        self._leaving = {
            level._meta.db_table: "SELECT m.old::text FROM remodel_map m"
            for level in field_map.left
        }
        for field_source in field_map.field_sources:
            if field_source.origin is not None and field_source.origin.model in field_map.left:
                origin = (field_source.origin.model._meta.db_table, field_source.origin.column)
                table = field_source.field.model._meta.db_table
                place = Place(table, field_source.field.column, field=field_source.field)
                self._moves.setdefault(origin, place)
        for number, related in enumerate(field_map.related_rows):
            old, new, rows = (
                related.old._meta.db_table,
                related.new._meta.db_table,
                rows_table(number),
            )
            self._leaving[old] = f"SELECT r.old FROM {rows} r"
            self.links[new] = related.new_link.column
            for before, after in [(related.old_link, related.new_link), *related.columns]:
                self._moves[old, before.column] = Place(new, after.column, rows, after)
        keys = columns.foreign_keys(field_map.old_type)
        self._pages = {(key.table, key.column) for key in keys}
        for level in {*chain(field_map.old_type), *chain(field_map.new_type)}:
            self._pages.add((level._meta.db_table, level._meta.pk.column))

    def after(self, table: str, column: str) -> list[Place]:
        """Return where the column may be afterwards: where it was, and where its rows go."""
        moved = self._moves.get((table, column))
        return [Place(table, column), *([moved] if moved else [])]

    def leaving(self, table: str) -> str:
        """Return a query of the keys of the rows that leave the table; empty where none do."""
        return self._leaving.get(table, "")

    def key(self, table: str, alias: str) -> str:
        """Return SQL for a row's primary key as text, before the conversion; '' without a key."""
        parts = [f"{alias}.{quoted(column)}::text" for column in self.primary.get(table, [])]
        return f"concat_ws(',', {', '.join(parts)})" if parts else "''::text"

    def is_after(self, table: str, alias: str, key: str) -> str:
        """Return SQL that a row had this key, SQL of text, before the conversion."""
        primary = self.primary.get(table, {})
        if len(primary) != 1:
            return f"{self.key(table, alias)} = {key}"
        ((column, kind),) = primary.items()
        own = f"{key}::{kind}"
        if (table, column) in self._pages:
            own = f"coalesce((SELECT i.new FROM remodel_map i WHERE i.old = {own}), {own})"
        return f"{alias}.{quoted(column)} = {own}"

    def key_before(self, place: Place, alias: str) -> str:
        """Return SQL for the key that a row had before; a key that is a page's id is mapped."""
        parts = []
        for column in self.primary.get(place.table, []):
            own = f"{alias}.{quoted(column)}"
            if (place.table, column) in self._pages:
                own = f"coalesce((SELECT i.old FROM remodel_map i WHERE i.new = {own}), {own})"
            parts.append(f"{own}::text")
        key = f"concat_ws(',', {', '.join(parts)})" if parts else "''::text"
        if place.rows:
            return f"(SELECT r.old FROM {place.rows} r WHERE r.new = {key})"
        return key


def rows_table(number: int) -> str:
    """Return the temporary table of old keys to new of the map's nth RelatedRows."""
    return f"remodel_rows_{number}"


def _primary_keys(cursor: Cursor) -> dict[str, dict[str, str]]:
    """Return the columns of each table's primary key, in order, with their types.

    A table that Django did not make may be without one, and has what its model says.
    """
    cursor.execute(
        """
        SELECT i.indrelid::regclass::text, a.attname::text, format_type(a.atttypid, a.atttypmod)
          FROM pg_index i
          CROSS JOIN unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, place)
          JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
          JOIN pg_class c ON c.oid = i.indrelid AND c.relkind IN ('r', 'p')
         WHERE i.indisprimary ORDER BY 1, k.place
        """
    )
    keys: dict[str, dict[str, str]] = {}
    for table, column, kind in cursor.fetchall():
        keys.setdefault(table.strip('"'), {})[column] = kind
    for model in columns.concrete_models():
        key = model._meta.pk
        if key.column:  # a composite one has none
            own = {key.column: key.rel_db_type(page_connection())}
            keys.setdefault(model._meta.db_table, own)
    return keys
