"""Putting one database in another's place, by name, with the old one kept.

For the clients of the live database this is a window of some tens of milliseconds in which
connecting fails. Both renames are one transaction: the live name leads to the old database or to
the new one, never to neither.

What is written to the old database does not reach the new one, so the caller may look before the
renames: over a session that was there before the doors closed, and when nobody else is inside.
Nobody is: the database lets nobody in, not even a superuser; all sessions are ended and gone; and
whoever was on the way in is waited for, who holds a lock on the database until pg_stat_activity
has them (src/backend/utils/init/postinit.c, InitPostgres).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from wizard.base.errors import ConnectionFailed, OperationFailed, RemodelError
from wizard.base.events import Report
from wizard.base.process import to_its_end
from wizard.postgres import server
from wizard.postgres.address import Address
from wizard.postgres.server import Backend, DatabaseRow

PATIENCE = 5.0  # seconds for terminated sessions to be gone
LINGER = 1.0  # seconds that a session may take to go after its client has closed it
POLL = 0.002

Check = Callable[[psycopg.AsyncConnection[Any]], Awaitable[None]]
"""Looks at the live database before it is replaced, and raises to leave it in its place.

Called twice over one session: while the database is open, so that what is slow or refuses costs
nobody anything, and when nobody else is inside, so that what it sees is the last there is.
"""

# Whose sessions pg_terminate_backend() lets `me` end: `r` is the session's role.
MAY_END = """(me.rolsuper OR (NOT r.rolsuper AND (
    pg_has_role(me.oid, r.oid, 'USAGE') OR pg_has_role(me.oid, 'pg_signal_backend', 'USAGE'))))"""
# Ends sessions, again and again: a client may have been on its way in when the door closed. Then
# who is on the way in, and only then who is inside: whoever has arrived meanwhile is seen there,
# because what pg_stat_activity shows would otherwise be kept for the whole transaction, which
# these are together (src/backend/utils/activity/backend_status.c). In one go: the site waits.
ENDING = (
    f"""
    SELECT pg_terminate_backend(a.pid)
    FROM pg_stat_activity a JOIN pg_roles r ON r.oid = a.usesysid, pg_roles me
    WHERE me.rolname = current_user AND a.datname = {{name}} AND a.pid <> {{guard}} AND {MAY_END};

    SELECT EXISTS (
        SELECT FROM pg_locks l JOIN pg_database d ON d.oid = l.objid
        WHERE l.locktype = 'object' AND l.classid = 'pg_database'::regclass
          AND d.datname = {{name}} AND l.pid <> pg_backend_pid());

    SELECT pg_stat_clear_snapshot();
    """
    + server.SESSIONS
)


@dataclass(frozen=True)
class SwapState:
    """Which databases stand under the names of a swap, as OIDs; None is a name without one.

    `closed` says that the live database lets nobody in: a swap was cut off in its middle.
    """

    live: int | None
    beside: int | None
    kept: int | None
    closed: bool = False


async def observe(address: Address, beside: str, kept: str) -> SwapState:
    """Look at the names, so that a resume can tell what was done.

    Raise OperationFailed where the names stand as no swap leaves them: its renames are one
    transaction.
    """
    there = {row.name: row for row in await server.databases(address)}
    live = there.get(address.database)
    if kept in there and (beside in there or live is None):
        names = (address.database, beside, kept)
        raise OperationFailed(
            f"The databases beside {address.database} stand as no swap leaves them.",
            found="\n".join(
                f"{name}: {f'OID {there[name].oid}' if name in there else 'none'}" for name in names
            ),
            hint="Somebody made, renamed or dropped one. Find out which is which, put the names "
            "right by hand, then resume.",
        )
    return SwapState(
        live=live.oid if live else None,
        beside=there[beside].oid if beside in there else None,
        kept=there[kept].oid if kept in there else None,
        closed=live is not None and live.closed,
    )


async def swap(
    address: Address,
    beside: str,
    keep_as: str,
    report: Report,
    *,
    terminate: bool,
    check: Check | None = None,
) -> None:
    """Rename `address.database` to `keep_as` and `beside` to `address.database`.

    With `terminate` the live database is closed and our own role's sessions in it are ended;
    without, sessions are an error. The old database is kept and lets nobody in. Where there is
    no live database yet, only the new one is renamed. Raise OperationFailed that names the
    sessions in the way, or what `check` raises; the live database is open again then.
    """
    live = address.database
    async with server.operations(address) as session:
        there = {row.name: row for row in await server.databases_of(session)}
        _expect(there, present=[beside], absent=[keep_as])
        old = there.get(live)
        limit = _limit(old, there[beside])
        renames = [_rename(beside, live), _admit(live, limit)]
        if old is not None:
            renames = [_rename(live, keep_as), *renames, _close(keep_as, limit)]
        await _refuse_sessions(session, beside)
        if old is None:
            await _commit(session, renames, [beside])
        else:
            async with _emptied(session, address, limit, terminate, report, check):
                await _commit(session, renames, [live, beside])
    report.finding("swap", f"{live} is the new database" + (f"; {keep_as}: the old" if old else ""))


async def rollback(
    address: Address, kept: str, put_aside_as: str, report: Report, *, terminate: bool
) -> None:
    """Rename `address.database` to `put_aside_as`, and `kept` to `address.database`."""
    live = address.database
    async with server.operations(address) as session:
        there = {row.name: row for row in await server.databases_of(session)}
        _expect(there, present=[kept], absent=[put_aside_as])
        old = there.get(live)
        limit = _limit(old, there[kept])
        renames = [_rename(kept, live), _admit(live, limit)]
        if old is None:
            await _commit(session, renames, [kept])
        else:
            renames = [_rename(live, put_aside_as), *renames, _close(put_aside_as, limit)]
            async with _emptied(session, address, limit, terminate, report):
                await _commit(session, renames, [live, kept])
    report.finding("rollback", f"{live} is the old database again; {put_aside_as}: the other")


async def reopen(address: Address, limit: int = -1) -> None:
    """Let people into the live database again, over a connection of its own."""
    try:
        async with server.operations(address) as session:
            await session.execute(_admit(address.database, limit))
    except RemodelError as error:
        name = sql.Identifier(address.database).as_string()
        raise ConnectionFailed(
            f"The database {address.database} may be closed: a swap was cut off in its middle.",
            found=str(error),
            hint="Resume as soon as the connection is back, or let its owner run: "
            f"ALTER DATABASE {name} ALLOW_CONNECTIONS true CONNECTION LIMIT {limit}",
        ) from None


@asynccontextmanager
async def _emptied(
    session: psycopg.AsyncConnection[Any],
    address: Address,
    limit: int,
    terminate: bool,
    report: Report,
    check: Check | None = None,
) -> AsyncIterator[None]:
    """Empty the live database of sessions, and close it to new ones when `terminate`.

    Leaving by an exception opens it again.
    """
    name = address.database
    async with AsyncExitStack() as stack:
        guard = None
        if check is not None:
            guard = await stack.enter_async_context(server.session(address))
            await check(guard)
        if not terminate:
            if guard is not None:
                await guard.close()
            await _refuse_sessions(session, name)
            yield
            return
        await _refuse_untouchable(session, name)
        began = time.monotonic()
        try:
            await session.execute(
                sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(sql.Identifier(name))
            )
            await _terminate(session, name, guard.info.backend_pid if guard else 0)
            if check is not None and guard is not None:
                await check(guard)
                await guard.close()
                await _terminate(session, name)
            yield
        except BaseException:
            await to_its_end(reopen(address, limit))
            raise
        report.finding("closed for", f"{(time.monotonic() - began) * 1000:.0f} ms")


async def _terminate(session: psycopg.AsyncConnection[Any], name: str, guard: int = 0) -> None:
    """End our role's sessions but `guard`, and wait until nobody is inside or on the way in.

    Terminating is asynchronous: a row that a session commits in between would be in the old
    database only.
    """
    ending = sql.SQL(ENDING).format(name=sql.Literal(name), guard=sql.Literal(guard))
    deadline = time.monotonic() + PATIENCE
    while True:
        cursor = await session.execute(ending)
        cursor.nextset()
        arriving = await cursor.fetchone()
        cursor.nextset()
        cursor.nextset()
        users = [Backend(*row) for row in await cursor.fetchall() if row[0] != guard]
        if not users and arriving == (False,):
            return
        if time.monotonic() > deadline:
            raise _in_use(name, users, "somebody is connecting")
        await asyncio.sleep(POLL)


async def untouchable(session: psycopg.AsyncConnection[Any], name: str) -> list[Backend]:
    """Return the sessions in a database that our role may not end."""
    cursor = await session.execute(
        f"""
        SELECT a.pid FROM pg_stat_activity a JOIN pg_roles r ON r.oid = a.usesysid, pg_roles me
        WHERE me.rolname = current_user AND a.datname = %s AND NOT {MAY_END}
        """,
        [name],
    )
    pids = {pid for (pid,) in await cursor.fetchall()}
    return [other for other in await server.sessions_of(session, name) if other.pid in pids]


async def _refuse_untouchable(session: psycopg.AsyncConnection[Any], name: str) -> None:
    """Raise for sessions that our role may not end, before anything is closed.

    A rename would wait five seconds for them and fail, with the site down meanwhile.
    """
    if users := await untouchable(session, name):
        raise OperationFailed(
            f"The database {name} has sessions that our role may not end.",
            found="\n".join(map(str, users)),
            hint="Have their owner end them, or a superuser; the database is open as before.",
        )


async def require_unused(address: Address) -> None:
    """Raise OperationFailed, naming them, while there are sessions in the database."""
    async with server.operations(address) as session:
        await _refuse_sessions(session, address.database)


async def _refuse_sessions(session: psycopg.AsyncConnection[Any], name: str) -> None:
    """Wait for sessions that their clients have just closed, then refuse those that stay."""
    deadline = time.monotonic() + LINGER
    while users := await server.sessions_of(session, name):
        if time.monotonic() > deadline:
            raise _in_use(name, users)
        await asyncio.sleep(POLL)


async def _commit(
    session: psycopg.AsyncConnection[Any], statements: list[sql.Composed], names: list[str]
) -> None:
    try:
        async with session.transaction():
            await session.execute(sql.SQL("; ").join(statements))  # in one go: the site waits
    except psycopg.errors.ObjectInUse as error:
        users = [other for name in names for other in await server.sessions_of(session, name)]
        raise _in_use(" or ".join(names), users, str(error)) from None
    except psycopg.Error as error:
        if session.closed:  # perhaps while it was committed, and the answer was cut off
            raise ConnectionFailed(
                f"The connection was lost while {' and '.join(names)} were renamed.",
                found=str(error),
                hint="All of it happened or nothing of it. Resume: it looks which.",
            ) from None
        raise OperationFailed(
            f"Renaming {' and '.join(names)} failed.",
            found=str(error),
            hint="Nothing was renamed. Our role must own both databases and have CREATEDB.",
        ) from None


def _limit(live: DatabaseRow | None, other: DatabaseRow) -> int:
    """Return the connection limit to keep: the live database's, or the other one's where the live
    one is closed."""
    chosen = live if live is not None and live.connection_limit != 0 else other
    return chosen.connection_limit or -1


def _rename(name: str, to: str) -> sql.Composed:
    return sql.SQL("ALTER DATABASE {} RENAME TO {}").format(
        sql.Identifier(name), sql.Identifier(to)
    )


def _admit(name: str, limit: int) -> sql.Composed:
    return sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS true CONNECTION LIMIT {}").format(
        sql.Identifier(name), sql.Literal(limit)
    )


def _close(name: str, limit: int) -> sql.Composed:
    return sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false CONNECTION LIMIT {}").format(
        sql.Identifier(name), sql.Literal(limit)
    )


def _expect(there: dict[str, DatabaseRow], *, present: list[str], absent: list[str]) -> None:
    for name in present:
        if name not in there:
            raise OperationFailed(
                f"There is no database {name} to put in place.",
                found="Databases: " + ", ".join(there),
            )
    for name in absent:
        if name in there:
            raise OperationFailed(
                f"There is a database {name} already.",
                hint="Look at it; drop it if it is not needed any more.",
            )


def _in_use(name: str, users: list[Backend], error: str = "") -> OperationFailed:
    return OperationFailed(
        f"The database {name} is in use.",
        found="\n".join(map(str, users)) or error,
        hint="End these programs (a development server, a shell, psql) and try again. The "
        "database is open and as it was.",
    )
