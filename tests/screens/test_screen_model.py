"""The model is a fold over events, and a session's journal folds to the same."""

from __future__ import annotations

from pathlib import Path

from screens.model import LINES_KEPT, Model
from screens.widgets.progress import amount, bar, duration
from tests.support import scripted_app
from wizard.base.events import (
    Consented,
    Document,
    Event,
    Finding,
    Finished,
    Line,
    Planned,
    Progress,
    Started,
    StepDone,
    StepEntered,
    TreeChanged,
)
from wizard.session.journal import Journal
from wizard.session.plan import Gate, Plan


def model() -> Model:
    fetch = scripted_app.Scripted("backup.fetch", "Fetch")
    restore = scripted_app.Scripted("backup.restore", "Restore", gate=Gate("harbour"))
    steps = [scripted_app.step("project"), scripted_app.step("backup", fetch, restore)]
    made = Model(steps)
    made.outline("backup", (fetch, restore))
    return made


def test_an_operation_goes_from_waiting_over_its_gate_to_done() -> None:
    folded = model()
    backup = folded.steps["backup"]
    plan = Plan("backup.restore", "Restore", gate=Gate("harbour")).as_dict()
    seen = []
    for event in (
        StepEntered("", step="backup"),
        Planned("backup.restore", plan=plan),
        Consented("backup.restore"),
        Started("backup.restore", at=10.0),
        Progress("backup.restore", 1, 2, "bytes"),
        Finished("backup.restore", message="12 MB", at=14.0),
    ):
        folded.fold(event)
        seen.append((backup.operations["backup.restore"].state, backup.state))
    assert seen == [
        ("waiting", "ready"),
        ("gate", "gate"),
        ("waiting", "ready"),
        ("running", "running"),
        ("running", "running"),
        ("done", "ready"),
    ]
    assert backup.operations["backup.restore"].seconds == 4.0
    assert [operation.key for operation in backup.left] == ["backup.fetch"]
    assert folded.current == "backup"
    folded.fold(StepDone("", step="backup"))
    assert backup.state == "done"


def test_a_failure_is_the_state_of_the_step_until_it_is_tried_again() -> None:
    folded = model()
    seen = []
    for event in (
        Finished("backup.fetch", outcome="failed", message="broke off"),
        Started("backup.fetch"),
    ):
        folded.fold(event)
        seen.append(folded.steps["backup"].state)
    assert seen == ["failed", "running"]
    assert folded.steps["backup"].operations["backup.fetch"].message == ""


def test_findings_and_documents_replace_earlier_ones() -> None:
    folded = model()
    for value in ("17", "18"):
        folded.fold(Finding("backup.fetch", "pg_dump", value))
        folded.fold(Document("backup.fetch", "Change", "diff", value))
    backup = folded.steps["backup"]
    assert [finding.value for finding in backup.findings.values()] == ["18"]
    assert [document.text for document in backup.documents.values()] == ["18"]


def test_output_keeps_its_last_lines() -> None:
    folded = model()
    for number in range(LINES_KEPT + 5):
        folded.fold(Line("backup.fetch", "pg_dump", str(number)))
    lines = folded.steps["backup"].lines
    assert (len(lines), lines[0].text, lines[-1].text) == (LINES_KEPT, "5", str(LINES_KEPT + 4))


def test_marks_show_the_plan_then_the_result() -> None:
    folded = model()
    folded.fold(TreeChanged("copy.convert", {7: "moved", 8: "going"}, True))
    assert (folded.marks, folded.marks_planned) == ({7: "moved", 8: "going"}, True)
    before = folded.tree_version
    folded.fold(TreeChanged("copy.convert", {9: "new"}, False))
    assert folded.marks[9] == "new"
    assert not folded.marks_planned
    assert folded.tree_version == before + 1


def test_a_journal_restores_the_model(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.sqlite")
    seen: list[Event] = [
        StepEntered("", step="backup"),
        Finding("backup.fetch", "pg_dump", "18 [/x]"),
        Finished("backup.fetch", message="12 MB"),
        Started("backup.restore"),
    ]
    for event in seen:
        journal.event(event.as_dict())
    journal.write("backup.fetch", "done", {"message": "12 MB"})
    journal.write("backup.restore", "intent", {})
    folded = model()
    folded.seed(journal)
    journal.close()
    backup = folded.steps["backup"]
    assert backup.operations["backup.fetch"].state == "done"
    assert backup.operations["backup.fetch"].message == "12 MB"
    # It was running when the process died; what it came to is for the engine to find out.
    assert backup.operations["backup.restore"].state == "interrupted"
    assert [finding.value for finding in backup.findings.values()] == ["18 [/x]"]
    assert folded.current == "backup"


def test_shows_amounts_in_units() -> None:
    assert amount(999, "bytes") == "999 bytes"
    assert amount(12_400_000, "bytes") == "12.4 MB"
    assert amount(1204, "rows") == "1,204 rows"
    assert [duration(s) for s in (7, 760, 3723)] == ["0:07", "12:40", "1:02:03"]
    told = bar(Progress("x", 31, 62, "pages", "moving", eta=4.2), 80).plain
    assert "50%  31 of 62 pages  0:04 left  moving" in told
    assert told.count("━") == told.count("─") > 0
    assert "%" not in bar(Progress("x", 31, None, "pages"), 80).plain
