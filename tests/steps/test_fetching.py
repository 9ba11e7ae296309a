"""Production's content on its way here: by every route, and without what shall not come."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import yaml

from tests.support.delivery import dumped
from tests.support.postgres import CONTENT, tool
from wizard.base.errors import ConfigError, IdentityMismatch, VerificationFailed
from wizard.base.events import Event, Events, Finding
from wizard.config import config
from wizard.config.config import Config
from wizard.delivery.drift import since_backup
from wizard.delivery.dump import ScriptedDump
from wizard.delivery.results import Dumped
from wizard.engine.context import Context
from wizard.engine.operation import Seen
from wizard.postgres import identity, server
from wizard.postgres.address import Address, connect
from wizard.postgres.admin import swap
from wizard.postgres.drift import fingerprint
from wizard.postgres.dumps import dump, plain, restore
from wizard.postgres.dumps.archive import Archive
from wizard.sandbox.sshd import SshServer
from wizard.session import session as sessions
from wizard.session.plan import Plan
from wizard.ssh.connection import host_key
from wizard.ssh.hostkeys import trust
from wizard.steps import project
from wizard.steps.backup import Restore
from wizard.steps.fetch import Fetch


def described(address: Address) -> dict[str, object]:
    return {
        "database": address.database,
        "host": address.host,
        "port": address.port,
        "user": address.user,
    }


@pytest.fixture
async def far_filled(far_database: Address) -> AsyncIterator[Address]:
    async with await connect(far_database) as connection:
        await connection.execute(CONTENT)
        await connection.execute("CREATE TABLE django_session (key text PRIMARY KEY)")
        await connection.execute("INSERT INTO django_session VALUES ('secret')")
        await connection.execute("VACUUM ANALYZE")
    yield far_database


@pytest.fixture
def remodel_yml(
    database: Address, far_filled: Address, tmp_path: Path, ssh_server: SshServer
) -> Path:
    """A conversion whose production is reached by SSH, and whose managed database is not."""
    ssh_server.write_ssh_config(tmp_path / "ssh_config", "far")
    data = {
        "project": {"settings": "config.settings"},
        "local": described(database),
        "source": "production",
        "targets": {
            "production": {
                **described(far_filled),
                "ssh": "far",
                "ssh_config": "ssh_config",
                "site": {"hostname": "example.org"},
            },
            "managed": {**described(far_filled), "site": {"hostname": "example.org"}},
        },
        "conversion": {"from": "a.B", "to": "a.C", "pages": [{"slug": "x"}]},
    }
    path = tmp_path / "remodel.yml"
    path.write_text(yaml.safe_dump(data))
    for address, name in ((database, "LOCAL"), (far_filled, "PRODUCTION"), (far_filled, "MANAGED")):
        assert address.password is not None
        with (tmp_path / ".env").open("a") as file:
            file.write(f"REMODEL_{name}_PASSWORD={address.password.reveal()}\n")
    return path


def changed(path: Path, **sections: object) -> Config:
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), **sections}))
    return config.read(path)


@pytest.fixture
def heard() -> list[Event]:
    return []


@pytest.fixture
def begun(heard: list[Event]) -> Iterator[list[Context]]:
    runs: list[Context] = []
    yield runs
    for run in runs:
        run.session.close()


async def begin(
    found: Config, runs: list[Context], heard: list[Event], archive: str, *, accepted: bool = True
) -> Context:
    events = Events()
    events.subscribe(heard.append)
    session = sessions.begin(found)
    session.answers.answers["backup.archive"] = archive
    context = Context(found, session, events)
    runs.append(context)
    if found.backup_source.ssh and accepted:
        trust(context.far.known_hosts, await host_key(context.far.login(found.backup_source)))
    return context


async def fetched(context: Context) -> tuple[Archive, dict[str, object]]:
    """What `backup.fetch` brings, by its plan."""
    async with context:
        plan = await Fetch().plan(context)
        result = await Fetch().apply(context, plan)
        return result.archive, {**result.to_json(), "does": plan.does}


async def restored(made: Archive, database: Address, context: Context) -> dict[str, int]:
    """The tables of the dump, restored, with their numbers of rows."""
    beside = database.at("restored")
    reader = None if made.is_script else await tool("pg_restore", 18)
    await restore.create_beside(database, "restored", like=None, report=context.report)
    try:
        await restore.restore(made, beside, context.report, pg_restore=reader)
        return {name: each.rows for name, each in (await fingerprint.tables(beside)).items()}
    finally:
        await restore.drop(database, "restored")


ROWS = {"author": 10, "page": 2000, "django_session": 1}


@pytest.mark.slow
@pytest.mark.parametrize("source", ["production", "managed"])
async def test_the_dump_and_its_baseline_are_of_one_moment(
    source: str,
    remodel_yml: Path,
    database: Address,
    begun: list[Context],
    heard: list[Event],
) -> None:
    """Over SSH with pg_dump there, and from a database that this machine reaches itself."""
    context = await begin(changed(remodel_yml, source=source), begun, heard, "fetch")
    made, facts = await fetched(context)
    where = "there" if source == "production" else "here"
    assert any(f"pg_dump 18.4 {where}" in line for line in facts["does"])  # type: ignore[attr-defined]
    assert isinstance(facts["baseline"], dict) and facts["baseline"]["tables"]
    assert await restored(made, database, context) == ROWS


@pytest.mark.slow
async def test_runs_pg_dump_here_where_the_far_side_has_none(
    remodel_yml: Path,
    ssh_server: SshServer,
    database: Address,
    begun: list[Context],
    heard: list[Event],
) -> None:
    """Through the forwarded socket; what is in /usr/lib/postgresql there may be too old."""
    ssh_server.environment["PATH"] = "/bin"
    context = await begin(config.read(remodel_yml), begun, heard, "fetch")
    made, facts = await fetched(context)
    assert any("pg_dump 18.4 here" in line for line in facts["does"])  # type: ignore[attr-defined]
    assert await restored(made, database, context) == ROWS


async def test_leaves_out_the_rows_of_excluded_tables(
    remodel_yml: Path, database: Address, begun: list[Context], heard: list[Event]
) -> None:
    found = changed(remodel_yml, backup={"exclude_table_data": ["django_session"]})
    context = await begin(found, begun, heard, "fetch")
    made, facts = await fetched(context)
    assert "leave the rows of public.django_session there" in facts["does"]  # type: ignore[operator]
    assert await restored(made, database, context) == {**ROWS, "django_session": 0}
    context.session.journal.write("backup.fetch", "done", facts)
    async with context:
        source = context.config.backup_source
        lost = await since_backup.since_backup(
            context, source, (await context.far.checked(source)).address
        )
    assert lost.left_out == {"django_session": 1}


async def test_a_local_database_of_another_maker_is_not_the_restored_one(
    remodel_yml: Path, database: Address, begun: list[Context], heard: list[Event]
) -> None:
    """We were cut off before ours had the name, and then there is one of that name."""
    local = database.at(f"{database.database}_not_there")
    context = await begin(changed(remodel_yml, local=described(local)), begun, heard, "fetch")
    _, facts = await fetched(context)
    context.session.journal.write("backup.fetch", "done", facts)
    plan = await Restore().plan(context)
    assert (await Restore().observe(context, plan)).seen is Seen.NOT_DONE
    await restore.create_beside(database, local.database, like=None, report=context.report)
    try:
        assert (await Restore().observe(context, plan)).seen is Seen.NOT_DONE
        await identity.mark(local, context.local.mark)
        assert (await Restore().observe(context, plan)).seen is Seen.DONE
    finally:
        await restore.drop(database, local.database)


@pytest.mark.parametrize(
    ("name", "words"), [("author", "public.page refers to"), ("djang_session", "Did you mean")]
)
async def test_refuses_to_exclude_referenced_or_unknown_tables(
    name: str, words: str, remodel_yml: Path, begun: list[Context], heard: list[Event]
) -> None:
    found = changed(remodel_yml, backup={"exclude_table_data": [name]})
    context = await begin(found, begun, heard, "fetch")
    with pytest.raises(ConfigError) as refused:
        await fetched(context)
    assert words in str(refused.value)


async def test_takes_a_script_from_here_or_there(
    remodel_yml: Path,
    far_filled: Address,
    database: Address,
    ssh_server: SshServer,
    begun: list[Context],
    heard: list[Event],
    tmp_path: Path,
) -> None:
    context = await begin(config.read(remodel_yml), begun, heard, "taken.sql.gz")
    pg_dump, pg_restore = await tool("pg_dump", 18), await tool("pg_restore", 18)
    made = await dump.dump(
        far_filled, tmp_path / "db", context.report, pg_dump=pg_dump, pg_restore=pg_restore
    )
    await plain.write(made, tmp_path / "taken.sql.gz", pg_restore)
    taken, facts = await fetched(context)
    assert taken.is_script and "baseline" not in facts
    assert await restored(taken, database, context) == ROWS

    (tmp_path / "taken.sql.gz").rename(ssh_server.home / "theirs.gz")
    context.session.answers.answers["backup.archive"] = "ssh:theirs.gz"
    brought, _ = await fetched(context)
    assert brought.sha256 == taken.sha256 and brought.path.parent == context.config.backups
    assert [each.value for each in heard if isinstance(each, Finding) and each.name == "theirs.gz"]

    text = gzip.decompress(brought.path.read_bytes())
    (tmp_path / "taken.sql").write_bytes(text[: len(text) // 2])
    context.session.answers.answers["backup.archive"] = "taken.sql"
    with pytest.raises(VerificationFailed, match="cut off"):
        await fetched(context)


async def test_refuses_to_exclude_tables_from_an_existing_dump(
    remodel_yml: Path, begun: list[Context], heard: list[Event]
) -> None:
    found = changed(remodel_yml, backup={"exclude_table_data": ["django_session"]})
    context = await begin(found, begun, heard, "taken.dump")
    for answer in ("taken.dump", "ssh:theirs.dump"):
        context.session.answers.answers["backup.archive"] = answer
        assert any(
            "the rows of django_session come along" in line
            for line in (await Fetch().plan(context)).does
        )


# Whose host and whose database it is


async def test_refuses_a_known_host_key_that_the_session_did_not_begin_with(
    remodel_yml: Path, ssh_server: SshServer, begun: list[Context], heard: list[Event]
) -> None:
    """Both keys are known, as with a host that was set up anew, or a name for two machines: to a
    copy of the server's files, all else of the identity would be the same."""
    context = await begin(config.read(remodel_yml), begun, heard, "fetch")
    source, login = context.config.backup_source, context.far.login(context.config.backup_source)
    async with context:
        before = await context.far.checked(source)
    assert ssh_server.fingerprint in before.where
    await ssh_server.rotate_host_key()
    context.far.known_hosts.unlink()
    trust(context.far.known_hosts, await host_key(login))
    async with context:
        with pytest.raises(IdentityMismatch, match="not the one this session began with") as caught:
            await context.far.checked(source)
    assert before.where in caught.value.found and ssh_server.fingerprint in caught.value.found


