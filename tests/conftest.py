"""Real parts for every test: two PostgreSQL clusters, and an SSH server in front of one."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
import pytest_asyncio

from wizard.postgres.address import Address
from wizard.redaction import Secret
from wizard.sandbox.cluster import Cluster
from wizard.sandbox.sshd import SshServer, login_environment

pytest_plugins = ["tests.served"]

OWNER = "app"  # as a site's own role is: makes databases, is no superuser
APP_PASSWORD = Secret("app-password")
_numbers = count(1)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def cluster(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Cluster]:
    """The developer's PostgreSQL 18, superuser `developer`, with the role `app`."""
    async for running in _cluster(tmp_path_factory.mktemp("near"), "developer"):
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def far_cluster(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Cluster]:
    """Production's PostgreSQL 18, superuser `production`, with the role `app`."""
    async for running in _cluster(tmp_path_factory.mktemp("far"), "production"):
        yield running


@pytest_asyncio.fixture
async def database(cluster: Cluster) -> AsyncIterator[Address]:
    """A fresh empty database on `cluster`, owned and reached by `app`."""
    async for address in _database(cluster):
        yield address


@pytest_asyncio.fixture
async def far_database(far_cluster: Cluster) -> AsyncIterator[Address]:
    """A fresh empty database on `far_cluster`, owned and reached by `app`."""
    async for address in _database(far_cluster):
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


async def _cluster(root: Path, user: str) -> AsyncIterator[Cluster]:
    cluster = Cluster(root, user=user, password=Secret(f"{user}-password"), durable=False)
    await cluster.start()
    try:
        await cluster.create_role(OWNER, APP_PASSWORD)
        yield cluster
    finally:
        await cluster.stop()
        shutil.rmtree(root)


async def _database(cluster: Cluster) -> AsyncIterator[Address]:
    name = f"test_{next(_numbers)}"
    await cluster.create_database(name, owner=OWNER)
    yield replace(cluster.address(name), user=OWNER, password=APP_PASSWORD)
    await cluster.drop_database(name)
