"""Fetching a dump that is on the far side already, and going on after an interruption.

What has come stays as NAME.part, with a note of the file it is the beginning of. The next attempt
hashes it and goes on behind it, if that file is still of the same size and age. At the end the
far side's own SHA-256 decides, where it can tell one.
"""

from __future__ import annotations

import hashlib
import json
import os
import posixpath
import stat
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path

import asyncssh

from wizard.base import files
from wizard.base.errors import OperationFailed, VerificationFailed
from wizard.base.events import Report
from wizard.postgres.dumps import archive
from wizard.postgres.dumps.archive import Archive
from wizard.postgres.dumps.tools import Tool
from wizard.ssh.connection import Connection

PORTION = 8 << 20  # bytes asked for at once: what a link of 80 ms takes in while it waits


@dataclass(frozen=True)
class Original:
    """A file of the far side. `modified` is in seconds, as SFTP has it."""

    path: str
    size: int
    modified: int


async def download(
    connection: Connection, far_path: str, path: Path, report: Report, *, pg_restore: Tool
) -> Archive:
    """Bring a dump of the far side to `path`, and prove it whole.

    Raise ConnectionFailed when the connection ends, OperationFailed when the disk is full; what
    has come by then is kept for the next attempt. Raise OperationFailed when there is no such
    file, or one at `path`, and VerificationFailed when it changed meanwhile or is not whole.
    """
    if path.exists():
        raise OperationFailed(
            f"There is a file {path} already; a dump never replaces one.", hint="Move it away."
        )
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    doing = f"fetching {far_path}"
    try:
        async with connection.sftp() as sftp:
            original = await _stat(sftp, far_path)
            with await _begin(part, original, report) as file:
                digest = await archive.hashed(file, report)
                async with sftp.open(far_path, "rb") as far:
                    await _receive(far, file, part, original, digest, report)
                whole = file.tell() == original.size
            changed = not whole or await _stat(sftp, far_path) != original
    except asyncssh.SFTPError as error:
        if isinstance(error, asyncssh.SFTPConnectionLost | asyncssh.SFTPNoConnection):
            raise connection.lost(doing, str(error)) from None
        raise OperationFailed(
            f"{far_path} on {connection} cannot be fetched.",
            found=error.reason,
            hint="Check its path, as the user of the SSH login sees it.",
        ) from None
    except asyncssh.Error as error:
        raise connection.lost(doing, str(error)) from None
    actual = digest.hexdigest()
    expected = await _checksum(connection, far_path)
    if changed or (expected and expected != actual):
        _forget(part)
        raise VerificationFailed(
            f"{far_path} on {connection} is not what arrived.",
            found="it changed while it was fetched" if changed else f"{expected}\n{actual} arrived",
            hint="Wait until it is written to its end, then try again.",
        )
    report.finding(
        far_path, f"{original.size:,} bytes, SHA-256 {'equal' if expected else 'not told'}"
    )
    try:
        header = await archive.read(part, pg_restore, report)
    except VerificationFailed:
        _forget(part)
        raise
    archive.place(part, path, archive.note(actual, path.name))
    _note(part).unlink(missing_ok=True)
    return Archive(
        path=path,
        bytes=original.size,
        sha256=actual,
        made_at=header.made_at if archive.is_archive(path) else _at(original.modified),
        dump_version=header.dump_version,
        server_version=header.server_version,
        database=header.database,
        is_script=not archive.is_archive(path),
    )


async def _stat(sftp: asyncssh.SFTPClient, path: str) -> Original:
    attributes = await sftp.stat(path)
    if stat.S_ISDIR(attributes.permissions or 0):
        raise archive.other_format(path, "directory")
    if not stat.S_ISREG(attributes.permissions or stat.S_IFREG):
        raise OperationFailed(f"{path} is no file on the far side.", hint="Check the path.")
    return Original(posixpath.normpath(path), attributes.size or 0, attributes.mtime or 0)


async def _begin(part: Path, original: Original, report: Report) -> FileIO:
    """Open `part` for reading on from its beginning; emptied unless it is the beginning of this
    same file."""
    with suppress(OSError, ValueError):
        if json.loads(_note(part).read_text()) == asdict(original):
            file = FileIO(os.open(part, os.O_RDWR | os.O_NOFOLLOW), "r+")
            if (begun := os.fstat(file.fileno()).st_size) <= original.size:
                report.finding(original.path, f"goes on after {begun:,} bytes", "info")
                return file
            file.close()
    _forget(part)
    with files.writing(part):
        note = os.open(_note(part), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(note, "w") as text:
            text.write(json.dumps(asdict(original)))
        return FileIO(os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "r+")


async def _receive(
    far: asyncssh.SFTPClientFile,
    file: FileIO,
    part: Path,
    original: Original,
    digest: hashlib._Hash,
    report: Report,
) -> None:
    """Append what is missing of `original` to `file`, and sync it to the disk."""
    done = file.tell()
    while done < original.size:
        data = await far.read(min(PORTION, original.size - done), done)
        assert isinstance(data, bytes)
        if not data:
            break  # it became shorter
        with files.writing(part):
            archive.write_all(file, data)
        digest.update(data)
        done += len(data)
        report.progress(done, original.size, "bytes", "fetching")
    with files.writing(part):
        os.fsync(file.fileno())


async def _checksum(connection: Connection, far_path: str) -> str:
    """Return what the far side says the SHA-256 is; empty where it has no such command."""
    done = await connection.run(["sha256sum", "--", far_path])
    word = done.stdout.partition(" ")[0].lstrip("\\")
    return word if done.returncode == 0 and len(word) == 64 else ""


def _note(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def _forget(part: Path) -> None:
    part.unlink(missing_ok=True)
    _note(part).unlink(missing_ok=True)


def _at(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
