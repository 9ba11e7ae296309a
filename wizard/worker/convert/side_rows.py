"""Rows beside a page that go to another table: a left level's child rows, tags, many-to-many."""

from __future__ import annotations

from ..plan.fieldmap import FieldMap
from ..references.places import Places, rows_table
from ..site.database import page_connection
from ..site.tree import quoted
from ..site.types import Cursor


def move(cursor: Cursor, field_map: FieldMap, places: Places) -> dict[str, int]:
    """Move the rows of every RelatedRows of the map: `{new table: rows}`.

    They get keys of the new table's own sequence, remembered in `remodel_rows_N (old, new)`,
    because another row may have their number there.
    """
    moved: dict[str, int] = {}
    for number, related in enumerate(field_map.related_rows):
        old, new = related.old._meta, related.new._meta
        rows = rows_table(number)
        key = f"o.{quoted(old.pk.column)}"
        cursor.execute(
            "SELECT pg_get_serial_sequence(%s, %s)", [quoted(new.db_table), new.pk.column]
        )
        sequence = cursor.fetchone()[0]
        fresh = "nextval(%s::regclass)" if sequence else key
        cursor.execute(
            f"CREATE TEMPORARY TABLE {rows} ON COMMIT DROP AS SELECT "
            f"{places.key(old.db_table, 'o')} AS old, ({fresh})::text AS new "
            # Sorted before it is numbered: rows of equal sort_order stay in the order they had.
            f"FROM (SELECT o.* FROM {quoted(old.db_table)} o "
            f"JOIN remodel_map m ON m.old = o.{quoted(related.old_link.column)} ORDER BY {key}) o",
            [sequence] if sequence else [],
        )
        columns = [
            (new.pk.column, f"r.new::{new.pk.rel_db_type(page_connection())}"),
            (related.new_link.column, "m.new"),
            *((after.column, f"o.{quoted(before.column)}") for before, after in related.columns),
        ]
        values = [value for _, value in related.defaults]
        columns += [
            (field.column, f"%s::{field.cast_db_type(page_connection())}")
            for field, _ in related.defaults
        ]
        cursor.execute(
            f"INSERT INTO {quoted(new.db_table)} "
            f"({', '.join(quoted(name) for name, _ in columns)}) "
            f"SELECT {', '.join(value for _, value in columns)} FROM {quoted(old.db_table)} o "
            f"JOIN remodel_map m ON m.old = o.{quoted(related.old_link.column)} "
            f"JOIN {rows} r ON r.old = {places.key(old.db_table, 'o')} ORDER BY {key}",
            values,
        )
        moved[new.db_table] = moved.get(new.db_table, 0) + cursor.rowcount
        cursor.execute(
            f"DELETE FROM {quoted(old.db_table)} o USING remodel_map m "
            f"WHERE m.old = o.{quoted(related.old_link.column)}"
        )
    return moved
