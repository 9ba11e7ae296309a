"""A restore playbook as many have it, run by the real Ansible: believed when it tells of a
failure, looked at when it tells of a success."""

from __future__ import annotations

import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.delivery import dumped, perform, titles
from wizard.base.errors import OperationFailed, VerificationFailed
from wizard.config.databases import Target
from wizard.delivery.playbook import Playbook
from wizard.engine.context import Context
from wizard.engine.operation import Seen
from wizard.postgres.address import Address, connect
from wizard.sandbox.cluster import binaries

BESIDE = Path(sys.executable).with_name("ansible-playbook")
ANSIBLE = str(BESIDE) if BESIDE.exists() else shutil.which("ansible-playbook")
pytestmark = pytest.mark.skipif(
    ANSIBLE is None, reason="ansible-playbook is not installed: pip install ansible-core"
)


@asynccontextmanager
async def restored_by_ansible(
    folder: Path, local: Address, far: Address, *, careless: bool = False
) -> AsyncIterator[tuple[Context, Target]]:
    """`dumped`, to be delivered by a playbook that drops, creates and restores."""
    assert far.password is not None
    psql = f"{binaries(18)}/psql"
    name = far.database
    script = folder / "backups" / "db.staging.psql.gz"
    tasks: list[dict[str, Any]] = [
        {"command": f"{psql} -d postgres -c 'DROP DATABASE {name}'"},
        {"command": f"{psql} -d postgres -c 'CREATE DATABASE {name}'"},
        {"shell": f"zcat {script} | {psql} -d {name}"},
    ]
    if careless:
        tasks = [{**task, "ignore_errors": True} for task in tasks]
    play = {
        "hosts": "all",
        "gather_facts": False,
        "environment": {
            "PGHOST": far.host,
            "PGPORT": str(far.port),
            "PGUSER": far.user,
            "PGPASSWORD": far.password.reveal(),
        },
        "tasks": tasks,
    }
    (folder / "restore_database.yml").write_text(yaml.safe_dump([play]))
    (folder / "hosts").write_text(
        f"staging ansible_connection=local ansible_python_interpreter={sys.executable}\n"
        "production ansible_connection=local\n"
    )
    command = [str(ANSIBLE), "-i", "hosts", "restore_database.yml", "--limit", "staging"]
    async with dumped(folder, local, far, playbook=command, playbook_path=".") as (run, target):
        yield run, target


@pytest.mark.slow
async def test_delivers_by_drop_create_restore_and_compares(
    database: Address, far_database: Address, tmp_path: Path
) -> None:
    async with restored_by_ansible(tmp_path, database, far_database) as (run, target):
        operation = Playbook(target)
        plan = await operation.plan(run)
        facts = await perform(run, operation, plan)
        assert await titles(far_database) == {"new"}
        assert Path(facts["safety"]).read_bytes()[:5] == b"PGDMP"
        assert (await operation.observe(run, plan)).seen is Seen.DONE


@pytest.mark.slow
async def test_a_failing_playbook_fails_the_delivery(
    database: Address, far_database: Address, tmp_path: Path
) -> None:
    """Somebody is in the database, so that it is not dropped."""
    async with restored_by_ansible(tmp_path, database, far_database) as (run, target):
        plan = await Playbook(target).plan(run)
        async with await connect(far_database):
            with pytest.raises(OperationFailed, match="ended with exit code 2") as refused:
                await Playbook(target).apply(run, plan)
        assert plan.details["safety"] in refused.value.hint
    assert await titles(far_database) == {"old"}


@pytest.mark.slow
async def test_finds_a_failed_playbook_that_reports_success(
    database: Address, far_database: Address, tmp_path: Path
) -> None:
    """The drop fails and is ignored; psql then meets an error a statement, and ends with 0."""
    async with restored_by_ansible(tmp_path, database, far_database, careless=True) as (
        run,
        target,
    ):
        operation = Playbook(target)
        plan = await operation.plan(run)
        async with await connect(far_database):
            with pytest.raises(VerificationFailed, match="is not what was delivered") as refused:
                await operation.apply(run, plan)
        assert "wagtailcore_page: the same number of rows (30), but other values" in (
            refused.value.found
        )
        assert plan.details["safety"] in refused.value.hint
        assert (await operation.observe(run, plan)).seen is not Seen.DONE
