"""What a session holds is found by its journal alone, and dropped only as it was consented to."""

from __future__ import annotations

import os
import pty
import subprocess
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from tests.support.delivery import dumped, perform, tidy
from tests.support.remodel_yml import write
from tests.support.sandbox import REMODEL
from wizard.base.errors import ConsentMissing, IdentityMismatch, PlanStale
from wizard.base.events import Events, Report
from wizard.commands import runner
from wizard.config import config
from wizard.config.config import Config
from wizard.config.databases import Local, SiteAddress, Target
from wizard.delivery.overwrite import script_of
from wizard.delivery.results import Dumped
from wizard.delivery.rollback import Rollback
from wizard.delivery.swap import Swap
from wizard.engine.context import Context
from wizard.postgres import identity, server
from wizard.postgres.address import Address
from wizard.postgres.admin import checkpoint
from wizard.postgres.dumps import restore
from wizard.reports.output import Output
from wizard.session import session as sessions
from wizard.session.plan import Plan
from wizard.session.session import Session
from wizard.upkeep import artifacts, purge
from wizard.upkeep.purge import Fingerprints, Purge


@pytest.fixture
def found(tmp_path: Path, database: Address, far_database: Address) -> Config:
    """A project whose production is a database that is reached without SSH."""
    read = config.read(write(tmp_path))
    site = SiteAddress("example.org", 443)
    target = Target("production", ssh="", ssh_config=None, address=far_database, site=site)
    local = Local(database, read.local.site)
    return replace(read, local=local, backup_source=target, targets={"production": target})


@pytest_asyncio.fixture
async def delivered(found: Config) -> AsyncIterator[Session]:
    """A session that took a checkpoint and delivered, as its journal and the servers have it."""
    near, far = found.local.address, found.targets["production"].address
    found.backups.mkdir()
    with sessions.begin(found) as session:
        stamp = session.id.replace("-", "_")
        made = {
            "before": server.beside(near.database, f"{stamp}_before"),
            "checkpoint": server.beside(near.database, f"{stamp}_structure_migrate"),
            "unnoted": server.beside(near.database, f"{stamp}_copy_convert"),
            "back": "",
            "old": server.beside(far.database, f"{stamp}_old"),
        }
        made["back"], _ = checkpoint.passing(made["unnoted"])  # an undo that was cut off
        journal = session.journal
        for key, details in (
            ("backup.restore", {"kept": made["before"], "beside": f"x__{stamp}_new"}),
            ("structure.migrate", {}),
            ("copy.convert", {}),  # and cut off right after its checkpoint
            ("production.deliver:production", {"kept": made["old"], "beside": f"y__{stamp}_new"}),
        ):
            journal.write(key, "intent", Plan(key, "", details=details).as_dict())
        journal.write("structure.migrate", "kept", {"checkpoint": made["checkpoint"]})
        journal.write("production.deliver:production", "done", {"kept": made["old"]})
        for name in ("before", "checkpoint", "unnoted", "back"):
            await restore.create_beside(near, made[name], like=None, report=Report(Events(), ""))
        await restore.create_beside(far, made["old"], like=None, report=Report(Events(), ""))
        async with Context(found, session, Events()) as context:
            context.far.pins.pin("production", await identity.read(far, found.backup_source.where))
        for name in (f"db.production.{session.id}.dump", "db.production.20200101-000000.dump"):
            (found.backups / name).write_bytes(b"PGDMP" * 1000)
        yield session
        for address, names in ((near, made.keys() - {"old"}), (far, ("old",))):
            for name in names:
                await restore.drop(address, made[name])


def names_of(databases: list[server.DatabaseRow], stamp: str) -> list[str]:
    return sorted(each.name.partition(stamp)[2] for each in databases if stamp in each.name)


async def headless(found: Config, session: Session, given: list[str], *allowed: str) -> None:
    operator = Fingerprints(given, allowed, "by hand")
    await runner.once(found, session, operator, Output(json=True), purge.step(found, session))


async def fingerprints(found: Config, session: Session) -> list[str]:
    async with Context(found, session, Events()) as context:
        operations = purge.step(found, session).operations(context)
        return [(await operation.plan(context)).fingerprint for operation in operations]


async def test_purges_this_session_alone_with_two_keys(found: Config, delivered: Session) -> None:
    near, far = found.local.address, found.targets["production"].address
    stamp = delivered.id.replace("-", "_")
    foreign = server.beside(near.database, "20200101_000000_before")
    await restore.create_beside(near, foreign, like=None, report=Report(Events(), ""))
    given = await fingerprints(found, delivered)
    assert len(set(given)) == 2

    with pytest.raises(ConsentMissing, match="Nobody has consented"):
        await headless(found, delivered, [])
    with pytest.raises(PlanStale):
        await headless(found, delivered, ["0" * 16])
    everything = ["_before", "_copy_convert", "_copy_convert__back", "_structure_migrate"]
    assert names_of(await server.databases(near), stamp) == everything

    with pytest.raises(ConsentMissing, match="Nobody has consented"):  # to the second gate
        await headless(found, delivered, given[:1], "production")
    with pytest.raises(ConsentMissing, match="production is not allowed"):
        await headless(found, delivered, given[1:])
    assert names_of(await server.databases(near), stamp) == []
    assert names_of(await server.databases(far), stamp) == ["_old"]
    assert [path.name for path in found.backups.iterdir()] == ["db.production.20200101-000000.dump"]

    await headless(found, delivered, given, "production")
    assert names_of(await server.databases(far), stamp) == []
    left = {each.name for each in await server.databases(near)}
    assert {near.database, foreign} <= left
    assert far.database in {each.name for each in await server.databases(far)}
    (done,) = (x.data for x in delivered.journal.entries("purge.local") if x.kind == "done")
    assert len(done["dropped"]) == 4
    assert done["deleted"] == [f"db.production.{delivered.id}.dump"]
    (one,) = sessions.summaries(found)
    assert artifacts.use(found, one, await server.databases(near)).far == {}
    await headless(found, delivered, [])  # nothing is left, so there is no gate
    await restore.drop(near, foreign)


