"""Commands that say no before anything has begun, and those that only look."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from tests.support.command import Ended, remodel
from tests.support.remodel_yml import write
from wizard.commands import schema
from wizard.config import config
from wizard.sandbox import layout
from wizard.session import session as sessions
from wizard.session.questions import Question

SHIPPED = Path(layout.__file__).with_name("answers.yml").read_text()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path)
    (tmp_path / "answers.yml").write_text(SHIPPED)
    reopened = SHIPPED.replace("interactive: []", "interactive: [copy]")
    (tmp_path / "reopened.yml").write_text(reopened)
    return tmp_path


def nothing_begun(folder: Path, ended: Ended) -> None:
    assert ended.code == 2, ended.err
    assert not (folder / ".remodel").exists()


def test_check_lists_the_steps_for_a_person_and_for_the_answers(folder: Path) -> None:
    ended = remodel(folder, "check", "reopened.yml")
    assert (ended.code, ended.err) == (0, "")
    assert "A person goes through copy" in ended.out


@pytest.mark.parametrize("command", ["check", "replay", "rehearse"])
def test_checks_what_set_gives_first(folder: Path, command: str) -> None:
    given = ["rehearse", "--answers"] if command == "rehearse" else [command]
    ended = remodel(
        folder, *given, "answers.yml", "--set", "backup.archiv=x", "--set", "copy.fields=[1]"
    )
    nothing_begun(folder, ended)
    assert "--set backup.archiv: not a question. Did you mean backup.archive" in ended.err
    assert "--set copy.fields: a mapping of fields is needed" in ended.err
    ended = remodel(folder, *given, "answers.yml", "--set", "backup.archive=file://a:pw-42@b/")
    nothing_begun(folder, ended)
    assert "secret in the clear" in ended.err
    assert "pw-42" not in ended.err


def test_asks_for_no_answer_that_is_never_asked(folder: Path) -> None:
    """For a type that the project has, nobody is asked for a class, nor for consent to it."""
    data = yaml.safe_load(SHIPPED)
    del data["answers"]["structure.class"], data["consents"]["structure.model"]
    (folder / "answers.yml").write_text(yaml.safe_dump(data))
    assert remodel(folder, "check", "answers.yml").code == 0
    data["answers"]["structure.class"] = "class A(B): pass"
    del data["answers"]["backup.archive"]
    (folder / "answers.yml").write_text(yaml.safe_dump(data))
    ended = remodel(folder, "check", "answers.yml")
    nothing_begun(folder, ended)
    assert "answers.backup.archive: missing" in ended.err
    assert "consents.structure.model: missing" in ended.err


def test_set_needs_recorded_answers(folder: Path) -> None:
    ended = remodel(folder, "resume", "--set", "backup.archive=x")
    nothing_begun(folder, ended)
    assert "--answers FILE" in ended.err


def test_records_in_the_journal_what_set_changed(folder: Path) -> None:
    """There is no Django project here, so that the replay ends at once; but it had begun."""
    ended = remodel(folder, "replay", "answers.yml", "--set", "backup.archive=taken.dump")
    assert ended.code != 0
    (one,) = sessions.summaries(config.read(folder / "remodel.yml"))
    with sessions.resume(config.read(folder / "remodel.yml"), one.id) as session:
        assert session.journal.noted("changed") == ["backup.archive"]
        session.answer(Question("backup.archive", ""), "taken.dump")
    refused = remodel(folder, "resume", "--answers", "answers.yml", "--set", "backup.archive=fetch")
    assert refused.code == 2
    assert f"remodel undo {one.id} --to backup" in refused.err


@pytest.mark.parametrize("command", ["replay", "resume"])
def test_steps_for_a_person_need_a_terminal(folder: Path, command: str) -> None:
    given = ["resume", "--answers"] if command == "resume" else [command]
    ended = remodel(folder, *given, "reopened.yml", "--plain")
    nothing_begun(folder, ended)
    assert "go through copy, and there is no terminal" in ended.err
    ended = remodel(folder, *given, "reopened.yml", "--json")
    nothing_begun(folder, ended)
    assert "--json leaves no terminal" in ended.err


def test_errors_are_the_last_line_of_json(folder: Path) -> None:
    validator = Draft202012Validator(schema.events())
    for arguments in (["replay", "nothing.yml"], ["replay", "reopened.yml"], ["resume", "nobody"]):
        ended = remodel(folder, *arguments, "--json")
        assert ended.code == 2
        (line,) = ended.out.splitlines()
        error = json.loads(line)
        validator.validate(error)
        assert error["exit_code"] == 2
        assert error["message"] in ended.err or "nothing.yml" in ended.err


def test_schemas_are_printed(folder: Path) -> None:
    told = json.loads(remodel(folder, "schema").out)
    assert "copy.fields" in told["properties"]["answers"]["properties"]
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    (folder / "remodel.yml").unlink()
    assert json.loads(remodel(elsewhere, "schema", "events").out) == schema.events()
    assert remodel(elsewhere, "schema").code == 2
