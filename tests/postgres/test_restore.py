"""What was dumped is restored whole, into a database like the one it is to replace."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from psycopg import sql

from tests.support.small_disk import mounted
from wizard.base.errors import OperationFailed
from wizard.base.events import Event, Finding, Progress, Report
from wizard.postgres import server
from wizard.postgres.address import Address, connect
from wizard.postgres.drift import fingerprint
from wizard.postgres.dumps.archive import Archive
from wizard.postgres.dumps.dump import Making, dump
from wizard.postgres.dumps.restore import create_beside, drop, restore
from wizard.postgres.dumps.tools import Tool
from wizard.sandbox.cluster import Cluster


@pytest.fixture
async def made(
    filled: Address, tmp_path: Path, report: Report, pg_dump: Tool, pg_restore: Tool
) -> Archive:
    path = tmp_path / "backups" / "db"
    return await dump(filled, path, report, pg_dump=pg_dump, pg_restore=pg_restore)


@pytest.fixture
async def beside(filled: Address) -> AsyncIterator[Address]:
    """A name beside `filled`, free before and after."""
    address = filled.at(server.beside(filled.database, "new"))
    yield address
    await drop(filled, address.database, force=True)


async def names(address: Address) -> set[str]:
    return {each.name for each in await server.databases(address)}


async def test_restores_content_definitions_and_sequences(
    made: Archive,
    filled: Address,
    beside: Address,
    report: Report,
    events: list[Event],
    pg_restore: Tool,
) -> None:
    await create_beside(filled, beside.database, like=filled.database, report=report)
    await restore(made, beside, report, pg_restore=pg_restore)
    before, after = await fingerprint.tables(filled), await fingerprint.tables(beside)
    assert before["page"].rows == 2000
    assert fingerprint.difference(before, after) == []
    assert await fingerprint.sequences(filled) == await fingerprint.sequences(beside)
    assert [each for each in events if isinstance(each, Progress)][-1].done == made.bytes


async def test_fingerprint_sees_one_changed_value(filled: Address) -> None:
    before = await fingerprint.tables(filled)
    async with await connect(filled) as connection:
        await connection.execute("UPDATE page SET score = score + 1e-12 WHERE id = 1234")
    lines = fingerprint.difference(before, await fingerprint.tables(filled))
    assert lines == ["page: the same number of rows (2,000), but other values"]


async def test_reports_every_kind_of_difference(filled: Address) -> None:
    before = await fingerprint.tables(filled)
    async with await connect(filled) as connection:
        await connection.execute(
            "DROP INDEX page_title; CREATE TABLE new (); "
            "UPDATE page SET author_id = NULL; "
            "DROP TABLE author CASCADE; DELETE FROM page WHERE id = 1"
        )
    assert fingerprint.difference(before, await fingerprint.tables(filled)) == [
        "author: the table is missing",
        "new: the table is new",
        "page: 2,000 rows became 1,999",
        "page: other columns, constraints or indexes",
    ]
    assert set(await fingerprint.tables(filled, exclude={"page"})) == {"new"}


async def test_fingerprint_ignores_session_settings(filled: Address) -> None:
    before = await fingerprint.tables(filled)
    async with server.operations(filled) as session:
        for setting in (
            "TimeZone TO 'Asia/Tokyo'",
            "DateStyle TO 'German'",
            "bytea_output TO escape",
        ):
            await session.execute(
                sql.SQL("ALTER DATABASE {} SET " + setting).format(sql.Identifier(filled.database))
            )
    assert await fingerprint.tables(filled) == before


async def test_copies_settings_comment_and_grants_of_the_database(
    filled: Address, beside: Address, report: Report, events: list[Event], cluster: Cluster
) -> None:
    name = sql.Identifier(filled.database)
    async with server.operations(filled) as session:
        for statement in (
            "ALTER DATABASE {} SET search_path TO \"$user\", 'Odd Name', public",
            "ALTER DATABASE {} SET statement_timeout TO '7min'",
            "ALTER DATABASE {} CONNECTION LIMIT 17",
            "COMMENT ON DATABASE {} IS 'it''s ours'",
            "REVOKE ALL ON DATABASE {} FROM PUBLIC",
            "GRANT CONNECT ON DATABASE {} TO pg_monitor WITH GRANT OPTION",
        ):
            await session.execute(sql.SQL(statement).format(name))
    # A setting that only a superuser may make is told, not fatal.
    async with await connect(cluster.address("postgres")) as connection:
        await connection.execute(
            sql.SQL("ALTER DATABASE {} SET log_min_duration_statement TO 5").format(name)
        )
    await create_beside(filled, beside.database, like=filled.database, report=report)
    query = """
        SELECT encoding, datlocprovider, datcollate, datctype, datlocale, datdba, datconnlimit,
               datacl, shobj_description(d.oid, 'pg_database'),
               (SELECT array_agg(s ORDER BY s) FROM unnest(setconfig) s WHERE s !~ '^log_')
        FROM pg_database d LEFT JOIN pg_db_role_setting ON setdatabase = d.oid
        WHERE datname = %s
    """
    async with server.operations(filled) as session:
        old = await (await session.execute(query, [filled.database])).fetchone()
        new = await (await session.execute(query, [beside.database])).fetchone()
    assert new == old
    warned = [each for each in events if isinstance(each, Finding) and each.status == "warn"]
    assert [each.name for each in warned] == ["setting log_min_duration_statement"]


async def test_a_broken_archive_leaves_no_database(
    made: Archive, filled: Address, beside: Address, report: Report, pg_restore: Tool
) -> None:
    content = made.path.read_bytes()[:-5_000]
    made.path.write_bytes(content)
    made = replace(made, bytes=len(content), sha256=hashlib.sha256(content).hexdigest())
    await create_beside(filled, beside.database, like=filled.database, report=report)
    with pytest.raises(OperationFailed) as caught:
        await restore(made, beside, report, pg_restore=pg_restore)
    assert "error:" in caught.value.found
    assert beside.database not in await names(filled)


async def test_a_full_disk_leaves_no_database(
    made: Archive,
    filled: Address,
    beside: Address,
    cluster: Cluster,
    report: Report,
    pg_restore: Tool,
) -> None:
    """The server's disk, as a small tablespace."""
    folder = cluster.home / "small"
    folder.mkdir(mode=0o700)
    if not mounted(folder, 1 << 26):
        pytest.skip("mounting a small disk needs root with CAP_SYS_ADMIN")
    try:
        cluster._account.take(folder)
        await create_beside(filled, beside.database, like=filled.database, report=report)
        async with await connect(cluster.address("postgres")) as connection:
            place = sql.SQL("CREATE TABLESPACE small LOCATION {}").format(sql.Literal(str(folder)))
            await connection.execute(place)
            moving = sql.SQL("ALTER DATABASE {} SET TABLESPACE small")
            await connection.execute(moving.format(sql.Identifier(beside.database)))
            # What is written already has to stay; the rows that come do not fit beside it.
            mounted(folder, shutil.disk_usage(folder).used + 256 * 1024, "remount,")
            with pytest.raises(OperationFailed) as caught:
                await restore(made, beside, report, pg_restore=pg_restore)
            assert "No space left on device" in caught.value.found
            assert beside.database not in await names(filled)
            await connection.execute("DROP TABLESPACE small")
    finally:
        subprocess.run(["umount", str(folder)], check=True)
        folder.rmdir()
    assert (await fingerprint.tables(filled))["page"].rows == 2000


