"""Without CREATEDB: the live database itself is filled anew, all or nothing."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.support.delivery import dumped, granted, may_read, perform, titles
from wizard.base.errors import OperationFailed, VerificationFailed
from wizard.base.events import Event, Line
from wizard.base.redaction import Secret
from wizard.delivery.in_place import InPlace
from wizard.delivery.overwrite import script_of
from wizard.delivery.results import Dumped
from wizard.delivery.rollback import Rollback
from wizard.delivery.swap import Swap
from wizard.delivery.verify import objects
from wizard.engine.operation import Seen
from wizard.postgres.address import Address, connect
from wizard.postgres.admin import replace_contents
from wizard.sandbox.cluster import Cluster

GUEST = "guest"


@pytest.fixture
async def poor(far_cluster: Cluster) -> AsyncIterator[Address]:
    """A database on the far side whose owner may make no other."""
    password = Secret("guest-password")
    async with await connect(far_cluster.address("postgres")) as connection:
        row = await connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [GUEST])
        if await row.fetchone() is None:
            await far_cluster.create_role(GUEST, password, createdb=False)
    await far_cluster.create_database("poor", owner=GUEST)
    yield replace(far_cluster.address("poor"), user=GUEST, password=password)
    await far_cluster.drop_database("poor")


async def test_refuses_a_swap_beforehand_and_offers_in_place(
    database: Address, poor: Address, tmp_path: Path
) -> None:
    async with dumped(tmp_path, database, poor) as (run, target):
        with pytest.raises(OperationFailed, match="would fail") as refused:
            await Swap(target).plan(run)
    assert "guest may not create databases" in refused.value.found
    assert "delivery: in place" in refused.value.found
    assert await titles(poor) == {"old"}


@pytest.mark.slow
async def test_delivers_verifies_and_is_observed_after_a_crash(
    database: Address, poor: Address, far_cluster: Cluster, tmp_path: Path
) -> None:
    async with (
        dumped(tmp_path, database, poor, delivery="in place") as (run, target),
        granted(far_cluster, poor),
    ):
        async with await connect(poor) as connection:  # what a dump of ours does not have
            await connection.execute(
                "CREATE TYPE mood AS ENUM ('glad'); CREATE VIEW seen AS TABLE wagtailcore_page;"
                "CREATE SCHEMA more; CREATE TABLE more.things (id int, how mood);"
                "CREATE TABLE counted (id int GENERATED ALWAYS AS IDENTITY);"
                "CREATE FUNCTION public.twice(mood) RETURNS text LANGUAGE sql AS 'SELECT $1::text';"
                "CREATE TYPE span AS RANGE (subtype = int); CREATE DOMAIN word AS text"
            )
        operation = InPlace(target)
        plan = await operation.plan(run)
        assert (await operation.observe(run, plan)).seen is Seen.NOT_DONE
        facts = await perform(run, operation, plan)
        assert await titles(poor) == {"new"}
        await may_read(poor)
        async with await connect(poor) as connection:
            cursor = await connection.execute(
                "SELECT to_regclass('seen'), to_regclass('more.things'), to_regtype('mood'),"
                " to_regtype('span'), to_regtype('word'), to_regclass('counted')"
            )
            assert await cursor.fetchone() == (None,) * 6
        assert Path(facts["safety"]).read_bytes()[:5] == b"PGDMP"
        observation = await operation.observe(run, plan)
        assert observation.seen is Seen.DONE
        assert observation.result.to_json()["safety"] == facts["safety"]
        with pytest.raises(OperationFailed, match="no old database is kept") as refused:
            await Rollback(target).plan(run)
        assert facts["safety"] in refused.value.hint


@pytest.mark.slow
async def test_a_failure_before_the_commit_changes_nothing(
    database: Address, poor: Address, tmp_path: Path
) -> None:
    """At the latest moment there is: all was dropped and loaded, the last line is missing."""
    async with dumped(tmp_path, database, poor, delivery="in place") as (run, target):
        facts = run.facts.of(Dumped, "staging").to_json()
        script = Path(facts["script"])
        text = gzip.decompress(script.read_bytes())
        script.write_bytes(gzip.compress(text[: text.index(b"-- PostgreSQL database dump compl")]))
        facts["script_sha256"] = hashlib.sha256(script.read_bytes()).hexdigest()
        run.session.journal.write("production.dump:staging", "done", facts)
        operation = InPlace(target)
        plan = await operation.plan(run)
        with pytest.raises(VerificationFailed, match="its closing line is missing"):
            await operation.apply(run, plan)
        assert await titles(poor) == {"old"}
        observation = await operation.observe(run, plan)
        assert observation.why == "its transaction was taken back by the server"
        assert observation.seen is Seen.NOT_DONE


@pytest.mark.slow
async def test_refuses_to_lose_writes_after_the_safety_dump(
    database: Address, poor: Address, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing else would have it: no old database is kept. The moment is made, all else is real."""
    really = replace_contents.refill

    async def late(address: Address, *args: Any, **named: Any) -> None:
        async with await connect(poor) as connection:
            await connection.execute("UPDATE wagtailcore_page SET title = 'late'")
        await really(address, *args, **named)

    monkeypatch.setattr(replace_contents, "refill", late)
    async with dumped(tmp_path, database, poor, delivery="in place") as (run, target):
        plan = await InPlace(target).plan(run)
        with pytest.raises(OperationFailed, match="after its safety dump had begun") as refused:
            await InPlace(target).apply(run, plan)
    assert "wagtailcore_page: " in refused.value.found
    assert await titles(poor) == {"late"}


