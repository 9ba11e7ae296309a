"""The page tree as it is in a database, read lazily: a level at a time, a slice of it at once.

Reads wagtailcore_page with plain SQL (Wagtail: wagtail/models/pages.py, treebeard: mp_tree.py),
so that it works before, between and after migrations, without the project's Python.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import class_row

from wizard.errors import OperationFailed
from wizard.postgres import server
from wizard.postgres.address import Address, connect
from wizard.process import to_its_end

STEP = 4  # treebeard's steplen for Wagtail pages

_SELECT = """
SELECT page.id, page.path, page.depth, page.title, page.slug,
       type.app_label || '.' || initcap(type.model) AS type,
       page.live, page.has_unpublished_changes, page.numchild AS children, page.url_path
FROM wagtailcore_page AS page
JOIN django_content_type AS type ON type.id = page.content_type_id
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

        A range scan on `path`, which is indexed: the cost is that of the slice.
        """
        parent = "" if of is None else of
        return await self._read(
            _SELECT
            + "WHERE page.path > %(low)s AND page.path < %(high)s AND page.depth = %(depth)s"
            " ORDER BY page.path OFFSET %(offset)s LIMIT %(limit)s",
            {
                "low": parent,
                "high": parent + "~",  # after every character of treebeard's alphabet
                "depth": len(parent) // STEP + 1,
                "offset": offset,
                "limit": limit,
            },
        )

    async def node(self, page_id: int) -> Node | None:
        """The page with this id, if there is one."""
        found = await self._read(_SELECT + "WHERE page.id = %(id)s", {"id": page_id})
        return found[0] if found else None

    async def lineage(self, page_id: int) -> list[Node]:
        """The page and all above it, from the root down; empty when there is no such page."""
        page = await self.node(page_id)
        if page is None:
            return []
        paths = [page.path[:end] for end in range(STEP, len(page.path) + 1, STEP)]
        return await self._read(
            _SELECT + "WHERE page.path = ANY(%(paths)s) ORDER BY page.path", {"paths": paths}
        )

    async def select(self, selector: Mapping[str, Any]) -> list[Node]:
        """The pages with this `slug`, treebeard `path` or `id`."""
        column, value = next(iter(selector.items()))
        where = {"slug": "page.slug", "path": "page.path", "id": "page.id"}[column]
        return await self._read(
            f"{_SELECT} WHERE {where} = %(value)s ORDER BY page.path", {"value": value}
        )

    async def slugs(self) -> list[str]:
        """The slugs of the upper three levels, to suggest one that is near to what was typed."""
        found = await self._read(_SELECT + "WHERE page.depth <= 4 LIMIT 1000", {})
        return [page.slug for page in found]

    async def count(self) -> int | None:
        """How many pages there are; None where there is no database or no Wagtail in it."""
        if await server.database(self._address) is None:
            return None
        async with await connect(self._address) as connection:
            cursor = await connection.execute("SELECT to_regclass('wagtailcore_page') IS NULL")
            if (await cursor.fetchone() or [True])[0]:
                return None
            cursor = await connection.execute("SELECT count(*) FROM wagtailcore_page")
            return int((await cursor.fetchone() or [0])[0])

    async def _read(self, query: str, parameters: dict[str, Any]) -> list[Node]:
        # A screen may give up a reading at any moment; a connection that was cancelled while
        # it was made would stay open until it is collected.
        return await to_its_end(self._rows(query, parameters))

    async def _rows(self, query: str, parameters: dict[str, Any]) -> list[Node]:
        async with (
            self._reading,
            await connect(self._address) as connection,
            connection.cursor(row_factory=class_row(Node)) as cursor,
        ):
            try:
                await cursor.execute(query.encode(), parameters)
                return await cursor.fetchall()
            except psycopg.errors.UndefinedTable:
                raise OperationFailed(
                    f"There are no Wagtail pages in {self._address}.",
                    hint="Restore a backup first.",
                ) from None
