"""The final dump made by several processes, a directory: delivered, looked at and deleted."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.delivery import dumped, perform, titles
from wizard.delivery.dump import Dump
from wizard.delivery.in_place import InPlace
from wizard.delivery.results import Dumped
from wizard.delivery.rollback import Rollback
from wizard.delivery.swap import Swap
from wizard.engine.operation import Seen
from wizard.postgres.address import Address
from wizard.postgres.dumps import dump as dumps
from wizard.session import session as sessions
from wizard.session.plan import Plan
from wizard.upkeep import artifacts
from wizard.upkeep.purge import Purge


@pytest.fixture(autouse=True)
def several_pay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dumps, "WORTH", 1)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)


@pytest.mark.slow
@pytest.mark.parametrize("way", ["swap", "in place"])
async def test_delivers_a_parallel_dump(
    way: str, database: Address, far_database: Address, tmp_path: Path
) -> None:
    async with dumped(tmp_path, database, far_database, delivery=way) as (run, target):
        made = Path(run.facts.of(Dumped, "staging").archive.path)
        assert (made / "toc.dat").is_file()
        before = await Dump(target).plan(run)
        assert (await Dump(target).observe(run, before)).seen is Seen.PARTLY
        operation = Swap(target) if way == "swap" else InPlace(target)
        await perform(run, operation)
        assert await titles(far_database) == {"new"}
        if way == "swap":
            await perform(run, Rollback(target))
            assert await titles(far_database) == {"old"}

        held = artifacts.files(run.config, run.session.id)
        assert made in held
        folder = run.config.state / "sessions" / run.session.id
        (folder / "more").mkdir()
        (folder / "more" / "of it").write_bytes(b"x" * 100)
        each = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
        (one,) = sessions.summaries(run.config)
        assert artifacts.use(run.config, one, None).records == sum(each)
        assert artifacts.sized([made]) == run.facts.of(Dumped, "staging").archive.bytes
        purge = Purge()
        neighbour = made.parent / "db.staging.psql.gz.sha256"  # beside a script, but not ours
        neighbour.touch()
        plan: Plan = await purge.plan(run)
        assert f"the folder {made.name}" in {loss.what for loss in plan.destroys}
        await purge.apply(run, plan)
        assert artifacts.files(run.config, run.session.id) == []
        assert list(made.parent.iterdir()) == [neighbour]


async def test_undo_removes_the_parallel_dump(
    database: Address, far_database: Address, tmp_path: Path
) -> None:
    async with dumped(tmp_path, database, far_database) as (run, target):
        facts = run.facts.of(Dumped, "staging").to_json()
        plan = await Dump(target).plan(run)
        await Dump(target).undo(run, plan, facts)
        assert not list(run.config.backups.iterdir())
