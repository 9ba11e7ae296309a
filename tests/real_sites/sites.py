"""A site that nobody here wrote: its environment, its project's folder, its database."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import shutil
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any

from psycopg import sql

from tests.real_sites import environments
from tests.real_sites.environments import Pinned
from tests.real_sites.judge import Schema, Snapshot, schema, snapshot
from wizard.base.redaction import Secret
from wizard.postgres.address import Address, connect
from wizard.project.worker_client import WorkerClient
from wizard.sandbox.cluster import Cluster

HERE = Path(__file__).parent
PROJECT = HERE / "project"
DRIVE = HERE.parent / "matrix" / "drive.py"
OWNER, PASSWORD = "realsite", Secret("realsite-password")
# Without the references' own content type: a rebuild files a page under whichever model of its
# chain it visits first.
INDEXES = """
SELECT 'reference', b.app_label || '.' || b.model, object_id,
       t.app_label || '.' || t.model, to_object_id, model_path || ' ' || content_path
  FROM wagtailcore_referenceindex r
  JOIN django_content_type b ON b.id = r.base_content_type_id
  JOIN django_content_type t ON t.id = r.to_content_type_id
UNION ALL
SELECT 'search', c.model, object_id, title::text, body::text, autocomplete::text
  FROM wagtailsearch_indexentry e JOIN django_content_type c ON c.id = e.content_type_id
ORDER BY 1, 2, 3, 4, 5, 6
"""
_numbers = count(1)


@dataclass(frozen=True)
class Recipe:
    """How a site is made: its environment, its settings, the script that fills it."""

    environment: Pinned
    settings: str
    fill: str
    prepare: tuple[tuple[str, ...], ...] = (("migrate", "-v0"),)

    @property
    def name(self) -> str:
        return self.environment.name


@dataclass(frozen=True)
class RealSite:
    """A running copy of one."""

    python: Path
    project: Path
    settings: str
    database: Address
    pages: dict[str, int]  # ids by slug, as the site was filled

    @property
    def environment(self) -> dict[str, str]:
        """What the settings read to find the database."""
        assert self.database.password is not None
        return {
            "DATABASE_ENGINE": "django.db.backends.postgresql",
            "DATABASE_NAME": self.database.database,
            "DATABASE_HOST": self.database.host,
            "DATABASE_PORT": str(self.database.port),
            "DATABASE_USER": self.database.user,
            "DATABASE_PASSWORD": self.database.password.reveal(),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONWARNINGS": "ignore",
        }

    def worker(self) -> WorkerClient:
        """The site's worker, not started."""
        return WorkerClient(self.python, self.project, self.settings, environment=self.environment)

    async def run(self, *arguments: str) -> str:
        """What a script of the project prints."""
        process = await asyncio.create_subprocess_exec(
            str(self.python),
            *arguments,
            cwd=self.project,
            env=os.environ | self.environment | {"DJANGO_SETTINGS_MODULE": self.settings},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        assert process.returncode == 0, err.decode()[-5000:]
        return out.decode()

    async def query(self, query: str) -> list[tuple[Any, ...]]:
        """Rows of a query, without Django."""
        async with await connect(self.database) as connection:
            cursor = await connection.execute(query.encode())
            return await cursor.fetchall() if cursor.description else []

    async def schema(self) -> Schema:
        """Every column of every table."""
        async with await connect(self.database) as connection:
            return await schema(connection)

    async def snapshot(self) -> Snapshot:
        """Every row of every table."""
        async with await connect(self.database) as connection:
            return await snapshot(connection)

    async def convert(
        self,
        old_type: str,
        new_type: str,
        pages: list[int],
        *,
        ids: str,
        fields: dict[str, Any] | None = None,
        move: tuple[str, ...] = (),
    ) -> dict[int, int]:
        """Plan, convert, delete the originals, restore the slugs: the map of ids.

        What the plan, the ledger and Wagtail's own tree have to say is asserted on the way.
        """
        asked: dict[str, Any] = {
            "old_type": old_type,
            "new_type": new_type,
            "pages": pages,
            "ids": ids,
            "prefix": "new_",
            "move": list(move),
            "fields": fields or {},
        }
        async with self.worker() as worker:
            plan = await worker.ask("convert_plan", **asked)
            assert plan["faults"] == [], plan["faults"]
            done = await worker.ask("convert", **asked)
            for entry in done["ledger"]:
                accounts = ("kept", "followed", "rewritten", "rebuilt", "dropped")
                assert entry["before"] == sum(entry[account] for account in accounts), entry
            if ids == "new":
                await worker.ask("delete_originals", id_map=done["map"])
                await worker.ask("restore_slugs", id_map=done["map"], prefix="new_")
            assert await worker.ask("tree_problems") == {}
        return {int(old): int(new) for old, new in done["map"].items()}

    async def find(self, model: str, *selectors: dict[str, Any]) -> list[int]:
        """Ids of the pages that the selectors name, in the worker's order."""
        async with self.worker() as worker:
            found = await worker.ask("find_pages", model=model, selectors=list(selectors))
        return [page["id"] for page in found]

    async def stale_indexes(self) -> list[str]:
        """Where Wagtail's indexes are not as Wagtail builds them from nothing, which it does."""
        carried = Counter(await self.query(INDEXES))
        await self.rebuild_indexes()
        built = Counter(await self.query(INDEXES))
        told = [f"not in the index: {row}" for row in (built - carried).elements()]
        return told + [f"still in the index: {row}" for row in (carried - built).elements()]

    async def rebuild_indexes(self) -> None:
        """Have Wagtail build both from nothing."""
        await self.run("manage.py", "rebuild_references_index", "-v0")
        await self.run("manage.py", "update_index", "-v0")

    async def drive(self, name: str, *, publish: bool = False) -> dict[str, Any]:
        """What visitors and editors see of every page, and of their old drafts published."""
        out = self.project / f"{name}.json"
        arguments = ["--settings", self.settings, "--user", "admin", "--out", str(out)]
        bodies = ["--bodies", str(self.project / name)]
        await self.run(str(DRIVE), *arguments, *bodies, *(["--publish"] if publish else []))
        seen: dict[str, Any] = json.loads(out.read_text())
        return seen


async def filled(cluster: Cluster, recipe: Recipe, folder: Path) -> RealSite:
    """The site in a fresh database with its content, its project in `folder`. Raises Missing."""
    python = await environments.environment(recipe.environment)
    shutil.copytree(PROJECT, folder, ignore=shutil.ignore_patterns("__pycache__"))
    name = f"real_{next(_numbers)}"
    await cluster.create_database(name, owner=OWNER)
    address = replace(cluster.address(name), user=OWNER, password=PASSWORD)
    site = RealSite(python, folder, recipe.settings, address, {})
    await _prepare(cluster, site, recipe)
    await site.run(recipe.fill)
    await site.rebuild_indexes()
    found = await site.query("SELECT slug, id FROM wagtailcore_page WHERE depth > 1")
    return replace(site, pages={str(slug): int(page) for slug, page in found})


async def copied(cluster: Cluster, site: RealSite, folder: Path) -> RealSite:
    """Another copy of a site, as it is now."""
    name = f"real_{next(_numbers)}"
    async with await connect(cluster.address("postgres")) as connection:
        await connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER {}").format(
                sql.Identifier(name), sql.Identifier(site.database.database), sql.Identifier(OWNER)
            )
        )
    shutil.copytree(site.project, folder)
    return replace(site, project=folder, database=site.database.at(name))


