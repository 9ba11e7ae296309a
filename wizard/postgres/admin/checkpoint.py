"""Checkpoints: copies of a database on its own server, made and brought back in seconds."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg import sql

from wizard.base.errors import OperationFailed, RemodelError
from wizard.base.events import Report
from wizard.base.process import to_its_end
from wizard.postgres import server
from wizard.postgres.address import Address
from wizard.postgres.admin.swap import swap
from wizard.postgres.database_settings import copy_settings
from wizard.postgres.dumps.restore import drop

STRATEGY_SINCE = 15


@dataclass(frozen=True)
class Checkpoint:
    """A copy that an undo can go back to. `size` is in bytes."""

    name: str
    oid: int
    size: int | None


async def make(address: Address, name: str, report: Report) -> Checkpoint:
    """Copy the database of `address` into the new database `name`.

    Raise OperationFailed that lists the sessions when the database is in use: PostgreSQL copies
    only what nobody is connected to.
    """
    async with server.operations(address) as session:
        await _copy(session, address.database, name)
        comment = f"Checkpoint of {address.database}, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
        await session.execute(
            sql.SQL("COMMENT ON DATABASE {} IS {}").format(
                sql.Identifier(name), sql.Literal(comment)
            )
        )
        there = {row.name: row for row in await server.databases_of(session)}
    report.finding("checkpoint", f"{name}, {there[name].size or 0:,} bytes")
    return Checkpoint(name, there[name].oid, there[name].size)


async def bring_back(address: Address, name: str, report: Report) -> None:
    """Make the database of `address` what the checkpoint `name` is; the checkpoint stays.

    What the database was is dropped, after the copy of the checkpoint has taken its place.
    Raise OperationFailed when either is in use.
    """
    live = address.database
    fresh, discarded = passing(name)
    for leftover in (fresh, discarded):
        await drop(address, leftover)
    async with server.operations(address) as session:
        await _copy(session, name, fresh)
        if live in {row.name for row in await server.databases_of(session)}:
            await copy_settings(session, live, fresh, report)
    try:
        await swap(address, fresh, discarded, report, terminate=False)
    except BaseException:
        with suppress(RemodelError):  # what stopped us is the error to tell
            await to_its_end(drop(address, fresh))
        raise
    await drop(address, discarded)


def passing(name: str) -> tuple[str, str]:
    """Return the databases that are there while the checkpoint `name` is brought back, or were
    left by that: the copy that takes the live name, and what had it."""
    return server.beside(name, "back"), server.beside(name, "discarded")


async def _copy(session: psycopg.AsyncConnection[Any], source: str, target: str) -> None:
    # FILE_COPY takes half the time of the default, WAL_LOG, for all but tiny databases.
    major = session.info.server_version // 10_000
    strategy = sql.SQL(" STRATEGY file_copy" if major >= STRATEGY_SINCE else "")
    statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}{}").format(
        sql.Identifier(target), sql.Identifier(source), strategy
    )
    if users := await server.sessions_of(session, source):  # known now; PostgreSQL waits 5 s
        raise _in_use(source, "\n".join(map(str, users)))
    try:
        await session.execute(statement)
    except psycopg.errors.ObjectInUse as error:
        raise _in_use(source, str(error)) from None
    except psycopg.Error as error:
        raise OperationFailed(
            f"Copying the database {source} to {target} failed.",
            found=str(error),
            hint="Our role must own it and have CREATEDB, and the disk must have room for it.",
        ) from None


def _in_use(name: str, users: str) -> OperationFailed:
    return OperationFailed(
        f"The database {name} is in use, so it cannot be copied.",
        found=users,
        hint="End these programs (a development server, a shell, psql) and try again.",
    )
