"""What is measured on: an embedded PostgreSQL with as much content as is asked for.

Wagtail makes a blog and three posts, with revisions, reference index and search index, and SQL
multiplies the posts, a statement a table. Each measurement then has a database of its own, made
from the filled one with `CREATE DATABASE ... TEMPLATE`.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from wizard.base.redaction import Secret
from wizard.postgres.address import Address, connect
from wizard.project.worker_client import WorkerClient
from wizard.sandbox.cluster import Cluster

PROJECT = Path(__file__).parent / "project"
PYTHON = Path(sys.executable)
OWNER = "bench"
PASSWORD = Secret("bench-password")

DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
# The last step of a path, treebeard's alphabet and Wagtail's step of 4: base 36.
STEP = " || ".join(f"substr('{DIGITS}', (i / {36**power} % 36) + 1, 1)" for power in (3, 2, 1, 0))


@dataclass(frozen=True)
class Ground:
    """A running cluster, and the databases in it."""

    cluster: Cluster

    def address(self, database: str) -> Address:
        """How the site's own role reaches a database."""
        return replace(self.cluster.address(database), user=OWNER, password=PASSWORD)

    def site(self, database: str) -> WorkerClient:
        """The project's worker over a database, not started."""
        return WorkerClient(
            PYTHON, PROJECT, "config.settings", environment=_environment(self.address(database))
        )

    async def script(self, database: str, *args: str) -> str:
        """What a script of the project prints, over a database. Raises RuntimeError."""
        process = await asyncio.create_subprocess_exec(
            str(PYTHON),
            *args,
            cwd=PROJECT,
            env=os.environ
            | {"DJANGO_SETTINGS_MODULE": "config.settings"}
            | _environment(self.address(database)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        if process.returncode != 0:
            raise RuntimeError(f"{' '.join(args)} failed:\n{err.decode()}")
        return out.decode()

    async def fill(self, children: int, *, whole: bool = True) -> str:
        """The name of a database with a blog of so many children; made once.

        Not `whole`: pages alone, without revisions and what refers to them, for a look at the
        tree.
        """
        name = f"filled_{children}" if whole else f"pages_{children}"
        if await self._exists(name):
            return name
        if not await self._exists("sample"):
            await self.cluster.create_database("sample", owner=OWNER)
            for command in ("migrate", "fill.py", "rebuild_references_index", "update_index"):
                args = [command] if command.endswith(".py") else ["manage.py", command, "-v0"]
                await self.script("sample", *args)
        await self._copy("sample", name)
        async with await connect(self.cluster.address(name)) as connection:
            async with connection.transaction():
                await _multiply(connection, children, whole)
            await connection.execute("VACUUM ANALYZE")
        return name

    @asynccontextmanager
    async def fresh(self, filled: str) -> AsyncIterator[str]:
        """The name of a database that is as the filled one, for one measurement."""
        name = f"measured_{next(_numbers)}"
        await self._copy(filled, name)
        async with await connect(self.cluster.address("postgres")) as connection:
            await connection.execute("CHECKPOINT")  # what writing the copy costs is not measured
        yield name
        await self.cluster.drop_database(name)

    async def _copy(self, template: str, name: str) -> None:
        await self.cluster.drop_database(name)
        async with await connect(self.cluster.address("postgres")) as connection:
            await connection.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER {} STRATEGY file_copy").format(
                    sql.Identifier(name), sql.Identifier(template), sql.Identifier(OWNER)
                )
            )

    async def _exists(self, name: str) -> bool:
        async with await connect(self.cluster.address("postgres")) as connection:
            cursor = await connection.execute(
                "SELECT 1 FROM pg_database WHERE datname = %s", [name]
            )
            return await cursor.fetchone() is not None


_numbers = count(1)


@asynccontextmanager
async def ground(root: Path) -> AsyncIterator[Ground]:
    """The cluster in a folder, with the settings that the demo has."""
    cluster = Cluster(root, user="developer", password=Secret("developer-password"))
    await cluster.start()
    try:
        await cluster.create_role(OWNER, PASSWORD)
        yield Ground(cluster)
    finally:
        await cluster.stop()


def _environment(address: Address) -> dict[str, str]:
    assert address.password is not None
    return {
        "BENCH_DATABASE": address.database,
        "BENCH_HOST": address.host,
        "BENCH_USER": address.user,
        "BENCH_PASSWORD": address.password.reveal(),
        "PYTHONDONTWRITEBYTECODE": "1",
    }


