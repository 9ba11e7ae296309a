"""Real parts for every test: two PostgreSQL clusters, and an SSH server in front of one."""

from __future__ import annotations

import resource
import subprocess
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import pytest_asyncio

from tests.support.postgres import APP_PASSWORD, OWNER, fresh, started
from tests.support.small_disk import SmallDisk, mounted
from wizard.base.events import Event, Events, Report
from wizard.postgres.address import Address
from wizard.sandbox.cluster import Cluster
from wizard.sandbox.sshd import SshServer, login_environment

HERE = Path(__file__).parent
SANDBOX = {"demo", "served"}

pytest_plugins = ["tests.support.sandbox"]


@pytest.hookimpl(tryfirst=True)  # before the groups are read
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep a file's tests together, which share what is made once, under --dist loadgroup too.

    A test in the sandbox is slow, since making that takes over half a minute.
    """
    for item in items:
        if SANDBOX & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.slow)
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(str(item.path.relative_to(HERE))))


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def cluster(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Cluster]:
    """The developer's PostgreSQL 18, superuser `developer`, with the role `app`."""
    async for running in started(tmp_path_factory.mktemp("near"), "developer"):
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def far_cluster(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Cluster]:
    """Production's PostgreSQL 18, superuser `production`, with the role `app`."""
    async for running in started(tmp_path_factory.mktemp("far"), "production"):
        yield running


@pytest_asyncio.fixture
async def database(cluster: Cluster) -> AsyncIterator[Address]:
    """A fresh empty database on `cluster`, owned and reached by `app`."""
    async for address in fresh(cluster):
        yield address


@pytest_asyncio.fixture
async def far_database(far_cluster: Cluster) -> AsyncIterator[Address]:
    """A fresh empty database on `far_cluster`, owned and reached by `app`."""
    async for address in fresh(far_cluster):
        yield address


@pytest_asyncio.fixture
async def ssh_server(far_cluster: Cluster, tmp_path: Path) -> AsyncIterator[SshServer]:
    """Production's machine: the user `deploy`, whose commands reach `far_cluster` as `app`."""
    home = tmp_path / "deploy"
    address = replace(far_cluster.address("postgres"), user=OWNER, password=APP_PASSWORD)
    server = SshServer(
        tmp_path / "sshd",
        user="deploy",
        environment=login_environment(home, address, far_cluster.binaries),
        home=home,
        sockets=far_cluster.sockets,
    )
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
def events() -> list[Event]:
    """What `report` was told."""
    return []


@pytest.fixture
def report(events: list[Event]) -> Report:
    bus = Events()
    bus.subscribe(events.append)
    return Report(bus, "test")


@pytest_asyncio.fixture
async def bastion(tmp_path: Path) -> AsyncIterator[SshServer]:
    """A jump host, which leads everywhere."""
    home = tmp_path / "jumper"
    home.mkdir()
    root, sockets = tmp_path / "bastion", tmp_path
    server = SshServer(root, user="jumper", environment={}, home=home, sockets=sockets)
    server.lets_through = True
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """A small file system of its own; where none can be mounted, this process may write no file
    that is longer, which is refused with another error number and in the same place."""
    folder = tmp_path / "small"
    folder.mkdir()
    if mounted(folder, SmallDisk.SIZE):
        yield SmallDisk(folder, partial(mounted, folder, 1 << 25, "remount,"))
        subprocess.run(["umount", str(folder)], check=True)
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    make_room = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (soft, hard))
    resource.setrlimit(resource.RLIMIT_FSIZE, (SmallDisk.SIZE, hard))
    try:
        yield SmallDisk(folder, make_room)
    finally:
        make_room()
