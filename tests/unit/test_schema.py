"""The JSON schemas say what `check` says, as far as a schema can, and the events' own form."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from tests.support.remodel_yml import write
from wizard.base.errors import AnswersError
from wizard.base.events import Event, Finding, Progress, TreeChanged
from wizard.commands import outline, schema
from wizard.config import config
from wizard.sandbox import layout
from wizard.session import answers
from wizard.session.answers import Answers
from wizard.session.questions import Question

SHIPPED = Path(layout.__file__).with_name("answers.yml")


@pytest.fixture
def found(tmp_path: Path) -> config.Config:
    return config.read(write(tmp_path))


def test_recorded_answers_validate(found: config.Config) -> None:
    told = schema.answers(found)
    Draft202012Validator.check_schema(told)
    validator = Draft202012Validator(told)
    for path in (SHIPPED, Path(__file__).with_name("answers-1.yml")):
        validator.validate(json.loads(json.dumps(yaml.safe_load(path.read_text()))))
    described = told["properties"]["answers"]["properties"]["production.targets"]
    assert described["items"]["enum"] == ["staging", "production"]
    assert "put staging first" in described["description"]


@pytest.mark.parametrize(
    "change",
    [
        {"remodel": 2},
        {"anwsers": {}},
        {"answers": {"backup.archiv": "fetch"}},
        {"answers": {"backup.archive": 3}},
        {"answers": {"backup.archive": ""}},
        {"answers": {"production.targets": ["prod"]}},
        {"answers": {"production.targets": "staging or not"}},
        {"answers": {"copy.fields": {"summary": {"form": "intro"}}}},
        {"consents": {"backup.restore": {"fingerprint": "1"}}},
        {"consents": {"backup.restor": {"fingerprint": "0" * 16}}},
        {"interactive": ["structur"]},
    ],
    ids=str,
)
def test_what_check_refuses_does_not_validate(
    found: config.Config, change: dict[str, Any], tmp_path: Path
) -> None:
    data = {**yaml.safe_load(SHIPPED.read_text()), **change}
    path = tmp_path / "answers.yml"
    path.write_text(yaml.safe_dump(data))
    with pytest.raises(AnswersError):
        outline.check(found, answers.read(path), partial=True)
    assert not Draft202012Validator(schema.answers(found)).is_valid(data)


WORDS = st.text(alphabet="aß _.\n", max_size=4)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | WORDS | st.just("drop"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["from", "value", "call", "a", "b_1", "1"]), inner, max_size=2
        )
    ),
    max_leaves=6,
)
QUESTIONS = [
    Question("a.text", "A text"),
    Question("a.maybe", "A text or none", optional=True),
    Question("a.number", "A number", kind="number"),
    Question("a.choice", "One", kind="choice", choices=("a", "aa")),
    Question("a.many", "Some", kind="many", choices=("a", "aa")),
    Question("a.none", "Some or none", kind="many", choices=("a",), optional=True),
    Question("a.source", "A class", kind="source"),
    Question("a.fields", "The field map", kind="fields"),
]


@given(value=VALUES | st.lists(st.sampled_from(["a", "aa"])))
@settings(max_examples=300, deadline=None)
def test_questions_accept_what_their_schema_allows(value: object) -> None:
    for question in QUESTIONS:
        if Draft202012Validator(question.schema()).is_valid(value):
            question.accept(value)


def test_each_event_has_its_line() -> None:
    told = schema.events()
    Draft202012Validator.check_schema(told)
    validator = Draft202012Validator(told)
    kinds = [one["title"] for one in told["oneOf"]]
    assert len(kinds) == len(set(kinds)) == len(Event.__subclasses__()) + 3
    assert all(one["description"] for one in told["oneOf"])
    for event in (
        Progress("backup.fetch", 3, None, "bytes"),
        Finding("backup.fetch", "size", "3 MB", "warn"),
        TreeChanged("copy.convert", {4: "moved"}, planned=True),
    ):
        line = json.loads(json.dumps(event.as_dict()))
        validator.validate(line)
        assert not validator.is_valid({**line, "more": 1})
        assert not validator.is_valid({key: line[key] for key in line if key != "at"})
    wrong = Finding("backup.fetch", "size", "3 MB", "bad")  # type: ignore[arg-type]
    assert not validator.is_valid(wrong.as_dict())


def test_allows_consents_to_targets_that_are_left_out(found: config.Config) -> None:
    """`--set production.targets=[staging]` needs no edit of the consents."""
    given = answers.read(SHIPPED).with_changes({"production.targets": ["staging"]})
    assert "production.deliver:production" in given.consents
    outline.check(found, given)
    gone = Answers(given.answers, {"backup.restore": given.consents["backup.restore"]})
    with pytest.raises(AnswersError) as raised:
        outline.check(found, gone)
    assert "consents.production.deliver:production" not in raised.value.found
    assert "consents.production.deliver:staging: missing" in raised.value.found
