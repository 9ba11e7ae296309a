"""A real project in a real interpreter over a real database: `press`, as the worker meets it."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from psycopg import sql
from pytest_asyncio import is_async_test

from tests.worker.press import (
    PROJECT,
    PYTHON,
    REBUILD,
    SETUP,
    Console,
    Press,
    Staying,
    run_python,
)
from wizard.base.redaction import Secret
from wizard.postgres.address import Address, connect
from wizard.postgres.dumps import tools
from wizard.sandbox.cluster import Cluster

from .shapes import FILL

OWNER = "press"
PASSWORD = Secret("press-password")
FIELDS = ["artwork", "keywords", "explicit"]
MOVE: dict[str, Any] = {
    "old_type": "press.Blog",
    "new_type": "press.Podcast",
    "prefix": "new_",
    "fields": FIELDS,
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One event loop for all tests of this folder: that of the workers that stay."""
    for item in items:
        if is_async_test(item) and item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


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
async def press_filled(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Address:
    """A database with the project's content, to be cloned.

    It takes most of a minute to make, so of the processes that run tests the first one makes it,
    and leaves a dump to the others.
    """
    await cluster.create_role(OWNER, PASSWORD)
    await cluster.create_database("press_filled", owner=OWNER)
    address = replace(cluster.address("press_filled"), user=OWNER, password=PASSWORD)
    base = tmp_path_factory.getbasetemp()  # of this process, where several run tests
    made = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "press.dump"
    env = os.environ | tools.variables(address)
    with made.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if made.exists():
            restore = ["--no-owner", "--exit-on-error", f"--dbname={address.database}", str(made)]
            subprocess.run([cluster.binaries / "pg_restore", *restore], env=env, check=True)
            return address
        environment = _environment(address)
        await run_python(PROJECT, environment, "manage.py", "migrate", "-v0")
        await run_python(PROJECT, environment, "fill.py")
        await run_python(PROJECT, environment, "-c", SETUP + REBUILD)
        dump = [str(cluster.binaries / "pg_dump"), "--format=custom", f"--file={made}"]
        subprocess.run(dump, env=env, check=True)
    return address


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def press_added(
    cluster: Cluster, press_filled: Address, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A project whose new type is there and migrated, its database `press_added`."""
    folder = tmp_path_factory.mktemp("added") / "project"
    press = await _clone(cluster, press_filled, "press_added", PROJECT, folder)
    press.add_new_type()
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
    """The project with the new type added and migrated, no page converted."""
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
