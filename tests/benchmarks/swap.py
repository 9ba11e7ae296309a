"""What four writing clients notice of a swap, and whether anything that they committed is lost.

`python -m tests.benchmarks.swap` runs this part alone. Two databases take each other's place fifty
times, each time with the drift since a baseline looked at inside the gate, as a delivery does.
Clients are processes of their own; each moves money between accounts, writes down that it did, and
connects anew whenever it is sent away. Its failing window is from the beginning of what failed
first to the end of what succeeded next, connecting included.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import random
import statistics
import tempfile
import time
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Event as Flag
from pathlib import Path
from typing import Any

import psycopg

from tests.benchmarks.ground import OWNER, Ground, ground
from wizard.base.events import Event, Events, Finding, Report
from wizard.postgres import server
from wizard.postgres.address import Address, connect
from wizard.postgres.admin import swap
from wizard.postgres.drift import baseline, drift
from wizard.postgres.dumps.restore import create_beside

SWAPS = 50
CLIENTS = 4
ACCOUNTS = 100
BETWEEN = 0.1  # seconds in which the clients write undisturbed
PAUSE = 0.005  # seconds until a client that was sent away tries again
GOAL = 50.0  # ms

FILL = f"""
    CREATE TABLE account (id int PRIMARY KEY, balance int NOT NULL);
    CREATE TABLE transfer (client int, number int, PRIMARY KEY (client, number));
    INSERT INTO account SELECT i, 1000 FROM generate_series(1, {ACCOUNTS}) i
"""
Noticed = tuple[int, int, list[tuple[float, float]]]
Written = set[tuple[int, int]]


def client(name: int, address: Address, stop: Flag, told: Queue[Noticed]) -> None:
    """Write until told to stop; then tell who we are, how many transfers were committed, and
    every interval in which nothing succeeded."""
    chance = random.Random(name)
    number, failing, since = 0, [], 0.0
    while not stop.is_set():
        began = time.monotonic()
        try:
            with psycopg.connect(**address.parameters()) as connection:
                while not stop.is_set():
                    began = time.monotonic()
                    one, other = chance.sample(range(1, ACCOUNTS + 1), 2)
                    with connection.transaction():
                        move = "UPDATE account SET balance = balance + %s WHERE id = %s"
                        for each, amount in sorted(((one, -1), (other, 1))):
                            connection.execute(move, (amount, each))
                        connection.execute("INSERT INTO transfer VALUES (%s, %s)", (name, number))
                    if since:
                        failing.append((since, time.monotonic()))
                        since = 0.0
                    number += 1
        except psycopg.errors.UniqueViolation:
            number += 1  # it had been committed, and the answer was cut off
        except psycopg.Error:
            since = since or began
            time.sleep(PAUSE)
    told.put((name, number, failing))


async def swapping(ground: Ground) -> dict[str, Any]:
    """Milliseconds of the failing window (median, largest), and of the closed gate, over swaps."""
    await ground.cluster.create_database("site", owner=OWNER)
    return await _swapping(ground.address("site"))


async def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with ground(Path(folder) / "cluster") as where:
            await swapping(where)


async def _swapping(live: Address) -> dict[str, Any]:
    closed: list[float] = []

    def heard(event: Event) -> None:
        if isinstance(event, Finding) and event.name == "closed for":
            closed.append(float(event.value.removesuffix(" ms")))

    events = Events()
    events.subscribe(heard)
    report = Report(events, "bench")
    one, other = server.beside(live.database, "one"), server.beside(live.database, "other")
    await create_beside(live, one, like=live.database, report=report)
    for address in (live, live.at(one)):
        async with await connect(address) as connection:
            await connection.execute(FILL)

    context = multiprocessing.get_context("spawn")
    stop, told = context.Event(), context.Queue()
    clients = [
        context.Process(target=client, args=(name, live, stop, told)) for name in range(CLIENTS)
    ]
    for each in clients:
        each.start()
    reported: Written = set()
    starts: list[float] = []
    try:
        await _until_written(live)
        for number in range(SWAPS):
            await asyncio.sleep(BETWEEN)
            new, old = (one, other) if number % 2 == 0 else (other, one)
            starts.append(time.monotonic())
            reported |= await _swap(live, new, old, report)
        await asyncio.sleep(BETWEEN)
    finally:
        stop.set()
        noticed: list[Noticed] = [await asyncio.to_thread(told.get, True, 60) for _ in clients]
        for each in clients:
            each.join(60)
    now, balance = await _held(live)
    assert balance == ACCOUNTS * 1000, "money was made or lost in the live database"
    for name, number, _ in noticed:
        lost = [each for each in range(number) if (name, each) not in now | reported]
        assert not lost, f"client {name}: committed, and neither there nor reported: {lost[:5]}"

    windows = _windows(starts, [interval for *_, failing in noticed for interval in failing])
    found = {
        "swaps": SWAPS,
        "clients": CLIENTS,
        "transfers": sum(number for _, number, _ in noticed),
        "window": statistics.median(windows),
        "largest": max(windows),
        "closed": statistics.median(closed),
    }
    print(
        f"{SWAPS} swaps under {CLIENTS} writers ({found['transfers']:,} transfers, none lost): "
        f"failing for {found['window']:.0f} ms at the median (goal {GOAL:.0f}), "
        f"{found['largest']:.0f} ms at most; the gate was closed for {found['closed']:.0f} ms",
        flush=True,
    )
    return found


async def _swap(live: Address, new: str, old: str, report: Report) -> Written:
    """One swap with its drift; returns what the old database holds, all of it reported."""
    async with baseline.held(live) as held:
        since = held.baseline
    watch = drift.Watch(since)
    seen = drift.Drift(())

    async def check(guard: psycopg.AsyncConnection[Any]) -> None:
        nonlocal seen
        seen = await watch.look(guard)

    await swap.swap(live, new, old, report, terminate=True, check=check)
    async with server.operations(live) as session:
        await session.execute(f'ALTER DATABASE "{old}" ALLOW_CONNECTIONS true'.encode())
    there, balance = await _held(live.at(old))
    assert balance == ACCOUNTS * 1000, "money was made or lost in the old database"
    changes = {change.table: change for change in seen.changes}
    more = len(there) - since.tables["transfer"].rows
    assert (changes["transfer"].written if more else 0) == more, "a write was not reported"
    return there


async def _held(address: Address) -> tuple[Written, int]:
    async with await connect(address) as connection:
        rows = await (await connection.execute("SELECT client, number FROM transfer")).fetchall()
        ((balance,),) = await (
            await connection.execute("SELECT sum(balance) FROM account")
        ).fetchall()
        return {(client, number) for client, number in rows}, int(balance)


async def _until_written(live: Address) -> None:
    async with asyncio.timeout(60):
        while len({client for client, _ in (await _held(live))[0]}) < CLIENTS:
            await asyncio.sleep(0.05)


def _windows(starts: list[float], failing: list[tuple[float, float]]) -> list[float]:
    """Milliseconds of each swap's longest interval."""
    longest = dict.fromkeys(starts, 0.0)
    for began, ended in failing:
        start = max((each for each in starts if each <= began), default=starts[0])
        longest[start] = max(longest[start], (ended - began) * 1000)
    return list(longest.values())


if __name__ == "__main__":
    asyncio.run(main())
