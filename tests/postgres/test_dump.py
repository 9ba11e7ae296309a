"""Dumps stand under their name only when they are whole, and are found out when they are not."""

from __future__ import annotations

import hashlib
import os
import shlex
import stat
from dataclasses import replace
from pathlib import Path

import pytest
from psycopg import sql

from tests.support.postgres import APP_PASSWORD, CONTENT, OWNER, files
from tests.support.small_disk import SmallDisk
from wizard.base.errors import (
    ConfigError,
    ExitCode,
    OperationFailed,
    VerificationFailed,
)
from wizard.base.events import Event, Progress, Report
from wizard.base.process import run
from wizard.postgres.address import Address, connect
from wizard.postgres.drift import baseline
from wizard.postgres.drift.fingerprint import difference, tables
from wizard.postgres.dumps import archive, plain
from wizard.postgres.dumps.archive import Archive
from wizard.postgres.dumps.dump import Making, dump, fetch
from wizard.postgres.dumps.restore import restore
from wizard.postgres.dumps.tools import METHODS, Tool, environment, find, reach, with_methods
from wizard.sandbox.cluster import Cluster
from wizard.sandbox.sshd import SshServer
from wizard.ssh.connection import Connection


async def test_a_dump_is_private_counted_hashed_and_provable(
    filled: Address,
    backups: Path,
    report: Report,
    events: list[Event],
    pg_dump: Tool,
    pg_restore: Tool,
) -> None:
    path = backups / "db.dump"
    made = await dump(filled, path, report, pg_dump=pg_dump, pg_restore=pg_restore)
    assert files(backups) == ["db.dump", "db.dump.sha256"]
    assert stat.S_IMODE(backups.stat().st_mode) == 0o700
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert made.bytes == path.stat().st_size
    assert made.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert made.database == filled.database
    assert made.dump_version == pg_dump.version
    assert Archive.from_dict(made.as_dict()) == made
    progress = [event for event in events if isinstance(event, Progress)]
    assert progress[-1].done == progress[-1].total
    assert f"{made.bytes:,} bytes of archive received" in progress[-1].note
    await archive.prove(made, report)
    assert replace(await archive.take(path, pg_restore, report), made_at="") == replace(
        made, made_at=""
    )


async def test_progress_is_in_bytes_of_tables_and_never_goes_back(
    filled: Address,
    backups: Path,
    report: Report,
    events: list[Event],
    pg_dump: Tool,
    pg_restore: Tool,
) -> None:
    report.INTERVAL = 0
    await dump(filled, backups / "db", report, pg_dump=pg_dump, pg_restore=pg_restore)
    told = [each for each in events if isinstance(each, Progress) and "received" in each.note]
    assert len(told) > 3
    assert [each.done for each in told] == sorted(each.done for each in told)
    assert {each.total for each in told} == {told[-1].done}
    assert any("at public.page" in each.note for each in told)


async def test_refuses_a_pg_dump_too_old_for_the_server(
    filled: Address, backups: Path, report: Report, pg_dump_16: Tool, pg_restore: Tool
) -> None:
    with pytest.raises(OperationFailed, match="exit status 1") as caught:
        await dump(
            filled,
            backups / "db",
            report,
            pg_dump=pg_dump_16,
            pg_restore=pg_restore,
        )
    assert "server version mismatch" in caught.value.found
    assert files(backups) == []


async def test_a_table_that_may_not_be_read_fails_the_dump_half_way(
    filled: Address, backups: Path, report: Report, pg_dump: Tool, pg_restore: Tool
) -> None:
    async with await connect(filled) as connection:
        await connection.execute("REVOKE SELECT ON author FROM CURRENT_USER")
    with pytest.raises(OperationFailed) as caught:
        await dump(filled, backups / "db", report, pg_dump=pg_dump, pg_restore=pg_restore)
    assert "permission denied for table author" in caught.value.found
    assert files(backups) == []


