"""Laying out a sandbox: a sample site, its package, "local" and "production", all in one folder.

remodel.yml  answers.yml  .env     what an operator would have written
site/  package/                    the Wagtail project and the package with its models
local/                             the developer's own PostgreSQL cluster
production/postgres, .../home      the cluster that only SSH reaches; its user's home
ssh/                               the SSH server's keys, and a client configuration
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import secrets
import shutil
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dotenv import dotenv_values

from wizard.base.errors import ConfigError, OperationFailed, UsageError
from wizard.base.events import Report
from wizard.base.redaction import Secret
from wizard.postgres.address import Address
from wizard.sandbox import content
from wizard.sandbox.cluster import Cluster
from wizard.sandbox.sshd import SshServer, login_environment

MARKER = "sandbox.json"
OURS = (
    "remodel.yml",
    "answers.yml",
    ".env",
    "site",
    "package",
    "local",
    "production",
    "ssh",
)
LEFT_BY_RUNS = (".remodel", "backups")
SUPERUSER = "postgres"
ALIAS = "harbour-production"
DATABASE, STAGING = "harbour", "harbour_staging"
HOSTNAME, STAGING_HOSTNAME = "harbour.example", "staging.harbour.example"
MIN_POSTS = 12  # the stories that everything else hangs on
LOCAL_POSTS = MIN_POSTS  # what the developer had before: restoring production replaces it


@dataclass(frozen=True)
class Sandbox:
    """A sandbox that is laid out, and where its parts are."""

    root: Path

    @property
    def config(self) -> Path:
        """remodel.yml."""
        return self.root / "remodel.yml"

    @property
    def answers(self) -> Path:
        """The recorded answers, for a replay."""
        return self.root / "answers.yml"

    @property
    def environment(self) -> Path:
        """The .env with the passwords, 0600."""
        return self.root / ".env"

    @property
    def site(self) -> Path:
        """The Django project."""
        return self.root / "site"

    @property
    def package(self) -> Path:
        """The source of `harbour-cast`, the distribution with the page models."""
        return self.root / "package"

    @property
    def python(self) -> Path:
        """The project's own interpreter."""
        return self.site / ".venv" / "bin" / "python"

    @property
    def ssh_config(self) -> Path:
        """The client configuration that knows the alias `harbour-production`."""
        return self.root / "ssh" / "config"

    @property
    def home(self) -> Path:
        """The home of production's user, where its commands run."""
        return self.root / "production" / "home"

    def secret(self, name: str) -> Secret:
        """Return a password by its name in .env. Raise ConfigError when it is not there."""
        value = dotenv_values(self.environment).get(name)
        if not value:
            raise ConfigError(
                f"The sandbox in {self.root} has lost the password {name}.",
                found=f"{self.environment} does not have it.",
                hint=f"Remove {self.root} and lay it out anew.",
            )
        return Secret(value)


@dataclass(frozen=True)
class RunningSandbox:
    """A sandbox whose servers run."""

    sandbox: Sandbox
    local: Cluster
    production: Cluster
    ssh: SshServer

    def local_address(self) -> Address:
        """Return the developer's database, as the developer."""
        secret = self.sandbox.secret("REMODEL_LOCAL_PASSWORD")
        return Address(DATABASE, str(self.local.sockets), self.local.port, "dev", secret)

    def production_address(self, database: str = DATABASE) -> Address:
        """Return a database of production, as its owner and past SSH: to look, and for tests."""
        secret = self.sandbox.secret("REMODEL_PRODUCTION_PASSWORD")
        cluster = self.production
        return Address(database, str(cluster.sockets), cluster.port, "deploy", secret)


async def lay_out(root: Path, *, posts: int, report: Report) -> Sandbox:
    """Make the sandbox in `root`, or take the one that is there, whatever its number of posts.

    What an interrupted layout left is removed and made again. Raise UsageError for a folder
    that holds something else, or for too few posts.
    """
    if posts < MIN_POSTS:
        raise UsageError(
            f"A sandbox of {posts} posts is too small.",
            hint=f"Ask for at least {MIN_POSTS}.",
        )
    sandbox = Sandbox(root.resolve())
    _claim(sandbox.root)
    if (there := _posts(sandbox.root)) is not None:  # which may be running: no lock
        report.finding("sandbox", f"{sandbox.root}, as it was, with {there} posts")
        return sandbox
    with _locked(sandbox.root):
        if _posts(sandbox.root) is None:  # nobody has completed it since
            _clear(sandbox.root)
            await _make(sandbox, posts, report)
            _mark(sandbox.root, complete=True, posts=posts)
    report.finding("sandbox", f"{sandbox.root}, with {_posts(sandbox.root)} posts")
    return sandbox


