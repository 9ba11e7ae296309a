"""The targets: reached over SSH or directly, held against the identity they were pinned with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from wizard.base.errors import ConfigError
from wizard.base.events import Report
from wizard.config.config import Config
from wizard.config.databases import Target
from wizard.postgres import identity, server
from wizard.postgres.address import Address
from wizard.postgres.catalog import entries
from wizard.postgres.catalog.entries import Catalog
from wizard.postgres.dumps import dump, routes
from wizard.postgres.dumps.archive import Archive
from wizard.postgres.dumps.routes import Route
from wizard.postgres.identity import Identity, Pins
from wizard.session.session import Session
from wizard.ssh.connection import Connection, Login, connect

Describing = Callable[[Address], Awaitable[Catalog]]


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
        """The SSH connection. Raise ConfigError for a target without one."""
        if self.ssh is None:
            raise ConfigError(
                f"{self.address} is reached without SSH, so no command can run there.",
                hint="Give the target's `ssh` in remodel.yml.",
            )
        return self.ssh


class FarSide:
    """The targets of a session. Connections are opened when needed and closed by `close`."""

    def __init__(self, config: Config, session: Session) -> None:
        self._config = config
        self._session = session
        self._open: dict[str, tuple[Far, AsyncExitStack]] = {}

    async def close(self) -> None:
        """Close every connection."""
        for name in list(self._open):
            await self._hang_up(name)

    @property
    def known_hosts(self) -> Path:
        """The host keys that the operator accepted for this project."""
        return self._config.state / "known_hosts"

    @property
    def pins(self) -> Pins:
        """The databases as they were when this session first used them."""
        return Pins(self._session.folder / "identities.json")

    def pinned(self) -> list[tuple[str, int]]:
        """Return the databases that the worker must refuse: (system identifier, OID)."""
        return [(pin.system_identifier, pin.oid) for pin in self.pins.all().values()]

    def login(self, target: Target) -> Login:
        """Return how SSH reaches a target."""
        return Login(target.ssh, known_hosts=self.known_hosts, config=target.ssh_config)

    async def checked(self, target: Target) -> Far:
        """Return the target, connected, after checking its database's pinned identity.

        Raise ConnectionFailed, or IdentityMismatch when it is another database by now.
        """
        far = await self.reach(target)
        self.pins.check(target.name, await self.identify(target))
        return far

    async def identify(self, target: Target) -> Identity:
        """Return the identity that the target's database has now, whatever was pinned."""
        far = await self.reach(target)
        return await identity.read(far.address, far.where)

    async def address(self, target: Target) -> Address:
        """Return the target's database without checking its identity, as after a swap."""
        return (await self.reach(target)).address

    async def reach(self, target: Target) -> Far:
        """Return the target, connected; its database's identity is not checked."""
        if not target.ssh:
            return Far(None, target.address, target.where)
        if target.name in self._open and not self._open[target.name][0].connection.alive:
            await self._hang_up(target.name)
        if target.name not in self._open:
            async with AsyncExitStack() as stack:
                connection = await stack.enter_async_context(connect(self.login(target)))
                folder = await stack.enter_async_context(
                    connection.forward_socket(target.address.host, target.address.port)
                )
                address = replace(target.address, host=folder)
                where = f"{target.ssh} with the host key {connection.host_key}"
                self._open[target.name] = (Far(connection, address, where), stack.pop_all())
        return self._open[target.name][0]

    async def _hang_up(self, name: str) -> None:
        _, stack = self._open.pop(name)
        await stack.aclose()

    async def repin(self, target: Target, address: Address) -> None:
        """Pin the target's database anew, which after a swap of ours is another one."""
        far = await self.reach(target)
        self.pins.pin(target.name, await identity.read(address, far.where))

    async def route(self, target: Target, into_major: int | None = None) -> Route:
        """Return the route of a dump from the target to here, for a server of version
        `into_major`, or of the target's own version."""
        return await self._route(await self.checked(target), into_major)

    async def _route(self, far: Far, into_major: int | None = None) -> Route:
        major = (await server.about(far.address)).major
        return await routes.find(
            far.ssh,
            major,
            into_major or major,
            sslmode=far.address.sslmode,
            configured=self._config.postgres_bin,
        )

    async def describing(self, target: Target) -> Describing:
        """Return what describes a database on the target's server, object for object.

        It is given the database as it is reached from here. All are described by one pg_dump. No
        identity is checked, since after a delivery it is another one.
        """
        far = await self.reach(target)
        route = await self._route(far)

        async def describe(address: Address) -> Catalog:
            there = target.address.at(address.database)
            ssh = far.ssh if route.far else None
            return await entries.describe(address, route.pg_dump, ssh=ssh, far=there)

        return describe

    async def fetch(
        self,
        target: Target,
        path: Path,
        report: Report,
        route: Route | None = None,
        *,
        snapshot: str = "",
        without: tuple[str, ...] = (),
    ) -> Archive:
        """Dump the target's database into `path`, by its best route. Raise as `dump.by`."""
        far = await self.checked(target)
        route = route or await self.route(target)
        return await dump.by(
            route,
            far.ssh,
            target.address,
            far.address,
            path,
            report,
            snapshot=snapshot,
            without=without,
        )
