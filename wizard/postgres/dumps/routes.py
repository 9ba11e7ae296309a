"""Which pg_dump makes a dump, where it runs, and what reads the dump here.

On the far side where there is one that may read the server: a dump is compressed before it
travels, and one command costs one round trip. Else here, through the forwarded socket or straight
to a server that this machine reaches. Versions decide before places: a pair of pg_dump and
pg_restore that goes all the way to the server it is for is better than one that needs the loader.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from wizard.base.errors import ConfigError
from wizard.postgres.dumps import tools
from wizard.postgres.dumps.tools import Tool
from wizard.ssh.connection import Connection


@dataclass(frozen=True)
class Route:
    """How a dump is made. Without `pg_restore` nothing here reads archives, and it is a script."""

    far: bool
    pg_dump: Tool
    pg_restore: Tool | None
    method: str
    loads: bool
    """Whether the loader, and not pg_restore, fills the database that the dump is for."""
    note: str = ""
    """Why another route was not taken."""

    @property
    def why(self) -> str:
        """The reason for this route, in words for the plan."""
        where = "there" if self.far else "here"
        words = [f"pg_dump {self.pg_dump.version} {where}", f"compressed with {self.method}"]
        if self.pg_restore is None:
            words.append("as a script, for no pg_restore here reads its archives")
        elif self.loads:
            words.append(
                f"restored by the loader, for pg_restore {self.pg_restore.major} sets what that "
                "server does not know"
            )
        else:
            words.append(f"restored by pg_restore {self.pg_restore.version}")
        return ", ".join([*words, *filter(None, [self.note])])


async def find(
    connection: Connection | None,
    server_major: int,
    into_major: int,
    *,
    sslmode: str = "",
    configured: Path | None,
) -> Route:
    """Return the best route from a server `server_major` to one of `into_major`.

    `connection` leads to the host of the first; without one this machine reaches it itself, by
    `sslmode` where that is given. Raise ConfigError when no pg_dump on either side may read the
    server.
    """
    far, printed = await tools.far_dumps(connection) if connection is not None else ([], "")
    note = ""
    if printed:  # it would be in the dump
        far, note = [], f"for a login there prints {printed!r}, which would be in a dump from there"
    present = await tools.find("pg_dump", configured=configured)
    here = await tools.with_methods(await tools.with_tls(present, sslmode) if sslmode else present)
    restores = await tools.find("pg_restore", configured=configured)
    route = choose(server_major, into_major, far=far, here=here, restores=restores)
    if route is None:
        able = {tool.path for tool in here}
        choices = [f"{tool} on {connection}" for tool in far]
        choices += [
            f"{tool}" if tool.path in able else f"{tool}, built without TLS" for tool in present
        ]
        choices += [f"None on {connection}, {note}."] if note else []
        raise ConfigError(
            f"No pg_dump may read PostgreSQL {server_major}: it takes {server_major} or newer.",
            found="\n".join(choices) or "There is none, here or there.",
            hint=f"Install the client programs of PostgreSQL {server_major} on either side, and "
            "name the directory of those here as postgres.bin in remodel.yml.",
        )
    return replace(route, note=note)


def choose(
    server_major: int,
    into_major: int,
    *,
    far: Sequence[Tool],
    here: Sequence[Tool],
    restores: Sequence[Tool],
) -> Route | None:
    """Return the best route with these tools; None where no pg_dump is new enough."""
    dumps = [(True, tool) for tool in far] + [(False, tool) for tool in here]
    routes = [
        _route(is_far, tool, into_major, here, restores)
        for is_far, tool in dumps
        if tool.major >= server_major
    ]
    # The closest version first: an older pg_restore reads the archive, and less is new to it.
    return min(
        routes,
        key=lambda route: (
            route.pg_restore is None,
            route.loads,
            not route.far,
            route.pg_dump.major,
            _rank(route.method),
        ),
        default=None,
    )


def _route(
    is_far: bool, pg_dump: Tool, into_major: int, here: Sequence[Tool], restores: Sequence[Tool]
) -> Route:
    reading = [tool for tool in restores if tool.major >= pg_dump.major]
    fitting = [tool for tool in reading if tools.fits(tool.major, into_major)]
    if not reading:
        return Route(is_far, pg_dump, None, "gzip", True)
    # What one installation's pg_dump writes its pg_restore reads.
    built = {tool.path.parent: tool.methods for tool in here}
    pairs = [
        (method, tool)
        for tool in fitting or reading
        for method in ("gzip", *built.get(tool.path.parent, ()))
        if method == "gzip" or method in pg_dump.methods
    ]
    method, pg_restore = min(pairs, key=lambda pair: (_rank(pair[0]), pair[1].major))
    return Route(is_far, pg_dump, pg_restore, method, not fitting)


def _rank(method: str) -> int:
    return tools.METHODS.index(method) if method in tools.METHODS else len(tools.METHODS)
