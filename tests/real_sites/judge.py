"""A converted database judged against the one before, by SQL that shares no code with the product.

From every row of every table as it was before, `expected` makes the row as it has to be
afterwards: a page's id replaced wherever the catalog, a generic key, a link in text or a
revision refers to a page, and nothing else changed. What then differs from the database as it
is, in either direction, is a fault.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import psycopg
from psycopg import sql

Row = dict[str, str | None]
Schema = dict[str, tuple[str, str, str]]

# Derived from the rest, and compared with what Wagtail builds from nothing; or of one session.
# So are migrations, which are judged by what they make.
DERIVED = re.compile(
    r"_referenceindex$|_indexentry|^wagtailadmin_editingsession$"
    r"|^(cache|django_session|django_migrations)$"
)
LINK = re.compile(r'(<a\b[^>]*\bid=\\*")(\d+)(\\*")')
# A page that is chosen in a block of CRX, in the JSON of a stream.
CHOSEN = re.compile(r'("page_link": )(\d+)')
# Columns that hold a page's id without a constraint that says so (wagtail/models/pages.py).
LOOSE = {("wagtailcore_pagelogentry", "page_id")}

FOREIGN_KEYS = """
SELECT c.conrelid::regclass::text, a.attname, c.confrelid::regclass::text, p.conname IS NOT NULL
  FROM pg_constraint c
  JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
  LEFT JOIN pg_constraint p
    ON p.conrelid = c.conrelid AND p.contype = 'p' AND p.conkey = c.conkey
 WHERE c.contype = 'f' AND array_length(c.conkey, 1) = 1
"""
TABLES = """
SELECT relname FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace
 WHERE relkind = 'r' AND nspname = 'public' ORDER BY 1
"""
COLUMNS = """
SELECT table_name, column_name, data_type || coalesce('(' || character_maximum_length || ')', ''),
       is_nullable
  FROM information_schema.columns WHERE table_schema = 'public'
"""


@dataclass(frozen=True)
class Snapshot:
    """A database: rows by table, values as text; and which columns refer to a page."""

    tables: dict[str, list[Row]]
    pages: frozenset[str]  # tables whose key is a page's id
    references: frozenset[tuple[str, str]]  # (table, column), keys of page tables among them
    types: dict[str, str]  # content type ids by app.model

    def row(self, table: str, column: str, value: object) -> Row:
        """The one row with this value."""
        (found,) = [row for row in self.tables[table] if row[column] == str(value)]
        return found


async def snapshot(connection: psycopg.AsyncConnection[Any]) -> Snapshot:
    """Read all of the database."""
    tables: dict[str, list[Row]] = {}
    for (name,) in await _rows(connection, TABLES):
        statement = sql.SQL("SELECT to_jsonb(t)::text FROM {} t").format(sql.Identifier(name))
        found = await (await connection.execute(statement)).fetchall()
        tables[name] = [
            {column: _text(value) for column, value in json.loads(row).items()} for (row,) in found
        ]
    keys = await _rows(connection, FOREIGN_KEYS)
    pages = {"wagtailcore_page"}
    # Not every table with a page's id for its key: that of wagtailcore_workflowpage is one.
    levels = [(t, to) for t, column, to, primary in keys if primary and column.endswith("_ptr_id")]
    while more := {table for table, to in levels if to in pages} - pages:
        pages |= more
    references = {(table, column) for table, column, to, _ in keys if to in pages}
    types = {
        f"{row['app_label']}.{row['model']}": str(row["id"])
        for row in tables["django_content_type"]
    }
    return Snapshot(
        tables,
        frozenset(pages),
        frozenset(references | LOOSE | {("wagtailcore_page", "id")}),
        types,
    )


async def schema(connection: psycopg.AsyncConnection[Any]) -> Schema:
    """Each column's type, whether it may be null, and the table it refers to."""
    to = {
        (table, column): other for table, column, other, _ in await _rows(connection, FOREIGN_KEYS)
    }
    return {
        f"{table}.{column}": (kind, null, to.get((table, column), ""))
        for table, column, kind, null in await _rows(connection, COLUMNS)
    }


