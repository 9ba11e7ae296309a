"""Revisions: the drafts and the history of pages, which hold a page's content as JSON.

The slug in a revision is never prefixed: it is the one to be published, and the prefix is gone
before anybody edits again. Nor are tree fields, which Wagtail takes from the page itself when
it reads a revision (`Page.with_content_json` in wagtail/models/pages.py).
"""

from __future__ import annotations

import json
from typing import Any

from . import links
from .database import page_connection
from .models import base_page, chain
from .tree import quoted

CHUNK = 200


def _table() -> str:
    from wagtail.models import Revision

    return quoted(Revision._meta.db_table)


def _base_type() -> int:
    from django.contrib.contenttypes.models import ContentType

    return int(ContentType.objects.get_for_model(base_page(), for_concrete_model=False).pk)


def convert(
    cursor: Any,
    source: Any,
    target: Any,
    pages: dict[int, int],
    *,
    content_type: int,
    moved: dict[str, str],
) -> int:
    """Make the content of the converted pages' revisions that of pages of the target.

    The rows themselves belong to the new pages already. Each moved field's value is put under
    its new name as well: published without it, an old draft would blank the field.
    """

    def rewritten(content: dict[str, Any]) -> dict[str, Any]:
        found = links.in_serialized(source, content, pages, set(chain(source)))
        found["pk"] = pages.get(content.get("pk", 0), content.get("pk"))
        found["content_type"] = content_type
        for name, origin in moved.items():
            if origin in content:
                found[name] = found[origin]
        return dict(found)

    return _rewrite(
        cursor,
        "r.base_content_type_id = %s AND r.object_id IN (SELECT new::text FROM remodel_map)",
        [_base_type()],
        lambda model, content: rewritten(content),
    )


def carry_links(cursor: Any, source: Any, pages: dict[int, int]) -> int:
    """Follow the map in the revisions of everything else: links, choosers, foreign keys."""
    levels = set(chain(source))
    condition, given = links.mentions("r.content::text", pages)
    return _rewrite(
        cursor,
        "NOT (r.base_content_type_id = %s AND r.object_id IN (SELECT new::text FROM remodel_map)) "
        f"AND {condition}",
        [_base_type(), *given],
        lambda model, content: links.in_serialized(model, content, pages, levels),
    )


def rename_fields(cursor: Any, renames: dict[str, str]) -> int:
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


def restore_slugs(cursor: Any, slugs: dict[int, str], prefix: str) -> int:
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


def _rewrite(cursor: Any, condition: str, given: list[Any], rewrite: Any) -> int:
    """Pass the content of each revision that fits through `rewrite(model, content)`."""
    from django.contrib.contenttypes.models import ContentType

    changed = 0
    with page_connection().chunked_cursor() as reading:
        reading.execute(
            f"SELECT r.id, r.content_type_id, r.content::text FROM {_table()} r WHERE {condition}",
            given,
        )
        while rows := reading.fetchmany(CHUNK):
            updates = []
            for key, type_id, text in rows:
                model = ContentType.objects.get_for_id(type_id).model_class()
                content = json.loads(text)
                found = rewrite(model, content) if model else content
                if found != content:
                    updates.append((json.dumps(found), key))
            if updates:
                cursor.executemany(
                    f"UPDATE {_table()} SET content = %s::jsonb WHERE id = %s", updates
                )
                changed += len(updates)
    return changed
