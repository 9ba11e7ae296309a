"""Scripts become databases whole, or not at all."""

from __future__ import annotations

import gzip
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.postgres import tool
from wizard.base.errors import ConnectionFailed, OperationFailed, VerificationFailed
from wizard.base.events import Event, Finding, Progress, Report
from wizard.postgres import server
from wizard.postgres.address import Address, connect
from wizard.postgres.drift import fingerprint
from wizard.postgres.dumps import archive, loader, plain, restore, tools
from wizard.postgres.dumps.dump import Making, dump
from wizard.postgres.dumps.tools import Tool
from wizard.sandbox.cluster import binaries

HEAD = "--\n-- PostgreSQL database dump\n--\n\n"
TAIL = "\n--\n-- PostgreSQL database dump complete\n--\n\n"


async def scripted(filled: Address, folder: Path, report: Report) -> Path:
    """A plain .sql.gz of `filled`, from an archive that was proven."""
    pg_dump, pg_restore = await tool("pg_dump", 18), await tool("pg_restore", 18)
    made = await dump(filled, folder / "db", report, pg_dump=pg_dump, pg_restore=pg_restore)
    await plain.write(made, folder / "db.sql.gz", pg_restore)
    return folder / "db.sql.gz"


async def test_loads_a_script_of_18_into_16_with_progress_in_bytes(
    filled: Address,
    database_16: Address,
    tmp_path: Path,
    report: Report,
    events: list[Event],
) -> None:
    path = await scripted(filled, tmp_path, report)
    events.clear()
    report.INTERVAL = 0
    await loader.load(path, database_16, report)
    assert not fingerprint.difference(
        await fingerprint.tables(filled), await fingerprint.tables(database_16)
    )
    told = [event for event in events if isinstance(event, Progress)]
    assert told[-1].done == told[-1].total == path.stat().st_size
    assert [each.done for each in told] == sorted(each.done for each in told)
    findings = [event.value for event in events if isinstance(event, Finding)]
    assert "PostgreSQL 16 has no transaction_timeout; left out" in findings


async def test_loads_archives_of_18_into_16_and_of_16_into_18(
    filled: Address,
    database: Address,
    database_16: Address,
    tmp_path: Path,
    report: Report,
) -> None:
    """No pg_restore takes the first: it goes through the loader; the second is pg_restore's."""
    pg_dump, pg_restore = await tool("pg_dump", 18), await tool("pg_restore", 18)
    made = await dump(filled, tmp_path / "18", report, pg_dump=pg_dump, pg_restore=pg_restore)
    reader = await tools.newest_restore(configured=binaries(16))  # the first found is too old
    assert (await archive.take(made.path, reader, report)).sha256 == made.sha256
    await restore.restore(made, database_16, report, pg_restore=pg_restore)
    expected = await fingerprint.tables(filled)
    assert not fingerprint.difference(expected, await fingerprint.tables(database_16))
    assert await fingerprint.sequences(filled) == await fingerprint.sequences(database_16)

    pg_dump, pg_restore = await tool("pg_dump", 16), await tool("pg_restore", 16)
    back = database.at("back")
    made = await dump(database_16, tmp_path / "16", report, pg_dump=pg_dump, pg_restore=pg_restore)
    await restore.create_beside(database, "back", like=None, report=report)
    try:
        await restore.restore(made, back, report, pg_restore=pg_restore)
        assert not fingerprint.difference(expected, await fingerprint.tables(back))
    finally:
        await restore.drop(database, "back")


async def test_makes_a_dump_as_a_script(
    filled: Address, database_16: Address, tmp_path: Path, report: Report, pg_dump: Tool
) -> None:
    """Where nothing here reads archives of that version."""
    path = tmp_path / "db.sql.gz"
    making = Making(script=True)
    made = await dump(filled, path, report, pg_dump=pg_dump, pg_restore=None, making=making)
    assert made.is_script and made.dump_version == pg_dump.version
    assert path.read_bytes()[:2] == b"\x1f\x8b"
    await restore.restore(made, database_16, report, pg_restore=None)
    assert not fingerprint.difference(
        await fingerprint.tables(filled), await fingerprint.tables(database_16)
    )


async def test_takes_a_script_as_a_dump(
    filled: Address, database: Address, tmp_path: Path, report: Report, pg_restore: Tool
) -> None:
    path = await scripted(filled, tmp_path, report)
    taken = await archive.take(path, pg_restore, report)
    assert taken.is_script and taken.dump_major == 18
    assert archive.Archive.from_dict(taken.as_dict()) == taken
    path.write_bytes(path.read_bytes() + gzip.compress(b"SELECT 1;\n"))
    with pytest.raises(VerificationFailed, match="bytes and had"):
        await restore.restore(taken, database, report, pg_restore=None)
    assert await server.database(database) is None  # the half-filled one is dropped


