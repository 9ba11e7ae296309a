"""Links: rich texts and StreamFields that refer to the pages.

What of a value is a reference is in `content`. Values are read once, before the conversion;
afterwards only rows are read that were not there then, or moved.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from functools import partial
from typing import Any

from ..protocol import Reply
from ..site.database import once_an_operation, page_connection
from ..site.tree import quoted
from ..site.types import Field, Model
from .columns import concrete_models
from .content import Pages, Tally, in_field, in_serialized
from .kind import Originals, ReferenceKind
from .ledger import Candidates, ReferenceEntry, ReferenceLedger
from .places import Place
from .rewrite import Holder, held
from .scan import Query, Rows, mentions, numbers, query_of, read


class ContentLinks(ReferenceKind):
    """References inside of rich texts and StreamFields."""

    stage = "links"

    def queries(self, ledger: ReferenceLedger) -> Iterator[tuple[ReferenceEntry, Query]]:
        for model, field in fields_with_links():
            table = model._meta.db_table
            entry = ledger.add(self, "link", table, field.column, field=field)
            yield entry, query_of(table, ledger.places.key(table, "t"), field, ledger.pages)

    def holders(self, ledger: ReferenceLedger, entry: ReferenceEntry, rows: Rows) -> list[Holder]:
        strays = ledger.strays.setdefault(entry.name, [])
        return holders(rows, entry.field, ledger.levels, ledger.originals, ledger.becomes, strays)

    def carry(self, ledger: ReferenceLedger, reply: Reply) -> tuple[()]:
        if ledger.renumbered:
            ledger.rewrite(self)
            _carry_others(ledger.levels, ledger.becomes, ledger.candidates)
        return ()

    def verify(self, ledger: ReferenceLedger) -> None:
        for entry in ledger.entries_of(self):
            for place in ledger.places.after(entry.table, entry.column):
                if place.table != entry.table:
                    _confirm_moved(ledger, entry, place)
                elif ledger.renumbered:
                    ledger.values.confirm(entry.table, entry.value)
                else:
                    _confirm_untouched(ledger, entry)

    def remaining(self, originals: Originals) -> dict[str, int]:
        nowhere = dict.fromkeys(originals.pages, 0)
        counts = {}
        for model, field in fields_with_links():
            rows = _changed(
                model, field, originals.levels, nowhere, originals.candidates(model, field)
            )
            counts[f"{model._meta.db_table}.{field.column}"] = sum(map(len, rows))
        return {name: count for name, count in counts.items() if count}

    def tables(self, model: Model) -> set[str]:
        return {holder._meta.db_table for holder, _ in fields_with_links()}

    def changes(self, ledger: ReferenceLedger) -> Iterator[tuple[str, str]]:
        if ledger.renumbered:
            for entry in ledger.entries_of(self):
                yield entry.table, entry.column

    def knows(self, model: Model, field: Field) -> bool:
        return (model, field) in fields_with_links()

    def in_content(
        self, model: Model, content: dict[str, Any], pages: Pages, levels: set[Model]
    ) -> dict[str, Any]:
        """Follow these, and the foreign keys, many-to-many values and child rows beside them."""
        return in_serialized(model, content, pages, levels)


def _confirm_moved(ledger: ReferenceLedger, entry: ReferenceEntry, place: Place) -> None:
    """Confirm values whose rows or columns are in another table by now."""
    key = ledger.places.key_before(place, "t")
    field = place.field or entry.field
    originals = {new: old for old, new in ledger.pages.items()}
    condition = f"{key} IN ({ledger.keys(entry)})"
    for rows in read(*query_of(place.table, key, field, ledger.pages, condition)):
        moved = holders(rows, field, ledger.levels, originals)
        ledger.confirm_values(entry, [holder._replace(note="moved") for holder in moved])


def _confirm_untouched(ledger: ReferenceLedger, entry: ReferenceEntry) -> None:
    """Confirm values that no conversion with kept ids has business with.

    They are not read again: `untouched.fingerprints` has the whole column, before and after.
    """
    leaving = ledger.places.leaving(entry.table)
    ledger.cursor.execute(
        "INSERT INTO remodel_confirmed (entry, key, page, number, note) "
        "SELECT entry, key, page, number, note FROM remodel_ledger "
        f"WHERE entry = %s {f'AND key NOT IN ({leaving})' if leaving else ''}",
        [entry.number],
    )


@once_an_operation
def fields_with_links() -> list[tuple[Model, Field]]:
    """Return every `(model, field)` that can hold a link to a page inside of its value."""
    from wagtail.fields import RichTextField, StreamField

    return [
        (model, field)
        for model in concrete_models()
        for field in model._meta.local_concrete_fields
        if isinstance(field, (RichTextField, StreamField))
    ]


def _carry_others(levels: set[Model], pages: Mapping[int, int], candidates: Candidates) -> None:
    """Make links in the candidates follow: rows that were not there when values were read."""
    for model, field in fields_with_links():
        table, column = quoted(model._meta.db_table), quoted(field.column)
        key = model._meta.pk
        kinds = [field.db_type(page_connection()), key.rel_db_type(page_connection())]
        for changed in _changed(model, field, levels, pages, candidates(model, field)):
            with page_connection().cursor() as writing:
                writing.execute(
                    f"UPDATE {table} t SET {column} = w.value::{kinds[0]} "
                    # Much faster than two arrays, whose every quote would have to be escaped.
                    "FROM json_to_recordset(%s::json) AS w (value text, key text) "
                    f"WHERE t.{quoted(key.column)} = w.key::{kinds[1]}",
                    [json.dumps([{"value": value, "key": str(key)} for value, key in changed])],
                )


def mentioning(pages: Collection[int], own: Collection[Any]) -> Candidates:
    """Return as candidates every row that mentions a page, without the originals' `own` levels."""

    def condition(model: Model, field: Field) -> tuple[str, list[Any]]:
        sql, given = mentions(f"t.{quoted(field.column)}::text", pages)
        if model in own:
            key = quoted(model._meta.pk.column)
            sql += f" AND NOT EXISTS (SELECT FROM remodel_map m WHERE m.old = t.{key})"
        return sql, given

    return condition


