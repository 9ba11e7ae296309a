"""The loopback SSH server behaves as a machine does: commands, forwards, files, refusals."""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import stat
from dataclasses import replace
from pathlib import Path

import asyncssh
import pytest

from wizard.postgres.address import Address, connect
from wizard.sandbox.cluster import Cluster
from wizard.sandbox.sshd import SshServer

MEGABYTES_20 = 20 * 1024 * 1024


async def login(
    server: SshServer, key: asyncssh.SSHKey | None = None
) -> asyncssh.SSHClientConnection:
    known = f"[127.0.0.1]:{server.port} {server.host_key}\n"
    return await asyncssh.connect(
        "127.0.0.1",
        server.port,
        username=server.user,
        client_keys=[key or str(server.client_key)],
        agent_path=None,
        config=None,
        known_hosts=asyncssh.import_known_hosts(known),
    )


async def test_commands_run_at_home_with_the_given_environment(
    ssh_server: SshServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONLY_HERE", "1")
    async with await login(ssh_server) as client:
        result = await client.run(
            'pwd; echo "[$ONLY_HERE]"; echo $HOME; echo aside >&2', check=True
        )
    home = str(ssh_server.home)
    assert result.stdout == f"{home}\n[]\n{home}\n"
    assert result.stderr == "aside\n"


@pytest.mark.parametrize("code", [0, 1, 7, 255])
async def test_exit_codes_are_passed_on(ssh_server: SshServer, code: int) -> None:
    async with await login(ssh_server) as client:
        assert (await client.run(f"exit {code}")).exit_status == code


async def test_reports_a_signal_as_a_signal(ssh_server: SshServer) -> None:
    async with await login(ssh_server) as client:
        result = await client.run("kill -TERM $$")
    assert result.exit_status == -1
    assert result.exit_signal is not None
    assert result.exit_signal[0] == "TERM"


async def test_20_megabytes_arrive_whole_under_back_pressure(ssh_server: SshServer) -> None:
    content = os.urandom(MEGABYTES_20)
    (ssh_server.home / "dump").write_bytes(content)
    digest = hashlib.sha256()
    async with (
        await login(ssh_server) as client,
        client.create_process("cat dump", encoding=None) as process,
    ):
        while data := await process.stdout.read(4096):
            digest.update(data)
            await asyncio.sleep(0)
        assert (await process.wait()).exit_status == 0
    assert digest.digest() == hashlib.sha256(content).digest()


async def test_stdin_reaches_the_child_with_its_end(ssh_server: SshServer) -> None:
    content = os.urandom(1024 * 1024)
    async with await login(ssh_server) as client:
        result = await client.run("sha256sum", input=content, encoding=None, check=True)
    assert isinstance(result.stdout, bytes)
    assert result.stdout.split()[0].decode() == hashlib.sha256(content).hexdigest()


async def test_a_child_that_does_not_read_its_input_ends_well(ssh_server: SshServer) -> None:
    async with await login(ssh_server) as client:
        result = await client.run("exit 3", input=os.urandom(4 * 1024 * 1024), encoding=None)
    assert result.exit_status == 3


async def test_the_child_dies_with_its_channel(ssh_server: SshServer) -> None:
    os.mkfifo(ssh_server.home / "never")
    async with (
        await login(ssh_server) as client,
        client.create_process("echo $$; cat never", encoding="utf-8") as process,
    ):
        pid = int(await process.stdout.readline())
        assert Path(f"/proc/{pid}").exists()
        process.close()
        async with asyncio.timeout(10):
            while Path(f"/proc/{pid}").exists():
                await asyncio.sleep(0.01)


async def test_a_signal_of_the_client_reaches_the_child(ssh_server: SshServer) -> None:
    command = "trap 'echo caught; exit 5' TERM; echo ready; while :; do read line; done"
    async with await login(ssh_server) as client, client.create_process(command) as process:
        assert await process.stdout.readline() == "ready\n"
        process.send_signal("TERM")
        process.stdin.write("\n")
        assert await process.stdout.readline() == "caught\n"
        assert (await process.wait()).exit_status == 5


async def test_psql_and_pg_dump_work_for_the_user(
    ssh_server: SshServer, far_database: Address
) -> None:
    async with await connect(far_database) as connection:
        await connection.execute("CREATE TABLE page AS SELECT 42 AS id")
    name = far_database.database
    async with await login(ssh_server) as client:
        told = await client.run(
            f"psql -XAt {name} -c 'SELECT current_user, id FROM page'", check=True
        )
        listed = await client.run(f"pg_dump -Fc {name} | pg_restore -l", check=True)
    assert told.stdout == "app|42\n"
    assert isinstance(listed.stdout, str)
    assert "TABLE DATA public page app" in listed.stdout
    assert stat.S_IMODE((ssh_server.home / ".pgpass").stat().st_mode) == 0o600


async def test_a_forward_leads_to_postgresql_and_nowhere_else(
    ssh_server: SshServer, far_cluster: Cluster, far_database: Address, tmp_path: Path
) -> None:
    near = tmp_path / "s"
    near.mkdir(mode=0o700)
    there = far_cluster.sockets / ".s.PGSQL.5432"
    async with await login(ssh_server) as client:
        await client.forward_local_path(str(near / there.name), str(there))
        async with await connect(replace(far_database, host=str(near))) as connection:
            row = await (await connection.execute("SELECT current_database()")).fetchone()
        assert row == (far_database.database,)
        other = await asyncio.start_unix_server(lambda r, w: w.close(), tmp_path / "other")
        async with other:
            with pytest.raises(asyncssh.ChannelOpenError):
                await client.open_unix_connection(str(tmp_path / "other"))
        escape = f"{far_cluster.sockets}/../{far_cluster.sockets.name}/../other"
        with pytest.raises(asyncssh.ChannelOpenError):
            await client.open_unix_connection(escape)
        with pytest.raises(asyncssh.ChannelOpenError):
            await client.open_connection("127.0.0.1", ssh_server.port)


async def test_serves_files_at_home_and_no_others(ssh_server: SshServer, tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("no")
    (ssh_server.home / "link").symlink_to(tmp_path / "outside")
    (tmp_path / "up").write_text("a dump")
    async with await login(ssh_server) as client, client.start_sftp_client() as sftp:
        await sftp.put(tmp_path / "up", "dump")
        assert (ssh_server.home / "dump").read_text() == "a dump"
        assert await sftp.getcwd() == str(ssh_server.home)
        async with sftp.open(f"{ssh_server.home}/dump") as file:
            assert await file.read() == "a dump"
        for outside in (str(tmp_path / "outside"), "../outside", "link"):
            with pytest.raises(asyncssh.SFTPPermissionDenied):
                await sftp.stat(outside)


async def test_refuses_other_keys_and_any_login_on_demand(ssh_server: SshServer) -> None:
    with pytest.raises(asyncssh.PermissionDenied):
        await login(ssh_server, asyncssh.generate_private_key("ssh-ed25519"))
    ssh_server.refuse_logins = True
    with pytest.raises(asyncssh.PermissionDenied):
        await login(ssh_server)
    ssh_server.refuse_logins = False
    async with await login(ssh_server) as client:
        assert (await client.run("echo in")).stdout == "in\n"


async def test_drop_after_cuts_once(ssh_server: SshServer) -> None:
    (ssh_server.home / "dump").write_bytes(bytes(MEGABYTES_20))
    ssh_server.drop_after(1_000_000)
    received = 0
    with pytest.raises(asyncssh.ConnectionLost):
        async with await login(ssh_server) as client:
            process = await client.create_process("cat dump", encoding=None)
            while data := await process.stdout.read(65536):
                received += len(data)
            assert (await process.wait()).exit_status is None
            await client.run("echo still there")
    assert 0 < received <= 1_000_000
    async with await login(ssh_server) as client:
        result = await client.run("cat dump", encoding=None, check=True)
    assert isinstance(result.stdout, bytes)
    assert len(result.stdout) == MEGABYTES_20


async def test_a_restart_keeps_keys_and_port(ssh_server: SshServer) -> None:
    before = ssh_server.port, ssh_server.fingerprint
    client = await login(ssh_server)
    await ssh_server.stop()
    await client.wait_closed()
    with pytest.raises(OSError):
        await login(ssh_server)
    again = SshServer(
        ssh_server.root,
        user=ssh_server.user,
        environment=ssh_server.environment,
        home=ssh_server.home,
        sockets=ssh_server.sockets,
    )
    await again.start()
    try:
        assert (again.port, again.fingerprint) == before
        async with await login(again) as client:
            assert (await client.run("echo in")).stdout == "in\n"
    finally:
        await again.stop()


async def test_takes_another_port_where_its_own_is_taken(ssh_server: SshServer) -> None:
    port = ssh_server.port
    await ssh_server.stop()
    squatter = await asyncio.start_server(lambda r, w: None, "127.0.0.1", port)
    async with squatter:
        await ssh_server.start()
        assert ssh_server.port not in (0, port)
        async with await login(ssh_server) as client:
            assert (await client.run("exit 4")).exit_status == 4


async def test_a_rotated_host_key_is_not_trusted(ssh_server: SshServer) -> None:
    port, line, fingerprint = ssh_server.port, ssh_server.host_key, ssh_server.fingerprint
    await ssh_server.rotate_host_key()
    assert ssh_server.port == port
    assert ssh_server.fingerprint != fingerprint
    with pytest.raises(asyncssh.HostKeyNotVerifiable):
        await asyncssh.connect(
            "127.0.0.1",
            port,
            username=ssh_server.user,
            client_keys=[str(ssh_server.client_key)],
            known_hosts=asyncssh.import_known_hosts(f"[127.0.0.1]:{port} {line}\n"),
        )
    for name in ("host_key", "client_key"):
        assert stat.S_IMODE((ssh_server.root / name).stat().st_mode) == 0o600


async def test_the_written_configuration_logs_in(ssh_server: SshServer, tmp_path: Path) -> None:
    spaced = SshServer(
        tmp_path / "a directory",
        user="deploy",
        environment=ssh_server.environment,
        home=ssh_server.home,
        sockets=ssh_server.sockets,
    )
    await spaced.start()
    config, known = tmp_path / "ssh_config", tmp_path / "known_hosts"
    spaced.write_ssh_config(config, "production")
    known.write_text(f"[127.0.0.1]:{spaced.port} {spaced.host_key}\n")
    try:
        async with asyncssh.connect(
            "production", config=[str(config)], known_hosts=str(known)
        ) as client:
            assert client.get_extra_info("username") == "deploy"
            assert (await client.run("echo in")).stdout == "in\n"
    finally:
        await spaced.stop()


@pytest.mark.skipif(shutil.which("ssh") is None, reason="needs OpenSSH's client")
async def test_openssh_logs_in(ssh_server: SshServer, tmp_path: Path) -> None:
    ssh_server.write_ssh_config(tmp_path / "ssh_config", "production")
    known = tmp_path / "known_hosts"
    known.write_text(f"[127.0.0.1]:{ssh_server.port} {ssh_server.host_key}\n")
    process = await asyncio.create_subprocess_exec(
        *("ssh", "-F", tmp_path / "ssh_config", "-o", f"UserKnownHostsFile={known}"),
        *("-o", "BatchMode=yes", "production", "cat; exit 6"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate(b"through")
    assert (output, process.returncode) == (b"through", 6)
