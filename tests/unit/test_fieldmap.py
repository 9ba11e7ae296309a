"""The field map as it is written, as a table, and as it is edited there."""

from __future__ import annotations

import pytest

from wizard.config import fieldmap
from wizard.config.fieldmap import FieldTable, Row
from wizard.session.questions import Question

TOLD = {
    "direction": "sibling",
    "rows": [
        {"target": "intro", "how": "same", "source": "intro", "type": "RichTextField"},
        {"target": "summary", "how": "default", "source": None, "value": "", "type": "TextField"},
        {"target": "layout", "how": "constant", "source": None, "value": "wide", "type": "Char"},
        {"target": None, "how": "dropped", "source": "teaser", "type": "CharField(80)"},
    ],
    "dropped": ["teaser"],
    "choices": {"intro": ["intro", "teaser"], "summary": ["intro", "teaser"], "layout": []},
    "faults": [],
}
SAID = {"layout": {"value": "wide"}}


def cells(table: FieldTable) -> list[tuple[str, ...]]:
    return [row.cells()[:3] for row in table.rows]


def test_shows_the_workers_rows_unchanged() -> None:
    assert cells(FieldTable.of(TOLD, SAID)) == [
        ("intro", "same", "intro"),
        ("summary", "default", "''"),
        ("layout", "constant", "'wide'"),
        ("(none)", "dropped", "teaser"),
    ]


@pytest.mark.parametrize(
    ("entries", "changed", "gone"),
    [
        ({"summary": {"from": "teaser"}}, ("summary", "renamed", "teaser"), []),
        ({"summary": {"value": 3}}, ("summary", "constant", "3"), ["teaser"]),
        ({"summary": {"call": "a.b"}}, ("summary", "computed", "a.b()"), ["teaser"]),
        ({"intro": {"from": "teaser"}}, ("intro", "renamed", "teaser"), ["intro"]),
        ({"intro": "drop"}, ("intro", "default", ""), ["intro", "teaser"]),
    ],
)
def test_an_edit_shows_in_its_row_and_in_the_dropped_fields(
    entries: dict[str, object], changed: tuple[str, ...], gone: list[str]
) -> None:
    table = FieldTable.of(TOLD, SAID).changed({**SAID, **entries})
    assert changed in cells(table)
    assert sorted(source for _, how, source in cells(table) if how == "dropped") == gone
    assert table.changed(SAID).rows == FieldTable.of(TOLD, SAID).rows


def test_an_entry_of_the_config_can_be_taken_back() -> None:
    table = FieldTable.of(TOLD, SAID).changed({})
    assert ("layout", "default", "") in cells(table)


def test_the_document_has_one_line_a_row_whatever_the_values_hold() -> None:
    text = fieldmap.table([Row("body", "constant", value="a\tb\nc", note="two\nlines")])
    headings, line = text.splitlines()
    assert len(line.split("\t")) == len(headings.split("\t")) == 5


def test_an_answer_is_a_table_a_mapping_or_a_line_of_yaml() -> None:
    question = Question("copy.fields", "The field map", kind="fields")
    entries = {"summary": {"from": "intro"}, "since": {"value": "2024-01-31"}, "teaser": "drop"}
    assert question.accept(FieldTable.of(TOLD, SAID)) == SAID
    assert question.accept(entries) == entries
    assert question.accept(fieldmap.text(entries)) == entries
    assert question.accept("{}") == question.accept("") == {}


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ("[a]", "a mapping of fields"),
        ("{a: b}", "is not one of"),
        ("{a: {from: b, value: c}}", "is not one of"),
        ("{a: {from: 3}}", "not the name of a field"),
        ("{a b: drop}", "cannot be the name"),
        ("{a: {call: os}}", "not a dotted path"),
        ("{a: ", "expected"),
    ],
)
def test_a_bad_answer_is_refused_with_a_reason(raw: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Question("copy.fields", "The field map", kind="fields").accept(raw)


@pytest.mark.parametrize(
    ("typed", "value"), [("3", 3), ("'3'", "3"), ("true", True), ("wide", "wide"), ("", None)]
)
def test_a_constant_is_typed_as_yaml(typed: str, value: object) -> None:
    assert fieldmap.constant(typed) == {"value": value}
