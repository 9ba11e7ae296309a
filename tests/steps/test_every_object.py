"""The delivered database consists of what is live, whatever a dump and a restore leave out."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.delivery import dumped, execute, names, perform, playbook, tidy, titles
from wizard.base.errors import OperationFailed, VerificationFailed
from wizard.base.events import Event, Finding
from wizard.config.databases import Target
from wizard.delivery.base import Delivery
from wizard.delivery.in_place import InPlace
from wizard.delivery.playbook import Playbook
from wizard.delivery.rollback import Rollback
from wizard.delivery.swap import Swap
from wizard.delivery.verify import objects
from wizard.engine.context import Context
from wizard.engine.operation import Seen
from wizard.postgres.address import Address, connect
from wizard.reports import report
from wizard.sandbox.cluster import Cluster
from wizard.sandbox.sshd import SshServer
from wizard.session import ledger

LIVE = """
CREATE VIEW shown AS SELECT title FROM wagtailcore_page;
COMMENT ON VIEW shown IS 'what is shown';
CREATE STATISTICS counted (ndistinct) ON id, title FROM wagtailcore_page;
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE PUBLICATION pages FOR TABLE wagtailcore_page;
CREATE POLICY mine ON wagtailcore_page USING (true);
CREATE FUNCTION how_many() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM shown';
"""
ANEW = {
    *("shown", "VIEW shown", "counted", "mood", "how_many()"),
    *("pages", "pages wagtailcore_page", "wagtailcore_page mine"),
}
PLAYBOOK = """#!/bin/sh
set -e
psql="{bin}/psql -q -v ON_ERROR_STOP=1"
$psql -d postgres -c 'DROP DATABASE {name} WITH (FORCE)' -c 'CREATE DATABASE {name}'
if [ ! -e failed ]; then touch failed; $psql -d {name} -c 'CREATE TABLE ruin ()'; exit 1; fi
zcat backups/db.staging.psql.gz | $psql -d {name} -f - > /dev/null
"""


class Heard:
    """The findings on objects."""

    def __init__(self, context: Context) -> None:
        self.findings: list[Finding] = []
        context.events.subscribe(self._heard)

    def _heard(self, event: Event) -> None:
        if isinstance(event, Finding) and event.name == "objects":
            self.findings.append(event)

    @property
    def last(self) -> Finding:
        return self.findings[-1]


@asynccontextmanager
async def live(
    folder: Path, database: Address, far: Address, **how: object
) -> AsyncIterator[tuple[Context, Target]]:
    """A run, dumped, whose target has objects that came after the backup."""
    async with dumped(folder, database, far, **how) as (run, target):  # type: ignore[arg-type]
        await objects.note_restored(run)
        await execute(far, LIVE)
        yield run, target


async def has_all(far: Address) -> bool:
    async with await connect(far) as connection:
        rows = await connection.execute(
            "SELECT pubname, obj_description('shown'::regclass), 'happy'::mood::text "
            "FROM pg_publication_tables"
        )
        return await rows.fetchall() == [("pages", "what is shown", "happy")]


@pytest.mark.slow
async def test_a_swap_makes_what_no_restore_brings(
    database: Address, far_database: Address, tmp_path: Path
) -> None:
    async with live(tmp_path, database, far_database) as (run, target):
        heard = Heard(run)
        await perform(run, Swap(target))
        assert heard.last.value == "24 objects: 16 kept, 8 rebuilt"
        held = ledger.read(run.session.folder, ledger.objects("staging"))
        assert held is not None
        assert held.unbalanced == []
        rows = [row for entry in held.entries for row in entry.rows]
        assert {name for name, _, _ in rows} == ANEW
        assert {became for _, _, became in rows} == {"rebuilt"}
        run.session.journal.note("identity", {"targets": {"staging": "swap"}})
        markdown, _ = report.write(run)
        assert "## Objects of staging" in markdown.read_text()
        assert await titles(far_database) == {"new"}
        assert await has_all(far_database)

        await perform(run, Rollback(target))
        assert heard.last.value == "24, each as before the delivery"
    await tidy(far_database)


@pytest.mark.slow
@pytest.mark.parametrize(("how", "delivery"), [("swap", Swap), ("in place", InPlace)])
async def test_a_database_from_before_an_upgrade_is_delivered_to(
    how: str,
    delivery: type[Delivery],
    database: Address,
    far_database: Address,
    far_cluster: Cluster,
    tmp_path: Path,
) -> None:
    """Its schema `public` is a superuser's, and everybody may create in it, as before 15."""
    async with live(tmp_path, database, far_database, delivery=how) as (run, target):
        await execute(
            far_cluster.address(far_database.database),
            "ALTER SCHEMA public OWNER TO production; GRANT ALL ON SCHEMA public TO PUBLIC",
        )
        await perform(run, delivery(target))
    assert await titles(far_database) == {"new"}
    async with await connect(far_database) as connection:
        rows = await connection.execute(
            "SELECT acl::text LIKE '%=UC/%' FROM (SELECT unnest(nspacl) acl FROM pg_namespace "
            "WHERE nspname = 'public') a WHERE acl::text LIKE '=%'"
        )
        assert await rows.fetchall() == [(True,)]
    await tidy(far_database)