async def test_a_dump_never_replaces_a_file(
    filled: Address, backups: Path, report: Report, pg_dump: Tool, pg_restore: Tool
) -> None:
    backups.mkdir()
    path = backups / "db"
    path.write_text("precious")
    with pytest.raises(OperationFailed, match="already"):
        await dump(filled, path, report, pg_dump=pg_dump, pg_restore=pg_restore)
    assert path.read_text() == "precious"


async def test_a_dump_is_of_the_moment_that_a_session_holds(
    filled: Address, backups: Path, report: Report, pg_dump: Tool, pg_restore: Tool
) -> None:
    async with baseline.held(filled) as held:
        async with await connect(filled) as session:
            await session.execute("UPDATE page SET title = 'Later' WHERE id = 7")
        made = await dump(
            filled,
            backups / "db",
            report,
            pg_dump=pg_dump,
            pg_restore=pg_restore,
            making=Making(snapshot=held.snapshot),
        )
    text = (await run([pg_restore.path, "--file=-", made.path])).stdout
    assert "\tPage 7\t" in text and "Later" not in text


@pytest.mark.parametrize("method", METHODS)
async def test_compresses_better_where_the_build_can(
    method: str, database: Address, database_16: Address, backups: Path, report: Report
) -> None:
    built = [
        each
        for each in await with_methods(await find("pg_dump"))
        if method in each.methods and each.path.with_name("pg_restore").exists()
    ]
    if not built:
        pytest.skip(f"no pg_dump of this machine has {method}; the embedded ones have gzip alone")
    async with await connect(database_16) as connection:
        await connection.execute(CONTENT)
    chosen, reader = built[0], replace(built[0], path=built[0].path.with_name("pg_restore"))
    making = Making(method=method)
    made = await dump(
        database_16, backups / "db", report, pg_dump=chosen, pg_restore=reader, making=making
    )
    listed = await run([reader.path, "--list", made.path])
    assert f"Compression: {method}" in listed.stdout
    assert (await archive.take(made.path, reader, report)).sha256 == made.sha256
    await restore(made, database, report, pg_restore=reader)
    assert not difference(await tables(database_16), await tables(database))


@pytest.fixture
async def made(
    filled: Address, backups: Path, report: Report, pg_dump: Tool, pg_restore: Tool
) -> Archive:
    return await dump(filled, backups / "db", report, pg_dump=pg_dump, pg_restore=pg_restore)


async def test_refuses_a_truncated_archive(made: Archive, pg_restore: Tool, report: Report) -> None:
    os.truncate(made.path, made.bytes - 2_000)
    await archive.describe(made.path, pg_restore)  # its table of contents is whole
    with pytest.raises(VerificationFailed) as caught:
        await archive.prove(made, report)
    assert caught.value.exit_code == ExitCode.VERIFICATION
    with pytest.raises(VerificationFailed, match="to its end"):
        await archive.take(made.path, pg_restore, report)


