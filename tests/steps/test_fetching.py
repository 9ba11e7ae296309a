"""Production's content on its way here: by every route, and without what shall not come."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import yaml

from tests.postgres.conftest import CONTENT, tool
from wizard import config
from wizard import session as sessions
from wizard.config import Config
from wizard.errors import ConfigError, VerificationFailed
from wizard.events import Event, Events, Finding
from wizard.hostkeys import trust
from wizard.postgres import dump, fingerprint, plain, restore, server, swap
from wizard.postgres.address import Address, connect
from wizard.postgres.archive import Archive
from wizard.remote import host_key
from wizard.run import Run
from wizard.sandbox.sshd import SshServer
from wizard.steps.backup import Fetch


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
def begun(heard: list[Event]) -> Iterator[list[Run]]:
    runs: list[Run] = []
    yield runs
    for run in runs:
        run.session.close()


async def begin(found: Config, runs: list[Run], heard: list[Event], archive: str) -> Run:
    events = Events()
    events.subscribe(heard.append)
    session = sessions.begin(found)
    session.answers.answers["backup.archive"] = archive
    run = Run(found, session, events)
    runs.append(run)
    if found.source.ssh:
        trust(run.known_hosts, await host_key(run.login(found.source)))
    return run


async def fetched(run: Run) -> tuple[Archive, dict[str, object]]:
    """What `backup.fetch` brings, by its plan."""
    async with run:
        plan = await Fetch().plan(run)
        facts = dict(await Fetch().apply(run, plan))
        return Archive.from_dict(facts["archive"]), {**facts, "does": plan.does}


async def restored(made: Archive, database: Address, run: Run) -> dict[str, int]:
    """The tables of the dump, restored, with their numbers of rows."""
    beside = database.at("restored")
    reader = None if made.is_script else await tool("pg_restore", 18)
    await restore.create_beside(database, "restored", like=None, report=run.report)
    try:
        await restore.restore(made, beside, run.report, pg_restore=reader)
        return {name: each.rows for name, each in (await fingerprint.tables(beside)).items()}
    finally:
        await restore.drop(database, "restored")


ROWS = {"author": 10, "page": 2000, "django_session": 1}


@pytest.mark.parametrize("source", ["production", "managed"])
async def test_a_dump_is_of_the_moment_that_its_baseline_tells(
    source: str,
    remodel_yml: Path,
    database: Address,
    begun: list[Run],
    heard: list[Event],
) -> None:
    """Over SSH with pg_dump there, and from a database that this machine reaches itself."""
    run = await begin(changed(remodel_yml, source=source), begun, heard, "fetch")
    made, facts = await fetched(run)
    where = "there" if source == "production" else "here"
    assert any(f"pg_dump 18.4 {where}" in line for line in facts["does"])  # type: ignore[attr-defined]
    assert isinstance(facts["baseline"], dict) and facts["baseline"]["tables"]
    assert await restored(made, database, run) == ROWS


async def test_pg_dump_here_where_there_is_none_there(
    remodel_yml: Path,
    ssh_server: SshServer,
    database: Address,
    begun: list[Run],
    heard: list[Event],
) -> None:
    """Through the forwarded socket; what is in /usr/lib/postgresql there may be too old."""
    ssh_server.environment["PATH"] = "/bin"
    run = await begin(config.read(remodel_yml), begun, heard, "fetch")
    made, facts = await fetched(run)
    assert any("pg_dump 18.4 here" in line for line in facts["does"])  # type: ignore[attr-defined]
    assert await restored(made, database, run) == ROWS


async def test_tables_whose_rows_stay_there(
    remodel_yml: Path, database: Address, begun: list[Run], heard: list[Event]
) -> None:
    found = changed(remodel_yml, backup={"exclude_table_data": ["django_session"]})
    run = await begin(found, begun, heard, "fetch")
    made, facts = await fetched(run)
    assert "leave the rows of public.django_session there" in facts["does"]  # type: ignore[operator]
    assert await restored(made, database, run) == {**ROWS, "django_session": 0}


@pytest.mark.parametrize(
    ("name", "words"), [("author", "public.page refers to"), ("djang_session", "Did you mean")]
)
async def test_tables_that_cannot_stay_there(
    name: str, words: str, remodel_yml: Path, begun: list[Run], heard: list[Event]
) -> None:
    found = changed(remodel_yml, backup={"exclude_table_data": [name]})
    run = await begin(found, begun, heard, "fetch")
    with pytest.raises(ConfigError) as refused:
        await fetched(run)
    assert words in str(refused.value)


async def test_a_script_that_is_here_or_there(
    remodel_yml: Path,
    far_filled: Address,
    database: Address,
    ssh_server: SshServer,
    begun: list[Run],
    heard: list[Event],
    tmp_path: Path,
) -> None:
    run = await begin(config.read(remodel_yml), begun, heard, "taken.sql.gz")
    pg_dump, pg_restore = await tool("pg_dump", 18), await tool("pg_restore", 18)
    made = await dump.dump(
        far_filled, tmp_path / "db", run.report, pg_dump=pg_dump, pg_restore=pg_restore
    )
    await plain.write(made, tmp_path / "taken.sql.gz", pg_restore)
    taken, facts = await fetched(run)
    assert taken.is_script and "baseline" not in facts
    assert await restored(taken, database, run) == ROWS

    (tmp_path / "taken.sql.gz").rename(ssh_server.home / "theirs.gz")
    run.session.answers.answers["backup.archive"] = "ssh:theirs.gz"
    brought, _ = await fetched(run)
    assert brought.sha256 == taken.sha256 and brought.path.parent == run.config.backups
    assert [each.value for each in heard if isinstance(each, Finding) and each.name == "theirs.gz"]

    text = gzip.decompress(brought.path.read_bytes())
    (tmp_path / "taken.sql").write_bytes(text[: len(text) // 2])
    run.session.answers.answers["backup.archive"] = "taken.sql"
    with pytest.raises(VerificationFailed, match="cut off"):
        await fetched(run)


async def test_a_database_without_ssh_is_swapped_like_any_other(
    remodel_yml: Path, far_filled: Address, begun: list[Run], heard: list[Event], tmp_path: Path
) -> None:
    run = await begin(changed(remodel_yml, source="managed"), begun, heard, "fetch")
    target = run.config.targets["managed"]
    assert target.where == far_filled.host
    far = await run.far(target)
    with pytest.raises(ConfigError, match="reached without SSH"):
        _ = far.connection
    made = await run.fetch(target, tmp_path / "db")
    beside, kept = far.address.at("new"), "old"
    await restore.create_beside(
        far.address, beside.database, like=far_filled.database, report=run.report
    )
    await restore.restore(made, beside, run.report, pg_restore=await tool("pg_restore", 18))
    try:
        await swap.swap(far.address, beside.database, kept, run.report, terminate=True)
        assert await server.database(far.address.at(kept)) is not None
        assert (await server.contents(far.address)).tables == 3
    finally:
        await restore.drop(far.address, far_filled.database, force=True)
        await swap.reopen(far.address.at(kept), -1)
        await restore.drop(far.address, kept)
