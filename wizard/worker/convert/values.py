"""The values of the pages to be converted: checked, inserted, compared and missed.

Everything joins `remodel_map (old, new)` and stays in the database, but for what only Python
knows: a field's own validators, and values that are computed for each page.
"""

from __future__ import annotations

from ..plan import relations
from ..plan.fieldmap import FieldMap
from ..plan.levels import key
from ..references import revisions
from ..site.database import page_connection
from ..site.tree import quoted
from ..site.types import Cursor, Field, Model
from . import computed
from .computed import expression, values_from


def fill(cursor: Cursor, field_map: FieldMap) -> dict[str, int]:
    """Insert the joined levels' rows of the new pages: `{table: rows}`.

    Raise Refusal `values` when a function of the project fails or gives what a field refuses.
    """
    computed.require(cursor, field_map)
    inserted = {}
    for level in field_map.joined:
        names, values, parameters, field_sources = [key(level)], ["m.new"], [], []
        for field_source in field_map.field_sources:
            value = expression(field_map, field_source)
            if field_source.field.model is not level or value is None:
                continue
            names.append(quoted(field_source.field.column))
            values.append(value[0])
            parameters += value[1]
            field_sources.append(field_source)
        cursor.execute(
            f"""
            INSERT INTO {quoted(level._meta.db_table)} ({", ".join(names)})
            SELECT {", ".join(values)} FROM {values_from(field_map, field_sources)} ORDER BY m.old
            """,
            parameters,
        )
        inserted[level._meta.db_table] = int(cursor.rowcount)
    return inserted


def differences(cursor: Cursor, field_map: FieldMap) -> dict[str, list[int]]:
    """Return old ids whose joined value differs from the field map's, by `table.column`.

    Compared as text, because some types (json, point) have no equality of their own.
    """
    pages: dict[str, list[int]] = {}
    for level in field_map.joined:
        table = level._meta.db_table
        names, tests, parameters, field_sources = [level._meta.pk.column], [], [], []
        for field_source in field_map.field_sources:
            value = expression(field_map, field_source, exact=True)
            if field_source.field.model is not level or value is None:
                continue
            names.append(field_source.field.column)
            tests.append(
                f"n.{key(level)} IS NOT NULL AND "
                f"n.{quoted(field_source.field.column)}::text IS DISTINCT FROM ({value[0]})::text"
            )
            parameters += value[1]
            field_sources.append(field_source)
        columns = ", ".join(f"{test} AS c{number}" for number, test in enumerate(tests, 1))
        either = " OR ".join(f"q.c{number}" for number in range(len(names)))
        cursor.execute(
            f"""
            SELECT * FROM (
                SELECT m.old, n.{key(level)} IS NULL AS c0 {"," if columns else ""} {columns}
                  FROM {values_from(field_map, field_sources)}
                  LEFT JOIN {quoted(table)} n ON n.{key(level)} = m.new) q
             WHERE {either} ORDER BY 1
            """,
            parameters,
        )
        for page, *wrong in cursor.fetchall():
            for name, differs in zip(names, wrong):
                if differs:
                    pages.setdefault(f"{table}.{name}", []).append(page)
    return pages


def losses(cursor: Cursor, field_map: FieldMap) -> dict[str, int]:
    """Count what the conversion drops: `app.Model.field` to the pages that hold something in it.

    Something is what is neither NULL, nor empty, nor the field's default. Relations count the
    pages that have rows; what rows that follow let go is counted by its own field.
    """
    counts = {}
    sides = relations.sides(field_map.left)
    for item in field_map.dropped:
        name = relations.name(item)
        label = f"{item.model._meta.label}.{name}"
        if name in sides:
            counts[label] = _holding(cursor, sides[name].rows, sides[name].link.column, None)
        else:
            counts[label] = _holding(cursor, item.model, item.model._meta.pk.column, item)
    for related in field_map.related_rows:
        for field in related.let_go:
            label = f"{related.old._meta.label}.{field.name}"
            counts[label] = _holding(cursor, related.old, related.old_link.column, field)
    for item in field_map.dropped:
        label = f"{item.model._meta.label}.{relations.name(item)}"
        if not counts[label] and relations.name(item) not in sides:
            counts[f"{label} (in drafts and history)"] = revisions.holding(
                cursor, relations.key(item)
            )
    return {label: count for label, count in counts.items() if count}


def _holding(cursor: Cursor, model: Model, link: str, field: Field) -> int:
    """Count the map's pages that have rows in the model, with something in the field if given."""
    condition, parameters = "true", []
    if field is not None:
        value = f"r.{quoted(field.column)}"
        condition = f"{value}::text <> ALL (ARRAY['', '[]', '{{}}', 'null'])"
        if field.has_default():
            connection = page_connection()
            condition += f" AND {value}::text IS DISTINCT FROM "
            condition += f"(%s::{field.cast_db_type(connection)})::text"
            parameters = [field.get_db_prep_save(field.get_default(), connection)]
    cursor.execute(
        f"SELECT count(DISTINCT m.old) FROM remodel_map m JOIN {quoted(model._meta.db_table)} r "
        f"ON r.{quoted(link)} = m.old WHERE {condition}",
        parameters,
    )
    return int(cursor.fetchone()[0])
