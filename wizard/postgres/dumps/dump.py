"""Making a dump, here or over SSH: both through one contract.

The bytes go into NAME.part (0600, in a 0700 directory), are counted and hashed, and go past
pg_restore, which reads all of it into nothing. Only when both ended with status 0 and the file is
on disk, does it get its name. Whatever fails before leaves nothing.

Where several processes pay, pg_dump writes NAME.part itself, in the directory format, whose table
of contents comes last: it is hashed and read afterwards.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from wizard.base import files
from wizard.base.errors import OperationFailed
from wizard.base.events import Report
from wizard.base.process import READ, OutputStream, start
from wizard.postgres import server
from wizard.postgres.address import Address
from wizard.postgres.dumps import archive, tools
from wizard.postgres.dumps.archive import Archive
from wizard.postgres.dumps.routes import Route
from wizard.postgres.dumps.tools import Tool
from wizard.ssh.connection import Connection

TABLE = re.compile(r'dumping contents of table "(.+)"$')
FINISHED = re.compile(r"finished item \d+ TABLE DATA (.+)$")
WORTH = 64 << 20  # bytes of tables that one process dumps before several have begun
MOST = 8  # processes; a server takes 100 connections of everybody's
GATHER = 0.01  # seconds: pg_dump writes little at a time, and each portion has a price of its own
COMPRESSED_TO = 4  # a first guess, table bytes for one byte of archive, until measured

Starting = Callable[[Callable[[str], None]], AbstractAsyncContextManager[OutputStream]]
Filling = Callable[[Path, str, Report], Awaitable[str]]


@dataclass(frozen=True)
class Making:
    """How a dump is made, besides where. Without a method it is compressed with gzip.

    `snapshot` is one that a session exports until the dump is made; the rows of the tables
    `without`, named `schema.table`, are left out.
    """

    script: bool = False
    method: str = ""
    snapshot: str = ""
    without: tuple[str, ...] = ()

    def argv(self, pg_dump: Tool, form: str = "custom") -> list[str]:
        """Return the command, without the database.

        Without --no-owner and its like: the dump holds everything, restoring chooses.
        """
        argv = [
            str(pg_dump.path),
            f"--format={'plain' if self.script else form}",
            tools.compressing(pg_dump, "" if self.script else self.method),
            "--verbose",
        ]
        if self.snapshot:
            argv.append(f"--snapshot={self.snapshot}")
        for name in self.without:  # quoted, a pattern is a name
            schema, _, table = name.partition(".")
            argv.append(f"--exclude-table-data={_quoted(schema)}.{_quoted(table)}")
        return argv


async def dump(
    address: Address,
    path: Path,
    report: Report,
    *,
    pg_dump: Tool,
    pg_restore: Tool | None,
    making: Making | None = None,
    jobs: int = 1,
) -> Archive:
    """Dump a database that this machine reaches into `path`, by at most `jobs` processes.

    By one where more would not pay, and always for a script. Several write a directory. Raises
    OperationFailed when pg_dump or the disk fails, or `path` is there already, and
    VerificationFailed when the result cannot be read.
    """
    making = making or Making(method=next(iter(pg_dump.methods), ""))
    sizes = _without(await server.table_sizes(address), making)
    env, where = tools.environment(address), str(address)
    env.update(await server.client_settings(address))
    if pg_restore is not None and (jobs := min(jobs, MOST, _paying(sizes))) > 1:
        argv = [*making.argv(pg_dump, "directory"), f"--jobs={jobs}", *tools.reach(address)]
        filling = partial(_in_parallel, argv, env, where, sizes, pg_restore)
        return await _take_in(filling, path, len(sizes), pg_restore, report)
    argv = [*making.argv(pg_dump), *tools.reach(address)]

    def starting(on_stderr: Callable[[str], None]) -> AbstractAsyncContextManager[OutputStream]:
        return start(argv, env=env, on_stderr=on_stderr)

    filling = partial(_stream, starting, where, sizes, pg_restore)
    return await _take_in(filling, path, len(sizes), pg_restore, report)


async def fetch(
    connection: Connection,
    far: Address,
    here: Address,
    path: Path,
    report: Report,
    *,
    pg_dump: Tool,
    pg_restore: Tool | None,
    making: Making | None = None,
) -> Archive:
    """Dump a database of the far side over SSH into `path` here.

    `far` is the database as its own host reaches it; its password, if any, goes through standard
    input. `here` is the same database as this machine reaches it, `pg_dump` one of the far side.
    Raise as `dump`, and ConnectionFailed when the connection ends in the middle.
    """
    making = making or Making()
    sizes = _without(await server.table_sizes(here), making)
    settings = await server.client_settings(here)
    argv, password = tools.on_far_side(making.argv(pg_dump), far, settings)

    def starting(on_stderr: Callable[[str], None]) -> AbstractAsyncContextManager[OutputStream]:
        return connection.stream(argv, stdin=password, on_stderr=on_stderr)

    where = f"{far.database} on {connection}"
    filling = partial(_stream, starting, where, sizes, pg_restore)
    return await _take_in(filling, path, len(sizes), pg_restore, report)


async def by(
    route: Route,
    connection: Connection | None,
    far: Address,
    here: Address,
    path: Path,
    report: Report,
    *,
    snapshot: str = "",
    without: tuple[str, ...] = (),
) -> Archive:
    """Dump a database by the route that was found for it.

    `far` is the database as its own host reaches it, `here` as this machine does. Raise as
    `dump` and `fetch`.
    """
    making = Making(route.pg_restore is None, route.method, snapshot, without)
    dumping = partial(dump, here)
    if route.far and connection is not None:
        dumping = partial(fetch, connection, far, here)
    return await dumping(
        path, report, pg_dump=route.pg_dump, pg_restore=route.pg_restore, making=making
    )


async def _take_in(
    filling: Filling, path: Path, tables: int, pg_restore: Tool | None, report: Report
) -> Archive:
    """Write the dump to NAME.part, prove it, and give it its name; on failure remove it."""
    if path.exists():
        raise OperationFailed(
            f"There is a file {path} already; a dump never replaces one.",
            hint="Move it away, or take it as the existing dump.",
        )
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    archive.delete(part)
    try:
        with files.writing(part):
            noted = await filling(part, path.name, report)
        if pg_restore is not None:
            header = await archive.describe(part, pg_restore)
        else:
            header = await archive.read(part, None, report)
        archive.place(part, path, noted)
    except BaseException:
        with suppress(OSError):
            archive.delete(part)
        raise
    size = archive.size(path)
    report.finding("dump", f"{path.name}: {size:,} bytes, {tables} tables, read to the end")
    return Archive(
        path=path,
        bytes=size,
        sha256=archive.digest(path, noted),
        made_at=datetime.now(UTC).isoformat(timespec="seconds"),
        dump_version=header.dump_version,
        server_version=header.server_version,
        database=header.database,
        is_script=pg_restore is None,
    )


async def _stream(
    starting: Starting,
    where: str,
    sizes: Mapping[str, int],
    pg_restore: Tool | None,
    part: Path,
    name: str,
    report: Report,
) -> str:
    """Stream into `part`, synced, while pg_restore reads along; return the checksum note."""
    gauge, digest = _Gauge(sizes, report), hashlib.sha256()
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    async with AsyncExitStack() as stack:
        file = stack.enter_context(os.fdopen(descriptor, "wb"))
        watched = None
        if pg_restore is not None:
            watched = await stack.enter_async_context(archive.read_along(part.name, pg_restore))
        async with starting(gauge.heard) as output:
            async for chunk in output:
                file.write(chunk)
                digest.update(chunk)
                gauge.got(len(chunk))
                if watched is not None:
                    await watched(chunk)
                if len(chunk) < READ:
                    await asyncio.sleep(GATHER)
            _believe(output, where)
        file.flush()
        os.fsync(file.fileno())
    gauge.finished()
    return archive.note(digest.hexdigest(), name)


async def _in_parallel(
    argv: Sequence[str],
    env: Mapping[str, str],
    where: str,
    sizes: Mapping[str, int],
    pg_restore: Tool,
    part: Path,
    name: str,
    report: Report,
) -> str:
    """Have pg_dump fill the directory `part`, synced; read it whole; return the checksum note."""
    done, total = 0, sum(sizes.values())
    tables = {table.partition(".")[2]: size for table, size in sizes.items()}

    def heard(line: str) -> None:
        nonlocal done
        if match := FINISHED.search(line):
            done = min(total, done + tables.get(match[1], 0))
            report.line("pg_dump", line)
            report.progress(done, total, "bytes", f"finished {match[1]}")

    async with start([*argv, f"--file={part}"], env=env, on_stderr=heard) as output:
        async for _ in output:
            pass
        _believe(output, where)
    for file in part.iterdir():
        file.chmod(0o600)
    await archive.read_whole(part, pg_restore, report)
    return await archive.sums(part, report, name)


def _believe(output: OutputStream, where: str) -> None:
    if output.returncode != 0:
        raise OperationFailed(
            f"pg_dump of {where} failed with exit status {output.returncode}.",
            found=_complaint(output.stderr_tail),
            hint="Nothing of it was kept. Correct the cause and run again.",
        )


def _paying(sizes: Mapping[str, int]) -> int:
    """Return how many processes are worth it: one process dumps a table, so the largest table
    sets the pace."""
    total = sum(sizes.values())
    return -(-total // max(sizes.values())) if total >= WORTH else 1


@dataclass
class _Gauge:
    """How far a dump is, in bytes of table data, whose total the server knows.

    The archive's final size is unknown. pg_dump says which table it is at; within a table the
    received bytes are scaled by how well the tables before were compressed.
    """

    sizes: Mapping[str, int]
    report: Report
    received: int = 0
    _before: int = 0  # bytes received before the current table
    _finished: int = 0  # bytes of tables that are finished
    _current: str = ""

    def heard(self, line: str) -> None:
        """Take a line of pg_dump's messages."""
        if match := TABLE.search(line):
            self._finished += self.sizes.get(self._current, 0)
            self._before = self.received
            self._current = match[1]
            self.report.line("pg_dump", line)
            self._tell()

    def got(self, count: int) -> None:
        """Take note that so many bytes of the archive came."""
        self.received += count
        self._tell()

    def finished(self) -> None:
        total = sum(self.sizes.values())
        self.report.progress(total, total, "bytes", f"{self.received:,} bytes of archive received")

    def _tell(self) -> None:
        ratio = self._finished / self._before if self._finished and self._before else COMPRESSED_TO
        within = min(int((self.received - self._before) * ratio), self.sizes.get(self._current, 0))
        note = f"{self.received:,} bytes of archive received"
        if self._current:
            note += f", at {self._current}"
        total = sum(self.sizes.values())
        self.report.progress(min(self._finished + within, total), total, "bytes", note)


def _without(sizes: Mapping[str, int], making: Making) -> dict[str, int]:
    return {name: size for name, size in sizes.items() if name not in making.without}


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _complaint(messages: str) -> str:
    """Return pg_dump's complaint, without the messages of --verbose before it."""
    lines = messages.splitlines()
    for number, line in enumerate(lines):
        if "error:" in line or "FATAL" in line:
            return "\n".join(lines[number:])
    return "\n".join(lines[-5:])
