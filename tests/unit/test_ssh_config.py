"""What the ssh_config says: jump hosts, aliases, ciphers, agents."""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.accepted_host import accept
from wizard.base.errors import ConfigError, ConnectionFailed
from wizard.sandbox.sshd import SshServer
from wizard.ssh.connection import Connection, Login, connect, host_key
from wizard.ssh.hostkeys import trust
from wizard.ssh.login import way


@pytest.fixture
def jumping(login: Login, ssh_server: SshServer, bastion: SshServer, tmp_path: Path) -> Login:
    """`login`, whose ssh_config goes by way of `bastion`."""
    assert login.config is not None
    bastion.write_ssh_config(tmp_path / "bastion_config", "bastion")
    text = login.config.read_text() + "    ProxyJump bastion\n\n"
    login.config.write_text(text + (tmp_path / "bastion_config").read_text())
    return login


async def test_checks_both_keys_behind_a_jump_host(
    jumping: Login, ssh_server: SshServer, bastion: SshServer
) -> None:
    with pytest.raises(ConnectionFailed, match="host key of bastion is not known") as caught:
        await host_key(jumping)
    assert bastion.fingerprint in caught.value.found
    trust(jumping.known_hosts, await host_key(replace(jumping, destination="bastion")))
    seen = await host_key(jumping)
    assert (seen.fingerprint, seen.standing) == (ssh_server.fingerprint, "unknown")
    with pytest.raises(ConnectionFailed, match="host key of far is not known"):
        async with connect(jumping):
            pass
    trust(jumping.known_hosts, seen)
    async with connect(jumping) as connection:
        assert (await connection.run(["echo", "there"])).stdout == "there\n"
        bastion.cut()
        with pytest.raises(ConnectionFailed):
            await connection.run(["true"])


async def test_refuses_a_jump_host_that_leads_to_itself(
    jumping: Login, bastion: SshServer, ssh_server: SshServer
) -> None:
    assert jumping.config is not None
    jumping.config.write_text(jumping.config.read_text() + "    ProxyJump bastion\n")
    with pytest.raises(ConfigError, match="from bastion to itself"):
        await host_key(jumping)


async def test_goes_through_several_jump_hosts(
    jumping: Login, bastion: SshServer, ssh_server: SshServer
) -> None:
    """`ProxyJump a,b`: b is reached through a alone, whatever its own block says."""
    assert jumping.config is not None
    ssh_server.lets_through = True
    again = jumping.config.read_text().replace("Host far\n", "Host behind\n", 1)
    jumping.config.write_text(
        f"Host last\n    HostName 127.0.0.1\n    Port {ssh_server.port}\n    User deploy\n"
        f'    IdentityFile "{ssh_server.client_key}"\n    ProxyJump bastion,behind\n\n'
        + again.replace("ProxyJump bastion", "ProxyJump elsewhere")
    )
    hops = way(replace(jumping, destination="last"))
    assert [each.destination for each in hops] == ["bastion", "behind", "last"]
    for hop in hops:
        trust(hop.known_hosts, await host_key(hop))
    async with connect(replace(jumping, destination="last")) as connection:
        assert connection.host_key == ssh_server.fingerprint
        assert (await connection.run(["echo", "there"])).stdout == "there\n"


@pytest.mark.parametrize(
    ("named", "hops"),
    [
        ("none", []),
        ("a", [("a", None)]),
        ("me@a:2222,b", [("me@a", 2222), ("b", None)]),
        ("ssh://me@[fe80::1]:22", [("me@fe80::1", 22)]),
    ],
)
def test_reads_each_form_of_a_jump_host(
    named: str, hops: list[tuple[str, int | None]], tmp_path: Path
) -> None:
    config = tmp_path / "ssh_config"
    config.write_text(f"Host far\n    ProxyJump {named}\n")
    *found, last = way(Login("far", tmp_path / "known_hosts", config))
    assert [(each.destination, each.port) for each in found] == hops
    assert last.by == tuple(found)


async def test_an_alias_has_its_own_known_host(
    login: Login, ssh_server: SshServer, tmp_path: Path
) -> None:
    assert login.config is not None
    login.config.write_text(login.config.read_text() + "    HostKeyAlias production\n")
    seen = await host_key(login)
    assert seen.line == f"production {ssh_server.host_key}"
    trust(login.known_hosts, seen)
    async with connect(login) as connection:
        assert (await connection.run(["true"])).returncode == 0


async def test_agrees_on_the_quickest_cipher_without_compression(
    login: Login, ssh_server: SshServer
) -> None:
    """The quickest cipher, no compression, and the user's own choice where there is one."""
    await accept(login)
    async with connect(login) as connection:
        assert _agreed(connection) == ("aes128-gcm@openssh.com", "none")
    assert login.config is not None
    login.config.write_text(
        login.config.read_text() + "    Ciphers aes256-ctr\n    Compression yes\n"
    )
    async with connect(login) as connection:
        assert _agreed(connection) == ("aes256-ctr", "none")


def _agreed(connection: Connection) -> tuple[str, str]:
    inner = connection._connection
    return inner.get_extra_info("send_cipher"), inner.get_extra_info("send_compression")


async def test_logs_in_by_an_agent(
    login: Login, ssh_server: SshServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if not (shutil.which("ssh-agent") and shutil.which("ssh-add")):
        pytest.skip("there is no ssh-agent here")
    await accept(login)
    assert login.config is not None
    lines = login.config.read_text().splitlines()
    login.config.write_text("\n".join(line for line in lines if "Identit" not in line))
    socket = tmp_path / "agent"
    agent = await asyncio.create_subprocess_exec(
        "ssh-agent", "-D", "-a", str(socket), stdout=asyncio.subprocess.PIPE
    )
    try:
        assert agent.stdout is not None
        await agent.stdout.readline()  # it listens once it tells where
        monkeypatch.setenv("SSH_AUTH_SOCK", str(socket))
        with pytest.raises((ConnectionFailed, ConfigError)):
            async with connect(login):
                pass
        adding = await asyncio.create_subprocess_exec(
            "ssh-add", "-q", str(ssh_server.client_key), stderr=asyncio.subprocess.DEVNULL
        )
        assert await adding.wait() == 0
        async with connect(login) as connection:
            assert (await connection.run(["true"])).returncode == 0
    finally:
        agent.terminate()
        await agent.wait()
