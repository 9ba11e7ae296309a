"""References to a page inside of a value: links in rich text, page choosers in StreamFields.

Values are read and written raw, without Wagtail's StreamValue, so that nothing of a block that
is not known here is changed. Followed are rich text (RichTextField, RichTextBlock), page
choosers and the blocks that hold others (stream, struct, list, typed table). A project's own
block that keeps an id in a form of its own is not followed.
"""

from __future__ import annotations

import json
import queue
import re
import threading
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from functools import lru_cache
from typing import Any, Callable, List, Protocol, Tuple

from .database import once_an_operation, page_connection
from .followed import PLAIN, Holder, hashed, is_plain
from .references import concrete_models
from .tree import quoted

Rows = List[Tuple[Any, ...]]
Query = Tuple[str, List[Any]]

CHUNK = 500
AHEAD = 4  # chunks
FEW = 10
RARE = 4  # digits of a number that is seldom found in a text without being meant
PATTERN_LIMIT = 1000  # more ids than this make a slower regular expression than no filter

# An SQL condition on the rows `t` of a model that are to be read for one of its fields, and its
# parameters.
Candidates = Callable[[Any, Any], Tuple[str, List[Any]]]

DIGITS = re.compile(r"\d+")
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


def mentions(column: str, pages: Collection[int]) -> tuple[str, list[Any]]:
    """An SQL condition that a text column may have one of the ids, and its parameters.

    Fit to leave out most of what has none, and cheap: a regular expression takes ten times as
    long as a search for digits, and only tells more where the number is short.
    """
    if len(pages) > PATTERN_LIMIT:
        return f"{column} <> ''", []
    numbers = [str(page) for page in pages]
    pattern = r"\m(" + "|".join(numbers) + r")\M"
    if len(pages) > FEW:
        return f"{column} ~ %s", [pattern]
    digits = " OR ".join(f"strpos({column}, %s) > 0" for _ in numbers)
    if all(len(number) >= RARE for number in numbers):
        return f"({digits})", numbers
    # Not AND: PostgreSQL would put the regular expression first, which counts as one operator.
    return f"CASE WHEN {digits} THEN {column} ~ %s ELSE false END", [*numbers, pattern]


def numbers(text: str, pages: Collection[int]) -> list[int]:
    """The pages whose ids seem to stand in the text: a look that is cheaper than parsing it."""
    if len(pages) <= FEW:  # no word boundaries, so that it may be more than there are
        return [page for page in pages for _ in range(text.count(str(page)))]
    return [number for number in map(int, DIGITS.findall(text)) if number in pages]


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


def read(query: str, given: list[Any]) -> Iterator[Rows]:
    """Rows of a query, some at a time, so that memory does not grow with their number."""
    with page_connection().chunked_cursor() as reading:
        reading.execute(query, given)
        while rows := reading.fetchmany(CHUNK):
            yield rows


class Reading:
    """Rows of several queries with the number of each, read while other things are done.

    By another connection, which sees nothing of what this transaction has changed: only for
    before it changes anything, and without its temporary tables. A context manager, at whose end
    the other connection is closed.
    """

    def __init__(self, queries: list[Query]) -> None:
        self._queries = queries
        self._chunks: queue.Queue[Any] = queue.Queue(maxsize=AHEAD)
        self._enough = threading.Event()
        self._thread = threading.Thread(target=self._read, name="remodel-reading", daemon=True)

    def __enter__(self) -> Reading:
        self._thread.start()
        return self

    def __iter__(self) -> Iterator[tuple[int, Rows]]:
        while (found := self._chunks.get()) is not None:
            if isinstance(found, BaseException):
                raise found
            yield found

    def __exit__(self, *_: object) -> None:
        self._enough.set()
        while self._thread.is_alive():
            with suppress(queue.Empty):
                self._chunks.get(timeout=0.05)  # so that it is not stuck with a full queue

    def _read(self) -> None:
        from django.db import transaction

        connection = page_connection()  # Django's connections are each thread's own
        try:
            with transaction.atomic(using=connection.alias):
                for number, query in enumerate(self._queries):
                    for rows in read(*query):
                        if self._enough.is_set():
                            return
                        self._chunks.put((number, rows))
            self._chunks.put(None)
        except BaseException as error:
            self._chunks.put(error)
        finally:
            connection.close()


def query_of(
    table: str, key: str, field: Any, pages: Collection[int], condition: str = ""
) -> Query:
    """A query of `(row's key, value, hash)` for `holders`; of all rows that mention a page.

    Or of those that a condition on the rows `t` tells.
    """
    column = f"t.{quoted(field.column)}::text"
    if condition:
        return f"SELECT {key}, {column}, 0 FROM {quoted(table)} t WHERE {condition}", []
    said, given = mentions("v.value", pages)
    values = f"SELECT {key} AS key, {column} AS value FROM {quoted(table)} t OFFSET 0"
    return f"SELECT v.key, v.value, {hashed('v.value')} FROM ({values}) v WHERE {said}", given


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
        if not tally.found:
            continue
        if not becomes:
            found.append(Holder(row, tally.found))
        elif is_plain(value, tally.found, becomes):
            found.append(Holder(row, tally.found, PLAIN, was))
        else:
            new = in_field(field, value, becomes, levels)
            found.append(Holder(row, tally.found, "", was, new))
    return found


def unfollowed(cursor: Any, pages: Collection[int]) -> dict[str, int]:
    """Rows of the project's own text and JSON columns that seem to refer to an old page.

    They are neither rich text nor streams to Wagtail, so nobody but the project knows what they
    mean: a rich text link in plain text, a number or a text in JSON that is a page's id, a text
    that is nothing but a page's id in a column named after pages.
    """
    from wagtail import models as wagtail_models

    theirs = wagtail_models.__name__.partition(".")[0]
    known = set(fields_with_links())
    found = {}
    for model in concrete_models():
        module = model.__module__.partition(".")[0]
        for field in model._meta.local_concrete_fields:
            if (model, field) in known or module in {theirs, "django", "wagtail_localize"}:
                continue
            condition = _seems(field)
            if condition is None:
                continue
            cursor.execute(
                f"SELECT count(*) FROM {quoted(model._meta.db_table)} t WHERE {condition}"
            )
            number = cursor.fetchone()[0]
            if number:
                found[f"{model._meta.db_table}.{field.column}"] = number
    return found


def _seems(field: Any) -> str | None:
    """SQL that a value of the field seems to refer to a page of the map."""
    column = f"t.{quoted(field.column)}"
    kind = field.get_internal_type()
    if kind == "JSONField":
        return (
            f"EXISTS (SELECT FROM jsonb_path_query({column}::jsonb, 'lax $.**') v "
            "JOIN remodel_map m ON v #>> '{}' = m.old::text "
            "WHERE jsonb_typeof(v) IN ('number', 'string'))"
        )
    if kind == "TextField":
        return (
            f"strpos({column}, 'linktype') > 0 AND EXISTS ("
            f"SELECT FROM regexp_matches({column}, '<a[^>]*linktype=.page.[^>]*>', 'g') a, "
            r"regexp_matches(a[1], '\mid=.(\d+)', 'g') i "
            "JOIN remodel_map m ON i[1] = m.old::text)"
        )
    if kind.endswith("IntegerField") and "page" in field.name and not field.remote_field:
        return f"{column} IN (SELECT old FROM remodel_map)"
    if kind in {"CharField", "SlugField"} and "page" in field.name:
        return f"{column} IN (SELECT old::text FROM remodel_map)"
    return None
