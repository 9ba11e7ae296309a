"""What has to do with the pages and is not followed: told before and after, never silently."""

from __future__ import annotations

from typing import Any

from . import indexes, links, references
from .tree import quoted


def found(cursor: Any, map: Any, pages: list[int]) -> list[dict[str, Any]]:
    """`{name, count, why}` of each kind of thing that is left as it is."""
    told = [
        (name, count, "looks like a reference to a page; only the project knows whether it is one")
        for name, count in links.unfollowed(cursor, pages).items()
    ]
    told += [
        (f"search backend {name}", 1, "not in the database: run update_index")
        for name in indexes.foreign_backends()
    ]
    return [{"name": name, "count": count, "why": why} for name, count, why in told]


def deeper(cursor: Any, source: Any) -> list[str]:
    """Faults: pages that say they are of the source's type and have a row of a deeper one."""
    faults = []
    for link in references.subclass_links(source):
        cursor.execute(
            f"SELECT t.{quoted(link.column)} FROM {quoted(link.table)} t "
            f"JOIN remodel_map m ON m.old = t.{quoted(link.column)} ORDER BY 1"
        )
        ids = [row[0] for row in cursor.fetchall()]
        if ids:
            faults.append(
                f"{len(ids)} pages have a row in {link.table} besides, which belongs to a page of "
                f"another type: {ids[:20]}. Their content type is wrong, or that row is."
            )
    return faults
