"""What the database tests share: the tools, filled databases, an SSH login."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest
import pytest_asyncio

from tests.postgres.dependants_ddl import DJANGO
from tests.support.dependants import as_app
from tests.support.postgres import CONTENT, Fetching, fresh, say, started, tool
from wizard.base.events import Report
from wizard.postgres import server
from wizard.postgres.address import Address, connect
from wizard.postgres.dumps.dump import fetch
from wizard.postgres.dumps.restore import create_beside, drop
from wizard.postgres.dumps.tools import Tool
from wizard.sandbox.cluster import Cluster
from wizard.sandbox.sshd import SshServer
from wizard.ssh.connection import Connection, Login, host_key
from wizard.ssh.connection import connect as log_in
from wizard.ssh.hostkeys import trust


@pytest.fixture
async def pg_dump() -> Tool:
    return await tool("pg_dump", 18)


@pytest.fixture
async def pg_dump_16() -> Tool:
    return await tool("pg_dump", 16)


@pytest.fixture
async def pg_restore() -> Tool:
    return await tool("pg_restore", 18)


@pytest.fixture
async def filled(database: Address) -> Address:
    """`database` with 2,000 pages."""
    async with await connect(database) as connection:
        await connection.execute(CONTENT)
    return database


@pytest.fixture
async def far_filled(far_database: Address) -> Address:
    """The same on the far side."""
    async with await connect(far_database) as connection:
        await connection.execute(CONTENT)
    return far_database


@pytest.fixture
def fetching(
    connection: Connection, far_filled: Address, report: Report, pg_dump: Tool, pg_restore: Tool
) -> Fetching:
    """Dumps `far_filled` over SSH into a path; other tools than usual by their names."""
    over_ssh = partial(fetch, connection, far_filled, far_filled)
    return partial(over_ssh, report=report, pg_dump=pg_dump, pg_restore=pg_restore)


@pytest.fixture
def spying(tmp_path: Path, pg_dump: Tool) -> tuple[Tool, Path]:
    """A pg_dump that writes down how it and its shell were called, and where it writes that."""
    seen, spy = tmp_path / "seen", tmp_path / "spy" / "pg_dump"
    spy.parent.mkdir()
    spy.write_text(
        f"#!/bin/sh\ntr '\\0' ' ' </proc/$PPID/cmdline >>{seen}\necho \"$0 $@\" >>{seen}\n"
        f'exec {pg_dump.path} "$@"\n'
    )
    spy.chmod(0o755)
    return replace(pg_dump, path=spy), seen


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def cluster_16(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Cluster]:
    """A PostgreSQL 16 beside the 18s, with the role `app`."""
    async for running in started(tmp_path_factory.mktemp("old"), "old", major=16):
        yield running


@pytest.fixture
async def database_16(cluster_16: Cluster) -> AsyncIterator[Address]:
    """A fresh empty database on PostgreSQL 16, owned and reached by `app`."""
    async for address in fresh(cluster_16):
        yield address


DEBIAN_15 = Path("/usr/lib/postgresql/15/bin")
MAJORS = [
    pytest.param(
        "debian",
        id="15",
        marks=[
            pytest.mark.slow,
            pytest.mark.skipif(not DEBIAN_15.is_dir(), reason="Debian's 15 is not installed"),
        ],
    ),
    pytest.param("cluster_16", id="16"),
    pytest.param("cluster", id="18"),
]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def debian(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Cluster]:
    """Debian's PostgreSQL 15, with the role `app`."""
    async for running in started(tmp_path_factory.mktemp("deb"), "debian", 16, DEBIAN_15):
        yield running


@pytest.fixture(params=MAJORS)
def on(request: pytest.FixtureRequest) -> Cluster:
    """One PostgreSQL after the other; each is started for the first test that needs it."""
    cluster: Cluster = request.getfixturevalue(request.param)
    return cluster


@pytest.fixture
async def superuser(on: Cluster) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
    """A superuser's session in a database of `app` with Django's tables; and the role `report`."""
    async with (
        asynccontextmanager(fresh)(on) as address,
        await connect(on.address(address.database)) as connection,
    ):
        await connection.execute("CREATE ROLE report")
        await as_app(connection, DJANGO)
        yield connection
        await connection.execute("RESET ROLE; DROP OWNED BY report CASCADE; DROP ROLE report")


@pytest.fixture
async def live(database: Address) -> AsyncIterator[Address]:
    """A database that says it is the old one; whatever is beside it goes away in the end."""
    await say(database, "old")
    yield database
    for each in await server.databases(database):
        if each.name.startswith(f"{database.database}__"):
            await drop(database, each.name, force=True)


@pytest.fixture
async def beside(live: Address, report: Report) -> str:
    name = server.beside(live.database, "new")
    await create_beside(live, name, like=live.database, report=report)
    await say(live.at(name), "new")
    return name


@pytest.fixture
def kept(live: Address) -> str:
    return server.beside(live.database, "old")


@pytest.fixture
async def login(ssh_server: SshServer, tmp_path: Path) -> Login:
    """A login to `ssh_server` whose host key is trusted."""
    config = tmp_path / "ssh_config"
    ssh_server.write_ssh_config(config, "far")
    login = Login("far", tmp_path / "known_hosts", config)
    trust(login.known_hosts, await host_key(login))
    return login


@pytest.fixture
async def connection(login: Login) -> AsyncIterator[Connection]:
    async with log_in(login) as connection:
        yield connection


@pytest.fixture
def backups(tmp_path: Path) -> Path:
    return tmp_path / "backups"