async def test_refuses_an_archive_with_a_flipped_bit(
    made: Archive, pg_restore: Tool, report: Report
) -> None:
    content = bytearray(made.path.read_bytes())
    content[made.bytes // 2] ^= 1
    made.path.write_bytes(content)
    with pytest.raises(VerificationFailed, match="checksum") as caught:
        await archive.prove(made, report)
    assert made.sha256 in caught.value.found


async def test_a_full_disk_leaves_no_script(
    made: Archive, small_disk: SmallDisk, pg_restore: Tool
) -> None:
    script = small_disk.folder / "db.psql.gz"
    with pytest.raises(OperationFailed, match="disk is full"):
        await plain.write(made, script, pg_restore)
    assert files(small_disk.folder) == []
    small_disk.make_room()
    assert await plain.write(made, script, pg_restore) > small_disk.SIZE


async def test_refuses_other_dump_formats(
    filled: Address, tmp_path: Path, pg_dump: Tool, pg_restore: Tool, report: Report
) -> None:
    """A directory is taken. What is said to do with a tar is done, and then it is."""
    directory, tar, script = tmp_path / "a directory", tmp_path / "a tar", tmp_path / "tar.sql"
    for name, path in (("directory", directory), ("tar", tar)):
        argv: list[str | Path] = [
            pg_dump.path,
            f"--format={name}",
            f"--file={path}",
            *reach(filled),
        ]
        assert (await run(argv, env=environment(filled))).returncode == 0
    taken = await archive.take(directory, pg_restore, report)
    await archive.prove(taken, report)
    assert not taken.is_script
    with pytest.raises(OperationFailed, match="tar format") as caught:
        await archive.take(tar, pg_restore, report)
    program, _, *words = shlex.split(caught.value.hint.partition("take that: ")[2])
    assert program == "pg_restore" and words == [str(tar)]
    assert (await run([pg_restore.path, f"--file={script}", *words])).returncode == 0
    assert (await archive.take(script, pg_restore, report)).is_script


@pytest.mark.parametrize("content", [b"", b"PGDMP", b"-- PostgreSQL database dump\n" * 100])
async def test_refuses_files_that_are_no_archive(
    content: bytes, tmp_path: Path, pg_restore: Tool, report: Report
) -> None:
    path = tmp_path / "db"
    path.write_bytes(content)
    with pytest.raises(VerificationFailed):
        await archive.take(path, pg_restore, report)


async def test_refuses_a_missing_file(made: Archive, pg_restore: Tool, report: Report) -> None:
    made.path.unlink()
    with pytest.raises(VerificationFailed, match="cannot be opened"):
        await archive.prove(made, report)


@pytest.mark.parametrize(
    "name", ["we'ird \"na;me", "$(touch harm)", "`touch harm`; touch harm #", "a\\b|c&d", "ünï*?"]
)
async def test_dumps_a_database_by_any_name(
    name: str,
    connection: Connection,
    ssh_server: SshServer,
    far_cluster: Cluster,
    backups: Path,
    report: Report,
    pg_dump: Tool,
    pg_restore: Tool,
) -> None:
    """Over SSH a name passes two shells; a table's name passes pg_dump's patterns as well."""
    await far_cluster.create_database(name, owner=OWNER)
    try:
        address = replace(far_cluster.address(name), user=OWNER, password=APP_PASSWORD)
        async with await connect(address) as session:
            for table in (name, f"{name[:-1]}x"):
                quoted = sql.Identifier(table)
                await session.execute(sql.SQL("CREATE TABLE {} AS SELECT 1 AS n").format(quoted))
        making = Making(without=(f"public.{name}",))
        made = await fetch(
            connection,
            address,
            address,
            backups / "far",
            report,
            pg_dump=pg_dump,
            pg_restore=pg_restore,
            making=making,
        )
        assert made.database == name
        await dump(address, backups / "here", report, pg_dump=pg_dump, pg_restore=pg_restore)
        listed = await run([pg_restore.path, "--list", made.path])
        assert listed.stdout.count("TABLE DATA") == 1
    finally:
        await far_cluster.drop_database(name)
    assert not [*ssh_server.home.glob("harm*"), *backups.glob("harm*"), *Path.cwd().glob("harm*")]


@pytest.mark.parametrize("host", ["-h", "host=evil", "postgres://evil/db", "one,two", "a\0b"])
def test_refuses_hosts_that_are_options_or_connection_strings(host: str) -> None:
    with pytest.raises(ConfigError):
        Address("db", host)


async def test_follows_no_symlink_at_the_dumps_path(
    filled: Address, backups: Path, report: Report, pg_dump: Tool, pg_restore: Tool
) -> None:
    backups.mkdir(mode=0o700)
    precious = backups / "precious"
    precious.write_text("precious")
    for name in ("db.part", "db.sha256", "db.sql.gz.part"):
        (backups / name).symlink_to(precious)
    made = await dump(filled, backups / "db", report, pg_dump=pg_dump, pg_restore=pg_restore)
    await plain.write(made, backups / "db.sql.gz", pg_restore)
    assert precious.read_text() == "precious"
    assert files(backups) == ["db", "db.sha256", "db.sql.gz", "precious"]
    assert not any(path.is_symlink() for path in backups.iterdir())
    (backups / "other").symlink_to(precious)
    with pytest.raises(OperationFailed, match="already"):
        await dump(filled, backups / "other", report, pg_dump=pg_dump, pg_restore=pg_restore)
    assert precious.read_text() == "precious"
