"""A session that an older version began goes on under this one, and its answers replay.

The folder, the dumps and the answers are what that version wrote; see
`tests.support.older_session`.
What they are held against is read with SQL, SQLite and YAML alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from unittest import mock

import pytest
import yaml
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from tests.support import sql_check
from tests.support.older_session import ANSWERS, CONFIG, SESSION_0_1_0, Row, events, rows
from tests.support.sandbox import Demo

OLDER = SESSION_0_1_0
ALLOW = ("--allow", "staging", "--allow", "production")
WITH = ("--config", CONFIG)
GATED = 8


LATER = {"project.trial", "backup.sequences"}  # operations that the older version did not have


@pytest.fixture
def given(demo: Demo) -> Iterator[Demo]:
    """The sandbox, with the configuration and the answers of the older version's run."""
    OLDER.put_given(demo)
    yield demo
    for name in (CONFIG, ANSWERS):
        (demo.root / name).unlink()


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["before_delivery", "after_copy"])
def test_it_is_resumed_to_its_end(given: Demo, stage: str) -> None:
    session = OLDER.put_all(given, stage)
    begun = rows(session)
    with given.connect("production") as connection:
        before = sql_check.look(connection)

    resumed = given.remodel("resume", "--answers", ANSWERS, *ALLOW, *WITH, "--json")
    assert resumed.returncode == 0, resumed.stderr

    with given.connect("production") as connection:
        sql_check.judge(connection, before, "harbour.example")
    with given.connect("production", "harbour_staging") as connection:
        sql_check.judge(connection, before, "staging.harbour.example")
    after = rows(session)
    assert after[: len(begun)] == begun
    done = {row.operation for row in begun if row.kind in ("done", "skipped")}
    assert not done & {row.operation for row in after[len(begun) :]}  # nothing is done twice
    assert changes(told(OLDER.journal(given)), told(after)) == []
    written = yaml.safe_load((session / "answers.yml").read_text())
    assert written == {**OLDER.answers, "recorded": recorded(OLDER.id)}


@pytest.mark.slow  # over 30 seconds where two run at once: the whole of it is done anew
def test_its_answers_replay_without_a_stale_consent(given: Demo) -> None:
    """The replay writes the very journal, too: rows, the names in them, fingerprints of plans.

    It ends with 5 at a consent that is stale.
    """
    older = OLDER.journal(given)
    with given.connect("production") as connection:
        before = sql_check.look(connection)
    ended = given.remodel("replay", ANSWERS, *ALLOW, *WITH, "--json")
    assert ended.returncode == 0, ended.stderr
    with given.connect("production") as connection:
        sql_check.judge(connection, before, "harbour.example")
    assert len(OLDER.answers["consents"]) == GATED
    (session,) = (given.root / ".remodel" / "sessions").iterdir()
    written = yaml.safe_load((session / "answers.yml").read_text())
    assert written == {**OLDER.answers, "recorded": recorded(session.name)}
    assert changes(told(older), told(rows(session))) == []


@pytest.mark.slow
def test_its_journal_is_understood(given: Demo) -> None:
    """What only reads takes it: each key is an operation of today, the report tells all of it."""
    planned = given.remodel("plan", *WITH)
    assert planned.returncode == 0, planned.stderr
    known = set(re.findall(r"^([a-z_]+\.[a-z_]+(?::\w+)?): ", planned.stdout, re.M))

    session = OLDER.put_session(given, "finished")
    older = rows(session)
    assert {row.operation for row in older if row.kind != "answer"} == known - LATER
    assert len(known - LATER) == 34
    asked = json.loads(given.remodel("schema", *WITH).stdout)["properties"]["answers"]
    assert {row.operation for row in older if row.kind == "answer"} == set(asked["properties"])
    assert given.remodel("check", ANSWERS, *WITH).returncode == 0

    lines = Draft202012Validator(json.loads(given.remodel("schema", "events", *WITH).stdout))
    log = events(session)
    assert len(log) == OLDER.about["stages"]["finished"]["event"]
    assert [event for event in log if not lines.is_valid(event)] == []

    listed = given.remodel("sessions", *WITH).stdout
    assert f"{OLDER.id}  begun " in listed and "cast.Blog to cast.Podcast  finished" in listed
    ended = given.remodel("report", OLDER.id, *WITH)
    assert ended.returncode == 0, ended.stderr
    report = (session / "report.md").read_text()
    assert "| /show/ | The Harbour Show | 4 | " in report
    assert "It balances." in report
    for operation in ("copy.convert", "production.deliver:production", "production.check:staging"):
        assert f"| {operation} | ok | " in report
    held = given.remodel("purge", *WITH)
    assert held.returncode == 0, held.stderr
    assert OLDER.id in held.stdout


def recorded(session: str) -> dict[str, Any]:
    """What an answers.yml says of itself: the older version's names, of which two differ."""
    return {**OLDER.answers["recorded"], "by": mock.ANY, "at": mock.ANY, "session": session}


def told(journal: Sequence[Row]) -> list[tuple[str, str, str, Any]]:
    """The journal, row by row: the operation, what became of it, the plan's fingerprint, the form.

    Left out is where a run was stopped: a replay at once does not know of it.
    """
    return [
        (row.operation, row.kind, fingerprint(row.data), form(row.data))
        for row in journal
        if row.kind != "failed" and row.operation not in LATER
    ]


def changes(
    older: Sequence[tuple[str, str, str, Any]], newer: Sequence[tuple[str, str, str, Any]]
) -> list[str]:
    """Where a journal is not what the older version wrote; it may say more of an operation."""
    if [row[:3] for row in older] != [row[:3] for row in newer]:
        return [
            f"{before[:3]} became {after[:3]}" for before, after in zip(older, newer, strict=False)
        ]
    return [
        f"{before[:2]}: {before[3]} became {after[3]}"
        for before, after in zip(older, newer, strict=True)
        if not holds(after[3], before[3])
    ]


def holds(newer: Any, older: Any) -> bool:
    """Whether a form has everything that the older one had."""
    if isinstance(older, dict) and isinstance(newer, dict):
        return all(name in newer and holds(newer[name], form) for name, form in older.items())
    return bool(newer == older)


def fingerprint(data: Mapping[str, Any]) -> str:
    """The plan's fingerprint; of an installation its command, less the interpreter's name here."""
    command = data.get("facts", {}).get("command")
    return " ".join(command[1:]) if command else str(data.get("fingerprint", ""))


def form(value: Any, depth: int = 2) -> Any:
    """Names and types of values, as deep as the names are the product's and not the data's.

    Maps of pages' ids are among them; how many pages there are is the sandbox's. Tables are
    Wagtail's.
    """
    if isinstance(value, dict) and depth:
        return {
            "page" if name.isdecimal() else name: form(inner, depth - 1)
            for name, inner in value.items()
        }
    return type(value).__name__