async def test_refuses_two_targets_that_are_one_database(
    remodel_yml: Path, begun: list[Context], heard: list[Event]
) -> None:
    context = await begin(config.read(remodel_yml), begun, heard, "fetch")
    async with context:
        far = await context.far.checked(context.config.backup_source)
        with pytest.raises(IdentityMismatch, match="managed and production have one") as caught:
            await project._target(context, context.config.targets["managed"])
        assert "copy of a server's files" in caught.value.hint
        with pytest.raises(IdentityMismatch, match="has the identity of production") as caught:
            project.refuse_target(context, await identity.read(far.address, "local"))
        assert "restoring a dump" in caught.value.hint


async def test_asks_for_each_host_key_on_the_way(
    remodel_yml: Path,
    ssh_server: SshServer,
    bastion: SshServer,
    begun: list[Context],
    heard: list[Event],
    tmp_path: Path,
) -> None:
    found = config.read(remodel_yml)
    bastion.write_ssh_config(tmp_path / "bastion_config", "bastion")
    here = tmp_path / "ssh_config"
    text = f"{here.read_text()}    ProxyJump bastion\n\n"
    here.write_text(text + (tmp_path / "bastion_config").read_text())
    context = await begin(found, begun, heard, "fetch", accepted=False)
    trusts = [each for each in project.STEP.operations(context) if isinstance(each, project.Trust)]
    assert [each.key for each in trusts] == ["project.jump:bastion", "project.trust:production"]
    phrases = []
    for each, host in zip(trusts, (bastion, ssh_server), strict=True):
        plan = await each.plan(context)
        assert not plan.skip and plan.facts["key"] == host.fingerprint
        assert plan.gate is not None
        phrases.append(plan.gate.phrase)
        await each.apply(context, plan)
        assert (await each.plan(context)).skip
    assert phrases == ["bastion", "production"]
    async with context:
        assert (await context.far.checked(found.backup_source)).ssh is not None


