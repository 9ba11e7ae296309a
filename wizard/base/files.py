"""Files that are there whole after a crash, or as they were before."""

from __future__ import annotations

import os
from pathlib import Path


def write(path: Path, text: str) -> None:
    """Replace a file of ours (0600) in one piece; it is on the disk when this returns.

    The folder is synced as well: a rename may be lost otherwise, as fsync(2) says.
    """
    part = path.with_name(f"{path.name}.part")
    part.unlink(missing_ok=True)  # a link in its place is not written through
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Sync a folder to the disk, so that a rename in it outlasts a power failure."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
