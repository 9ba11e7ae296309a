"""A file that an operator names is a file, and no longer than such a one is; else it is refused."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.memory import at_most
from tests.support.postgres import tool
from tests.support.remodel_yml import write
from tests.support.sandbox import REMODEL
from wizard.base import opening
from wizard.base.errors import AnswersError, ConfigError, RemodelError, VerificationFailed
from wizard.base.events import Events, Report
from wizard.config import config
from wizard.postgres.dumps import archive
from wizard.session import answers
from wizard.ssh import hostkeys
from wizard.ssh.login import Login, known_hosts, resolve

KINDS = ["FIFO", "socket", "device", "folder"]
AT_ONCE = 5.0  # seconds, on a machine that has other things to do


@pytest.fixture(params=KINDS)
def no_file(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "named"
    if request.param == "FIFO":
        os.mkfifo(path)
    elif request.param == "socket":
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
    elif request.param == "device":
        path.symlink_to("/dev/zero")
    else:
        path.mkdir()
    began = time.monotonic()
    yield path
    assert time.monotonic() - began < AT_ONCE


def test_reads_no_more_than_files(no_file: Path, request: pytest.FixtureRequest) -> None:
    kind = request.node.callspec.params["no_file"]
    for read in (opening.opened, opening.whole, opening.refuse_others):
        with pytest.raises(ConfigError, match="is not a file") as caught:
            read(no_file)
        assert caught.value.found == f"it is a {kind}"


def test_reads_a_file_through_a_link_and_says_what_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("text")
    (tmp_path / "link").symlink_to("a")
    assert opening.whole(tmp_path / "link") == b"text"
    opening.refuse_others(tmp_path / "nothing")
    with pytest.raises(AnswersError, match="cannot be read") as caught:
        opening.whole(tmp_path / "nothing", AnswersError)
    assert "No such file" in caught.value.found


async def test_a_dump_that_is_no_file(no_file: Path) -> None:
    report = Report(Events(), "backup.fetch")
    with pytest.raises(VerificationFailed):
        await archive.take(no_file, await tool("pg_restore", 18), report)
    if not no_file.is_dir():
        folder = no_file.with_name("folder.dump")
        folder.mkdir()
        no_file.rename(folder / "toc.dat")
        with pytest.raises(VerificationFailed, match="is not a file"):
            await archive.take(folder, await tool("pg_restore", 18), report)


async def test_a_checksum_that_is_no_file(tmp_path: Path) -> None:
    path = tmp_path / "a.sql"
    end = "--\n-- PostgreSQL database dump complete\n--\n\n"
    path.write_text(f"--\n-- PostgreSQL database dump\n--\n\n{end}")
    os.mkfifo(archive.noted_checksum(path))
    report = Report(Events(), "backup.fetch")
    with pytest.raises(VerificationFailed, match="is not a file"):
        await archive.take(path, await tool("pg_restore", 18), report)


def test_what_remodel_yml_and_the_command_line_name(no_file: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        config.read(no_file)
    with pytest.raises(AnswersError):
        answers.read(no_file)
    with pytest.raises(ConfigError):
        hostkeys.trust(no_file, hostkeys.HostKey("", "", "host key", "unknown"))
    path, is_folder = write(tmp_path), no_file.is_dir()
    no_file.rename(tmp_path / ".env")
    if is_folder:  # a virtual environment
        config.read(path)
        return
    with pytest.raises(ConfigError, match=r"\.env is not a file"):
        config.read(path)


@pytest.mark.parametrize("named", ["config", "IdentityFile", "CertificateFile"])
async def test_what_an_ssh_config_names(no_file: Path, tmp_path: Path, named: str) -> None:
    ssh_config = tmp_path / "ssh_config"
    ssh_config.write_text(f"Host box\n    {named} {no_file}\n" if named != "config" else "")
    login = Login("box", tmp_path / "known", no_file if named == "config" else ssh_config)
    with pytest.raises(ConfigError, match="is not a file"):
        await asyncio.to_thread(resolve, login)


async def test_known_hosts_that_are_no_file(no_file: Path, tmp_path: Path) -> None:
    ssh_config = tmp_path / "ssh_config"
    ssh_config.write_text("Host box\n    HostName 127.0.0.1\n")
    login = Login("box", no_file, ssh_config)
    with pytest.raises(ConfigError, match="is not a file"):
        known_hosts(login, resolve(login))


@pytest.mark.parametrize(
    ("name", "read", "error"),
    [
        ("remodel.yml", config.read, ConfigError),
        ("answers.yml", answers.read, AnswersError),
        (".env", lambda path: config.read(path.with_name("remodel.yml")), ConfigError),
    ],
)
def test_a_file_of_500_mb(
    name: str, read: Callable[[Path], object], error: type[RemodelError], tmp_path: Path
) -> None:
    write(tmp_path)
    with (tmp_path / name).open("w") as file:
        file.truncate(500_000_000)
    with at_most(32 << 20), pytest.raises(error, match="too large") as caught:
        read(tmp_path / name)
    assert name in caught.value.message


def test_the_command_ends_by_itself(tmp_path: Path) -> None:
    """No thread is left that waits for a FIFO's other end."""
    path = write(tmp_path)
    os.mkfifo(tmp_path / "answers.yml")
    ran = subprocess.run(
        [
            *(REMODEL, "check", tmp_path / "answers.yml", "--config", path),
        ],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (ran.returncode, "is a FIFO" in ran.stderr) == (2, True), ran
