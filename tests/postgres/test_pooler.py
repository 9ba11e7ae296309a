"""A real PgBouncer before the database: delivering through it, and swapping behind it."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from tests.support.postgres import APP_PASSWORD, ask
from wizard.base.events import Report
from wizard.postgres import server
from wizard.postgres.address import Address, connect
from wizard.postgres.admin import preflight, swap
from wizard.postgres.admin.preflight import Needs
from wizard.postgres.drift import fingerprint
from wizard.sandbox.account import unprivileged

PGBOUNCER = shutil.which("pgbouncer", path="/usr/sbin:/usr/bin:/usr/local/bin:/opt/homebrew/bin")

pytestmark = pytest.mark.skipif(PGBOUNCER is None, reason="PgBouncer is not installed here")


@pytest.fixture
async def pooled(live: Address, tmp_path: Path) -> AsyncIterator[Address]:
    """The live database as PgBouncer's clients reach it."""
    assert PGBOUNCER is not None
    folder = Path(live.host)  # the server's own, which its account may use
    users = folder / "users.txt"
    users.write_text(f'"{live.user}" "{APP_PASSWORD.reveal()}"\n')
    settings = folder / "pgbouncer.ini"
    settings.write_text(
        f"[databases]\n* = host={live.host} port={live.port}\n"
        f"[pgbouncer]\nlisten_addr =\nlisten_port = 6432\nunix_socket_dir = {folder}\n"
        f"auth_type = scram-sha-256\nauth_file = {users}\npool_mode = transaction\n"
        f"admin_users = {live.user}\nserver_login_retry = 1\n"
        "ignore_startup_parameters = extra_float_digits\n"
    )
    account = unprivileged()
    account.take(folder)
    process = await asyncio.create_subprocess_exec(
        *account.argv(Path(PGBOUNCER), str(settings)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        **account.spawn(),
    )
    address = replace(live, port=6432)
    try:
        async with asyncio.timeout(20):
            while True:
                with suppress(OSError):
                    _, writer = await asyncio.open_unix_connection(folder / ".s.PGSQL.6432")
                    writer.close()
                    break
                await asyncio.sleep(0.02)
        yield address
    finally:
        process.terminate()
        await process.wait()
        for path in (users, settings):
            path.unlink()


async def test_refuses_to_deliver_through_a_pooler(pooled: Address) -> None:
    found = await preflight.swap(pooled, Needs(), None)
    assert any(fault.startswith("this port is a pooler's") for fault in found.faults)


async def test_nothing_is_set_for_its_other_clients(pooled: Address) -> None:
    """What one sets, the next one of a transaction pool has."""
    async with await connect(pooled) as connection:
        assert not connection.info.options
    assert await server.client_settings(pooled) == {}
    async with await psycopg.AsyncConnection.connect(**pooled.parameters()) as other:
        cursor = await other.execute(
            "SELECT FROM pg_settings WHERE source IN ('client', 'session')"
            " AND name LIKE ANY (ARRAY['%timeout', 'default_transaction%'])"
        )
        assert await cursor.fetchall() == []


async def test_its_rows_are_counted_whatever_the_role_has(pooled: Address, live: Address) -> None:
    async with await connect(live) as connection:
        await connection.execute("INSERT INTO written SELECT generate_series(1, 20000)")
        await connection.execute(
            sql.SQL("ALTER DATABASE {} SET statement_timeout = '1ms'").format(
                sql.Identifier(live.database)
            )
        )
    prints = await fingerprint.tables(pooled)
    assert prints["written"].rows == 20000


async def test_clients_of_a_paused_pooler_wait_and_none_fails(
    live: Address, pooled: Address, beside: str, kept: str, report: Report
) -> None:
    """Otherwise a login that fails while the names are swapped makes it refuse everybody for
    `server_login_retry`, 15 seconds by default. PAUSE itself takes a connection that it finds in
    the middle of its login for one that failed, and its clients wait as long."""
    going, failed = True, list[str]()
    wrote = asyncio.Semaphore(0)

    async def write() -> None:
        try:
            async with await psycopg.AsyncConnection.connect(
                **pooled.parameters(), autocommit=True, prepare_threshold=None
            ) as connection:
                while going:
                    await connection.execute("INSERT INTO written VALUES (1)")
                    wrote.release()
        except psycopg.Error as error:
            failed.append(repr(error))

    async def some_more() -> None:
        for _ in range(50):
            await asyncio.wait_for(wrote.acquire(), 10)

    clients = [asyncio.create_task(write()) for _ in range(4)]
    async with await psycopg.AsyncConnection.connect(
        **pooled.at("pgbouncer").parameters(), autocommit=True, prepare_threshold=None
    ) as console:
        await some_more()
        await console.execute("PAUSE")  # what `before` is for
        await swap.swap(live, beside, kept, report, terminate=True)
        while wrote._value:  # what was written before
            await wrote.acquire()
        await console.execute("RESUME")  # and `after`
        await some_more()
    going = False
    await asyncio.gather(*clients)
    assert not failed
    assert await ask(pooled) == "new"
