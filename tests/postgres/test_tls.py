"""A database that is reached over a network: by TLS, and by no other server than the one meant."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.postgres import APP_PASSWORD, CONTENT, OWNER, tool
from tests.support.tls import Authority, authority, listening
from wizard.base.errors import ConfigError, ConnectionFailed
from wizard.base.events import Report
from wizard.base.redaction import Secret
from wizard.postgres import server
from wizard.postgres.address import Address, connect
from wizard.postgres.drift import fingerprint
from wizard.postgres.dumps import dump, restore, routes, tools
from wizard.sandbox.cluster import Cluster


@pytest.fixture
def ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Authority:
    """The authority that libpq trusts, here and in pg_dump."""
    made = authority(tmp_path / "ours.pem")
    monkeypatch.setenv("PGSSLROOTCERT", str(made.path))
    return made


@asynccontextmanager
async def reached(
    database: Address, sslmode: str, by: Authority | None, name: str = "localhost"
) -> AsyncIterator[Address]:
    """`database` by the network, from a server that says it is `name`, vouched for `by` whom."""
    socket = Path(database.host) / f".s.PGSQL.{database.port}"
    async with listening(socket, by.server(name) if by else None) as port:
        yield replace(database, host="localhost", port=port, sslmode=sslmode)


@pytest.mark.parametrize("sslmode", ["require", "verify-ca", "verify-full"])
async def test_connects_to_a_server_whose_certificate_is_vouched_for(
    sslmode: str, ours: Authority, database: Address
) -> None:
    async with reached(database, sslmode, ours) as address, await connect(address) as connection:
        assert connection.pgconn.ssl_in_use
        cursor = await connection.execute("SELECT current_database()")
        assert await cursor.fetchone() == (database.database,)


async def test_refuses_a_server_without_tls(ours: Authority, database: Address) -> None:
    async with reached(database, "require", None) as address:
        with pytest.raises(ConnectionFailed, match=f"{database.database} at localhost") as caught:
            await connect(address)
        assert "does not support SSL" in caught.value.found
        async with await connect(replace(address, sslmode="disable")) as connection:
            assert not connection.pgconn.ssl_in_use


async def test_refuses_a_server_of_another_name_or_authority(
    ours: Authority, database: Address, tmp_path: Path
) -> None:
    strange = authority(tmp_path / "strange.pem")
    async with reached(database, "verify-ca", strange) as address:
        with pytest.raises(ConnectionFailed) as caught:
            await connect(address)
    assert "certificate verify failed" in caught.value.found
    async with reached(database, "verify-full", ours, name="db.example.net") as address:
        with pytest.raises(ConnectionFailed) as caught:
            await connect(address)
    assert "does not match host name" in caught.value.found


async def test_no_pg_dump_with_tls_says_so(tmp_path: Path) -> None:
    """The newest here are built without, and are found and told."""
    here = await tools.find("pg_dump")
    major = max(each.major for each in here)
    if await tools.with_tls([each for each in here if each.major == major], "require"):
        pytest.skip(f"pg_dump {major} of this machine has TLS")
    with pytest.raises(ConfigError, match=f"may read PostgreSQL {major}") as caught:
        await routes.find(None, major, major, sslmode="require", configured=None)
    assert f"({(await tool('pg_dump', 18)).version}), built without TLS" in caught.value.found


@pytest.mark.slow
async def test_fetching_from_a_database_that_this_machine_reaches_by_tls(
    ours: Authority, database: Address, tmp_path: Path, report: Report
) -> None:
    """With the machine's own PostgreSQL, whose pg_dump has TLS; nothing goes over SSH."""
    installed = [
        each
        for each in await tools.with_tls(await tools.find("pg_dump"), "verify-full")
        if each.path.with_name("initdb").exists()
    ]
    if not installed:
        pytest.skip("no PostgreSQL of this machine has TLS")
    password = Secret("own-password")  # of whatever version: as the oldest embedded one is made
    cluster = Cluster(tmp_path / "own", user="own", password=password, major=16, durable=False)
    cluster.binaries = installed[0].path.parent
    try:
        await cluster.start()
        await cluster.create_role(OWNER, APP_PASSWORD)
        await cluster.create_database("site", owner=OWNER)
        there = replace(cluster.address("site"), user=OWNER, password=APP_PASSWORD)
        async with await connect(there) as connection:
            await connection.execute(CONTENT)
        expected = await fingerprint.tables(there)
        async with reached(there, "verify-full", ours) as address:
            majors = [(await server.about(each)).major for each in (address, database)]
            route = await routes.find(None, *majors, sslmode=address.sslmode, configured=None)
            made = await dump.by(route, None, address, address, tmp_path / "db", report)
        assert (route.far, route.pg_dump.major) == (False, installed[0].major)
    finally:
        await cluster.stop()
        shutil.rmtree(tmp_path / "own")
    beside = database.at(f"{database.database}_fetched")
    await restore.create_beside(database, beside.database, like=None, report=report)
    try:
        await restore.restore(made, beside, report, pg_restore=route.pg_restore)
        assert not fingerprint.difference(expected, await fingerprint.tables(beside))
    finally:
        await restore.drop(database, beside.database)
