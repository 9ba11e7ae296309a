"""SSH over a real connection: host keys fail closed, nothing that is cut looks finished."""

from __future__ import annotations

import asyncio
import hashlib
import os
import select
import stat
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.accepted_host import accept
from wizard.base.errors import ConfigError, ConnectionFailed, ExitCode, IdentityMismatch
from wizard.postgres.address import Address
from wizard.postgres.address import connect as connect_to_database
from wizard.sandbox.sshd import SshServer
from wizard.ssh.connection import Connection, Login, connect, host_key
from wizard.ssh.hostkeys import trust
from wizard.ssh.login import resolve


async def test_refuses_an_unknown_host_key_with_its_fingerprint(
    login: Login, ssh_server: SshServer
) -> None:
    with pytest.raises(ConnectionFailed) as caught:
        async with connect(login):
            pass
    assert caught.value.exit_code == ExitCode.CONNECTION
    assert ssh_server.fingerprint in caught.value.found
    assert str(login.known_hosts) in caught.value.hint


async def test_a_host_key_is_seen_accepted_and_known(login: Login, ssh_server: SshServer) -> None:
    seen = await host_key(login)
    assert (seen.fingerprint, seen.standing) == (ssh_server.fingerprint, "unknown")
    assert seen.line == f"[127.0.0.1]:{ssh_server.port} {ssh_server.host_key}"
    trust(login.known_hosts, seen)
    trust(login.known_hosts, seen)
    assert login.known_hosts.read_text().splitlines() == [seen.line]
    assert stat.S_IMODE(login.known_hosts.stat().st_mode) == 0o600
    assert (await host_key(login)).standing == "known"
    async with connect(login) as connection:
        assert (await connection.run(["true"])).returncode == 0


async def test_refuses_a_changed_host_key(login: Login, ssh_server: SshServer) -> None:
    await accept(login)
    before = ssh_server.fingerprint
    await ssh_server.rotate_host_key()
    assert (await host_key(login)).standing == "changed"
    with pytest.raises(IdentityMismatch) as caught:
        async with connect(login):
            pass
    assert caught.value.exit_code == ExitCode.STALE
    assert before in caught.value.found and ssh_server.fingerprint in caught.value.found


async def test_a_revoked_host_key_is_refused(login: Login, ssh_server: SshServer) -> None:
    await accept(login)
    line = login.known_hosts.read_text()
    login.known_hosts.write_text(f"{line}@revoked {line}")
    assert (await host_key(login)).standing == "revoked"
    with pytest.raises(IdentityMismatch):
        async with connect(login):
            pass


async def test_knows_the_hosts_of_the_users_own_known_hosts(
    login: Login, ssh_server: SshServer, tmp_path: Path
) -> None:
    users = tmp_path / "users_known_hosts"
    users.write_text(f"[127.0.0.1]:{ssh_server.port} {ssh_server.host_key}\n")
    assert login.config is not None
    login.config.write_text(f"{login.config.read_text()}    UserKnownHostsFile {users}\n")
    async with connect(login):
        assert not login.known_hosts.exists()


@pytest.mark.parametrize("value", ["none", "/dev/null"])
async def test_no_known_hosts_file_does_not_mean_any_host(login: Login, value: str) -> None:
    assert login.config is not None
    text = (
        f"{login.config.read_text()}    UserKnownHostsFile {value}\n    StrictHostKeyChecking no\n"
    )
    login.config.write_text(text)
    with pytest.raises(ConnectionFailed, match="not known"):
        async with connect(login):
            pass


async def test_a_key_of_another_port_does_not_contradict(
    login: Login, ssh_server: SshServer
) -> None:
    other = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"
    login.known_hosts.parent.mkdir()
    login.known_hosts.write_text(f"127.0.0.1 {other}\n")
    assert (await host_key(login)).standing == "unknown"
    login.known_hosts.write_text(f"[127.0.0.1]:{ssh_server.port} {other}\n")
    assert (await host_key(login)).standing == "changed"


async def test_a_refused_login_says_what_was_tried(login: Login, ssh_server: SshServer) -> None:
    await accept(login)
    ssh_server.refuse_logins = True
    with pytest.raises(ConnectionFailed, match="refused the login as deploy") as caught:
        async with connect(login):
            pass
    assert str(ssh_server.client_key) in caught.value.found


async def test_a_host_that_does_not_answer_fails(login: Login, ssh_server: SshServer) -> None:
    await ssh_server.stop()
    with pytest.raises(ConnectionFailed, match=f"127.0.0.1:{ssh_server.port}"):
        await host_key(login)
    with pytest.raises(ConnectionFailed, match=f"127.0.0.1:{ssh_server.port}"):
        async with connect(login):
            pass


