"""What a running site may write at once is no damage; everything else is."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from typing import Any

from wizard.delivery.verify.delivered import damage
from wizard.postgres.drift.contents import DatabaseContents

EXPECTED_JSON: dict[str, Any] = {
    "tables": {
        "wagtailcore_page": {"rows": 30, "content": "a", "definition": "d"},
        "django_session": {"rows": 2, "content": "b", "definition": "d"},
        "newsletter_signup": {"rows": 5, "content": "c", "definition": "d"},
    },
    "sequences": {"wagtailcore_page_id_seq": 30, "unused_id_seq": None},
}


EXPECTED = DatabaseContents.from_json(EXPECTED_JSON)


def found(table: str, **changes: object) -> DatabaseContents:
    now = deepcopy(EXPECTED_JSON)
    now["tables"][table] |= changes
    return DatabaseContents.from_json(now)


def at(**sequences: int | None) -> DatabaseContents:
    return replace(EXPECTED, sequences=sequences)


def test_ignores_equal_tables_and_what_a_site_rebuilds_itself() -> None:
    assert damage(EXPECTED, EXPECTED, {}) == []
    assert damage(EXPECTED, found("django_session", rows=3, content="x"), {}) == []
    signed = found("newsletter_signup", rows=6, content="x")
    assert damage(EXPECTED, signed, {}) == ["newsletter_signup: 5 rows became 6"]
    assert damage(EXPECTED, signed, {"newsletter_*": "warn"}) == []
    later = at(wagtailcore_page_id_seq=31, unused_id_seq=1)
    assert damage(EXPECTED, later, {}) == []


def test_reports_fewer_rows_than_delivered_in_any_table() -> None:
    assert damage(EXPECTED, found("django_session", rows=1, content="x"), {}) == [
        "django_session: 2 rows became 1"
    ]
    assert damage(EXPECTED, found("django_session", definition="x"), {}) == [
        "django_session: other columns, constraints or indexes"
    ]
    assert damage(EXPECTED, DatabaseContents({}, {}), {"*": "ignore"}) == [
        "django_session: the table is missing",
        "newsletter_signup: the table is missing",
        "wagtailcore_page: the table is missing",
        "sequence wagtailcore_page_id_seq: was at 30, is at None",
        "sequence unused_id_seq: was at None, is at None",
    ]
    earlier = at(wagtailcore_page_id_seq=12, unused_id_seq=None)
    assert damage(EXPECTED, earlier, {}) == [
        "sequence wagtailcore_page_id_seq: was at 30, is at 12"
    ]
