"""A dump by several processes: a directory, under the same contract as one file."""

from __future__ import annotations

import asyncio
import os
import shutil
import stat
import subprocess
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from tests.support.small_disk import SmallDisk
from wizard.base.errors import OperationFailed, VerificationFailed
from wizard.base.events import Event, Progress, Report
from wizard.postgres.address import Address, connect
from wizard.postgres.drift.fingerprint import tables
from wizard.postgres.dumps import archive
from wizard.postgres.dumps import dump as dumps
from wizard.postgres.dumps.archive import Archive
from wizard.postgres.dumps.dump import dump
from wizard.postgres.dumps.restore import restore
from wizard.postgres.dumps.tools import Tool

MORE = """
    CREATE TABLE revision AS SELECT * FROM page;
    CREATE TABLE log AS SELECT * FROM page;
    CREATE TABLE "a, b" AS SELECT * FROM page LIMIT 100;
"""


@pytest.fixture
def backups(tmp_path: Path) -> Path:
    return tmp_path / "backups"


@pytest.fixture(autouse=True)
def little_is_worth_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dumps, "WORTH", 1)


@pytest.fixture
async def wide(filled: Address) -> Address:
    """A database in which no table is most of it."""
    async with await connect(filled) as connection:
        await connection.execute(MORE)
    return filled


@pytest.fixture
async def made(
    wide: Address, backups: Path, report: Report, pg_dump: Tool, pg_restore: Tool
) -> Archive:
    path = backups / "db.dump"
    return await dump(wide, path, report, pg_dump=pg_dump, pg_restore=pg_restore, jobs=3)


