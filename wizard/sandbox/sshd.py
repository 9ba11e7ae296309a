"""A loopback SSH server in this process: what `remodel demo` calls production's machine.

Everything but the distance is real: an ed25519 host key, key authentication, commands that
run in /bin/sh, forwards to PostgreSQL's unix socket, SFTP.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import cast

import asyncssh

from wizard.base.errors import OperationFailed
from wizard.postgres.address import Address

LOOPBACK = "127.0.0.1"
CHUNK = 64 * 1024  # bytes


def login_environment(home: Path, address: Address, binaries: Path) -> dict[str, str]:
    """Make `home` the home of a user who reaches `address` by default, as a site's user does.

    The password goes into `home`/.pgpass. Return the environment of the user's commands.
    """
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    password = address.password.reveal() if address.password else ""
    escaped = password.replace("\\", "\\\\").replace(":", "\\:")
    _write_private(home / ".pgpass", f"*:*:*:{address.user}:{escaped}\n".encode())
    return {
        "HOME": str(home),
        "PATH": os.pathsep.join([str(binaries), "/usr/local/bin", "/usr/bin", "/bin"]),
        "LANG": "C.UTF-8",
        "PGHOST": address.host,
        "PGPORT": str(address.port),
        "PGUSER": address.user,
        "PGPASSFILE": str(home / ".pgpass"),
    }


class SshServer:
    """A loopback SSH server: real ed25519 host key, key authentication only, commands really run.

    Commands run in `home` with exactly `environment`. Forwards lead to unix sockets directly
    below `sockets` and nowhere else, SFTP to files below `home`. The host key, the client's
    key and the port are kept in `root`; the port is another one when it has been taken since.
    """

    def __init__(
        self, root: Path, *, user: str, environment: Mapping[str, str], home: Path, sockets: Path
    ) -> None:
        self.root = root.absolute()
        self.user = user
        self.environment = dict(environment)
        self.home = home.resolve()
        self.sockets = sockets.resolve()
        self.refuse_logins = False
        """While true, every key is refused."""
        self.lets_through = False
        """While true, forwards may also lead to TCP ports, as a jump host's do."""
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._host_key = _key(self.root / "host_key")
        self._authorized = _key(self.client_key).convert_to_public()
        self._acceptor: asyncssh.SSHAcceptor | None = None
        self._connections: set[asyncssh.SSHServerConnection] = set()
        self._commands: set[asyncio.Task[None]] = set()
        self._until_cut: int | None = None

    @property
    def client_key(self) -> Path:
        """The private key that may log in, 0600."""
        return self.root / "client_key"

    @property
    def host_key(self) -> str:
        """The public host key as a line of known_hosts has it: `ssh-ed25519 AAAA...`."""
        return " ".join(self._host_key.export_public_key().decode().split()[:2])

    @property
    def fingerprint(self) -> str:
        """The host key's fingerprint, `SHA256:...`."""
        return self._host_key.get_fingerprint()

    @property
    def port(self) -> int:
        """The port on 127.0.0.1: where it listens, or listened last. 0 before the first start."""
        if self._acceptor is not None:
            return self._acceptor.get_port()
        with contextlib.suppress(OSError, ValueError):
            return int((self.root / "port").read_text())
        return 0

    def write_ssh_config(self, path: Path, alias: str) -> None:
        """Write a client configuration with which `ssh -F path alias` logs in here."""
        lines = [
            f"Host {alias}",
            f"    HostName {LOOPBACK}",
            f"    Port {self.port}",
            f"    User {self.user}",
            f'    IdentityFile "{self.client_key}"',
            "    IdentitiesOnly yes",
        ]
        _write_private(path, ("\n".join(lines) + "\n").encode())

    async def start(self) -> None:
        """Start to listen. Raise OperationFailed when no port can be opened."""
        if self._acceptor is not None:
            return
        try:
            self._acceptor = await self._listen(self.port)
        except OSError:
            try:
                self._acceptor = await self._listen(0)
            except OSError as error:
                raise OperationFailed(
                    f"The sandbox's SSH server cannot listen on {LOOPBACK}.",
                    found=str(error),
                    hint="Check that this machine allows connections to itself.",
                ) from None
        (self.root / "port").write_text(str(self.port))

    async def stop(self) -> None:
        """Close every connection, end every command, stop listening. Idempotent."""
        acceptor, self._acceptor = self._acceptor, None
        if acceptor is None:
            return
        acceptor.close()
        self.cut()
        await acceptor.wait_closed()
        await asyncio.gather(*self._commands, return_exceptions=True)

    # Faults, for tests

    def cut(self) -> None:
        """Cut the TCP connection of every client, now."""
        for connection in tuple(self._connections):
            connection.abort()

    def drop_after(self, count: int) -> None:
        """Cut the connection once, after the next `count` bytes of commands' stdout were sent."""
        self._until_cut = count

    async def rotate_host_key(self) -> None:
        """Change to another host key on the same port, as a reinstalled machine would."""
        listens = self._acceptor is not None
        await self.stop()
        (self.root / "host_key").unlink()
        self._host_key = _key(self.root / "host_key")
        if listens:
            await self.start()

    # Serving

    async def _listen(self, port: int) -> asyncssh.SSHAcceptor:
        return await asyncssh.listen(
            LOOPBACK,
            port,
            server_factory=lambda: _Gatekeeper(self),
            server_host_keys=[self._host_key],
            process_factory=self._command,
            sftp_factory=lambda channel: _Files(channel, self.home),
            encoding=None,
            line_editor=False,
            agent_forwarding=False,
        )

    async def _command(self, process: asyncssh.SSHServerProcess[bytes]) -> None:
        task = cast("asyncio.Task[None]", asyncio.current_task())
        self._commands.add(task)
        try:
            await self._run(process)
        finally:
            self._commands.discard(task)

    async def _run(self, process: asyncssh.SSHServerProcess[bytes]) -> None:
        """Run one command to its end, or to the end of the channel, whichever comes first."""
        argv = ["/bin/sh"] if process.command is None else ["/bin/sh", "-c", process.command]
        child = await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=self.home,
            env=self.environment,
            start_new_session=True,
        )
        gone = asyncio.create_task(process.channel.wait_closed())
        feeding = asyncio.create_task(_feed(process, child))
        ending = asyncio.create_task(self._end(process, child))
        try:
            await asyncio.wait({gone, ending}, return_when=asyncio.FIRST_COMPLETED)
            if ending.done():
                code = ending.result()
                if code < 0:
                    process.exit_with_signal(signal.Signals(-code).name.removeprefix("SIG"))
                else:
                    process.exit(code)
        finally:
            if not ending.done():  # what it left in the background on purpose may stay
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(child.pid, signal.SIGKILL)
            for task in (gone, feeding, ending):
                task.cancel()
            await asyncio.gather(gone, feeding, ending, return_exceptions=True)
            # wait() waits for the pipes, too, and those that nobody reads any more never end.
            child._transport.close()  # type: ignore[attr-defined]
            await child.wait()

    async def _end(
        self, process: asyncssh.SSHServerProcess[bytes], child: asyncio.subprocess.Process
    ) -> int:
        """Send all of the child's output; return its exit code."""
        assert child.stdout is not None and child.stderr is not None
        await asyncio.gather(
            self._send(child.stdout, process.stdout, process.channel.get_connection().abort),
            self._send(child.stderr, process.stderr),
        )
        return await child.wait()

    # asyncssh's process.redirect() of an asyncio.StreamReader fails under back-pressure (2.24:
    # "read() called while another coroutine is already waiting"), hence loops of our own.

    async def _send(
        self,
        source: asyncio.StreamReader,
        target: asyncssh.SSHWriter[bytes],
        cut: Callable[[], None] | None = None,
    ) -> None:
        while data := await source.read(CHUNK):
            if cut is not None and self._until_cut is not None:
                data = data[: self._until_cut]
                self._until_cut -= len(data)
            with contextlib.suppress(asyncssh.Error, OSError):  # gone: the child is killed for it
                target.write(data)
                await target.drain()
            if cut is not None and self._until_cut == 0:
                self._until_cut = None
                cut()


