"""A real project in a real interpreter over a real database: `press`, as the worker meets it."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from psycopg import sql

from wizard.postgres.address import Address, connect
from wizard.redaction import Secret
from wizard.sandbox.cluster import Cluster
from wizard.site import Site

from .shapes import FILL

PROJECT = Path(__file__).parent / "project"
PYTHON = Path(sys.executable)
OWNER = "press"
PASSWORD = Secret("press-password")
FIELDS = ["artwork", "keywords", "explicit"]
MOVE: dict[str, Any] = {
    "source": "press.Blog",
    "target": "press.Podcast",
    "prefix": "new_",
    "fields": FIELDS,
}
_numbers = count(1)

TARGET = """\
class Podcast(Blog):
    {prefix}artwork = models.ForeignKey(
        "wagtailimages.Image", null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    {prefix}keywords = models.CharField(max_length=255, blank=True, default="")
    {prefix}explicit = models.PositiveSmallIntegerField(
        choices=[(1, "yes"), (2, "no")], default=1
    )
"""


@dataclass(frozen=True)
class Press:
    """The project's folder and database, and ways to look at both that share no code with us."""

    project: Path
    database: Address
    environment: dict[str, str]
    superuser: Address  # of the cluster, on another database

    def site(self, **options: Any) -> Site:
        """The project's worker, not started."""
        environment = self.environment | options.pop("environment", {})
        return Site(PYTHON, self.project, "config.settings", environment=environment, **options)

    async def django(self, *args: str) -> str:
        """What a script of the project prints: `manage.py migrate`, `-c 'code'`."""
        return await _run(self.project, self.environment, *args)

    async def shell(self, code: str) -> str:
        """What a snippet prints with Django set up."""
        return await self.django("-c", f"import django; django.setup()\n{code}")

    async def query(self, query: str) -> list[tuple[Any, ...]]:
        """Rows of a query, without Django."""
        async with await connect(self.database) as connection:
            cursor = await connection.execute(query.encode())
            return await cursor.fetchall() if cursor.description else []

    async def value(self, query: str) -> Any:
        """The one value of a query."""
        return (await self.query(query))[0][0]

    async def everything(self) -> dict[str, list[tuple[Any, ...]]]:
        """Every row of every table, as text, in an order of its own."""
        tables = await self.query(
            "SELECT quote_ident(relname) FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace "
            "WHERE relkind = 'r' AND nspname = 'public' ORDER BY 1"
        )
        return {
            table: await self.query(f"SELECT t::text FROM {table} t ORDER BY 1")
            for (table,) in tables
        }

    def edit(self, *, old: str, new: str, app: str = "press") -> None:
        """Replace text in an app's models file."""
        models = self.project / app / "models.py"
        text = models.read_text()
        assert old in text
        models.write_text(text.replace(old, new))

    def add(self, code: str, app: str = "press") -> None:
        """Write more models to the end of an app's models file."""
        models = self.project / app / "models.py"
        models.write_text(f"{models.read_text()}\n\n{code}")

    def add_target(self) -> None:
        """The models between the two phases: the moved fields on both, prefixed on the target."""
        self.edit(old="# target\n", new=TARGET.format(prefix="new_"))

    def finish_models(self) -> None:
        """The models of the end: the moved fields on the target only, under their own names."""
        models = self.project / "press" / "models.py"
        text = (PROJECT / "press" / "models.py").read_text()
        start, end = text.index("    artwork ="), text.index("    tags = Cluster")
        text = text[:start] + text[end:]
        models.write_text(text.replace("# target\n", TARGET.format(prefix="")))

    def write(self, migrations: list[dict[str, str]]) -> None:
        """Put migrations where they say."""
        for migration in migrations:
            Path(migration["path"]).write_text(migration["text"])

    async def page(self, slug: str) -> int:
        """The id of the page with this slug."""
        return int(await self.value(f"SELECT id FROM wagtailcore_page WHERE slug = '{slug}'"))


async def _run(project: Path, environment: dict[str, str], *args: str) -> str:
    process = await asyncio.create_subprocess_exec(
        str(PYTHON),
        *args,
        cwd=project,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "config.settings"} | environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return out.decode()


def _environment(address: Address) -> dict[str, str]:
    assert address.password is not None
    return {
        "PRESS_DATABASE": address.database,
        "PRESS_HOST": address.host,
        "PRESS_USER": address.user,
        "PRESS_PASSWORD": address.password.reveal(),
        "PYTHONDONTWRITEBYTECODE": "1",
    }


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def press_filled(cluster: Cluster) -> Address:
    """A database with the project's content, to be cloned."""
    await cluster.create_role(OWNER, PASSWORD)
    await cluster.create_database("press_filled", owner=OWNER)
    address = replace(cluster.address("press_filled"), user=OWNER, password=PASSWORD)
    commands = [["migrate"], ["rebuild_references_index"], ["update_index"]]
    manage = [["manage.py", *command, "-v0"] for command in commands]
    for args in [manage[0], ["fill.py"], *manage[1:]]:
        await _run(PROJECT, _environment(address), *args)
    return address


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def press_added(
    cluster: Cluster, press_filled: Address, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A project whose target model is there and migrated, its database `press_added`."""
    folder = tmp_path_factory.mktemp("added") / "project"
    press = await _clone(cluster, press_filled, "press_added", PROJECT, folder)
    press.add_target()
    async with press.site() as site:
        made = await site.ask("make_migration", app="press", kind="add", **MOVE)
        press.write(made)
        await site.restart()
        await site.ask("migrate")
    return folder


@pytest_asyncio.fixture
async def press(cluster: Cluster, press_filled: Address, tmp_path: Path) -> AsyncIterator[Press]:
    """The project before anything was done to it."""
    name = f"press_{next(_numbers)}"
    yield await _clone(cluster, press_filled, name, PROJECT, tmp_path / "project")
    await cluster.drop_database(name)


@pytest_asyncio.fixture
async def added(
    cluster: Cluster, press_filled: Address, press_added: Path, tmp_path: Path
) -> AsyncIterator[Press]:
    """The project with the target model added and migrated, no page converted."""
    name = f"press_{next(_numbers)}"
    filled = replace(press_filled, database="press_added")
    yield await _clone(cluster, filled, name, press_added, tmp_path / "project")
    await cluster.drop_database(name)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def press_shapes(
    cluster: Cluster, press_filled: Address, tmp_path_factory: pytest.TempPathFactory
) -> Address:
    """A database with pages of many shapes and references to them, to be cloned."""
    folder = tmp_path_factory.mktemp("shapes") / "project"
    press = await _clone(cluster, press_filled, "press_shapes", PROJECT, folder)
    await press.shell(FILL)
    return press.database


@pytest_asyncio.fixture
async def shapes(cluster: Cluster, press_shapes: Address, tmp_path: Path) -> AsyncIterator[Press]:
    """The project with pages of many shapes."""
    name = f"press_{next(_numbers)}"
    yield await _clone(cluster, press_shapes, name, PROJECT, tmp_path / "project")
    await cluster.drop_database(name)


async def _clone(
    cluster: Cluster, filled: Address, name: str, project: Path, folder: Path
) -> Press:
    async with await connect(cluster.address("postgres")) as connection:
        await connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER {}").format(
                sql.Identifier(name), sql.Identifier(filled.database), sql.Identifier(OWNER)
            )
        )
    shutil.copytree(project, folder, ignore=shutil.ignore_patterns("__pycache__"))
    address = filled.at(name)
    return Press(folder, address, _environment(address), cluster.address("postgres"))
