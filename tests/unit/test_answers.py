"""Recorded answers: what is written reads back, and every fault is named before anything runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from wizard import answers
from wizard.answers import Answers
from wizard.errors import AnswersError, ExitCode
from wizard.operation import Gate, Loss, Plan
from wizard.questions import Question
from wizard.redaction import Secret

FETCH = Question("backup.archive", "Fetch or take?", help="`fetch` fetches.", default="fetch")
TARGETS = Question("production.targets", "Which?", kind="many", choices=("staging", "production"))
CLASS = Question("structure.class", "The class", kind="source")
PLAN = Plan(
    operation="backup.restore",
    title="Replace the local database",
    destroys=(Loss("the old content", 12),),
    gate=Gate("podcast"),
    facts={"local database": "podcast"},
)


def faults(given: Answers, **more: bool) -> list[str]:
    return answers.check(
        given,
        [FETCH, TARGETS, CLASS],
        gated=["backup.restore"],
        gates=["backup.restore", "project.trust:production"],
        steps=["project", "backup", "structure", "production"],
        **more,
    )


def test_what_is_written_reads_back(tmp_path: Path) -> None:
    text = 'class Podcast(Blog):\n    title = "a: b"\n\n    class Meta:\n        pass\n'
    given = Answers(project={"from": "cast.Blog"}, interactive=[])
    given.answers = {
        "backup.archive": "fetch",
        "structure.class": text,
        "production.targets": ["staging", "production"],
    }
    given.consent(PLAN)
    path = tmp_path / "answers.yml"
    answers.write(path, given, {FETCH.key: FETCH}, {"by": "a test"})
    assert path.stat().st_mode & 0o777 == 0o600
    assert "# Fetch or take?" in path.read_text()
    assert "# `fetch` fetches." in path.read_text()
    back = answers.read(path)
    assert back == given
    assert back.consents["backup.restore"]["fingerprint"] == PLAN.fingerprint
    assert faults(back) == []


def test_every_fault_is_named_at_once() -> None:
    given = Answers(
        answers={"backup.archiv": "fetch", "production.targets": ["prod"]},
        consents={"backup.restor": {"fingerprint": "0"}},
        interactive=["structur"],
    )
    text = "\n".join(faults(given))
    assert "Did you mean backup.archive" in text
    assert "'prod' is not one of staging, production" in text
    assert "Did you mean backup.restore" in text
    assert "no step is named 'structur'" in text
    assert "answers.structure.class: missing" in text
    assert "consents.backup.restore: missing" in text


def test_a_step_that_is_asked_again_may_miss_its_answers() -> None:
    given = Answers(
        answers={"production.targets": ["staging"]}, interactive=["structure", "backup"]
    )
    assert faults(given) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("answers: {}\n", "first key should be"),
        ("remodel: 2\n", "has format 2"),
        ("remodel: 1\nanswer: {}\n", "Did you mean answers"),
        ("remodel: 1\nanswers: [a]\n", "is a mapping"),
        ("remodel: 1\nconsents: {backup.restore: yes}\n", "has no fingerprint"),
        ("remodel: 1\nanswers: {a.password: hunter22}\n", "secret in the clear"),
        ("remodel: 1\nanswers: {a.dsn: 'postgres://ana:pw@host/db'}\n", "secret in the clear"),
        ("remodel: 1\nanswers: {backup.archive: known-secret-value}\n", "secret in the clear"),
        ("remodel: 1\nanswers: {a: &x [1], b: *x}\n", "aliases"),
        ("remodel: 1\nanswers: {a: !!python/name:os.system }\n", "could not determine"),
        ("\x00", "plain YAML"),
        ("", "not a file of recorded answers"),
    ],
)
def test_bad_files(tmp_path: Path, text: str, words: str) -> None:
    Secret("known-secret-value")
    path = tmp_path / "answers.yml"
    path.write_text(text)
    with pytest.raises(AnswersError) as raised:
        answers.read(path)
    assert words in str(raised.value)
    assert raised.value.exit_code is ExitCode.USAGE


def test_a_reference_to_a_secret_is_no_secret(tmp_path: Path) -> None:
    path = tmp_path / "answers.yml"
    path.write_text("remodel: 1\nanswers: {a.password: 'env:PASSWORD'}\n")
    assert answers.read(path).answers == {"a.password": "env:PASSWORD"}
