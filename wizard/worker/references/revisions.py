"""Revisions: drafts and history, which hold a page's content, or another object's, as JSON.

The slug in a revision is never prefixed: it is the one to be published, and the prefix is gone
before anybody edits again. Nor are tree fields, which Wagtail takes from the page itself when
it reads a revision (`Page.with_content_json` in wagtail/models/pages.py).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from functools import partial
from typing import Any, Callable

from ..plan.fieldmap import FieldMap, copies, renames
from ..plan.relations import RelatedRows
from ..protocol import Reply
from ..site.database import page_connection
from ..site.models import base_page
from ..site.tree import literal, quoted
from ..site.types import Cursor, Field, Model
from . import scan
from .columns import content_type, model_of
from .content import Tally
from .kind import ReferenceKind
from .ledger import ReferenceEntry, ReferenceLedger
from .places import rows_table
from .rewrite import Holder, hashed, held

# A model, and an object of it as a revision has it; returns the object rewritten.
Rewrite = Callable[[Model, dict[str, Any]], dict[str, Any]]


class Revisions(ReferenceKind):
    """The pages' own revisions, and the references inside of those of every object."""

    stage = "revisions"

    def queries(self, ledger: ReferenceLedger) -> Iterator[tuple[ReferenceEntry, scan.Query]]:
        table, field = table_name(), content_field()
        entry = ledger.add(self, "revision", table, field.column, field=field)
        yield entry, _query_of(ledger.pages)

    def holders(
        self, ledger: ReferenceLedger, entry: ReferenceEntry, rows: scan.Rows
    ) -> list[Holder]:
        dropped = [name for name, new in renames(ledger.field_map).items() if new is None]
        return _holders(ledger, rows, ledger.originals, ledger.becomes, without=dropped)

    def carry(self, ledger: ReferenceLedger, reply: Reply) -> tuple[()]:
        _convert(ledger.cursor, ledger.field_map)
        if ledger.renumbered:
            ledger.rewrite(self)
            for entry in ledger.entries_of(self):
                keys = f"{ledger.keys(entry)} AND l.note = 'own, and others'"
                _rewrite(
                    f"WHERE r.id::text IN ({keys})",
                    [],
                    lambda model, content: ledger.in_content(model, content, ledger.becomes),
                )
        return ()

    def verify(self, ledger: ReferenceLedger) -> None:
        """Read those again that did not become what was known when the ledger was closed."""
        originals = {new: old for old, new in ledger.pages.items()}
        # Fields that the new type has besides are no reference that was there before.
        besides = [
            field_source.field.name
            for field_source in ledger.field_map.field_sources
            if field_source.how not in ("same", "renamed")
        ]
        besides += [new for _, new in copies(ledger.field_map)]
        for entry in ledger.entries_of(self):
            keys = ledger.keys(entry)
            if ledger.renumbered:
                keys += " AND left(l.note, 3) = 'own'"
            for rows in scan.read(*_query_of(ledger.pages, keys)):
                ledger.confirm_values(entry, _holders(ledger, rows, originals, without=besides))
            if ledger.renumbered:
                ledger.values.confirm(entry.table, entry.value)

    def tables(self, model: Model) -> list[str]:
        return [table_name()]

    def changes(self, ledger: ReferenceLedger) -> Iterator[tuple[str, str]]:
        yield table_name(), content_field().column


def table_name() -> str:
    """Return the revisions' table."""
    from wagtail.models import Revision

    return str(Revision._meta.db_table)


def content_field() -> Field:
    """Return the field that holds a page as JSON."""
    from wagtail.models import Revision

    return Revision._meta.get_field("content")


def _table() -> str:
    return quoted(table_name())


def _base_type() -> int:
    return content_type(base_page())


def _query_of(pages: Collection[int], keys: str = "") -> scan.Query:
    """Return a query for `_holders`, of revisions that mention a page or that `keys` selects."""
    columns = "r.id::text, r.content_type_id, r.base_content_type_id, r.object_id"
    if keys:
        return (
            f"SELECT {columns}, r.content::text, 0 FROM {_table()} r WHERE r.id::text IN ({keys})",
            [],
        )
    mentioned, given = scan.mentions("v.value", pages)
    values = f"SELECT {columns}, r.content::text AS value FROM {_table()} r OFFSET 0"
    return f"SELECT v.*, {hashed('v.value')} FROM ({values}) v WHERE {mentioned}", given


