"""OpenSSH's own server for our own user, on a port of this machine."""

from __future__ import annotations

import asyncio
import getpass
import os
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncssh

PLACES = "/usr/sbin:/usr/local/sbin:/usr/libexec"
ALIAS = "far"


def installed() -> str | None:
    """The path of sshd, where it is installed."""
    return shutil.which("sshd", path=PLACES) or shutil.which("sshd")


@asynccontextmanager
async def openssh(sshd: str, folder: Path) -> AsyncIterator[int]:
    """Its port, while it runs; `client_config` tells a client what to log in by."""
    for name in ("host_key", "client_key"):
        key = asyncssh.generate_private_key("ssh-ed25519")
        key.write_private_key(str(folder / name))
        (folder / name).chmod(0o600)
        key.write_public_key(str(folder / f"{name}.pub"))
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # which it gives up its rights in
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    config = folder / "sshd_config"
    config.write_text(
        f"ListenAddress 127.0.0.1:{port}\nHostKey {folder}/host_key\nStrictModes no\n"
        f"AuthorizedKeysFile {folder}/client_key.pub\nUsePAM no\nPidFile none\n"
        "PermitRootLogin prohibit-password\nPasswordAuthentication no\n"
        "Subsystem sftp internal-sftp\n"
    )
    process = await asyncio.create_subprocess_exec(
        sshd, "-D", "-e", "-f", str(config), stderr=asyncio.subprocess.PIPE
    )
    try:
        assert process.stderr is not None
        while b"Server listening" not in (line := await process.stderr.readline()):
            if not line:
                raise RuntimeError(f"{sshd} did not start")
        yield port
    finally:
        if process.returncode is None:
            process.terminate()
        await process.communicate()


def client_config(folder: Path, port: int) -> Path:
    """An ssh_config whose alias leads to the port."""
    path = folder / "ssh_config"
    path.write_text(
        f"Host {ALIAS}\n HostName 127.0.0.1\n Port {port}\n User {getpass.getuser()}\n"
        f" IdentityFile {folder}/client_key\n IdentitiesOnly yes\n"
        f" UserKnownHostsFile {folder}/users_known_hosts\n"
    )
    return path
