"""Results of operations: their JSON is the journal's format, so its names never change."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from wizard.engine.result import Result
from wizard.engine.results import (
    Converted,
    Fetched,
    FieldsMoved,
    Migrated,
    ModelWritten,
    OriginalsDeleted,
    Restored,
    SitePlaced,
    SlugsRestored,
    UrlsCompared,
    UrlsRecorded,
)

ARCHIVE = {
    "path": "/backups/db.dump",
    "bytes": 12,
    "sha256": "ab",
    "made_at": "2026-11-22T15:04:05+00:00",
    "dump_version": "18.4",
    "server_version": "18.4",
    "database": "harbour",
    "is_script": False,
}
SITE = {
    "id": 1,
    "hostname": "example.org",
    "port": 443,
    "site_name": "",
    "root_page_id": 3,
    "is_default_site": True,
}
CONVERTED = {"map": {"4": 46}, "left": [], "verified": [], "seconds": {}}

# Rows as the journal has them: after an act, and as they were observed after a crash.
ROWS: list[tuple[type[Result], dict[str, Any]]] = [
    (Result, {}),
    (Result, {"message": "3 checks passed"}),
    (Fetched, {"archive": ARCHIVE}),
    (Fetched, {"archive": ARCHIVE, "message": "m", "baseline": {"at": "t"}, "without": []}),
    (Restored, {"kept": ""}),
    (Restored, {"kept": "harbour__old", "baseline": {"at": "t"}, "message": "m"}),
    (SitePlaced, {"before": SITE, "message": "m"}),
    (UrlsRecorded, {"count": 3, "message": "m"}),
    (ModelWritten, {"path": "/models.py"}),
    (Migrated, {"applied": ["cast.0002_podcast"]}),
    (Converted, CONVERTED),
    (Converted, {**CONVERTED, "ledger": {"before": 2, "kept": 2}, "message": "m"}),
    (OriginalsDeleted, {"deleted": {"cast_blog": 2}, "message": "m"}),
    (SlugsRestored, {"changed": {"slugs": {"46": "show"}, "urls": 3, "drafts": 1}}),
    (SlugsRestored, {"changed": {}}),
    (FieldsMoved, {"values": {"keywords": 2}}),
    (UrlsCompared, {"count": 3, "message": "m"}),
]


@pytest.mark.parametrize(("result", "row"), ROWS)
def test_a_row_of_the_journal_is_read_and_written_as_it_is(
    result: type[Result], row: dict[str, Any]
) -> None:
    assert json.loads(json.dumps(result.from_json(row).to_json())) == row


def test_names_that_are_not_known_are_ignored() -> None:
    """A later version may have written more."""
    assert UrlsCompared.from_json({"count": 3, "later": 1}) == UrlsCompared(count=3)


def test_an_archive_is_typed() -> None:
    fetched = Fetched.from_json({"archive": ARCHIVE})
    assert fetched.archive.path == Path("/backups/db.dump")
    assert fetched.baseline is None and fetched.without is None


def test_an_observed_conversion_has_no_ledger() -> None:
    """Its row is that of a conversion whose ledger was lost in the crash."""
    assert json.loads(json.dumps(Converted(page_map={"4": 46}).to_json())) == CONVERTED
