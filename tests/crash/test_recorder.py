"""What a power failure takes, by the recorder that plays it: tried on a script that syncs some."""

from __future__ import annotations

import os
import random
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.crash.power_failure import Disk, compiled

SCRIPT = """
import os, shutil, sqlite3
def put(name, text, sync):
    with open(name, "wb") as file:
        file.write(text)
        file.flush()
        if sync:
            os.fsync(file.fileno())
def sync_folder():
    descriptor = os.open(".", os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)
put("synced", b"whole", True)
put("unsynced", b"gone", False)
put("replaced.part", b"new", True)
os.replace("replaced.part", "replaced")
sync_folder()
put("half.part", b"new", True)
os.replace("half.part", "half")
os.remove("removed")
shutil.copyfile("synced", "copied")
with open("longer", "ab") as file:
    file.write(b" and more")
database = sqlite3.connect("own/rows", isolation_level=None)
database.execute("PRAGMA journal_mode = wal")
database.execute("PRAGMA synchronous = full")
database.execute("CREATE TABLE row (text)")
database.execute("INSERT INTO row VALUES ('committed')")
os._exit(0)
"""
BEFORE = {"replaced": b"old", "half": b"old", "removed": b"there", "longer": b"begun"}


@pytest.fixture
def failed(tmp_path: Path) -> tuple[Path, Disk, bytes]:
    """A folder that the script has written to, and what was recorded of that."""
    folder = tmp_path / "disk"
    (folder / "own").mkdir(parents=True)  # SQLite syncs the folder that it is in
    for name, content in BEFORE.items():
        (folder / name).write_bytes(content)
    disk = Disk([folder])
    try:
        preload = {"LD_PRELOAD": str(compiled(tmp_path))}
    except FileNotFoundError:
        pytest.skip("recording what is written needs a C compiler")
    log = tmp_path / "log"
    where = {"RECORD_ROOT": str(folder.resolve()), "RECORD_LOG": str(log)}
    environment = {**os.environ, **preload, **where}
    subprocess.run([sys.executable, "-c", SCRIPT], check=True, cwd=folder, env=environment)
    return folder, disk, log.read_bytes()


def found(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_takes_what_was_not_synced(failed: tuple[Path, Disk, bytes]) -> None:
    folder, disk, log = failed
    assert disk.fail(log, None) > 0
    assert found(folder) == {
        **BEFORE,
        "synced": b"whole",
        "unsynced": b"",  # its entry went to the disk with the folder's sync, its content did not
        "replaced": b"new",
        "half.part": b"new",  # the rename is not on the disk
    }
    with closing(sqlite3.connect(folder / "own" / "rows")) as database:
        assert database.execute("SELECT * FROM row").fetchall() == [("committed",)]


def test_takes_each_by_chance(failed: tuple[Path, Disk, bytes]) -> None:
    folder, disk, log = failed
    disk.fail(log, random.Random(1))
    left = found(folder)
    assert left["synced"] == b"whole"
    assert left["longer"] in (b"begun", b"begun and more")
    assert left.get("copied", b"") in (b"", b"whole")
