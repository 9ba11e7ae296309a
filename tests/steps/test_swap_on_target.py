"""A swap with the target's own word on the new database, and one that was cut off."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.support.delivery import dumped, granted, may_read, names, perform, tidy, titles
from tests.support.killed_swap import alone_with, killed_at
from wizard.base.errors import IdentityMismatch, OperationFailed, VerificationFailed
from wizard.base.events import Event, Finding
from wizard.delivery.base import run_checks, stopping
from wizard.delivery.rollback import Rollback
from wizard.delivery.swap import Swap
from wizard.delivery.verify.check import Check
from wizard.engine.operation import Seen
from wizard.postgres import server
from wizard.postgres.address import Address
from wizard.postgres.dumps import restore
from wizard.sandbox.cluster import Cluster
from wizard.sandbox.sshd import SshServer
from wizard.upkeep import artifacts

LOOK = (
    'psql -At -d "$REMODEL_DATABASE" -c "SELECT min(title) FROM wagtailcore_page" >> "$HOME/seen"'
)


@pytest.mark.slow
async def test_the_code_on_the_target_sees_the_new_database_first(
    database: Address, far_database: Address, ssh_server: SshServer, tmp_path: Path
) -> None:
    check = [["sh", "-c", LOOK]]
    async with dumped(tmp_path, database, far_database, ssh=ssh_server, check=check) as (
        run,
        target,
    ):
        plan = await Swap(target).plan(run)
        assert plan.facts["check"] == check
        facts = await perform(run, Swap(target), plan)
        seen = tmp_path / "deploy" / "seen"
        assert seen.read_text() == "new 1\n"
        assert await titles(far_database) == {"new"}
        run.session.journal.write("production.after:staging", "done", {})
        told = (await Check(target).plan(run)).does
        assert told[1] == f"run {' '.join(check[0])} there"
        await run_checks(run, target, far_database.database, "roll back")
        assert seen.read_text() == "new 1\nnew 1\n"
        await perform(run, Rollback(target))
        assert await titles(far_database) == {"old"}
        assert facts["kept"]
    await tidy(far_database)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("script", "words", "found"),
    [
        ("echo unapplied migration >&2; exit 3", "ended with exit code 3", "unapplied migration"),
        (
            'psql -q -d "$REMODEL_DATABASE" -c "DELETE FROM wagtailcore_revision"',
            "The new database on the target is not equal",
            "wagtailcore_revision: 30 rows became 0",
        ),
    ],
)
async def test_a_check_that_fails_or_writes_stops_before_anything_is_touched(
    script: str,
    words: str,
    found: str,
    database: Address,
    far_database: Address,
    ssh_server: SshServer,
    tmp_path: Path,
) -> None:
    check, before = [["sh", "-c", script]], [["touch", "stopped"]]
    async with dumped(
        tmp_path, database, far_database, ssh=ssh_server, check=check, before=before
    ) as (run, target):
        plan = await Swap(target).plan(run)
        with pytest.raises(VerificationFailed, match=words) as refused:
            await Swap(target).apply(run, plan)
        assert found in refused.value.found
    assert await titles(far_database) == {"old"}
    assert await names(far_database) == {""}
    assert not (tmp_path / "deploy" / "stopped").exists()


@pytest.mark.slow
async def test_a_drop_that_fails_is_told(
    database: Address, far_database: Address, ssh_server: SshServer, tmp_path: Path
) -> None:
    """The new database would take up production's disk, and nobody know of it."""
    script = 'psql -q -d postgres -c "ALTER DATABASE $REMODEL_DATABASE IS_TEMPLATE true"; exit 3'
    check = [["sh", "-c", script]]
    async with dumped(tmp_path, database, far_database, ssh=ssh_server, check=check) as (
        run,
        target,
    ):
        heard: list[Event] = []
        run.events.subscribe(heard.append)
        plan = await Swap(target).plan(run)
        with pytest.raises(VerificationFailed, match="exit code 3"):
            await Swap(target).apply(run, plan)
        beside = plan.details["beside"]
        (told,) = [x for x in heard if isinstance(x, Finding) and x.name == beside]
        assert told.value.startswith("was not dropped: ") and told.status == "warn"
        assert f'DROP DATABASE "{beside}"' in told.hint
        async with server.operations(far_database) as connection:
            await connection.execute(f'ALTER DATABASE "{beside}" IS_TEMPLATE false'.encode())
        await restore.drop(far_database, beside)
    assert await titles(far_database) == {"old"}


