"""Fetching, dumping and restoring, beside what an operator types; all in one run.

    python -m tests.benchmarks.fetch [MEGABYTES] [fetch] [whole] [overhead]

Needs OpenSSH's sshd and ssh for `fetch`. Every time is wall time, the files are thrown away.
"""

from __future__ import annotations

import asyncio
import getpass
import os
import shlex
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncssh

from wizard.events import Events, Report
from wizard.hostkeys import trust
from wizard.postgres import restore, server, tools
from wizard.postgres.address import Address, connect
from wizard.postgres.archive import Archive
from wizard.postgres.dump import dump, fetch
from wizard.postgres.tools import Tool
from wizard.redaction import Secret
from wizard.remote import Login, host_key
from wizard.remote import connect as log_in
from wizard.sandbox.cluster import Cluster

MEGABYTES = 1000
TRIPS = (0.0, 0.020, 0.080)  # seconds added to the round trip
ROOT = Path(__file__).parents[2]
# Pages of about 1,200 bytes of words, a third of that when zipped, with what Wagtail has beside.
CONTENT = """
    CREATE TABLE word AS SELECT w, ord FROM unnest(string_to_array(
        'harbour boat the of and sea wind light story a rope in morning to keeper old with
         lantern for salt is gull quay captain net that was tide storm as by anchor', ' '))
        WITH ORDINALITY AS t(w, ord);
    CREATE TABLE page (
        id serial PRIMARY KEY, path text NOT NULL, title text NOT NULL, body text, data jsonb,
        live boolean, published timestamptz, translation_key uuid DEFAULT gen_random_uuid()
    );
    INSERT INTO page (path, title, body, data, live, published)
    SELECT lpad(i::text, 12, '0'), 'Page ' || i,
           (SELECT string_agg((ARRAY(SELECT w FROM word ORDER BY ord))
                   [1 + abs(hashint4(i * 1000 + j)) %% 33], ' ') FROM generate_series(1, 200) j),
           jsonb_build_object('id', i, 'hash', md5(i::text)), i %% 7 > 0,
           timestamptz '2020-01-01 UTC' + i * interval '1 minute'
    FROM generate_series(1, %s) i;
    CREATE INDEX ON page (path); CREATE INDEX ON page (title); CREATE INDEX ON page (published);
"""
ROW = 1350  # bytes of a page on disk


def say(text: str) -> None:
    print(text, flush=True)


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
        for each in (path, path.with_name(f"{name}.sha256")):
            each.unlink(missing_ok=True)
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


async def over_ssh(bench: Bench) -> None:
    """`ssh host pg_dump -Fc | cat` beside ours, by the delay of the line."""
    sshd, ssh = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin"), shutil.which("ssh")
    if not sshd or not ssh:
        say("fetch: not measured, there is no OpenSSH here")
        return
    async with openssh(bench, sshd) as port:
        for trip in TRIPS:
            wire = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "tests.wire",
                str(port),
                str(trip / 2),
                cwd=ROOT,
                stdout=asyncio.subprocess.PIPE,
            )
            assert wire.stdout is not None
            try:
                await _compare(bench, int(await wire.stdout.readline()), trip)
            finally:
                wire.terminate()
                await wire.wait()


async def _compare(bench: Bench, port: int, trip: float) -> None:
    config = bench.folder / "ssh_config"
    config.write_text(
        f"Host far\n HostName 127.0.0.1\n Port {port}\n User {getpass.getuser()}\n"
        f" IdentityFile {bench.folder}/client_key\n IdentitiesOnly yes\n"
        f" UserKnownHostsFile {bench.folder}/users_known_hosts\n"
    )
    login = Login("far", bench.folder / "known_hosts", config)
    key = await host_key(login)
    trust(login.known_hosts, key)
    trust(bench.folder / "users_known_hosts", key)
    variables = " ".join(
        f"{name}={shlex.quote(value)}" for name, value in tools.variables(bench.source).items()
    )
    command = f"env {variables} {bench.pg_dump.path} -Fc"
    usual = bench.path("usual")
    theirs = await timed(
        shell(f"ssh -F {config} far {shlex.quote(command)} | cat > {usual}", bench.source)
    )
    made: list[Archive] = []

    async def fetching() -> None:
        async with log_in(login) as connection:
            made.append(
                await fetch(
                    connection,
                    bench.source,
                    bench.path("ours"),
                    bench.report,
                    pg_restore=bench.pg_restore,
                    pg_dump=str(bench.pg_dump.path),
                )
            )

    ours = await timed(fetching())
    say(
        f"fetch, {trip * 1000:.0f} ms: ssh | cat {theirs:.1f} s ({usual.stat().st_size / 1e6:.0f} "
        f"MB), ours with the proof {ours:.1f} s ({made[0].bytes / 1e6:.0f} MB): "
        f"{theirs / ours:.2f} times as fast"
    )


