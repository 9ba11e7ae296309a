"""A real project in a real interpreter over a real database: `press`, as the worker meets it."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from psycopg import sql
from pytest_asyncio import is_async_test

from wizard.base.redaction import Secret
from wizard.postgres.address import Address, connect
from wizard.project.worker_client import WorkerClient
from wizard.sandbox.cluster import Cluster

from .shapes import FILL

PROJECT = Path(__file__).parent / "project"
CONSOLE = Path(__file__).with_name("console.py")
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

SETUP = "import django; django.setup()\n"
REBUILD = """
from django.core.management import call_command
call_command("rebuild_references_index", verbosity=0)
call_command("update_index", verbosity=0)
"""
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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One event loop for all tests of this folder: that of the workers that stay."""
    for item in items:
        if is_async_test(item) and item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


class Staying(WorkerClient):
    """A worker that stays for the next test: most of a short test would be its start."""

    async def __aexit__(self, kind: Any, error: BaseException | None, traceback: Any) -> None:
        if error is not None:
            await self.stop()


class Console:
    """The project's own Python, which stays as well; see console.py."""

    def __init__(self, project: Path, environment: dict[str, str]) -> None:
        self._project = project
        self._environment = environment
        self._process: asyncio.subprocess.Process | None = None

    async def run(self, code: str) -> str:
        """What the snippet prints."""
        if self._process is None:
            self._process = await asyncio.create_subprocess_exec(
                *(str(PYTHON), str(CONSOLE)),
                cwd=self._project,
                env=_django_environment(self._environment),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                limit=1 << 26,
            )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(code).encode() + b"\n")
        answer = json.loads(await self._process.stdout.readline())
        assert "raised" not in answer, answer["raised"]
        return str(answer["printed"])

    async def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            await self._process.wait()


@dataclass
class Press:
    """The project's folder and database, and ways to look at both that share no code with us."""

    project: Path
    database: Address
    environment: dict[str, str]
    superuser: Address  # of the cluster, on another database
    staying: Staying | None = None
    console: Console | None = None
    own: Path | None = None  # where a folder of its own will be

    def apart(self) -> None:
        """Go on in a folder of its own, with workers of its own: its files are to be changed."""
        if self.staying is not None:
            assert self.own is not None, "its worker is taken: say so before"
            shutil.copytree(self.project, self.own)
            self.project, self.own = self.own, None
            self.staying = self.console = None

    def site(self, **options: Any) -> WorkerClient:
        """The project's worker; one that stays may run already."""
        if self.staying is not None and not options:
            self.own = None
            return self.staying
        environment = self.environment | options.pop("environment", {})
        return WorkerClient(
            PYTHON, self.project, "config.settings", environment=environment, **options
        )

    async def django(self, *args: str) -> str:
        """What a script of the project prints: `manage.py migrate`, `-c 'code'`."""
        return await _run(self.project, self.environment, *args)

    async def shell(self, code: str) -> str:
        """What a snippet prints with Django set up."""
        if self.console is not None:
            return await self.console.run(code)
        return await self.django("-c", SETUP + code)

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
        self.apart()
        models = self.project / app / "models.py"
        text = models.read_text()
        assert old in text
        models.write_text(text.replace(old, new))

    def add(self, code: str, app: str = "press") -> None:
        """Write more models to the end of an app's models file."""
        self.apart()
        models = self.project / app / "models.py"
        models.write_text(f"{models.read_text()}\n\n{code}")

    def add_target(self) -> None:
        """The models between the two phases: the moved fields on both, prefixed on the target."""
        self.edit(old="# target\n", new=TARGET.format(prefix="new_"))

    def finish_models(self) -> None:
        """The models of the end: the moved fields on the target only, under their own names."""
        self.apart()
        models = self.project / "press" / "models.py"
        text = (PROJECT / "press" / "models.py").read_text()
        start, end = text.index("    artwork ="), text.index("    tags = Cluster")
        text = text[:start] + text[end:]
        models.write_text(text.replace("# target\n", TARGET.format(prefix="")))

    def write(self, migrations: list[dict[str, str]]) -> None:
        """Put migrations where they say."""
        assert self.staying is None
        for migration in migrations:
            Path(migration["path"]).write_text(migration["text"])

    async def rebuild_indexes(self) -> None:
        """Have Wagtail make its reference and search indexes anew."""
        await self.shell(REBUILD)

    async def page(self, slug: str) -> int:
        """The id of the page with this slug."""
        return int(await self.value(f"SELECT id FROM wagtailcore_page WHERE slug = '{slug}'"))


