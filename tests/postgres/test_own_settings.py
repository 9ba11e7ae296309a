"""Our own sessions, whatever the role and the database have set for theirs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from tests.support.postgres import APP_PASSWORD, CONTENT, Fetching
from wizard.base.events import Report
from wizard.postgres import server
from wizard.postgres.address import Address, connect
from wizard.postgres.drift import baseline, fingerprint
from wizard.postgres.dumps.dump import Making, dump
from wizard.postgres.dumps.restore import create_beside, drop, restore
from wizard.postgres.dumps.tools import Tool
from wizard.sandbox.cluster import Cluster

HASTY = (
    "statement_timeout = '50ms'",
    "lock_timeout = '20ms'",
    "idle_in_transaction_session_timeout = '50ms'",
    "idle_session_timeout = '300ms'",
    "transaction_timeout = '60ms'",
    "default_transaction_read_only = on",
    "default_transaction_isolation = serializable",
    "default_transaction_deferrable = on",
)
AS_USUAL = {
    **dict.fromkeys(
        ["statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"], "0"
    ),
    **dict.fromkeys(["idle_session_timeout", "transaction_timeout"], "0"),
    "transaction_read_only": "off",
    "transaction_isolation": "read committed",
    "transaction_deferrable": "off",
}


@pytest.fixture(params=["ROLE hasty", "DATABASE hasty", "ROLE hasty IN DATABASE hasty"])
async def hasty(cluster: Cluster, request: pytest.FixtureRequest) -> AsyncIterator[Address]:
    """A filled database whose role, or which itself, is impatient and read-only by default."""
    async with await connect(cluster.address("postgres")) as superuser:
        await cluster.create_role("hasty", APP_PASSWORD)
        await cluster.create_database("hasty", owner="hasty")
        address = replace(cluster.address("hasty"), user="hasty", password=APP_PASSWORD)
        async with await connect(address) as connection:
            await connection.execute(CONTENT)
        for setting in HASTY:
            await superuser.execute(f"ALTER {request.param} SET {setting}".encode())
        yield address
        await drop(cluster.address("postgres"), "hasty", force=True)
        await superuser.execute("DROP ROLE hasty")


async def test_the_settings_do_what_they_say(hasty: Address) -> None:
    """To others: without this, the tests below would prove nothing."""
    async with await psycopg.AsyncConnection.connect(**hasty.parameters()) as connection:
        with pytest.raises(psycopg.Error, match="timeout"):
            await connection.execute("SELECT pg_sleep(1)")
    async with await psycopg.AsyncConnection.connect(**hasty.parameters()) as connection:
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            await connection.execute("CREATE TABLE refused ()")


async def test_a_session_of_ours_has_its_own(hasty: Address) -> None:
    async with await connect(hasty) as connection:
        for name, value in AS_USUAL.items():
            cursor = await connection.execute("SELECT current_setting(%s)", [name])
            assert await cursor.fetchone() == (value,), name
        await asyncio.sleep(0.4)
        await connection.execute("SELECT pg_sleep(0.1); CREATE TABLE allowed ()")
    async with server.session(hasty, autocommit=False) as connection:
        await connection.execute("SELECT 1")
        await asyncio.sleep(0.2)
        await connection.execute("DROP TABLE allowed")


async def test_options_of_the_environment_stay(
    hasty: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGOPTIONS", "-c search_path=elsewhere -c statement_timeout=1")
    async with await connect(hasty) as connection:
        cursor = await connection.execute(
            "SELECT current_setting('search_path'), current_setting('statement_timeout')"
        )
        assert await cursor.fetchone() == ("elsewhere", "0")


@pytest.mark.parametrize("script", [False, True])
async def test_dumped_and_restored(
    hasty: Address,
    tmp_path: Path,
    report: Report,
    pg_dump: Tool,
    pg_restore: Tool,
    *,
    script: bool,
) -> None:
    """Into a database that has the same settings before it has any contents."""
    reader = None if script else pg_restore
    before = await fingerprint.tables(hasty)
    path = tmp_path / ("hasty.sql.gz" if script else "hasty.dump")
    async with baseline.held(hasty):
        making = Making(script=script)
        made = await dump(hasty, path, report, pg_dump=pg_dump, pg_restore=reader, making=making)
    new = hasty.at("hasty_new")
    await create_beside(hasty, new.database, like=hasty.database, report=report)
    try:
        await restore(made, new, report, pg_restore=reader)
        assert await fingerprint.tables(new) == before
    finally:
        await drop(hasty, new.database, force=True)


async def test_the_far_pg_dump_has_them_too(
    fetching: Fetching,
    far_cluster: Cluster,
    far_filled: Address,
    spying: tuple[Tool, Path],
    tmp_path: Path,
) -> None:
    spy, seen = spying
    await fetching(tmp_path / "far.dump", pg_dump=spy)
    assert "statement_timeout=0" in seen.read_text()
