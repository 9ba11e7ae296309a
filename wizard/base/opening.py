"""Opening the files that an operator, or remodel.yml, names: the one place for it.

Only regular files are read. A FIFO would be waited for without end, and a device may have no end.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO

from wizard.base.errors import ConfigError, RemodelError

LIMIT = 512 * 1024  # bytes of a file that is read whole; a config is a few kilobytes
KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a FIFO"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def opened(path: Path, error: type[RemodelError] = ConfigError) -> BinaryIO:
    """Open a regular file for reading. Raise `error` at once where it is none, or OSError."""
    # O_NONBLOCK: not to wait for a pipe's other end (open(2)); of no effect on a regular file.
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        refuse_others(path, error)  # a socket, for one, cannot be opened at all
        raise
    try:
        _require_regular(os.fstat(descriptor).st_mode, path, error)
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def refuse_others(path: Path, error: type[RemodelError] = ConfigError) -> None:
    """Raise `error` where something is at `path` that is no regular file: for a file that another
    program, or a library, opens. /dev/null passes: an ssh_config names it to say that there is
    none."""
    if str(path) == os.devnull:
        return
    try:
        mode = path.stat().st_mode
    except OSError:
        return  # whoever opens it tells why it cannot be
    _require_regular(mode, path, error)


def _require_regular(mode: int, path: Path, error: type[RemodelError]) -> None:
    if not stat.S_ISREG(mode):
        what = next((name for is_one, name in KINDS if is_one(mode)), "something else")
        raise error(
            f"{path} is not a file.",
            found=f"it is {what}",
            hint="Check the path; where the content comes through a pipe, save it as a file first.",
        )


def whole(path: Path, error: type[RemodelError] = ConfigError, limit: int = LIMIT) -> bytes:
    """Return a regular file's content. Raise `error` where it is none, is too large, or cannot be
    read."""
    try:
        with opened(path, error) as file:
            data = file.read(limit + 1)
    except OSError as problem:
        raise error(f"{path} cannot be read.", found=str(problem), hint="Check the path.") from None
    if len(data) > limit:
        raise error(
            f"{path} is too large to be read.",
            found=f"the limit is {limit:,} bytes",
            hint="Check that this is the right file.",
        )
    return data