async def test_names_an_extension_that_only_a_superuser_may_create(
    filled: Address,
    beside: Address,
    tmp_path: Path,
    report: Report,
    events: list[Event],
    pg_dump: Tool,
    pg_restore: Tool,
    cluster: Cluster,
) -> None:
    async with await connect(cluster.address(filled.database)) as connection:
        await connection.execute("CREATE EXTENSION vector")
    made = await dump(filled, tmp_path / "db", report, pg_dump=pg_dump, pg_restore=pg_restore)
    await create_beside(filled, beside.database, like=filled.database, report=report)
    await restore(made, beside, report, pg_restore=pg_restore)
    assert "extension vector" in {each.name for each in events if isinstance(each, Finding)}
    assert (await fingerprint.tables(beside))["page"].rows == 2000

    async with await connect(filled) as connection:
        await connection.execute("ALTER TABLE page ADD embedding vector(3)")
    made = await dump(filled, tmp_path / "needs", report, pg_dump=pg_dump, pg_restore=pg_restore)
    await drop(filled, beside.database)
    await create_beside(filled, beside.database, like=filled.database, report=report)
    with pytest.raises(OperationFailed) as caught:
        await restore(made, beside, report, pg_restore=pg_restore)
    assert 'type "public.vector" does not exist' in caught.value.found
    assert beside.database not in await names(filled)


async def test_refuses_to_create_a_database_that_exists(filled: Address, report: Report) -> None:
    with pytest.raises(OperationFailed, match="already"):
        await create_beside(filled, filled.database, like=None, report=report)
    with pytest.raises(OperationFailed, match="no database nosuch"):
        await create_beside(filled, "whatever", like="nosuch", report=report)


async def test_refuses_a_role_without_createdb(
    filled: Address, cluster: Cluster, report: Report
) -> None:
    assert filled.password is not None
    await cluster.create_role("lesser", filled.password, createdb=False)
    with pytest.raises(OperationFailed, match="may not create") as caught:
        await create_beside(replace(filled, user="lesser"), "x", like=None, report=report)
    assert "permission denied" in caught.value.found


async def test_names_the_sessions_of_a_database_that_cannot_be_dropped(filled: Address) -> None:
    async with await connect(filled):
        with pytest.raises(OperationFailed, match="in use") as caught:
            await drop(filled, filled.database)
        assert "role app, remodel" in caught.value.found
    await drop(filled, "never_was")


