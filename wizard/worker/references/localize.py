"""wagtail-localize's tables, where it is installed: what is submitted for translation, and how far.

It keeps a page's content as a revision does (TranslationSource.content_json), the strings in it
under paths that begin with a field's name, and all of it under the page's translation key
(wagtail_localize/models.py). The new page has that key, so nothing here is rekeyed; its own
signal handler, which deletes the translations together with a page, is not called by a deletion
in SQL. It finds a source's page by the specific type, which therefore has to be the new type.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from ..plan.fieldmap import FieldMap, copies, renames
from ..protocol import Reply
from ..site import tree
from ..site.database import page_connection
from ..site.tree import quoted
from ..site.types import Block, Cursor, Field, Model
from . import scan
from .columns import content_type, levels, model_of
from .kind import WHOLE, Proof, ReferenceKind
from .ledger import ReferenceLedger
from .places import rows_table

APP = "wagtail_localize"
PATHS = uuid.UUID("fcab004a-2b50-11ea-978f-2e728ce88125")  # TranslationContext._get_path_id
SEGMENTS = ("StringSegment", "TemplateSegment", "RelatedObjectSegment", "OverridableSegment")


class Translations(ReferenceKind):
    """A page's content, strings and translations as wagtail-localize keeps them."""

    stage = "revisions"

    def carry(self, ledger: ReferenceLedger, reply: Reply) -> list[Proof]:
        rewritten = sum(_carry(ledger).values()) if _tables() else 0
        return [("translations", f"{rewritten:,} values rewritten")] if rewritten else []

    def faults(self, cursor: Cursor, field_map: FieldMap) -> list[str]:
        return _faults(cursor, field_map) if _tables() else []

    def tables(self, model: Model) -> list[str]:
        return _tables()

    def changes(self, ledger: ReferenceLedger) -> Iterator[tuple[str, str]]:
        for table in _tables():
            yield table, WHOLE

    def knows(self, model: Model, field: Field) -> bool:
        return bool(model.__module__.partition(".")[0] == APP)


def _tables() -> list[str]:
    """Return the tables that may change; none where wagtail-localize is not installed."""
    from django.apps import apps

    if not apps.is_installed(APP):
        return []
    names = ("TranslationSource", "TranslationContext", "SegmentOverride", *SEGMENTS)
    return [apps.get_model(APP, name)._meta.db_table for name in names]


def _faults(cursor: Cursor, field_map: FieldMap) -> list[str]:
    """Return a sentence for each page with a translation that would stay of the old type.

    wagtail-localize looks a translation up as a page of its source's type
    (get_translated_instance), and its views fail where there is none.
    """
    cursor.execute(
        f"SELECT DISTINCT m.old, t.id FROM {_table('TranslationSource')} s "
        f"JOIN {tree.table()} p ON p.translation_key = s.object_id AND p.locale_id = s.locale_id "
        "JOIN remodel_map m ON m.old = p.id "
        f"JOIN {tree.table()} t ON t.translation_key = p.translation_key AND t.id <> p.id "
        "WHERE NOT EXISTS (SELECT FROM remodel_map o WHERE o.old = t.id) ORDER BY 1, 2"
    )
    return [
        f"Page {page} is translated by wagtail-localize, and its translation {translation} would "
        f"stay {field_map.old_type._meta.label}: convert it as well."
        for page, translation in cursor.fetchall()
    ]


