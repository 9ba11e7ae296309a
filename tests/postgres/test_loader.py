"""Scripts become databases whole, or not at all."""

from __future__ import annotations

import gzip
from dataclasses import replace
from pathlib import Path

import pytest

from tests.postgres.every_kind import EVERY_KIND
from tests.support.postgres import tool
from wizard.base.errors import ConnectionFailed, OperationFailed, VerificationFailed
from wizard.base.events import Event, Finding, Progress, Report
from wizard.base.process import run
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
    path.write_text(
        f"{HEAD}CREATE TABLE t (id int);\n\nCOMMENT ON TABLE t IS 'x';\n"
        f"CREATE VIEW v AS SELECT nothing FROM t;\nCOMMENT ON TABLE t IS 'y';\n{TAIL}"
    )
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
        f"{HEAD}CREATE TABLE t (id int);\n"
        f"CREATE VIEW v AS SELECT pg_terminate_backend(pg_backend_pid());\n"
        f"CREATE MATERIALIZED VIEW m AS SELECT * FROM v;\n{TAIL}"
    )
    with pytest.raises(OperationFailed, match="near line"):
        await loader.load(path, database, report)
    assert (await server.contents(database)).tables == 0
    with pytest.raises(ConnectionFailed, match="nosuchdb"):
        await loader.load(path, replace(database, database="nosuchdb"), report)


REFUSED = [
    "SET standard_conforming_strings = off;",
    "SET standard_conforming_strings = 'off';",
    "SET  standard_conforming_strings = off;",
    "SET standard_conforming_strings TO off;",
    "set standard_conforming_strings=off;",
    "SET LOCAL standard_conforming_strings TO off;",
    "SET SESSION standard_conforming_strings = off;",
    "SET/**/standard_conforming_strings = off;",
    'SET "standard_conforming_strings" = off;',
    'SET U&"standard_conforming\\005fstrings" = off;',
    "SET session_replication_role = replica;",
    "SET search_path = evil;",
    "SET SESSION AUTHORIZATION 'other';",
    "SET ROLE other;",
    "RESET ALL;",
    "SELECT pg_catalog.set_config('standard_conforming_strings', 'off', false);",
    "SELECT set_config('session_replication_role', 'replica', false);",
    "SELECT pg_catalog . set_config('search_path', 'evil', false);",
    "SELECT pg_catalog.set_config('search_path', 'evil', false);",
    "SELECT pg_catalog.set_config('search_path', '', false), pg_sleep(0);",
    "SELECT pg_catalog.setval('public.s', (SELECT 1), true);",
    "DO $$ BEGIN PERFORM set_config('work_mem', '1MB', false); END $$;",
    "DO U&'BEGIN END';",
    "COMMIT ;",
    "commit;",
    "COMMIT AND CHAIN;",
    "/* a */ END;",
    "ROLLBACK;",
    "SAVEPOINT a;",
    "ALTER SYSTEM SET work_mem = '1MB';",
    "ALTER ROLE app SUPERUSER;",
    "ALTER DATABASE app SET work_mem = '1MB';",
    "CREATE ROLE evil;",
    "CREATE DATABASE evil;",
    "DROP DATABASE app;",
    "COPY t FROM '/etc/passwd';",
    "COPY t FROM '/etc/passwd' WHERE id IS DISTINCT FROM stdin;",
    "COPY t (id) FROM PROGRAM 'id' -- FROM stdin;",
    "COPY t TO stdout;",
    "CALL p();",
    "LOAD 'lib';",
    "EXPLAIN ANALYZE SELECT 1;",
    "WITH a AS (SELECT 1) SELECT * FROM a;",
    "INSERT INTO t VALUES (set_config('work_mem', '1MB', false)::int);",
    "INSERT INTO t SELECT 1;",
    "UPDATE t SET id = 1;",
    "DELETE FROM t;",
    "TRUNCATE t;",
    "LISTEN a;",
    "LOCK TABLE t;",
    "VACUUM;",
]


