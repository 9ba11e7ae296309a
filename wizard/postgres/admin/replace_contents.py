"""Replacing what is in a live database by what a script holds, in one transaction.

For a role that may not make databases. Everybody who uses the site waits from the first lock to
the end of the transaction, as long as loading takes; whatever goes wrong before its end, the
server itself takes back, and the database is what it was.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from wizard.base.errors import OperationFailed
from wizard.base.events import Report
from wizard.postgres import server
from wizard.postgres.address import Address
from wizard.postgres.admin import rights
from wizard.postgres.dumps import loader, script
from wizard.postgres.server import Backend

# For one lock, behind whose queue every reader waits. Below the server's deadlock_timeout, one
# second: then we step back, and no editor is the victim of a deadlock with us.
LOCK_TIMEOUT = "300ms"
PATIENCE = 60.0  # seconds in which the locks are tried for, again and again
PAUSE = (0.2, 1.0)  # seconds between two attempts, at random

# Who has what we could not lock.
HOLDING = """
    SELECT DISTINCT a.pid, coalesce(a.usename, ''), coalesce(a.application_name, ''),
           coalesce(a.client_addr::text, ''), coalesce(a.state, '')
      FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
      JOIN pg_class c ON c.oid = l.relation JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE l.granted AND l.pid <> pg_backend_pid() AND a.datname = current_database()
       AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
     ORDER BY 1
"""

TABLES = """
    SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass
                         AND d.objid = c.oid AND d.deptype = 'e')
    ORDER BY 1, 2
"""
# All that is in a schema depends on it; what belongs to an extension, or to another object as an
# identity's sequence to its table, goes and comes with that.
OBJECTS = """
    SELECT i.type, i.identity
    FROM pg_depend d JOIN pg_namespace n ON n.oid = d.refobjid,
         pg_identify_object(d.classid, d.objid, 0) i
    WHERE d.refclassid = 'pg_namespace'::regclass AND d.deptype = 'n'
      AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
      AND d.classid <> 'pg_extension'::regclass AND NOT EXISTS (
          SELECT FROM pg_depend e
          WHERE e.classid = d.classid AND e.objid = d.objid AND e.deptype IN ('e', 'i'))
    ORDER BY i.type <> 'table', d.objid
"""
# As pg_identify_object() words them (src/backend/catalog/objectaddress.c), where DROP has others.
DROPPED_AS = {"composite type": "TYPE", "statistics object": "STATISTICS"}
SCHEMAS = """
    SELECT nspname FROM pg_namespace n
    WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'public')
      AND NOT EXISTS (SELECT FROM pg_extension e WHERE e.extnamespace = n.oid)
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_namespace'::regclass
                         AND d.objid = n.oid AND d.deptype = 'e')
