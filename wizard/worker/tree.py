"""The page tree in SQL: treebeard's materialised paths and Wagtail's url_path.

A path is a chain of steps of a fixed length, one for each depth, each a number in base 36.
Nothing here loads a page, so that the cost of a change is that of the rows that change.
"""

from __future__ import annotations

from typing import Any

from .models import base_page
from .protocol import Refusal


def table() -> str:
    """The base page table's quoted name."""
    return quoted(base_page()._meta.db_table)


def quoted(name: str) -> str:
    """A table's or column's name as PostgreSQL takes it."""
    return '"' + name.replace('"', '""') + '"'


def step() -> int:
    """The length of one step of a path, 4 unless the project swapped the page model."""
    return int(base_page().steplen)


def problems(cursor: Any) -> dict[str, list[int]]:
    """Ids of the pages that are wrong, by kind; kinds without any are left out.

    What `Page.find_problems` looks for (treebeard/mp_tree.py), and Wagtail's url_path besides.
    """
    pages, size, alphabet = table(), step(), base_page().alphabet
    found = {}
    for kind, condition in {
        "bad_characters": f"p.path ~ '[^{alphabet}]'",
        "bad_length": f"length(p.path) % {size} <> 0 OR p.path = ''",
        "wrong_depth": f"p.depth <> length(p.path) / {size}",
        "orphans": f"length(p.path) > {size} AND parent.id IS NULL",
        "wrong_numchild": "p.numchild <> coalesce(child.number, 0)",
        "wrong_url_path": "p.url_path <> parent.url_path || p.slug || '/'",
    }.items():
        cursor.execute(
            f"""
            SELECT p.id FROM {pages} p
              LEFT JOIN {pages} parent
                ON parent.path = left(p.path, -{size}) AND length(p.path) > {size}
              LEFT JOIN (SELECT left(path, -{size}) AS path, count(*) AS number
                           FROM {pages} WHERE length(path) > {size} GROUP BY 1) child
                ON child.path = p.path
             WHERE {condition} ORDER BY p.path
            """
        )
        ids = [row[0] for row in cursor.fetchall()]
        if ids:
            found[kind] = ids
    return found


def require_sound(cursor: Any, *, type: str, when: str) -> None:
    """Raise a Refusal of this type when the tree has a fault."""
    found = problems(cursor)
    if found:
        raise Refusal(
            type,
            f"The page tree is not sound {when}.",
            found="\n".join(f"{kind}: pages {ids[:20]}" for kind, ids in found.items()),
            hint="See `manage.py fixtree`; on a copy first, because it may delete pages.",
        )


def places_beside(cursor: Any, ids: list[int]) -> dict[int, str]:
    """For each page a free path under the same parent, after the last child: `{id: path}`."""
    pages, size = table(), step()
    cursor.execute(
        f"""
        SELECT p.id, left(p.path, -{size}), (
                   SELECT max(right(s.path, {size})) FROM {pages} s
                    WHERE s.path LIKE left(p.path, -{size}) || '%%' AND s.depth = p.depth)
          FROM {pages} p WHERE p.id = ANY(%s) ORDER BY p.path
        """,
        [ids],
    )
    model = base_page()
    taken: dict[str, int] = {}
    free = {}
    for page, parent, last in cursor.fetchall():
        number = taken.get(parent, model._str2int(last)) + 1
        taken[parent] = number
        key = model._int2str(number)
        if len(key) > size:
            raise Refusal("unsupported", f"The page at {parent} has no room for another child.")
        free[page] = parent + model.alphabet[0] * (size - len(key)) + key
    return free


def depths(cursor: Any, side: str) -> list[int]:
    """Depths at which the id map has pages, the deepest first. `side` is `old` or `new`."""
    cursor.execute(
        f"SELECT DISTINCT p.depth FROM {table()} p JOIN remodel_map m ON m.{side} = p.id "
        "ORDER BY p.depth DESC"
    )
    return [row[0] for row in cursor.fetchall()]


def move_children(cursor: Any) -> int:
    """Move everything below each old page below its new one; returns how many pages moved.

    The deepest first, so that a converted page below another one is moved with its children
    already below it. Paths keep their length, as both pages have the same parent.
    """
    pages, size = table(), step()
    moved = 0
    for depth in depths(cursor, "old"):
        cursor.execute(
            f"""
            UPDATE {pages} p
               SET path = n.path || substr(p.path, length(o.path) + 1),
                   url_path = n.url_path || substr(p.url_path, length(o.url_path) + 1)
              FROM remodel_map m
              JOIN {pages} o ON o.id = m.old
              JOIN {pages} n ON n.id = m.new
             WHERE o.depth = %s AND p.depth > %s AND left(p.path, {size} * %s) = o.path
            """,
            [depth, depth, depth],
        )
        moved += cursor.rowcount
        cursor.execute(
            f"""
            UPDATE {pages} n SET numchild = o.numchild
              FROM remodel_map m JOIN {pages} o ON o.id = m.old
             WHERE n.id = m.new AND o.depth = %s
            """,
            [depth],
        )
        cursor.execute(
            f"UPDATE {pages} o SET numchild = 0 FROM remodel_map m "
            "WHERE o.id = m.old AND o.depth = %s",
            [depth],
        )
    return moved


def count_children(cursor: Any, side: str, sign: int) -> None:
    """Add to (or with `sign` -1 take from) each parent's numchild its pages of the map."""
    pages, size = table(), step()
    cursor.execute(
        f"""
        UPDATE {pages} parent SET numchild = parent.numchild + %s * c.number
          FROM (SELECT left(p.path, -{size}) AS path, count(*) AS number
                  FROM {pages} p JOIN remodel_map m ON m.{side} = p.id GROUP BY 1) c
         WHERE parent.path = c.path
        """,
        [sign],
    )


def reroot(cursor: Any, paths: dict[int, str]) -> None:
    """Give each page a path of the same parent, and what is below it the path that follows."""
    pages, size = table(), step()
    for depth in depths(cursor, "new"):
        cursor.execute(
            f"""
            UPDATE {pages} p SET path = w.path || substr(p.path, length(w.path) + 1)
              FROM unnest(%s::bigint[], %s::text[]) AS w (id, path)
              JOIN {pages} n ON n.id = w.id
             WHERE n.depth = %s AND p.depth >= %s AND left(p.path, {size} * %s) = n.path
            """,
            [list(paths), list(paths.values()), depth, depth, depth],
        )


def respell(cursor: Any, slugs: dict[int, str]) -> int:
    """Give pages of the map another slug, and url_paths that follow to all below them.

    Returns how many url_paths changed. The highest first, so that each url_path is built on
    its parent's final one.
    """
    pages, size = table(), step()
    changed = 0
    for depth in reversed(depths(cursor, "new")):
        cursor.execute(
            f"""
            UPDATE {pages} p
               SET slug = CASE WHEN p.id = n.id THEN w.slug ELSE p.slug END,
                   url_path = parent.url_path || w.slug || '/'
                              || substr(p.url_path, length(n.url_path) + 1)
              FROM unnest(%s::bigint[], %s::text[]) AS w (id, slug)
              JOIN {pages} n ON n.id = w.id
              JOIN {pages} parent ON parent.path = left(n.path, -{size})
             WHERE n.depth = %s AND p.depth >= %s AND left(p.path, {size} * %s) = n.path
            """,
            [list(slugs), list(slugs.values()), depth, depth, depth],
        )
        changed += cursor.rowcount
    return changed