async def _prepare(cluster: Cluster, site: RealSite, recipe: Recipe) -> None:
    """Migrate the empty database, which takes a minute: so it is kept with the environment."""
    told = hashlib.sha256((PROJECT / f"{recipe.settings}.py").read_bytes()).hexdigest()[:12]
    dump = recipe.environment.place / f"migrated-{told}.dump"
    if not dump.exists():
        for command in recipe.prepare:
            await site.run("manage.py", *command)
        fresh = dump.with_suffix(f".{os.getpid()}")
        await _postgres(cluster, site, "pg_dump", "--format=custom", f"--file={fresh}")
        fresh.replace(dump)
        return
    await _postgres(cluster, site, "pg_restore", "--no-owner", "--dbname", "", str(dump))


async def _postgres(cluster: Cluster, site: RealSite, program: str, *arguments: str) -> None:
    address = site.database
    assert address.password is not None
    process = await asyncio.create_subprocess_exec(
        str(cluster.binaries / program),
        *[argument or address.database for argument in arguments],
        env=os.environ
        | {
            "PGDATABASE": address.database,
            "PGHOST": address.host,
            "PGPORT": str(address.port),
            "PGUSER": address.user,
            "PGPASSWORD": address.password.reveal(),
        },
        stderr=asyncio.subprocess.PIPE,
    )
    _, err = await process.communicate()
    assert process.returncode == 0, err.decode()


Take = Callable[[Recipe], Awaitable[RealSite]]
Seen = Callable[[Recipe], Awaitable[dict[str, Any]]]
