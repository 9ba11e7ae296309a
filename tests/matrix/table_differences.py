"""Where the tables that were found differ from those expected."""

from __future__ import annotations

import json
from typing import Any

from tests.matrix.cases import (
    INDEXES,
    STREAMS,
)
from tests.matrix.observer import Row, Tables


def differences(expected: Tables, found: Tables) -> dict[str, list[str]]:
    """What is not as it should be, by `table` for whole rows and by `table.column`."""
    told: dict[str, list[str]] = {}
    for table in sorted({*expected, *found} - set(INDEXES)):
        key = _key(table, expected.get(table) or found.get(table) or [])
        wanted = {_identity(row, key): row for row in expected.get(table, [])}
        there = {_identity(row, key): row for row in found.get(table, [])}
        for identity in wanted.keys() - there.keys():
            told.setdefault(table, []).append(f"missing: {_short(wanted[identity])}")
        for identity in there.keys() - wanted.keys():
            told.setdefault(table, []).append(f"unexpected: {_short(there[identity])}")
        for identity in wanted.keys() & there.keys():
            for column, value in wanted[identity].items():
                is_now = _plain(table, column, there[identity][column])
                value = _plain(table, column, value)
                if is_now != value:
                    detail = _detail(value, is_now)
                    told.setdefault(f"{table}.{column}", []).append(f"{identity}: {detail}")
    return told


def _key(table: str, rows: list[Row]) -> str | None:
    keys = {"every_standardpage": "page_ptr_id", "every_articlepage": "base_id"}
    keys |= {"every_featurepage": "standard_id", "wagtailcore_workflowpage": "page_id"}
    keys |= {"every_pagekeyed": "page_id"}
    return keys.get(table) or ("id" if rows and "id" in rows[0] else None)


def _identity(row: Row, key: str | None) -> object:
    return row[key] if key else json.dumps(row, sort_keys=True)


# What a conversion may write as it likes: what is computed for a draft, a comment's copy in a
# draft (Wagtail reads comments from their table: wagtail/models/pages.py, with_content_json).
FREE = {"teaser", "length", "strapline", "wagtail_admin_comments"}


def _plain(table: str, column: str, value: Any) -> Any:
    """A value to be compared: JSON that is kept as text is read."""
    if column in STREAMS.get(table, ()) and isinstance(value, str):
        return json.loads(value)
    if column in ("content", "content_json") and table not in STREAMS:
        value = json.loads(value) if isinstance(value, str) else value
        return {
            name: json.loads(part) if name in ("content", "text") and part else part
            for name, part in value.items()
            if name not in FREE
        }
    return value


def _detail(wanted: object, found: object) -> str:
    if isinstance(wanted, dict) and isinstance(found, dict):
        names = [n for n in {*wanted, *found} if wanted.get(n, "?") != found.get(n, "?")]
        return "; ".join(
            f"{name}: should be {_short(wanted.get(name, 'absent'))}, "
            f"is {_short(found.get(name, 'absent'))}"
            for name in sorted(names)
        )
    return f"should be {_short(wanted)}, is {_short(found)}"


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) < 400 else f"{text[:400]}..."
