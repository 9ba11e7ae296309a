"""A kind of reference that only this project has, in one file: the proof that one suffices.

The rows of `press_readinglist` hold pages' ids as texts in a JSON array, which nothing else
follows; a draft may hold such a list under `reading`. The file is run in the project's Python.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from wizard.worker.protocol import Reply
from wizard.worker.references.content import Pages
from wizard.worker.references.kind import Originals, ReferenceKind
from wizard.worker.references.ledger import ReferenceLedger
from wizard.worker.site.types import Model

TABLE, COLUMN = "press_readinglist", "pages"


class ReadingLists(ReferenceKind):
    """Lists of pages to read; `broken` ones lose their last page on the way."""

    def __init__(self, *, broken: bool = False) -> None:
        self.broken = broken

    def find(self, ledger: ReferenceLedger) -> None:
        entry = ledger.add(self, "reading list", TABLE, COLUMN)
        ledger.enter(entry, "t.pages ? m.old::text")

    def carry(self, ledger: ReferenceLedger, reply: Reply) -> list[tuple[str, str]]:
        if not ledger.renumbered:
            return []
        lost = "WHERE m.old IS NULL" if self.broken else ""
        ledger.cursor.execute(
            f"""
            UPDATE {TABLE} t SET pages = (
                SELECT coalesce(jsonb_agg(coalesce(m.new::text, e.page) ORDER BY e.place), '[]')
                  FROM jsonb_array_elements_text(t.pages) WITH ORDINALITY AS e (page, place)
                  LEFT JOIN remodel_map m ON m.old::text = e.page {lost})
             WHERE EXISTS (SELECT FROM remodel_map m WHERE t.pages ? m.old::text)
            """
        )
        return [("reading lists", f"{ledger.cursor.rowcount} rewritten")]

    def verify(self, ledger: ReferenceLedger) -> None:
        for entry in ledger.entries_of(self):
            for place in ledger.places.after(entry.table, entry.column):
                ledger.confirm(entry, place, "t.pages ? m.new::text")

    def changes(self, ledger: ReferenceLedger) -> Iterator[tuple[str, str]]:
        if ledger.renumbered:
            yield TABLE, COLUMN

    def remaining(self, originals: Originals) -> dict[str, int]:
        originals.cursor.execute(
            f"SELECT count(*) FROM {TABLE} t JOIN remodel_map m ON t.pages ? m.old::text"
        )
        (count,) = originals.cursor.fetchone()
        return {f"{TABLE}.{COLUMN}": count} if count else {}

    def in_content(
        self, model: Model, content: dict[str, Any], pages: Pages, levels: set[Model]
    ) -> dict[str, Any]:
        if "reading" not in content:
            return content
        return {**content, "reading": [str(pages.get(int(one), one)) for one in content["reading"]]}
