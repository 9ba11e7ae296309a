"""Sequences behind their data: set past it in the local copy, whole or not at all."""

from __future__ import annotations

from pathlib import Path

from tests.support.delivery import dumped, execute
from wizard.engine.operation import Seen
from wizard.engine.results import SequencesSet
from wizard.postgres import identity, sequences
from wizard.postgres.address import Address, connect
from wizard.steps.sequences import SetSequences

PAGES, REVISIONS = "public.wagtailcore_page_id_seq", "public.wagtailcore_revision_id_seq"


async def states(address: Address) -> list[tuple[int, bool]]:
    async with await connect(address) as connection:
        cursor = await connection.execute(
            "SELECT last_value, is_called FROM wagtailcore_page_id_seq UNION ALL "
            "SELECT last_value, is_called FROM wagtailcore_revision_id_seq"
        )
        return await cursor.fetchall()


async def test_set_observed_and_cleared(
    database: Address, far_database: Address, tmp_path: Path
) -> None:
    async with dumped(tmp_path, database, far_database) as (run, _):
        run.session.journal.write("backup.restore", "done", {"kept": ""})
        await identity.mark(database, run.local.mark)
        operation = SetSequences()
        assert (await operation.plan(run)).skip == "every sequence is past its data"

        await execute(database, f"SELECT setval('{PAGES}', 7), setval('{REVISIONS}', 1, false)")
        before = await states(database)
        plan = await operation.plan(run)
        assert plan.facts == {"sequences": [PAGES, REVISIONS]}
        assert (await operation.observe(run, plan)).seen is Seen.NOT_DONE

        one, _other = (await sequences.find(database)).behind
        await sequences.set_past(database, [one])
        assert (await operation.observe(run, plan)).seen is Seen.PARTLY
        await operation.clear(run, plan)
        assert await states(database) == before

        done = await operation.apply(run, plan)
        assert await states(database) == [(30, True), (30, True)]
        seen = await operation.observe(run, plan)
        assert (seen.seen, seen.result) == (Seen.DONE, done)
        told = SequencesSet.from_json(done.to_json())
        assert told.facts == {"sequences": [PAGES, REVISIONS]}
        assert "the next value is 8, the greatest there is 30" in told.sequences[PAGES]
        assert (await operation.plan(run)).skip
    assert SequencesSet.from_json({}).facts == {}
