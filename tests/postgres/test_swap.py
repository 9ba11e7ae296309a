"""The live name leads to a whole database at every moment, whatever goes wrong."""

from __future__ import annotations

import asyncio
import itertools
import re
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import psycopg
import pytest

from tests.support.postgres import ask, fresh, say
from wizard.base.errors import ConnectionFailed, OperationFailed
from wizard.base.events import Report
from wizard.postgres import server
from wizard.postgres.address import Address, connect
from wizard.postgres.admin import checkpoint, delivery_lock, swap
from wizard.postgres.admin.delivery_lock import alone
from wizard.postgres.drift import fingerprint
from wizard.postgres.dumps.restore import create_beside, drop
from wizard.sandbox.cluster import Cluster

DoSwap = Callable[..., Coroutine[Any, Any, None]]


@pytest.fixture
def do_swap(live: Address, beside: str, kept: str, report: Report) -> DoSwap:
    """A delivery's swap of `live` and `beside`."""
    return partial(swap.swap, live, beside, kept, report, terminate=True)


async def facts(address: Address, name: str) -> server.DatabaseRow:
    return {each.name: each for each in await server.databases(address)}[name]


@dataclass
class Written:
    """What clients have written, each time another number; and what surprised them."""

    committed: set[int] = field(default_factory=set)
    surprises: list[str] = field(default_factory=list)
    wrote: asyncio.Event = field(default_factory=asyncio.Event)

    async def more(self, count: int) -> None:
        """Until so many more have been committed than by now."""
        goal = len(self.committed) + count
        while len(self.committed) < goal:
            self.wrote.clear()
            await asyncio.wait_for(self.wrote.wait(), 10)


@asynccontextmanager
async def writers(address: Address, count: int) -> AsyncIterator[Written]:
    """Clients that write, and connect anew whenever they are sent away."""
    written, numbers, going = Written(), itertools.count(), True

    async def write() -> None:
        while going:
            try:
                async with await psycopg.AsyncConnection.connect(
                    **address.parameters(), autocommit=True
                ) as connection:
                    while going:
                        number = next(numbers)
                        await connection.execute("INSERT INTO written VALUES (%s)", [number])
                        written.committed.add(number)
                        written.wrote.set()
            except psycopg.OperationalError:
                await asyncio.sleep(0.001)
            except psycopg.Error as error:
                written.surprises.append(repr(error))

    tasks = [asyncio.create_task(write()) for _ in range(count)]
    try:
        await written.more(count * 5)
        yield written
        await written.more(count * 5)
    finally:
        going = False
        await asyncio.gather(*tasks)


async def test_swaps_under_four_writers(
    live: Address, beside: str, kept: str, do_swap: DoSwap
) -> None:
    before = await swap.observe(live, beside, kept)
    async with server.operations(live) as session:
        await session.execute(f'ALTER DATABASE "{live.database}" CONNECTION LIMIT 30')
    async with writers(live, 4) as written:
        await do_swap()
    assert written.surprises == []
    assert await ask(live) == "new"
    after = await swap.observe(live, beside, kept)
    assert after == swap.SwapState(live=before.beside, beside=None, kept=before.live)
    now = await facts(live, live.database)
    assert (now.connection_limit, now.allows_connections) == (30, True)
    assert not (await facts(live, kept)).allows_connections
    assert (await fingerprint.tables(live))["written"].rows > 0


async def test_over_ten_swaps_no_committed_write_is_lost_unseen(
    live: Address, beside: str, kept: str, report: Report
) -> None:
    """Two databases take turns. What is seen before the renames is all there will ever be."""
    seen: set[int] = set()
    reported: set[int] = set()

    async def look(guard: psycopg.AsyncConnection[Any]) -> None:
        seen.clear()
        seen.update(await rows(guard))

    async with writers(live, 4) as written:
        for new, old in [(beside, kept), (kept, beside)] * 5:
            await written.more(1)
            await swap.swap(live, new, old, report, terminate=True, check=look)
            async with server.operations(live) as session:
                await session.execute(f'ALTER DATABASE "{old}" ALLOW_CONNECTIONS true')
            async with await connect(live.at(old)) as connection:
                assert await rows(connection) == seen
            reported |= seen
    async with await connect(live) as connection:
        assert written.committed <= reported | await rows(connection)
    assert written.surprises == []


