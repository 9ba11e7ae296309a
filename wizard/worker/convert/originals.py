"""The end of the originals: exactly their rows, after everything else has left them.

Raw deletes, without `Page.delete`, which would unpublish aliases and cascade to revisions,
comments and permissions (wagtail/signal_handlers.py), and without signals, one of which deletes
media files.
"""

from __future__ import annotations

from typing import Any

from ..plan import levels
from ..protocol import Refusal, Reply
from ..references import columns, idmap, kinds, links, locks
from ..references.generic_keys import PassingState
from ..references.kind import Originals
from ..site import tree
from ..site.database import page_connection, require_postgresql
from ..site.models import base_page, chain
from ..site.sites import clear_root_paths
from ..site.tree import quoted
from ..site.types import Cursor, Model


def delete_plan(reply: Reply, *, id_map: dict[str, int]) -> dict[str, Any]:
    """Return what would be deleted, and what prevents it; nothing is changed.

    `destroys` counts rows by table; `refers` counts what still refers to the originals by
    `table.column`, `children` the pages below them: with any of either, nothing is deleted.
    `pages` are the originals, `marks` says `going`.
    """
    from django.db import transaction

    pages = idmap.from_json(id_map)
    connection = page_connection()
    require_postgresql(connection)
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        idmap.load(cursor, pages)
        old_type = _type(pages)
        plan = {
            "pages": _originals(cursor),
            "destroys": {level._meta.db_table: _count(cursor, level) for level in chain(old_type)},
            "drops": kinds.losses(cursor, old_type),
            **_in_the_way(cursor, old_type, pages),
            "marks": dict.fromkeys(pages, "going"),
        }
        transaction.set_rollback(True, using=connection.alias)
    return plan


def delete_originals(reply: Reply, *, id_map: dict[str, int]) -> dict[str, Any]:
    """Delete the originals' rows.

    Return `{deleted: {table: rows}}`. Raise Refusal `referenced` when anything still refers to
    them or is below them, and `verification` when the tree would not be sound afterwards.
    """
    from django.db import transaction

    pages = idmap.from_json(id_map)
    connection = page_connection()
    require_postgresql(connection)
    old_type = _type(pages)
    locked = locks.tables(old_type)
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        locks.take(cursor, locked)
        idmap.load(cursor, pages)
        _refuse_when_referred_to(cursor, old_type, pages)
        PassingState().drop(cursor, old_type)
        tree.count_originals(cursor, -1)
        deleted = {}
        for level in reversed(chain(old_type)):
            cursor.execute(
                f"DELETE FROM {quoted(level._meta.db_table)} t USING remodel_map m "
                f"WHERE t.{levels.key(level)} = m.old"
            )
            deleted[level._meta.db_table] = cursor.rowcount
        tree.require_sound(
            cursor, refusal="verification", when="after deleting the originals", prefixed=True
        )
        short = {name: count for name, count in deleted.items() if count != len(pages)}
        if short:
            raise Refusal("verification", "Not exactly the originals' rows went.", found=str(short))
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    clear_root_paths()
    return {"deleted": deleted}


def _type(pages: dict[int, int]) -> Model:
    """Return the originals' model. Raise Refusal `no_page` or `wrong_type`."""
    from django.contrib.contenttypes.models import ContentType

    types = []
    for ids in (list(pages), list(pages.values())):
        kinds = base_page()._base_manager.filter(pk__in=ids).values_list("pk", "content_type_id")
        known = dict(kinds)
        missing = sorted(set(ids) - set(known))
        if missing:
            raise Refusal("no_page", f"There are no pages with the ids {missing[:20]}.")
        if len(set(known.values())) != 1:
            raise Refusal("wrong_type", f"The pages {ids[:20]} are not all of one type.")
        types.append(next(iter(known.values())))
    if types[0] == types[1]:
        raise Refusal(
            "wrong_type",
            "The originals and the new pages are all of one type.",
            hint="The map is from originals to new pages.",
        )
    model: Model = ContentType.objects.get_for_id(types[0]).model_class()
    return model


def _originals(cursor: Cursor) -> list[dict[str, Any]]:
    cursor.execute(
        f"SELECT p.id, m.new, p.title, p.slug, p.url_path FROM {tree.table()} p "
        "JOIN remodel_map m ON m.old = p.id ORDER BY p.path"
    )
    return [
        {"old": row[0], "new": row[1], "title": row[2], "slug": row[3], "url_path": row[4]}
        for row in cursor.fetchall()
    ]


def _count(cursor: Cursor, level: Model) -> int:
    cursor.execute(
        f"SELECT count(*) FROM {quoted(level._meta.db_table)} t "
        f"JOIN remodel_map m ON m.old = t.{levels.key(level)}"
    )
    return int(cursor.fetchone()[0])


def _in_the_way(cursor: Cursor, old_type: Model, pages: dict[int, int]) -> dict[str, Any]:
    own = chain(old_type)
    candidates = links.mentioning(pages, own)
    refers = kinds.remaining(Originals(cursor, old_type, pages, set(own), candidates))
    for link in columns.subclass_links(old_type):
        cursor.execute(
            f"SELECT count(*) FROM {quoted(link.table)} WHERE {quoted(link.column)} = ANY(%s)",
            [list(pages)],
        )
        number = cursor.fetchone()[0]
        if number:
            refers[link.name] = number
    cursor.execute(
        f"SELECT coalesce(sum(p.numchild), 0) FROM {tree.table()} p "
        "JOIN remodel_map m ON m.old = p.id"
    )
    return {"refers": refers, "children": int(cursor.fetchone()[0])}


def _refuse_when_referred_to(cursor: Cursor, old_type: Model, pages: dict[int, int]) -> None:
    reasons = _in_the_way(cursor, old_type, pages)
    if not reasons["refers"] and not reasons["children"]:
        return
    lines = [f"{name}: {count}" for name, count in reasons["refers"].items()]
    if reasons["children"]:
        lines.append(f"pages below them: {reasons['children']}")
    raise Refusal(
        "referenced",
        "The original pages are still needed, so they are not deleted.",
        found="\n".join(lines),
        hint="Somebody worked on them since the conversion; go back to the checkpoint before it.",
    )