async def test_a_parallel_dump_is_private_counted_hashed_and_provable(
    made: Archive, backups: Path, report: Report, events: list[Event], pg_restore: Tool
) -> None:
    path = made.path
    assert sorted(each.name for each in backups.iterdir()) == ["db.dump", "db.dump.sha256"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o700
    members = sorted(path.iterdir())
    assert {stat.S_IMODE(each.stat().st_mode) for each in members} == {0o600}
    assert len(members) == 6  # the table of contents, and a file for each table
    assert made.bytes == sum(each.stat().st_size for each in members)
    subprocess.run(["sha256sum", "--check", "--quiet", "db.dump.sha256"], cwd=backups, check=True)
    assert Archive.from_dict(made.as_dict()) == made
    progress = [event for event in events if isinstance(event, Progress)]
    assert progress[-1].done == progress[-1].total
    await archive.prove(made, report)
    taken = await archive.take(path, pg_restore, report)
    assert replace(taken, made_at="") == replace(made, made_at="")


async def test_restores_the_same_content(
    made: Archive, wide: Address, database: Address, report: Report, pg_restore: Tool
) -> None:
    expected = await tables(wide)
    into = wide.at(f"{wide.database}_copy")
    async with await connect(wide.at("postgres")) as connection:
        await connection.execute(f"CREATE DATABASE {into.database}".encode())
    try:
        await restore(made, into, report, pg_restore=pg_restore)
        assert await tables(into) == expected
    finally:
        async with await connect(wide.at("postgres")) as connection:
            await connection.execute(f"DROP DATABASE {into.database} WITH (FORCE)".encode())


async def test_writes_one_file_where_parallel_does_not_pay(
    filled: Address, backups: Path, report: Report, pg_dump: Tool, pg_restore: Tool
) -> None:
    """One table is all of it, or there is little."""
    dumping = partial(dump, filled, report=report, pg_dump=pg_dump, pg_restore=pg_restore)
    assert dumps._paying({"a": 90, "b": 5, "c": 5}) == 2
    assert dumps._paying({"a": 60, "b": 20, "c": 20}) == 2
    assert dumps._paying({"a": 25, "b": 25, "c": 25, "d": 25}) == 4
    assert dumps._paying({"a": 100}) == 1
    dumps.WORTH = 64 << 20
    assert (await dumping(path=backups / "little", jobs=4)).path.is_file()


@pytest.mark.parametrize("how", ["bit", "end", "gone", "more", "link"])
async def test_refuses_a_dump_with_a_changed_missing_or_extra_file(
    made: Archive, how: str, report: Report, pg_restore: Tool
) -> None:
    largest = max(made.path.iterdir(), key=lambda path: path.stat().st_size)
    if how == "bit":
        content = bytearray(largest.read_bytes())
        content[-5] ^= 1
        largest.write_bytes(content)
    elif how == "end":
        os.truncate(largest, largest.stat().st_size - 2_000)
    elif how == "gone":
        largest.unlink()
    elif how == "more":
        (made.path / "more").write_text("x")
    else:
        shutil.copy(largest, made.path.parent / "elsewhere")
        largest.unlink()
        largest.symlink_to("../elsewhere")
    with pytest.raises(VerificationFailed):
        await archive.prove(made, report)
    with pytest.raises(VerificationFailed):
        await archive.take(made.path, pg_restore, report)


async def test_refuses_a_table_of_contents_that_leads_outside(
    made: Archive, report: Report, pg_restore: Tool
) -> None:
    """pg_restore reads what stands there, wherever that is."""
    data = next(path for path in sorted(made.path.iterdir()) if path.name != "toc.dat")
    name = data.name.removesuffix(".gz")
    outside = f"../{'x' * (len(name) - 3)}"
    data.rename(made.path / f"{outside}.gz")
    toc = made.path / "toc.dat"
    toc.write_bytes(toc.read_bytes().replace(name.encode(), outside.encode()))
    await archive.read_whole(made.path, pg_restore, report)  # it is content
    with pytest.raises(VerificationFailed, match="outside of it"):
        await archive.take(made.path, pg_restore, report)


@pytest.mark.parametrize(
    ("before", "after"),
    [(b"blob_", b"../lob_"), (b"blob_", b"/etc/blob_"), (b".dat", b".dat x"), (b"\n", b"\r\n")],
)
async def test_refuses_a_list_of_large_objects_that_leads_outside(
    wide: Address,
    backups: Path,
    report: Report,
    pg_dump: Tool,
    pg_restore: Tool,
    before: bytes,
    after: bytes,
) -> None:
    """The directory format has that list beside its table of contents."""
    async with await connect(wide) as connection:
        await connection.execute("SELECT lo_from_bytea(0, 'x'), lo_from_bytea(0, 'y')")
    path = backups / "db.dump"
    made = await dump(wide, path, report, pg_dump=pg_dump, pg_restore=pg_restore, jobs=3)
    await archive.read(made.path, pg_restore, report)
    (toc,) = made.path.glob("blobs*.toc")
    toc.write_bytes(toc.read_bytes().replace(before, after, 1))
    with pytest.raises(VerificationFailed, match="outside of it"):
        await archive.read(made.path, pg_restore, report)
    toc.rename(f"{toc}.gz")  # pg_restore would find it
    with pytest.raises(VerificationFailed, match="more than a dump"):
        await archive.read(made.path, pg_restore, report)


async def test_a_cancelled_dump_leaves_nothing(
    wide: Address, backups: Path, tmp_path: Path, report: Report, pg_dump: Tool, pg_restore: Tool
) -> None:
    stalls = tmp_path / "pg_dump"
    stalls.write_text(
        f"#!/bin/sh\nmkdir {backups}/db.part; touch {backups}/db.part/1.dat; sleep 60\n"
    )
    stalls.chmod(0o755)
    stalled = replace(pg_dump, path=stalls)
    dumping = dump(wide, backups / "db", report, pg_dump=stalled, pg_restore=pg_restore, jobs=2)
    task = asyncio.create_task(dumping)
    async with asyncio.timeout(20):
        while not (backups / "db.part" / "1.dat").exists():
            await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert list(backups.iterdir()) == []


async def test_a_pg_dump_that_dies_leaves_nothing(
    wide: Address, backups: Path, tmp_path: Path, report: Report, pg_dump: Tool, pg_restore: Tool
) -> None:
    dies = tmp_path / "pg_dump"
    dies.write_text(f'#!/bin/sh\n{pg_dump.path} "$@"; kill -9 $$\n')
    dies.chmod(0o755)
    with pytest.raises(OperationFailed, match="exit status -9"):
        await dump(
            wide,
            backups / "db",
            report,
            pg_dump=replace(pg_dump, path=dies),
            pg_restore=pg_restore,
            jobs=2,
        )
    assert list(backups.iterdir()) == []


async def test_replaces_what_a_killed_dump_left(
    wide: Address, backups: Path, report: Report, pg_dump: Tool, pg_restore: Tool
) -> None:
    (backups / "db.part").mkdir(parents=True)
    (backups / "db.part" / "toc.dat").write_text("half")
    dumping = partial(dump, wide, backups / "db", report, pg_dump=pg_dump, pg_restore=pg_restore)
    await dumping(jobs=2)
    assert sorted(each.name for each in backups.iterdir()) == ["db", "db.sha256"]
    archive.remove(backups / "db")
    assert list(backups.iterdir()) == []


async def test_a_full_disk_leaves_nothing(
    wide: Address, small_disk: SmallDisk, report: Report, pg_dump: Tool, pg_restore: Tool
) -> None:
    path = small_disk.folder / "db"
    dumping = partial(dump, wide, path, report, pg_dump=pg_dump, pg_restore=pg_restore, jobs=2)
    with pytest.raises(OperationFailed, match="failed with exit status") as caught:
        await dumping()
    assert "No space left" in caught.value.found or "File too large" in caught.value.found
    assert list(small_disk.folder.iterdir()) == []
    small_disk.make_room()
    assert (await dumping()).bytes > small_disk.SIZE
