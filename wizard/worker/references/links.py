"""References to a page inside of a value: links in rich text, page choosers in StreamFields.

Values are read and written raw, without Wagtail's StreamValue, so that nothing of a block that
is not known here is changed. Followed are rich text (RichTextField, RichTextBlock), page
choosers and the blocks that hold others (stream, struct, list, typed table). A project's own
block that keeps an id in a form of its own is not followed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from functools import lru_cache, partial
from typing import Any, Callable, List, Protocol, Tuple

from ..site.database import once_an_operation, page_connection
from ..site.tree import quoted
from .columns import concrete_models
from .rewrite import Holder, held
from .scan import Rows, mentions, numbers, read

# An SQL condition on the rows `t` of a model that are to be read for one of its fields, and its
# parameters.
Candidates = Callable[[Any, Any], Tuple[str, List[Any]]]

ANCHOR = re.compile(r"<a\b[^>]*?\blinktype=[\"']page[\"'][^>]*>")
ID = re.compile(r"(\bid=[\"'])(\d+)([\"'])")


class Pages(Protocol):
    """What is asked about pages: the new id of an old one, or the default."""

    def get(self, page: Any, default: Any, /) -> Any:
        """The page's new id."""


class Tally:
    """A map of pages that changes nothing, and counts what it is asked for in `found`.

    Given to the functions below in place of a map, it counts the references of a value by the
    very rules by which they are followed. `pages` maps the ids to count to those to tell. In
    `strays` are the ids in blocks of which only the project knows what they mean.
    """

    def __init__(self, pages: Mapping[int, int]) -> None:
        self._pages = pages
        self.found: dict[int, int] = {}
        self.strays = 0

    def get(self, page: Any, default: Any = None, /) -> Any:
        """Count the page, and give the default."""
        if page in self._pages:
            known = self._pages[page]
            self.found[known] = self.found.get(known, 0) + 1
        return default

    def look(self, value: Any) -> None:
        """Look for ids in the value of a block that is not known."""
        self.strays += sum(_scalars(value, self._pages))


def in_rich_text(html: str, pages: Pages) -> str:
    """The rich text with its links to old pages leading to the new ones.

    Wagtail stores such a link as `<a linktype="page" id="7">` (wagtail/rich_text/pages.py).
    """

    def renumber(match: re.Match[str]) -> str:
        return match[1] + str(pages.get(int(match[2]), match[2])) + match[3]

    return ANCHOR.sub(lambda match: ID.sub(renumber, match[0], count=1), html)


def in_block(block: Any, value: Any, pages: Pages, levels: set[Any]) -> Any:
    """A block's raw value with its references to old pages made ones to the new."""
    blocks = _blocks()
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
        concrete = block.target_model._meta.concrete_model
        return pages.get(value, value) if concrete in levels else value
    if hasattr(block, "child_blocks") and isinstance(value, dict) and "columns" in value:
        return _in_table(block, value, pages, levels)
    if isinstance(pages, Tally) and type(block).__module__.partition(".")[0] != "wagtail":
        pages.look(value)
    return value


@lru_cache(maxsize=None)
def _blocks() -> Any:
    """The module, imported once: the statement alone is a good part of looking at a block."""
    from wagtail import blocks

    return blocks


def _in_item(block: Any, child: Any, pages: Pages, levels: set[Any]) -> Any:
    if isinstance(child, dict) and child.get("type") == "item" and "value" in child:
        return {**child, "value": in_block(block, child["value"], pages, levels)}
    return in_block(block, child, pages, levels)  # the form before Wagtail 2.16


def _in_table(block: Any, value: Any, pages: Pages, levels: set[Any]) -> Any:
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


def in_serialized(model: Any, data: dict[str, Any], pages: Pages, levels: set[Any]) -> Any:
    """An object as modelcluster serializes it into a revision, its references followed.

    Foreign keys and many-to-many values by id, rich text, StreamFields (which are strings of
    JSON in there), and the rows of child relations likewise.
    """
    found = dict(data)
    relations, values, children, many = _holders(model, frozenset(levels))
    for name in relations:
        if isinstance(found.get(name), int):
            found[name] = pages.get(found[name], found[name])
    for field in values:
        if found.get(field.name):
            found[field.name] = in_field(field, found[field.name], pages, levels)
    for name, child in children:
        if isinstance(found.get(name), list):
            found[name] = [in_serialized(child, row, pages, levels) for row in found[name]]
    for name in many:
        if isinstance(found.get(name), list):
            found[name] = [pages.get(value, value) for value in found[name]]
    return found


@lru_cache(maxsize=None)
def _holders(model: Any, levels: frozenset[Any]) -> tuple[Any, ...]:
    """What of a serialized object can refer to a page.

    Foreign keys by name, fields whose values can, child relations with their models, and
    many-to-many fields by name.
    """
    from modelcluster.models import get_all_child_m2m_relations, get_all_child_relations
    from wagtail.fields import RichTextField, StreamField

    fields = model._meta.concrete_fields
    relations = [
        field.name
        for field in fields
        if field.remote_field and field.remote_field.model._meta.concrete_model in levels
    ]
    values = [field for field in fields if isinstance(field, (RichTextField, StreamField))]
    if not hasattr(model, "from_serializable_data"):
        return relations, values, [], []
    children = [
        (relation.get_accessor_name(), relation.related_model)
        for relation in get_all_child_relations(model)
    ]
    many = [
        field.name
        for field in get_all_child_m2m_relations(model)
        if field.remote_field.model._meta.concrete_model in levels
    ]
    return relations, values, children, many


