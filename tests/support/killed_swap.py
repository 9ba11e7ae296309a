"""A swap by a process that kills itself at a named point."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

from wizard.postgres import server
from wizard.postgres.address import Address

# A process of its own that swaps and kills itself at the named point; the password comes by
# standard input.
SWAPPING = """
import asyncio, os, signal, sys
import psycopg
from wizard.base.events import Events, Report
from wizard.postgres.admin import swap
from wizard.postgres.address import Address
from wizard.base.redaction import Secret

database, host, port, user, beside, kept, point = sys.argv[1:]
address = Address(database, host, int(port), user, Secret(sys.stdin.readline().strip()))

def killed(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

async def killing(*_, **__):
    killed()

if point == "before it is closed":
    swap._refuse_untouchable = killing
elif point == "closed":
    swap._terminate = killing
elif point == "emptied":
    swap._commit = killing
elif point == "renamed, not committed":
    execute = psycopg.AsyncConnection.execute
    async def renaming(self, query, *args, **kwargs):
        result = await execute(self, query, *args, **kwargs)
        text = query.as_string() if hasattr(query, "as_string") else str(query)
        if " RENAME TO " in text:
            killed()
        return result
    psycopg.AsyncConnection.execute = renaming
elif point == "committed":
    Report.finding = killed
asyncio.run(swap.swap(address, beside, kept, Report(Events(), ""), terminate=True))
"""


def killed_at(point: str, live: Address, beside: str, kept: str) -> None:
    assert live.password is not None
    arguments = [live.database, live.host, str(live.port), live.user, beside, kept, point]
    done = subprocess.run(
        [sys.executable, "-c", SWAPPING, *arguments],
        input=live.password.reveal(),
        text=True,
        capture_output=True,
        cwd=Path(__file__).parents[2],
        timeout=60,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr


async def alone_with(live: Address) -> None:
    """Until the server has noticed: a killed process' session ends, and its transaction with it."""
    async with asyncio.timeout(20), server.operations(live) as session:
        while True:
            cursor = await session.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'remodel' "
                "AND pid <> pg_backend_pid()"
            )
            if await cursor.fetchone() == (0,):
                return
            await asyncio.sleep(0.01)
