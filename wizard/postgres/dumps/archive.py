"""A dump on disk: what it is, and the proof that it is whole.

Archives are pg_dump's custom format, one file, or its directory format, a folder of files. The
table of contents is a part of its own, so `pg_restore -l` is content with truncated data; only
reading all of it finds the fault. A flipped bit is found by zlib most of the time, by the checksum
always. A plain script, zipped or not, is a dump as well: `wizard.postgres.dumps.script` reads it.

A dump gets its name by `place`, when it is proven, and never before.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import shlex
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path
from typing import Any, BinaryIO

from wizard.base import files as durable
from wizard.base import opening
from wizard.base.errors import OperationFailed, VerificationFailed
from wizard.base.events import Report
from wizard.base.process import start, widen
from wizard.postgres.dumps import script, tools
from wizard.postgres.dumps.directory import TOC, broken, files, require_inside
from wizard.postgres.dumps.tools import ENVIRONMENT, Tool

MAGIC = b"PGDMP"
TAR = b"toc.dat\0"  # the first member of what pg_dump --format=tar writes
AHEAD = 64  # portions of an archive that pg_restore may be behind
POLL = 0.2  # seconds between looks at how far a tool has read


@dataclass(frozen=True)
class Header:
    """What an archive's header says."""

    database: str
    dump_version: str
    server_version: str
    made_at: str

    @property
    def dump_major(self) -> int:
        return int(self.dump_version.split(".")[0])


@dataclass(frozen=True)
class Archive:
    """A dump that was made or taken over, with the checksum it had then."""

    path: Path
    bytes: int
    sha256: str  # of a directory, that of the file with its files' checksums
    made_at: str  # ISO 8601, UTC; of an existing dump what its header says
    dump_version: str
    server_version: str
    database: str  # a script does not tell
    is_script: bool = False

    @property
    def dump_major(self) -> int:
        return int(self.dump_version.split(".")[0])

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "path": str(self.path)}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Archive:
        return cls(**{**data, "path": Path(data["path"])})


async def describe(path: Path, pg_restore: Tool) -> Header:
    """Read an archive's header. This proves nothing about the rest of the file.

    Raise VerificationFailed when there is no file or it is no archive.
    """
    _check_magic(path)
    done = await tools.listing(pg_restore, path)
    if done.returncode != 0:
        raise broken(path, "pg_restore cannot read its table of contents", done.stderr_tail)
    return Header(
        database=_field(done.stdout, "dbname"),
        dump_version=_field(done.stdout, "Dumped by pg_dump version").split()[0],
        server_version=_field(done.stdout, "Dumped from database version").split()[0],
        made_at=_field(done.stdout, "Archive created at"),
    )


async def read(path: Path, pg_restore: Tool | None, report: Report) -> Header:
    """Read a dump of either kind from its first byte to its last, into nothing.

    Raise VerificationFailed when it is not whole, OperationFailed when it is in another format
    of pg_dump's. Without `pg_restore` it has to be a script.
    """
    if _head(path, len(TAR)) == TAR:
        raise other_format(str(path), "tar")
    if path.is_dir():
        require_inside(path)
    if is_archive(path) and pg_restore is not None:
        header = await describe(path, pg_restore)
        await read_whole(path, pg_restore, report)
        return header
    contents = await script.read_whole(path, report)
    return Header("", contents.dump_version, contents.server_version, _modified(path))


def is_archive(path: Path) -> bool:
    """Whether this begins as an archive does; anything else can only be a script."""
    return _head(path) == MAGIC


def other_format(path: str, name: str) -> OperationFailed:
    """Return the error for a dump in a format that pg_restore reads and we do not take."""
    return OperationFailed(
        f"The dump {path} is in pg_dump's {name} format, which is not taken.",
        hint=f"Make a script of it, and take that: pg_restore --file=dump.sql {shlex.quote(path)}",
    )


