"""A logical replication slot hangs on the database itself, and so on the one that is kept."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.postgres import APP_PASSWORD, OWNER, ask, say
from wizard.base.events import Report
from wizard.base.redaction import Secret
from wizard.postgres import server
from wizard.postgres.address import Address, connect
from wizard.postgres.admin import preflight, swap
from wizard.postgres.admin.preflight import Needs
from wizard.postgres.dumps.restore import create_beside
from wizard.sandbox.cluster import Cluster


@pytest.fixture
async def replicated(tmp_path: Path) -> AsyncIterator[Address]:
    """A database with a logical slot, on a server that writes its log for such."""
    cluster = Cluster(tmp_path / "cluster", user="main", password=Secret("main-pw"), durable=False)
    await cluster.start()
    try:
        await cluster.create_role(OWNER, APP_PASSWORD)
        await cluster.create_database("site", owner=OWNER)
        async with await connect(cluster.address("postgres")) as connection:
            await connection.execute("ALTER SYSTEM SET wal_level = logical")
        await cluster.stop()
        await cluster.start()
        async with await connect(cluster.address("site")) as connection:
            await connection.execute(
                "SELECT pg_create_logical_replication_slot('news', 'pgoutput')"
            )
        yield replace(cluster.address("site"), user=OWNER, password=APP_PASSWORD)
    finally:
        await cluster.stop()


async def test_a_replication_slot_is_reported_and_stays_with_the_old_database(
    replicated: Address, report: Report
) -> None:
    found = await preflight.swap(replicated, Needs(), None)
    assert found.faults == ()
    assert any("the logical replication slot news" in note for note in found.notes)
    new, old = (server.beside(replicated.database, word) for word in ("new", "old"))
    await say(replicated, "old")
    await create_beside(replicated, new, like=replicated.database, report=report)
    await say(replicated.at(new), "new")
    await swap.swap(replicated, new, old, report, terminate=True)
    assert await ask(replicated) == "new"
    async with await connect(replicated) as connection:
        row = await connection.execute("SELECT slot_name, database FROM pg_replication_slots")
        assert await row.fetchall() == [("news", old)]
