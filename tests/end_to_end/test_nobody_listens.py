"""Deliveries whose log has no reader, whose terminal is gone, whose disk is full."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import subprocess
import termios
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.support.sandbox import REMODEL, Demo
from tests.support.small_disk import mounted
from wizard.session.journal import Journal

ALLOW = ("--allow", "staging", "--allow", "production")
SIZE = 48 << 20

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def test_a_delivery_goes_on_when_the_reader_of_its_log_is_killed(demo: Demo) -> None:
    running = subprocess.Popen(
        [REMODEL, "replay", "answers.yml", *ALLOW],
        cwd=demo.root,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    tee = subprocess.Popen(
        ["tee", str(demo.root / "log")], stdin=running.stdout, stdout=subprocess.DEVNULL
    )
    assert running.stdout is not None
    running.stdout.close()  # tee alone reads it
    _until_stopped(demo, running)
    tee.kill()
    tee.wait()
    assert running.wait(300) == 0
    assert running.stderr is not None
    assert running.stderr.read() == ""
    running.stderr.close()
    assert _home(demo, "staging-started").exists()
    assert _home(demo, "podcast-started").exists()
    journal = Journal(_session(demo) / "journal.sqlite", read_only=True)
    told = [line["value"] for _, line in journal.events() if line.get("name") == "listener failed"]
    journal.close()
    assert len(told) == 1
    assert told[0].startswith("standard output: BrokenPipeError")


def test_a_terminal_that_is_closed_ends_a_delivery_behind_after(demo: Demo) -> None:
    ours, theirs = pty.openpty()

    def own_terminal() -> None:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    running = subprocess.Popen(
        [REMODEL, "replay", "answers.yml", *ALLOW],
        cwd=demo.root,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=own_terminal,
    )
    os.close(theirs)
    os.set_blocking(ours, False)
    _until_stopped(demo, running, ours)
    os.close(ours)  # the kernel sends SIGHUP to who has it as its terminal
    assert running.wait(120) == 129
    assert _home(demo, "staging-started").exists()
    assert not _home(demo, "podcast-stopped").exists()
    states = _states(demo)
    assert states["production.deliver:staging"] == states["production.after:staging"] == "done"
    assert "production.check:staging" not in states


@pytest.fixture
def disk(demo: Demo) -> Iterator[Path]:
    """A small file system for the sessions of the sandbox."""
    folder = demo.root / ".remodel" / "sessions"
    folder.mkdir(exist_ok=True)
    if not mounted(folder, SIZE):
        pytest.skip("mounting a small file system needs root with CAP_SYS_ADMIN")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_delivery_writes_its_outcome_on_a_full_disk_and_goes_on_with_room(
    demo: Demo, disk: Path
) -> None:
    resume = ("resume", "--answers", "answers.yml", *ALLOW, "--json")
    _filled_at(demo, disk, "backup.restore", "replay", "answers.yml", *ALLOW, "--json")
    states = _states(demo)
    assert states["backup.restore"] == "done"
    assert "production.dump:staging" not in states

    _filled_at(demo, disk, "production.deliver:staging", *resume)
    states = _states(demo)
    assert states["production.deliver:staging"] == states["production.after:staging"] == "done"
    assert _home(demo, "staging-started").exists()
    assert "production.deliver:production" not in states

    assert demo.remodel(*resume).returncode == 0
    assert _states(demo)["production.after:production"] == "done"


def _filled_at(demo: Demo, disk: Path, operation: str, *arguments: str) -> None:
    """Run it, the disk being full from the beginning of an operation on; then make room."""
    ballast = disk / "ballast"
    running = demo.start(*arguments)
    assert running.stdout is not None
    for line in running.stdout:
        last = json.loads(line)
        if (last["kind"], last.get("operation")) == ("started", operation):
            with ballast.open("wb", buffering=0) as file, suppress(OSError):
                while True:
                    file.write(bytes(4096))
    assert running.wait(300) == 1
    assert last["error"] == "DiskFailed"
    assert last["message"].startswith("The disk is full")
    running.communicate()
    ballast.unlink()


def _until_stopped(demo: Demo, running: subprocess.Popen[Any], read: int = -1) -> None:
    """Wait until `before` has run on staging."""
    deadline = time.monotonic() + 400
    while not _home(demo, "staging-stopped").exists():
        assert running.poll() is None
        assert time.monotonic() < deadline
        if read >= 0:
            with suppress(BlockingIOError):
                os.read(read, 1 << 16)
        time.sleep(0.002)


def _home(demo: Demo, name: str) -> Path:
    return demo.root / "production" / "home" / name


def _session(demo: Demo) -> Path:
    (journal,) = (demo.root / ".remodel" / "sessions").glob("*/journal.sqlite")
    return journal.parent


def _states(demo: Demo) -> dict[str, str]:
    journal = Journal(_session(demo) / "journal.sqlite", read_only=True)
    states = {
        entry.operation: str(entry.kind)
        for entry in journal.entries()
        if entry.kind not in ("answer", "consent", "kept")
    }
    journal.close()
    return states