async def take(path: Path, pg_restore: Tool, report: Report) -> Archive:
    """Take over an existing dump: prove it whole and remember what it is.

    A flipped bit may go unnoticed in reading; the checksum beside a dump of ours shows it.
    """
    header = await read(path, pg_restore, report)
    digests = await sums(path, report)
    noted = noted_checksum(path)
    if noted.exists() and _hashes(_text(noted)) != _hashes(digests):
        raise broken(path, "its checksum is not the noted one", f"see {noted.name}\n{digests}")
    return Archive(
        path=path,
        bytes=size(path),
        sha256=digest(path, digests),
        made_at=header.made_at,
        dump_version=header.dump_version,
        server_version=header.server_version,
        database=header.database,
        is_script=not is_archive(path),
    )


def noted_checksum(path: Path) -> Path:
    """Return the path of a dump's checksum file, which `sha256sum -c` reads."""
    return path.with_name(path.name + ".sha256")


def place(part: Path, path: Path, noted: str) -> None:
    """Give a proven dump its name, with its checksum beside it, both to outlast a power failure."""
    durable.write(noted_checksum(path), noted)
    part.rename(path)
    durable.sync_folder(path.parent)


def remove(path: Path) -> None:
    """Remove a dump and its checksum; no error when they are gone."""
    delete(path)
    noted_checksum(path).unlink(missing_ok=True)


