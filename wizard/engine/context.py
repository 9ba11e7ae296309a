"""What an operation has at hand: config, session, report, the worker, the far side, the tools.

Everything that is opened here (a worker, an SSH connection, a forwarded socket) is opened when
first needed, checked before it is handed out, and closed with the run.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from wizard.base.errors import ConfigError, IdentityMismatch, NotYet
from wizard.base.events import Events, Report
from wizard.config.config import Config, Target
from wizard.postgres import identity, server
from wizard.postgres.address import Address
from wizard.postgres.dumps import dump, routes, tools
from wizard.postgres.dumps.archive import Archive
from wizard.postgres.dumps.routes import Route
from wizard.postgres.dumps.tools import Tool
from wizard.postgres.identity import Identity, Pins
from wizard.project.pagetree import PageTree
from wizard.project.worker_client import DATABASE, Site
from wizard.session.session import Session
from wizard.ssh import sockets
from wizard.ssh.connection import Connection, Login, connect


@dataclass(frozen=True)
class Far:
    """A target as it is reached: its database from here, and the SSH connection if there is one.

    `where` is its host for an identity: by its host key, as other machines may go by its name.
    """

    ssh: Connection | None
    address: Address
    where: str

    @property
    def connection(self) -> Connection:
        """The SSH connection. Raises ConfigError for a target without one."""
        if self.ssh is None:
            raise ConfigError(
                f"{self.address} is reached without SSH, so no command can run there.",
                hint="Give the target's `ssh` in remodel.yml.",
            )
        return self.ssh


class Run:
    """One process's work on a session. Use it as an async context manager."""

    def __init__(self, config: Config, session: Session, events: Events) -> None:
        self.config = config
        self.session = session
        self.events = events
        self.report = Report(events, "")
        self.pagetree = PageTree(config.local.address)
        self._site: Site | None = None
        self._far: dict[str, tuple[Far, AsyncExitStack]] = {}

    async def __aenter__(self) -> Run:
        sockets.remove_dead()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop_site()
        for name in list(self._far):
            await self._hang_up(name)

    @contextmanager
    def reporting(self, operation: str) -> Iterator[Report]:
        """Give the operation its voice while it runs."""
        before, self.report = self.report, Report(self.events, operation)
        try:
            yield self.report
        finally:
            self.report = before

    # What the journal knows

    def settled(self, operation: str) -> bool:
        """Whether the operation is done or was skipped for a reason."""
        state = self.session.journal.state(operation)
        return state is not None and state.kind in ("done", "skipped")

    def fact(self, operation: str) -> dict[str, Any]:
        """What a finished operation returned. Raises NotYet before it is finished."""
        state = self.session.journal.state(operation)
        if state is None or state.kind not in ("done", "skipped"):
            raise NotYet(f"This can be told once {operation} is done.")
        return state.data

    def answer(self, key: str) -> Any:
        """The operator's answer. Raises NotYet before it was given."""
        if key not in self.session.answers.answers:
            raise NotYet(f"This can be told once {key} is answered.")
        return self.session.answers.answers[key]

    @property
    def stamp(self) -> str:
        """The session's id as a part of a database's name."""
        return self.session.id.replace("-", "_")

    def artefact(self, name: str) -> Path:
        """The path of a file that belongs to this session."""
        return self.session.folder / name

    # The project's own Python

    async def site(self) -> Site:
        """The worker in the operator's project, started when it is not running.

        Once the backup is restored it is only handed out for this session's local database.
        """
        if self.settled("backup.restore"):
            await self.require_own_local()
        if self._site is None:
            project = self.config.project
            self._site = Site(
                project.python,
                project.path,
                project.settings,
                pinned=self.pinned(),
                lock=self.session.lock,
            )
        if not self._site.running:
            await self._site.start()
        return self._site

    @asynccontextmanager
    async def site_on(self, database: str) -> AsyncIterator[Site]:
        """A worker of its own in the operator's project, in another database of the local server.

        Raises ConfigError when the project's settings lead elsewhere all the same.
        """
        project = self.config.project
        named = {DATABASE: database}
        async with Site(
            project.python,
            project.path,
            project.settings,
            environment=named,
            pinned=self.pinned(),
        ) as site:
            found = site.hello.database
            meant = await identity.read(self.config.local.address.at(database), "local")
            if found.identity != (meant.system_identifier, meant.oid):
                raise ConfigError(
                    f"The project could not be pointed to {database}.",
                    found=found.error or f"it is in {found.name}, OID {found.oid}",
                    hint="The settings lead elsewhere whatever the database's NAME is.",
                )
            yield site

    async def stop_site(self) -> None:
        """End the worker: after the models changed, since a Python process does not forget the
        old ones, and when another database takes the local one's place, for what it cached."""
        if self._site is not None:
            site, self._site = self._site, None
            await site.stop()

    @property
    def mark(self) -> str:
        """What stands on the local database while it is this session's."""
        return f"remodel session {self.session.id}"

    async def require_own_local(self) -> None:
        """Raise IdentityMismatch unless the local database is the one this session restored.

        Two sessions of a project share its name; the content is only one's.
        """
        local = self.config.local.address
        found = await identity.marked(local)
        if found != self.mark:
            raise IdentityMismatch(
                f"The local database {local.database} is not this session's.",
                found=f"it says {found or 'nothing'!r}, and should say {self.mark!r}",
                hint="Another session restored its own since, or somebody replaced it. Go on with "
                "that one, or begin a new session.",
            )

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """The local database with nobody of ours in it, as copying and renaming it needs.

        The worker keeps no connection between two questions; the page tree waits.
        """
        async with self.pagetree.paused():
            yield

    # The far side

    @property
    def known_hosts(self) -> Path:
        """The host keys that the operator accepted for this project."""
        return self.config.state / "known_hosts"

    @property
    def pins(self) -> Pins:
        """The databases as they were when this session first used them."""
        return Pins(self.artefact("identities.json"))

    def login(self, target: Target) -> Login:
        """How SSH reaches a target."""
        return Login(target.ssh, known_hosts=self.known_hosts, config=target.ssh_config)

    async def far(self, target: Target) -> Far:
        """The target, connected, its database checked against the identity it was pinned with.

        Raises ConnectionFailed, or IdentityMismatch when it is another database by now.
        """
        far = await self.reach(target)
        self.pins.check(target.name, await self.identify(target))
        return far

    async def identify(self, target: Target) -> Identity:
        """Who the target's database is by now, whatever it was pinned with."""
        far = await self.reach(target)
        return await identity.read(far.address, far.where)

    async def far_address(self, target: Target) -> Address:
        """The target's database without the identity check: to look at it after a swap."""
        return (await self.reach(target)).address

    async def reach(self, target: Target) -> Far:
        """The target, connected; which database it is by now is not looked at."""
        if not target.ssh:
            return Far(None, target.address, target.where)
        if target.name in self._far and not self._far[target.name][0].connection.alive:
            await self._hang_up(target.name)
        if target.name not in self._far:
            async with AsyncExitStack() as stack:
                connection = await stack.enter_async_context(connect(self.login(target)))
                folder = await stack.enter_async_context(
                    connection.forward_socket(target.address.host, target.address.port)
                )
                address = replace(target.address, host=folder)
                where = f"{target.ssh} with the host key {connection.host_key}"
                self._far[target.name] = (Far(connection, address, where), stack.pop_all())
        return self._far[target.name][0]

    async def _hang_up(self, name: str) -> None:
        _, stack = self._far.pop(name)
        await stack.aclose()

    async def repin(self, target: Target, address: Address) -> None:
        """After a swap of our own doing the target's database is another: pin that one."""
        far = await self.reach(target)
        self.pins.pin(target.name, await identity.read(address, far.where))

    def pinned(self) -> list[tuple[str, int]]:
        """Databases that the worker must refuse: (system identifier, OID) of every target."""
        return [(pin.system_identifier, pin.oid) for pin in self.pins.all().values()]

    async def route(self, target: Target, into_major: int | None = None) -> Route:
        """How a dump of the target gets here, for a server `into_major`, or for its own."""
        far = await self.far(target)
        major = (await server.about(far.address)).major
        return await routes.find(
            far.ssh,
            major,
            into_major or major,
            sslmode=far.address.sslmode,
            configured=self.config.postgres_bin,
        )

    async def fetch(
        self,
        target: Target,
        path: Path,
        route: Route | None = None,
        *,
        snapshot: str = "",
        without: tuple[str, ...] = (),
    ) -> Archive:
        """Dump the target's database into `path`, by its best route. Raises as `dump.fetch`."""
        far = await self.far(target)
        route = route or await self.route(target)
        return await dump.by(
            route,
            far.ssh,
            target.address,
            far.address,
            path,
            self.report,
            snapshot=snapshot,
            without=without,
        )

    # PostgreSQL's programs on this machine

    async def local_major(self) -> int:
        """The major version of the local server, whether or not the database is there yet."""
        return (await server.about(self.config.local.address.at("postgres"))).major

    async def pg_dump(self) -> Tool:
        """A pg_dump that may read the local server."""
        return await tools.choose_dump(
            await self.local_major(), configured=self.config.postgres_bin
        )

    async def pg_restore(self, dump_major: int, server_major: int) -> Tool:
        """A pg_restore that reads such an archive and, where one does both, fits such a server."""
        return await tools.choose_restore(
            dump_major, server_major, configured=self.config.postgres_bin
        )
