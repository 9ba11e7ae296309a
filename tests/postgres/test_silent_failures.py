"""How a dump fails without a word, the usual way and ours: each shown beside the other.

The usual way is `pg_dump | gzip` and `zcat | psql`, as in many a playbook.
"""

from __future__ import annotations

import gzip
import os
import subprocess
import zlib
from dataclasses import replace
from pathlib import Path

import asyncssh
import pytest

from tests.support.postgres import Fetching
from wizard.base.errors import ConnectionFailed, VerificationFailed
from wizard.base.events import Report
from wizard.postgres import server
from wizard.postgres.address import Address, connect
from wizard.postgres.dumps import archive, loader, plain, tools
from wizard.postgres.dumps.dump import dump
from wizard.postgres.dumps.tools import Tool
from wizard.sandbox.cluster import binaries
from wizard.sandbox.sshd import SshServer
from wizard.ssh.connection import Connection, Login


def usual(
    *argv: str | Path, at: Address | None = None, shell: str = "sh"
) -> subprocess.CompletedProcess[str]:
    """Run what an operator runs: a shell line, with a database's address in PG*."""
    return subprocess.run(
        [shell, "-c", " ".join(map(str, argv))],
        env={
            "PATH": f"{binaries(18)}:/usr/bin:/bin",
            "LC_ALL": "C",
            **(tools.variables(at) if at else {}),
        },
        capture_output=True,
        text=True,
        timeout=60,
    )


async def rows(address: Address, table: str) -> int | None:
    """How many rows a table has; None where there is no such table."""
    async with await connect(address) as connection:
        cursor = await connection.execute("SELECT to_regclass(%s) IS NULL", [table.split()[0]])
        if (await cursor.fetchone() or (True,))[0]:
            return None
        counted = await connection.execute(f"SELECT count(*) FROM {table}".encode())
        return int((await counted.fetchone() or (0,))[0])


async def empty(address: Address) -> None:
    async with await connect(address) as connection:
        await connection.execute("DROP SCHEMA public CASCADE")
        await connection.execute("CREATE SCHEMA public")


@pytest.fixture
async def script(
    far_filled: Address, tmp_path: Path, report: Report, pg_dump: Tool, pg_restore: Tool
) -> bytes:
    """A plain dump of 2,000 pages."""
    made = await dump(far_filled, tmp_path / "db", report, pg_dump=pg_dump, pg_restore=pg_restore)
    await plain.write(made, tmp_path / "whole.sql.gz", pg_restore)
    return gzip.decompress((tmp_path / "whole.sql.gz").read_bytes())


async def test_a_missing_database_fails(
    database: Address, tmp_path: Path, report: Report, pg_dump: Tool, pg_restore: Tool
) -> None:
    backup = tmp_path / "backup.sql.gz"
    assert usual(f"pg_dump nosuchdb | gzip > {backup}", at=database).returncode == 0
    assert 0 < backup.stat().st_size < 50
    assert usual(f"gzip -t {backup}").returncode == 0
    assert usual(f"zcat {backup} | psql -v ON_ERROR_STOP=1", at=database).returncode == 0

    with pytest.raises(ConnectionFailed, match="nosuchdb"):
        await dump(
            database.at("nosuchdb"),
            tmp_path / "ours",
            report,
            pg_dump=pg_dump,
            pg_restore=pg_restore,
        )
    assert not (tmp_path / "ours").exists()
    await refuse(backup, "does not begin as a dump", database, report)


async def refuse(path: Path, words: str, into: Address, report: Report) -> None:
    """Ours refuses what is in the way of the usual one, and loads nothing of it."""
    await empty(into)
    with pytest.raises(VerificationFailed, match=words):
        await loader.load(path, into, report)
    assert (await server.contents(into)).tables == 0


async def test_a_plain_dump_cut_in_the_rows_of_a_table_fails(
    script: bytes, database: Address, tmp_path: Path, report: Report
) -> None:
    cut = tmp_path / "cut.sql"
    cut.write_bytes(script[: script.index(b"\n1500\t") + 1])
    # The role that restores is not the one that dumped: ownership is not what this is about.
    done = usual(f"psql -q -v ON_ERROR_STOP=1 -f {cut}", at=database)
    assert (done.returncode, await rows(database, "page")) == (0, 1499)
    assert done.stderr == ""
    await refuse(cut, "in the middle of a table's rows", database, report)


async def test_a_cut_gzip_dump_fails(
    script: bytes, database: Address, tmp_path: Path, report: Report
) -> None:
    cut = tmp_path / "cut.sql.gz"
    zipped, inflating, text, size = gzip.compress(script), zlib.decompressobj(31), b"", 0
    while not (b"\n500\t" in text and text.endswith(b"\n")):
        text += inflating.decompress(zipped[size : size + 1])
        size += 1
    cut.write_bytes(zipped[:size])
    assert usual(f"zcat {cut} | psql -q -v ON_ERROR_STOP=1", at=database).returncode == 0
    assert 500 <= (await rows(database, "page") or 0) < 2000
    await refuse(cut, "to its end", database, report)


