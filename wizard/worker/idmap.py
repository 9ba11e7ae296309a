"""The id map of a conversion: old page to new, as a temporary table of the transaction.

Every statement that follows the map joins `remodel_map`, whether it has one page
or thousands. Where ids are kept, the map is the identity. `path` is the place in the tree that
the old page has and the new one takes, `aside` the one that the old page is left at, and
`children` how many pages are right below it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import tree
from .protocol import Refusal


def from_json(given: dict[str, int]) -> dict[int, int]:
    """A map as it comes over the wire, whose keys are strings. Raises Refusal when empty."""
    if not given:
        raise Refusal("no_page", "No page is named to be converted.")
    return {int(old): int(new) for old, new in given.items()}


def load(cursor: Any, pages: Mapping[int, int | None]) -> None:
    """Make the temporary table; it goes with the transaction. A plan may have no new ids yet."""
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


def fresh_ids(cursor: Any, table: str, count: int) -> list[int]:
    """Ids for new rows, from the table's own sequence."""
    cursor.execute(
        "SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s)",
        [tree.quoted(table), count],
    )
    return [row[0] for row in cursor.fetchall()]