def _carry(ledger: ReferenceLedger) -> dict[str, int]:
    """Make the pages' translation sources ones of the new type: `{table.column: rows}`.

    Segments of dropped fields are deleted, as they would be when the source is next updated; their
    translations are kept.
    """
    cursor, field_map = ledger.cursor, ledger.field_map
    new_content_type = content_type(field_map.new_type)
    content = _column("TranslationSource", "content_json")
    cursor.execute(
        "CREATE TEMPORARY TABLE remodel_sources ON COMMIT DROP AS "
        "SELECT s.id, s.object_id, m.new AS page "
        f"FROM {_table('TranslationSource')} s "
        f"JOIN {tree.table()} p ON p.translation_key = s.object_id AND p.locale_id = s.locale_id "
        "JOIN remodel_map m ON m.new = p.id WHERE s.specific_content_type_id = %s",
        [content_type(field_map.old_type)],
    )
    carried = {content: _convert(cursor, field_map, new_content_type)}
    carried[_column("TranslationSource", "specific_content_type_id")] = _retype(
        cursor, field_map, new_content_type
    )
    carried.update(_end_segments(cursor, field_map))
    carried[_column("TranslationContext", "path")] = _rename_paths(cursor, field_map)
    if ledger.renumbered:
        carried[content] += _carry_links(ledger)
        carried[_column("StringSegment", "attrs")] = _carry_anchors(cursor, ledger.becomes)
        for name in ("OverridableSegment", "SegmentOverride"):
            carried[_column(name, "data_json")] = _carry_choices(cursor, field_map, name)
    cursor.execute("DROP TABLE remodel_sources")
    return {name: number for name, number in carried.items() if number}


def _table(model: str) -> str:
    from django.apps import apps

    return quoted(apps.get_model(APP, model)._meta.db_table)


def _column(model: str, column: str) -> str:
    return f"{_table(model).strip(chr(34))}.{column}"


def _write(cursor: Cursor, model: str, column: str, changed: list[tuple[int, str]]) -> int:
    cursor.execute(
        f"UPDATE {_table(model)} t SET {quoted(column)} = w.value "
        "FROM unnest(%s::bigint[], %s::text[]) AS w (id, value) WHERE t.id = w.id",
        [[key for key, _ in changed], [value for _, value in changed]],
    )
    return int(cursor.rowcount)


def _convert(cursor: Cursor, field_map: FieldMap, new_content_type: int) -> int:
    """Convert the content of the pages' own sources to that of pages of the new type.

    What the content has nothing for gets the value that the page has now, as in a revision.
    """
    from modelcluster.models import get_serializable_data_for_fields

    numbers: dict[int, dict[str, str]] = {}
    for number, related in enumerate(field_map.related_rows):
        if related.kind != "many":
            cursor.execute(f"SELECT old, new FROM {rows_table(number)}")
            numbers[number] = dict(cursor.fetchall())
    rows = field_map.new_type._base_manager.using(page_connection().alias)
    joined = {field_source.field.name for field_source in field_map.field_sources}
    changed = 0
    for chunk in scan.read(
        f"SELECT s.id, o.page, s.content_json FROM {_table('TranslationSource')} s "
        "JOIN remodel_sources o ON o.id = s.id ORDER BY s.id",
        [],
    ):
        now = rows.in_bulk([page for _, page, _ in chunk])
        contents = []
        for key, page, text in chunk:
            content = _converted(json.loads(text), field_map, page, numbers)
            for name, value in get_serializable_data_for_fields(now[page]).items():
                if name in joined:
                    content.setdefault(name, value)
            contents.append((key, _json({**content, "pk": page, "content_type": new_content_type})))
        changed += _write(cursor, "TranslationSource", "content_json", contents)
    return changed


def _converted(
    content: dict[str, Any], field_map: FieldMap, page: int, numbers: Mapping[int, dict[str, str]]
) -> dict[str, Any]:
    names = renames(field_map)
    converted = {name: value for name, value in content.items() if name not in names}
    for old, new in [*names.items(), *copies(field_map)]:
        if new is not None and old in content:
            converted[new] = content[old]
    for number, keys in numbers.items():
        related = field_map.related_rows[number]
        fields = {old.name: new.name for old, new in related.columns}
        children = []
        for row in converted.get(related.new_name) or ():
            own = {fields[name]: value for name, value in row.items() if name in fields}
            own["pk"] = related.new._meta.pk.to_python(keys.get(str(row.get("pk"))))
            children.append({**own, related.new_link.name: page})
        if related.new_name in converted:
            converted[related.new_name] = children
    return converted