@asynccontextmanager
async def openssh(bench: Bench, sshd: str) -> AsyncIterator[int]:
    """OpenSSH's server for our own user, on a port of this machine."""
    for name in ("host_key", "client_key"):
        key = asyncssh.generate_private_key("ssh-ed25519")
        key.write_private_key(str(bench.folder / name))
        (bench.folder / name).chmod(0o600)
        key.write_public_key(str(bench.folder / f"{name}.pub"))
    port = 42022
    Path("/run/sshd").mkdir(exist_ok=True)
    config = bench.folder / "sshd_config"
    config.write_text(
        f"ListenAddress 127.0.0.1:{port}\nHostKey {bench.folder}/host_key\nStrictModes no\n"
        f"AuthorizedKeysFile {bench.folder}/client_key.pub\nUsePAM no\nPidFile none\n"
        "PermitRootLogin prohibit-password\nPasswordAuthentication no\n"
    )
    process = await asyncio.create_subprocess_exec(sshd, "-D", "-f", str(config))
    try:
        for _ in range(100):
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                break
            except OSError:
                await asyncio.sleep(0.05)
        yield port
    finally:
        process.terminate()
        await process.wait()


# From backup to delivery


async def whole(bench: Bench) -> None:
    """Backup, local restore, final dump, restore: `pg_dump | gzip`, `zcat | psql` beside ours."""
    usual, bin_ = bench.path("usual.gz"), bench.binaries
    theirs = ours = 0.0
    for _ in range(2):  # production to here, and back
        theirs += await timed(shell(f"{bin_}/pg_dump | gzip > {usual}", bench.source))
        async with scratch(bench) as into:
            theirs += await timed(shell(f"zcat {usual} | {bin_}/psql -q > /dev/null", into))
        path, made = bench.path("ours"), list[Archive]()
        ours += await timed(_ours(bench, path, made))
        async with scratch(bench) as into:
            ours += await timed(
                restore.restore(made[0], into, bench.report, pg_restore=bench.pg_restore)
            )
    say(
        f"whole: the usual way {theirs:.1f} s, ours {ours:.1f} s: {theirs / ours:.2f} times as fast"
    )


async def overhead(bench: Bench) -> None:
    """What we add to pg_dump and pg_restore with the same options."""
    bin_, bare = bench.binaries, bench.path("bare")
    option = tools.compressing(bench.pg_dump, next(iter(bench.pg_dump.methods), ""))
    dumping = f"{bin_}/pg_dump -Fc {option} -f {bare}"
    options = "--exit-on-error --no-owner --no-acl --no-publications --no-subscriptions"
    seconds: dict[str, list[float]] = {"pg_dump": [], "dump": [], "pg_restore": [], "restore": []}
    for _ in range(3):
        bench.path("bare")
        seconds["pg_dump"].append(await timed(shell(dumping, bench.source)))
        made = list[Archive]()
        seconds["dump"].append(await timed(_ours(bench, bench.path("ours"), made)))
        async with scratch(bench) as into:
            restoring = f"{bin_}/pg_restore {options} -d scratch {bare}"
            analyze = f"{bin_}/psql -qc ANALYZE"
            seconds["pg_restore"].append(await timed(shell(f"{restoring} && {analyze}", into)))
        async with scratch(bench) as into:
            seconds["restore"].append(
                await timed(
                    restore.restore(made[0], into, bench.report, pg_restore=bench.pg_restore)
                )
            )
    for theirs, ours in (("pg_dump", "dump"), ("pg_restore", "restore")):
        one, other = min(seconds[theirs]), min(seconds[ours])
        say(f"overhead: {theirs} {one:.2f} s, ours {other:.2f} s: {other / one - 1:+.1%}")


async def _ours(bench: Bench, path: Path, made: list[Archive]) -> None:
    made.append(
        await dump(
            bench.source, path, bench.report, pg_dump=bench.pg_dump, pg_restore=bench.pg_restore
        )
    )


PARTS: dict[str, Callable[[Bench], Awaitable[None]]] = {
    "fetch": over_ssh,
    "whole": whole,
    "overhead": overhead,
}


async def main(megabytes: int, names: list[str]) -> None:
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        cluster = Cluster(Path(folder) / "cluster", user="bench", password=Secret("bench-password"))
        await cluster.start()
        try:
            await cluster.create_database("bench")
            source = cluster.address("bench")
            async with await connect(source) as connection:
                rows = megabytes * 1_000_000 // ROW
                await connection.execute((CONTENT % rows).encode())
                await connection.execute("VACUUM ANALYZE")
            major = (await server.about(source)).major
            pg_dump = await tools.choose_dump(major)
            pg_restore = await tools.choose_restore(pg_dump.major, major)
            size = (await server.contents(source)).bytes
            say(f"{size / 1e6:.0f} MB of rows, {pg_dump}, {os.cpu_count()} cores")
            report = Report(Events(), "benchmark")
            bench = Bench(source, Path(folder), pg_dump, pg_restore, report)
            for name in names or PARTS:
                await PARTS[name](bench)
        finally:
            await cluster.stop()


if __name__ == "__main__":
    given = sys.argv[1:]
    size = int(given.pop(0)) if given and given[0].isdigit() else MEGABYTES
    asyncio.run(main(size, given))