async def rows(connection: psycopg.AsyncConnection[Any]) -> set[int]:
    cursor = await connection.execute("SELECT n FROM written")
    return {n for (n,) in await cursor.fetchall()}


async def test_a_failing_check_leaves_the_live_database_open(
    live: Address, beside: str, kept: str, do_swap: DoSwap, cluster: Cluster
) -> None:
    calls: list[bool] = []

    async def refuse(guard: psycopg.AsyncConnection[Any]) -> None:
        calls.append((await swap.observe(live, beside, kept)).closed)
        if len(calls) == 2:
            with pytest.raises(ConnectionFailed, match="not currently accepting"):
                await connect(cluster.address(live.database))  # not even a superuser
            raise OperationFailed("somebody wrote")

    async with server.operations(live) as session:
        await session.execute(f'ALTER DATABASE "{live.database}" CONNECTION LIMIT 30')
    with pytest.raises(OperationFailed, match="somebody wrote"):
        await do_swap(check=refuse)
    assert calls == [False, True]
    assert await ask(live) == "old"
    assert (await facts(live, live.database)).connection_limit == 30


async def test_waits_for_sessions_still_connecting(
    live: Address, do_swap: DoSwap, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A session that begins holds a lock on the database before pg_stat_activity has it."""
    monkeypatch.setattr(swap, "PATIENCE", 0.2)
    async with await connect(cluster.address("postgres"), autocommit=False) as other:
        # A lock on the same object, by a statement that can be held back.
        await other.execute(f"COMMENT ON DATABASE \"{live.database}\" IS 'held'".encode())
        with pytest.raises(OperationFailed, match="in use") as refused:
            await do_swap()
        assert "somebody is connecting" in refused.value.found
    assert await ask(live) == "old"
    await do_swap()
    assert await ask(live) == "new"


async def test_refuses_a_second_operator_and_names_the_first(live: Address) -> None:
    async with alone(live, "session 20261122-150405"):
        with pytest.raises(OperationFailed, match="Somebody else is delivering") as refused:
            async with alone(live, "session 20261122-150406"):
                pass
        assert "session 20261122-150405" in refused.value.found
        async with alone(live.at("another"), "session 20261122-150406"):
            pass
    async with alone(live, "session 20261122-150406"):
        pass


async def test_sees_a_second_operator_who_gets_into_another_database_only(
    cluster: Cluster, live: Address
) -> None:
    """One is in `postgres`, the other may not get in there and is in `template1`."""
    async with alone(live, "session 20261122-150405"):
        async with await connect(cluster.address("postgres")) as superuser:
            await superuser.execute("REVOKE CONNECT ON DATABASE postgres FROM PUBLIC")
            try:
                with pytest.raises(OperationFailed, match="Somebody else is delivering") as refused:
                    async with alone(live, "session 20261122-150406"):
                        pass
            finally:
                await superuser.execute("GRANT CONNECT ON DATABASE postgres TO PUBLIC")
        assert "session 20261122-150405" in refused.value.found


async def test_notices_that_its_lock_is_lost(
    live: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery_lock, "IDLE", 0.01)
    async with alone(live, "session 20261122-150405") as lock:
        await asyncio.sleep(0.1)
        await lock.require()
        pid = lock.session.info.backend_pid
        async with await connect(live) as connection:
            await connection.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
        await asyncio.sleep(0.1)
        with pytest.raises(OperationFailed, match="was lost") as refused:
            await lock.require()
        assert "is as it was" in refused.value.hint


async def test_the_same_session_takes_over_its_own_lock(
    live: Address,
) -> None:
    """The server does not know yet that nobody is there any more."""
    work = "session 20261122-150405"
    async with alone(live, work), alone(live, work):  # the same session, resumed
        others = await server.sessions(live.at("postgres"))
        assert len([each for each in others if work in each.application]) == 1


async def test_swaps_back(live: Address, kept: str, do_swap: DoSwap, report: Report) -> None:
    await do_swap()
    aside = server.beside(live.database, "aside")
    async with writers(live, 2) as written:
        await swap.rollback(live, kept, aside, report, terminate=True)
    assert written.surprises == []
    assert await ask(live) == "old"
    assert not (await facts(live, aside)).allows_connections
    with pytest.raises(OperationFailed, match=f"no database {kept}"):
        await swap.rollback(live, kept, "another", report, terminate=True)


async def test_swaps_in_where_no_live_database_exists(
    live: Address, beside: str, report: Report
) -> None:
    first = live.at(server.beside(live.database, "first"))
    await swap.swap(first, beside, "never_used", report, terminate=True)
    assert await ask(first) == "new"
    assert "never_used" not in {each.name for each in await server.databases(live)}


async def test_names_a_superusers_session_and_leaves_the_live_database_open(
    live: Address, do_swap: DoSwap, cluster: Cluster
) -> None:
    async with await connect(cluster.address(live.database)) as connection:
        with pytest.raises(OperationFailed, match="may not end") as caught:
            await do_swap()
        assert f"pid {connection.info.backend_pid}, role developer" in caught.value.found
    assert await ask(live) == "old"
    assert (await facts(live, live.database)).connection_limit == -1


async def test_a_session_that_stays_reopens_the_live_database(
    live: Address,
    beside: str,
    kept: str,
    do_swap: DoSwap,
    cluster: Cluster,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A superuser who comes after the check: the limit does not hold one back."""
    monkeypatch.setattr(swap, "PATIENCE", 0.2)
    came: list[psycopg.AsyncConnection[object]] = []
    check = swap._refuse_untouchable

    async def check_and_come(session: psycopg.AsyncConnection[object], name: str) -> None:
        await check(session, name)
        came.append(await connect(cluster.address(live.database)))

    monkeypatch.setattr(swap, "_refuse_untouchable", check_and_come)
    with pytest.raises(OperationFailed, match="in use") as caught:
        await do_swap()
    await came[0].close()
    assert "role developer" in caught.value.found
    assert await ask(live) == "old"
    assert await swap.observe(live, beside, kept) == swap.SwapState(
        live=(await facts(live, live.database)).oid,
        beside=(await facts(live, beside)).oid,
        kept=None,
    )


async def test_a_failing_rename_reopens_the_live_database(
    live: Address, beside: str, kept: str, do_swap: DoSwap, cluster: Cluster
) -> None:
    async with await connect(cluster.address("postgres")) as connection:
        await connection.execute(f'ALTER DATABASE "{beside}" OWNER TO developer')
    with pytest.raises(OperationFailed, match="Renaming"):
        await do_swap()
    assert await ask(live) == "old"
    assert (await facts(live, live.database)).connection_limit == -1
    async with await connect(cluster.address("postgres")) as connection:
        await connection.execute(f'ALTER DATABASE "{beside}" OWNER TO app')


async def test_cancelling_in_the_middle_reopens_the_live_database(
    live: Address, beside: str, kept: str, do_swap: DoSwap, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = asyncio.Event()

    async def never(session: object, name: str, guard: int = 0) -> None:
        closed.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(swap, "_terminate", never)
    task = asyncio.create_task(do_swap())
    await asyncio.wait_for(closed.wait(), 10)
    assert (await swap.observe(live, beside, kept)).closed
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not (await swap.observe(live, beside, kept)).closed
    assert await ask(live) == "old"


async def test_a_lost_connection_in_the_middle_reopens_the_live_database(
    live: Address,
    beside: str,
    kept: str,
    do_swap: DoSwap,
    cluster: Cluster,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    end = swap._terminate

    async def lose(session: psycopg.AsyncConnection[object], name: str, guard: int = 0) -> None:
        async with await connect(cluster.address("postgres")) as other:
            await other.execute("SELECT pg_terminate_backend(%s, 5000)", [session.info.backend_pid])
        await end(session, name, guard)

    monkeypatch.setattr(swap, "_terminate", lose)
    with pytest.raises(ConnectionFailed, match="was lost"):
        await do_swap()
    assert not (await swap.observe(live, beside, kept)).closed
    assert await ask(live) == "old"


async def test_a_connection_lost_during_the_renames_leaves_the_outcome_open(
    live: Address, beside: str, do_swap: DoSwap, cluster: Cluster
) -> None:
    """Held back at the second rename by somebody's lock, and cut off there."""
    async with (
        await connect(cluster.address("postgres")) as superuser,
        await connect(cluster.address("postgres"), autocommit=False) as other,
    ):
        await other.execute(f"COMMENT ON DATABASE \"{beside}\" IS 'held'".encode())
        swapping = asyncio.create_task(do_swap())
        waiting = "SELECT pid FROM pg_locks WHERE NOT granted AND locktype = 'object'"
        while (row := await (await superuser.execute(waiting)).fetchone()) is None:
            await asyncio.sleep(0.005)
        await superuser.execute("SELECT pg_terminate_backend(%s)", row)
        with pytest.raises(ConnectionFailed, match="All of it happened or nothing"):
            await swapping
    assert await ask(live) == "old"


async def test_a_swap_cut_off_while_closed_can_be_done_again(
    live: Address, beside: str, kept: str, do_swap: DoSwap
) -> None:
    async with server.operations(live) as session:
        await session.execute(f'ALTER DATABASE "{beside}" CONNECTION LIMIT 12')
        await session.execute(f'ALTER DATABASE "{live.database}" CONNECTION LIMIT 0')
    assert (await swap.observe(live, beside, kept)).closed
    await do_swap()
    assert await ask(live) == "new"
    assert (await facts(live, live.database)).connection_limit == 12


async def test_refuses_a_taken_name_and_a_missing_database(
    live: Address, beside: str, report: Report
) -> None:
    with pytest.raises(OperationFailed, match="already"):
        await swap.swap(live, beside, live.database, report, terminate=True)
    with pytest.raises(OperationFailed, match="no database nosuch"):
        await swap.swap(live, "nosuch", "kept", report, terminate=True)
    assert await ask(live) == "old"


async def test_locally_leaves_sessions_alone_and_fails(
    live: Address, beside: str, kept: str, report: Report
) -> None:
    async with await connect(live) as connection:
        with pytest.raises(OperationFailed, match="in use") as caught:
            await swap.swap(live, beside, kept, report, terminate=False)
        pattern = rf"pid {connection.info.backend_pid}, role app, remodel from this machine, idle"
        assert re.search(pattern, caught.value.found)
        await connection.execute("SELECT 1")
    await swap.swap(live, beside, kept, report, terminate=False)
    assert await ask(live) == "new"


@pytest.mark.parametrize("name", ['Odd %s "it\'s"; é --', "é" * 31 + "y"], ids=["odd", "long"])
async def test_swaps_a_database_by_any_name(cluster: Cluster, report: Report, name: str) -> None:
    async for live in fresh(cluster, name):
        await say(live, "old")
        beside, kept, aside = (server.beside(name, f"20261122_150405_{x}") for x in ("n", "o", "a"))
        assert len({beside, kept, aside}) == 3
        await create_beside(live, beside, like=name, report=report)
        await say(live.at(beside), "new")
        await swap.swap(live, beside, kept, report, terminate=True)
        assert await ask(live) == "new"
        await swap.rollback(live, kept, aside, report, terminate=True)
        assert await ask(live) == "old"
        await checkpoint.make(live, beside, report)
        await checkpoint.bring_back(live, beside, report)
        left = {each.name for each in await server.databases(live)}
        assert left >= {name, beside, aside}
        for each in (beside, aside):
            await drop(live, each)


async def test_leaves_and_reports_names_that_no_swap_leaves(
    live: Address, beside: str, kept: str, report: Report
) -> None:
    await create_beside(live, kept, like=live.database, report=report)
    with pytest.raises(OperationFailed, match="as no swap leaves them") as caught:
        await swap.observe(live, beside, kept)
    there = await facts(live, kept)
    assert f"{kept}: OID {there.oid}" in caught.value.found