async def _feed(
    process: asyncssh.SSHServerProcess[bytes], child: asyncio.subprocess.Process
) -> None:
    """Pass on what the client sends, its end of file, and its signals."""
    assert child.stdin is not None
    with contextlib.suppress(BrokenPipeError, ConnectionResetError, asyncssh.Error):
        while True:
            try:
                data = await process.stdin.read(CHUNK)
            except asyncssh.SignalReceived as received:
                with contextlib.suppress(ProcessLookupError, KeyError):
                    os.killpg(child.pid, signal.Signals[f"SIG{received.signal}"])
                continue
            except (asyncssh.BreakReceived, asyncssh.TerminalSizeChanged):
                continue
            if not data:
                break
            child.stdin.write(data)
            await child.stdin.drain()
    child.stdin.close()


class _Gatekeeper(asyncssh.SSHServer):
    """Who may log in, and where a forward may lead."""

    def __init__(self, server: SshServer) -> None:
        self._server = server
        self._connection: asyncssh.SSHServerConnection | None = None

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn
        self._server._connections.add(conn)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._connection is not None:
            self._server._connections.discard(self._connection)

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        server = self._server
        return not server.refuse_logins and username == server.user and key == server._authorized

    def connection_requested(
        self, dest_host: str, dest_port: int, orig_host: str, orig_port: int
    ) -> bool:
        return self._server.lets_through

    def unix_connection_requested(self, dest_path: str) -> bool:
        path = Path(dest_path)
        return path.is_absolute() and path.parent.resolve() == self._server.sockets


class _Files(asyncssh.SFTPServer):
    """Files below the home directory under their real names, so that commands agree on them."""

    def __init__(self, channel: asyncssh.SSHServerChannel[bytes], home: Path) -> None:
        super().__init__(channel)
        self._home = home

    def map_path(self, path: bytes) -> bytes:
        wanted = self._home / os.fsdecode(path)
        if not wanted.resolve().is_relative_to(self._home):
            raise asyncssh.SFTPPermissionDenied(f"{wanted} is not below {self._home}")
        return os.fsencode(wanted)


def _key(path: Path) -> asyncssh.SSHKey:
    """Return the key in `path`, made when there is none."""
    if not path.exists():
        _write_private(path, asyncssh.generate_private_key("ssh-ed25519").export_private_key())
    return asyncssh.read_private_key(path)


def _write_private(path: Path, content: bytes) -> None:
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_bytes(content)