@pytest.mark.parametrize("statement", REFUSED)
async def test_refuses_what_pg_dump_does_not_write(
    statement: str, database: Address, tmp_path: Path, report: Report
) -> None:
    """In whatever spelling, when it is taken over, and when it is loaded; nothing is left."""
    path = tmp_path / "db.sql"
    path.write_text(f"{HEAD}CREATE TABLE public.t (id int, stdin int);\n\n{statement}\n{TAIL}")
    with pytest.raises(VerificationFailed, match=r"line 7|COPY"):
        await archive.take(path, await tool("pg_restore", 18), report)
    with pytest.raises(VerificationFailed, match=r"line 7|COPY"):
        await loader.load(path, database, report)
    assert (await server.contents(database)).tables == 0


@pytest.mark.parametrize(
    "smuggled",
    [
        # Where a string ends, the splitter and the server see it differently in each of these.
        "CREATE VIEW v AS SELECT E'a'\n'\\''; COMMIT; CREATE TABLE left_over (a int); --';",
        "CREATE FUNCTION f(begin int) RETURNS int LANGUAGE sql AS 'SELECT 1'; COMMIT; END;",
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1 AS case; END; "
        "COMMIT; SELECT 1 AS end, 2 AS end;",
    ],
)
async def test_no_statement_brings_a_second_one(
    smuggled: str, database: Address, tmp_path: Path, report: Report
) -> None:
    path = tmp_path / "db.sql"
    path.write_text(f"{HEAD}CREATE TABLE public.t (id int);\n{smuggled}\n{TAIL}")
    with pytest.raises((OperationFailed, VerificationFailed)):
        await loader.load(path, database, report)
    assert (await server.contents(database)).tables == 0


@pytest.mark.parametrize(
    ("name", "value", "back"),
    [
        ("standard_conforming_strings", "off", ""),
        ("client_encoding", "LATIN1", ""),
        ("DateStyle", "German", "ISO"),
        ("work_mem", "1MB", ""),
        ("search_path", "pg_catalog, public", ""),
    ],
)
async def test_what_a_function_sets_while_it_loads_is_seen(
    name: str, value: str, back: str, database: Address, tmp_path: Path, report: Report
) -> None:
    """It is called where pg_dump writes no call: as a row is checked."""
    path = tmp_path / "db.sql"

    def called(number: int, to: str) -> str:
        return (
            f"CREATE TABLE public.t{number} (id int, "
            f"CHECK (pg_catalog.set_config('{name}', '{to}', false) <> '-'));\n"
            f"INSERT INTO public.t{number} VALUES (1);\n"
        )

    rows = "CREATE TABLE public.t (id int);\nCOPY public.t FROM stdin;\n1\n\\.\n"
    path.write_text(HEAD + called(1, value) + rows + (called(2, back) if back else "") + TAIL)
    with pytest.raises(VerificationFailed, match=f"sets .*{name}"):
        await loader.load(path, database, report)
    assert (await server.contents(database)).tables == 0


@pytest.mark.parametrize("major", [16, 18])
@pytest.mark.parametrize(
    "options",
    [[], ["--inserts"], ["--column-inserts", "--rows-per-insert=2", "--on-conflict-do-nothing"]],
    ids=["copy", "inserts", "columns"],
)
async def test_takes_all_that_pg_dump_writes(
    major: int,
    options: list[str],
    database: Address,
    database_16: Address,
    tmp_path: Path,
    report: Report,
) -> None:
    """A database with an object of every kind, as either version writes it."""
    source = database if major == 18 else database_16
    async with await connect(source) as connection:
        await connection.execute(EVERY_KIND)
    path = tmp_path / "db.sql"
    pg_dump = await tool("pg_dump", major)
    argv = [str(pg_dump.path), *options, "--clean", "--if-exists", f"--file={path}"]
    done = await run([*argv, *tools.reach(source)], env=tools.environment(source))
    assert done.returncode == 0, done.told
    assert (await archive.take(path, await tool("pg_restore", 18), report)).is_script
    target = database.at("every_kind")
    await restore.create_beside(database, "every_kind", like=None, report=report)
    try:
        await loader.load(path, target, report)
        expected = await fingerprint.tables(source)
        assert expected and not fingerprint.difference(expected, await fingerprint.tables(target))
        assert await fingerprint.sequences(source) == await fingerprint.sequences(target)
    finally:
        await restore.drop(database, "every_kind")
