"""Whatever a page's title, a key or a traceback has in it acts on no terminal."""

from __future__ import annotations

import ast
import io
import unicodedata
from pathlib import Path

import pytest

import wizard
from wizard.base.errors import OperationFailed
from wizard.base.events import Answered, Event, Events, Finding, Finished, Line, Planned, Report
from wizard.base.terminal import say
from wizard.engine.operators import Plain
from wizard.reports import report
from wizard.reports.narration import Narrator
from wizard.session import answers
from wizard.session.answers import Answers
from wizard.session.journal import Journal
from wizard.session.plan import Gate, Loss, Plan
from wizard.session.questions import Question

HOSTILE = "a\x1b[31m\x1b]0;title\x07\x9b2J\x1bP q\x90\u202eb\u2066c\u200f\u061c\u2028\x08\r\x7f"
ROOT = Path(wizard.__file__).parent


def assert_tame(text: str) -> None:
    bad = [one for one in text if unicodedata.category(one) in ("Cc", "Cf", "Zl", "Zp")]
    assert not set(bad) - {"\t", "\n"}, bad


def plan() -> Plan:
    return Plan(
        operation="copy.delete",
        title=HOSTILE,
        does=(HOSTILE,),
        destroys=(Loss(HOSTILE, 1),),
        undo=HOSTILE,
        gate=Gate("go", "go"),
        facts={HOSTILE: HOSTILE},
    )


def test_events_come_clean_to_every_listener() -> None:
    heard: list[Event] = []
    stream = io.StringIO()
    events = Events()
    events.subscribe(heard.append)
    events.subscribe(Narrator(stream))
    voice = Report(events, "copy.pages")
    voice.line("django", HOSTILE)
    voice.finding(HOSTILE, HOSTILE, "warn", HOSTILE)
    voice.document(HOSTILE, "diff", f"+{HOSTILE}\n-{HOSTILE}")
    for event in (
        Planned("copy.delete", plan().as_dict()),
        Answered("copy.pages", HOSTILE, [HOSTILE]),
        Finished("copy.pages", "failed", HOSTILE),
    ):
        events.emit(event)
    for told in heard:
        assert_tame("".join(map(str, vars(told).values())))
    assert_tame(stream.getvalue())
    assert {type(one) for one in heard} >= {Line, Finding}


async def test_a_gate_and_an_error_at_prompts(capsys: pytest.CaptureFixture[str]) -> None:
    prompts: list[str] = []

    def read(prompt: str) -> str:
        prompts.append(prompt)
        return "go"

    operator = Plain(read)
    await operator.consent(plan(), [HOSTILE])
    await operator.failed(OperationFailed(HOSTILE, found=HOSTILE, hint=HOSTILE), "copy.pages")
    question = Question("copy.pages", HOSTILE, HOSTILE, choices=(HOSTILE, "go"), default=HOSTILE)
    await operator.ask([question], {})
    said = capsys.readouterr()
    assert "GATE: " in said.err and len(prompts) == 3
    assert_tame(said.out + said.err + "".join(prompts))


def test_the_report_and_the_recorded_answers(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.sqlite")
    journal.note("identity", {"conversion": {"from": HOSTILE, "to": "a.B"}, "project": HOSTILE})
    journal.write("copy.delete", "intent", {**plan().as_dict(), "details": {}})
    journal.write("copy.delete", "failed", {"message": HOSTILE})
    for path in report.write_into(tmp_path, journal):
        assert_tame(path.read_text())
    journal.close()
    question = Question("copy.pages", HOSTILE, f"{HOSTILE}\n{HOSTILE}")
    path = tmp_path / "answers.yml"
    answers.write(path, Answers({"copy.pages": "x"}), {"copy.pages": question}, {})
    assert_tame(path.read_text())
    assert answers.read(path).answers == {"copy.pages": "x"}


def test_says_it_clean(capsys: pytest.CaptureFixture[str]) -> None:
    say(HOSTILE)
    assert_tame(capsys.readouterr().out)


def test_one_place_prints() -> None:
    """All that is printed goes through `say`; but JSON, which has its own escapes."""
    printing = []
    for path in ROOT.rglob("*.py"):
        place = str(path.relative_to(ROOT))
        if place.startswith(("worker/", "sandbox/sample/")):  # what runs inside of a project
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in (
                *("print", "click.echo", "click.secho", "sys.stdout.write", "sys.stderr.write"),
            ):
                printing.append(place)
    assert sorted(printing) == [
        "base/terminal.py",
        "reports/narration.py",
    ]
