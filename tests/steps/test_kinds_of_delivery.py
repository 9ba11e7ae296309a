"""A kind of delivery that one file declares is known wherever deliveries are dealt with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.steps.toy_delivery import HAND_OVER, HandOver
from tests.support.delivery import dumped, perform
from tests.support.remodel_yml import GOOD, write
from wizard.base.errors import ConfigError, OperationFailed
from wizard.config import config
from wizard.delivery import kinds
from wizard.delivery.foreseen import Foreseen
from wizard.delivery.rollback import Rollback
from wizard.engine.operation import Seen
from wizard.postgres import server
from wizard.postgres.address import Address
from wizard.reports import report
from wizard.steps import production
from wizard.upkeep import artifacts
from wizard.upkeep.purge import Purge


@pytest.fixture
def handed_over() -> Iterator[kinds.DeliveryKind]:
    """The toy, registered."""
    yield kinds.register(HAND_OVER)
    kinds.forget(HAND_OVER)


def delivered_so(tmp_path: Path, how: str) -> config.Config:
    """A config whose production is delivered to in this way."""
    before = "    before: [[systemctl, stop, podcast]]\n"
    text = GOOD.replace(before, f"{before}    delivery: {how}\n")
    return config.read(write(tmp_path, text))


def test_refuses_a_kind_that_nobody_declared(tmp_path: Path) -> None:
    """By the key, its line and the kinds that there are."""
    found = delivered_so(tmp_path, "handed over")
    with pytest.raises(ConfigError) as refused:
        kinds.require_known(found)
    assert refused.value.message == (
        "remodel.yml line 21: targets.production.delivery: 'handed over' is not one of "
        "in place, playbook, swap"
    )


def test_takes_a_kind_that_registered_itself(
    tmp_path: Path, handed_over: kinds.DeliveryKind
) -> None:
    found = delivered_so(tmp_path, "handed over")
    assert kinds.require_known(found) is found
    with pytest.raises(ValueError, match="already"):
        kinds.register(handed_over)


async def test_is_delivered_rehearsed_reported_and_purged(
    database: Address,
    far_database: Address,
    tmp_path: Path,
    handed_over: kinds.DeliveryKind,
) -> None:
    async with dumped(tmp_path, database, far_database, delivery="handed over") as (run, target):
        operations = [it for it in production.operations(run) if it.target == target]
        assert [it.name for it in operations] == ["site", "dump", "drill", "deliver", "after"]
        rehearsed = [it.rehearsed() for it in operations]
        assert [type(it).__name__ for it in rehearsed if it is not None] == [
            "PlaceTargetSite",
            "Dump",
            "Drill",
            "Foreseen",
        ]
        assert isinstance(rehearsed[3], Foreseen)
        about = await server.about(far_database)
        assert kinds.kind_of(target).preflight(target, about)[1] == "by hand"

        deliver = HandOver(target)
        plan = await deliver.plan(run)
        assert not any("since the backup" in line for line in plan.does)  # drift does not matter
        assert [loss.what for loss in plan.destroys] == ["nothing on the target"]
        facts = await perform(run, deliver, plan)
        copy = Path(facts["safety"])
        assert copy.read_bytes()[:5] == b"PGDMP"
        assert (await deliver.observe(run, plan)).seen is Seen.PARTLY

        written = report.write_into(run.session.folder, run.session.journal)
        text = next(path for path in written if path.suffix == ".md").read_text()
        assert f"tell staging not to restore {copy}".replace("_", r"\_") in text.replace("_", r"\_")
        (rollback,) = (operation(target) for operation in kinds.kind_of(target).rollback)
        assert isinstance(rollback, Rollback)
        with pytest.raises(OperationFailed, match="otherwise than by a swap"):
            await rollback.plan(run)

        far = artifacts.far_names(run.config, run.session.id, run.session.journal, "staging")
        assert far == {f"handed_{run.stamp}": "made by whoever restored it for staging"}
        purge = await Purge().plan(run)
        assert any(f"{copy.name}, what was handed over" in loss.what for loss in purge.destroys)
