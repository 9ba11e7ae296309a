"""The id map of a conversion: old page to new, as a temporary table of the transaction.

Every statement that follows the map joins `remodel_map`, whether it has one page or thousands.
Where ids are kept, the map is the identity. `path` is the place in the tree that the old page
has and the new one takes, `aside` the one that the old page is left at, and `children` how many
pages are right below it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..protocol import Refusal
from ..site import tree
from ..site.types import Cursor, Model
from .columns import content_type

NAMED = 20  # pages that a sentence names
MARKED = 10_000  # pages below them that a screen marks as moved


def from_json(given: dict[str, int]) -> dict[int, int]:
    """Return a map as it comes over the wire, where its keys are strings."""
    return {int(old): int(new) for old, new in given.items()}


def load(cursor: Cursor, pages: Mapping[int, int | None]) -> None:
    """Make the temporary table; it goes with the transaction. A plan may have no new ids yet.

    Raise Refusal `no_page` for a map without any.
    """
    if not pages:
        raise Refusal("no_page", "No page is named to be converted.")
    cursor.execute(
        "CREATE TEMPORARY TABLE remodel_map (old bigint PRIMARY KEY, new bigint UNIQUE, "
        "path text, aside text, children integer) ON COMMIT DROP"
    )
    cursor.execute(
        "INSERT INTO remodel_map (old, new, path, children) "
        "SELECT w.old, w.new, p.path, p.numchild "
        "FROM unnest(%s::bigint[], %s::bigint[]) AS w (old, new) "
        f"LEFT JOIN {tree.table()} p ON p.id = w.old",
        [list(pages), list(pages.values())],
    )
    cursor.execute("ANALYZE remodel_map")


def fresh_ids(cursor: Cursor, table: str, count: int) -> list[int]:
    """Return ids for new rows, from the table's own sequence."""
    cursor.execute(
        "SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s)",
        [tree.quoted(table), count],
    )
    return [row[0] for row in cursor.fetchall()]


def require_type(cursor: Cursor, old_type: Model) -> None:
    """Raise Refusal `no_page` or `wrong_type` unless the old pages are of the old type."""
    cursor.execute(
        f"SELECT m.old, p.id IS NULL FROM remodel_map m LEFT JOIN {tree.table()} p ON p.id = m.old "
        "WHERE p.id IS NULL OR p.content_type_id <> %s OR p.depth < 2 ORDER BY 1",
        [content_type(old_type)],
    )
    rows = cursor.fetchall()
    missing = [page for page, gone in rows if gone]
    if missing:
        raise Refusal("no_page", f"There are no pages with the ids {missing[:NAMED]}.")
    if rows:
        wrong = [page for page, _ in rows]
        raise Refusal(
            "wrong_type", f"The pages {wrong[:NAMED]} are not of the type {old_type._meta.label}."
        )


def facts(cursor: Cursor, prefix: str) -> list[dict[str, Any]]:
    """Return what a plan shows of the old pages, in the order of the tree."""
    cursor.execute(
        f"""
        SELECT p.id, p.title, p.slug, %s || p.slug, p.url_path, p.live, p.numchild,
               parent.id, parent.title, p.alias_of_id
          FROM remodel_map m JOIN {tree.table()} p ON p.id = m.old
          LEFT JOIN {tree.table()} parent
            ON parent.path = left(p.path, -{tree.step()}) AND p.depth > 1
         ORDER BY p.path
        """,
        [prefix],
    )
    names = ("old", "title", "slug", "new_slug", "url_path", "live", "children")
    return [
        dict(zip((*names, "parent", "parent_title", "alias_of"), row)) for row in cursor.fetchall()
    ]


def marks(cursor: Cursor) -> dict[int, str]:
    """Return the old pages as `going`, and those right below them as `moved`, `MARKED` at most: a
    screen marks them in the tree."""
    cursor.execute(
        f"""
        SELECT c.id FROM remodel_map m
          JOIN {tree.table()} c ON left(c.path, -{tree.step()}) = m.path
         WHERE length(c.path) > {tree.step()}
         ORDER BY c.path LIMIT {MARKED}
        """
    )
    pages = {row[0]: "moved" for row in cursor.fetchall()}
    cursor.execute("SELECT old FROM remodel_map")
    pages.update({row[0]: "going" for row in cursor.fetchall()})
    return pages
