"""A swap with the target's own word on the new database, and one that was cut off."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.postgres.test_cut_off import alone_with, killed_at
from tests.steps.delivering import dumped, perform, titles
from wizard.delivery import Rollback, Swap, run_checks
from wizard.errors import VerificationFailed
from wizard.operation import Seen
from wizard.postgres import restore, server
from wizard.postgres.address import Address
from wizard.sandbox.sshd import SshServer
from wizard.steps.production import Check

LOOK = (
    'psql -At -d "$REMODEL_DATABASE" -c "SELECT min(title) FROM wagtailcore_page" >> "$HOME/seen"'
)


async def names(address: Address) -> set[str]:
    """The databases that belong to that of `address`, without its name in front."""
    own = address.database
    found = {each.name for each in await server.databases(address)}
    return {name.removeprefix(own) for name in found if name.startswith(own)}


async def tidy(far: Address) -> None:
    for name in await names(far) - {""}:
        await restore.drop(far, far.database + name, force=True)


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
    how = {"check": [["sh", "-c", script]], "before": [["touch", "stopped"]]}
    async with dumped(tmp_path, database, far_database, ssh=ssh_server, **how) as (run, target):
        plan = await Swap(target).plan(run)
        with pytest.raises(VerificationFailed, match=words) as refused:
            await Swap(target).apply(run, plan)
        assert found in refused.value.found
    assert await titles(far_database) == {"old"}
    assert await names(far_database) == {""}
    assert not (tmp_path / "deploy" / "stopped").exists()


@pytest.mark.parametrize("point", ["closed", "between the renames", "committed"])
async def test_taken_up_after_a_kill(
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
