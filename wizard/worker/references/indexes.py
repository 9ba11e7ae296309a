"""What Wagtail makes from pages: the reference index, and the search index in the database.

Their rows follow the pages like any other reference. That is enough where a page of the new type
has the same references and the same search fields as before; where it has not, the rows of the
converted pages are made again by Wagtail's own code, page by page, which takes longer.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..plan.fieldmap import FieldMap, renames
from ..protocol import Reply
from ..site.tree import quoted
from ..site.types import Cursor, Field, Model
from . import columns
from .columns import GenericPair
from .generic_keys import GenericKeys
from .kind import WHOLE, Proof
from .ledger import ReferenceLedger

CHUNK = 500


class Indexes(GenericKeys):
    """Rows of the indexes: carried, and made again where the new type says something else."""

    kind = "index"
    stage = "indexes"
    remade = True

    def pairs(self) -> list[GenericPair]:
        return [pair for pair in columns.generics() if pair.derived]

    def carry(self, ledger: ReferenceLedger, reply: Reply) -> list[Proof]:
        super().carry(ledger, reply)
        _name_types(ledger)
        rebuilt = _rebuild(ledger.cursor, ledger.field_map, reply, len(ledger.pages))
        return [(name, "rebuilt by Wagtail") for name in rebuilt]

    def changes(self, ledger: ReferenceLedger) -> Iterator[tuple[str, str]]:
        for pair in self.pairs():
            yield pair.table, WHOLE


def _name_types(ledger: ReferenceLedger) -> None:
    """Follow the content types beside ids of the pages: foreign keys, of which the index knows.

    Wagtail 4.2 indexes those of every model, later ones those of pages, snippets and the like.
    """
    from django.contrib.contenttypes.models import ContentType
    from wagtail.models import ReferenceIndex

    old, new = columns.retyping(ledger.field_map)
    for pair in columns.generics():
        if pair.derived or pair.transient or not ReferenceIndex.model_is_indexable(pair.model):
            continue
        meta = pair.model._meta
        condition, given = columns.matches(pair, [new], "new")
        names = [field.name for field in meta.local_fields if field.column in pair.types]
        ledger.cursor.execute(
            f"UPDATE {quoted(ReferenceIndex._meta.db_table)} r SET to_object_id = %s "
            f"FROM {quoted(pair.table)} t, remodel_map m WHERE {condition} "
            f"AND r.object_id = t.{quoted(meta.pk.column)}::text AND r.base_content_type_id = %s "
            "AND r.to_content_type_id = %s AND r.to_object_id = ANY(%s) AND r.model_path = ANY(%s)",
            [
                str(new),
                *given,
                columns.content_type(([pair.model, *meta.get_parent_list()])[-1]),
                columns.content_type(ContentType),
                [str(type_id) for type_id in old],
                names,
            ],
        )


def _rebuild(cursor: Cursor, field_map: FieldMap, reply: Reply, total: int) -> list[str]:
    """Make again what cannot be carried; return the names of the indexes."""
    made = []
    _forget(cursor, field_map)
    if not _same_references(field_map):
        made.append("reference index")
        _references(cursor, field_map, reply, total)
    if not _same_search(field_map):
        names = [name for name, _ in backends()]
        if names:
            made.append("search index")
            _search(cursor, field_map, reply, total)
    return made


def _forget(cursor: Cursor, field_map: FieldMap) -> None:
    """Take the references that the pages had in dropped fields from the index."""
    from wagtail.models import ReferenceIndex

    gone = [name for name, new in renames(field_map).items() if new is None]
    if gone:
        cursor.execute(
            f"DELETE FROM {quoted(ReferenceIndex._meta.db_table)} t USING remodel_map m "
            "WHERE t.object_id = m.new::text AND t.base_content_type_id = %s "
            "AND split_part(t.model_path, '.', 1) = ANY(%s)",
            [columns.content_type(field_map.shared[0]), gone],
        )


def foreign_backends() -> list[str]:
    """Return search backends outside of the database: nothing is written to them."""
    from django.conf import settings

    return [
        name
        for name, backend in getattr(settings, "WAGTAILSEARCH_BACKENDS", {}).items()
        if "database" not in str(backend.get("BACKEND", "database"))
    ]


def _same_references(field_map: FieldMap) -> bool:
    """Return whether a page's references, without dropped fields, keep their names."""
    return not field_map.related_rows and all(
        field_source.how in ("moved", "same") or not _can_refer(field_source.field)
        for field_source in field_map.field_sources
        if field_source.how != "default" or field_source.value not in (None, "")
    )


def _can_refer(field: Field) -> bool:
    from wagtail.fields import RichTextField, StreamField

    return bool(field.remote_field) or isinstance(field, (RichTextField, StreamField))


def _same_search(field_map: FieldMap) -> bool:
    touched = {
        field_source.field.name
        for field_source in field_map.field_sources
        if field_source.how != "same"
    }
    before, after = _searched(field_map.old_type), _searched(field_map.new_type)
    return before == after and not {name for _, name in after} & touched


def _searched(model: Model) -> set[tuple[str, str]]:
    return {(field.__class__.__name__, field.field_name) for field in model.search_fields}


def _pages(cursor: Cursor, field_map: FieldMap) -> Iterator[list[Any]]:
    cursor.execute("SELECT new FROM remodel_map ORDER BY 1")
    ids = [row[0] for row in cursor.fetchall()]
    for start in range(0, len(ids), CHUNK):
        yield list(field_map.new_type._base_manager.filter(pk__in=ids[start : start + CHUNK]))


def _references(cursor: Cursor, field_map: FieldMap, reply: Reply, total: int) -> None:
    from wagtail.models import ReferenceIndex

    base = columns.content_type(field_map.shared[0])
    cursor.execute(
        f"DELETE FROM {quoted(ReferenceIndex._meta.db_table)} t USING remodel_map m "
        "WHERE t.object_id = m.new::text AND t.base_content_type_id = %s",
        [base],
    )
    done = 0
    for pages in _pages(cursor, field_map):
        for page in pages:
            ReferenceIndex.create_or_update_for_object(page)
        done += len(pages)
        reply.progress(done, total, "pages", "reference index")


def _search(cursor: Cursor, field_map: FieldMap, reply: Reply, total: int) -> None:
    types = columns.content_types(columns.levels(field_map))
    for pair in columns.generics():
        if pair.derived and "model_path" not in {f.name for f in pair.model._meta.fields}:
            condition, given = columns.matches(pair, types, "new")
            cursor.execute(
                f"DELETE FROM {quoted(pair.table)} t USING remodel_map m WHERE {condition}", given
            )
    done = 0
    for pages in _pages(cursor, field_map):
        wanted = {page.pk for page in pages}
        indexed = field_map.new_type.get_indexed_objects().filter(pk__in=wanted)
        for _, backend in backends():
            backend.get_index_for_model(field_map.new_type).add_items(
                field_map.new_type, list(indexed)
            )
        done += len(pages)
        reply.progress(done, total, "pages", "search index")


def backends() -> list[tuple[str, Any]]:
    """Return the search backends that keep their index in the database."""
    from wagtail.search.backends import get_search_backends_with_name

    return [
        (name, backend)
        for name, backend in get_search_backends_with_name()
        if "database" in type(backend).__module__
    ]