def _holders(
    ledger: ReferenceLedger,
    rows: scan.Rows,
    pages: Mapping[int, int],
    becomes: Mapping[int, int] | None = None,
    *,
    without: Collection[str],
) -> list[Holder]:
    """Return which of the revisions refer to a page.

    Those of the pages themselves are noted as "own", or "own, and others": they refer to their
    page by their key, and become what `_convert` makes of them. `pages` maps the ids to look for
    to those that the holders have, `becomes` to those to follow to; `without` names keys that are
    not counted in the pages' own revisions.
    """
    base = _base_type()
    holding = []
    for key, type_id, base_id, object_id, text, was in rows:
        own = base_id == base and int(object_id) in pages
        mentioned = scan.numbers(text, pages)
        if own and mentioned == [int(object_id)]:  # its key, and nothing else
            holding.append(Holder(key, {pages[int(object_id)]: 1}, "own"))
        if len(mentioned) < 1 + own:
            continue
        content, model = json.loads(text), model_of(type_id)
        tally = Tally(pages)
        if own:
            tally.get(content.get("pk"))
            content = {name: value for name, value in content.items() if name not in without}
        if model:
            ledger.in_content(model, content, tally)
        if own and tally.found:
            holding.append(Holder(key, tally.found, "own, and others"))
        elif model and tally.found:
            follow = partial(_followed, ledger, model, content)
            holding.append(held(key, text, was, tally.found, becomes, follow))
    return holding


def _followed(
    ledger: ReferenceLedger, model: Model, content: dict[str, Any], becomes: Mapping[int, int]
) -> str:
    return _dumped(ledger.in_content(model, content, becomes))


def _convert(cursor: Cursor, field_map: FieldMap) -> None:
    """Make the content of the converted pages' revisions that of pages of the new type.

    The rows become the new pages' at the same time. A field that the new type has besides gets
    the value that the page has now, where the draft has none: published without it, an old
    draft would blank the field. Set-based: what identifies a page is at the top of the JSON.
    """
    new_content_type = content_type(field_map.new_type)
    names = renames(field_map)
    gone = [name for name, new in names.items() if new != name]
    renamed = {name: new for name, new in names.items() if new and new != name}
    cursor.execute(
        f"""
        UPDATE {_table()} r
           SET object_id = m.new::text, content_type_id = %s,
               content = {_added(field_map)} (r.content - %s::text[])
               || {_picked([*renamed.items(), *copies(field_map)])}
               || jsonb_build_object('pk', m.new, 'content_type', %s::int)
          FROM remodel_map m {_joins(field_map)}
         WHERE r.object_id = m.old::text AND r.base_content_type_id = %s
        """,
        [new_content_type, gone, new_content_type, _base_type()],
    )
    for number, related in enumerate(field_map.related_rows):
        if related.kind != "many":
            _renumber_rows(cursor, related, rows_table(number))


def _picked(pairs: list[tuple[str, str]]) -> str:
    """Return SQL for an object with the content's values under other keys, without absent ones."""
    parts = [
        f"CASE WHEN jsonb_exists(r.content, {literal(old)}) "
        f"THEN jsonb_build_object({literal(new)}, r.content -> {literal(old)}) "
        "ELSE '{}'::jsonb END"
        for old, new in pairs
    ]
    return " || ".join(parts) or "'{}'::jsonb"


def _added(field_map: FieldMap) -> str:
    """Return SQL for the values of fields that no draft has yet, from the pages' new rows."""
    parts = []
    for field_source in field_map.field_sources:
        if field_source.origin is not None and field_source.origin.name in renames(field_map):
            continue
        column = (
            f"{quoted(field_source.field.model._meta.db_table)}.{quoted(field_source.field.column)}"
        )
        if _is_stream(field_source.field):
            column += "::text"  # in a revision it is a string of JSON, as modelcluster writes it
        parts.append(f"{literal(field_source.field.name)}, to_jsonb({column})")
    return f"jsonb_build_object({', '.join(parts)}) ||" if parts else ""


def _joins(field_map: FieldMap) -> str:
    return " ".join(
        f"JOIN {quoted(level._meta.db_table)} "
        f"ON {quoted(level._meta.db_table)}.{quoted(level._meta.pk.column)} = m.new"
        for level in field_map.joined
    )


