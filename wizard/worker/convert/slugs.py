"""What was prefixed gets its name back: slugs and the URLs below them, and fields in revisions."""

from __future__ import annotations

from typing import Any

from ..protocol import Refusal, Reply
from ..references import idmap, locks, revisions
from ..site import tree
from ..site.database import page_connection, require_postgresql
from ..site.models import page_model
from ..site.sites import clear_root_paths
from ..site.tree import quoted
from ..site.types import Cursor

KEPT = 7  # characters of a column that Django keeps at least when it shortens a name


def restore_slugs(reply: Reply, *, id_map: dict[str, int], prefix: str) -> dict[str, Any]:
    """Take the prefix from the new pages' slugs, and from the url_paths of all below them.

    Return `slugs` (page id to slug) of the pages that had the prefix, `urls` and `drafts`, the
    numbers of url_paths and revisions changed. Doing it again changes nothing. Raise Refusal
    `clash` when a sibling has the slug, and `verification` when the tree would not be sound.
    """
    from django.db import transaction

    connection = page_connection()
    require_postgresql(connection)
    locked = [tree.table(), quoted(revisions.table_name())]
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        locks.take(cursor, locked)
        idmap.load(cursor, idmap.from_json(id_map))
        cursor.execute(
            f"SELECT p.id, p.slug FROM {tree.table()} p JOIN remodel_map m ON m.new = p.id "
            "ORDER BY p.path"
        )
        slugs = {
            page: slug[len(prefix) :]
            for page, slug in cursor.fetchall()
            if prefix and slug.startswith(prefix)
        }
        _refuse_clashes(cursor, slugs)
        changed = tree.respell(cursor, slugs)
        drafts = revisions.restore_slugs(cursor, slugs, prefix)
        tree.require_sound(cursor, refusal="verification", when="after restoring the slugs")
    clear_root_paths()
    return {"slugs": slugs, "urls": changed, "drafts": drafts}


def _refuse_clashes(cursor: Cursor, slugs: dict[int, str]) -> None:
    cursor.execute(
        f"""
        SELECT s.id, s.title, s.slug FROM unnest(%s::bigint[], %s::text[]) AS w (id, slug)
          JOIN {tree.table()} p ON p.id = w.id
          JOIN {tree.table()} s ON left(s.path, -{tree.step()}) = left(p.path, -{tree.step()})
           AND s.depth = p.depth AND s.slug = w.slug AND s.id <> p.id
        """,
        [list(slugs), list(slugs.values())],
    )
    clashes = cursor.fetchall()
    if clashes:
        raise Refusal(
            "clash",
            "The pages cannot have their slugs back, because a sibling has them.",
            found="\n".join(
                f"page {page} ({title!r}) has the slug {slug!r}" for page, title, slug in clashes
            ),
            hint="Delete the originals first, or rename the sibling.",
        )


def rename_revision_fields(
    reply: Reply, *, id_map: dict[str, int], renames: dict[str, str]
) -> dict[str, int]:
    """Rename fields in the content of the new pages' revisions: `{changed}` values."""
    from django.db import transaction

    connection = page_connection()
    require_postgresql(connection)
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        idmap.load(cursor, idmap.from_json(id_map))
        return {"changed": revisions.rename_fields(cursor, renames)}


def unprefix_names(
    reply: Reply, *, new_type: str, fields: list[str], prefix: str
) -> dict[str, str]:
    """Rename the indexes and constraints that still carry the prefix: `{old name: new name}`.

    Django's RenameField renames the column and leaves the names of what hangs on it. A name is
    taken for prefixed when a moved field's name, as far as Django kept it, follows the prefix.
    """
    from django.db import transaction

    connection = page_connection()
    require_postgresql(connection)
    table = page_model(new_type)._meta.db_table
    renamed = {}
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT conname, 'constraint' FROM pg_constraint WHERE conrelid = %s::regclass
            UNION ALL
            SELECT c.relname, 'index' FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
             WHERE i.indrelid = %s::regclass
               AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = c.oid
                                AND k.conrelid = i.indrelid)
            """,
            [quoted(table), quoted(table)],
        )
        for name, kind in cursor.fetchall():
            if not any(f"_{prefix}{field[:KEPT]}" in name for field in fields):
                continue
            new = name.replace(f"_{prefix}", "_", 1)
            what = (
                f"ALTER TABLE {quoted(table)} RENAME CONSTRAINT"
                if kind == "constraint"
                else "ALTER INDEX"
            )
            to = "TO" if kind == "constraint" else "RENAME TO"
            cursor.execute(f"{what} {quoted(name)} {to} {quoted(new)}")
            renamed[name] = new
    return renamed
