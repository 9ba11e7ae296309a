"""Which pg_dump and pg_restore are found and chosen."""

from __future__ import annotations

from pathlib import Path

import pytest

from wizard.errors import ConfigError
from wizard.postgres import tools
from wizard.remote import Connection
from wizard.sandbox.cluster import binaries
from wizard.sandbox.sshd import SshServer


async def test_the_configured_directory_comes_first_and_the_wheel_is_found() -> None:
    found = await tools.find("pg_dump", configured=binaries(16))
    assert found[0].path == binaries(16) / "pg_dump"
    assert found[0].major == 16
    assert {16, 18} <= {tool.major for tool in found}
    assert len({tool.path.resolve() for tool in found}) == len(found)


async def test_pg_dump_is_of_the_servers_version_or_newer() -> None:
    assert (await tools.choose_dump(16, configured=binaries(18))).major == 16
    assert (await tools.choose_dump(17)).major == 18
    with pytest.raises(ConfigError, match="99 needs pg_dump 99"):
        await tools.choose_dump(99)


async def test_pg_restore_fits_the_archive_and_the_server() -> None:
    assert (await tools.choose_restore(18, 18)).major == 18
    assert (await tools.choose_restore(16, 16)).major == 16
    with pytest.raises(ConfigError, match="no version of pg_restore does both"):
        await tools.choose_restore(18, 16)


async def test_a_program_that_is_no_pg_dump_is_passed_over(tmp_path: Path) -> None:
    broken = tmp_path / "pg_dump"
    broken.write_text("#!/bin/sh\necho pg_dump of another make\n")
    broken.chmod(0o755)
    found = await tools.find("pg_dump", configured=tmp_path)
    assert found and broken not in [tool.path for tool in found]


async def test_the_far_side(connection: Connection, ssh_server: SshServer) -> None:
    assert (await tools.far_dump(connection, 18)).major == 18
    with pytest.raises(ConfigError, match="too old") as caught:
        await tools.far_dump(connection, 18, path=str(binaries(16) / "pg_dump"))
    assert "16." in caught.value.found
    with pytest.raises(ConfigError, match="no usable pg_absent"):
        await tools.far_dump(connection, path="pg_absent")
