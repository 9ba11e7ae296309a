"""The indexes after the moved fields are off the old type and have their names on the new one.

A migration calls nothing of Wagtail's, so that the search index keeps the text of fields that are
gone, and the reference index what they referred to. Only the pages that had the fields are
looked at: those of the old type, of its children and of the new type.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from ..protocol import Reply
from ..references import columns
from ..references.indexes import CHUNK, backends
from ..site.database import page_connection, require_postgresql
from ..site.models import base_page, page_model
from ..site.tree import quoted
from ..site.types import Cursor, Field, Model


def reindex(
    reply: Reply, *, old_type: str, new_type: str, fields: list[str], prefix: str
) -> dict[str, int]:
    """Write what Wagtail would of the moved fields into its indexes in the database.

    Return `removed` and `written`, numbers of references, and `searchable`, of pages. Doing it
    again comes to the same rows.
    """
    from django.db import transaction

    connection = page_connection()
    require_postgresql(connection)
    family = _family(page_model(old_type), page_model(new_type))
    names = {*fields, *(prefix + name for name in fields)}
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        removed = _remove_references(cursor, family, names)
        written = sum(_write_references(cursor, model, names) for model in family)
        searchable = _index_for_search(reply, family)
    return {"removed": removed, "written": written, "searchable": searchable}


def _family(old_type: Model, new_type: Model) -> list[Model]:
    """Return the old type and all of its children, in the order of their definition."""
    from django.apps import apps

    return [
        model
        for model in apps.get_models()
        if issubclass(model, (old_type, new_type)) and not model._meta.proxy
    ]


def _remove_references(cursor: Cursor, family: list[Model], names: set[str]) -> int:
    """Remove what the pages refer to in fields of these names, prefixed or not."""
    from wagtail.models import ReferenceIndex

    pages = " UNION ".join(
        f"SELECT {quoted(model._meta.pk.column)}::text FROM {quoted(model._meta.db_table)}"
        for model in family
    )
    cursor.execute(
        f"DELETE FROM {quoted(ReferenceIndex._meta.db_table)} t WHERE t.base_content_type_id = %s "
        f"AND split_part(t.model_path, '.', 1) = ANY(%s) AND t.object_id IN ({pages})",
        [columns.content_type(base_page()), sorted(names)],
    )
    return int(cursor.rowcount)


def _write_references(cursor: Cursor, model: Model, names: set[str]) -> int:
    """Write what the pages refer to in the fields of these names that are the model's own."""
    from wagtail.models import ReferenceIndex

    fields = [
        field
        for field in model._meta.local_concrete_fields
        if field.name in names and (_is_reference(field) or hasattr(field, "extract_references"))
    ]
    if not fields or not ReferenceIndex.model_is_indexable(model):
        return 0
    own, base = columns.content_type(model), columns.content_type(base_page())
    written = 0
    for pages in _chunks(model._base_manager.only(*(field.name for field in fields))):
        rows = [
            {
                "page": str(page.pk),
                "type": to_type,
                "to": str(to),
                "model": model_path,
                "content": content_path,
                "hash": str(ReferenceIndex._get_content_path_hash(content_path)),
            }
            for page in pages
            for to_type, to, model_path, content_path in {
                reference for field in fields for reference in _references(page, field)
            }
        ]
        cursor.execute(
            f"INSERT INTO {quoted(ReferenceIndex._meta.db_table)} (content_type_id, "
            "base_content_type_id, object_id, to_content_type_id, to_object_id, model_path, "
            "content_path, content_path_hash) "
            'SELECT %s, %s, w.page, w.type, w."to", w.model, w.content, w.hash::uuid '
            'FROM json_to_recordset(%s::json) AS w (page text, type int, "to" text, model text, '
            "content text, hash text) ON CONFLICT DO NOTHING",
            [own, base, json.dumps(rows)],
        )
        written += cursor.rowcount
    return written


def _is_reference(field: Field) -> bool:
    """Return whether Wagtail indexes what the field itself refers to."""
    from modelcluster.fields import ParentalKey

    return bool(
        field.many_to_one
        and not isinstance(field, ParentalKey)
        and not getattr(field, "wagtail_reference_index_ignore", False)
        and not getattr(field.related_model, "wagtail_reference_index_ignore", False)
    )


def _references(page: Any, field: Field) -> Iterator[tuple[int, str, str, str]]:
    """Yield a field's references as Wagtail does (ReferenceIndex._extract_references_from_object).

    That one reads all of a page, its child rows with a query for each relation.
    """
    from wagtail.models import ReferenceIndex

    value = field.value_from_object(page)
    if value is None:
        return
    if _is_reference(field):
        to_type = ReferenceIndex._get_base_content_type(field.related_model)
        yield to_type.pk, str(value), field.name, field.name
    if hasattr(field, "extract_references"):
        for model, key, model_path, content_path in field.extract_references(value):
            to_type = ReferenceIndex._get_base_content_type(model)
            paths = f"{field.name}.{model_path}", f"{field.name}.{content_path}"
            yield (to_type.pk, str(key), *paths)


def _index_for_search(reply: Reply, family: list[Model]) -> int:
    """Index the pages as update_index does: those of exactly a type, under this type."""
    indexed = [model for model in family if model.search_fields]
    if not backends():
        return 0
    total, done = sum(model.get_indexed_objects().count() for model in indexed), 0
    for model in indexed:
        for pages in _chunks(model.get_indexed_objects()):
            for _, backend in backends():
                backend.get_index_for_model(model).add_items(model, pages)
            done += len(pages)
            reply.progress(done, total, "pages", "search index")
    return done


def _chunks(pages: Any) -> Iterator[list[Any]]:
    """Yield a query's pages, some at a time."""
    last = 0
    while chunk := list(pages.filter(pk__gt=last).order_by("pk")[:CHUNK]):
        yield chunk
        last = chunk[-1].pk