@dataclass(frozen=True)
class Change:
    """What a conversion was asked to do, as far as the tables are concerned."""

    page_ids: Mapping[int, int]
    old_type: str  # app.model, lower case
    new_type: str
    joined: Mapping[str, Callable[[Row], Row]] = field(default_factory=dict)
    """Tables that get a row for each page, made from all that the page had before: `app.column`."""
    left: tuple[str, ...] = ()  # tables that lose the pages' rows
    without: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Columns that are taken from a table."""
    moved: Mapping[str, tuple[str, Mapping[str, str]]] = field(default_factory=dict)
    """Side tables whose rows go to another one: its name, and columns of another name there."""
    content: Callable[[dict[str, Any]], dict[str, Any]] = lambda content: content
    """A revision of one of the pages, its ids followed already, as it has to be."""


def faults(before: Snapshot, after: Snapshot, change: Change) -> list[str]:
    """Rows that should be there and are not, and rows that are there and should not be."""
    told = []
    wanted = expected(before, change)
    for table in sorted({*before.tables, *after.tables}):
        if not DERIVED.search(table):
            told += _differences(table, wanted.get(table, []), after.tables.get(table, []))
    old = {str(page) for page in change.page_ids if page not in change.page_ids.values()}
    for table, column in sorted(after.references):
        held = [row for row in after.tables[table] if row[column] in old]
        told += [f"{table}.{column} still holds {row[column]}: {row}" for row in held]
    return told


def _differences(table: str, wanted: list[Row], found: list[Row]) -> list[str]:
    want, have = _counted(wanted), _counted(found)
    missing = [json.loads(row) for row in (want - have).elements()]
    other = [json.loads(row) for row in (have - want).elements()]
    told = []
    for row in missing:
        # The nearest of those that were not expected is what became of it.
        near = min(other, key=lambda one: len(row.items() ^ one.items()), default=None)
        if near is None or len(row.items() & near.items()) < len(row) / 2:
            told.append(f"{table}: missing: {row}")
            continue
        other.remove(near)
        for column in sorted(key for key, _ in row.items() ^ near.items()):
            told.append(f"{table} {_name(row)}: {_compared(row.get(column), near.get(column))}")
    return told + [f"{table}: one too many: {row}" for row in other]


def _name(row: Row) -> str:
    return next((f"{column} {row[column]}" for column in row if column.endswith(("id", "key"))), "")


def _compared(want: str | None, have: str | None) -> str:
    """Two values, or where they begin to differ when they are structures."""
    if want and have and want[:1] == have[:1] == "{":
        one, two = json.loads(want), json.loads(have)
        keys = [key for key in sorted({*one, *two}) if one.get(key, ...) != two.get(key, ...)]
        pairs = [f"{key}: {one.get(key, '-')!r} became {two.get(key, '-')!r}" for key in keys]
        return "; ".join(pairs)
    return f"{want!r} became {have!r}"


def expected(before: Snapshot, change: Change) -> dict[str, list[Row]]:
    """Every table as it has to be."""
    ids = {str(old): str(new) for old, new in change.page_ids.items()}
    types = {before.types[change.old_type]: before.types[change.new_type]}
    made: dict[str, list[Row]] = {table: [] for table in before.tables}
    for table, rows in before.tables.items():
        if DERIVED.search(table):
            continue
        gone = change.without.get(table, ())
        for row in rows:
            place, names = change.moved.get(table, (table, {}))
            followed = _followed(before, change, table, row, ids, types)
            if table not in change.left or not _of(before, table, row, ids):
                if place != table and not _of(before, table, row, ids):
                    place, names = table, {}
                made[place].append(
                    {names.get(key, key): v for key, v in followed.items() if key not in gone}
                )
    for table, make in change.joined.items():
        for old, new in ids.items():
            all_of_it = {
                f"{level}.{column}": value
                for level in before.pages
                for row in before.tables[level]
                if _key(before, level, row) == old
                for column, value in _followed(before, change, level, row, ids, types).items()
            }
            made[table].append({_key_column(before, table): new, **make(all_of_it)})
    return made


def _followed(
    before: Snapshot,
    change: Change,
    table: str,
    row: Row,
    ids: Mapping[str, str],
    types: Mapping[str, str],
) -> Row:
    made: Row = dict(row)
    for column, value in row.items():
        if value is None:
            continue
        if (table, column) in before.references:
            made[column] = ids.get(value, value)
        elif "<a" in value and table != "wagtailcore_revision":
            made[column] = _links(value, ids)
    if table == "wagtailcore_page" and row["id"] in ids:
        made["content_type_id"] = types[str(row["content_type_id"])]
    if table == "wagtailcore_pagelogentry" and row["page_id"] in ids:
        made["content_type_id"] = types.get(str(row["content_type_id"]), row["content_type_id"])
    own = _generic(before, row, ids)
    if own:
        made[own] = ids[str(row[own])]
        made["content_type_id"] = types.get(str(row["content_type_id"]), row["content_type_id"])
    if table == "wagtailcore_revision":
        content = _content(before, json.loads(str(row["content"])), ids, types)
        if own:
            content = change.content(content)
        made["content"] = _text(content)
    return made


def _generic(before: Snapshot, row: Row, ids: Mapping[str, str]) -> str | None:
    """The column of a generic key, when the row's leads to one of the pages."""
    of_pages = {
        number
        for name, number in before.types.items()
        if name == "wagtailcore.page" or name.replace(".", "_") in before.pages
    }
    for column in ("object_id", "object_pk"):
        if column in row and row[column] in ids and row.get("content_type_id") in of_pages:
            return column
    return None