async def _run(project: Path, environment: dict[str, str], *args: str) -> str:
    process = await asyncio.create_subprocess_exec(
        str(PYTHON),
        *args,
        cwd=project,
        env=_django_environment(environment),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return out.decode()


def _django_environment(environment: dict[str, str]) -> dict[str, str]:
    return os.environ | {"DJANGO_SETTINGS_MODULE": "config.settings"} | environment


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
    environment = _environment(address)
    await _run(PROJECT, environment, "manage.py", "migrate", "-v0")
    await _run(PROJECT, environment, "fill.py")
    await _run(PROJECT, environment, "-c", SETUP + REBUILD)
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


@dataclass
class Stand:
    """A project and its database, made anew before each test, and its worker, which stays."""

    cluster: Cluster
    filled: Address
    press: Press

    async def fresh(self, own: Path) -> Press:
        """As it was filled, in a folder that nobody changes."""
        name = self.press.database.database
        await self.cluster.drop_database(name)
        await _create(self.cluster, name, self.filled)
        return replace(self.press, own=own)


async def _stand(
    cluster: Cluster, filled: Address, project: Path, folder: Path
) -> AsyncIterator[Stand]:
    press = await _clone(cluster, filled, f"{filled.database}_now", project, folder / "project")
    site = press.staying = Staying(
        PYTHON, press.project, "config.settings", environment=press.environment
    )
    console = press.console = Console(press.project, press.environment)
    yield Stand(cluster, filled, press)
    await site.stop()
    await console.stop()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def press_stand(
    cluster: Cluster, press_filled: Address, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Stand]:
    async for stand in _stand(cluster, press_filled, PROJECT, tmp_path_factory.mktemp("press")):
        yield stand


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def added_stand(
    cluster: Cluster,
    press_filled: Address,
    press_added: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Stand]:
    filled = press_filled.at("press_added")
    async for stand in _stand(cluster, filled, press_added, tmp_path_factory.mktemp("press")):
        yield stand


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shapes_stand(
    cluster: Cluster, press_shapes: Address, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Stand]:
    async for stand in _stand(cluster, press_shapes, PROJECT, tmp_path_factory.mktemp("press")):
        yield stand


@pytest_asyncio.fixture(loop_scope="session")
async def press(press_stand: Stand, tmp_path: Path) -> Press:
    """The project before anything was done to it."""
    return await press_stand.fresh(tmp_path / "project")


@pytest_asyncio.fixture(loop_scope="session")
async def added(added_stand: Stand, tmp_path: Path) -> Press:
    """The project with the target model added and migrated, no page converted."""
    return await added_stand.fresh(tmp_path / "project")


@pytest_asyncio.fixture(loop_scope="session")
async def shapes(shapes_stand: Stand, tmp_path: Path) -> Press:
    """The project with pages of many shapes."""
    return await shapes_stand.fresh(tmp_path / "project")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def press_shapes(
    cluster: Cluster, press_filled: Address, tmp_path_factory: pytest.TempPathFactory
) -> Address:
    """A database with pages of many shapes and references to them, to be cloned."""
    folder = tmp_path_factory.mktemp("shapes") / "project"
    press = await _clone(cluster, press_filled, "press_shapes", PROJECT, folder)
    await press.shell(FILL)
    return press.database


async def _clone(
    cluster: Cluster, filled: Address, name: str, project: Path, folder: Path
) -> Press:
    await _create(cluster, name, filled)
    shutil.copytree(project, folder, ignore=shutil.ignore_patterns("__pycache__"))
    address = filled.at(name)
    return Press(folder, address, _environment(address), cluster.address("postgres"))


async def _create(cluster: Cluster, name: str, filled: Address) -> None:
    async with await connect(cluster.address("postgres")) as connection:
        await connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER {}").format(
                sql.Identifier(name), sql.Identifier(filled.database), sql.Identifier(OWNER)
            )
        )
