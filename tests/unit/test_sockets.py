"""What is removed from /tmp, where other people keep things too."""

from __future__ import annotations

import os
import socket
import tempfile
from pathlib import Path

from wizard.ssh import sockets


def test_dead_sockets_are_removed_and_nothing_else() -> None:
    """Others keep things in /tmp, under names like ours as well."""
    with (
        tempfile.TemporaryDirectory(prefix="remodel-demo-") as notes,
        tempfile.TemporaryDirectory(prefix=sockets.PREFIX) as files,
        tempfile.TemporaryDirectory(prefix=sockets.PREFIX) as living,
        tempfile.TemporaryDirectory(prefix=sockets.PREFIX, ignore_cleanup_errors=True) as dead,
        socket.socket(socket.AF_UNIX) as listening,
        socket.socket(socket.AF_UNIX) as ended,
    ):
        for folder in (notes, files):
            Path(folder, "of a person").write_text("kept")
        ended.bind(f"{notes}/.s.PGSQL.5432")
        listening.bind(f"{living}/.s.PGSQL.5432")
        listening.listen()
        for folder in (files, dead):
            with socket.socket(socket.AF_UNIX) as left:
                left.bind(f"{folder}/.s.PGSQL.5432")
        for folder in (notes, files, living, dead):
            os.utime(folder, (0, 0))
        sockets.remove_dead()
        assert not Path(dead).exists()
        assert Path(notes, "of a person").exists() and Path(files, "of a person").exists()
        assert Path(living, ".s.PGSQL.5432").is_socket()