def _is_stream(field: Field) -> bool:
    from wagtail.fields import StreamField

    return isinstance(field, StreamField)


def _renumber_rows(cursor: Cursor, related: RelatedRows, rows: str) -> None:
    """Give drafts' child rows the keys that they have in the new table, and its field names.

    A row that is only in drafts gets none, so that publishing one inserts it anew instead of
    overwriting the row of another page that has its number there.
    """
    fields = {related.old_link.name: related.new_link.name}
    fields.update({old.name: new.name for old, new in related.columns})
    cursor.execute(f"SELECT old, new FROM {rows}")
    keys: dict[str, str] = dict(cursor.fetchall())

    def renumbered(content: dict[str, Any], page: int) -> dict[str, Any]:
        children = []
        for row in content[related.new_name]:
            own = {fields[name]: value for name, value in row.items() if name in fields}
            own["pk"] = related.new._meta.pk.to_python(keys.get(str(row.get("pk"))))
            own[related.new_link.name] = page
            children.append(own)
        return {**content, related.new_name: children}

    _rewrite(
        f"JOIN remodel_map m ON r.object_id = m.new::text WHERE r.base_content_type_id = %s "
        f"AND jsonb_typeof(r.content -> {literal(related.new_name)}) = 'array'",
        [_base_type()],
        lambda model, content: renumbered(content, content["pk"]),
    )


def rename_fields(cursor: Cursor, renames: dict[str, str]) -> int:
    """Rename keys in the content of the new pages' revisions, over what has that name already."""
    changed = 0
    for old, new in renames.items():
        cursor.execute(
            f"""
            UPDATE {_table()} r
               SET content = (r.content - %s) || jsonb_build_object(%s::text, r.content -> %s)
              FROM remodel_map m
             WHERE r.object_id = m.new::text AND r.base_content_type_id = %s
               AND jsonb_exists(r.content, %s)
            """,
            [old, new, old, _base_type(), old],
        )
        changed += cursor.rowcount
    return changed


def holding(cursor: Cursor, name: str) -> int:
    """Count the map's old pages that have a revision with something under this key."""
    cursor.execute(
        f"SELECT count(DISTINCT m.old) FROM remodel_map m JOIN {_table()} r "
        "ON r.object_id = m.old::text AND r.base_content_type_id = %s "
        "WHERE coalesce(r.content ->> %s, '') <> ALL (ARRAY['', '[]', '{}', 'null'])",
        [_base_type(), name],
    )
    return int(cursor.fetchone()[0])


def restore_slugs(cursor: Cursor, slugs: dict[int, str], prefix: str) -> int:
    """Take the prefix from slugs in drafts that were saved while the page had it."""
    cursor.execute(
        f"""
        UPDATE {_table()} r SET content = jsonb_set(r.content, '{{slug}}', to_jsonb(w.slug))
          FROM unnest(%s::bigint[], %s::text[]) AS w (id, slug)
         WHERE r.object_id = w.id::text AND r.base_content_type_id = %s
           AND r.content ->> 'slug' = %s || w.slug
        """,
        [list(slugs), list(slugs.values()), _base_type(), prefix],
    )
    return int(cursor.rowcount)


def _rewrite(condition: str, given: list[object], rewrite: Rewrite) -> None:
    """Pass the content of each revision that fits through `rewrite(model, content)`."""
    query = f"SELECT r.id, r.content_type_id, r.content::text FROM {_table()} r {condition}"
    for rows in scan.read(query, given):
        changed = []
        for key, type_id, text in rows:
            model = model_of(type_id)
            content = json.loads(text)
            rewritten = rewrite(model, content) if model else content
            if rewritten != content:
                changed.append((key, _dumped(rewritten)))
        if changed:
            with page_connection().cursor() as writing:
                writing.execute(
                    f"UPDATE {_table()} r SET content = w.content::jsonb "
                    "FROM json_to_recordset(%s::json) AS w (id bigint, content text) "
                    "WHERE r.id = w.id",
                    [json.dumps([{"id": key, "content": text} for key, text in changed])],
                )


def _dumped(content: dict[str, Any]) -> str:
    from django.core.serializers.json import DjangoJSONEncoder

    return json.dumps(content, cls=DjangoJSONEncoder)
