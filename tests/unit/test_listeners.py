"""Whoever listens must not stop the work: events, standard output, a terminal that is gone."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.consenting_operator import Consenting
from tests.unit.counting_operation import WORLD, Act, go, step
from wizard.base.errors import Declined
from wizard.base.events import Event, Events, Finding, Line
from wizard.base.outlet import Outlet
from wizard.config import config
from wizard.config.config import Config
from wizard.engine.context import Context
from wizard.engine.engine import Engine
from wizard.reports.narration import JsonLines, Narrator
from wizard.session import session as sessions
from wizard.session.session import Session

REMODEL = Path(sys.executable).with_name("remodel")


@pytest.fixture
def session(found: Config) -> Iterator[Session]:
    with sessions.begin(found) as begun:
        yield begun


def broken(event: Event) -> None:
    raise BrokenPipeError(32, "Broken pipe")


def test_a_listener_that_fails_is_removed_once_and_the_others_are_told() -> None:
    bus = Events()
    heard: list[Event] = []
    unsubscribe = bus.subscribe(broken, "standard output")
    bus.subscribe(heard.append)
    for text in ("one", "two"):
        bus.emit(Line("a.b", "x", text))
    texts = [event.text if isinstance(event, Line) else event.kind for event in heard]
    assert texts == ["one", "finding", "two"]
    told = heard[1]
    assert isinstance(told, Finding)
    assert told.value.startswith("standard output: BrokenPipeError: ")
    unsubscribe()  # harmless, though it is gone


@pytest.mark.parametrize("printer", [Narrator, JsonLines])
def test_a_closed_stream_is_one_that_fails(printer: type[Narrator]) -> None:
    stream = io.StringIO()
    stream.close()
    bus = Events()
    bus.subscribe(printer(stream))
    bus.emit(Line("a.b", "x", "one"))


async def test_the_work_goes_on_and_the_journal_says_who_left(session: Session) -> None:
    await go(session, Consenting(), step(Act("one.a"), Act("one.b")), seen=broken)
    assert (WORLD["one.a"], WORLD["one.b"]) == (1, 1)
    log = [data for _, data in session.journal.events() if data.get("name") == "listener failed"]
    assert len(log) == 1
    assert log[0]["status"] == "warn"


def test_an_outlet_whose_reader_died_takes_everything() -> None:
    reading, writing = os.pipe()
    stream = io.TextIOWrapper(io.BufferedWriter(outlet := Outlet(writing)))
    print("heard", file=stream, flush=True)
    assert os.read(reading, 100) == b"heard\n"
    os.close(reading)
    print("x" * 1_000_000, file=stream, flush=True)
    assert isinstance(outlet.gone, BrokenPipeError)
    print("and more", file=stream, flush=True)
    os.close(writing)


@pytest.mark.parametrize("blocking", [True, False])
def test_a_reader_who_does_not_read_is_waited_for_so_long(blocking: bool) -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, blocking)
    outlet = Outlet(writing)
    outlet.patience = 0.2
    before = time.monotonic()
    assert outlet.write(b"x" * 1_000_000) == 1_000_000
    assert isinstance(outlet.gone, TimeoutError)
    assert 0.2 <= time.monotonic() - before < 10
    os.close(reading)
    os.close(writing)


def test_a_full_disk_under_standard_output_is_told() -> None:
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [REMODEL, "schema", "events"], stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert ended.returncode == 1
    assert "The disk is full: standard output" in ended.stderr
    assert "fault in remodel" not in ended.stderr


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", ">&- 2>&- <&-"])
def test_closed_standard_streams_are_no_fault(closed: str, tmp_path: Path) -> None:
    """A file that is opened later never gets their numbers, and nothing is printed into it."""
    command = f"{REMODEL} sessions {closed}"
    ended = subprocess.run(
        ["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 2, ended.stderr
    assert "fault" not in ended.stderr + ended.stdout


@pytest.mark.parametrize("arguments", ["schema events", "--help"])
def test_a_reader_of_a_listing_that_leaves_is_no_error(arguments: str) -> None:
    ended = subprocess.run(
        ["bash", "-c", f"{REMODEL} {arguments} | true; echo ${{PIPESTATUS[0]}}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.stdout, ended.stderr) == ("0\n", "")


class Stops(Act):
    """An act during which the service is down."""

    interrupts_service = True


@pytest.mark.parametrize("asked", ["one.deliver", "one.after"])
async def test_where_the_service_is_down_a_run_stops_only_once_it_is_up_again(
    session: Session, asked: str
) -> None:
    """Asked to stop in any of them, it ends behind the last of those in a row."""
    found = config.read(session.folder.parents[2] / "remodel.yml")
    at_once = {}
    async with Context(found, session, Events()) as context:
        acts = [Act("one.a"), Stops("one.deliver"), Stops("one.after"), Act("one.check")]
        engine = Engine(context, [step(*acts)], Consenting())

        def hear(event: Event) -> None:
            if event.kind == "started" and event.operation in ("one.a", asked):
                at_once[event.operation] = engine.stop_when_safe()

        context.events.subscribe(hear)
        with pytest.raises(Declined, match=r"before one\.check"):
            await engine.go()
    assert at_once == {"one.a": True, asked: False}
    assert set(WORLD) >= {"one.a", "one.deliver", "one.after"}
    assert "one.check" not in WORLD


@pytest.mark.parametrize("ignored", [True, False])
def test_a_terminal_that_is_gone_ends_the_run_but_under_nohup(ignored: bool) -> None:
    program = (
        "import asyncio, signal, sys\n"
        "from wizard.commands import runner\n"
        f"signal.signal(signal.SIGHUP, signal.{'SIG_IGN' if ignored else 'SIG_DFL'})\n"
        "async def work():\n"
        "    print('at work', flush=True)\n"
        "    await asyncio.sleep(1)\n"
        "try:\n"
        "    runner.run(work())\n"
        "except runner.Interrupted as stopped:\n"
        "    sys.exit(128 + stopped.signal)\n"
    )
    running = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    assert running.stdout is not None
    assert running.stdout.readline() == b"at work\n"
    running.send_signal(signal.SIGHUP)
    assert running.wait(30) == (0 if ignored else 129)
    running.stdout.close()
