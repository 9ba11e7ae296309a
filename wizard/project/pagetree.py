"""The page tree as it is in a database, read lazily: a level at a time, a slice of it at once.

Reads wagtailcore_page with plain SQL (Wagtail: wagtail/models/pages.py, treebeard: mp_tree.py),
so that it works before, between and after migrations, without the project's Python.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import psycopg
from psycopg.rows import AsyncRowFactory, class_row, tuple_row

from wizard.base.errors import OperationFailed
from wizard.base.process import to_its_end
from wizard.postgres import server
from wizard.postgres.address import Address

Row = TypeVar("Row")
STEP = 4  # treebeard's steplen for Wagtail pages

_SELECT = """
SELECT page.id, page.path, page.depth, page.title, page.slug,
       type.app_label || '.' || initcap(type.model) AS type,
       page.live, page.has_unpublished_changes, page.numchild AS children, page.url_path
FROM wagtailcore_page AS page
JOIN django_content_type AS type ON type.id = page.content_type_id
"""

_AT = """
page.url_path = %(value)s OR page.url_path IN (
    SELECT root.url_path || substr(%(value)s, 2)
    FROM wagtailcore_site AS site JOIN wagtailcore_page AS root ON root.id = site.root_page_id)
"""

_LAST = "~"  # after every character of treebeard's alphabet; the column's collation is "C"

# The first path after a sibling and all that is below it is the next sibling's: a loose index
# scan, https://wiki.postgresql.org/wiki/Loose_indexscan
_SIBLINGS = f"""
WITH RECURSIVE walk AS (
    (SELECT path, 1 AS number FROM wagtailcore_page
      WHERE path > %(low)s AND path < %(high)s ORDER BY path LIMIT 1)
    UNION ALL
    SELECT (SELECT p.path FROM wagtailcore_page p
             WHERE p.path > walk.path || '{_LAST}' AND p.path < %(high)s
             ORDER BY p.path LIMIT 1), walk.number + 1
      FROM walk WHERE walk.path IS NOT NULL AND walk.number < %(offset)s::int + %(limit)s::int
), sibling AS (SELECT path FROM walk WHERE number > %(offset)s)
"""


@dataclass(frozen=True)
class Node:
    """A page. `children` is how many pages lie directly below it; `path` is treebeard's."""

    id: int
    path: str
    depth: int
    title: str
    slug: str
    type: str
    live: bool
    has_unpublished_changes: bool
    children: int
    url_path: str


