"""The field map as an operator writes it (`fields` in remodel.yml) and as a table shows it.

Which entries fit is judged by the worker, which knows the fields; here is their form alone.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import yaml

from wizard.base import yamlfile
from wizard.base.errors import ConfigError

DROP = "drop"
KINDS = ("from", "value", "call")
LEAVING = ("same", "rows")
"""How a value is carried from a field that is not on the new type."""
SCHEMA: dict[str, Any] = {
    "type": "object",
    "propertyNames": {"pattern": "^[A-Za-z_][A-Za-z0-9_]*$"},
    "additionalProperties": {
        "oneOf": [
            {"const": DROP},
            {
                "type": "object",
                "minProperties": 1,
                "maxProperties": 1,
                "additionalProperties": False,
                "properties": {
                    "from": {"type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]*$"},
                    "value": True,
                    "call": {
                        "type": "string",
                        "pattern": r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)+$",
                    },
                },
            },
        ]
    },
}
"""The form of a field map as a JSON schema, for editors; `entries` judges it."""
HEADINGS = ("field", "how", "from or value", "type", "note")


def entries(raw: Any) -> dict[str, Any]:
    """Return the field map in its proper form, from YAML data or its text.

    `{field: drop}`, or `{field: {from: name}}`, `{value: anything}`, `{call: dotted.path}`.
    Raise ValueError with a sentence about what is wrong.
    """
    if isinstance(raw, str):
        try:
            raw = yamlfile.parse(raw, "the field map", ConfigError)[0] or {}
        except ConfigError as problem:
            raise ValueError(problem.found or problem.message) from None
    if not isinstance(raw, Mapping):
        raise ValueError(f"a mapping of fields is needed, not {yamlfile.brief(raw)}")
    return {str(name): _entry(str(name), value) for name, value in raw.items()}


def _entry(name: str, value: Any) -> Any:
    if not name.isidentifier():
        raise ValueError(f"{name!r} cannot be the name of a field")
    if value == DROP:
        return DROP
    forms = "`drop`, {from: field}, {value: …} or {call: dotted.path}"
    if not isinstance(value, Mapping) or len(value) != 1:
        raise ValueError(f"{name}: {yamlfile.brief(value)} is not one of {forms}")
    ((kind, given),) = value.items()
    if kind not in KINDS:
        raise ValueError(f"{name}: {yamlfile.brief(kind)} is not known; it is one of {forms}")
    if kind == "from" and not (isinstance(given, str) and given.isidentifier()):
        raise ValueError(f"{name}: {yamlfile.brief(given)} is not the name of a field")
    if kind == "call" and not _dotted(given):
        raise ValueError(f"{name}: {yamlfile.brief(given)} is not a dotted path to a function")
    return {str(kind): plain(given)}


def _dotted(given: Any) -> bool:
    return isinstance(given, str) and "." in given and all(map(str.isidentifier, given.split(".")))


def plain(value: Any) -> Any:
    """Return `value` with YAML's dates as texts: JSON has no dates, and Django reads texts."""
    if isinstance(value, datetime.date | datetime.datetime | datetime.time):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


def constant(typed: str) -> dict[str, Any]:
    """Return the entry for a constant as it is typed: YAML, so that 3 is a number and '3' a text.

    Raise ValueError.
    """
    try:
        return {"value": plain(yamlfile.parse(typed, "the constant", ConfigError)[0])}
    except ConfigError as problem:
        raise ValueError(problem.found.splitlines()[0] if problem.found else "no YAML") from None


def text(value: Mapping[str, Any]) -> str:
    """Return the field map in one line of YAML."""
    return yaml.safe_dump(
        dict(value), default_flow_style=True, width=100_000, allow_unicode=True, sort_keys=False
    ).strip()


@dataclass(frozen=True)
class Row:
    """A field of the new type and where its value comes from.

    Where `new_field` is None, `old_field` is dropped.
    """

    new_field: str | None
    how: str
    old_field: str = ""
    value: Any = None
    call: str = ""
    type: str = ""
    note: str = ""

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Row:
        """Return a row as the worker's `field_map` tells it."""
        return cls(
            new_field=data.get("target") or None,
            how=data["how"],
            old_field=data.get("source") or "",
            value=data.get("value"),
            call=data.get("call") or "",
            type=data.get("type") or "",
            note=data.get("note") or "",
        )

    @property
    def origin(self) -> str:
        """Where the value comes from, in a word."""
        if self.how == "constant" or (self.how == "default" and self.value is not None):
            return repr(self.value)
        if self.how == "computed":
            return f"{self.call}()"
        return self.old_field

    def cells(self) -> tuple[str, ...]:
        """Return one text for each of HEADINGS."""
        return (self.new_field or "(none)", self.how, self.origin, self.type, self.note)


@dataclass(frozen=True)
class FieldTable:
    """The field map of a conversion as the worker reported it for `recorded`, shown with `entries`.

    `choices` are, for each field or relation of the new type, those of the old type that fit.
    """

    direction: str
    reported: tuple[Row, ...]
    choices: Mapping[str, tuple[str, ...]]
    recorded: Mapping[str, Any]
    entries: Mapping[str, Any]

    @classmethod
    def of(cls, data: Mapping[str, Any], recorded: Mapping[str, Any]) -> FieldTable:
        """Build the table from the worker's `field_map` for the `recorded` entries."""
        return cls(
            direction=data["direction"],
            reported=tuple(Row.of(row) for row in data["rows"]),
            choices={name: tuple(fits) for name, fits in data["choices"].items()},
            recorded=dict(recorded),
            entries=dict(recorded),
        )

    def changed(self, entries: Mapping[str, Any]) -> FieldTable:
        """Return the same table with other entries."""
        return replace(self, entries=dict(entries))

    @property
    def rows(self) -> tuple[Row, ...]:
        """Every field of the new type, then what is dropped, as the entries have it."""
        known = {row.new_field for row in self.reported}
        empty = [Row(name, "empty", type="rows") for name in self.choices if name not in known]
        rows = [self._row(row) for row in (*self.reported, *empty) if row.new_field]
        read = {row.old_field for row in rows}
        freed = [Row(None, "dropped", row.old_field) for row in self.reported if row.how in LEAVING]
        gone = {row.old_field: row for row in (*freed, *self.reported) if row.new_field is None}
        return (*rows, *(row for name, row in gone.items() if name not in read))

    def _row(self, reported: Row) -> Row:
        name = reported.new_field or ""
        entry = self.entries.get(name)
        if entry == self.recorded.get(name):
            return reported
        row = Row(name, "default", type=reported.type)
        if entry is None and name in self.choices.get(name, ()):
            return replace(row, how="same", old_field=name)
        if entry is None or entry == DROP:
            return row
        ((kind, given),) = entry.items()
        if kind == "from":
            return replace(row, how="same" if given == name else "renamed", old_field=given)
        if kind == "call":
            return replace(row, how="computed", call=given)
        return replace(row, how="constant", value=given)


def table(rows: tuple[Row, ...] | list[Row]) -> str:
    """Return the rows as a document: tab-separated, the headings first."""
    lines = [HEADINGS, *(row.cells() for row in rows)]
    return "\n".join("\t".join(" ".join(cell.split()) for cell in cells) for cells in lines)
