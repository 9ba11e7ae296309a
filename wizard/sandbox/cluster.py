"""An embedded PostgreSQL cluster: the wheel's binaries, started our own way.

Only the wheel's binaries are used, never its Python API, which adds system users, opens
every directory above the data to the world and trusts whoever connects.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from functools import cached_property
from pathlib import Path
from typing import IO

import psycopg
from psycopg import sql

from wizard.base.errors import OperationFailed
from wizard.base.redaction import Secret
from wizard.postgres.address import Address, connect
from wizard.sandbox.account import SystemAccount, unprivileged
from wizard.sandbox.binaries import binaries, reachable

__all__ = ["Cluster", "binaries"]

SOCKET_PATH_LIMIT = 103  # bytes: sun_path holds 108 on Linux, 104 on macOS, with the final NUL
START_TIMEOUT = 60.0  # seconds
STOP_TIMEOUT = 60.0
POLL = 0.02


class Cluster:
    """A PostgreSQL cluster of our own: own initdb, scram, socket in a 0700 directory, no TCP.

    `user` is its superuser. `durable=False` gives up surviving a crash, for tests. The
    cluster belongs to one process at a time; a server that outlived its process is stopped
    by the next `start`. Where `root` cannot be used as it is (too long a path for a socket,
    or closed to the account that PostgreSQL must run as), a symlink in it says what is used.
    """

    def __init__(
        self,
        root: Path,
        *,
        user: str,
        password: Secret,
        major: int = 18,
        port: int = 5432,
        durable: bool = True,
        account: SystemAccount | None = None,
    ) -> None:
        self.root = root.absolute()
        self.user = user
        self.password = password
        self.port = port
        self.durable = durable
        self.binaries = binaries(major)
        self._major = major
        self._account = account or unprivileged()
        self._server: subprocess.Popen[bytes] | None = None
        self._lock: IO[str] | None = None

    # Where things are

    @cached_property
    def home(self) -> Path:
        """The directory with the data and the server's log: `root`, or what it links to."""
        _private_directory(self.root)
        if self._account.reaches(self.root.parent):
            self._account.take(self.root)
            return self.root
        return self._elsewhere("elsewhere", Path("/var/tmp"))

    @cached_property
    def sockets(self) -> Path:
        """The directory of the server's unix socket, 0700."""
        name = f".s.PGSQL.{self.port}"
        context = self.home / "run"
        if len(os.fsencode(context / name)) > SOCKET_PATH_LIMIT:
            return self._elsewhere("run", Path("/tmp"))
        _private_directory(context)
        self._account.take(context)
        return context

    @property
    def data(self) -> Path:
        """The data directory."""
        return self.home / "data"

    @property
    def log(self) -> Path:
        """The server's log."""
        return self.home / "postgres.log"

    def address(self, database: str) -> Address:
        """Return how the superuser reaches `database`; the host is the socket's directory."""
        return Address(database, str(self.sockets), self.port, self.user, self.password)

    def _elsewhere(self, name: str, parent: Path) -> Path:
        """Return a private directory below `parent`, noted by the symlink `name` in the root."""
        link = self.root / name
        if not link.is_symlink():
            link.symlink_to(tempfile.mkdtemp(prefix="remodel-", dir=parent))
        place = link.readlink()
        if name == "run" and not place.exists():
            place.mkdir(mode=0o700)  # a cleaned /tmp; the address must stay what it was
        if not place.is_dir() or place.stat().st_uid not in (os.geteuid(), self._account.uid):
            raise OperationFailed(
                f"The directory of the cluster in {self.root} cannot be used.",
                found=f"{link} points to {place}, which is gone or belongs to somebody else.",
                hint=f"Bring {place} back, or remove {self.root} to begin anew.",
            )
        self._account.take(place)
        return place

    # Start and stop

    @property
    def running(self) -> bool:
        """Whether the server that this object started is alive."""
        return self._server is not None and self._server.poll() is None

    async def start(self) -> None:
        """Make the cluster if it is not there yet, start it, wait until it accepts connections.

        Raise OperationFailed with the end of the server's log.
        """
        if self.running:
            return
        self._acquire()
        try:
            self.binaries = reachable(self.binaries, self.home, self._account)
            if not (self.data / "PG_VERSION").exists():
                await self._initdb()
            await self._stop_orphan()
            await self._launch()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Shut down fast (transactions are rolled back, clients sent away). Idempotent."""
        try:
            if self._server is not None:
                await asyncio.shield(asyncio.to_thread(self._terminate, STOP_TIMEOUT))
        finally:
            self._release()

    async def _initdb(self) -> None:
        data, password = self.data, self.home / "password"
        # Renamed when it is whole: an interrupted initdb leaves a PG_VERSION without the rest.
        fresh = self.home / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        password.unlink(missing_ok=True)
        password.touch(mode=0o600, exist_ok=False)
        password.write_text(self.password.reveal() + "\n")
        self._account.take(password)
        try:
            await self._run(
                "initdb",
                f"--pgdata={fresh}",
                f"--username={self.user}",
                f"--pwfile={password}",
                "--auth-local=scram-sha-256",
                "--auth-host=scram-sha-256",
                "--encoding=UTF8",
                *self._locale(),
                *([] if self.durable else ["--no-sync"]),
            )
            fresh.rename(data)
        finally:
            password.unlink(missing_ok=True)

    def _locale(self) -> list[str]:
        """Return options that sort by code points everywhere, with Unicode's character classes."""
        if self._major >= 17:  # PostgreSQL's own, whatever the system has
            return [
                "--locale=C",
                "--locale-provider=builtin",
                "--builtin-locale=C.UTF-8",
            ]
        return ["--locale=C.UTF-8" if sys.platform == "linux" else "--locale=en_US.UTF-8"]

    async def _launch(self) -> None:
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": '"' + str(self.sockets).replace('"', '""') + '"',
            "unix_socket_permissions": "0700",
            "port": str(self.port),
            "max_connections": "50",
            "lc_messages": "C",
        }
        if not self.durable:
            settings |= {
                "fsync": "off",
                "synchronous_commit": "off",
                "full_page_writes": "off",
            }
        arguments = [f"--{name}={value}" for name, value in settings.items()]
        began = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            # Popen and not asyncio's: the server outlives the event loop that started it.
            self._server = subprocess.Popen(
                self._account.argv(self.binaries / "postgres", "-D", str(self.data), *arguments),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.home,
                env=_environment(),
                start_new_session=True,
                **self._account.spawn(),
            )
        atexit.register(self._at_exit, os.getpid())
        deadline = time.monotonic() + START_TIMEOUT
        while not self._ready(self._server.pid):
            if self._server.poll() is not None or time.monotonic() > deadline:
                said = self.log.read_bytes()[began:].decode(errors="replace")
                raise OperationFailed(
                    f"Starting PostgreSQL in {self.root} failed.",
                    found="\n".join(said.splitlines()[-15:]),
                    hint=f"The whole log is {self.log}.",
                )
            await asyncio.sleep(POLL)

    def _ready(self, pid: int) -> bool:
        # postmaster.pid is how pg_ctl waits, too: line 1 is the pid, line 8 the status.
        # (src/include/utils/pidfile.h)
        with contextlib.suppress(OSError):
            lines = (self.data / "postmaster.pid").read_text().splitlines()
            return len(lines) >= 8 and lines[0] == str(pid) and lines[7].strip() == "ready"
        return False

    async def _stop_orphan(self) -> None:
        """Stop the server that a killed process left: we hold its lock, so that process is gone."""
        pidfile = self.data / "postmaster.pid"
        if not pidfile.exists():
            return
        if self._serves(pidfile.read_text().split("\n")[0]):
            await self._run("pg_ctl", "stop", f"--pgdata={self.data}", "--mode=fast", "--wait")
        else:
            # PostgreSQL refuses to start while any process of ours has the pid of these files,
            # and after a reboot, or in a restarted container, one soon has.
            pidfile.unlink(missing_ok=True)
            (self.sockets / f".s.PGSQL.{self.port}.lock").unlink(missing_ok=True)

    def _serves(self, pid: str) -> bool:
        """Whether `pid` is a server over our data: that is its working directory."""
        if Path("/proc/self").exists():
            with contextlib.suppress(OSError):
                return Path(f"/proc/{pid}/cwd").readlink() == self.data.resolve()
            return False
        listed = subprocess.run(
            ["ps", "-o", "command=", "-p", pid], capture_output=True, check=False
        )
        return os.fsencode(self.data) in listed.stdout

    def _terminate(self, timeout: float) -> None:
        """End the server by SIGINT (fast shutdown), then SIGQUIT (immediate) and SIGKILL.

        See PostgreSQL's documentation, 18.5.
        """
        server, self._server = self._server, None
        if server is None:
            return
        atexit.unregister(self._at_exit)
        for number, patience in (
            (signal.SIGINT, timeout),
            (signal.SIGQUIT, 5),
            (signal.SIGKILL, 5),
        ):
            if server.poll() is None:
                server.send_signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                server.wait(patience)
                return

    def _at_exit(self, owner: int) -> None:
        if os.getpid() == owner:  # a forked child inherits this, not the server
            self._terminate(10.0)

    async def _run(self, program: str, *arguments: str) -> None:
        process = await asyncio.create_subprocess_exec(
            *self._account.argv(self.binaries / program, *arguments),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            cwd=self.home,
            env=_environment(),
            start_new_session=True,
            **self._account.spawn(),
        )
        try:
            output, _ = await process.communicate()
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
            raise
        if process.returncode != 0:
            raise OperationFailed(
                f"{program} of the embedded PostgreSQL failed in {self.root}.",
                found=output.decode(errors="replace"),
                hint="Check that the disk has space and the directory is yours.",
            )

    def _acquire(self) -> None:
        lock = (self.home / "lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            raise OperationFailed(
                f"The cluster in {self.root} is in use by another process.",
                hint="Wait until that run has ended, or choose another directory.",
            ) from None
        self._lock = lock

    def _release(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    # Roles and databases

    async def create_role(self, name: str, password: Secret, createdb: bool = True) -> None:
        """Make a role that may log in, and make databases when `createdb`; no superuser."""
        async with await connect(self.address("postgres")) as connection:
            # Scrambled here: a statement that fails is logged with everything in it.
            scrambled = connection.pgconn.encrypt_password(
                password.reveal().encode(), name.encode(), b"scram-sha-256"
            ).decode()
            statement = sql.SQL("CREATE ROLE {} LOGIN PASSWORD {} {}").format(
                sql.Identifier(name),
                sql.Literal(scrambled),
                sql.SQL("CREATEDB" if createdb else "NOCREATEDB"),
            )
            await _execute(connection, statement, f"Creating the role {name} failed.")

    async def create_database(self, name: str, owner: str | None = None) -> None:
        """Make an empty database that belongs to `owner`, or to the superuser."""
        statement = sql.SQL("CREATE DATABASE {} OWNER {}").format(
            sql.Identifier(name), sql.Identifier(owner or self.user)
        )
        async with await connect(self.address("postgres")) as connection:
            await _execute(connection, statement, f"Creating the database {name} failed.")

    async def drop_database(self, name: str) -> None:
        """Drop a database if it exists, and end the sessions in it."""
        statement = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
        async with await connect(self.address("postgres")) as connection:
            await _execute(connection, statement, f"Dropping the database {name} failed.")


async def _execute(
    connection: psycopg.AsyncConnection[object], statement: sql.Composed, failed: str
) -> None:
    try:
        await connection.execute(statement)
    except psycopg.Error as error:
        raise OperationFailed(failed, found=str(error)) from None


def _private_directory(path: Path) -> None:
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.chmod(0o700)


def _environment() -> dict[str, str]:
    """Return our environment without PG* variables, which would point to another server."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")}
