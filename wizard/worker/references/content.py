"""References to pages inside of content: links in rich text, page choosers in StreamFields.

Values are read and written raw, without Wagtail's StreamValue, so that nothing of a block that
is not known here is changed. Followed are rich text (RichTextField, RichTextBlock), page
choosers and the blocks that hold others (stream, struct, list, typed table). A project's own
block that keeps an id in a form of its own is not followed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from types import ModuleType
from typing import Any, Protocol

from ..site.database import once_an_operation
from ..site.types import Block, Field, Model
from .anchors import page_ids


class Pages(Protocol):
    """What is asked about pages: the new id of an old one, or the default."""

    def get(self, page: int, default: Any, /) -> Any: ...


class Tally:
    """A map of pages that changes nothing, and counts what it is asked for in `found`.

    Given to the functions below in place of a map, it counts the references of a value by the
    very rules by which they are followed. `pages` maps the ids to count to the keys of `found`. In
    `strays` are the ids in blocks of which only the project knows what they mean.
    """

    def __init__(self, pages: Mapping[int, int]) -> None:
        self._pages = pages
        self.found: dict[int, int] = {}
        self.strays = 0

    def get(self, page: int | None, default: Any = None, /) -> Any:
        """Count the page, and give the default."""
        if page is not None and page in self._pages:
            known = self._pages[page]
            self.found[known] = self.found.get(known, 0) + 1
        return default

    def look(self, value: object) -> None:
        """Look for ids in the value of a block that is not known."""
        self.strays += sum(_scalars(value, self._pages))


def in_rich_text(html: str, pages: Pages) -> str:
    """Return the rich text with its links followed to the new pages."""
    followed, done = [], 0
    for start, end in page_ids(html):
        followed += [html[done:start], str(pages.get(int(html[start:end]), html[start:end]))]
        done = end
    return "".join([*followed, html[done:]]) if followed else html


def in_block(block: Block, value: object, pages: Pages, levels: set[Model]) -> object:
    """Return a block's raw value with its references followed to the new pages."""
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
def _blocks() -> ModuleType:
    """Return the module, imported once: the statement alone takes long, for each block."""
    import wagtail.blocks

    module: ModuleType = wagtail.blocks
    return module


def _in_item(block: Block, child: object, pages: Pages, levels: set[Model]) -> object:
    if isinstance(child, dict) and child.get("type") == "item" and "value" in child:
        return {**child, "value": in_block(block, child["value"], pages, levels)}
    return in_block(block, child, pages, levels)  # the form before Wagtail 2.16


def _in_table(block: Block, value: dict[str, Any], pages: Pages, levels: set[Model]) -> object:
    """Follow the cells of a typed table: columns name the block types, rows hold the values."""
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


def in_serialized(
    model: Model, data: dict[str, Any], pages: Pages, levels: set[Model]
) -> dict[str, Any]:
    """Return an object, as modelcluster serializes it into a revision, with references followed.

    Foreign keys and many-to-many values by id, rich text, StreamFields (which are strings of
    JSON in there), and the rows of child relations likewise.
    """
    followed = dict(data)
    relations, values, children, many = _holders(model, frozenset(levels))
    for name in relations:
        if isinstance(followed.get(name), int):
            followed[name] = pages.get(followed[name], followed[name])
    for field in values:
        if isinstance(followed.get(field.name), str):
            followed[field.name] = in_field(field, followed[field.name], pages, levels)
    for name, child in children:
        if isinstance(followed.get(name), list):
            followed[name] = [in_serialized(child, row, pages, levels) for row in followed[name]]
    for name in many:
        if isinstance(followed.get(name), list):
            followed[name] = [pages.get(value, value) for value in followed[name]]
    return followed


@once_an_operation
def _holders(model: Model, levels: frozenset[Model]) -> tuple[Any, ...]:
    """Return what of a serialized object can refer to a page.

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


def in_field(field: Field, value: str, pages: Pages, levels: set[Model]) -> str:
    """Return a rich text, or a StreamField's JSON text, with its references followed.

    A value in which nothing changes comes back as it is, to the byte.
    """
    RichTextField, StreamField = _fields()
    if isinstance(field, RichTextField):
        return in_rich_text(value, pages)
    if isinstance(field, StreamField) and value:
        raw = json.loads(value)
        changed = in_block(field.stream_block, raw, pages, levels)
        return json.dumps(changed, ensure_ascii=False) if changed != raw else value
    return value


def _scalars(raw: object, pages: Mapping[int, int]) -> Iterator[int]:
    """Yield 1 for each number or text in JSON that is one of the ids, and nothing else."""
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
