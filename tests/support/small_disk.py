"""A file system that is soon full."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class SmallDisk:
    """A folder whose disk is full after `SIZE` bytes, until there is room."""

    SIZE = 64 * 1024
    folder: Path
    make_room: Callable[[], object]


def mounted(folder: Path, size: int, again: str = "") -> bool:
    """Whether a tmpfs of that size could be mounted there; it needs root with CAP_SYS_ADMIN."""
    mount = ["mount", "-t", "tmpfs", "-o", f"{again}size={size}", "tmpfs", str(folder)]
    return os.geteuid() == 0 and subprocess.run(mount, capture_output=True).returncode == 0
