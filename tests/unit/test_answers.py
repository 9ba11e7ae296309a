"""Recorded answers: what is written reads back, and every fault is named before anything runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from wizard.base.errors import AnswersError, ExitCode, UsageError
from wizard.base.redaction import Secret
from wizard.session import answers
from wizard.session.answers import Answers
from wizard.session.plan import Gate, Loss, Plan
from wizard.session.questions import Question

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


@pytest.mark.parametrize("end", ["\n", "\r\n", "\n\f\n"])
def test_reads_back_what_it_writes(tmp_path: Path, end: str) -> None:
    text = 'class Podcast(Blog):\n    title = "a: b"\n\n    class Meta:\n        pass\n'.replace(
        "\n", end
    )
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


def test_comments_stay_over_a_resume(tmp_path: Path) -> None:
    """A later process asks other questions, and knows the text of those alone."""
    given = Answers({"backup.archive": "fetch", "copy.fields": {"a": {"from": "b"}}})
    path = tmp_path / "answers.yml"
    fields = Question("copy.fields", "The field map", help="What\n\nbecomes of what", kind="fields")
    answers.write(path, given, {FETCH.key: FETCH, fields.key: fields}, {})
    before = path.read_text()
    answers.write(path, answers.read(path), {}, {})
    assert path.read_text() == before
    back = answers.read(path).with_changes({"production.targets": ["staging"]})
    answers.write(path, back, {TARGETS.key: TARGETS}, {})
    text = path.read_text()
    for line in ("  # Fetch or take?", "  # `fetch` fetches.", "  # becomes of what", "  # Which?"):
        assert text.splitlines().count(line) == 1


def test_names_every_fault_at_once() -> None:
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


def test_a_file_of_each_version_is_read() -> None:
    found = answers.read(Path(__file__).with_name("answers-1.yml"))
    assert found.answers["backup.archive"] == "taken.dump"
    assert found.answers["structure.class"].startswith("class Podcast(Blog):\n    new_keywords")
    assert found.answers["copy.fields"]["summary"] == {"from": "intro"}
    assert found.answers["production.targets"] == ["staging", "production"]
    assert found.consents["backup.restore"]["plan"]["facts"]["source"] == "harbour"
    assert (found.interactive, found.changed) == (["structure"], ["backup.archive"])
    assert found.project["to"] == "cast.Podcast"


BAD = """\
remodel: 1
anwsers: {}
recorded: 5
answers:
  a.password: hunter22
  a.dsn: postgres://ana:pw@host/db
  a.nested: {one: [known-secret-value]}
  a.reference: env:PASSWORD
consents:
  backup.restore: yes
  backup.other: {fingerprint: 38ea339a777f5035, plan: all of it}
interactive: structure
"""


def test_every_fault_of_the_form_is_named_at_once_with_its_line(tmp_path: Path) -> None:
    Secret("known-secret-value")
    path = tmp_path / "answers.yml"
    path.write_text(BAD)
    with pytest.raises(AnswersError) as raised:
        answers.read(path)
    told = raised.value.found.splitlines()
    assert [line.partition(": ")[0] for line in told] == [
        f"line {number}" for number in (2, 10, 11, 12, 3, 6, 5, 7)
    ]
    assert "Did you mean answers" in told[0]
    assert [line.split(": ")[1] for line in told if "in the clear" in line] == [
        "answers.a.dsn",
        "answers.a.password",
        "answers.a.nested",
    ]
    for secret in ("hunter22", "ana:pw", "known-secret-value"):
        assert secret not in str(raised.value)


def test_faults_of_the_content_have_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "answers.yml"
    path.write_text(
        "remodel: 1\nanswers:\n  backup.archive: 3\n  production.targets:\n  - prod\n"
        "consents: {}\ninteractive:\n- structur\n"
    )
    given = answers.read(path)
    told = faults(given)
    assert told[0] == "line 3: answers.backup.archive: a text is needed, not 3"
    assert told[1].startswith("line 4: answers.production.targets: 'prod' is not one of")
    assert told[2].startswith("line 8: interactive[0]: no step is named 'structur'. Did you mean")


def test_checks_and_records_what_set_gives(tmp_path: Path) -> None:
    path = tmp_path / "answers.yml"
    path.write_text("remodel: 1\nanswers: {backup.archive: fetch, production.targets: [staging]}\n")
    given = answers.read(path)
    wrong = given.with_changes(
        answers.settings(["backup.archive=[a, b]", "a.password=x", "production.target=[staging]"])
    )
    told = faults(wrong, partial=True)
    assert told[0].startswith("--set backup.archive: a text is needed")
    assert told[1].startswith("--set a.password: not a question")
    assert "Did you mean production.targets" in told[2]
    right = given.with_changes(answers.settings(["production.targets=[production, staging]"]))
    assert right.answers == {
        "backup.archive": "fetch",
        "production.targets": ["production", "staging"],
    }
    assert given.answers["production.targets"] == ["staging"]
    answers.write(path, right, {}, {"by": "a test"})
    assert answers.read(path).changed == ["production.targets"]


@pytest.mark.parametrize("text", ["backup.archive", "=fetch", "a=[unclosed", "a=*x", "a=!!set {}"])
def test_set_needs_a_key_and_plain_yaml(text: str) -> None:
    with pytest.raises(UsageError) as raised:
        answers.settings([text])
    assert raised.value.hint


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("answers: {}\n", "first key should be"),
        ("remodel: 2\n", "written by a newer version"),
        ("remodel: 0\n", "has format 0"),
        ("remodel: true\n", "has format True"),
        ("remodel: 1\nanswer: {}\n", "Did you mean answers"),
        ("remodel: 1\nanswers: [a]\n", "a mapping of keys is needed"),
        (
            "remodel: 1\nconsents: {backup.restore: yes}\n",
            "16 hex digits",
        ),
        ("remodel: 1\nanswers: {a.password: hunter22}\n", "secret in the clear"),
        ("remodel: 1\nanswers: {a.dsn: 'postgres://ana:pw@host/db'}\n", "secret in the clear"),
        ("remodel: 1\nanswers: {backup.archive: known-secret-value}\n", "secret in the clear"),
        ("remodel: 1\nanswers: {a: &x [1], b: *x}\n", "aliases"),
        (
            "remodel: 1\nanswers: {a: !!python/name:os.system }\n",
            "are not used here",
        ),
        ("\x00", "plain YAML"),
        ("", "not a file of recorded answers"),
    ],
)
def test_refuses_bad_files(tmp_path: Path, text: str, words: str) -> None:
    Secret("known-secret-value")
    path = tmp_path / "answers.yml"
    path.write_text(text)
    with pytest.raises(AnswersError) as raised:
        answers.read(path)
    assert words in str(raised.value)
    assert raised.value.exit_code is ExitCode.USAGE


def test_keeps_references_to_secrets(tmp_path: Path) -> None:
    path = tmp_path / "answers.yml"
    path.write_text("remodel: 1\nanswers: {a.password: 'env:PASSWORD'}\n")
    assert answers.read(path).answers == {"a.password": "env:PASSWORD"}
