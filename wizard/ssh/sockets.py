"""Where forwarded sockets stand on this machine, and the end of those that were left."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import tempfile
import time
from pathlib import Path

PREFIX = "remodel-forward-"  # others keep folders in /tmp as well
YOUNG = 0.1  # seconds in which a socket may not be listened on yet


def make_directory() -> Path:
    """Make a directory for a socket, ours alone (0700)."""
    return Path(tempfile.mkdtemp(prefix=PREFIX, dir=_parent()))


def remove_dead() -> None:
    """Remove the directories of sockets that nobody listens on, as a killed process leaves them."""
    for directory in _parent().glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            held = list(directory.iterdir())
            status = directory.lstat()
            ours = status.st_uid == os.getuid() and status.st_mtime < time.time() - YOUNG
            if ours and held and all(map(_is_dead, held)):
                for path in held:
                    path.unlink()
                directory.rmdir()


def _is_dead(path: Path) -> bool:
    if not stat.S_ISSOCK(path.lstat().st_mode):
        return False  # connecting to a file is refused as well
    with socket.socket(socket.AF_UNIX) as asking:
        asking.settimeout(YOUNG)
        try:
            asking.connect(str(path))
        except ConnectionRefusedError:
            return True
    return False


def _parent() -> Path:
    """Return the folder for sockets, a short one: a socket's path may have about 103 bytes."""
    directory = tempfile.gettempdir()
    return Path(directory if len(os.fsencode(directory)) < 60 else "/tmp")