"""

Step = Callable[[], Awaitable[None]]
Made = Callable[[psycopg.AsyncConnection[Any]], Awaitable[None]]


async def refill(
    address: Address,
    path: Path,
    report: Report,
    *,
    check: Step,
    begun: Callable[[int], None],
    made: Made,
    search_path: str = "",
) -> None:
    """Empty the database of our objects and load the script at `path`, all or nothing.

    `check` runs once nobody can write any more; what it raises leaves everything as it is.
    `begun` gets the transaction's id before the end, for a later `outcome`. `made` makes, in the
    transaction, what the script does not bring. A lock that somebody
    holds is tried for again, with everything taken back in between, so that nobody waits long.
    Raise OperationFailed with the server's own words, or naming who holds one.
    """
    deadline = time.monotonic() + PATIENCE
    async with server.session(address) as connection:
        while True:
            try:
                async with connection.transaction():
                    await _refill(connection, path, report, check, begun, made, search_path)
                break
            except psycopg.errors.LockNotAvailable as error:
                holders = await _holders(connection)
                if time.monotonic() > deadline:
                    raise OperationFailed(
                        f"Somebody holds on to {address.database} and does not let it be replaced.",
                        found="\n".join([str(error).splitlines()[0], *map(str, holders)]),
                        hint="Everything is as it was. Stop the service by a command in `before`, "
                        "or have these end their work, then try again.",
                    ) from None
                report.line("locks", f"waiting for {'; '.join(map(str, holders)) or 'a lock'}")
            await asyncio.sleep(random.uniform(*PAUSE))
        await connection.execute("ANALYZE")


async def _refill(
    connection: psycopg.AsyncConnection[Any],
    path: Path,
    report: Report,
    check: Step,
    begun: Callable[[int], None],
    made: Made,
    search_path: str,
) -> None:
    """Do it once, in the open transaction."""
    tell = partial(report.progress, total=path.stat().st_size, unit="bytes", note="loading")
    await connection.execute("SELECT set_config('lock_timeout', %s, true)", [LOCK_TIMEOUT])
    tables = await _tables(connection)
    await _lock(connection, tables, "SHARE ROW EXCLUSIVE")  # readers go on while it is checked
    as_live = await rights.read(connection)
    objects = await _objects(connection)
    await check()
    await _lock(connection, tables, "ACCESS EXCLUSIVE")
    await _empty(connection, objects)
    cursor = await connection.execute("SELECT txid_current()")
    (number,) = await cursor.fetchone() or (0,)
    begun(int(number))
    chunks = script.chunks(path, tell)
    await loader.fill(connection, chunks, path.name, report, search_path=search_path)
    await rights.give(connection, as_live, report)
    await made(connection)


async def outcome(address: Address, transaction: int) -> str:
    """Return what became of a transaction that `refill` began: `committed`, `aborted`, `in
    progress`.

    Empty when it is too long ago to be known (PostgreSQL documentation, 9.27.5, txid_status).
    """
    async with server.session(address) as connection:
        try:
            cursor = await connection.execute("SELECT txid_status(%s::bigint)", [transaction])
        except psycopg.errors.InvalidParameterValue:  # in the future: another server's
            return ""
        (status,) = await cursor.fetchone() or ("",)
        return str(status or "")


async def _tables(connection: psycopg.AsyncConnection[Any]) -> list[sql.Composable]:
    rows = await (await connection.execute(TABLES)).fetchall()
    return [sql.Identifier(*row) for row in rows]


async def _lock(
    connection: psycopg.AsyncConnection[Any], tables: Sequence[sql.Composable], mode: str
) -> None:
    """Lock the tables in one statement. Raise LockNotAvailable where somebody has one."""
    if tables:
        names = sql.SQL(", ").join(tables)
        lock = sql.SQL("LOCK TABLE {} IN {} MODE").format(names, sql.SQL(mode))
        await connection.execute(lock)


async def _holders(connection: psycopg.AsyncConnection[Any]) -> list[Backend]:
    """Return who has a lock on one of the tables."""
    return [Backend(*row) for row in await (await connection.execute(HOLDING)).fetchall()]


async def _objects(connection: psycopg.AsyncConnection[Any]) -> list[tuple[str, str]]:
    """Return what there is to drop, by kind and identity."""
    return await (await connection.execute(OBJECTS)).fetchall()


async def _empty(connection: psycopg.AsyncConnection[Any], objects: list[tuple[str, str]]) -> None:
    """Drop what is ours to drop. Extensions stay: only a superuser could make some of them.

    `objects` are those that were there before the check. Raise OperationFailed where there is
    another one by now: no lock keeps anybody from making a table, and the check has not seen
    its rows.
    """
    made = [
        f"{kind} {name}" for kind, name in await _objects(connection) if (kind, name) not in objects
    ]
    if made:
        raise OperationFailed(
            "Something was made in the database while it was about to be replaced.",
            found="\n".join(made),
            hint="Everything is as it was. Find out who did it, then try again.",
        )
    for kind, identity in objects:
        # The identity is quoted by the server, as DROP takes it.
        statement = f"DROP {DROPPED_AS.get(kind, kind.upper())} IF EXISTS {identity} CASCADE"
        await connection.execute(statement.encode(connection.info.encoding))
    for (schema,) in await (await connection.execute(SCHEMAS)).fetchall():
        await connection.execute(sql.SQL("DROP SCHEMA {}").format(sql.Identifier(schema)))
    await connection.execute("SELECT lo_unlink(oid) FROM pg_largeobject_metadata")
