"""What has to do with the pages and is not followed: told before and after, never silently."""

from __future__ import annotations

from typing import Any

from . import indexes, links, references
from .fieldmap import FieldMap
from .tree import quoted


def found(cursor: Any, map: FieldMap, pages: list[int]) -> list[dict[str, Any]]:
    """`{name, count, why}` of each kind of thing that is left as it is; before the conversion."""
    told = [
        (name, count, "looks like a reference to a page; only the project knows whether it is one")
        for name, count in links.unfollowed(cursor, pages).items()
    ]
    told += [
        (name, count, f"a chooser that takes {map.source._meta.label} finds no other type")
        for name, count in _choosers(map, pages).items()
    ]
    told += [
        (f"search backend {name}", 1, "not in the database: run update_index")
        for name in indexes.foreign_backends()
    ]
    return [{"name": name, "count": count, "why": why} for name, count, why in told]


def _choosers(map: FieldMap, pages: list[int]) -> dict[str, int]:
    """Choices of the pages in blocks that only take a type which they will no longer have.

    Counted as all references that such blocks and rich text hold, less those of rich text.
    """
    counted: dict[str, int] = {}
    for levels, sign in ((set(map.left), 1), (set(), -1)):
        for model, field in links.fields_with_links() if map.left else []:
            name = f"{model._meta.db_table}.{field.column}"
            query = links.query_of(model._meta.db_table, "''", field, pages)
            same = {page: page for page in pages}
            number = sum(
                sum(holder.found.values())
                for rows in links.read(*query)
                for holder in links.holders(rows, field, levels, same)
            )
            counted[name] = counted.get(name, 0) + sign * number
    return {name: number for name, number in counted.items() if number}


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
