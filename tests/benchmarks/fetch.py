"""Fetching, dumping and restoring, beside what an operator types; all in one run.

`python -m tests.benchmarks.fetch [MEGABYTES] [fetch] [whole] [overhead]` runs this part alone.
Needs OpenSSH's sshd and ssh for `fetch`. Every time is wall time, the files are thrown away.
"""

from __future__ import annotations

import asyncio
import os
import shlex
import shutil
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks.ground import Ground, ground
from tests.support.openssh import ALIAS, client_config, installed, openssh
from wizard.base.events import Events, Report
from wizard.postgres import server
from wizard.postgres.address import Address, connect
from wizard.postgres.dumps import archive, restore, tools
from wizard.postgres.dumps.archive import Archive
from wizard.postgres.dumps.dump import dump, fetch
from wizard.postgres.dumps.tools import Tool
from wizard.sandbox.cluster import Cluster
from wizard.ssh.connection import Login, host_key
from wizard.ssh.connection import connect as log_in
from wizard.ssh.hostkeys import trust

MEGABYTES = 1000
TRIPS = (0.0, 0.020, 0.080)  # seconds added to the round trip
ROOT = Path(__file__).parents[2]
# Pages of about 1,200 bytes of words, a third of that when zipped, with what Wagtail has beside.
WORDS = """
    CREATE TABLE word AS SELECT w, ord FROM unnest(string_to_array(
        'harbour boat the of and sea wind light story a rope in morning to keeper old with
         lantern for salt is gull quay captain net that was tide storm as by anchor', ' '))
        WITH ORDINALITY AS t(w, ord);
"""
CONTENT = """
    CREATE TABLE page{number} (
        id serial PRIMARY KEY, path text NOT NULL, title text NOT NULL, body text, data jsonb,
        live boolean, published timestamptz, translation_key uuid DEFAULT gen_random_uuid()
    );
    INSERT INTO page{number} (path, title, body, data, live, published)
    SELECT lpad(i::text, 12, '0'), 'Page ' || i,
           (SELECT string_agg((ARRAY(SELECT w FROM word ORDER BY ord))
                   [1 + abs(hashint4(i * 1000 + j)) % 33], ' ') FROM generate_series(1, 200) j),
           jsonb_build_object('id', i, 'hash', md5(i::text)), i % 7 > 0,
           timestamptz '2020-01-01 UTC' + i * interval '1 minute'
    FROM generate_series(1, {rows}) i;
    CREATE INDEX ON page{number} (path);
    CREATE INDEX ON page{number} (title);
    CREATE INDEX ON page{number} (published);
"""
SHARES = (0.6, 0.2, 0.1, 0.1)  # of all rows by table: in most sites the revisions are the most
ROW = 1350  # bytes of a page on disk
TURNS = 5  # of which the median counts
CORES = os.cpu_count() or 1
OPTIONS = "--exit-on-error --no-owner --no-acl --no-publications --no-subscriptions"


def say(text: str) -> None:
    print(text, flush=True)


@dataclass(frozen=True)
class Pair:
    """What was done in two ways, `usual` and `ours` in seconds."""

    what: str
    usual: float
    ours: float

    def __str__(self) -> str:
        ratio = f"{self.usual / self.ours:.2f} times as fast"
        return f"{self.what}: {self.usual:.2f} s, ours {self.ours:.2f} s: {ratio}"


@dataclass(frozen=True)
class Bench:
    """Where it is measured: a filled database, a folder for files, the clients."""

    source: Address
    folder: Path
    pg_dump: Tool
    pg_restore: Tool
    report: Report

    def path(self, name: str) -> Path:
        """A file that is not there yet."""
        path = self.folder / name
        archive.remove(path)
        return path

    @property
    def binaries(self) -> Path:
        return self.pg_dump.path.parent


async def shell(line: str, address: Address) -> None:
    """What an operator types, with the database in PG*."""
    env = {**os.environ, **tools.variables(address)}
    process = await asyncio.create_subprocess_exec("sh", "-c", line, env=env)
    if await process.wait() != 0:
        raise RuntimeError(f"{line} ended with {process.returncode}")


async def timed(work: Awaitable[object]) -> float:
    began = time.perf_counter()
    await work
    return time.perf_counter() - began


