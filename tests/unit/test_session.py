"""A session on disk: whose it is, who holds it, and what a resume looks at first."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.support.consenting_operator import Consenting
from wizard.base.errors import IdentityMismatch, OperationFailed, UsageError
from wizard.base.events import Event, Events, Finding
from wizard.config.config import Config
from wizard.engine import resume
from wizard.engine.context import Context
from wizard.engine.engine import Engine
from wizard.engine.operation import Observation, Operation, Seen, Step
from wizard.engine.result import Result
from wizard.session import lock
from wizard.session import session as sessions
from wizard.session.journal import Journal
from wizard.session.plan import Plan

HOLDING = """
import subprocess, sys
from pathlib import Path
from wizard.config import config
from wizard.session import session
held = session.begin(config.read(Path(sys.argv[1])))
child = subprocess.Popen(["sleep", "600"], pass_fds=[held.lock])
print(held.id, child.pid, flush=True)
child.wait()
"""


def test_the_journals_files_are_the_operators_alone(tmp_path: Path) -> None:
    """SQLite's own, too, from the first moment on."""
    umask = os.umask(0)
    try:
        journal = Journal(tmp_path / "journal.sqlite")
        journal.note("begun", 1)
    finally:
        os.umask(umask)
    written = {path.name: oct(path.stat().st_mode & 0o777) for path in tmp_path.iterdir()}
    assert written == dict.fromkeys(
        ("journal.sqlite", "journal.sqlite-wal", "journal.sqlite-shm"), "0o600"
    )
    journal.close()


# Who holds it


@pytest.mark.parametrize(
    "left",
    [
        "999999999 since 2026-01-01 10:00",  # a pid that nobody has
        f"{os.getppid()} since 2026-01-01 10:00",  # one that another process has by now
        "",  # the machine went down before anything was written
    ],
    ids=["dead pid", "reused pid", "another boot"],
)
def test_a_lock_file_alone_does_not_lock(found: Config, left: str) -> None:
    found.state.mkdir()
    (found.state / "lock").write_text(left)
    with sessions.begin(found) as session:
        assert (found.state / "lock").read_text().startswith(f"{os.getpid()} since")
        name = session.id
    sessions.resume(found, name).close()


def test_names_the_process_that_holds_a_session(found: Config) -> None:
    with sessions.begin(found) as session:
        with pytest.raises(OperationFailed, match="Another process is at work") as caught:
            sessions.resume(found, session.id)
        assert f"pid {os.getpid()} since" in caught.value.found


def test_waits_for_children_of_a_killed_process_and_names_them(
    found: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDING, str(found.path)], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    name, child = holder.stdout.readline().split()
    holder.kill()
    holder.wait()
    try:
        monkeypatch.setattr(lock, "PATIENCE", 0.2)
        with pytest.raises(OperationFailed, match="has left something running") as caught:
            sessions.resume(found, name)
        assert f"pid {child}: sleep 600" in caught.value.found
        monkeypatch.setattr(lock, "PATIENCE", 60.0)
    finally:
        os.kill(int(child), signal.SIGKILL)
    sessions.resume(found, name).close()


# Cut off before it had begun


def _no_journal(folder: Path) -> None:
    """The folder was made."""


def _no_tables(folder: Path) -> None:
    sqlite3.connect(folder / "journal.sqlite").close()
    (folder / "journal.sqlite").touch()


def _no_identity(folder: Path) -> None:
    Journal(folder / "journal.sqlite").close()


def _not_begun(folder: Path) -> None:
    journal = Journal(folder / "journal.sqlite")
    journal.note("identity", {})
    journal.close()


@pytest.mark.parametrize("cut_off", [_no_journal, _no_tables, _no_identity, _not_begun])
def test_lists_no_session_that_was_cut_off_before_it_began(
    found: Config, cut_off: Callable[[Path], None]
) -> None:
    with sessions.begin(found) as session:
        before = session.id
    folder = found.state / "sessions" / "29990101-000000"
    folder.mkdir()
    cut_off(folder)
    assert [one.id for one in sessions.summaries(found)] == [before]
    with sessions.resume(found) as session:
        assert session.id == before
    with pytest.raises(UsageError):
        sessions.resume(found, folder.name)


# Whose it is


class Done(Operation):
    """Finished, and gone when it is told so; or cut off, and seen as it is told."""

    title = "An operation"

    def __init__(self, key: str, *, gone: str = "", seen: Seen | None = None) -> None:
        self.key = key
        self._gone = gone
        self._seen = seen

    async def plan(self, context: Context) -> Plan:
        return Plan(self.key, self.title)

    async def apply(self, context: Context, plan: Plan) -> Result:
        if self._seen is not None:
            raise KeyboardInterrupt
        return Result()

    async def observe(self, context: Context, plan: Plan) -> Observation:
        if self._seen is None:
            raise OperationFailed("Two databases have that name.", found="harbour, harbour")
        return Observation(self._seen, "half a file is there")

    async def missing(self, context: Context, plan: Plan, facts: Mapping[str, Any]) -> str:
        return self._gone


