"""Checkpoints: a copy of the local database is made, and brought back."""

from __future__ import annotations

import pytest

from tests.support.postgres import ask
from wizard.base.errors import OperationFailed
from wizard.base.events import Report
from wizard.postgres import server
from wizard.postgres.address import Address, connect
from wizard.postgres.admin import checkpoint
from wizard.postgres.drift import fingerprint


async def test_a_checkpoint_is_made_and_brought_back_more_than_once(
    live: Address, report: Report
) -> None:
    name = server.beside(live.database, "checkpoint")
    before = await fingerprint.tables(live)
    made = await checkpoint.make(live, name, report)
    assert made.size
    for _ in range(2):
        async with await connect(live) as connection:
            await connection.execute("DROP TABLE who")
        await checkpoint.bring_back(live, name, report)
        assert fingerprint.difference(before, await fingerprint.tables(live)) == []
    found = {each.name for each in await server.databases(live)}
    assert {each for each in found if each.startswith(live.database)} == {live.database, name}


async def test_a_checkpoint_of_a_database_in_use_names_who(live: Address, report: Report) -> None:
    name = server.beside(live.database, "checkpoint")
    async with await connect(live):
        with pytest.raises(OperationFailed, match="in use") as caught:
            await checkpoint.make(live, name, report)
        assert "role app, remodel" in caught.value.found
    await checkpoint.make(live, name, report)
    async with await connect(live):
        with pytest.raises(OperationFailed, match="in use"):
            await checkpoint.bring_back(live, name, report)
    assert await ask(live) == "old"
    with pytest.raises(OperationFailed, match="already exists"):
        await checkpoint.make(live, name, report)