async def test_a_listing_tells_sizes_and_touches_nothing(found: Config, delivered: Session) -> None:
    lines = await purge.listed(found)
    assert "1 files in backups, 4 local databases" in lines[0]
    assert any(
        "_copy_convert" in line and "checkpoint before copy.convert" in line for line in lines
    )
    assert any("_old" in line and "on production" in line for line in lines)
    nowhere = replace(found.local.address, port=1)
    lines = await purge.listed(replace(found, local=Local(nowhere, found.local.site)))
    assert "local databases not reached" in lines[0]
    assert len(list(found.backups.iterdir())) == 2


async def test_keeps_another_database_of_that_name(found: Config, delivered: Session) -> None:
    """Dropped and made again by somebody between the consent and the act."""
    operation, near = Purge(), found.local.address
    async with Context(found, delivered, Events()) as context:
        plan = await operation.plan(context)
        name = next(name for name in plan.details["oids"] if name.endswith("_before"))
        await restore.drop(near, name)
        await restore.create_beside(near, name, like=None, report=context.report)
        with pytest.raises(IdentityMismatch, match="another database than when"):
            await operation.apply(context, plan)
    assert await server.database(near.at(name)) is not None


async def test_purges_neither_a_live_database_nor_another_server(
    found: Config, delivered: Session
) -> None:
    target = found.targets["production"]
    async with Context(found, delivered, Events()) as context:
        pinned = context.far.pins.all()["production"]
        old = next(iter(artifacts.far_names(found, delivered.id, delivered.journal, "production")))
        kept = await server.database(target.address.at(old))
        assert kept is not None
        context.far.pins.pin(
            "production", replace(pinned, oid=kept.oid)
        )  # renamed by hand, and live
        with pytest.raises(IdentityMismatch, match="knows as production"):
            await Purge(target).plan(context)
        context.far.pins.pin("production", replace(pinned, system_identifier="7"))
        with pytest.raises(IdentityMismatch, match="not the one this session delivered to"):
            await Purge(target).plan(context)
    assert await server.database(target.address.at(old)) is not None


@pytest.mark.slow
async def test_lists_no_live_database_after_a_rollback(
    database: Address, far_database: Address, tmp_path: Path
) -> None:
    """What was kept has its name back; delivered once more, the next one is kept."""
    async with dumped(tmp_path, database, far_database) as (run, target):
        journal, far = run.session.journal, target.address

        def listed() -> tuple[str, ...]:
            known = artifacts.far_names(run.config, run.session.id, journal, target.name)
            return tuple(name for name, what in known.items() if "cut off" not in what)

        kept = await _performed(run, Swap(target), "kept")
        assert listed() == (kept,)
        aside = await _performed(run, Rollback(target), "aside")
        assert listed() == (aside,)
        assert aside in {each.name for each in await server.databases(far)}
        for name in ("deliver", "rollback"):
            journal.write(f"production.{name}:{target.name}", "undone", {})
        again = await _performed(run, Swap(target), "kept")
        assert set(listed()) == {aside, again}
        there = {each.name for each in await server.databases(far)}
        assert {aside, again, far.database} <= there
    await tidy(far_database)


async def _performed(run: Context, operation: Swap | Rollback, name: str) -> str:
    plan = await operation.plan(run)
    await perform(run, operation, plan)
    return str(plan.details[name])


def typed(folder: Path, session: str, *lines: str) -> tuple[int, str]:
    """`remodel purge` on a terminal where a person types these lines; its exit code and output."""
    ours, theirs = pty.openpty()
    arguments = ["purge", session, "--config", str(folder / "remodel.yml")]
    purging = subprocess.Popen([REMODEL, *arguments], stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    os.write(ours, "".join(f"{line}\n" for line in lines).encode())
    told = b""
    with suppress(OSError):  # at its end a terminal has an error instead of nothing more
        while data := os.read(ours, 4096):
            told += data
    os.close(ours)
    return purging.wait(60), told.decode()


@pytest.mark.slow
async def test_a_person_types_the_name_of_what_is_purged(
    database: Address, far_database: Address, tmp_path: Path
) -> None:
    async with dumped(tmp_path, database, far_database) as (run, target):
        session, dump = (
            run.session.id,
            Path(run.facts.of(Dumped, "staging").archive.path),
        )
        kept = far_database.at((await perform(run, Swap(target)))["kept"])

    code, told = typed(tmp_path, session, "", "yes")
    assert code == 4, told
    assert f"destroys: the file {dump.name}" in told
    assert f"Type {session} to go on" in told
    assert "'yes' was typed" in told
    assert dump.exists()

    code, told = typed(tmp_path, session, "", session, "staging")
    assert code == 0, told
    assert "Type staging to go on" in told
    assert not dump.exists()
    assert await server.database(kept) is None
    assert await server.database(far_database) is not None


async def test_purges_the_plain_script_of_this_session_only(
    database: Address, far_database: Address, tmp_path: Path
) -> None:
    async with dumped(tmp_path, database, far_database, delivery="in place") as (run, _):
        script = script_of(run.facts.of(Dumped, "staging"))
        assert str(script) in (await Purge().plan(run)).details["files"]
        script.write_bytes(b"of a later session")
        assert str(script) not in (await Purge().plan(run)).details["files"]
