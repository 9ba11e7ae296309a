"""A dump on disk: what it is, and the proof that it is whole.

Archives are pg_dump's custom format. Its table of contents stands at the head, so `pg_restore
-l` is content with a truncated file; only reading all of it finds the fault. A flipped bit is
found by zlib most of the time, by the checksum always.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from wizard.errors import OperationFailed, VerificationFailed
from wizard.events import Report
from wizard.postgres.tools import ENVIRONMENT, Tool
from wizard.process import run, start

MAGIC = b"PGDMP"
POLL = 0.2  # seconds between looks at how far a tool has read


@dataclass(frozen=True)
class Header:
    """What an archive tells about itself."""

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
    sha256: str
    made_at: str  # ISO 8601, UTC; of an existing dump what its header says
    dump_version: str
    server_version: str
    database: str

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

    Raises VerificationFailed when there is no file or it is no archive.
    """
    _check_magic(path)
    done = await run([pg_restore.path, "--list", path], env=ENVIRONMENT)
    if done.returncode != 0:
        raise _broken(path, "pg_restore cannot read its table of contents", done.stderr_tail)
    return Header(
        database=_field(done.stdout, "dbname"),
        dump_version=_field(done.stdout, "Dumped by pg_dump version").split()[0],
        server_version=_field(done.stdout, "Dumped from database version").split()[0],
        made_at=_field(done.stdout, "Archive created at"),
    )


async def take(path: Path, pg_restore: Tool, report: Report) -> Archive:
    """Take over an existing dump: prove it whole and remember what it is.

    A flipped bit may pass for content; the checksum beside a dump of ours tells.
    """
    header = await describe(path, pg_restore)
    await read_whole(path, pg_restore, report)
    found = await checksum(path, report)
    noted = noted_checksum(path)
    if noted.exists() and noted.read_text().split()[:1] != [found]:
        raise _broken(path, "its checksum is not the noted one", f"see {noted.name}: {found}")
    return Archive(
        path=path,
        bytes=path.stat().st_size,
        sha256=found,
        made_at=header.made_at,
        dump_version=header.dump_version,
        server_version=header.server_version,
        database=header.database,
    )


def noted_checksum(path: Path) -> Path:
    """The file beside a dump that holds its SHA-256, in the form that `sha256sum -c` reads."""
    return path.with_name(path.name + ".sha256")


async def prove(archive: Archive, pg_restore: Tool, report: Report) -> None:
    """Check that an archive is what it was, and readable to its end.

    Raises VerificationFailed: missing, another size, another checksum, or broken inside.
    """
    _check_magic(archive.path)
    size = archive.path.stat().st_size
    if size != archive.bytes:
        raise _broken(archive.path, f"it has {size:,} bytes and had {archive.bytes:,}")
    found = await checksum(archive.path, report)
    if found != archive.sha256:
        raise _broken(
            archive.path,
            "its checksum changed",
            f"SHA-256 was {archive.sha256}\nand is    {found}",
        )
    await read_whole(archive.path, pg_restore, report)
    report.finding("backup", f"{archive.path.name}: {size:,} bytes, read to the end")


async def read_whole(path: Path, pg_restore: Tool, report: Report) -> None:
    """Let pg_restore read every byte of an archive, into nothing."""
    _check_magic(path)
    argv = [str(pg_restore.path), "--file=/dev/null", str(path)]
    total = path.stat().st_size
    async with start(argv, env=ENVIRONMENT) as child:
        async with watching(
            child.pid,
            path,
            lambda done: report.progress(done, total, "bytes", "proving"),
        ):
            async for _ in child:
                pass
        if child.returncode != 0:
            raise _broken(path, "pg_restore cannot read it to its end", child.stderr_tail)
    report.progress(total, total, "bytes", "proving")


async def checksum(path: Path, report: Report) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    digest, done, total = hashlib.sha256(), 0, path.stat().st_size
    with path.open("rb") as file:
        while chunk := await asyncio.to_thread(file.read, 1 << 22):
            await asyncio.to_thread(digest.update, chunk)
            done += len(chunk)
            report.progress(done, total, "bytes", "checksum")
    return digest.hexdigest()


@asynccontextmanager
async def watching(pid: int, path: Path, tell: Callable[[int], None]) -> AsyncIterator[None]:
    """While inside, tell how many bytes of `path` the process `pid` has read.

    From Linux's /proc/PID/fdinfo (proc(5)); elsewhere nothing is told.
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
        for link in Path(f"/proc/{pid}/fd").iterdir():
            if link.samefile(path):
                info = Path(f"/proc/{pid}/fdinfo/{link.name}").read_text()
                match = re.search(r"^pos:\s*(\d+)", info, re.MULTILINE)
                return int(match[1]) if match else None
    except OSError:
        pass  # it ended, or there is no /proc
    return None


def _check_magic(path: Path) -> None:
    try:
        with path.open("rb") as file:
            head = file.read(len(MAGIC))
    except OSError as error:
        raise VerificationFailed(
            f"The dump {path} cannot be opened.",
            found=str(error),
            hint="Check the path, or make a new backup.",
        ) from None
    if head != MAGIC:
        raise _broken(path, "it is no archive in pg_dump's custom format", f"It begins {head!r}.")


def _field(listing: str, name: str) -> str:
    match = re.search(rf"^;\s+{re.escape(name)}:? (.*)$", listing, re.MULTILINE)
    if match is None:
        raise OperationFailed(f"pg_restore's listing has no {name!r}.", found=listing[:500])
    return match[1].strip()


def _broken(path: Path, how: str, found: str = "") -> VerificationFailed:
    return VerificationFailed(
        f"The dump {path} cannot be trusted: {how}.",
        found=found,
        hint="Make a new backup, or name another dump. Nothing was restored from this one.",
    )