def delete(path: Path) -> None:
    """Delete a file, a link, or a folder with all in it; no error when it is gone."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def size(path: Path) -> int:
    """Return the bytes of all files of a dump."""
    return sum(file.stat().st_size for file in files(path))


async def prove(archive: Archive, report: Report) -> None:
    """Check that a dump is byte for byte what it was when it was read to its end.

    Raise VerificationFailed: missing, another size, another checksum.
    """
    _head(archive.path)
    if (found_bytes := size(archive.path)) != archive.bytes:
        raise broken(archive.path, f"it has {found_bytes:,} bytes and had {archive.bytes:,}")
    actual = digest(archive.path, await sums(archive.path, report))
    if actual != archive.sha256:
        raise broken(
            archive.path,
            "its checksum changed",
            f"SHA-256 was {archive.sha256}\nand is    {actual}",
        )
    report.finding("backup", f"{archive.path.name}: {archive.bytes:,} bytes, as they were proven")


async def read_whole(path: Path, pg_restore: Tool, report: Report) -> None:
    """Let pg_restore read every byte of an archive, into nothing."""
    _check_magic(path)
    argv = [str(pg_restore.path), "--file=/dev/null", str(path)]
    total = size(path)
    async with start(argv, env=ENVIRONMENT) as child:
        async with watching(
            child.pid,
            path,
            lambda done: report.progress(done, total, "bytes", "proving"),
        ):
            async for _ in child:
                pass
        if child.returncode != 0:
            raise broken(path, "pg_restore cannot read it to its end", child.stderr_tail)
    report.progress(total, total, "bytes", "proving")


@asynccontextmanager
async def read_along(name: str, pg_restore: Tool) -> AsyncIterator[Callable[[bytes], Any]]:
    """Let pg_restore read an archive, into nothing, while it is still arriving.

    Yield a function that awaits each portion. Leaving waits until all was read, and raises
    VerificationFailed when the archive is not whole: `read_whole` without a second reading.
    """
    argv = [str(pg_restore.path), "--file=/dev/null"]
    portions: asyncio.Queue[bytes] = asyncio.Queue(AHEAD)
    read_end, write_end = os.pipe()
    widen(write_end)
    with FileIO(read_end) as theirs, FileIO(write_end, "w") as ours:

        async def feed() -> None:
            while data := await portions.get():
                # It may end early; what is left is let go of, and its status tells.
                with suppress(BrokenPipeError):
                    await asyncio.to_thread(write_all, ours, data)
            ours.close()

        feeding = asyncio.create_task(feed())
        try:
            async with start(argv, env=ENVIRONMENT, stdin=read_end) as child:
                theirs.close()
                yield portions.put
                await portions.put(b"")
                async for _ in child:
                    pass
                if child.returncode != 0:
                    messages = child.stderr_tail
                    raise broken(Path(name), "pg_restore cannot read it to its end", messages)
        finally:
            feeding.cancel()
            await asyncio.gather(feeding, return_exceptions=True)


def write_all(file: FileIO, data: bytes) -> None:
    """Write all of the data to an unbuffered file, which may take only a part at once."""
    view = memoryview(data)
    while view:
        view = view[file.write(view) or 0 :]


async def checksum(path: Path, report: Report) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with opening.opened(path, VerificationFailed) as file:
        return (await hashed(file, report)).hexdigest()


async def sums(path: Path, report: Report, name: str = "") -> str:
    """Return what `sha256sum` prints of the files of a dump that is, or will be, called `name`."""
    folder = f"{name or path.name}/" if path.is_dir() else ""
    hashes = [note(await checksum(file, report), folder + file.name) for file in files(path)]
    return "".join(hashes)


def note(sha256: str, name: str) -> str:
    """Return a line as `sha256sum` prints it."""
    return f"{sha256}  {name}\n"


def digest(path: Path, noted: str) -> str:
    """Return the one SHA-256 that stands for a dump: a file's own, or that of a folder's `sums`."""
    return hashlib.sha256(noted.encode()).hexdigest() if path.is_dir() else _hashes(noted)[0]


def _hashes(noted: str) -> list[str]:
    return [line.split()[0] for line in noted.splitlines() if line.strip()]


async def hashed(file: BinaryIO, report: Report) -> hashlib._Hash:
    """Return the SHA-256 of the rest of a file, from its current position."""
    digest, done, total = hashlib.sha256(), 0, os.fstat(file.fileno()).st_size
    while chunk := await asyncio.to_thread(file.read, 1 << 22):
        await asyncio.to_thread(digest.update, chunk)
        done += len(chunk)
        report.progress(done, total, "bytes", "checksum")
    return digest


@asynccontextmanager
async def watching(pid: int, path: Path, tell: Callable[[int], None]) -> AsyncIterator[None]:
    """Report meanwhile how many bytes of `path` the process `pid` has read.

    Read from Linux's /proc/PID/fdinfo (proc(5)); elsewhere nothing is reported.
    """

    async def watch() -> None:
        while True:
            if (position := _position(pid, path)) is not None:
                tell(position)
            await asyncio.sleep(POLL)

    task = asyncio.create_task(watch())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _position(pid: int, path: Path) -> int | None:
    try:
        if path.is_dir():  # one file after another: all that it has read
            counters = Path(f"/proc/{pid}/io").read_text()
            return int(counters.split("rchar:")[1].split()[0])
        for link in Path(f"/proc/{pid}/fd").iterdir():
            if link.samefile(path):
                info = Path(f"/proc/{pid}/fdinfo/{link.name}").read_text()
                match = re.search(r"^pos:\s*(\d+)", info, re.MULTILINE)
                return int(match[1]) if match else None
    except OSError:
        pass  # it ended, or there is no /proc
    return None


def _head(path: Path, size: int = len(MAGIC)) -> bytes:
    try:
        part = path / TOC if path.is_dir() else path
        with opening.opened(part, VerificationFailed) as file:
            return file.read(size)
    except OSError as error:
        raise VerificationFailed(
            f"The dump {path} cannot be opened.",
            found=str(error),
            hint="Check the path, or make a new backup.",
        ) from None


def _text(path: Path) -> str:
    return opening.whole(path, VerificationFailed).decode(errors="replace")


def _check_magic(path: Path) -> None:
    if (head := _head(path)) != MAGIC:
        raise broken(path, "it is no archive of pg_dump's", f"It begins {head!r}.")


def _modified(path: Path) -> str:
    """Return the file's modification time: a script does not say when it was made."""
    return datetime.fromtimestamp(path.stat().st_mtime, UTC).isoformat(timespec="seconds")


def _field(listing: str, name: str) -> str:
    match = re.search(rf"^;\s+{re.escape(name)}:? (.*)$", listing, re.MULTILINE)
    if match is None:
        raise OperationFailed(f"pg_restore's listing has no {name!r}.", found=listing[:500])
    return match[1].strip()