async def test_what_is_not_whole_or_hostile_leaves_nothing(
    filled: Address, database_16: Address, tmp_path: Path, report: Report
) -> None:
    text = gzip.decompress((await scripted(filled, tmp_path, report)).read_bytes()).decode()
    middle = text.index("\n1000\t")
    harm = tmp_path / "harm"
    for number, broken in enumerate(
        (
            text[:middle],
            text[: text.rindex("-- PostgreSQL database dump complete")],
            text.replace("\n\\restrict", f"\n\\unrestrict `touch {harm}`\n\\restrict"),
            text + f"\\! touch {harm}\n",
            text.replace("ADD CONSTRAINT", f"ADD CONSTRAINT \\! touch {harm}\n", 1),
            text.replace("\n1000\t", "\nno number\t", 1),
            text.replace("\nSET default", "\nCOMMIT; SELECT 1;\nROLLBACK;\nSET default", 1),
        )
    ):
        path = tmp_path / f"{number}.sql"
        path.write_text(broken)
        with pytest.raises((VerificationFailed, OperationFailed)):
            await loader.load(path, database_16, report)
        assert (await server.contents(database_16)).tables == 0, number
    assert not harm.exists()


async def test_shows_the_servers_error_with_the_scripts_line(
    database: Address, tmp_path: Path, report: Report
) -> None:
    path = tmp_path / "db.sql"
    path.write_text(f"{HEAD}CREATE TABLE t (id int);\n\nSELECT 1;\nSELECT nothing FROM t;\n{TAIL}")
    with pytest.raises(OperationFailed, match="near line 8") as caught:
        await loader.load(path, database, report)
    assert 'column "nothing" does not exist' in caught.value.found
    path.write_text(f"{HEAD}CREATE TABLE t (id int);\nCOPY t FROM stdin;\n1\nx\n\\.\n{TAIL}")
    with pytest.raises(OperationFailed, match="near line 6") as caught:
        await loader.load(path, database, report)
    assert "COPY t, line 2" in caught.value.found


async def test_leaves_out_owners_grants_and_extensions_that_are_not_available(
    database: Address, tmp_path: Path, report: Report, events: list[Event]
) -> None:
    """As a dump by a superuser has them; large objects come in transactions of pg_dump's own."""
    path = tmp_path / "db.sql"
    path.write_text(
        HEAD
        + "CREATE EXTENSION IF NOT EXISTS nosuchextension WITH SCHEMA public;\n"
        + "COMMENT ON EXTENSION nosuchextension IS 'x';\n"
        + "CREATE TABLE public.\"t OWNER TO\" (note text DEFAULT ' OWNER TO '::text);\n"
        + 'ALTER TABLE public."t OWNER TO" OWNER TO nosuchrole;\n'
        + 'GRANT ALL ON TABLE public."t OWNER TO" TO nosuchrole;\n'
        + "CREATE PUBLICATION everything FOR ALL TABLES;\n"
        + "SELECT pg_catalog.lo_create('4711');\n"
        + "BEGIN;\n\nSELECT pg_catalog.lo_open('4711', 131072);\n"
        + "SELECT pg_catalog.lowrite(0, '\\x6c6f');\nSELECT pg_catalog.lo_close(0);\n\nCOMMIT;\n"
        + TAIL
    )
    await loader.load(path, database, report)
    async with await connect(database) as connection:
        cursor = await connection.execute('SELECT lo_get(4711)::text, count(*) FROM "t OWNER TO"')
        assert await cursor.fetchone() == ("\\x6c6f", 0)
    told = {event.name: event.value for event in events if isinstance(event, Finding)}
    assert "nosuchextension" in told["extension nosuchextension"]
    assert told["db.sql"].startswith("4 statements on owners")


async def test_an_error_at_the_commit_fails_the_load(
    database: Address, tmp_path: Path, report: Report
) -> None:
    """A deferred constraint is looked at when the transaction is to be committed."""
    path = tmp_path / "db.sql"
    path.write_text(
        f"{HEAD}CREATE TABLE t (id int UNIQUE DEFERRABLE INITIALLY DEFERRED);\n"
        f"COPY t FROM stdin;\n1\n1\n\\.\n{TAIL}"
    )
    with pytest.raises(OperationFailed) as caught:
        await loader.load(path, database, report)
    assert "duplicate key" in caught.value.found
    assert (await server.contents(database)).tables == 0


async def test_a_server_that_goes_away_fails_the_load(
    database: Address, tmp_path: Path, report: Report
) -> None:
    path = tmp_path / "db.sql"
    path.write_text(
        f"{HEAD}CREATE TABLE t (id int);\nSELECT pg_terminate_backend(pg_backend_pid());\n{TAIL}"
    )
    with pytest.raises(OperationFailed, match="near line"):
        await loader.load(path, database, report)
    assert (await server.contents(database)).tables == 0
    with pytest.raises(ConnectionFailed, match="nosuchdb"):
        await loader.load(path, replace(database, database="nosuchdb"), report)