def _changed(
    model: Model,
    field: Field,
    levels: set[Model],
    pages: Mapping[int, int],
    candidates: tuple[str, list[Any]],
) -> Iterator[list[tuple[str, object]]]:
    """Yield `(new value, key)` of each row in which something changes, some at a time."""
    condition, given = candidates
    query = (
        f"SELECT t.{quoted(model._meta.pk.column)}, t.{quoted(field.column)}::text "
        f"FROM {quoted(model._meta.db_table)} t WHERE {condition}"
    )
    for rows in read(query, given):
        values = [
            (in_field(field, value, pages, levels), key, value) for key, value in rows if value
        ]
        changed = [(new, key) for new, key, value in values if new != value]
        if changed:
            yield changed


def holders(
    rows: Rows,
    field: Field,
    levels: set[Model],
    pages: Mapping[int, int],
    becomes: Mapping[int, int] | None = None,
    strays: list[str] | None = None,
) -> list[Holder]:
    """Return which of a field's values have a reference to a page inside of them.

    `pages` maps the ids to look for to those that the holders have, `becomes` to those to follow
    to. `strays` gets the keys of streams in which a block of the project's own holds an id.
    """
    holding = []
    for row, value, was in rows:
        if not value or not numbers(value, pages):
            continue
        tally = Tally(pages)
        in_field(field, value, tally, levels)
        if strays is not None and tally.strays:
            strays.append(row)
        if tally.found:
            follow = partial(in_field, field, value, levels=levels)
            holding.append(held(row, value, was, tally.found, becomes, follow))
    return holding
