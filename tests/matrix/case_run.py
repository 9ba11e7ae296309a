"""A case of the matrix, played: converted, looked at, driven, with all that was seen."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from psycopg import sql

from tests.matrix import observer, table_differences
from tests.matrix.cases import Direction
from tests.support.environments import Version, environment, interpreter, run
from wizard.base.errors import RemodelError
from wizard.base.redaction import Secret
from wizard.postgres.address import Address, connect
from wizard.project.worker_client import WorkerClient
from wizard.sandbox.cluster import Cluster

HERE = Path(__file__).parent
OWNER = "every"
PASSWORD = Secret("every-password")
PREFIX = "new_"
SETTINGS = "config.settings"
REBUILD = """
import django
django.setup()
from django.core.management import call_command
call_command("rebuild_references_index", verbosity=0)
call_command("update_index", verbosity=0)
"""
_numbers = count(1)


@dataclass(frozen=True)
class Home:
    """The project's folder and database under one Wagtail."""

    version: Version
    python: Path
    project: Path
    database: Address

    @property
    def given(self) -> dict[str, str]:
        """The environment that the project's settings read."""
        assert self.database.password is not None
        return {
            "EVERY_DATABASE": self.database.database,
            "EVERY_HOST": self.database.host,
            "EVERY_USER": self.database.user,
            "EVERY_PASSWORD": self.database.password.reveal(),
            "DJANGO_SETTINGS_MODULE": SETTINGS,
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def site(self) -> WorkerClient:
        """The project's worker, not started."""
        return WorkerClient(self.python, self.project, SETTINGS, environment=self.given)

    async def django(self, *args: str) -> str:
        """What a Python of the project prints."""
        return await run(self.python, *args, folder=self.project, given=self.given)

    async def drive(self, *args: str) -> dict[str, Any]:
        """What the site's editors and visitors see."""
        out = self.project / "seen.json"
        given = ("--settings", SETTINGS, "--user", "ana", "--out", str(out))
        await self.django(str(HERE / "drive.py"), *given, *args)
        seen: dict[str, Any] = json.loads(out.read_text())
        return seen


@dataclass
class Played:
    """What was seen of a case, each before and after; `failed` where the conversion was refused."""

    direction: Direction
    ids: str
    before: observer.Tables = field(default_factory=dict)
    plan: dict[str, Any] = field(default_factory=dict)
    result: dict[str, Any] = field(default_factory=dict)
    pages: list[int] = field(default_factory=list)
    page_ids: dict[int, int] = field(default_factory=dict)
    after: observer.Tables = field(default_factory=dict)
    rebuilt: observer.Tables = field(default_factory=dict)
    expected: observer.Expected | None = None
    differences: dict[str, list[str]] = field(default_factory=dict)
    seen: dict[str, Any] = field(default_factory=dict)
    check: dict[str, Any] = field(default_factory=dict)
    failed: str = ""


async def filled(cluster: Cluster, version: Version, base: Path, folder: Path) -> Home:
    """The project under this Wagtail, migrated and filled; its migrations are made here.

    Those of one Wagtail do not load on another: from 8.0, they name its swappable base page.
    """
    python = await environment(version, base)
    project = folder / version.name
    shutil.copytree(HERE / "project", project, ignore=shutil.ignore_patterns("__pycache__"))
    for app in ("members", "every"):
        (project / app / "migrations").mkdir()
        (project / app / "migrations" / "__init__.py").touch()
    name = f"every_{version.name.replace('.', '_')}"
    await cluster.create_database(name, owner=OWNER)
    address = replace(cluster.address(name), user=OWNER, password=PASSWORD)
    home = Home(version, python, project, address)
    await home.django("manage.py", "makemigrations", "members", "every", "-v0")
    await home.django("manage.py", "migrate", "-v0")
    await home.django("fill.py")
    await home.django("-c", REBUILD)
    return home


async def cloned(cluster: Cluster, home: Home, folder: Path) -> Home:
    """The same with a database and a folder of its own."""
    name = f"{home.database.database}_{next(_numbers)}"
    async with await connect(cluster.address("postgres")) as connection:
        await connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER {}").format(
                *(sql.Identifier(part) for part in (name, home.database.database, OWNER))
            )
        )
    shutil.copytree(home.project, folder / name)
    return replace(home, project=folder / name, database=home.database.at(name))