@lru_cache(maxsize=None)
def _fields() -> tuple[Any, Any]:
    from wagtail.fields import RichTextField, StreamField

    return RichTextField, StreamField


def in_field(field: Any, value: Any, pages: Pages, levels: set[Any]) -> Any:
    """A rich text or StreamField value, the latter as JSON text, its references followed.

    A value in which nothing changes comes back as it is, to the byte.
    """
    RichTextField, StreamField = _fields()
    if isinstance(field, RichTextField) and isinstance(value, str):
        return in_rich_text(value, pages)
    if isinstance(field, StreamField) and isinstance(value, str) and value:
        raw = json.loads(value)
        changed = in_block(field.stream_block, raw, pages, levels)
        return json.dumps(changed, ensure_ascii=False) if changed != raw else value
    return value


def _scalars(raw: Any, pages: Mapping[int, int]) -> Iterator[int]:
    """1 for each number or text in JSON that is one of the ids, and nothing else."""
    if isinstance(raw, dict):
        for child in raw.values():
            yield from _scalars(child, pages)
    elif isinstance(raw, list):
        for child in raw:
            yield from _scalars(child, pages)
    elif isinstance(raw, str):
        if raw.isdecimal() and int(raw) in pages:
            yield 1
    elif isinstance(raw, int) and not isinstance(raw, bool) and raw in pages:
        yield 1


@once_an_operation
def fields_with_links() -> list[tuple[Any, Any]]:
    """Every `(model, field)` that can hold a link to a page inside of its value."""
    from wagtail.fields import RichTextField, StreamField

    return [
        (model, field)
        for model in concrete_models()
        for field in model._meta.local_concrete_fields
        if isinstance(field, (RichTextField, StreamField))
    ]


def carry(levels: set[Any], pages: dict[int, int], candidates: Candidates) -> None:
    """Follow the map in the rich texts and StreamFields of the rows that `candidates` tells."""
    for model, field in fields_with_links():
        table, column = quoted(model._meta.db_table), quoted(field.column)
        key = model._meta.pk
        kinds = [field.db_type(page_connection()), key.rel_db_type(page_connection())]
        for changed in _changed(model, field, levels, pages, candidates(model, field)):
            with page_connection().cursor() as writing:
                writing.execute(
                    f"UPDATE {table} t SET {column} = w.value::{kinds[0]} "
                    # Much faster than two arrays, whose every quote would have to be escaped.
                    "FROM json_to_recordset(%s::json) AS w (value text, key text) "
                    f"WHERE t.{quoted(key.column)} = w.key::{kinds[1]}",
                    [json.dumps([{"value": value, "key": str(key)} for value, key in changed])],
                )


def count(levels: set[Any], pages: Collection[int], candidates: Candidates) -> dict[str, int]:
    """How many of those rows hold a link to one of the old pages."""
    nowhere = dict.fromkeys(pages, 0)
    found = {}
    for model, field in fields_with_links():
        condition = candidates(model, field)
        number = sum(len(rows) for rows in _changed(model, field, levels, nowhere, condition))
        if number:
            found[f"{model._meta.db_table}.{field.column}"] = number
    return found


def mentioning(pages: Collection[int], own: Collection[Any]) -> Candidates:
    """Every row that mentions one of the pages, but those of the originals' `own` levels."""

    def condition(model: Any, field: Any) -> tuple[str, list[Any]]:
        said, given = mentions(f"t.{quoted(field.column)}::text", pages)
        if model in own:
            key = quoted(model._meta.pk.column)
            said += f" AND NOT EXISTS (SELECT FROM remodel_map m WHERE m.old = t.{key})"
        return said, given

    return condition


def _changed(
    model: Any,
    field: Any,
    levels: set[Any],
    pages: dict[int, int],
    candidates: tuple[str, list[Any]],
) -> Iterator[list[tuple[str, Any]]]:
    """`(new value, key)` of each row in which something changes, some at a time."""
    condition, given = candidates
    query = (
        f"SELECT t.{quoted(model._meta.pk.column)}, t.{quoted(field.column)}::text "
        f"FROM {quoted(model._meta.db_table)} t WHERE {condition}"
    )
    for rows in read(query, given):
        found = [(in_field(field, value, pages, levels), key, value) for key, value in rows]
        changed = [(new, key) for new, key, value in found if new != value]
        if changed:
            yield changed


def holders(
    rows: Rows,
    field: Any,
    levels: set[Any],
    pages: Mapping[int, int],
    becomes: Mapping[int, int] | None = None,
    strays: list[str] | None = None,
) -> list[Holder]:
    """Which of a field's values have a reference to a page inside of them.

    `pages` maps the ids to look for to those to tell, `becomes` those to follow to the new ones.
    `strays` gets the keys of streams in which a block of the project's own holds an id.
    """
    found = []
    for row, value, was in rows:
        if not value or not numbers(value, pages):
            continue
        tally = Tally(pages)
        in_field(field, value, tally, levels)
        if strays is not None and tally.strays:
            strays.append(row)
        if tally.found:
            follow = partial(in_field, field, value, levels=levels)
            found.append(held(row, value, was, tally.found, becomes, follow))
    return found
