"""The lock on a project's sessions: one process works on any of them at a time."""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import suppress
from pathlib import Path

from wizard.base import files
from wizard.base.errors import OperationFailed

PATIENCE = 10.0  # seconds for what a killed process has started to end by itself


def hold(path: Path) -> int:
    """Hold the project's lock file.

    The kernel keeps the lock with the open file, so it cannot outlive its holders: no dead
    process, reused pid or earlier boot is mistaken for one. The worker inherits the open file
    and so holds the lock too; it ends by itself when its parent was killed.
    """
    with files.writing(path):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            _wait_for(path, descriptor)
            holder = f"{os.getpid()} since {time.strftime('%Y-%m-%d %H:%M')}"
            os.pwrite(descriptor, holder.encode(), 0)  # first: a full disk keeps the block it has
            os.ftruncate(descriptor, len(holder))
        except BaseException:
            os.close(descriptor)
            raise
    return descriptor


def _wait_for(path: Path, descriptor: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            holder = os.pread(descriptor, 100, 0).decode(errors="replace")
        if _runs(holder.partition(" ")[0]):
            raise OperationFailed(
                "Another process is at work on a session of this project.",
                found=f"pid {holder}",
                hint="Let that one finish or stop it; then try again.",
            )
        if time.monotonic() > deadline:
            raise OperationFailed(
                "A process that was killed has left something running that has not ended.",
                found="\n".join(_holders(path)) or f"It was pid {holder}; see: lsof {path}",
                hint="It may still write to the local database: end it, then try again.",
            )
        time.sleep(0.05)


def _runs(pid: str) -> bool:
    """Return whether there is such a process; False for a pid that is not written yet."""
    try:
        os.kill(int(pid), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:
        return True
    return True


def _holders(path: Path) -> list[str]:
    """Return who has the lock file open, where /proc tells (proc(5))."""
    holders = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if any(link.samefile(path) for link in (process / "fd").iterdir()):
                command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                if int(process.name) != os.getpid():
                    holders.append(f"pid {process.name}: {command.strip()}")
    return holders