@pytest.mark.slow
async def test_a_rollback_tells_what_was_changed_meanwhile(
    database: Address, far_database: Address, tmp_path: Path
) -> None:
    async with live(tmp_path, database, far_database) as (run, target):
        heard = Heard(run)
        delivered = await perform(run, Swap(target))
        kept = far_database.at(delivered["kept"])
        await execute(
            far_database.at("postgres"), f"ALTER DATABASE {kept.database} ALLOW_CONNECTIONS true"
        )
        await execute(kept, "DROP VIEW shown")
        await perform(run, Rollback(target))
        assert "VIEW public shown: is not there" in heard.last.value
        assert heard.last.status == "warn"
    await tidy(far_database)


SINCE = [
    ("CREATE TABLE since (id int)", "TABLE public since: is not there; it cannot be made"),
    (
        "CREATE INDEX since ON wagtailcore_page (title)",
        "INDEX public since: is not there; it cannot be made",
    ),
    ("CREATE SEQUENCE since", "SEQUENCE public since: is not there; it cannot be made"),
    (
        "ALTER TABLE wagtailcore_page ADD since int",
        "TABLE public wagtailcore_page: another definition; it cannot be made",
    ),
]


@pytest.mark.slow
@pytest.mark.parametrize(("statement", "named"), SINCE)
async def test_an_object_that_would_be_lost_stops_a_swap(
    statement: str,
    named: str,
    database: Address,
    far_database: Address,
    ssh_server: SshServer,
    tmp_path: Path,
) -> None:
    before = [["touch", "stopped"]]
    async with live(tmp_path, database, far_database, ssh=ssh_server, before=before) as (
        run,
        target,
    ):
        await execute(far_database, statement)
        with pytest.raises(
            VerificationFailed, match="objects of the new database differ"
        ) as refused:
            await perform(run, Swap(target))
        assert named in refused.value.found
        assert far_database.database in refused.value.hint
    assert await titles(far_database) == {"old"}
    assert await names(far_database) == {""}
    assert not (tmp_path / "deploy" / "stopped").exists()


@pytest.mark.slow
@pytest.mark.parametrize(("how", "delivery"), [("swap", Swap), ("in place", InPlace)])
async def test_what_may_differ_is_accepted_by_name_with_consent(
    how: str, delivery: type[Delivery], database: Address, far_database: Address, tmp_path: Path
) -> None:
    since = ["INDEX public since", "TABLE public wagtailcore_page"]
    async with live(tmp_path, database, far_database, delivery=how, accept=since) as (run, target):
        await execute(
            far_database,
            "CREATE INDEX since ON wagtailcore_page (title);ALTER TABLE wagtailcore_page ADD x int",
        )
        plan = await delivery(target).plan(run)
        assert plan.facts["accept"] == since
        assert "NOTE: it is accepted that INDEX public since differs" in plan.does
        await perform(run, delivery(target), plan)
        held = ledger.read(run.session.folder, ledger.objects("staging"))
        assert held is not None
        rows = {(name, became) for entry in held.entries for name, _, became in entry.rows}
        assert {("since", "dropped"), ("wagtailcore_page", "rewritten")} <= rows
    assert await titles(far_database) == {"new"}
    await tidy(far_database)


BEYOND_US = {
    "CREATE EVENT TRIGGER watched ON ddl_command_end EXECUTE FUNCTION watch()": (
        "EVENT TRIGGER watched: only a superuser may make it"
    ),
    "CREATE TABLE theirs (id int); GRANT ALL ON theirs TO PUBLIC": (
        "TABLE public theirs belongs to production, and app is not a member of that role"
    ),
    "CREATE PUBLICATION whole FOR ALL TABLES": ("PUBLICATION whole: only a superuser may make it"),
    "CREATE FUNCTION ours() RETURNS int LANGUAGE internal AS 'pg_backend_pid'; "
    "ALTER FUNCTION ours() OWNER TO app": "FUNCTION public ours(): only a superuser may make it",
}


