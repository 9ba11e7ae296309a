"""The tool is killed at each point of a cut-over: the live name leads to the old database or to
the new one, and whoever comes next is told which."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from tests.support.killed_swap import alone_with, killed_at
from tests.support.postgres import ask, say
from wizard.base.errors import ConnectionFailed, OperationFailed
from wizard.base.events import Event, Events, Line, Report
from wizard.postgres import server
from wizard.postgres.address import Address, connect
from wizard.postgres.admin import swap
from wizard.postgres.dumps.dump import dump
from wizard.postgres.dumps.restore import create_beside, restore
from wizard.postgres.dumps.tools import Tool


@pytest.mark.parametrize(
    ("point", "word", "closed"),
    [
        ("before it is closed", "old", False),
        ("closed", "old", True),
        ("emptied", "old", True),
        ("renamed, not committed", "old", True),
        ("committed", "new", False),
    ],
)
async def test_a_kill_leaves_the_old_database_or_the_new_one(
    point: str, word: str, closed: bool, live: Address, report: Report
) -> None:
    beside, kept = (server.beside(live.database, label) for label in ("new", "old"))
    await create_beside(live, beside, like=live.database, report=report)
    await say(live.at(beside), "new")
    killed_at(point, live, beside, kept)
    await alone_with(live)

    standing = await swap.observe(live, beside, kept)
    assert standing.live is not None  # at no point is there no database of that name
    assert (standing.kept is None, standing.beside is None) == (word == "old", word == "new")
    assert standing.closed is closed
    if closed:  # the one state in which the site is down; whoever resumes opens it
        with pytest.raises(ConnectionFailed, match="not currently accepting"):
            await connect(live)
        await swap.reopen(live)
    assert await ask(live) == word
    if word == "old":  # and again, to the end
        await swap.swap(live, beside, kept, report, terminate=True)
        assert await ask(live) == "new"


async def test_writers_reconnect_after_a_kill(live: Address, report: Report) -> None:
    """What was committed before the kill is in the database that is reopened."""
    beside, kept = (server.beside(live.database, label) for label in ("new", "old"))
    await create_beside(live, beside, like=live.database, report=report)
    async with await connect(live) as connection:
        await connection.execute("INSERT INTO written VALUES (1)")
        killed_at("emptied", live, beside, kept)
        with pytest.raises(psycopg.OperationalError):
            await connection.execute("INSERT INTO written VALUES (2)")
    await swap.reopen(live)
    async with await connect(live) as connection:
        cursor = await connection.execute("SELECT n FROM written")
        assert await cursor.fetchall() == [(1,)]


async def test_a_pg_restore_that_is_killed_leaves_no_database(
    filled: Address, tmp_path: Path, pg_dump: Tool, pg_restore: Tool
) -> None:
    """In the middle of its work, as the kernel does when memory runs out."""
    wrapper = tmp_path / "pg_restore"
    wrapper.write_text(f'#!/bin/sh\necho $$ > {tmp_path}/pid\nexec {pg_restore.path} "$@"\n')
    wrapper.chmod(0o700)
    killed: list[int] = []

    def heard(event: Event) -> None:
        if isinstance(event, Line) and event.text.startswith("processing data") and not killed:
            killed.append(int((tmp_path / "pid").read_text()))
            os.kill(killed[0], signal.SIGKILL)

    events = Events()
    events.subscribe(heard)
    report = Report(events, "test")
    made = await dump(filled, tmp_path / "db", report, pg_dump=pg_dump, pg_restore=pg_restore)
    beside = filled.at(server.beside(filled.database, "new"))
    await create_beside(filled, beside.database, like=filled.database, report=report)
    with pytest.raises(OperationFailed, match=f"into {beside.database}"):
        await restore(made, beside, report, pg_restore=replace(pg_restore, path=wrapper))
    assert killed
    assert await server.database(beside) is None
    assert (await server.contents(filled)).tables == 2