@asynccontextmanager
async def scratch(bench: Bench) -> AsyncIterator[Address]:
    """An empty database beside the source."""
    await restore.create_beside(bench.source, "scratch", like=None, report=bench.report)
    try:
        yield bench.source.at("scratch")
    finally:
        await restore.drop(bench.source, "scratch", force=True)


# Over SSH


async def over_ssh(bench: Bench) -> list[Pair]:
    """`ssh host pg_dump -Fc | cat` beside ours, by the delay of the line."""
    sshd = installed()
    if not sshd or not shutil.which("ssh"):
        say("fetch: not measured, there is no OpenSSH here")
        return []
    found = []
    async with openssh(sshd, bench.folder) as port:
        for trip in TRIPS:
            wire = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "tests.support.tcp_relay",
                str(port),
                str(trip / 2),
                cwd=ROOT,
                stdout=asyncio.subprocess.PIPE,
            )
            assert wire.stdout is not None
            try:
                found.append(await _compare(bench, int(await wire.stdout.readline()), trip))
            finally:
                wire.terminate()
                await wire.wait()
    return found


async def _compare(bench: Bench, port: int, trip: float) -> Pair:
    config = client_config(bench.folder, port)
    login = Login(ALIAS, bench.folder / "known_hosts", config)
    key = await host_key(login)
    trust(login.known_hosts, key)
    trust(bench.folder / "users_known_hosts", key)
    variables = " ".join(
        f"{name}={shlex.quote(value)}" for name, value in tools.variables(bench.source).items()
    )
    command = f"env {variables} {bench.pg_dump.path} -Fc"
    usual = bench.path("usual")
    theirs = await timed(
        shell(f"ssh -F {config} {ALIAS} {shlex.quote(command)} | cat > {usual}", bench.source)
    )
    made: list[Archive] = []

    async def fetching() -> None:
        async with log_in(login) as connection:
            made.append(
                await fetch(
                    connection,
                    bench.source,
                    bench.source,
                    bench.path("ours"),
                    bench.report,
                    pg_dump=bench.pg_dump,
                    pg_restore=bench.pg_restore,
                )
            )

    ours = await timed(fetching())
    say(f"{usual.stat().st_size / 1e6:.0f} MB arrive by ssh, {made[0].bytes / 1e6:.0f} MB by ours")
    delay = f" with {trip * 1000:.0f} ms of delay" if trip else ""
    return Pair(f"`ssh HOST pg_dump -Fc > FILE`{delay}, and our fetch", theirs, ours)


# From backup to delivery


async def whole(bench: Bench) -> list[Pair]:
    """Backup, local restore, final dump, restore: `pg_dump | gzip`, `zcat | psql` beside ours."""
    usual, bin_ = bench.path("usual.gz"), bench.binaries
    theirs = ours = 0.0
    for jobs in (1, CORES):  # production to here, and back
        theirs += await timed(shell(f"{bin_}/pg_dump | gzip > {usual}", bench.source))
        async with scratch(bench) as into:
            theirs += await timed(shell(f"zcat {usual} | {bin_}/psql -q > /dev/null", into))
        path, made = bench.path("ours"), list[Archive]()
        ours += await timed(_ours(bench, path, made, jobs))
        async with scratch(bench) as into:
            ours += await timed(
                restore.restore(made[0], into, bench.report, pg_restore=bench.pg_restore)
            )
    what = "`pg_dump \\| gzip` and `zcat \\| psql`, there and back, and ours"
    return [Pair(what, theirs, ours)]