@pytest.mark.slow
@pytest.mark.parametrize("statement", BEYOND_US)
async def test_what_our_role_may_not_make_is_told_with_the_plan(
    statement: str, database: Address, far_database: Address, far_cluster: Cluster, tmp_path: Path
) -> None:
    async with live(tmp_path, database, far_database) as (run, target):
        await execute(
            far_database,
            "CREATE FUNCTION watch() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'",
        )
        await execute(far_cluster.address(far_database.database), statement)
        with pytest.raises(OperationFailed, match="would fail") as refused:
            await Swap(target).plan(run)
        lines = refused.value.found.splitlines()
        assert lines[0] == BEYOND_US[statement]
        names = tuple(line.partition(": ")[0].partition(" belongs")[0] for line in lines)
        plan = await Swap(replace(target, accept=names)).plan(run)
        assert f"NOTE: it is accepted that {names[0]} differs" in plan.does
    assert await titles(far_database) == {"old"}


@pytest.mark.slow
async def test_in_place_makes_it_in_the_same_transaction(
    database: Address, far_database: Address, tmp_path: Path
) -> None:
    async with live(tmp_path, database, far_database, delivery="in place") as (run, target):
        heard = Heard(run)
        operation = InPlace(target)
        plan = await operation.plan(run)
        await perform(run, operation, plan)
        assert heard.last.value.startswith("24 objects: 24 kept")
        assert await has_all(far_database)
        assert await titles(far_database) == {"new"}
        await execute(far_database, "DROP VIEW shown")
        assert (await operation.observe(run, plan)).seen is Seen.DONE
        assert heard.last.value == "COMMENT public VIEW shown: is not there\n" + (
            "VIEW public shown: is not there"
        )
        assert heard.last.status == "warn"


WATCH = "CREATE FUNCTION {}() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'"


@pytest.mark.slow
async def test_in_place_leaves_a_superusers_objects(
    database: Address, far_database: Address, far_cluster: Cluster, tmp_path: Path
) -> None:
    superuser = far_cluster.address(far_database.database)
    async with live(tmp_path, database, far_database, delivery="in place") as (run, target):
        await execute(superuser, EXTENSION + "CREATE FOREIGN DATA WRAPPER elsewhere;")
        heard = Heard(run)
        operation = InPlace(target)
        plan = await operation.plan(run)
        await perform(run, operation, plan)
        assert heard.last.value == "29 objects: 29 kept"


@pytest.mark.slow
async def test_in_place_loses_no_event_trigger_with_its_function(
    database: Address, far_database: Address, far_cluster: Cluster, tmp_path: Path
) -> None:
    superuser = far_cluster.address(far_database.database)
    async with live(tmp_path, database, far_database, delivery="in place") as (run, target):
        await execute(far_database, WATCH.format("watch"))
        await execute(
            superuser, "CREATE EVENT TRIGGER watched ON sql_drop EXECUTE FUNCTION watch()"
        )
        with pytest.raises(
            VerificationFailed, match="objects of the new database differ"
        ) as refused:
            await perform(run, InPlace(target))
        assert "EVENT TRIGGER watched" in refused.value.found
    assert await titles(far_database) == {"old"}


@pytest.mark.slow
@pytest.mark.parametrize(("statement", "named"), SINCE)
async def test_an_object_that_would_be_lost_stops_in_place(
    statement: str, named: str, database: Address, far_database: Address, tmp_path: Path
) -> None:
    async with live(tmp_path, database, far_database, delivery="in place") as (run, target):
        await execute(far_database, statement)
        with pytest.raises(
            VerificationFailed, match="objects of the new database differ"
        ) as refused:
            await perform(run, InPlace(target))
        assert named in refused.value.found
        assert "Everything is as it was" in refused.value.hint
    assert await titles(far_database) == {"old"}
    assert await has_all(far_database)