def _content(
    before: Snapshot, content: dict[str, Any], ids: Mapping[str, str], types: Mapping[str, str]
) -> dict[str, Any]:
    """A revision with every id of a page in it followed, at any depth."""
    names = {column.removesuffix("_id") for _, column in before.references} - {"id"}

    def follow(value: object, key: str = "") -> object:
        if isinstance(value, dict):
            return {name: follow(inner, name) for name, inner in value.items()}
        if isinstance(value, list):
            return [follow(inner, key) for inner in value]
        if isinstance(value, str):
            return _links(value, ids) if "<a" in value else value
        if key in names and type(value) is int:
            return int(ids.get(str(value), value))
        return value

    made = cast(dict[str, Any], follow(content))
    if str(content["pk"]) in ids and "url_path" in content:
        made["pk"] = int(ids[str(content["pk"])])
        made["content_type"] = int(types[str(content["content_type"])])
    return made


def revision(before: Snapshot, content: dict[str, Any], change: Change) -> dict[str, Any]:
    """A page's values, as a revision has them, as they have to be after the conversion."""
    ids = {str(old): str(new) for old, new in change.page_ids.items()}
    types = {before.types[change.old_type]: before.types[change.new_type]}
    made = _content(before, content, ids, types)
    return change.content(made) if str(content["pk"]) in ids else made


def _links(text: str, ids: Mapping[str, str]) -> str:
    followed = LINK.sub(
        lambda found: (
            found[1] + ids.get(found[2], found[2]) + found[3] if "linktype" in text else found[0]
        ),
        text,
    )
    return CHOSEN.sub(lambda found: found[1] + ids.get(found[2], found[2]), followed)


def _of(before: Snapshot, table: str, row: Row, ids: Mapping[str, str]) -> bool:
    """Whether a row is one of the pages', as their own or as one beside them."""
    return any(
        row[column] in ids for name, column in before.references if name == table and column in row
    )


def _key_column(before: Snapshot, table: str) -> str:
    if table == "wagtailcore_page":
        return "id"
    (column,) = [c for t, c in before.references if t == table and c.endswith("_ptr_id")]
    return column


def _key(before: Snapshot, table: str, row: Row) -> str | None:
    return row[_key_column(before, table)]


def _counted(rows: list[Row]) -> Counter[str]:
    return Counter(json.dumps(row, sort_keys=True, ensure_ascii=False) for row in rows)


def _text(value: object) -> str | None:
    """A value as one text, structures with their keys in order."""
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


async def _rows(connection: psycopg.AsyncConnection[Any], query: str) -> list[tuple[Any, ...]]:
    return await (await connection.execute(query.encode())).fetchall()


def sound(after: Snapshot) -> Iterator[str]:
    """What is wrong with the page tree, and with rows that belong to a page's chain."""
    rows = sorted(after.tables["wagtailcore_page"], key=lambda row: str(row["path"]))
    by_path = {str(row["path"]): row for row in rows}
    if len(by_path) != len(rows):
        yield "two pages have one path"
    children = Counter(path[:-4] for path in by_path)
    for path, row in by_path.items():
        parent = by_path.get(path[:-4])
        if len(path) % 4 or int(str(row["depth"])) != len(path) // 4:
            yield f"page {row['id']}: depth {row['depth']} at {path}"
        if int(str(row["numchild"])) != children[path]:
            yield f"page {row['id']}: {row['numchild']} children, and there are {children[path]}"
        if len(path) > 4 and parent is None:
            yield f"page {row['id']}: no parent at {path[:-4]}"
        if len(path) > 8 and parent and row["url_path"] != f"{parent['url_path']}{row['slug']}/":
            yield f"page {row['id']}: url_path {row['url_path']}"
    names = {number: name for name, number in after.types.items()}
    for row in rows:
        table = names[str(row["content_type_id"])].replace(".", "_")
        if not any(_key(after, table, one) == row["id"] for one in after.tables[table]):
            yield f"page {row['id']}: no row in {table}"