@pytest.mark.parametrize("destination", ["", "-oProxyCommand=x", "a@-b", "-a@b", "@b", "a@"])
def test_refuses_malformed_destinations(destination: str) -> None:
    with pytest.raises(ConfigError):
        Login(destination, Path("known_hosts"))


def test_refuses_a_user_that_ssh_has_no_encoding_for(login: Login) -> None:
    with pytest.raises(ConfigError, match="cannot be a user and host for SSH") as refused:
        resolve(replace(login, destination="\ud7a4@far"))
    assert "Unassigned character" in refused.value.found


@pytest.fixture
async def connection(login: Login) -> AsyncIterator[Connection]:
    await accept(login)
    async with connect(login) as connection:
        yield connection


async def test_runs_a_command_with_its_output_and_exit_code(connection: Connection) -> None:
    heard: list[str] = []
    script = "cat; echo err >&2; exit 3"
    done = await connection.run(["sh", "-c", script], stdin=b"fed\n", on_line=heard.append)
    assert (done.returncode, done.stdout, done.stderr_tail) == (3, "fed\n", "err")
    assert sorted(heard) == ["err", "fed"]


async def test_passes_arguments_unchanged(connection: Connection) -> None:
    odd = ["a b", "$HOME", "'", '"', "`id`", "-n", ";exit 9", "é", "*", ""]
    done = await connection.run(["printf", "%s|", *odd])
    assert done.stdout == "|".join(odd) + "|"


async def test_streams_arrive_whole(connection: Connection) -> None:
    digest = hashlib.sha256()
    count = 0
    script = "head -c 5000000 /dev/zero"
    async with connection.stream(["sh", "-c", script]) as stream:
        async for chunk in stream:
            digest.update(chunk)
            count += len(chunk)
    assert (stream.returncode, count) == (0, 5_000_000)
    assert digest.digest() == hashlib.sha256(bytes(5_000_000)).digest()


async def test_a_cut_connection_is_never_a_silent_end(
    connection: Connection, ssh_server: SshServer
) -> None:
    ssh_server.drop_after(1_000_000)
    count = 0
    with pytest.raises(ConnectionFailed, match="head"):
        async with connection.stream(["head", "-c", "5000000", "/dev/zero"]) as stream:
            async for chunk in stream:
                count += len(chunk)
    assert count <= 1_000_000
    with pytest.raises(ConnectionFailed):
        await connection.run(["true"])


async def test_a_cancelled_command_ends_on_the_far_side(connection: Connection) -> None:
    pid: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(
        connection.run(["sh", "-c", "echo $$; exec sleep 60"], on_line=pid.set_result)
    )
    process = os.pidfd_open(int(await asyncio.wait_for(pid, 10)))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    ended, *_ = await asyncio.to_thread(select.select, [process], [], [], 10)  # pidfd_open(2)
    os.close(process)
    assert ended


async def test_a_forwarded_socket_is_private_and_leads_to_the_database(
    connection: Connection, far_database: Address
) -> None:
    async with connection.forward_socket(far_database.host, far_database.port) as directory:
        assert stat.S_IMODE(Path(directory).stat().st_mode) == 0o700
        async with await connect_to_database(replace(far_database, host=directory)) as database:
            cursor = await database.execute("SELECT current_database()")
            assert await cursor.fetchone() == (far_database.database,)
    assert not Path(directory).exists()


async def test_the_default_socket_is_found(connection: Connection, far_database: Address) -> None:
    async with (
        connection.forward_socket("", far_database.port) as directory,
        await connect_to_database(replace(far_database, host=directory)) as database,
    ):
        await database.execute("SELECT 1")
    with pytest.raises(ConfigError, match="port 9"):
        async with connection.forward_socket("", 9):
            pass


async def test_forwards_to_a_database_that_its_host_reaches_by_tcp(
    connection: Connection, ssh_server: SshServer, far_database: Address
) -> None:
    """As one on another machine is: a port there, and here a socket of our own."""
    socket = f"{far_database.host}/.s.PGSQL.{far_database.port}"

    async def relay(near: asyncio.StreamReader, answer: asyncio.StreamWriter) -> None:
        far, onward = await asyncio.open_unix_connection(socket)
        await asyncio.gather(passed_on(near, onward), passed_on(far, answer))

    async def passed_on(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        while data := await source.read(1 << 16):
            target.write(data)
        target.close()

    ssh_server.lets_through = True
    async with await asyncio.start_server(relay, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with connection.forward_socket("127.0.0.1", port) as directory:
            address = replace(far_database, host=directory, port=port)
            async with await connect_to_database(address) as database:
                cursor = await database.execute("SELECT current_database()")
                assert await cursor.fetchone() == (far_database.database,)