@pytest.mark.slow
async def test_after_a_playbook_it_is_made_in_the_target_even_at_the_second_attempt(
    database: Address, far_database: Address, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = playbook(tmp_path, far_database, PLAYBOOK, monkeypatch)
    async with live(tmp_path, database, far_database, playbook=command) as (run, target):
        heard, operation = Heard(run), Playbook(target)
        plan = await operation.plan(run)
        with pytest.raises(OperationFailed, match="exit code 1"):
            await perform(run, operation, plan)
        assert (await operation.observe(run, plan)).seen is Seen.PARTLY
        await operation.clear(run, plan)
        await perform(run, operation)
        assert heard.last.value == "24 objects: 16 kept, 8 rebuilt"
        assert await has_all(far_database)
        assert await titles(far_database) == {"new"}


PLACED = """
    SELECT relname::text FROM pg_class c JOIN pg_tablespace t ON t.oid = reltablespace
    WHERE spcname = 'fast' AND relnamespace = 'public'::regnamespace ORDER BY 1
"""


@pytest.mark.slow
@pytest.mark.parametrize(("how", "delivery"), [("swap", Swap), ("in place", InPlace)])
async def test_tables_and_indexes_are_in_their_tablespaces(
    how: str,
    delivery: type[Delivery],
    database: Address,
    far_database: Address,
    far_cluster: Cluster,
    tmp_path: Path,
) -> None:
    """The local server has no such tablespace."""
    superuser, place = far_cluster.address("postgres"), tmp_path / "fast"
    place.mkdir()
    await execute(superuser, f"CREATE TABLESPACE fast OWNER app LOCATION '{place}'")
    try:
        async with live(tmp_path, database, far_database, delivery=how) as (run, target):
            await execute(far_database, "ALTER TABLE wagtailcore_revision SET TABLESPACE fast")
            await execute(far_database, "ALTER INDEX wagtailcore_page_pkey SET TABLESPACE fast")
            await perform(run, delivery(target))
        async with await connect(far_database) as connection:
            rows = await (await connection.execute(PLACED)).fetchall()
        assert rows == [("wagtailcore_page_pkey",), ("wagtailcore_revision",)]
        assert await titles(far_database) == {"new"}
    finally:
        await tidy(far_database)
        await far_cluster.drop_database(far_database.database)
        await execute(superuser, "DROP TABLESPACE fast")


EXTENSION = """
CREATE EXTENSION vector;
REVOKE EXECUTE ON FUNCTION l2_distance(vector, vector) FROM PUBLIC;
COMMENT ON EXTENSION vector IS 'near and far';
"""


@pytest.mark.slow
async def test_an_extension_of_a_superuser_comes_by_a_template(
    database: Address, far_database: Address, far_cluster: Cluster, tmp_path: Path
) -> None:
    superuser, name = far_cluster.address(far_database.database), "with_vector"
    await far_cluster.create_database(name, owner=far_cluster.address("postgres").user)
    await execute(far_cluster.address(name), EXTENSION)
    await execute(far_cluster.address("postgres"), f"ALTER DATABASE {name} IS_TEMPLATE true")
    await execute(superuser, EXTENSION)
    try:
        async with live(tmp_path, database, far_database) as (run, target):
            with pytest.raises(OperationFailed, match="would fail") as refused:
                await Swap(target).plan(run)
            assert "l2_distance" in refused.value.found
            await perform(run, Swap(replace(target, template=name)))
        assert await titles(far_database) == {"new"}
        async with await connect(far_database) as connection:
            rows = await connection.execute(
                "SELECT has_function_privilege('l2_distance(vector, vector)', 'EXECUTE'), "
                "obj_description(oid, 'pg_extension') FROM pg_extension WHERE extname = 'vector'"
            )
            assert await rows.fetchall() == [(False, "near and far")]
    finally:
        await execute(far_cluster.address("postgres"), f"ALTER DATABASE {name} IS_TEMPLATE false")
        await far_cluster.drop_database(name)
        await tidy(far_database)


@pytest.mark.slow
async def test_keeps_no_password_of_a_foreign_server(
    database: Address, far_database: Address, far_cluster: Cluster, tmp_path: Path
) -> None:
    async with live(tmp_path, database, far_database) as (run, target):
        await execute(
            far_cluster.address(far_database.database),
            "CREATE FOREIGN DATA WRAPPER elsewhere; CREATE SERVER other FOREIGN DATA WRAPPER "
            "elsewhere; CREATE USER MAPPING FOR app SERVER other OPTIONS (password 'sesame'); "
            "GRANT USAGE ON FOREIGN SERVER other TO app",
        )
        wanted = await objects.expected(run, target, far_database)
        assert wanted is not None
        assert any("sesame" in one.statements for one in wanted.live.values())  # we are shown it
        for path in run.session.folder.iterdir():
            assert "sesame" not in path.read_text(errors="replace"), path.name
        kept = json.loads(run.artefact("catalog.staging.live.json").read_text())
        assert "USER MAPPING" in {kind for kind, *_ in kept["objects"]}


async def test_tells_what_of_the_backup_the_local_copy_has_not(
    database: Address, far_database: Address, tmp_path: Path
) -> None:
    """The dump that is made of the local database stands for the backup."""
    async with dumped(tmp_path, database, far_database) as (run, _):
        heard = Heard(run)
        await objects.note_restored(run)
        assert heard.last.value == "13, each is in the local copy"
        await execute(database, "DROP TABLE django_session")
        await objects.note_restored(run)
        assert heard.last.value.startswith("13 in the backup, not in the local copy: ")
        assert "TABLE public django_session" in heard.last.value
        assert heard.last.status == "warn"