def _retype(cursor: Cursor, field_map: FieldMap, new_content_type: int) -> int:
    """Set the sources' type, and the last migration of its app, if theirs was the last."""
    versions = [
        _schema_version(model._meta.app_label) for model in (field_map.old_type, field_map.new_type)
    ]
    cursor.execute(
        f"UPDATE {_table('TranslationSource')} s SET specific_content_type_id = %s, "
        "schema_version = CASE WHEN s.schema_version = %s THEN %s ELSE s.schema_version END "
        "FROM remodel_sources o WHERE o.id = s.id",
        [new_content_type, *versions],
    )
    return int(cursor.rowcount)


def _schema_version(app: str) -> str:
    """Return what get_schema_version does, which older versions of it do not have."""
    from django.db.migrations.recorder import MigrationRecorder

    applied = MigrationRecorder.Migration.objects.using(page_connection().alias)
    last = applied.filter(app=app).order_by("applied").last()
    return last.name if last else ""


def _end_segments(cursor: Cursor, field_map: FieldMap) -> dict[str, int]:
    """Delete segments of dropped fields: building a translation would fail on them."""
    gone = [old for old, new in renames(field_map).items() if new is None]
    ended = {}
    for name in SEGMENTS if gone else ():
        cursor.execute(
            f"DELETE FROM {_table(name)} g "
            f"USING remodel_sources o, {_table('TranslationContext')} c "
            "WHERE g.source_id = o.id AND c.id = g.context_id "
            "AND split_part(c.path, '.', 1) = ANY(%s)",
            [gone],
        )
        ended[_column(name, "id")] = cursor.rowcount
    return ended


def _rename_paths(cursor: Cursor, field_map: FieldMap) -> int:
    """Rename the strings' paths, which begin with a field, and the hashes they are found by."""
    names = renames(field_map)
    taken = set(names.values())
    moves = {
        # Translations of a dropped field stay, under a name that no field can have.
        old: old + "~" if new is None else new
        for old, new in names.items()
        if new != old and (new is not None or old in taken)
    }
    if not moves:
        return 0
    cursor.execute(
        f"SELECT c.id, c.path, c.field_path FROM {_table('TranslationContext')} c "
        "WHERE c.object_id IN (SELECT object_id FROM remodel_sources) "
        "AND split_part(c.path, '.', 1) = ANY(%s)",
        [list(moves)],
    )

    def moved(path: str) -> str:
        first, dot, rest = path.partition(".")
        return moves.get(first, first) + dot + rest

    paths = [(key, moved(path), moved(fields)) for key, path, fields in cursor.fetchall()]
    # Two names may change places, and a path's hash is unique at every moment: by way of others.
    for hashes in (
        [uuid.uuid4() for _ in paths],
        [uuid.uuid5(PATHS, path) for _, path, _ in paths],
    ):
        cursor.execute(
            f"UPDATE {_table('TranslationContext')} c "
            "SET path = w.path, field_path = w.fields, path_id = w.hash::uuid "
            "FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[]) "
            "AS w (id, path, fields, hash) WHERE c.id = w.id",
            [
                *([row[column] for row in paths] for column in range(3)),
                [str(path_id) for path_id in hashes],
            ],
        )
    return len(paths)


def _carry_links(ledger: ReferenceLedger) -> int:
    """Follow the map in the content of every source, whatever object it is of."""
    condition, given = scan.mentions("s.content_json", ledger.pages)
    changed = 0
    for rows in scan.read(
        f"SELECT s.id, s.specific_content_type_id, s.content_json "
        f"FROM {_table('TranslationSource')} s WHERE {condition}",
        given,
    ):
        values = []
        for key, type_id, text in rows:
            model, content = model_of(type_id), json.loads(text)
            followed = ledger.in_content(model, content, ledger.becomes) if model else content
            if followed != content:
                values.append((key, _json(followed)))
        changed += _write(ledger.cursor, "TranslationSource", "content_json", values)
    return changed