async def overhead(bench: Bench) -> list[Pair]:
    """What we add to pg_dump and pg_restore with the same options.

    Beside a bare dump stands the same work by a shell, which reads the archive while it is made.
    """
    bin_, file, fifo = bench.binaries, bench.path("bare"), bench.path("fifo")
    directory = bench.folder / "directory"
    option = tools.compressing(bench.pg_dump, next(iter(bench.pg_dump.methods), ""))
    dumping, reading = f"{bin_}/pg_dump {option}", f"{bin_}/pg_restore -f /dev/null"
    os.mkfifo(fifo)
    bare = f"{dumping} -Fc -f {file}"
    parallel = f"{dumping} -Fd -j {CORES} -f {directory}"
    dumps = {  # each with how many processes of ours stand beside it
        "`pg_dump -Fc`": (bare, 1),
        "`pg_dump -Fc`, past `tee`, `sha256sum` and `pg_restore -f /dev/null`": (
            f"sha256sum < {fifo} > /dev/null & "
            f"{dumping} -Fc | tee {file} {fifo} | {reading}; wait; sync {file}",
            1,
        ),
        f"`pg_dump -Fd -j {CORES}`": (parallel, CORES),
        f"`pg_dump -Fd -j {CORES}`, then `sha256sum` and `pg_restore -f /dev/null`": (
            f"{parallel} && sha256sum {directory}/* > /dev/null && {reading} {directory}",
            CORES,
        ),
    }
    restoring = f"{bin_}/pg_restore {OPTIONS} -d scratch {file} && {bin_}/psql -qc ANALYZE"
    seconds: dict[str, list[float]] = defaultdict(list)
    for turn in range(TURNS):
        for what, (line, _jobs) in dumps.items():
            file.unlink(missing_ok=True)
            shutil.rmtree(directory, ignore_errors=True)
            seconds[what].append(await timed(shell(line, bench.source)))
        made = list[Archive]()
        for jobs in (CORES, 1):
            made.clear()
            taken = await timed(_ours(bench, bench.path("ours"), made, jobs))
            seconds[f"ours by {jobs}"].append(taken)
        await shell(bare, bench.source)
        for what in ("pg_restore", "restore")[:: 1 if turn % 2 else -1]:
            async with scratch(bench) as into:
                working = (
                    shell(restoring, into)
                    if what == "pg_restore"
                    else restore.restore(made[0], into, bench.report, pg_restore=bench.pg_restore)
                )
                seconds[what].append(await timed(working))
    say(f"of {dict(seconds)}")
    middle = {name: statistics.median(taken) for name, taken in seconds.items()}
    return [
        *(
            Pair(
                f"{what}, and our dump with --jobs={jobs}", middle[what], middle[f"ours by {jobs}"]
            )
            for what, (_, jobs) in dumps.items()
        ),
        Pair("`pg_restore` and `ANALYZE`, and ours", middle["pg_restore"], middle["restore"]),
    ]


async def _ours(bench: Bench, path: Path, made: list[Archive], jobs: int) -> None:
    made.append(
        await dump(
            bench.source,
            path,
            bench.report,
            pg_dump=bench.pg_dump,
            pg_restore=bench.pg_restore,
            jobs=jobs,
        )
    )


PARTS: dict[str, Callable[[Bench], Awaitable[list[Pair]]]] = {
    "fetch": over_ssh,
    "whole": whole,
    "overhead": overhead,
}


async def moving(ground: Ground) -> dict[str, Any]:
    """Every part, over a database of about a gigabyte."""
    return await _measured(ground.cluster, MEGABYTES, [])


async def _measured(cluster: Cluster, megabytes: int, names: list[str]) -> dict[str, Any]:
    """Megabytes of rows, and by part what was compared: `{what, usual, ours}`, in seconds."""
    await cluster.create_database("moving")
    source = cluster.address("moving")
    async with await connect(source) as connection:
        await connection.execute(WORDS.encode())
        for number, share in enumerate(SHARES):
            rows = int(share * megabytes * 1_000_000 / ROW)
            table = CONTENT.replace("{number}", str(number)).replace("{rows}", str(rows))
            await connection.execute(table.encode())
        await connection.execute("VACUUM ANALYZE")
    major = (await server.about(source)).major
    pg_dump = await tools.choose_dump(major)
    pg_restore = await tools.choose_restore(pg_dump.major, major)
    size = (await server.contents(source)).bytes
    say(f"{size / 1e6:.0f} MB of rows, {pg_dump}, {os.cpu_count()} cores")
    found: dict[str, Any] = {"megabytes": size / 1e6}
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        report = Report(Events(), "benchmark")
        bench = Bench(source, Path(folder), pg_dump, pg_restore, report)
        for name in names or PARTS:
            found[name] = []
            for pair in await PARTS[name](bench):
                say(str(pair))
                found[name].append(asdict(pair))
    await cluster.drop_database("moving")
    return found


async def main(megabytes: int, names: list[str]) -> None:
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        async with ground(Path(folder) / "cluster") as where:
            await _measured(where.cluster, megabytes, names)


if __name__ == "__main__":
    given = sys.argv[1:]
    size = int(given.pop(0)) if given and given[0].isdigit() else MEGABYTES
    asyncio.run(main(size, given))
