"""Links that end where rich text becomes plain text: there they are markup, and lead nowhere."""

from __future__ import annotations

from typing import Any

from ..plan import relations
from ..plan.field_types import described
from ..plan.fieldmap import FieldMap
from ..plan.levels import key
from ..references.links import fields_with_links
from ..site.tree import quoted, table
from ..site.types import Cursor, Field
from .computed import per_page

LINK = "<(a|embed)[[:space:]]"  # also inside of a stream's JSON
NAMED = 10  # slugs of pages


def find(cursor: Cursor, field_map: FieldMap) -> list[dict[str, Any]]:
    """Return `{field, becomes, count, slugs}` of each rich field whose links are not carried on.

    That is rich text which a plain field takes, and, where a function of the project computes
    fields, dropped rich text and streams that hold more links than what was computed.
    """
    rich = {field for _, field in fields_with_links()}
    carried = [source.origin for source in field_map.field_sources if source.field in rich]
    ended: list[tuple[Field, str, str]] = [
        (source.origin, described(source.field), "0")
        for source in field_map.field_sources
        if source.origin in rich and source.origin not in carried and source.field not in rich
    ]
    computed = [
        (n, source) for n, source in enumerate(per_page(field_map)) if source.how == "computed"
    ]
    if computed:
        names = ", ".join(f"what {source.call} gives" for _, source in computed)
        values = " || ' ' || ".join(f"coalesce(c.c{n}::text, '')" for n, _ in computed)
        kept = f"(SELECT count(*) FROM regexp_matches({values}, '{LINK}', 'gi'))"
        ended += [(field, names, kept) for field in field_map.dropped if field in rich]
    return [found for one in ended for found in _pages(cursor, *one, bool(computed))]


def warnings(cursor: Cursor, field_map: FieldMap) -> list[dict[str, str]]:
    """Return the same as `{name, detail}`, for a plan."""
    return [
        {
            "name": f"links in {lost['field']}",
            "detail": f"{lost['count']:,} pages ({', '.join(lost['slugs'])}): they end as text in "
            f"{lost['becomes']}",
        }
        for lost in find(cursor, field_map)
    ]


def _pages(
    cursor: Cursor, field: Field, becomes: str, kept: str, computed: bool
) -> list[dict[str, Any]]:
    value = f"s.{quoted(field.column)}::text"
    cursor.execute(
        f"""
        SELECT p.slug FROM remodel_map m JOIN {table()} p ON p.id = m.old
          JOIN {quoted(field.model._meta.db_table)} s ON s.{key(field.model)} = m.old
          {"LEFT JOIN remodel_computed c ON c.old = m.old" if computed else ""}
         WHERE {value} ~* '{LINK}'
           AND (SELECT count(*) FROM regexp_matches({value}, '{LINK}', 'gi')) > {kept}
         ORDER BY p.path
        """
    )
    slugs = [row[0] for row in cursor.fetchall()]
    if not slugs:
        return []
    label = f"{field.model._meta.label}.{relations.name(field)}"
    return [{"field": label, "becomes": becomes, "count": len(slugs), "slugs": slugs[:NAMED]}]
