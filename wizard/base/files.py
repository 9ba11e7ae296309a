"""Files that are there whole after a crash, or as they were before, and what a disk refuses."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from wizard.base.errors import DiskFailed, OperationFailed

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
REFUSALS = {
    errno.ENOSPC: ("The disk is full", "Make room there"),
    errno.EDQUOT: ("The disk quota is used up", "Make room there, or have the quota raised"),
    errno.EFBIG: ("The disk is full, or the limit of a file's size is reached", "Make room there"),
    errno.EROFS: (
        "The file system is read-only",
        "Mount it to be written to; where the kernel did this by itself, `dmesg` has the fault",
    ),
    errno.EIO: ("The disk is failing", "Look for its fault in `dmesg`; copy the folder elsewhere"),
    errno.EMFILE: ("This process has too many files open", "Allow more: ulimit -n 4096"),
    errno.ENFILE: ("Too many files are open on this machine", "End what holds them"),
    errno.EACCES: ("This user may not write there", "Give it the right to"),
    errno.EPERM: ("This user may not write there", "Give it the right to"),
}
SPARE = 3
SPARE_BYTES = 256 << 10


def write(path: Path, text: str) -> None:
    """Replace a file of ours (0600) in one piece; it is on the disk when this returns.

    The folder is synced as well: a rename may be lost otherwise, as fsync(2) says. On a full
    disk a file that `reserve` made is written over and renamed: no block of it is given away.
    """
    data = text.encode()
    part = path.with_name(f"{path.name}.part")
    with writing(path):
        try:
            part.unlink(missing_ok=True)  # a link in its place is not written through
            _fill(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), data)
        except OSError as error:
            with suppress(OSError):
                part.unlink(missing_ok=True)
            spare = next(filter(Path.exists, _spare(path.parent)), None)
            if error.errno not in FULL or spare is None or len(data) > SPARE_BYTES:
                raise
            _fill(os.open(spare, os.O_WRONLY), data)
            part = spare
        part.replace(path)
        sync_folder(path.parent)


def _fill(descriptor: int, data: bytes) -> None:
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.truncate()
        file.flush()
        os.fsync(file.fileno())


def reserve(folder: Path) -> None:
    """Have room for a few small files in a folder that must be written whatever happens.

    Raise DiskFailed where there is none.
    """
    for path in _spare(folder):
        with suppress(FileNotFoundError):
            if path.stat().st_size >= SPARE_BYTES:
                continue
        with writing(path):
            try:
                _fill(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), bytes(SPARE_BYTES))
            except OSError:
                path.unlink(missing_ok=True)
                raise


def _spare(folder: Path) -> list[Path]:
    return [folder / f"reserve.{number}" for number in range(SPARE)]


def sync_folder(path: Path) -> None:
    """Sync a folder to the disk, so that a rename in it outlasts a power failure."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def writing(path: Path | None = None) -> Iterator[None]:
    """Name what the disk refuses meanwhile. Raise DiskFailed, or OperationFailed for the rest.

    Without `path` it is the error that knows the file, if anything does.
    """
    room = _room(path, "were free before")
    try:
        yield
    except OSError as error:
        raise failure(error, path, room) from None


def failure(error: OSError, path: Path | None = None, room: str = "") -> OperationFailed:
    """Return the error to tell: what was refused where, how much room there is, what to do."""
    if path is None and isinstance(error.filename, str):
        path = Path(error.filename)
    if error.errno not in REFUSALS:
        if path is None:
            return OperationFailed(str(error) or type(error).__name__)
        return OperationFailed(f"{path} could not be written.", found=str(error))
    what, remedy = REFUSALS[error.errno]
    where = f"{path} could not be written" if path else "a file could not be written"
    return DiskFailed(
        f"{what}: {where}.",
        found=f"{error.strerror or error}{room or _room(path, 'are free')}",
        hint=f"{remedy}, then try again: what was done stays done. The folder may be a link to one "
        "on another disk.",
    )


def _room(path: Path | None, verb: str) -> str:
    """Return how much room there is beside a file, as a part of a sentence."""
    with suppress(OSError):
        if path is not None:
            return f"; {shutil.disk_usage(path.parent).free:,} bytes {verb}"
    return ""


def refusal(folder: Path) -> OSError | None:
    """Return what the disk says to a small new file in a folder; None where it takes it."""
    path = folder / "probe.part"
    try:
        _fill(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), bytes(1 << 16))
    except OSError as error:
        return error
    finally:
        with suppress(OSError):
            path.unlink(missing_ok=True)
    return None
