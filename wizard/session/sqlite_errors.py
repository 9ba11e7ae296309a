"""What SQLite says about a journal, in the words of the disk that it is on."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wizard.base import files
from wizard.base.errors import OperationFailed

_AS_DISK = {
    sqlite3.SQLITE_FULL: errno.ENOSPC,
    sqlite3.SQLITE_READONLY: errno.EROFS,
    sqlite3.SQLITE_IOERR: errno.EIO,
}
_BROKEN = (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT)


@contextmanager
def named(path: Path) -> Iterator[None]:
    """Raise DiskFailed for what the disk refuses, and OperationFailed for all else."""
    try:
        yield
    except sqlite3.Error as error:
        raise _failure(error, path) from None


def is_full(error: sqlite3.Error) -> bool:
    """Whether SQLite found no room. A quota that is used up is an I/O error to it."""
    return _code(error) in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)


def _code(error: sqlite3.Error) -> int:
    """Return the primary result code, or 0."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def _failure(error: sqlite3.Error, path: Path) -> OperationFailed:
    code = _code(error)
    is_no_file = path.exists() and not path.is_file()  # which is no matter of the disk
    if not is_no_file and code in (*_AS_DISK, sqlite3.SQLITE_CANTOPEN):
        # SQLite tells neither a quota nor open files from the rest: the disk is asked.
        refused = files.refusal(path.parent)
        if refused is None and code in _AS_DISK:
            refused = OSError(_AS_DISK[code], os.strerror(_AS_DISK[code]))
        if refused is not None:
            return files.failure(refused, path)
    if is_no_file or code in _BROKEN:
        return OperationFailed(
            f"The journal {path} cannot be read.",
            found=str(error),
            hint="Its session cannot go on. Move its folder away and begin a new one.",
        )
    return OperationFailed(
        f"The journal {path} cannot be used at the moment.",
        found=str(error),
        hint="Nothing is wrong with it: try again. What is written in it is the way back.",
    )
