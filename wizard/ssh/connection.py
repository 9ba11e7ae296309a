"""SSH: commands that really ran, streams that really ended, sockets forwarded privately.

`ssh_config` is honoured (aliases, jumps, agents, keys). Host keys are always checked and fail
closed. A connection that is cut is an error in every method: asyncssh's own `run(check=True)`
takes a missing exit status for success.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import shutil
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager

import asyncssh

from wizard.base.errors import ConfigError, ConnectionFailed, IdentityMismatch, RemodelError
from wizard.base.printed import Lines, Output
from wizard.base.process import READ, Completed
from wizard.ssh import sockets
from wizard.ssh.hostkeys import HostKey, KnownHosts
from wizard.ssh.login import Login, arguments, known_hosts, names, resolve, way

__all__ = ["Connection", "HostKey", "Login", "Stream", "connect", "host_key"]

WINDOW = 32 << 20  # bytes in flight: asyncssh's 2 MiB starve a link of 20 ms and more
CIPHERS = "^aes128-gcm@openssh.com"  # first: 1.7 times as fast as the default on one core
TIMEOUT = 15.0  # seconds for each of: reaching the host, logging in, closing
KEEPALIVE = 15  # seconds; four unanswered ones end a connection that went silent
SOCKET_DIRECTORIES = ("/var/run/postgresql", "/run/postgresql", "/tmp")


class _Client(asyncssh.SSHClient):
    """Refuses a host key that no known_hosts file has, and remembers it for the message."""

    presented: asyncssh.SSHKey | None = None

    def validate_host_public_key(
        self, host: str, addr: str, port: int, key: asyncssh.SSHKey
    ) -> bool:
        self.presented = key
        return False


async def host_key(login: Login) -> HostKey:
    """Return the key that the host presents now, and whether we know it, without logging in.

    Raise ConnectionFailed when there is no SSH server, or no way through the jump hosts.
    """
    *before, last = await asyncio.to_thread(way, login)
    options = await asyncio.to_thread(resolve, last)
    known = known_hosts(last, options)
    client = _Client()
    async with _logged_in(before) as through:
        try:
            # Nothing is trusted here: the key is shown to us and the login never begins.
            trusted = KnownHosts(known.pattern)
            connection = await _open(last, options, trusted, known, client, through)
            connection.abort()
        except asyncssh.HostKeyNotVerifiable:
            pass
        except (OSError, asyncssh.Error) as error:
            raise _unreachable(last, options, error) from None
    if client.presented is None:
        raise ConnectionFailed(f"{login.destination} did not show a host key.")
    return known.describe(client.presented)


@asynccontextmanager
async def connect(login: Login) -> AsyncIterator[Connection]:
    """Log in. Leaving closes the connection, with everything that runs over it.

    Raise ConnectionFailed (unreachable, refused, host key unknown), or IdentityMismatch when
    the host key is another than the known one; the same for each jump host of the ssh_config.
    """
    # Not in the event loop: what `Match exec` runs may take its time.
    async with _logged_in(await asyncio.to_thread(way, login)) as connection:
        assert connection is not None
        yield Connection(login, connection)


@asynccontextmanager
async def _logged_in(
    logins: Sequence[Login],
) -> AsyncIterator[asyncssh.SSHClientConnection | None]:
    """Connect to the last of some hosts, each through the one before it."""
    async with AsyncExitStack() as stack:
        through = None
        for login in logins:
            through = await stack.enter_async_context(_log_in(login, through))
        yield through


@asynccontextmanager
async def _log_in(
    login: Login, through: asyncssh.SSHClientConnection | None
) -> AsyncIterator[asyncssh.SSHClientConnection]:
    options = await asyncio.to_thread(resolve, login)
    known = known_hosts(login, options)
    client = _Client()
    try:
        connection = await _open(login, options, known, known, client, through)
    except asyncssh.HostKeyNotVerifiable as error:
        raise _untrusted(login, known, client.presented, error) from None
    except asyncssh.PermissionDenied as error:
        raise _refused(login, options, error) from None
    except (OSError, asyncssh.Error) as error:
        raise _unreachable(login, options, error) from None
    try:
        yield connection
    finally:
        connection.close()
        with contextlib.suppress(OSError, asyncssh.Error):
            await asyncio.wait_for(connection.wait_closed(), TIMEOUT)


class Connection:
    """An SSH connection that is logged in; made by `connect`."""

    def __init__(self, login: Login, connection: asyncssh.SSHClientConnection) -> None:
        self.login = login
        self._connection = connection

    def __str__(self) -> str:
        return self.login.destination

    @property
    def host_key(self) -> str:
        """The fingerprint of the key that the host presented, `SHA256:…`."""
        key = self._connection.get_server_host_key()
        return key.get_fingerprint("sha256") if key else ""

    @property
    def alive(self) -> bool:
        """Whether the connection has not ended yet, as far as is known without asking."""
        return not self._connection.is_closed()

    async def run(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes | None = None,
        on_line: Callable[[str], None] | None = None,
    ) -> Completed:
        """Run a command to its end. `on_line` gets each line of output and errors as it comes.

        The exit status is the caller's to judge. Raise ConnectionFailed when the connection
        ends before the command does.
        """
        output = Output(f"{argv[0]} on {self}")
        lines = Lines(on_line)
        async with self.stream(argv, stdin=stdin, on_stderr=on_line) as stream:
            async for chunk in stream:
                output.feed(chunk)
                lines.feed(chunk)
            lines.feed(b"", final=True)
            assert stream.returncode is not None
            return Completed(stream.returncode, output, lines.tail, stream.stderr_tail)

    @asynccontextmanager
    async def stream(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes | None = None,
        on_stderr: Callable[[str], None] | None = None,
    ) -> AsyncIterator[Stream]:
        """Start a command whose output is read by iterating over it; leaving ends it."""
        with self.losing(f"starting {argv[0]}"):
            process = await self._connection.create_process(shlex.join(argv), encoding=None)
        stream = Stream(self, process, argv[0], stdin, on_stderr)
        try:
            yield stream
        finally:
            await stream.end()

    @asynccontextmanager
    async def forward_socket(self, host: str, port: int = 5432) -> AsyncIterator[str]:
        """Forward to a directory whose socket `.s.PGSQL.PORT` leads to the far PostgreSQL.

        `host` is what libpq would be given over there: a socket's directory, a host name, or
        empty for the default socket. The directory is ours alone (0700); a TCP listener would be
        open to every user of this machine. libpq asks no TLS of a unix socket, so a `hostssl`
        rule of a remote TCP server does not match what comes this way.
        """
        if not host:
            host = await self._socket_directory(port)
        directory = sockets.make_directory()
        local = str(directory / f".s.PGSQL.{port}")
        try:
            with self.losing(f"forwarding to PostgreSQL at {host}"):
                if host.startswith("/"):
                    listener = await self._connection.forward_local_path(
                        local, f"{host}/.s.PGSQL.{port}"
                    )
                else:
                    listener = await self._connection.forward_local_path_to_port(local, host, port)
            try:
                yield str(directory)
            finally:
                listener.close()
        finally:
            shutil.rmtree(directory, ignore_errors=True)

    @asynccontextmanager
    async def sftp(self) -> AsyncIterator[asyncssh.SFTPClient]:
        """Open the far side's files by SFTP. The caller handles asyncssh's own errors."""
        with self.losing("opening SFTP"):
            client = await self._connection.start_sftp_client()
        try:
            yield client
        finally:
            client.exit()

    async def _socket_directory(self, port: int) -> str:
        # Debian and Red Hat move PostgreSQL's own default, /tmp.
        script = (
            "port=$1; shift; "
            'for place in "${PGHOST:-/}" "$@"; do '
            'if [ -S "$place/.s.PGSQL.$port" ]; then printf %s "$place"; exit 0; fi; done; exit 1'
        )
        done = await self.run(["sh", "-c", script, "remodel", str(port), *SOCKET_DIRECTORIES])
        if done.returncode != 0:
            raise ConfigError(
                f"No socket of a PostgreSQL on port {port} was found on {self}.",
                found=f"Looked in $PGHOST, {', '.join(SOCKET_DIRECTORIES)}.",
                hint="Give the target's host in remodel.yml: the socket's directory or a name.",
            )
        return done.stdout

    @contextmanager
    def losing(self, doing: str) -> Iterator[None]:
        """Turn a lost connection into a ConnectionFailed that says what was being done."""
        try:
            yield
        except (asyncssh.Error, OSError) as error:
            raise self.lost(doing, str(error)) from None

    def lost(self, doing: str, found: str = "") -> ConnectionFailed:
        return ConnectionFailed(
            f"The SSH connection to {self} failed while {doing}.",
            found=found,
            hint="Check the network and the host, then run again.",
        )


class Stream:
    """A command running on the far side. Iterate over it for its standard output."""

    def __init__(
        self,
        connection: Connection,
        process: asyncssh.SSHClientProcess[bytes],
        name: str,
        stdin: bytes | None,
        on_stderr: Callable[[str], None] | None,
    ) -> None:
        self._connection = connection
        self._process = process
        self._name = name
        self._errors = Lines(on_stderr)
        self._reading = asyncio.ensure_future(self._read_errors())
        self._feeding = asyncio.ensure_future(self._feed(stdin))

    @property
    def returncode(self) -> int | None:
        return self._process.returncode

    @property
    def stderr_tail(self) -> str:
        return self._errors.tail

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with self._connection.losing(f"running {self._name}"):
            while chunk := await self._process.stdout.read(READ):
                yield chunk
            await self._reading
            await self._process.wait_closed()
        if self.returncode is None:  # closed in good order, and yet the command has not ended
            raise self._connection.lost(f"running {self._name}", "no exit status arrived")

    async def _read_errors(self) -> None:
        while chunk := await self._process.stderr.read(READ):
            self._errors.feed(chunk)
        self._errors.feed(b"", final=True)

    async def _feed(self, data: bytes | None) -> None:
        # A command may end without reading all of its input; its exit status tells the rest.
        with contextlib.suppress(asyncssh.Error, OSError):
            if data:
                self._process.stdin.write(data)
                await self._process.stdin.drain()
            self._process.stdin.write_eof()

    async def end(self) -> None:
        """End the command if it still runs: its channel is closed, its next write fails."""
        if self.returncode is None:
            with contextlib.suppress(asyncssh.Error, OSError):
                self._process.terminate()
        self._process.close()
        for task in (self._reading, self._feeding):
            task.cancel()
        await asyncio.gather(self._reading, self._feeding, return_exceptions=True)


async def _open(
    login: Login,
    options: asyncssh.SSHClientConnectionOptions,
    trusted: KnownHosts,
    known: KnownHosts,
    client: _Client,
    through: asyncssh.SSHClientConnection | None,
) -> asyncssh.SSHClientConnection:
    given = arguments(login)
    if through is not None:
        given["tunnel"] = through
    if not options.config.get("Ciphers", ()):  # the user's own choice stands
        given["encryption_algs"] = CIPHERS
    return await asyncssh.connect(
        **given,
        known_hosts=(
            list(trusted.trusted),
            list(trusted.authorities),
            list(trusted.revoked),
        ),
        server_host_key_algs=known.algorithms,
        client_factory=lambda: client,
        compression_algs="none",  # the dumps are compressed; zlib costs more than the link
        window=WINDOW,
        connect_timeout=TIMEOUT,
        login_timeout=TIMEOUT,
        keepalive_interval=KEEPALIVE,
        keepalive_count_max=4,
    )


def _untrusted(
    login: Login, known: KnownHosts, key: asyncssh.SSHKey | None, error: Exception
) -> RemodelError:
    presented = known.describe(key) if key else None
    evidence = f"{presented.algorithm} {presented.fingerprint}" if presented else str(error)
    if presented is not None and presented.standing == "unknown":
        return ConnectionFailed(
            f"The host key of {login.destination} is not known.",
            found=evidence,
            hint="Start `remodel` once on a terminal to see and accept the host key, or put its "
            f"line into {login.known_hosts}.",
        )
    trusted = "\n".join(
        f"known: {known.describe(trusted_key).fingerprint}" for trusted_key in known.trusted
    )
    return IdentityMismatch(
        f"The host key of {login.destination} is not the known one.",
        found=f"presented: {evidence}\n{trusted}".rstrip(),
        hint="Somebody may be listening in, or the host was set up anew: ask whoever runs it. "
        f"Then remove the lines for {known.pattern} from {login.known_hosts} and your own "
        "known_hosts.",
    )


def _refused(
    login: Login, options: asyncssh.SSHClientConnectionOptions, error: Exception
) -> ConnectionFailed:
    tried = ", ".join(names(options, "IdentityFile", [])) or "the default keys of ~/.ssh"
    agent = "an ssh-agent" if os.environ.get("SSH_AUTH_SOCK") else "no ssh-agent"
    return ConnectionFailed(
        f"{options.host}:{options.port} refused the login as {options.username}.",
        found=f"{error}\nTried: {tried}; {agent}.",
        hint=f"Check that `ssh {login.destination}` works without asking for a password; a key "
        "with a passphrase must be in ssh-agent.",
    )


def _unreachable(
    login: Login, options: asyncssh.SSHClientConnectionOptions, error: Exception
) -> ConnectionFailed:
    return ConnectionFailed(
        f"No SSH connection to {login.destination} ({options.host}:{options.port}).",
        found=str(error) or type(error).__name__,
        hint="Check the host's name and port, the network, and that the SSH server runs.",
    )
