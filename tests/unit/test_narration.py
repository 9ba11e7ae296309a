"""Plain output: lines that a screen reader and a CI log can take."""

from __future__ import annotations

import io
import json
import re

from wizard.base.events import Event, Finding, Finished, Line, Planned, Progress, Started
from wizard.reports.narration import JsonLines, Narrator
from wizard.session.plan import Plan


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_coalesces_hours_of_progress_into_few_lines() -> None:
    out, clock = io.StringIO(), Clock()
    tell = Narrator(out, clock)
    tell(Started("backup.fetch"))
    total = 10 * 3600 * 10  # ten hours, ten times a second
    at: list[float] = []
    for done in range(1, total + 1):
        clock.now += 0.1
        before = out.tell()
        tell(Progress("backup.fetch", done, total, "rows"))
        if out.tell() != before:
            at.append(clock.now - 1000)
    waits = [later - earlier for earlier, later in zip([0.0, *at], at, strict=False)]
    assert 1.9 < waits[0] < 2.2
    assert waits == sorted(waits, key=lambda wait: round(wait))  # ever slower
    assert 59 < max(waits) < 61
    assert len(at) < 620
    assert re.search(r"of 360,000 rows, \d+ %", out.getvalue())
    tell(Finished("backup.fetch"))
    tell(Started("backup.restore"))  # what comes next begins at the quick pace again
    clock.now += 2.1
    before = out.tell()
    tell(Progress("backup.restore", 1, None, "rows"))
    assert out.tell() != before


def test_prints_no_control_codes() -> None:
    out = io.StringIO()
    tell = Narrator(out)
    evil = "\x1b[31mred\x1b[0m \x1b]0;title\x07 \x9b2J \x1b(B bell\x07 back\x08 [/admin]"
    plan = Plan("copy.convert", f"Convert {evil}", (f"page {evil}",))
    events: list[Event] = [
        Line("structure.migrate", "django", evil),
        Finding("copy.convert", name=evil, value=evil, status="warn", hint=evil),
        Planned("copy.convert", plan=plan.as_dict()),
        Finished("copy.convert", outcome="failed", message=evil),
    ]
    for event in events:
        tell(event)
    told = out.getvalue()
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", told)
    assert told.count("red") == 7
    assert "[/admin]" in told


def test_prints_each_event_as_one_line_of_json() -> None:
    out = io.StringIO()
    text = "one\ntwo\x1b[31m\u2028th\u00e9"
    JsonLines(out)(Line("a.b", "django", text))
    (line,) = out.getvalue().splitlines()
    assert line.isascii() and "\x1b" not in line
    assert json.loads(line)["text"] == text