async def play(home: Home, direction: Direction, ids: str) -> Played:
    """Convert as an operator does, to the end, and look at everything there is to see."""
    case = Played(direction, ids)
    case.before = await observer.snapshot(home.database)
    try:
        async with home.site() as site:
            await _convert(site, case)
            case.check = await site.ask("check")
    except RemodelError as error:
        found = getattr(error, "found", "")
        case.failed = f"{type(error).__name__}: {error}\n{found}"
        return case
    case.after = await observer.snapshot(home.database)
    case.expected = observer.Expected(case.before, case.after, direction, case.page_ids)
    case.differences = table_differences.differences(case.expected.tables, case.after)
    await home.django("-c", REBUILD)
    case.rebuilt = await observer.snapshot(home.database)
    only, views = (
        ",".join(str(page) for page in pages) for pages in (case.page_ids.values(), _near(case))
    )
    case.seen = await home.drive("--publish", "--only", only, "--views", views)
    return case


def _near(case: Played) -> list[int]:
    """The converted pages, their children, and the page that refers to all: to be looked at.

    Every page's front end is asked for; every page's admin, on the real sites.
    """
    rows = case.after[observer.PAGE]
    tops = {row["path"] for row in rows if row["id"] in case.page_ids.values()}
    return [
        row["id"]
        for row in rows
        if row["path"] in tops or row["path"][:-4] in tops or row["slug"] == "other"
    ]


def conversion(direction: Direction, ids: str, pages: list[int]) -> dict[str, Any]:
    """The arguments of `convert_plan` and `convert`."""
    return {
        "old_type": direction.old_type,
        "new_type": direction.new_type,
        "pages": pages,
        "ids": ids,
        "prefix": PREFIX,
        "move": list(direction.move),
        "fields": direction.fields,
    }


async def _convert(site: WorkerClient, case: Played) -> None:
    direction = case.direction
    facts = await site.ask("find_pages", model=direction.old_type, selectors=direction.selectors)
    case.pages = [page["id"] for page in facts]
    given = conversion(direction, case.ids, case.pages)
    case.plan = await site.ask("convert_plan", **given)
    case.result = await site.ask("convert", **given)
    case.page_ids = {int(old): new for old, new in case.result["map"].items()}
    if case.ids == "new":
        await site.restart()
        await site.ask("delete_plan", id_map=case.page_ids)
        await site.ask("delete_originals", id_map=case.page_ids)
        await site.ask("restore_slugs", id_map=case.page_ids, prefix=PREFIX)


class Stage:
    """What has been made and played in this session."""

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        self._cluster = cluster
        self._folder = folder
        self._homes: dict[str, Home] = {}
        self._before: dict[str, dict[str, Any]] = {}
        self._played: dict[tuple[str, str, str], Played] = {}

    async def home(self, version: Version) -> Home:
        """The filled project under this Wagtail. Skips where no interpreter runs it."""
        base = interpreter(version)
        if base is None:
            wanted = " or ".join(version.pythons)
            pytest.skip(f"Wagtail {version.name}: this machine has no Python {wanted}")
        if version.name not in self._homes:
            self._homes[version.name] = await filled(self._cluster, version, base, self._folder)
        return self._homes[version.name]

    async def clone(self, version: Version) -> Home:
        """A copy of it to do something to."""
        return await cloned(self._cluster, await self.home(version), self._folder)

    async def answers(self, version: Version) -> dict[str, Any]:
        """What the site answers before anything is done to it."""
        if version.name not in self._before:
            self._before[version.name] = await (await self.clone(version)).drive()
        return self._before[version.name]

    async def play(self, version: Version, direction: Direction, ids: str) -> Played:
        """The case, played; later calls get what the first has seen."""
        key = (version.name, direction.name, ids)
        if key not in self._played:
            self._played[key] = await play(await self.clone(version), direction, ids)
        return self._played[key]
