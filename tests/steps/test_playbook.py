"""By the operator's own command: what it drops is in a safety dump, all of it."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.delivery import dumped, execute, perform, playbook, titles
from wizard.base.errors import OperationFailed, PlanStale, VerificationFailed
from wizard.delivery.playbook import Playbook
from wizard.delivery.rollback import Rollback
from wizard.engine.far_side import FarSide
from wizard.engine.operation import Seen
from wizard.postgres import server
from wizard.postgres.address import Address
from wizard.postgres.dumps.archive import Archive
from wizard.sandbox.cluster import binaries

RESTORE = """#!/bin/sh
set -e
psql="{bin}/psql -q -v ON_ERROR_STOP=1"
$psql -d postgres -c 'DROP DATABASE {name} WITH (FORCE)'
if [ -e dropped ]; then echo "no space left" >&2; exit 1; fi
$psql -d postgres -c 'CREATE DATABASE {name}'
if [ -e created ]; then $psql -d {name} -c 'CREATE TABLE ruin ()'; exit 2; fi
zcat backups/db.staging.psql.gz | $psql -d {name} -f - > /dev/null
"""


@pytest.fixture
def command(tmp_path: Path, far_database: Address, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """As the notes' playbook: drop, create, restore. It stops at the files `dropped`, `created`."""
    return playbook(tmp_path, far_database, RESTORE, monkeypatch)


def held(safety: str | Path) -> str:
    """The pages that a safety dump has, as SQL."""
    program = [str(binaries(18) / "pg_restore"), "--file=-", "--table=wagtailcore_page"]
    done = subprocess.run([*program, str(safety)], check=True, capture_output=True, text=True)
    return done.stdout


@pytest.mark.slow
async def test_accepted_drift_is_in_the_safety_dump(
    database: Address, far_database: Address, tmp_path: Path, command: list[str]
) -> None:
    async with dumped(tmp_path, database, far_database, backed_up=True, playbook=command) as (
        run,
        target,
    ):
        operation = Playbook(target)
        await execute(far_database, "UPDATE wagtailcore_page SET title = 'first' WHERE id = 7")
        plan = await operation.plan(run)
        assert plan.gate is not None
        assert plan.gate.phrase == "staging loses 1 row"
        await execute(far_database, "UPDATE wagtailcore_page SET title = 'second' WHERE id = 8")
        with pytest.raises(PlanStale, match="after its plan was consented to") as refused:
            await operation.apply(run, plan)
        assert "wagtailcore_page: 2 changed (7, 8)" in refused.value.found
        assert await titles(far_database) == {"old", "first", "second"}

        plan = await operation.plan(run)
        assert plan.gate is not None
        assert plan.gate.phrase == "staging loses 2 rows"
        facts = await perform(run, operation, plan)
        assert await titles(far_database) == {"new"}
        assert {"first", "second"} <= set(held(facts["safety"]).split())
        with pytest.raises(OperationFailed, match="no old database is kept"):
            await Rollback(target).plan(run)


@pytest.mark.slow
async def test_refuses_to_lose_writes_after_the_safety_dump(
    database: Address,
    far_database: Address,
    tmp_path: Path,
    command: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing else would have it. The moment is made, all else is real."""
    really = FarSide.fetch

    async def then_written_to(self: FarSide, *args: Any, **named: Any) -> Archive:
        made = await really(self, *args, **named)
        await execute(far_database, "UPDATE wagtailcore_page SET title = 'late'")
        return made

    monkeypatch.setattr(FarSide, "fetch", then_written_to)
    async with dumped(tmp_path, database, far_database, playbook=command) as (run, target):
        plan = await Playbook(target).plan(run)
        with pytest.raises(OperationFailed, match="after its safety dump had begun") as refused:
            await Playbook(target).apply(run, plan)
    assert "wagtailcore_page: " in refused.value.found
    assert await titles(far_database) == {"late"}


@pytest.mark.slow
async def test_a_playbook_that_fails_twice_delivers_and_names_the_way_back(
    database: Address, far_database: Address, tmp_path: Path, command: list[str]
) -> None:
    """The second attempt's safety dump is of a ruin: the first one is the way back."""
    async with dumped(tmp_path, database, far_database, playbook=command) as (run, target):
        operation = Playbook(target)
        first = await operation.plan(run)
        script = tmp_path / "backups" / "db.staging.psql.gz"
        script.rename(tmp_path / "ours")
        script.write_bytes(b"of another session")
        with pytest.raises(VerificationFailed, match="is not what was written for staging"):
            await operation.apply(run, first)
        (tmp_path / "ours").replace(script)

        (tmp_path / "created").touch()
        with pytest.raises(OperationFailed, match="exit code 2") as refused:
            await operation.apply(run, first)
        assert first.details["safety"] in refused.value.hint
        observation = await operation.observe(run, first)
        assert observation.seen is Seen.PARTLY
        await operation.clear(run, first)

        (tmp_path / "created").rename(tmp_path / "dropped")
        second = await operation.plan(run)
        assert f"NOTE: {Path(first.details['safety']).name} is from before an earlier attempt" in (
            second.does
        )
        with pytest.raises(OperationFailed, match="exit code 1") as refused:
            await operation.apply(run, second)
        assert Path(first.details["safety"]).name in refused.value.hint
        assert "old" in held(first.details["safety"])
        assert await server.database(far_database) is None
        assert (await operation.observe(run, second)).seen is Seen.NOT_DONE

        (tmp_path / "dropped").unlink()
        playbook = tmp_path / "restore.sh"
        playbook.write_text(playbook.read_text().replace("DATABASE", "DATABASE IF EXISTS", 1))
        third = await operation.plan(run)  # nothing is there to be dumped
        facts = await perform(run, operation, third)
        assert facts["safety"] == second.details["safety"]
        assert await titles(far_database) == {"new"}
        assert (await operation.observe(run, third)).seen is Seen.DONE