async def _make(sandbox: Sandbox, posts: int, report: Report) -> None:
    passwords = {name: secrets.token_urlsafe(18) for name in ("LOCAL", "PRODUCTION", "SANDBOX")}
    passwords["STAGING"] = passwords["PRODUCTION"]  # one role owns both databases
    _write_private(
        sandbox.environment,
        "".join(f"REMODEL_{name}_PASSWORD={value}\n" for name, value in passwords.items()),
    )

    def tell(done: int, note: str) -> None:
        report.progress(done, 5, "steps", note)

    tell(0, "the site's own environment, and both clusters")
    content.copy_templates(sandbox.site, sandbox.package)
    async with _servers(sandbox) as servers:
        local, production = servers.local_address(), servers.production_address()
        await _together(
            content.make_environment(sandbox.site, sandbox.package, report),
            _make_database(servers.local, local),
            _make_database(servers.production, production),
        )
        content.write_database_settings(sandbox.site, local)
        harbour = content.Harbour(sandbox.site, sandbox.python, report)
        tell(1, "the tables")
        await harbour.migrate(local)
        tell(2, "the same tables in production")
        await content.copy_database(
            local,
            production,
            servers.local.binaries,
            sandbox.root / "local.dump",
            report,
        )
        tell(3, f"{posts} posts in production, {LOCAL_POSTS} older ones on this side")
        await _together(
            harbour.fill(production, posts, HOSTNAME, 443, media=sandbox.home / "media"),
            harbour.fill(local, LOCAL_POSTS, "localhost", 8000),
        )
        tell(4, "staging")
        await content.clone_site(production, STAGING, STAGING_HOSTNAME)
        _write_config(sandbox, servers)
    tell(5, "done")


async def _make_database(cluster: Cluster, address: Address) -> None:
    """Make the empty database of `address`, owned by its role, which may make more of them."""
    assert address.password is not None
    await cluster.create_role(address.user, address.password)
    await cluster.create_database(address.database, address.user)


async def _together(*work: Coroutine[Any, Any, None]) -> None:
    """Do all of it at once. When one fails, the others are cancelled and its error is raised."""
    try:
        async with asyncio.TaskGroup() as group:
            for one in work:
                group.create_task(one)
    except BaseExceptionGroup as failed:
        raise failed.exceptions[0] from None


@asynccontextmanager
async def running(sandbox: Sandbox) -> AsyncIterator[RunningSandbox]:
    """Start both clusters and the SSH server; leaving stops them.

    Raise OperationFailed when another process runs this sandbox.
    """
    with _locked(sandbox.root):
        async with _servers(sandbox) as servers:
            yield servers


@asynccontextmanager
async def _servers(sandbox: Sandbox) -> AsyncIterator[RunningSandbox]:
    password = sandbox.secret("REMODEL_SANDBOX_PASSWORD")
    # Not durable: a sandbox that a power failure takes is laid out again.
    local, production = (
        Cluster(sandbox.root / place, user=SUPERUSER, password=password, durable=False)
        for place in ("local", "production/postgres")
    )
    async with AsyncExitStack() as stack:
        for cluster in (local, production):
            stack.push_async_callback(cluster.stop)
        await _together(local.start(), production.start())
        owner = Address(
            DATABASE,
            str(production.sockets),
            production.port,
            "deploy",
            sandbox.secret("REMODEL_PRODUCTION_PASSWORD"),
        )
        server = SshServer(
            sandbox.root / "ssh",
            user="deploy",
            environment=login_environment(sandbox.home, owner, production.binaries),
            home=sandbox.home,
            sockets=production.sockets,
        )
        await server.start()
        stack.push_async_callback(server.stop)
        server.write_ssh_config(sandbox.ssh_config, ALIAS)  # the port may be another one
        yield RunningSandbox(sandbox, local, production, server)


def _write_config(sandbox: Sandbox, servers: RunningSandbox) -> None:
    text = content.CONFIG.substitute(
        install=json.dumps([*content.installer(sandbox.site), str(sandbox.package)]),
        bin=json.dumps(str(servers.local.binaries)),
        local=json.dumps(str(servers.local.sockets)),
        remote=json.dumps(str(servers.production.sockets)),
    )
    sandbox.config.write_text(text)
    recorded = Path(__file__).with_name("answers.yml")
    if recorded.exists():
        shutil.copyfile(recorded, sandbox.answers)


# The folder


def _claim(root: Path) -> None:
    """Mark `root` as a sandbox to be, unless it is something else."""
    marker = root / MARKER
    if marker.exists():
        return
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise UsageError(
            f"{root} is no folder for a sandbox: it holds something else.",
            hint="Give an empty or a new folder.",
        )
    root.mkdir(parents=True, exist_ok=True)
    _mark(root, complete=False)


def _mark(root: Path, **state: object) -> None:
    _write_private(root / MARKER, json.dumps(state) + "\n")


def _posts(root: Path) -> int | None:
    """Return how many posts the sandbox in `root` was made with; None when it is not complete."""
    try:
        state = json.loads((root / MARKER).read_text())
        return int(state["posts"]) if state["complete"] else None
    except (ValueError, KeyError, TypeError):
        return None  # cut off while it was written


def _clear(root: Path) -> None:
    """Remove what an interrupted layout left, its clusters' homes elsewhere included."""
    for cluster in (root / "local", root / "production" / "postgres"):
        for link in (cluster / "elsewhere", cluster / "run"):
            if link.is_symlink() and link.readlink().name.startswith("remodel-"):
                shutil.rmtree(link.readlink(), ignore_errors=True)
    for name in (*OURS, *LEFT_BY_RUNS):
        path = root / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


@contextmanager
def _locked(root: Path) -> Iterator[None]:
    with (root / MARKER).open() as marker:
        try:
            fcntl.flock(marker, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OperationFailed(
                f"The sandbox in {root} is in use by another process.",
                hint="Wait until that run has ended, or choose another folder.",
            ) from None
        yield


def _write_private(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_text(text)
