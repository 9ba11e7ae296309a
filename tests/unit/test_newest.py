"""Which session is the newest: by what the journals hold, whatever clocks and folders say."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.support.command import remodel
from tests.support.consenting_operator import Consenting
from tests.unit.counting_operation import Act, go, step
from wizard.base.errors import OperationFailed, UsageError
from wizard.commands import cli, runner
from wizard.config.config import Config
from wizard.session import session as sessions
from wizard.session.listed import Place
from wizard.session.plan import CHANGES_NOTHING, Plan
from wizard.upkeep import rehearsal

Begin = Callable[..., str]
NOON = 1_800_000_000.0


@pytest.fixture
def begin(found: Config, monkeypatch: pytest.MonkeyPatch) -> Begin:
    """Begin and end a session at a time of the clock, in a folder of a local time."""

    def begin(at: float = NOON, name: str = "20270115-120000", *, acts: bool = True) -> str:
        with monkeypatch.context() as clock:
            clock.setattr(time, "time", lambda: at)
            clock.setattr(time, "strftime", lambda text, *_: name if "%S" in text else text)
            with sessions.begin(found) as session:
                if acts:
                    act(session, "one.act")
                return session.id

    return begin


def act(session: sessions.Session, key: str, outcome: str = "", undo: str = "") -> None:
    session.journal.write(key, "intent", Plan(key, "", undo=undo).as_dict())
    if outcome:
        session.journal.write(key, outcome, {"message": ""})  # type: ignore[arg-type]


def folder(found: Config, name: str) -> Path:
    return found.state / "sessions" / name


def older(found: Config, name: str, **notes: Any) -> None:
    """Make a session one of the version before: neither its id nor its place is noted."""
    with closing(sqlite3.connect(folder(found, name) / "journal.sqlite")) as journal:
        journal.execute("DELETE FROM session WHERE key IN ('id', 'place', 'turns')")
        journal.commit()


def listed(found: Config) -> list[str]:
    return [one.id for one in sessions.summaries(found) if not one.trouble]


def newest(found: Config) -> str:
    """The one that a resume takes, which is also the one that is reported and rehearsed."""
    with sessions.resume(found) as session:
        assert sessions.folder_of(found) == session.folder
        return session.id


# Clocks and names


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ((NOON, "20270115-120000"), (NOON + 3600, "20270115-130000")),
        ((NOON, "20270115-120000"), (NOON - 9_000_000, "20261003-080000")),  # set back
        ((NOON, "20270115-120000"), (NOON, "20270115-120000")),  # the same second
        ((NOON, "20271031-023000"), (NOON + 1800, "20271031-020000")),  # the hour that comes twice
        ((NOON, "20270116-020000"), (NOON + 60, "20270115-120100")),  # another time zone
        ((NOON * 2, "29990101-000000"), (NOON, "20270115-120000")),  # the first from the future
    ],
)
def test_the_one_begun_last_is_the_newest(
    found: Config, begin: Begin, first: tuple[float, str], second: tuple[float, str]
) -> None:
    ids = [begin(*first), begin(*second)]
    assert listed(found) == ids
    assert newest(found) == ids[1]
    ids.append(begin(NOON / 2, "19990101-000000"))
    assert listed(found) == ids
    assert newest(found) == ids[2]


def test_sessions_of_an_older_version_follow_their_journals(found: Config, begin: Begin) -> None:
    late, early = begin(NOON, "20270115-010000"), begin(NOON - 60, "20270115-020000")
    for name in (late, early):
        older(found, name)
    assert listed(found) == [early, late]
    new = begin(NOON - 3600, "20270115-000000")  # the clock was set back, but it knows of both
    assert listed(found) == [early, late, new]
    again = begin(NOON - 7200, "20270114-230000")  # by the version before, and later
    older(found, again)
    assert listed(found) == [early, late, new, again]
    last = begin(NOON - 9000, "20270114-220000")
    assert listed(found) == [early, late, new, again, last]
    assert newest(found) == last
    shutil.move(folder(found, late), folder(found, "renamed"))
    assert listed(found) == [early, "renamed", new, again, last]


def test_a_number_is_greater_than_any_other_in_the_folder(found: Config, begin: Begin) -> None:
    first, second = begin(), begin(name="20270115-130000")
    shutil.rmtree(folder(found, first))
    third = begin(name="20270115-110000")
    with sessions.resume(found, second):
        pass
    fourth = begin(name="20270115-100000")
    assert [one.place for one in sessions.summaries(found)] == [Place(2), Place(3), Place(5)]
    assert listed(found) == [second, third, fourth]


# Folders


def test_a_renamed_folder_is_the_session_that_it_was(found: Config, begin: Begin) -> None:
    first, second = begin(), begin(name="20270115-130000")
    shutil.move(folder(found, second), folder(found, "00-keep"))
    assert listed(found) == [first, second]
    with sessions.resume(found) as session:
        assert (session.id, session.folder.name) == (second, "00-keep")
    third = begin(name="20270115-130000")  # whose id is not that of the renamed one
    assert third == "20270115-130000-1"
    told = remodel(found.path.parent, "sessions")
    assert f"its folder has another name: {folder(found, '00-keep')}" in told.out


@pytest.mark.parametrize("version", ["this", "older"])
@pytest.mark.parametrize("copy", ["29990101-000000 copy", "0"])
def test_a_copy_is_told_and_never_worked_on(
    found: Config, begin: Begin, version: str, copy: str
) -> None:
    first, second = begin(), begin(NOON + 1, "20270115-130000")
    if version == "older":
        older(found, first)
        older(found, second)
    shutil.copytree(folder(found, first), folder(found, copy))
    assert listed(found) == [first, second]
    assert newest(found) == second
    with pytest.raises(OperationFailed, match=f"a copy of {first}"):
        sessions.resume(found, copy)
    told = remodel(found.path.parent, "sessions")
    assert (told.code, told.err) == (0, "")
    assert f"{copy}  CANNOT BE USED: a copy of {first}" in told.out
    assert f"{second}  begun" in told.out


def test_two_copies_without_the_session_itself_are_both_refused(
    found: Config, begin: Begin
) -> None:
    begin()
    second = begin(name="20270115-130000")
    shutil.copytree(folder(found, second), folder(found, "a"))
    shutil.move(folder(found, second), folder(found, "b"))
    for identifier in ("", "a", "b"):
        with pytest.raises(OperationFailed, match="which one is the session, nobody can tell"):
            sessions.resume(found, identifier)
    shutil.rmtree(folder(found, "a"))
    assert newest(found) == second


def _not_a_database(path: Path) -> None:
    path.write_bytes(b"not a database" * 100)


def _torn(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:4096] + b"\xff" * 4096)


def _another_table(path: Path) -> None:
    with closing(sqlite3.connect(path)) as journal:
        journal.executescript("DROP TABLE entry; CREATE TABLE entry (id int)")


def _no_json(path: Path) -> None:
    with closing(sqlite3.connect(path)) as journal:
        journal.execute("UPDATE session SET value = '{' WHERE key = 'identity'")
        journal.commit()


def _a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("broken", [_not_a_database, _torn, _another_table, _no_json, _a_folder])
def test_a_journal_that_cannot_be_read_is_told_and_may_be_the_newest(
    found: Config, begin: Begin, broken: Callable[[Path], None]
) -> None:
    first, second = begin(), begin(name="20270115-130000")
    for other in folder(found, second).glob("journal.sqlite-*"):
        other.unlink()
    broken(folder(found, second) / "journal.sqlite")
    for command in ("sessions", "purge"):
        told = remodel(found.path.parent, command)
        assert (told.code, told.err) == (0, "")
        assert f"{second}  CANNOT BE USED: its journal cannot be read" in told.out
        assert f"\n{first}  " in told.out
    for arguments in (
        ("undo", "--to", "copy"),
        ("rollback", "--target", "production"),
        ("report",),
        ("rehearse",),
        ("plan",),
    ):
        told = remodel(found.path.parent, *arguments)
        assert told.code == 1
        assert "Which session is the newest is not known" in told.err
        assert f"{second}: its journal cannot be read" in told.err
    with sessions.resume(found, first) as session:
        assert session.id == first
    third = begin(name="20270115-140000")  # a new one can begin
    assert listed(found) == [first, third]
    shutil.move(folder(found, second), found.state / "away")
    assert newest(found) == third


# Sessions that did nothing


def test_one_that_only_looked_is_not_interrupted_and_catches_no_undo(
    found: Config, begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = begin()
    second = begin(name="20270115-130000", acts=False)
    with sessions.resume(found, second) as session:
        act(session, "project.preflight", "done", CHANGES_NOTHING)
        session.journal.write("backup.fetch", "failed", {"message": "no plan"})
    one, two = sessions.summaries(found)
    assert (one.id, one.acted, one.interrupted) == (first, True, ["one.act"])
    assert (two.id, two.acted, two.interrupted) == (second, False, [])
    assert newest(found) == first
    assert undone(found, monkeypatch) == first


def undone(found: Config, patch: pytest.MonkeyPatch) -> str:
    """Return which session an undo without an id opens."""
    opened: list[str] = []

    def resume(config: Config, identifier: str) -> sessions.Session:
        opened.append(identifier)
        raise UsageError("as far as this goes")

    with patch.context() as patched:
        patched.setattr(sessions, "resume", resume)
        with pytest.raises(UsageError, match="as far as"):
            runner.run(runner.undo(found, "", "copy"))
    return opened[0]


def test_nothing_done_is_nothing_to_undo(found: Config, begin: Begin) -> None:
    only = begin(acts=False)
    told = remodel(found.path.parent, "undo", "--to", "copy")
    assert told.code == 2
    assert "No session has done anything that could be undone" in told.err
    assert newest(found) == only  # it can be gone on with all the same


def test_an_undo_takes_the_newest_also_where_it_is_finished_or_undone(
    found: Config, begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What an older one did lies under it."""
    begin()
    with sessions.begin(found) as session:
        asyncio.run(go(session, Consenting(), step(Act("one.a"))))
        assert session.journal.noted("finished")
    assert undone(found, monkeypatch) == session.id
    with sessions.resume(found, session.id) as again:
        again.journal.write("one.a", "undone", {})
    assert undone(found, monkeypatch) == session.id


