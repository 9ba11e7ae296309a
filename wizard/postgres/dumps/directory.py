"""A dump in pg_dump's directory format: its files, and that none of them leads elsewhere."""

from __future__ import annotations

import re
from pathlib import Path

from wizard.base import opening
from wizard.base.errors import VerificationFailed
from wizard.postgres.dumps.tools import LISTING

TOC = "toc.dat"  # the file that begins as an archive does
LIST_OF_OBJECTS = re.compile(r"blobs(_\d+)?\.toc")  # of large objects; from 17 on several
LARGE_OBJECT = re.compile(rb"\d+ blob_\d+\.dat\n")
LONGEST = 200  # bytes of such a line, and many more than one has
DATA = re.compile(r"(blob_)?\d+\.dat(\.gz|\.lz4|\.zst)?")


def files(path: Path) -> list[Path]:
    """Return the files that a dump consists of. Raise VerificationFailed where something in it is
    no file."""
    if not path.is_dir():
        return [path]
    there = sorted(path.iterdir())
    if others := [file.name for file in there if file.is_symlink() or not file.is_file()]:
        raise broken(path, "there is more than files in it", ", ".join(others))
    return there


def require_inside(path: Path) -> None:
    """Raise VerificationFailed where a dump's lists of files lead out of its folder, as pg_restore
    would follow them, or where it holds what pg_dump does not write: a list that is compressed, for
    one, which pg_restore would find."""
    for file in files(path):
        if file.name == TOC:
            if b"../" in opening.whole(file, VerificationFailed, LISTING):
                raise broken(path, "its table of contents may lead outside of it", f"../ in {TOC}")
        elif LIST_OF_OBJECTS.fullmatch(file.name):
            with opening.opened(file, VerificationFailed) as lines:
                while line := lines.readline(LONGEST):
                    if not LARGE_OBJECT.fullmatch(line):
                        shown = f"{line!r} in {file.name}"
                        raise broken(path, "its large objects may be outside of it", shown)
        elif not DATA.fullmatch(file.name):
            raise broken(path, "there is more than a dump in it", file.name)


def broken(path: Path, how: str, found: str = "") -> VerificationFailed:
    """Return the error for a dump of any kind that is not what it should be."""
    return VerificationFailed(
        f"The dump {path} cannot be trusted: {how}.",
        found=found,
        hint="Make a new backup, or name another dump. Nothing was restored from this one.",
    )