async def _multiply(connection: psycopg.AsyncConnection[Any], children: int, whole: bool) -> None:
    """Make the three posts of the sample `children`, as consistent as Wagtail made them."""
    cursor = await connection.execute("SELECT slug, id FROM wagtailcore_page")
    ids = dict(await cursor.fetchall())
    cursor = await connection.execute("SELECT max(id) FROM wagtailcore_revision")
    ((last,),) = await cursor.fetchall()
    plain, made = ids["nowhere"], 3
    # `made` says of the i-th child its sample, its id, and that of its one revision.
    await _run(
        connection,
        f"""
        CREATE TEMPORARY TABLE made ON COMMIT DROP AS
        SELECT i, {max(ids.values()) - made} + i AS id, {last - made} + i AS revision,
               {STEP} AS step,
               CASE i % 10 WHEN 0 THEN {ids["blog"]} WHEN 5 THEN {ids["post"]} ELSE {plain} END
                   AS sample
          FROM generate_series({made + 1}, {children}) i
        """,
    )

    def own(text: str) -> str:
        """SQL for a text of the sample with the child's number, and a link to its neighbour."""
        numbered = f"replace({text}, 'NUMBER', m.i::text)"
        return f"replace({numbered}, '{plain}', (m.id - 1)::text)"

    title, slug = "'Report ' || m.i", "'report-' || m.i"
    path = "left({}, -4) || m.step"
    url_path = "left({0}, -length({1}) - 1) || 'report-' || m.i || '/'"
    revision = "m.revision" if whole else "NULL"
    pages = {
        "id": "m.id",
        "path": path.format("s.path"),
        "title": title,
        "draft_title": title,
        "slug": slug,
        "url_path": url_path.format("s.url_path", "s.slug"),
        "translation_key": "gen_random_uuid()",
        "latest_revision_id": revision,
        "live_revision_id": revision,
    }
    posts = {
        "page_ptr_id": "m.id",
        "intro": own("s.intro"),
        "body": own("s.body::text") + "::jsonb",
    }
    content = {
        "pk": "m.id",
        "path": path.format("s.content ->> 'path'"),
        "title": title,
        "draft_title": title,
        "slug": slug,
        "url_path": url_path.format("(s.content ->> 'url_path')", "s.content ->> 'slug'"),
    }
    keys = ", ".join(f"'{name}', {value}" for name, value in content.items())
    revisions = {
        "id": "m.revision",
        "object_id": "m.id::text",
        "content": own("s.content::text") + f"::jsonb || jsonb_build_object({keys})",
    }
    linked = f"CASE s.to_object_id WHEN '{plain}' THEN m.id::text ELSE s.to_object_id END"
    await _copies(connection, "wagtailcore_page", "id", pages)
    await _copies(connection, "bench_post", "page_ptr_id", posts)
    if whole:
        await _copies(connection, "wagtailcore_revision", "object_id", revisions)
        references = {"object_id": "m.id::text", "to_object_id": linked}
        await _copies(connection, "wagtailcore_referenceindex", "object_id", references)
        entries = {"object_id": "m.id::text"}
        await _copies(connection, "wagtailsearch_indexentry", "object_id", entries)
        await _copies(connection, "wagtailcore_pagelogentry", "page_id", {"page_id": "m.id"})
    await _run(
        connection, f"UPDATE wagtailcore_page SET numchild = {children} WHERE id = {ids['show']}"
    )
    for table in ("wagtailcore_page", "wagtailcore_revision"):
        await _run(
            connection,
            f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), max(id)) FROM {table}",
        )


async def _copies(
    connection: psycopg.AsyncConnection[Any], table: str, page: str, values: dict[str, str]
) -> None:
    """Insert for every child the rows that its sample has in a table, with other values."""
    cursor = await connection.execute(
        """
        SELECT column_name FROM information_schema.columns
         WHERE table_name = %s AND is_generated = 'NEVER'
           AND (column_name = ANY(%s)
                OR NOT (is_identity = 'YES' OR coalesce(column_default, '') LIKE 'nextval%%'))
        """,
        [table, list(values)],
    )
    columns = [name for (name,) in await cursor.fetchall()]
    chosen = ", ".join(values.get(name, f's."{name}"') for name in columns)
    names = ", ".join(f'"{name}"' for name in columns)
    await _run(
        connection,
        f"INSERT INTO {table} ({names}) SELECT {chosen} "
        f"FROM made m JOIN {table} s ON s.{page}::text = m.sample::text ORDER BY m.i",
    )


async def _run(connection: psycopg.AsyncConnection[Any], statement: str) -> None:
    await connection.execute(statement.encode())
