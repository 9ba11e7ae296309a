"""The page tree in SQL: treebeard's materialised paths and Wagtail's url_path.

A path is a chain of steps of a fixed length, one for each depth, each a number in base 36.
Nothing here loads a page, so that the cost of a change is that of the rows that change.
"""

from __future__ import annotations

from ..protocol import Refusal
from .models import base_page
from .types import Cursor


def table() -> str:
    """Return the base page table's quoted name."""
    return quoted(base_page()._meta.db_table)


def quoted(name: str) -> str:
    """Return a table's or column's name as PostgreSQL takes it."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Return a text as an SQL literal, for names where parameters would be in the way."""
    return "'" + text.replace("'", "''").replace("%", "%%") + "'"


def step() -> int:
    """Return the length of one step of a path, 4 unless the project swapped the page model."""
    return int(base_page().steplen)


def problems(cursor: Cursor, *, prefixed: bool = False) -> dict[str, list[int]]:
    """Return ids of the pages that are wrong, by kind; kinds without any are left out.

    What `Page.find_problems` looks for (treebeard/mp_tree.py), and Wagtail's url_path besides,
    in one pass over the table instead of a query for each page. With `prefixed`, the map's new
    pages have a prefixed URL, and pages below them the one that they will have.
    """
    pages, size, alphabet = table(), step(), base_page().alphabet
    kinds = {
        "bad_characters": f"p.path ~ '[^{alphabet}]'",
        "bad_length": f"length(p.path) % {size} <> 0 OR p.path = ''",
        "wrong_depth": f"p.depth <> length(p.path) / {size}",
        "orphans": f"length(p.path) > {size} AND parent.id IS NULL",
        "wrong_numchild": "p.numchild <> coalesce(child.number, 0)",
        "wrong_url_path": "p.url_path <> parent.url_path || p.slug || '/'",
    }
    if prefixed:
        kinds["wrong_url_path"] += (
            " AND NOT EXISTS (SELECT FROM remodel_map m WHERE m.new = parent.id)"
        )
    cursor.execute(
        f"""
        SELECT p.id, ARRAY[{", ".join(f"({sql})" for sql in kinds.values())}]
          FROM {pages} p
          LEFT JOIN {pages} parent
            ON parent.path = left(p.path, -{size}) AND length(p.path) > {size}
          LEFT JOIN (SELECT left(path, -{size}) AS path, count(*) AS number
                       FROM {pages} WHERE length(path) > {size} GROUP BY 1) child
            ON child.path = p.path
         WHERE {" OR ".join(f"({sql})" for sql in kinds.values())}
         ORDER BY p.path
        """
    )
    pages_by_kind: dict[str, list[int]] = {}
    for page, wrong in cursor.fetchall():
        for kind, is_so in zip(kinds, wrong):
            if is_so:
                pages_by_kind.setdefault(kind, []).append(page)
    return pages_by_kind


def require_sound(cursor: Cursor, *, refusal: str, when: str, prefixed: bool = False) -> None:
    """Raise this kind of Refusal when the tree has a fault; `prefixed` as in `problems`."""
    faults = problems(cursor, prefixed=prefixed)
    if faults:
        raise Refusal(
            refusal,
            f"The page tree is not sound {when}.",
            found="\n".join(f"{kind}: pages {ids[:20]}" for kind, ids in faults.items()),
            hint="For wrong_depth and wrong_numchild run Page.fix_tree() of wagtail.models in "
            "`manage.py shell`: it deletes nothing. For others correct the rows of these pages by "
            "SQL; an orphan needs its parent back, or another path.",
        )


def find_room(cursor: Cursor) -> None:
    """Find each original a place at the end of its siblings, into `remodel_map.aside`.

    It goes there alone. The page that takes its place has everything below it then, without one
    of the paths below being written.
    """
    pages, size = table(), step()
    cursor.execute(
        f"""
        SELECT m.old, left(m.path, -{size}), last.step
          FROM remodel_map m
          JOIN (SELECT left(path, -{size}) AS parent, max(right(path, {size})) AS step
                  FROM {pages} GROUP BY 1) last
            ON last.parent = left(m.path, -{size})
         ORDER BY m.path
        """
    )
    model = base_page()
    taken: dict[str, int] = {}
    free = {}
    for page, parent, last in cursor.fetchall():
        number = taken.get(parent) or model._str2int(last)
        taken[parent] = number = number + 1
        key = model._int2str(number)
        if len(key) > size:
            raise Refusal("unsupported", f"The page at {parent} has no room for another child.")
        free[page] = parent + model.alphabet[0] * (size - len(key)) + key
    cursor.execute(
        "UPDATE remodel_map m SET aside = w.path "
        "FROM unnest(%s::bigint[], %s::text[]) AS w (id, path) WHERE m.old = w.id",
        [list(free), list(free.values())],
    )


def depths(cursor: Cursor) -> list[int]:
    """Return depths at which the id map has new pages, the highest first."""
    cursor.execute(
        f"SELECT DISTINCT p.depth FROM {table()} p JOIN remodel_map m ON m.new = p.id ORDER BY 1"
    )
    return [row[0] for row in cursor.fetchall()]


def descendants(cursor: Cursor) -> int:
    """Count the pages below pages of the map, each once, without those of the map."""
    cursor.execute("SELECT DISTINCT length(path) FROM remodel_map")
    below = " OR ".join(
        f"length(p.path) > {length} AND left(p.path, {length}) IN "
        f"(SELECT path FROM remodel_map WHERE length(path) = {length})"
        for (length,) in cursor.fetchall()
    )
    cursor.execute(
        f"SELECT count(*) FROM {table()} p WHERE ({below}) "
        "AND NOT EXISTS (SELECT FROM remodel_map m WHERE p.id = m.old) "
        "AND NOT EXISTS (SELECT FROM remodel_map m WHERE p.id = m.new)"
    )
    return int(cursor.fetchone()[0])


def count_originals(cursor: Cursor, sign: int) -> None:
    """Add to each parent's numchild, or with `sign` -1 take from it, its originals of the map."""
    pages, size = table(), step()
    cursor.execute(
        f"""
        UPDATE {pages} parent SET numchild = parent.numchild + %s * c.number
          FROM (SELECT left(p.path, -{size}) AS path, count(*) AS number
                  FROM {pages} p JOIN remodel_map m ON m.old = p.id GROUP BY 1) c
         WHERE parent.path = c.path
        """,
        [sign],
    )


def respell(cursor: Cursor, slugs: dict[int, str]) -> int:
    """Give new pages of the map another slug, and url_paths that follow.

    Also to pages below them that somebody has given a URL with the present slug in it; the
    others have the one that they will have. Return how many url_paths changed. The highest
    first, so that each url_path is built on its parent's final one.
    """
    pages, size = table(), step()
    changed = 0
    for depth in depths(cursor):
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
               AND starts_with(p.url_path, n.url_path)
            """,
            [list(slugs), list(slugs.values()), depth, depth, depth],
        )
        changed += cursor.rowcount
    return changed
