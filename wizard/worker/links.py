"""References to a page inside of a value: links in rich text, page choosers in StreamFields.

Values are read and written raw, without Wagtail's StreamValue, so that nothing of a block that
is not known here is changed. Followed are rich text (RichTextField, RichTextBlock), page
choosers and the blocks that hold others (stream, struct, list, typed table). A project's own
block that keeps an id in a form of its own is not followed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from .database import page_connection
from .models import chain
from .references import concrete_models
from .tree import quoted

CHUNK = 500
PATTERN_LIMIT = 1000  # more ids than this make a slower regular expression than no filter

ANCHOR = re.compile(r"<a\b[^>]*\blinktype=[\"']page[\"'][^>]*>")
ID = re.compile(r"(\bid=[\"'])(\d+)([\"'])")


def in_rich_text(html: str, pages: dict[int, int]) -> str:
    """The rich text with its links to old pages leading to the new ones.

    Wagtail stores such a link as `<a linktype="page" id="7">` (wagtail/rich_text/pages.py).
    """

    def renumber(match: re.Match[str]) -> str:
        return match[1] + str(pages.get(int(match[2]), match[2])) + match[3]

    return ANCHOR.sub(lambda match: ID.sub(renumber, match[0], count=1), html)


def in_block(block: Any, value: Any, pages: dict[int, int], levels: set[Any]) -> Any:
    """A block's raw value with its references to old pages made ones to the new."""
    from wagtail import blocks

    if isinstance(block, blocks.BaseStreamBlock) and isinstance(value, list):
        known = block.child_blocks
        return [
            {**child, "value": in_block(known[child["type"]], child["value"], pages, levels)}
            if isinstance(child, dict) and child.get("type") in known and "value" in child
            else child
            for child in value
        ]
    if isinstance(block, blocks.BaseStructBlock) and isinstance(value, dict):
        known = block.child_blocks
        return {
            name: in_block(known[name], child, pages, levels) if name in known else child
            for name, child in value.items()
        }
    if isinstance(block, blocks.ListBlock) and isinstance(value, list):
        return [_in_item(block.child_block, child, pages, levels) for child in value]
    if isinstance(block, blocks.RichTextBlock) and isinstance(value, str):
        return in_rich_text(value, pages)
    if isinstance(block, blocks.ChooserBlock) and isinstance(value, int):
        return pages.get(value, value) if block.target_model in levels else value
    if hasattr(block, "child_blocks") and isinstance(value, dict) and "columns" in value:
        return _in_table(block, value, pages, levels)
    return value


def _in_item(block: Any, child: Any, pages: dict[int, int], levels: set[Any]) -> Any:
    if isinstance(child, dict) and child.get("type") == "item" and "value" in child:
        return {**child, "value": in_block(block, child["value"], pages, levels)}
    return in_block(block, child, pages, levels)  # the form before Wagtail 2.16


def _in_table(block: Any, value: Any, pages: dict[int, int], levels: set[Any]) -> Any:
    """wagtail/contrib/typed_table_block: columns name the block types, rows hold the values."""
    kinds = [block.child_blocks.get(column.get("type")) for column in value["columns"]]
    rows = []
    for row in value.get("rows", []):
        cells = [
            in_block(kinds[index], cell, pages, levels)
            if index < len(kinds) and kinds[index] is not None
            else cell
            for index, cell in enumerate(row.get("values", []))
        ]
        rows.append({**row, "values": cells})
    return {**value, "rows": rows}


def in_serialized(model: Any, data: dict[str, Any], pages: dict[int, int], levels: set[Any]) -> Any:
    """An object as modelcluster serializes it into a revision, its references followed.

    Foreign keys and many-to-many values by id, rich text, StreamFields (which are strings of
    JSON in there), and the rows of child relations likewise.
    """
    from modelcluster.models import get_all_child_m2m_relations, get_all_child_relations

    found = dict(data)
    for field in model._meta.concrete_fields:
        value = found.get(field.name)
        if value is None:
            continue
        if field.remote_field is not None:
            if field.remote_field.model in levels and isinstance(value, int):
                found[field.name] = pages.get(value, value)
        else:
            found[field.name] = in_field(field, value, pages, levels)
    if hasattr(model, "_meta") and hasattr(model, "from_serializable_data"):
        for relation in get_all_child_relations(model):
            name = relation.get_accessor_name()
            if isinstance(found.get(name), list):
                child = relation.related_model
                found[name] = [in_serialized(child, row, pages, levels) for row in found[name]]
        for field in get_all_child_m2m_relations(model):
            if field.remote_field.model in levels and isinstance(found.get(field.name), list):
                found[field.name] = [pages.get(value, value) for value in found[field.name]]
    return found


