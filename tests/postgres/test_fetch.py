"""Dumps fetched over SSH: private, whole or not there."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.postgres import Fetching, files
from tests.support.small_disk import SmallDisk
from wizard.base.errors import (
    ConnectionFailed,
    ExitCode,
    OperationFailed,
)
from wizard.base.events import Report
from wizard.base.redaction import Secret
from wizard.postgres.address import Address
from wizard.postgres.dumps import archive
from wizard.postgres.dumps.dump import fetch
from wizard.postgres.dumps.tools import Tool
from wizard.sandbox.sshd import SshServer
from wizard.ssh.connection import Connection


async def test_fetching_over_ssh(fetching: Fetching, backups: Path, report: Report) -> None:
    made = await fetching(backups / "db")
    assert files(backups) == ["db", "db.sha256"]
    await archive.prove(made, report)


async def test_the_password_goes_through_standard_input(
    fetching: Fetching,
    spying: tuple[Tool, Path],
    connection: Connection,
    ssh_server: SshServer,
    far_filled: Address,
    backups: Path,
    report: Report,
    pg_dump: Tool,
    pg_restore: Tool,
) -> None:
    """On a far side that knows no password."""
    ssh_server.environment["PGPASSFILE"] = "/dev/null"
    spy, seen = spying
    await fetching(backups / "db", pg_dump=spy)
    assert far_filled.password is not None
    called = seen.read_text()
    assert "--dbname=" in called
    assert far_filled.password.reveal() not in called
    with pytest.raises(OperationFailed) as caught:
        await fetch(
            connection,
            replace(far_filled, password=Secret("wrong-password")),
            far_filled,
            backups / "other",
            report,
            pg_dump=pg_dump,
            pg_restore=pg_restore,
        )
    assert "password authentication failed" in caught.value.found
    assert "wrong-password" not in str(caught.value)


async def test_a_connection_cut_in_the_middle_leaves_nothing(
    fetching: Fetching, ssh_server: SshServer, backups: Path
) -> None:
    await fetching(backups / "whole")
    ssh_server.drop_after((backups / "whole").stat().st_size // 2)
    with pytest.raises(ConnectionFailed) as caught:
        await fetching(backups / "db")
    assert caught.value.exit_code == ExitCode.CONNECTION
    assert files(backups) == ["whole", "whole.sha256"]


async def test_refuses_a_pg_dump_that_is_missing_or_too_old_on_the_far_side(
    fetching: Fetching, backups: Path, pg_dump: Tool, pg_dump_16: Tool
) -> None:
    """No route leads there; and if it was taken away since, its exit status is believed."""
    for tool, words in (
        (replace(pg_dump, path=Path("pg_absent")), "pg_absent"),
        (pg_dump_16, "server version mismatch"),
    ):
        with pytest.raises(OperationFailed, match="exit status") as caught:
            await fetching(backups / "db", pg_dump=tool)
        assert words in caught.value.found
    assert files(backups) == []


async def test_a_cancelled_fetch_leaves_nothing(
    fetching: Fetching, backups: Path, tmp_path: Path, report: Report, pg_dump: Tool
) -> None:
    """A pg_dump that stops in the middle and says so."""
    stalls = tmp_path / "pg_dump"
    stalls.write_text(
        "#!/bin/sh\nprintf PGDMP; echo 'pg_dump: dumping contents of table \"public.page\"' >&2\n"
        "exec sleep 60\n"
    )
    stalls.chmod(0o755)
    stalled = asyncio.Event()
    report.line = lambda source, text: stalled.set()  # type: ignore[method-assign]
    task = asyncio.create_task(fetching(backups / "db", pg_dump=replace(pg_dump, path=stalls)))
    await asyncio.wait_for(stalled.wait(), 20)
    assert files(backups) == ["db.part"]
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert files(backups) == []


async def test_a_full_disk_leaves_no_dump(fetching: Fetching, small_disk: SmallDisk) -> None:
    with pytest.raises(OperationFailed, match="disk is full") as caught:
        await fetching(small_disk.folder / "db")
    assert "bytes were free before" in caught.value.found
    assert files(small_disk.folder) == []
    small_disk.make_room()
    assert (await fetching(small_disk.folder / "db")).bytes > small_disk.SIZE