# The way back of a delivery


def _delivered(found: Config, identifier: str, at: float, patch: pytest.MonkeyPatch) -> None:
    with patch.context() as clock, sessions.resume(found, identifier) as session:
        clock.setattr(time, "time", lambda: at)
        act(session, "production.deliver:production", "done")


@pytest.mark.parametrize("later", [1, -9_000_000])
@pytest.mark.parametrize("turned", [False, True])
def test_a_rollback_takes_the_session_that_delivered_last(
    found: Config, begin: Begin, monkeypatch: pytest.MonkeyPatch, later: int, turned: bool
) -> None:
    """Also where the older one went on after the newer one, or a clock was set back."""
    order = [begin(), begin(name="20270115-130000")]
    if turned:
        order.reverse()
    begin(name="20270115-140000")
    _delivered(found, order[0], NOON, monkeypatch)
    _delivered(found, order[1], NOON + later, monkeypatch)
    with cli._delivered(found, "", "production") as session:
        assert session.id == order[1]
    with sessions.resume(found, order[0]) as session:  # that is opened again, and delivers nothing
        act(session, "purge.local", "done")
    with cli._delivered(found, "", "production") as session:
        assert session.id == order[1]


def test_deliveries_of_an_older_version_come_first(
    found: Config, begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, third = (begin(NOON + n, f"20270115-12000{n}") for n in range(3))
    for name in (first, second, third):
        older(found, name)
    _delivered(found, third, NOON - 60, monkeypatch)
    _delivered(found, first, NOON + 70, monkeypatch)
    _delivered(found, second, NOON + 60, monkeypatch)
    for name in (first, second, third):
        older(found, name)
    with cli._delivered(found, "", "production") as session:
        assert session.id == first
    _delivered(found, third, NOON - 50, monkeypatch)
    with cli._delivered(found, "", "production") as session:
        assert session.id == third


def test_a_rehearsal_of_a_renamed_session_has_its_id(found: Config, begin: Begin) -> None:
    name = begin()
    (folder(found, name) / "answers.yml").write_text("remodel: 1\nanswers: {}\n")
    shutil.move(folder(found, name), folder(found, "kept"))
    with rehearsal.recorded(found, "", None) as of:
        assert of.session == name