def in_field(field: Any, value: Any, pages: dict[int, int], levels: set[Any]) -> Any:
    """A rich text or StreamField value, the latter as JSON text, its references followed.

    A value in which nothing changes comes back as it is, to the byte.
    """
    from wagtail.fields import RichTextField, StreamField

    if isinstance(field, RichTextField) and isinstance(value, str):
        return in_rich_text(value, pages)
    if isinstance(field, StreamField) and isinstance(value, str) and value:
        raw = json.loads(value)
        changed = in_block(field.stream_block, raw, pages, levels)
        return json.dumps(changed, ensure_ascii=False) if changed != raw else value
    return value


def mentions(column: str, pages: dict[int, int]) -> tuple[str, list[Any]]:
    """An SQL condition that a text column has one of the ids as a number, and its parameters."""
    if len(pages) > PATTERN_LIMIT:
        return f"{column} <> ''", []
    return f"{column} ~ %s", [r"\m(" + "|".join(str(page) for page in pages) + r")\M"]


def fields_with_links() -> list[tuple[Any, Any]]:
    """Every `(model, field)` that can hold a link to a page inside of its value."""
    from wagtail.fields import RichTextField, StreamField

    return [
        (model, field)
        for model in concrete_models()
        for field in model._meta.local_concrete_fields
        if isinstance(field, (RichTextField, StreamField))
    ]


def carry(cursor: Any, source: Any, pages: dict[int, int]) -> dict[str, int]:
    """Follow the map in every rich text and StreamField of the database: `{table.column: rows}`.

    The old pages' own rows are left alone.
    """
    carried = {}
    for model, field in fields_with_links():
        changed = _changed(model, field, source, pages, own_rows=False)
        if changed:
            table, column = quoted(model._meta.db_table), quoted(field.column)
            kind = field.db_type(page_connection())
            cursor.executemany(
                f"UPDATE {table} SET {column} = %s::{kind} "
                f"WHERE {quoted(model._meta.pk.column)} = %s",
                changed,
            )
            carried[f"{model._meta.db_table}.{field.column}"] = len(changed)
    return carried


def count(source: Any, pages: Iterable[int], *, own_rows: bool) -> dict[str, int]:
    """How many rows hold a link to one of the old pages; `own_rows` counts their own as well."""
    nowhere = dict.fromkeys(pages, 0)
    found = {
        f"{model._meta.db_table}.{field.column}": len(
            _changed(model, field, source, nowhere, own_rows=own_rows)
        )
        for model, field in fields_with_links()
    }
    return {name: number for name, number in found.items() if number}


def _changed(
    model: Any, field: Any, source: Any, pages: dict[int, int], *, own_rows: bool
) -> list[tuple[str, Any]]:
    """`(new value, key)` of each row in which something changes."""
    levels = set(chain(source))
    column = f"t.{quoted(field.column)}::text"
    condition, given = mentions(column, pages)
    if model in levels and not own_rows:
        condition += f" AND t.{quoted(model._meta.pk.column)} <> ALL(%s)"
        given.append(list(pages))
    found = []
    with page_connection().chunked_cursor() as reading:
        reading.execute(
            f"SELECT t.{quoted(model._meta.pk.column)}, {column} "
            f"FROM {quoted(model._meta.db_table)} t WHERE {condition}",
            given,
        )
        while rows := reading.fetchmany(CHUNK):
            for key, value in rows:
                changed = in_field(field, value, pages, levels)
                if changed != value:
                    found.append((changed, key))
    return found


def unfollowed(cursor: Any, pages: Iterable[int]) -> dict[str, int]:
    """Rows of plain text and JSON columns that hold a rich text link to an old page.

    They are not rich text to Wagtail, so nobody but the project knows what they mean.
    """
    number = rf"\mid=.{{1,2}}({'|'.join(str(page) for page in pages)})\M"
    kind = r"linktype=.{1,2}page"
    pattern = rf"{kind}[^>]*{number}|{number}[^>]*{kind}"
    known = set(fields_with_links())
    found = {}
    for model in concrete_models():
        for field in model._meta.local_concrete_fields:
            plain = field.get_internal_type() in {"TextField", "JSONField"}
            if not plain or (model, field) in known or model._meta.label == "wagtailcore.Revision":
                continue
            cursor.execute(
                f"SELECT count(*) FROM {quoted(model._meta.db_table)} t "
                f"WHERE t.{quoted(field.column)}::text LIKE '%%linktype%%' "
                f"AND t.{quoted(field.column)}::text ~ %s",
                [pattern],
            )
            number = cursor.fetchone()[0]
            if number:
                found[f"{model._meta.db_table}.{field.column}"] = number
    return found
