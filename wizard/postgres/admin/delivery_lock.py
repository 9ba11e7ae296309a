"""Two operators at one target: the lock that keeps them apart, and who holds it.

An advisory lock is of the database that a session is in, and two roles may not get into the same
one. Everybody sees the whole server's locks, though: who has one looks for another's, wherever
that is, and both step back.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import psycopg

from wizard.base.errors import OperationFailed
from wizard.postgres import server
from wizard.postgres.address import Address
from wizard.postgres.server import Backend

PATIENCE = 5.0  # seconds for a session of ours to be gone
POLL = 0.002
IDLE = 30.0  # seconds after which something goes over the line, for whatever cuts idle ones


@dataclass(frozen=True)
class DeliveryLock:
    """The lock on a database, held by a session of its own."""

    session: psycopg.AsyncConnection[Any]
    key: int
    database: str

    async def require(self) -> None:
        """Raise OperationFailed unless the lock is ours still. Ask it just before an act."""
        try:
            if self.session.info.backend_pid in [
                holder.pid for holder in await _holders(self.session, self.key)
            ]:
                return
            why = "its session has it no more"
        except psycopg.Error as error:
            why = str(error).splitlines()[0]
        raise OperationFailed(
            f"The lock that keeps others from {self.database} was lost.",
            found=why,
            hint=f"{self.database} is as it was. Try again; somebody else may be at it.",
        )

    async def keep_awake(self) -> None:
        """Say something now and then, until cancelled. `require` tells where that failed."""
        with suppress(psycopg.Error):
            while True:
                await asyncio.sleep(IDLE)
                await self.session.execute("SELECT 1")


@asynccontextmanager
async def alone(address: Address, work: str) -> AsyncIterator[DeliveryLock]:
    """Hold the lock on the database of `address`: no other remodel delivers to it meanwhile.

    `work` tells others what the holder does. Raise OperationFailed that names who holds the lock.
    The lock ends with its session; but a server may take hours to notice that a connection was
    cut. A holder that does the very same work is therefore taken for our own, and ended.
    """
    digest = hashlib.sha256(f"remodel {address.database}".encode()).digest()
    key = int.from_bytes(digest[:8], signed=True)
    async with server.operations(address) as session:
        who = f"remodel, {work}, {_person()} at {socket.gethostname()}"
        cursor = await session.execute("SELECT set_config('application_name', %s, false)", [who])
        ((named,),) = await cursor.fetchall()  # cut to what a name may have
        deadline = time.monotonic() + PATIENCE
        while not await _locked(session, key):
            holders = [
                one for one in await _holders(session, key) if one.pid != session.info.backend_pid
            ]
            ours = [holder.pid for holder in holders if holder.application == named]
            if (holders and not ours) or time.monotonic() > deadline:
                raise OperationFailed(
                    f"Somebody else is delivering to {address.database} at this moment.",
                    found="\n".join(map(str, holders)),
                    hint="Talk to them. When they are done, look at the plan again: the database "
                    "is another one then.",
                )
            for pid in ours:
                await session.execute("SELECT pg_terminate_backend(%s)", [pid])
            await asyncio.sleep(POLL)
        lock = DeliveryLock(session, key, address.database)
        awake = asyncio.create_task(lock.keep_awake())
        try:
            yield lock
        finally:
            awake.cancel()
            await asyncio.gather(awake, return_exceptions=True)


async def _locked(session: psycopg.AsyncConnection[Any], key: int) -> bool:
    """Take the lock where nobody has it, in this session's database or another; or leave it."""
    cursor = await session.execute("SELECT pg_try_advisory_lock(%s)", [key])
    if await cursor.fetchone() != (True,):
        return False
    if [holder.pid for holder in await _holders(session, key)] == [session.info.backend_pid]:
        return True
    await session.execute("SELECT pg_advisory_unlock(%s)", [key])
    return False


async def _holders(session: psycopg.AsyncConnection[Any], key: int) -> list[Backend]:
    cursor = await session.execute(
        """
        SELECT a.pid, coalesce(usename, ''), coalesce(application_name, ''),
               coalesce(client_addr::text, ''), coalesce(state, '')
        FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
        WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
          AND l.classid::bigint << 32 | l.objid::bigint = %s
        """,
        [key],
    )
    return [Backend(*row) for row in await cursor.fetchall()]


def _person() -> str:
    return os.environ.get("USER") or os.environ.get("LOGNAME") or f"user {os.getuid()}"