@pytest.mark.slow
async def test_says_that_the_service_is_still_stopped(
    database: Address, far_database: Address, ssh_server: SshServer, tmp_path: Path
) -> None:
    before, after = [["touch", "stopped"], ["test", "-e", "mended"]], [["rm", "stopped"]]
    async with dumped(
        tmp_path, database, far_database, ssh=ssh_server, before=before, after=after
    ) as (run, target):
        heard: list[Event] = []
        run.events.subscribe(heard.append)
        with pytest.raises(OperationFailed, match=r"test -e mended .* exit code 1") as refused:
            await perform(run, Swap(target))
        assert refused.value.hint.endswith(
            "may be stopped. Try again, or start it by hand: rm stopped"
        )
        (tmp_path / "deploy" / "mended").touch()
        with pytest.raises(asyncio.CancelledError):
            async with stopping(run, target):
                raise asyncio.CancelledError
        told = [each.value for each in heard if isinstance(each, Finding) and each.status == "warn"]
        assert told[-1].endswith("start it by hand: rm stopped")
    assert await titles(far_database) == {"old"}
    assert await names(far_database) == {""}


@pytest.mark.slow
async def test_delivers_and_rolls_back_twice(
    database: Address, far_database: Address, far_cluster: Cluster, tmp_path: Path
) -> None:
    """By one session, whose names are taken then. Who may read still may."""
    async with (
        dumped(tmp_path, database, far_database) as (run, target),
        granted(far_cluster, far_database),
    ):
        swap, rollback = Swap(target), Rollback(target)
        for _ in range(2):
            plan = await swap.plan(run)
            facts = await perform(run, swap, plan)
            observed = await swap.observe(run, plan)  # as after a crash: a rollback goes by it
            assert {**observed.result.to_json(), "message": facts["message"]} == facts
            assert await titles(far_database) == {"new"}
            await may_read(far_database)
            planned = await rollback.plan(run)
            assert (await rollback.observe(run, planned)).seen is Seen.NOT_DONE
            await perform(run, rollback, planned)
            assert (await rollback.observe(run, planned)).seen is Seen.DONE
            assert (await swap.observe(run, plan)).seen is Seen.NOT_DONE
            assert await titles(far_database) == {"old"}
            await swap.undo(run, plan, {})
        stamp = f"__{run.stamp}"
        assert await names(far_database) == {"", f"{stamp}_delivered", f"{stamp}_delivered_2"}
        assert {f"{far_database.database}{stamp}_delivered_2"} <= {
            *artifacts.far_names(run.config, run.session.id, run.session.journal, "staging")
        }
        await tidy(far_database)


@pytest.mark.slow
async def test_refuses_to_roll_back_to_another_database(
    database: Address, far_database: Address, tmp_path: Path
) -> None:
    async with dumped(tmp_path, database, far_database) as (run, target):
        facts = await perform(run, Swap(target))
        await restore.drop(far_database, facts["kept"])
        with pytest.raises(OperationFailed, match="is not on"):
            await Rollback(target).plan(run)
        await restore.create_beside(far_database, facts["kept"], like=None, report=run.report)
        with pytest.raises(IdentityMismatch, match="is not the database that was live before"):
            await Rollback(target).plan(run)
    await tidy(far_database)


@pytest.mark.slow
@pytest.mark.parametrize("point", ["closed", "renamed, not committed", "committed"])
async def test_resumes_after_a_kill(
    point: str, database: Address, far_database: Address, tmp_path: Path
) -> None:
    async with dumped(tmp_path, database, far_database) as (run, target):
        swap = Swap(target)
        plan = await swap.plan(run)
        beside, kept = plan.details["beside"], plan.details["kept"]
        await restore.create_beside(
            far_database, beside, like=far_database.database, report=run.report
        )
        killed_at(point, far_database, beside, kept)
        await alone_with(far_database)
        observation = await swap.observe(run, plan)
        if point == "committed":
            assert observation.seen is Seen.DONE
            assert await names(far_database) == {"", kept.removeprefix(far_database.database)}
        else:
            assert observation.seen is Seen.PARTLY
            await swap.clear(run, plan)
            assert await titles(far_database) == {"old"}  # open, and as it was
            await perform(run, swap)
            assert await titles(far_database) == {"new"}
    await tidy(far_database)
