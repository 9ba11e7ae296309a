"""A sandbox for crashes: laid out once, kept as it is at any moment, and put back in a second.

The clusters are copied as files, with the servers stopped: a database that was made anew would
have another OID, and be another one to the product. Files that did not change are shared between
the copies, and not written again when one is put back.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import asyncssh
import psycopg
import yaml
from psycopg import sql

from tests.crash.commands import Commands, Ended
from tests.crash.crashing_process import Order
from tests.crash.file_copies import copy_tree, restore_tree
from tests.crash.sandbox_state import (
    APART,
    DATABASES,
    VARYING,
    State,
    contents,
    undated,
)
from wizard.base.events import Events, Report
from wizard.sandbox.layout import ALIAS, LEFT_BY_RUNS, RunningSandbox, lay_out, running
from wizard.session.plan import Gate, Plan

MARK = "REMODEL_CRASH_MARK"
POSTS = 12
KEPT = ("local", "production", "package", ".remodel", "backups", "site")
ALLOW = ("--allow", "staging", "--allow", "production")


class Ground:
    """The sandbox, its servers running, and the copies of it that were kept."""

    def __init__(self, servers: RunningSandbox, shelf: Path) -> None:
        self.servers = servers
        self.root = servers.sandbox.root
        self.shelf = shelf
        self.commands = Commands()
        self.mark = uuid.uuid4().hex
        self.temporary = Path(tempfile.mkdtemp(prefix="crash-", dir="/tmp"))

    def consent_to_the_host(self) -> None:
        """The sandbox's own host key, which no recorded answers can know."""
        public = asyncssh.import_public_key(self.servers.ssh.host_key)
        plan = Plan(
            "project.trust:staging",
            "",
            gate=Gate("staging"),
            facts={"host": ALIAS, "key": public.get_fingerprint("sha256")},
        )
        answers = yaml.safe_load(self.servers.sandbox.answers.read_text())
        answers["consents"][plan.operation] = {"fingerprint": plan.fingerprint}
        self.servers.sandbox.answers.write_text(yaml.safe_dump(answers, sort_keys=False))

    # Moments

    async def keep(self, name: str, after: str = "") -> None:
        """Keep everything as it is now; what is the same as in `after` is shared with it."""
        await self._stop(signal.SIGINT)
        self._tidy_wal()
        for part in KEPT:
            shared = self.shelf / after / part if after else None
            copy_tree(self.root / part, self.shelf / name / part, shared)
        await self._start()

    async def put_back(self, name: str) -> None:
        """Everything as it was when `name` was kept."""
        shutil.rmtree(self.temporary, ignore_errors=True)
        self.temporary.mkdir()
        await self._stop(signal.SIGQUIT)
        for part in KEPT:
            restore_tree(self.shelf / name / part, self.root / part)
        await self._start()

    async def restart(self, how: signal.Signals) -> None:
        """Restart both servers, SIGINT as `pg_ctl -m fast` and SIGQUIT as `-m immediate` do."""
        await self._stop(how)
        await self._start()

    def end_sessions(self) -> None:
        """End every session of both servers, in the middle of what it does."""
        for place in ("local", "production"):
            with self.connect(place, "postgres") as connection:
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
                )

    def lets_in(self, database: str) -> bool:
        """Whether a database of production's server takes connections."""
        with self.connect("production", "postgres") as connection:
            asked = "SELECT datallowconn FROM pg_database WHERE datname = %s"
            return bool(connection.execute(asked, [database]).fetchone() == (True,))

    async def _stop(self, how: signal.Signals) -> None:
        servers = [each._server for each in (self.servers.local, self.servers.production)]
        for server in servers:
            assert server is not None
            server.send_signal(how)
        for server in servers:
            assert server is not None
            await asyncio.to_thread(server.wait, 60)

    async def _start(self) -> None:
        await asyncio.gather(self.servers.local._launch(), self.servers.production._launch())

    def _tidy_wal(self) -> None:
        """Segments that are ready to be written again hold nothing, and need not be kept."""
        for cluster in (self.servers.local, self.servers.production):
            control = subprocess.run(
                [cluster.binaries / "pg_controldata", cluster.data],
                check=True,
                capture_output=True,
                text=True,
            ).stdout
            (needed,) = [
                line.partition(":")[2].strip()
                for line in control.splitlines()
                if "REDO WAL file" in line
            ]
            for path in (cluster.data / "pg_wal").iterdir():
                if path.is_file() and path.name > needed:
                    path.unlink()

    # The command

    async def remodel(
        self,
        *arguments: str,
        orders: Sequence[Order] = (),
        trail: Path | None = None,
        paused: Callable[[str], Awaitable[None]] | None = None,
        commands: Commands | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Ended:
        """Run the command to its end, which may be the one that was ordered.

        Where an order is to pause, it waits until `paused` was done. It is one of `commands`,
        with more in its environment.
        """
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        pausing = asyncio.ensure_future(_pauses(ours, paused))
        ended = await asyncio.to_thread(
            (commands or self.commands).run,
            self.root,
            *arguments,
            orders=orders,
            environment={
                MARK: self.mark,
                "TMPDIR": str(self.temporary),
                **(environment or {}),
            },
            trail=trail,
            pause=theirs,
        )
        await pausing
        ours.close()
        return ended

    # How everything is

    def connect(self, place: str, database: str) -> psycopg.Connection[Any]:
        """The superuser's connection, past SSH."""
        cluster = self.servers.local if place == "local" else self.servers.production
        password = cluster.password.reveal()
        return psycopg.connect(
            dbname=database,
            host=str(cluster.sockets),
            user=cluster.user,
            password=password,
            autocommit=True,
        )

    def state(self) -> State:
        """What there is in both servers, in the files, and in the session."""
        databases: dict[str, dict[str, str]] = {}
        oids: dict[str, dict[int, str]] = {}
        for place in ("local", "production"):
            with self.connect(place, "postgres") as connection:
                rows = connection.execute(DATABASES).fetchall()
            oids[place] = {oid: name for oid, name, *_ in rows}
            for _, name, allows, limit, comment in rows:
                if name == "postgres":
                    continue
                found = {"": f"allows {allows}, limit {limit}, {undated(comment)}"}
                with self._inside(place, name, allows) as connection:
                    found |= contents(connection, APART[place])
                databases[f"{place}/{name}"] = found
        return State(databases, self._files(), self._session(oids))

    @contextmanager
    def _inside(self, place: str, name: str, allows: bool) -> Iterator[psycopg.Connection[Any]]:
        """A connection to a database, opened for the moment where it lets nobody in."""
        statement = sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}")
        with self.connect(place, "postgres") as beside:
            if not allows:
                beside.execute(statement.format(sql.Identifier(name), sql.SQL("true")))
            try:
                with self.connect(place, name) as connection:
                    yield connection
            finally:
                if not allows:
                    beside.execute(statement.format(sql.Identifier(name), sql.SQL("false")))

    def _files(self) -> dict[str, str]:
        found: dict[str, str] = {}
        folders = (self.root / "package", self.root / "production" / "home", self.site_packages)
        for top in folders:
            for path in sorted(top.rglob("*")):
                name = str(path.relative_to(self.root))
                if path.is_file() and not name.endswith((".pyc", "RECORD", "direct_url.json")):
                    found[name] = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
        session = self.session
        for path in sorted((*session.rglob("*"), *(self.root / "backups").glob("*"))):
            found[path.relative_to(self.root).as_posix()] = "there"
        for name in ("urls-before.json", "ledger.json"):
            if (path := session / name).exists():
                found[f"{name}: content"] = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
        return {name: what for name, what in found.items() if "journal.sqlite" not in name}

    @property
    def site_packages(self) -> Path:
        """Where the site's environment has the package."""
        return next((self.root / "site" / ".venv" / "lib").glob("python*/site-packages"))

    @property
    def session(self) -> Path:
        """The folder of the newest session."""
        return max((self.root / ".remodel" / "sessions").iterdir())

    def entries(self) -> list[tuple[str, str, dict[str, Any]]]:
        """The journal's rows: operation, kind, data."""
        with closing(sqlite3.connect(self.session / "journal.sqlite")) as journal:
            rows = journal.execute("SELECT operation, kind, data FROM entry ORDER BY id")
            return [(operation, kind, json.loads(data)) for operation, kind, data in rows]

    def _session(self, oids: dict[str, dict[int, str]]) -> dict[str, Any]:
        state: dict[str, Any] = {}
        for operation, kind, data in self.entries():
            if kind == "answer":
                state[operation] = data
            elif kind in ("done", "skipped"):
                facts = {key: value for key, value in data.items() if key not in VARYING}
                state[operation] = [kind, facts]
            elif kind in ("intent", "failed", "cleared", "undoing", "undone"):
                state[operation] = [kind]
        pins = self.session / "identities.json"
        for role, pin in (json.loads(pins.read_text()) if pins.exists() else {}).items():
            state[f"pin of {role}"] = oids["production"].get(pin["oid"])
        return state

    def repeated(self) -> list[str]:
        """Operations that were begun again after their outcome had been written down."""
        done, found = set(), []
        for operation, kind, _ in self.entries():
            if kind == "done":
                done.add(operation)
            elif kind in ("undoing", "undone"):
                done.discard(operation)
            elif kind == "intent" and operation in done:
                found.append(operation)
        return found

    # What must not be left

    def left(self) -> list[str]:
        """Processes that a command left, and what is left of its temporary files."""
        files = [str(path) for path in self.temporary.rglob("*") if not path.is_dir()]
        return files + self.processes()

    def processes(self) -> list[str]:
        """What a command has started and what has not ended."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if f"{MARK}={self.mark}".encode() in (process / "environ").read_bytes():
                    found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        return found


async def _pauses(ours: socket.socket, paused: Callable[[str], Awaitable[None]] | None) -> None:
    loop = asyncio.get_running_loop()
    while operation := await loop.sock_recv(ours, 1000):
        if paused is not None:
            await paused(operation.decode().strip())
        await loop.sock_sendall(ours, b".")


# Copies of a tree of files


@asynccontextmanager
async def laid_out(folder: Path) -> AsyncIterator[Ground]:
    """A sandbox in `folder`, its servers running, its answers completed by the host's key."""
    sandbox = await lay_out(folder / "sandbox", posts=POSTS, report=Report(Events(), "sandbox"))
    async with running(sandbox) as servers:
        for name in LEFT_BY_RUNS:
            (sandbox.root / name).mkdir(mode=0o700, exist_ok=True)
        ground = Ground(servers, folder / "shelf")
        for place in ("local", "production"):
            with ground.connect(place, "postgres") as connection:
                # What a sandbox gives up is to survive `pg_ctl -m immediate`.
                connection.execute("ALTER ROLE ALL SET synchronous_commit = on")
        ground.consent_to_the_host()
        try:
            yield ground
        finally:
            ground.commands.close()
            shutil.rmtree(ground.temporary, ignore_errors=True)
