"""What has to do with the pages and is not followed: shown before and after, never silent."""

from __future__ import annotations

from typing import Any

from ..plan.fieldmap import FieldMap
from ..site.tree import quoted
from ..site.types import Cursor, Field, Model
from . import columns, indexes, links, scan
from .anchors import page_ids
from .columns import concrete_models
from .kinds import KINDS


def unfollowed(cursor: Cursor, field_map: FieldMap, pages: list[int]) -> list[dict[str, Any]]:
    """Return `{name, count, why}` of each thing that is left as it is; before the conversion."""
    left = [
        (name, count, "looks like a reference to a page; only the project knows whether it is one")
        for name, count in _seeming(cursor, pages).items()
    ]
    left += [
        (name, count, f"a chooser that takes {field_map.old_type._meta.label} finds no other type")
        for name, count in _choosers(field_map, pages).items()
    ]
    left += [
        (f"search backend {name}", 1, "not in the database: run update_index")
        for name in indexes.foreign_backends()
    ]
    return [{"name": name, "count": count, "why": why} for name, count, why in left]


def _seeming(cursor: Cursor, pages: list[int]) -> dict[str, int]:
    """Count rows of the project's own text and JSON columns that seem to refer to an old page.

    They are neither rich text nor streams to Wagtail, so nobody but the project knows what they
    mean: a rich text link in plain text, a number or a text in JSON that is a page's id, a text
    that is nothing but a page's id in a column named after pages.
    """
    from wagtail import models as wagtail_models

    theirs = wagtail_models.__name__.partition(".")[0]
    counts = {}
    for model in concrete_models():
        module = model.__module__.partition(".")[0]
        for field in model._meta.local_concrete_fields:
            if module in {theirs, "django"} or any(kind.knows(model, field) for kind in KINDS):
                continue
            if field.get_internal_type() == "TextField":
                number = _linking(model, field, pages)
                if number:
                    counts[f"{model._meta.db_table}.{field.column}"] = number
            condition = _seems(field)
            if condition is None:
                continue
            cursor.execute(
                f"SELECT count(*) FROM {quoted(model._meta.db_table)} t WHERE {condition}"
            )
            number = cursor.fetchone()[0]
            if number:
                counts[f"{model._meta.db_table}.{field.column}"] = number
    return counts


def _seems(field: Field) -> str | None:
    """Return SQL that a value of the field seems to refer to a page of the map."""
    column = f"t.{quoted(field.column)}"
    kind = field.get_internal_type()
    if kind == "JSONField":
        return (
            f"EXISTS (SELECT FROM jsonb_path_query({column}::jsonb, 'lax $.**') v "
            "JOIN remodel_map m ON v #>> '{}' = m.old::text "
            "WHERE jsonb_typeof(v) IN ('number', 'string'))"
        )
    if kind.endswith("IntegerField") and "page" in field.name and not field.remote_field:
        return f"{column} IN (SELECT old FROM remodel_map)"
    if kind in {"CharField", "SlugField"} and "page" in field.name:
        return f"{column} IN (SELECT old::text FROM remodel_map)"
    return None


def _linking(model: Model, field: Field, pages: list[int]) -> int:
    """Count the plain texts that have a rich text link to one of the pages."""
    wanted = set(pages)
    condition = f"t.{quoted(field.column)} ~* 'linktype'"
    query = scan.query_of(model._meta.db_table, "''", field, pages, condition)
    return sum(
        any(int(text[start:end]) in wanted for start, end in page_ids(text))
        for rows in scan.read(*query)
        for _, text, _ in rows
    )


def _choosers(field_map: FieldMap, pages: list[int]) -> dict[str, int]:
    """Count choices of the pages in blocks that do not take the new type.

    Counted as all references that such blocks and rich text hold, less those of rich text.
    """
    counted: dict[str, int] = {}
    for levels, sign in ((set(field_map.left), 1), (set(), -1)):
        for model, field in links.fields_with_links() if field_map.left else []:
            name = f"{model._meta.db_table}.{field.column}"
            query = scan.query_of(model._meta.db_table, "''", field, pages)
            same = {page: page for page in pages}
            number = sum(
                sum(holder.found.values())
                for rows in scan.read(*query)
                for holder in links.holders(rows, field, levels, same)
            )
            counted[name] = counted.get(name, 0) + sign * number
    return {name: number for name, number in counted.items() if number}


def deeper(cursor: Cursor, old_type: Model) -> list[str]:
    """Return faults: pages whose content type is the old type, with a row of a child of it."""
    faults = []
    for link in columns.subclass_links(old_type):
        cursor.execute(
            f"SELECT t.{quoted(link.column)} FROM {quoted(link.table)} t "
            f"JOIN remodel_map m ON m.old = t.{quoted(link.column)} ORDER BY 1"
        )
        ids = [row[0] for row in cursor.fetchall()]
        if ids:
            faults.append(
                f"{len(ids)} pages have a row in {link.table} besides, which belongs to a page of "
                f"another type: {ids[:20]}. Their content type is wrong, or that row is."
            )
    return faults
