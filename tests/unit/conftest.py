"""What several files of unit tests begin with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.remodel_yml import write
from tests.unit.counting_operation import WORLD
from wizard.config import config
from wizard.sandbox.sshd import SshServer
from wizard.ssh.connection import Login


@pytest.fixture(autouse=True)
def _world() -> Iterator[None]:
    """Let each test begin with nothing done."""
    WORLD.clear()
    yield
    WORLD.clear()


@pytest.fixture
def found(tmp_path: Path) -> config.Config:
    """A complete remodel.yml, read."""
    return config.read(write(tmp_path))


@pytest.fixture
def login(ssh_server: SshServer, tmp_path: Path) -> Login:
    """A login to `ssh_server`, whose host key nobody has accepted yet."""
    config = tmp_path / "ssh_config"
    ssh_server.write_ssh_config(config, "far")
    return Login("far", tmp_path / "ours" / "known_hosts", config)
