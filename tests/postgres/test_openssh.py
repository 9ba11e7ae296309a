"""What is fetched comes the same way from OpenSSH's own server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.openssh import ALIAS, client_config, installed, openssh
from wizard.base.errors import ConnectionFailed
from wizard.base.events import Report
from wizard.postgres import server
from wizard.postgres.address import Address
from wizard.postgres.dumps import archive
from wizard.postgres.dumps.download import download
from wizard.postgres.dumps.dump import fetch
from wizard.postgres.dumps.tools import Tool
from wizard.ssh.connection import Connection, Login, connect, host_key
from wizard.ssh.hostkeys import trust


@pytest.fixture
async def connected(tmp_path: Path) -> AsyncIterator[Connection]:
    if (sshd := installed()) is None:
        pytest.skip("OpenSSH's server is not installed")
    async with openssh(sshd, tmp_path) as port:
        login = Login(ALIAS, tmp_path / "known_hosts", client_config(tmp_path, port))
        with pytest.raises(ConnectionFailed, match="not known"):
            async with connect(login):
                pass
        trust(login.known_hosts, await host_key(login))
        async with connect(login) as connection:
            yield connection


async def test_openssh_runs_commands_forwards_dumps_and_files(
    connected: Connection,
    far_filled: Address,
    tmp_path: Path,
    report: Report,
    pg_dump: Tool,
    pg_restore: Tool,
) -> None:
    done = await connected.run(["sh", "-c", "cat; echo $1 >&2; exit 7", "-", "a  b"], stdin=b"fed")
    assert (done.returncode, done.stdout, done.stderr_tail) == (7, "fed", "a b")
    async with connected.forward_socket(far_filled.host, far_filled.port) as directory:
        here = replace(far_filled, host=directory)
        assert (await server.contents(here)).tables == 2
        made = await fetch(
            connected,
            far_filled,
            here,
            tmp_path / "fetched" / "db",
            report,
            pg_dump=pg_dump,
            pg_restore=pg_restore,
        )
    await archive.prove(made, report)
    again = tmp_path / "downloaded" / "db"
    brought = await download(connected, str(made.path), again, report, pg_restore=pg_restore)
    assert brought.sha256 == made.sha256
