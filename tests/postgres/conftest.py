"""What the database tests share: a reporting ear, the tools, a filled database, an SSH login."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from tests.conftest import APP_PASSWORD, OWNER
from wizard.events import Event, Events, Report
from wizard.hostkeys import trust
from wizard.postgres.address import Address, connect
from wizard.postgres.tools import Tool, find
from wizard.redaction import Secret
from wizard.remote import Connection, Login, host_key
from wizard.remote import connect as log_in
from wizard.sandbox.cluster import Cluster, binaries
from wizard.sandbox.sshd import SshServer

CONTENT = """
    CREATE TABLE author (id serial PRIMARY KEY, name text NOT NULL UNIQUE);
    CREATE TABLE page (
        id serial PRIMARY KEY,
        author_id integer REFERENCES author,
        title varchar(255) NOT NULL,
        body text,
        data jsonb,
        seen timestamptz,
        took interval,
        score double precision,
        file bytea
    );
    CREATE INDEX page_title ON page (title);
    INSERT INTO author (name) SELECT 'Author ' || i FROM generate_series(1, 10) i;
    INSERT INTO page (author_id, title, body, data, seen, took, score, file)
    SELECT i % 10 + 1, 'Page ' || i, repeat(md5(i::text), 20), jsonb_build_object('n', i),
           timestamptz '2026-01-01 12:00 UTC' + i * interval '1 hour', i * interval '1 minute',
           i / 7.0::float8, decode(md5(i::text), 'hex')
    FROM generate_series(1, 2000) i;
"""


@pytest.fixture
def events() -> list[Event]:
    return []


@pytest.fixture
def report(events: list[Event]) -> Report:
    bus = Events()
    bus.subscribe(events.append)
    return Report(bus, "test")


async def tool(name: str, major: int) -> Tool:
    return (await find(name, configured=binaries(major)))[0]


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


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def cluster_16(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Cluster]:
    """A PostgreSQL 16 beside the 18s, with the role `app`."""
    root = tmp_path_factory.mktemp("old")
    password = Secret("old-password")
    cluster = Cluster(root, user="old", password=password, major=16, durable=False)
    await cluster.start()
    try:
        await cluster.create_role(OWNER, APP_PASSWORD)
        yield cluster
    finally:
        await cluster.stop()
        shutil.rmtree(root)


@pytest.fixture
async def database_16(cluster_16: Cluster) -> AsyncIterator[Address]:
    """A fresh empty database on PostgreSQL 16, owned and reached by `app`."""
    await cluster_16.create_database("empty", owner=OWNER)
    yield replace(cluster_16.address("empty"), user=OWNER, password=APP_PASSWORD)
    await cluster_16.drop_database("empty")


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