def _carry_anchors(cursor: Cursor, pages: Mapping[int, int]) -> int:
    """Follow the map in the attributes of links, which are kept beside a string."""
    condition, given = scan.mentions("g.attrs", pages)
    changed = 0
    for rows in scan.read(
        f"SELECT g.id, g.attrs FROM {_table('StringSegment')} g "
        f"WHERE strpos(g.attrs, 'linktype') > 0 AND {condition}",
        given,
    ):
        values = []
        for key, text in rows:
            attrs = json.loads(text)
            for anchor in attrs.values():
                page = str(anchor.get("id", ""))
                if anchor.get("linktype") == "page" and page.isdigit() and int(page) in pages:
                    anchor["id"] = type(anchor["id"])(pages[int(page)])
            values.append((key, _json(attrs)))
        changed += _write(cursor, "StringSegment", "attrs", values)
    return changed


def _carry_choices(cursor: Cursor, field_map: FieldMap, name: str) -> int:
    """Follow the map in chosen pages: mere ids, which only their path distinguishes."""
    own = "s.id = t.source_id" if name == "OverridableSegment" else "s.object_id = c.object_id"
    values = {}
    for rows in scan.read(
        f"SELECT t.id, m.new, c.path, s.specific_content_type_id, s.content_json "
        f"FROM {_table(name)} t JOIN remodel_map m ON t.data_json = m.old::text "
        f"JOIN {_table('TranslationContext')} c ON c.id = t.context_id "
        f"JOIN {_table('TranslationSource')} s ON {own}",
        [],
    ):
        for key, page, path, type_id, text in rows:
            model = model_of(type_id)
            if model and _chooses(model, json.loads(text), path.split("."), levels(field_map)):
                values[key] = str(page)
    return _write(cursor, name, "data_json", list(values.items()))


def _chooses(model: Model, content: dict[str, Any], path: list[str], levels: set[Model]) -> bool:
    """Return whether the path through an object's content ends at a choice of a page."""
    from modelcluster.models import get_all_child_relations
    from wagtail.fields import StreamField

    name, *rest = path
    for field in model._meta.concrete_fields:
        if field.name == name:
            if isinstance(field, StreamField):
                return _block_chooses(
                    field.stream_block, json.loads(content.get(name) or "[]"), rest, levels
                )
            to = field.remote_field and field.remote_field.model._meta.concrete_model
            return to in levels and not rest
    for relation in get_all_child_relations(model):
        if relation.get_accessor_name() == name and rest:
            for row in content.get(name) or ():
                if str(row.get("translation_key")) == rest[0]:
                    return _chooses(relation.related_model, row, rest[1:], levels)
    return False


def _block_chooses(block: Block, value: object, path: list[str], levels: set[Model]) -> bool:
    """Return the same inside of a stream: by the ids of its blocks, and the names of a struct's."""
    from wagtail import blocks

    if not path:
        return (
            isinstance(block, blocks.ChooserBlock)
            and block.target_model._meta.concrete_model in levels
        )
    first, rest = path[0], path[1:]
    if isinstance(block, blocks.BaseStructBlock) and isinstance(value, dict):
        known = block.child_blocks.get(first)
        return known is not None and _block_chooses(known, value.get(first), rest, levels)
    for child in value if isinstance(value, list) else ():
        if isinstance(child, dict) and child.get("id") == first:
            known = (
                block.child_block
                if isinstance(block, blocks.ListBlock)
                else block.child_blocks.get(child.get("type"))
            )
            return known is not None and _block_chooses(known, child.get("value"), rest, levels)
    return False


def _json(value: object) -> str:
    from django.core.serializers.json import DjangoJSONEncoder

    return json.dumps(value, cls=DjangoJSONEncoder)