def steps(*operations: Operation) -> list[Step]:
    return [Step("one", "One", "", "", "", lambda context: operations)]


async def test_a_missing_result_stops_a_resume(found: Config) -> None:
    with sessions.begin(found) as session:
        async with Context(found, session, Events()) as context:
            await Engine(context, steps(Done("one.a"), Done("one.b")), Consenting()).go()
            await resume.require_same(context, steps(Done("one.a"), Done("one.b")))
            gone = steps(Done("one.a"), Done("one.b", gone="models.py is as it was before"))
            with pytest.raises(IdentityMismatch, match="not as session") as caught:
                await resume.require_same(context, gone)
    assert caught.value.found == "one.b: models.py is as it was before"


async def test_another_line_of_commits_stops_a_resume(found: Config) -> None:
    project = found.project.path
    project.mkdir(parents=True, exist_ok=True)

    def git(*words: str) -> str:
        identity = ("-c", "user.name=A", "-c", "user.email=a@example.org")
        done = subprocess.run(
            ["git", "-C", project, *identity, *words], check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    git("init", "--quiet")
    git("commit", "--quiet", "--allow-empty", "--message", "as it was")
    began = git("rev-parse", "HEAD")
    with sessions.begin(found) as session:
        async with Context(found, session, Events()) as context:
            await resume.require_same(context, [])
            git("commit", "--quiet", "--allow-empty", "--message", "what the session wrote")
            await resume.require_same(context, [])
            git("checkout", "--quiet", "--orphan", "elsewhere")
            git("commit", "--quiet", "--allow-empty", "--message", "another project")
            with pytest.raises(IdentityMismatch) as caught:
                await resume.require_same(context, [])
    assert f"does not have {began[:12]} before it" in caught.value.found
    assert git("rev-parse", "HEAD")[:12] in caught.value.found


# How far it is


@pytest.mark.parametrize(
    ("seen", "then"),
    [
        (Seen.DONE, "it is done, half a file is there; that is written down"),
        (Seen.PARTLY, "what there is of it is cleared away, then it begins anew"),
        (Seen.NOT_DONE, "it is not done, half a file is there; it begins anew"),
    ],
)
async def test_a_resume_reports_its_progress_before_it_acts(
    found: Config, seen: Seen, then: str
) -> None:
    heard: list[Event] = []
    last = [Done(f"one.{letter}") for letter in "cdefg"]
    with sessions.begin(found) as session:
        async with Context(found, session, Events()) as context:
            cut_off = steps(Done("one.a"), Done("one.b", seen=seen), *last)
            with pytest.raises(KeyboardInterrupt):
                await Engine(context, cut_off, Consenting()).go()
            context.events.subscribe(heard.append)
            told = await resume.survey(context, cut_off)
            assert heard == []
            assert told.seen["one.b"].seen is seen
            with suppress(KeyboardInterrupt, OperationFailed):  # it may not be cleared away
                await Engine(context, cut_off, Consenting()).go()
    first = heard[0]
    assert isinstance(first, Finding)
    assert first.value == told.text
    assert told.text.startswith(
        f"Session {session.id}: 1 of 7 operations are done, the last of them one.a. "
        "one.b was interrupted: "
    )
    assert then in told.text
    assert told.text.endswith("To be done: one.b, one.c, one.d and 3 more.")


async def test_a_resume_says_what_it_cannot_observe(found: Config) -> None:
    with sessions.begin(found) as session:
        async with Context(found, session, Events()) as context:
            with pytest.raises(KeyboardInterrupt):
                await Engine(context, steps(Done("one.a", seen=Seen.DONE)), Consenting()).go()
            told = await resume.survey(context, steps(Done("one.a")))
            assert "how far it came cannot be seen, Two databases have that name" in told.text
            with pytest.raises(OperationFailed) as caught:
                await Engine(context, steps(Done("one.a")), Consenting()).go()
            assert caught.value.found == "harbour, harbour"


async def test_a_new_session_and_a_finished_one_report_nothing(found: Config) -> None:
    heard: list[Event] = []
    with sessions.begin(found) as session:
        async with Context(found, session, Events()) as context:
            context.events.subscribe(heard.append)
            for _ in range(2):
                await Engine(context, steps(Done("one.a")), Consenting()).go()
    assert not [event for event in heard if isinstance(event, Finding)]
