"""A dump that is on the far side arrives whole, however often the line is cut."""

from __future__ import annotations

import gzip
import os
import random
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.postgres import tool
from tests.support.small_disk import SmallDisk
from tests.support.tcp_relay import Wire, wire
from wizard.base.errors import ConnectionFailed, OperationFailed, VerificationFailed
from wizard.base.events import Event, Finding, Report
from wizard.postgres.dumps.archive import Archive
from wizard.postgres.dumps.download import download
from wizard.sandbox.sshd import SshServer
from wizard.ssh.connection import Login, connect, host_key
from wizard.ssh.hostkeys import trust

SIZE = 3_000_000


@pytest.fixture
def original(ssh_server: SshServer) -> Path:
    """A script of some megabytes in the home of the far side's user, hardly compressible."""
    rows = b"".join(b"%d\t%s\n" % (n, os.urandom(500).hex().encode()) for n in range(SIZE // 500))
    text = (
        b"--\n-- PostgreSQL database dump\n--\n\nCREATE TABLE t (n int, h text);\n"
        b"COPY t (n, h) FROM stdin;\n%s\\.\n\n--\n-- PostgreSQL database dump complete\n--\n\n"
    )
    path = ssh_server.home / "db.sql.gz"
    path.write_bytes(gzip.compress(text % rows, 1))
    return path


@pytest.fixture
async def line(ssh_server: SshServer) -> AsyncIterator[Wire]:
    async with wire(ssh_server.port) as line:
        yield line


@pytest.fixture
async def login(line: Wire, ssh_server: SshServer, tmp_path: Path) -> Login:
    config = tmp_path / "ssh_config"
    ssh_server.write_ssh_config(config, "far")
    config.write_text(config.read_text().replace(f"Port {ssh_server.port}", f"Port {line.port}"))
    login = Login("far", tmp_path / "known_hosts", config)
    trust(login.known_hosts, await host_key(login))
    return login


async def fetch(login: Login, path: Path, report: Report, far: str = "db.sql.gz") -> Archive:
    reader = await tool("pg_restore", 18)
    async with connect(login) as connection:
        return await download(connection, far, path, report, pg_restore=reader)


@pytest.mark.parametrize("seed", range(3))
async def test_resumes_where_it_was_cut(
    seed: int,
    login: Login,
    line: Wire,
    original: Path,
    tmp_path: Path,
    report: Report,
    events: list[Event],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("wizard.postgres.dumps.download.PORTION", 100_000)
    chance = random.Random(seed)
    path, cuts = tmp_path / "backups" / "db", 0
    while not path.exists():
        line.cut_after = chance.randrange(3_000, SIZE) if cuts < 4 else None
        try:
            made = await fetch(login, path, report)
        except ConnectionFailed:
            cuts += 1
    assert cuts
    assert path.read_bytes() == original.read_bytes()
    assert (made.bytes, made.is_script) == (path.stat().st_size, True)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert sorted(each.name for each in path.parent.iterdir()) == ["db", "db.sha256"]
    again = sum("goes on after" in e.value for e in events if isinstance(e, Finding))
    # What had come was not fetched twice: beyond the file, portions and handshakes alone.
    assert again <= cuts and line.passed < original.stat().st_size + (cuts + 1) * 200_000


async def test_begins_anew_for_another_file_by_that_name(
    login: Login, line: Wire, original: Path, tmp_path: Path, report: Report, events: list[Event]
) -> None:
    path = tmp_path / "backups" / "db"
    path.parent.mkdir()
    part = path.with_name("db.part")
    part.write_bytes(original.read_bytes()[:1_000_000])
    part.with_name("db.part.json").write_text('{"path": "db.sql.gz", "size": 5, "modified": 5}')
    made = await fetch(login, path, report)
    assert path.read_bytes() == original.read_bytes() and made.is_script
    assert not any("goes on" in each.value for each in events if isinstance(each, Finding))


async def test_begins_anew_when_the_first_part_differs(
    login: Login, line: Wire, original: Path, tmp_path: Path, report: Report
) -> None:
    """The same name, size and age, and yet another beginning: the far side's checksum tells."""
    path = tmp_path / "backups" / "db"
    line.cut_after = SIZE // 2
    with pytest.raises(ConnectionFailed):
        await fetch(login, path, report)
    part = path.with_name("db.part")
    if not part.stat().st_size:
        part.write_bytes(original.read_bytes()[:1_000])
    content = bytearray(part.read_bytes())
    content[500] ^= 1
    part.write_bytes(content)
    with pytest.raises(VerificationFailed, match="is not what arrived"):
        await fetch(login, path, report)
    assert list(path.parent.iterdir()) == []
    await fetch(login, path, report)
    assert path.read_bytes() == original.read_bytes()


async def test_refuses_a_missing_file_or_one_that_is_no_dump(
    login: Login, original: Path, tmp_path: Path, report: Report
) -> None:
    with pytest.raises(OperationFailed, match="nosuchfile"):
        await fetch(login, tmp_path / "db", report, "nosuchfile")
    original.write_bytes(original.read_bytes()[: SIZE // 2])
    with pytest.raises(VerificationFailed, match="to its end"):
        await fetch(login, tmp_path / "db", report)
    (original.parent / "folder").mkdir()
    with pytest.raises(OperationFailed, match="directory format"):
        await fetch(login, tmp_path / "db", report, "folder")
    assert not (tmp_path / "db").exists() and not (tmp_path / "db.part").exists()


async def test_resumes_after_a_full_disk(
    login: Login, original: Path, small_disk: SmallDisk, report: Report, events: list[Event]
) -> None:
    path = small_disk.folder / "db"
    with pytest.raises(OperationFailed, match="disk is full"):
        await fetch(login, path, report)
    assert not path.exists()
    small_disk.make_room()
    await fetch(login, path, report)
    assert path.read_bytes() == original.read_bytes()
    assert any("goes on after" in each.value for each in events if isinstance(each, Finding))


async def test_follows_no_symlink_at_the_downloads_path(
    login: Login, original: Path, tmp_path: Path, report: Report
) -> None:
    precious = tmp_path / "precious"
    precious.write_text("precious")
    path = tmp_path / "backups" / "db"
    path.parent.mkdir()
    for name in ("db.part", "db.part.json", "db.sha256"):
        path.with_name(name).symlink_to(precious)
    await fetch(login, path, report)
    assert precious.read_text() == "precious"
    assert not path.is_symlink() and path.read_bytes() == original.read_bytes()
    path.unlink()
    path.symlink_to(precious)
    with pytest.raises(OperationFailed, match="already"):
        await fetch(login, path, report)