class PageTree:
    """The pages of one database. Each reading is a connection of its own, so that nothing is
    held open while the database is restored, copied or swapped; `paused` keeps readings away."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._reading = asyncio.Lock()

    @asynccontextmanager
    async def paused(self) -> AsyncIterator[None]:
        """While inside, readings wait: PostgreSQL copies and renames only what nobody uses."""
        async with self._reading:
            yield

    async def children(self, of: str | None, *, offset: int = 0, limit: int = 100) -> list[Node]:
        """Pages directly below the one with treebeard path `of` (None: the root's), in order.

        One step in the index of `path` a child, over whatever is below it: the cost is that of
        the children up to the slice's end, not of the tree.
        """
        parent = "" if of is None else of
        return await self._read(
            _SIBLINGS + _SELECT + "JOIN sibling ON sibling.path = page.path ORDER BY page.path",
            {"low": parent, "high": parent + _LAST, "offset": offset, "limit": limit},
        )

    async def node(self, page_id: int) -> Node | None:
        """Return the page with this id, if there is one."""
        pages = await self._read(_SELECT + "WHERE page.id = %(id)s", {"id": page_id})
        return pages[0] if pages else None

    async def lineage(self, page_id: int) -> list[Node]:
        """Return the page and all above it, from the root down; [] when there is no such page."""
        page = await self.node(page_id)
        if page is None:
            return []
        paths = [page.path[:end] for end in range(STEP, len(page.path) + 1, STEP)]
        return await self._read(
            _SELECT + "WHERE page.path = ANY(%(paths)s) ORDER BY page.path", {"paths": paths}
        )

    async def among(self, ids: Iterable[int], *, limit: int | None = None) -> list[Node]:
        """Return the pages with these ids, as far as they are there, in the tree's order; the
        first of them with a limit."""
        return await self._read(
            _SELECT + "WHERE page.id = ANY(%(ids)s) ORDER BY page.path LIMIT %(limit)s",
            {"ids": list(ids), "limit": limit},
        )

    async def slugs_of(self, ids: Iterable[int]) -> dict[int, str]:
        """Return the slugs of the pages with these ids that are there, in the tree's order."""
        return dict(
            await self._values(
                "SELECT id, slug FROM wagtailcore_page WHERE id = ANY(%(ids)s) ORDER BY path",
                {"ids": list(ids)},
            )
        )

    async def of_another_type(self, ids: Iterable[int], page_type: str) -> list[int]:
        """Return those of these ids that no page of this type (`app.Model`) has."""
        app, _, model = page_type.lower().partition(".")
        rows = await self._values(
            """
            SELECT wanted.id FROM unnest(%(ids)s::bigint[]) WITH ORDINALITY AS wanted (id, place)
             WHERE NOT EXISTS (
                   SELECT FROM wagtailcore_page page
                     JOIN django_content_type type ON type.id = page.content_type_id
                    WHERE page.id = wanted.id AND lower(type.app_label) = %(app)s
                      AND lower(type.model) = %(model)s)
             ORDER BY wanted.place
            """,
            {"ids": list(ids), "app": app, "model": model},
        )
        return [page for (page,) in rows]

    async def select(self, selector: Mapping[str, Any]) -> list[Node]:
        """Return the pages with this `slug`, `id` or `path` (a URL path: from the tree's root, or
        from a site's). `under` is a path as well; `/` is the tree's root there."""
        column, value = next(iter(selector.items()))
        if column in ("path", "under"):
            path = "/" + str(value).strip("/") + "/"
            value = path.replace("//", "/")
            where = "page.depth = 1" if (column, value) == ("under", "/") else _AT
        else:
            where = {"slug": "page.slug", "id": "page.id"}[column] + " = %(value)s"
        return await self._read(f"{_SELECT} WHERE {where} ORDER BY page.path", {"value": value})

    async def first(self, page_type: str, *, below: str = "") -> Node | None:
        """Return the first page of this type (`app.Model`) below the treebeard path `below`."""
        app, _, model = page_type.lower().partition(".")
        pages = await self._read(
            f"{_SELECT} WHERE type.app_label = %(app)s AND type.model = %(model)s"
            " AND page.path > %(low)s AND page.path < %(high)s ORDER BY page.path LIMIT 1",
            {"app": app, "model": model, "low": below, "high": below + "~"},
        )
        return pages[0] if pages else None

    async def slugs(self) -> list[str]:
        """Return the slugs of the upper three levels, to suggest one that is near to what was
        typed."""
        pages = await self._read(_SELECT + "WHERE page.depth <= 4 LIMIT 1000", {})
        return [page.slug for page in pages]

    async def count(self) -> int | None:
        """How many pages there are; None where there is no database or no Wagtail in it."""
        if await server.database(self._address) is None:
            return None
        async with server.session(self._address) as connection:
            cursor = await connection.execute("SELECT to_regclass('wagtailcore_page') IS NULL")
            if (await cursor.fetchone() or [True])[0]:
                return None
            cursor = await connection.execute("SELECT count(*) FROM wagtailcore_page")
            return int((await cursor.fetchone() or [0])[0])

    async def _read(self, query: str, parameters: dict[str, Any]) -> list[Node]:
        # A screen may give up a reading at any moment; a connection that was cancelled while
        # it was made would stay open until it is collected.
        return await to_its_end(self._rows(class_row(Node), query, parameters))

    async def _values(self, query: str, parameters: dict[str, Any]) -> list[tuple[Any, ...]]:
        return await to_its_end(self._rows(tuple_row, query, parameters))

    async def _rows(
        self, factory: AsyncRowFactory[Row], query: str, parameters: dict[str, Any]
    ) -> list[Row]:
        async with (
            self._reading,
            server.session(self._address) as connection,
            connection.cursor(row_factory=factory) as cursor,
        ):
            try:
                await cursor.execute(query.encode(), parameters)
                return await cursor.fetchall()
            except psycopg.errors.UndefinedTable:
                raise OperationFailed(
                    f"There are no Wagtail pages in {self._address}.",
                    hint="Restore a backup first.",
                ) from None