@pytest.mark.slow
async def test_leaves_a_script_of_another_session(
    database: Address, far_database: Address, tmp_path: Path
) -> None:
    async with dumped(tmp_path, database, far_database, delivery="in place") as (run, target):
        undone = ScriptedDump(target)
        facts = run.facts.of(Dumped, target.name).to_json()
        plan = Plan.from_dict(run.session.journal.intent(undone.key) or {})
        script, ours = Path(facts["script"]), Path(facts["script"]).read_bytes()
        script.write_bytes(b"theirs")
        await undone.undo(run, plan, facts)
        assert script.read_bytes() == b"theirs"
        assert not Path(facts["archive"]["path"]).exists()
        script.write_bytes(ours)
        await undone.undo(run, plan, facts)
        assert not script.exists()


async def test_swaps_a_database_without_ssh(
    remodel_yml: Path, far_filled: Address, begun: list[Context], heard: list[Event], tmp_path: Path
) -> None:
    context = await begin(changed(remodel_yml, source="managed"), begun, heard, "fetch")
    target = context.config.targets["managed"]
    assert target.where == far_filled.host
    far = await context.far.checked(target)
    with pytest.raises(ConfigError, match="reached without SSH"):
        _ = far.connection
    made = await context.far.fetch(target, tmp_path / "db", context.report)
    beside, kept = far.address.at("new"), "old"
    await restore.create_beside(
        far.address, beside.database, like=far_filled.database, report=context.report
    )
    await restore.restore(made, beside, context.report, pg_restore=await tool("pg_restore", 18))
    try:
        await swap.swap(far.address, beside.database, kept, context.report, terminate=True)
        assert await server.database(far.address.at(kept)) is not None
        assert (await server.contents(far.address)).tables == 3
    finally:
        await restore.drop(far.address, far_filled.database, force=True)
        await swap.reopen(far.address.at(kept), -1)
        await restore.drop(far.address, kept)
