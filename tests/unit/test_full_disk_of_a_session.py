"""The disk that a session's own files are on: full, read-only, and with room again."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.consenting_operator import Consenting
from tests.support.remodel_yml import write
from tests.support.small_disk import mounted
from tests.unit.counting_operation import WORLD, Act, go, kinds, step
from wizard.base import files
from wizard.base.errors import DiskFailed, OperationFailed
from wizard.config import config
from wizard.config.config import Config
from wizard.session import session as sessions
from wizard.session.journal import Journal

SIZE = 32 << 20


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, which is soon full."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if not mounted(folder, SIZE):
        pytest.skip("mounting a small file system needs root with CAP_SYS_ADMIN")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def own(tmp_path: Path, disk: Path) -> Config:
    """A project whose `.remodel` is on the small disk."""
    found = config.read(write(tmp_path))
    (disk / "remodel").mkdir()
    found.state.symlink_to(disk / "remodel")
    return found


def fill(disk: Path) -> Path:
    """Leave no block free; return what has them."""
    ballast = disk / "ballast"
    with ballast.open("ab", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
    assert shutil.disk_usage(disk).free == 0
    return ballast


class Filling(Act):
    """An act in the middle of which the disk becomes full; it stops the service."""

    interrupts_service = True

    def __init__(self, key: str, disk: Path) -> None:
        super().__init__(key)
        self._disk = disk

    async def apply(self, context, plan):  # type: ignore[no-untyped-def]
        fill(self._disk)
        for number in range(2000):
            context.report.line("a tool", f"{number} {'x' * 2000}")
        files.write(context.artefact("delivered.json"), "y" * 100_000)
        files.write(context.artefact("identities.json"), "z")
        return await super().apply(context, plan)


class Service(Act):
    interrupts_service = True


async def test_an_act_writes_its_outcome_on_a_disk_that_became_full(
    own: Config, disk: Path
) -> None:
    acts = [Filling("one.deliver", disk), Service("one.after"), Act("one.next")]
    with sessions.begin(own) as session:
        with pytest.raises(DiskFailed, match="The disk is full") as stopped:
            await go(session, Consenting(), step(*acts))
        assert "bytes were free before" in stopped.value.found
        assert "Make room" in stopped.value.hint
        assert kinds(session, "one.deliver") == ["intent", "kept", "done"]
        assert kinds(session, "one.after") == ["intent", "kept", "done"]
        assert (session.folder / "delivered.json").read_text() == "y" * 100_000
        assert "one.next" not in WORLD
        identifier = session.id

    with pytest.raises(DiskFailed, match="The disk is full"):
        sessions.begin(own)
    (disk / "ballast").unlink()
    with sessions.resume(own, identifier) as session:
        await go(session, Consenting(), step(*acts))
        assert kinds(session, "one.deliver") == ["intent", "kept", "done"]
        assert WORLD["one.deliver"] == WORLD["one.after"] == WORLD["one.next"] == 1
        log = [data.get("text", "") for _, data in session.journal.events()]
        assert any("lines are missing here: the disk did not take them" in text for text in log)
    assert len(sessions.summaries(own)) == 1


def test_room_for_rows_is_never_used_up_by_lines_of_the_log(own: Config, disk: Path) -> None:
    """Opened again too, when SQLite has taken its write-ahead log away."""
    with sessions.begin(own) as session:
        folder = session.folder
    with sessions.resume(own, folder.name) as session:
        session.reserve()
        for size in (1000, 2100, 4200):  # in few batches of many lines, as they come
            for number in range(800):
                session.journal.event({"kind": "line", "text": f"{number} {'x' * size}"})
        session.journal.write("one.a", "intent", {})  # writes what has come by now
        fill(disk)
        for number in range(3000):
            session.journal.event({"kind": "line", "text": f"{number} {'x' * 1000}"})
        for number in range(40):
            session.journal.write("one.a", "done", {"number": number, "facts": "f" * 10_000})
        assert len(list(session.journal.entries("one.a"))) == 41


def test_the_way_back_is_never_told_to_be_thrown_away(own: Config, disk: Path) -> None:
    with sessions.begin(own) as session:
        folder = session.folder
    fill(disk)
    for path in folder.glob("reserve.*"):
        path.unlink()
    fill(disk)
    with pytest.raises(DiskFailed) as stopped, sessions.resume(own, folder.name) as session:
        session.reserve()
    assert "Move" not in stopped.value.hint
    assert stopped.value.message.startswith("The disk is full")


def test_sessions_are_listed_on_a_disk_that_is_read_only_and_none_begins(
    own: Config, disk: Path
) -> None:
    with sessions.begin(own) as session:
        folder = session.folder
    assert mounted(disk, SIZE, "remount,ro,")
    (listed,) = sessions.summaries(own)
    assert listed.id == folder.name
    for begin in (sessions.begin, sessions.resume):
        with pytest.raises(DiskFailed, match="The file system is read-only") as stopped:
            begin(own)
        assert "Mount it" in stopped.value.hint
    assert mounted(disk, SIZE, "remount,rw,")
    sessions.resume(own).close()


@pytest.mark.parametrize(
    ("number", "what"),
    [
        (errno.ENOSPC, "The disk is full"),
        (errno.EDQUOT, "The disk quota is used up"),
        (errno.EROFS, "The file system is read-only"),
        (errno.EIO, "The disk is failing"),
        (errno.EMFILE, "This process has too many files open"),
    ],
)
def test_what_a_disk_refuses_is_named_with_the_file(number: int, what: str, tmp_path: Path) -> None:
    with pytest.raises(DiskFailed) as stopped, files.writing(tmp_path / "journal"):
        raise OSError(number, os.strerror(number))
    assert stopped.value.message == f"{what}: {tmp_path / 'journal'} could not be written."
    assert "bytes were free before" in stopped.value.found
    assert stopped.value.hint


def test_too_many_open_files_are_told_from_a_broken_journal(own: Config) -> None:
    with sessions.begin(own) as session:
        path = session.folder / "journal.sqlite"
    held = []
    try:
        with suppress(OSError):
            while True:
                held.append(os.open(os.devnull, os.O_RDONLY))
        with pytest.raises(DiskFailed, match="too many files open"):
            Journal(path)
    finally:
        for descriptor in held:
            os.close(descriptor)


def test_only_a_broken_journal_is_called_one(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    path.write_bytes(b"no database" * 1000)
    with pytest.raises(OperationFailed, match="cannot be read"):
        Journal(path)


def test_a_full_disk_while_another_takes_what_is_freed(own: Config, disk: Path) -> None:
    """What was reserved is written over, never given to the disk first."""
    with sessions.begin(own) as session:
        for number in range(files.SPARE):
            fill(disk)
            files.write(session.folder / f"file.{number}", "x" * 200_000)
            fill(disk)
        with pytest.raises(DiskFailed):
            files.write(session.folder / "one-more", "x" * 200_000)
        assert not list(session.folder.glob("*.part"))
        _whole(session.folder, lambda text: text == "x" * 200_000)


def _whole(folder: Path, good: Callable[[str], bool]) -> None:
    assert all(good(path.read_text()) for path in folder.glob("file.*"))