async def test_refuses_to_lose_a_table_created_during_the_look(
    database: Address, poor: Address, tmp_path: Path
) -> None:
    """No lock keeps anybody from making one, and the look is over by then."""

    async def look_and_somebody_makes_one() -> None:
        async with await connect(poor) as connection:
            await connection.execute("CREATE TABLE late AS SELECT 'precious' AS word")

    async with dumped(tmp_path, database, poor, delivery="in place") as (run, target):
        script = script_of(run.facts.of(Dumped, "staging"))
        with pytest.raises(OperationFailed, match="about to be replaced") as refused:
            await replace_contents.refill(
                poor,
                script,
                run.report,
                check=look_and_somebody_makes_one,
                begun=lambda number: None,
                made=partial(objects.make_missing, target, None),
            )
    assert refused.value.found == "table public.late"
    assert await titles(poor) == {"old"}


@pytest.mark.slow
async def test_compares_again_what_was_committed_and_differs(
    database: Address, poor: Address, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Something writes to it at once. The moment is made, all else is real."""
    really = replace_contents.refill

    async def then_written_to(address: Address, *args: Any, **named: Any) -> None:
        await really(address, *args, **named)
        async with await connect(poor) as connection:
            await connection.execute("DELETE FROM wagtailcore_revision WHERE id = 1")

    monkeypatch.setattr(replace_contents, "refill", then_written_to)
    async with dumped(tmp_path, database, poor, delivery="in place") as (run, target):
        operation = InPlace(target)
        plan = await operation.plan(run)
        with pytest.raises(VerificationFailed, match="is not what was delivered") as refused:
            await operation.apply(run, plan)
        assert plan.details["safety"] in refused.value.hint
        with pytest.raises(VerificationFailed, match="was replaced, and is not") as again:
            await operation.observe(run, plan)
        assert again.value.found == "wagtailcore_revision: 30 rows became 29"
        assert plan.details["safety"] in again.value.hint
        async with await connect(poor) as connection:
            await connection.execute(
                "INSERT INTO wagtailcore_revision SELECT 1, id, "
                "jsonb_build_object('title', title) FROM wagtailcore_page WHERE id = 1"
            )
        observation = await operation.observe(run, plan)
        assert observation.seen is Seen.DONE
        assert observation.result.to_json()["safety"] == plan.details["safety"]


@pytest.mark.slow
async def test_names_a_session_that_holds_a_lock(
    database: Address, poor: Address, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replace_contents, "PATIENCE", 0.5)
    async with dumped(tmp_path, database, poor, delivery="in place") as (run, target):
        plan = await InPlace(target).plan(run)
        async with await connect(poor, autocommit=False) as connection:
            await connection.execute("UPDATE wagtailcore_page SET title = 'late'")
            with pytest.raises(OperationFailed, match="holds on to poor") as refused:
                await InPlace(target).apply(run, plan)
            assert str(connection.info.backend_pid) in refused.value.found
    assert await titles(poor) == {"late"}


def lines(told: list[Event]) -> list[str]:
    return [event.text for event in told if isinstance(event, Line)]


@pytest.mark.slow
async def test_waits_for_a_lock_without_holding_up_readers(
    database: Address, poor: Address, tmp_path: Path
) -> None:
    """Whoever reads while an editor's transaction is open waits for a lock's patience."""
    async with dumped(tmp_path, database, poor, delivery="in place") as (run, target):
        operation, told = InPlace(target), list[Event]()
        run.events.subscribe(told.append)
        plan = await operation.plan(run)
        async with await connect(poor, autocommit=False) as editor, await connect(poor) as reader:
            await editor.execute("SELECT count(*) FROM wagtailcore_page")  # and stays
            delivery = asyncio.create_task(operation.apply(run, plan))
            worst, holder = 0.0, f"waiting for pid {editor.info.backend_pid}"
            while len([line for line in lines(told) if holder in line]) < 3:
                assert not delivery.done(), delivery
                begun = time.monotonic()
                await reader.execute("SELECT count(*) FROM wagtailcore_revision")
                worst = max(worst, time.monotonic() - begun)
                await asyncio.sleep(0.02)
            await editor.rollback()
            await delivery
    assert worst < 5, worst  # 300 ms and the load of this machine; it was 10 s
    assert await titles(poor) == {"new"}


async def test_refuses_objects_of_other_owners_beforehand(
    database: Address, poor: Address, far_cluster: Cluster, tmp_path: Path
) -> None:
    async with dumped(tmp_path, database, poor, delivery="in place") as (run, target):
        async with await connect(far_cluster.address("poor")) as admin:
            await admin.execute("CREATE TABLE audit (id int)")
        with pytest.raises(OperationFailed, match="in place") as refused:
            await InPlace(target).plan(run)
    assert refused.value.found == "public.audit of production is not ours to drop"