async def test_a_cut_archive_fails(
    script: bytes, tmp_path: Path, report: Report, pg_restore: Tool
) -> None:
    cut = tmp_path / "db"
    os.truncate(cut, cut.stat().st_size - 2_000)
    assert usual(f"pg_restore --list {cut}").returncode == 0

    with pytest.raises(VerificationFailed, match="to its end"):
        await archive.take(cut, pg_restore, report)


async def test_a_flipped_bit_fails(
    far_filled: Address,
    database: Address,
    tmp_path: Path,
    report: Report,
    pg_dump: Tool,
    pg_restore: Tool,
) -> None:
    """zlib finds most of them; in what is not compressed nothing does, but a checksum."""
    usual_dump, made = tmp_path / "usual", tmp_path / "made"
    argv = f"pg_dump -Fc --compress=0 -f {usual_dump}"
    assert usual(argv, at=far_filled).returncode == 0
    content = usual_dump.read_bytes()
    flipped = content.replace(b"Page 1234", b"Page 1235", 1)
    assert flipped != content
    usual_dump.write_bytes(flipped)
    done = usual(f"pg_restore --exit-on-error -d {database.database} {usual_dump}", at=database)
    assert (done.returncode, await rows(database, "page WHERE title = 'Page 1234'")) == (0, 0)

    ours = await dump(far_filled, made, report, pg_dump=pg_dump, pg_restore=pg_restore)
    damaged = bytearray(made.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    made.write_bytes(damaged)
    with pytest.raises(VerificationFailed, match="checksum changed"):
        await archive.prove(ours, report)


async def test_pg_dump_14_does_not_compress_with_lz4(far_filled: Address, tmp_path: Path) -> None:
    old = [tool for tool in await tools.find("pg_dump") if tool.major == 14]
    if not old:
        pytest.skip("there is no pg_dump 14 here; that it is never told lz4 is in test_tools")
    sizes = []
    for option in ("lz4", "1"):
        made = tmp_path / option
        usual(f"{old[0].path} -Fc --compress={option} -f {made}", at=far_filled)
        sizes.append(made.stat().st_size)
    assert sizes[0] > 2 * sizes[1]
    assert tools.compressing(replace(old[0], methods=("lz4",)), "lz4") == "--compress=1"


async def test_a_failing_pipe_fails_where_sh_has_no_pipefail(
    connection: Connection, fetching: Fetching, spying: tuple[Tool, Path], tmp_path: Path
) -> None:
    """What we run on the far side has no pipe whose status could get lost."""
    done = await connection.run(["sh", "-c", "set -o pipefail; false | true"])
    if done.returncode == 1:
        pytest.skip("sh on this machine has pipefail, as POSIX of 2024 has it")
    assert "pipefail" in done.stderr_tail and done.returncode == 2

    spy, seen = spying
    await fetching(tmp_path / "ours", pg_dump=spy)
    assert "|" not in seen.read_text()


async def test_a_cut_connection_fails(
    fetching: Fetching, login: Login, ssh_server: SshServer, far_filled: Address, tmp_path: Path
) -> None:
    """asyncssh's own way to run a command takes a missing exit status for success."""
    part = tmp_path / "usual"
    async with asyncssh.connect(
        "127.0.0.1",
        ssh_server.port,
        username="deploy",
        client_keys=[str(ssh_server.client_key)],
        known_hosts=str(login.known_hosts),
        config=None,
    ) as usually:
        ssh_server.drop_after(50_000)
        command = f"pg_dump -Fc {far_filled.database}"
        done = await usually.run(command, stdout=str(part), encoding=None, check=True)
    assert done.exit_status is None
    assert 0 < part.stat().st_size <= 50_000

    ssh_server.drop_after(50_000)
    with pytest.raises(ConnectionFailed):
        await fetching(tmp_path / "ours")
    assert not (tmp_path / "ours").exists() and not (tmp_path / "ours.part").exists()


@pytest.mark.parametrize(
    "command", ["\\! touch {}", "\\unrestrict `touch {}`", "\\echo `touch {}`"]
)
async def test_refuses_a_dump_that_runs_commands_of_this_machine(
    command: str, script: bytes, database: Address, tmp_path: Path, report: Report
) -> None:
    """CVE-2026-18408 is the second: psql since 14.24, 15.19, 16.15, 17.11 and 18.6 refuses it."""
    harm, hostile = tmp_path / "harm", tmp_path / "hostile.sql"
    head, _, rest = script.partition(b"\nSET ")
    free = b"\n".join(line for line in head.splitlines() if not line.startswith(b"\\restrict"))
    hostile.write_bytes(free + b"\n" + command.format(harm).encode() + b"\nSET " + rest)
    usual(f"psql -q -f {hostile}", at=database)
    version = usual("psql --version").stdout
    if not harm.exists():
        pytest.skip(f"{version.strip()} does not run it: nothing to hold ours against")
    harm.unlink()

    await refuse(hostile, "may run anything", database, report)
    assert not harm.exists()
