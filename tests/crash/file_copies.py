"""Copies of a tree of files that share what did not change."""

from __future__ import annotations

import os
import shutil
from pathlib import Path


def copy_tree(source: Path, target: Path, shared: Path | None) -> None:
    """Copy a tree; files that are the same in `shared` become links to those."""
    _folder(source, target)
    for entry in os.scandir(source):
        place = target / entry.name
        if entry.is_symlink():
            place.symlink_to(Path(entry.path).readlink())
        elif entry.is_dir():
            copy_tree(Path(entry.path), place, shared / entry.name if shared else None)
        elif entry.is_file():
            known = shared / entry.name if shared else None
            if known is not None and _same(entry.stat(), known):
                os.link(known, place)
            else:
                _file(Path(entry.path), place)


def restore_tree(kept: Path, live: Path) -> None:
    """Make `live` what `kept` is; only what differs is written."""
    _folder(kept, live)
    wanted = {entry.name: entry for entry in os.scandir(kept)}
    for entry in os.scandir(live):
        if entry.name in wanted:
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry.path)
        else:
            Path(entry.path).unlink()
    for name, entry in wanted.items():
        place = live / name
        if entry.is_symlink():
            if not place.is_symlink():
                place.symlink_to(Path(entry.path).readlink())
        elif entry.is_dir():
            restore_tree(Path(entry.path), place)
        elif not _same(entry.stat(), place):
            _file(Path(entry.path), place)


def _folder(source: Path, target: Path) -> None:
    there = source.stat() if source.exists() else None
    target.mkdir(mode=0o700, parents=True, exist_ok=True)
    if there is not None:
        os.chown(target, there.st_uid, there.st_gid)
        target.chmod(there.st_mode & 0o7777)


def _same(known: os.stat_result, path: Path) -> bool:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return False
    return (known.st_size, known.st_mtime_ns) == (found.st_size, found.st_mtime_ns)


def _file(source: Path, target: Path) -> None:
    target.unlink(missing_ok=True)
    shutil.copy2(source, target)
    there = source.stat()
    os.chown(target, there.st_uid, there.st_gid)