def test_names_beside_fit_into_63_bytes_and_differ() -> None:
    assert server.beside("podcast", "new") == "podcast__new"
    long = [server.beside("é" * 31 + str(number), "checkpoint") for number in range(2)]
    assert all(len(name.encode()) <= 63 and name.endswith("__checkpoint") for name in long)
    assert long[0] != long[1]


HARMFUL = """
CREATE ROLE elsewhere; GRANT elsewhere TO app;
CREATE POLICY "mine, or" ON page TO elsewhere USING (true);
COMMENT ON POLICY "mine, or" ON page IS 'theirs';
CREATE FUNCTION watch() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
CREATE EVENT TRIGGER watched ON ddl_command_end EXECUTE FUNCTION watch();
"""


async def test_does_without_what_the_hint_names(
    filled: Address,
    cluster: Cluster,
    beside: Address,
    tmp_path: Path,
    report: Report,
    events: list[Event],
    pg_dump: Tool,
    pg_restore: Tool,
) -> None:
    """Following the hint leads past each that fails, to a restored database."""
    async with await connect(cluster.address(filled.database)) as superuser:
        await superuser.execute(HARMFUL)
        made = await dump(filled, tmp_path / "db", report, pg_dump=pg_dump, pg_restore=pg_restore)
        await superuser.execute(
            'DROP EVENT TRIGGER watched; DROP POLICY "mine, or" ON page; DROP ROLE elsewhere'
        )
    leave_out: list[str] = []
    for _ in range(4):
        await create_beside(filled, beside.database, like=filled.database, report=report)
        try:
            await restore(made, beside, report, pg_restore=pg_restore, leave_out=leave_out)
            break
        except OperationFailed as error:
            written = re.search(r"`restore: (.+)` in remodel.yml", error.hint)
            assert written, str(error)
            leave_out += yaml.safe_load(written[1])["leave_out"]
    assert leave_out == [
        "POLICY public page mine, or",
        'COMMENT public POLICY "mine, or" ON page',
        "EVENT TRIGGER watched",
    ]
    told = [one.name for one in events if isinstance(one, Finding) and one.value == "left out"]
    assert told[-3:] == leave_out
    assert await fingerprint.tables(filled) == await fingerprint.tables(beside)

    await drop(filled, beside.database)
    await create_beside(filled, beside.database, like=filled.database, report=report)
    with pytest.raises(OperationFailed, match="does not have what") as refused:
        await restore(made, beside, report, pg_restore=pg_restore, leave_out=["TABLE public page"])
    assert refused.value.found == "TABLE public page"
    assert "EVENT TRIGGER watched" in refused.value.hint


RELYING = """
CREATE SCHEMA words;
CREATE FUNCTION words.plain(value text) RETURNS text LANGUAGE sql IMMUTABLE
    AS 'SELECT lower(value)';
SET search_path = public, words;
CREATE FUNCTION slugged(value text) RETURNS text LANGUAGE plpgsql IMMUTABLE
    AS 'BEGIN RETURN plain(value); END';
ALTER TABLE page ADD slug text GENERATED ALWAYS AS (slugged(title)) STORED;
"""


async def test_functions_that_rely_on_search_path_find_theirs(
    filled: Address,
    beside: Address,
    tmp_path: Path,
    report: Report,
    pg_dump: Tool,
    pg_restore: Tool,
) -> None:
    """Following the hint, from an archive and from a script."""
    async with await connect(filled) as connection:
        await connection.execute(RELYING)
    made = await dump(filled, tmp_path / "db", report, pg_dump=pg_dump, pg_restore=pg_restore)
    script = await dump(
        filled,
        tmp_path / "sql",
        report,
        pg_dump=pg_dump,
        pg_restore=None,
        making=Making(script=True),
    )
    for taken in (made, script):
        await create_beside(filled, beside.database, like=filled.database, report=report)
        with pytest.raises(OperationFailed) as refused:
            await restore(taken, beside, report, pg_restore=pg_restore)
        assert "`restore: {search_path: public}`" in refused.value.hint
        await create_beside(filled, beside.database, like=filled.database, report=report)
        await restore(taken, beside, report, pg_restore=pg_restore, search_path="public, words")
        assert await fingerprint.tables(filled) == await fingerprint.tables(beside)
        await drop(filled, beside.database)


async def test_a_database_is_made_in_the_tablespace_of_its_model(
    filled: Address, cluster: Cluster, beside: Address, report: Report, tmp_path: Path
) -> None:
    async with await connect(cluster.address("postgres")) as superuser:
        await superuser.execute(f"CREATE TABLESPACE fast OWNER app LOCATION '{tmp_path}'".encode())
        move = sql.SQL("ALTER DATABASE {} SET TABLESPACE {}")
        model = sql.Identifier(filled.database)
        await superuser.execute(move.format(model, sql.Identifier("fast")))
        try:
            await create_beside(filled, beside.database, like=filled.database, report=report)
            there = {row.name: row.tablespace for row in await server.databases(filled)}
            assert there[beside.database] == "fast"
        finally:
            await drop(filled, beside.database)
            await superuser.execute(move.format(model, sql.Identifier("pg_default")))
            await superuser.execute("DROP TABLESPACE fast")
