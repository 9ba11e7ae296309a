"""The unique rules that a page and its copy would both break, as the database itself has them."""

from __future__ import annotations

from ..plan.fieldmap import FieldMap
from ..plan.levels import PLACE, handed_over, key
from ..site.models import base_page
from ..site.tree import quoted
from ..site.types import Cursor, Model
from .computed import pages_named

# Unique indexes and exclusion constraints, whoever made them: Django's fields and Meta, or SQL.
RULES = """
    SELECT c.relname,
           ARRAY(SELECT pg_get_indexdef(i.indexrelid, n, true)
                   FROM generate_series(1, i.indnkeyatts) n),
           coalesce(pg_get_expr(i.indpred, i.indrelid), 'true'),
           coalesce((to_jsonb(i) ->> 'indnullsnotdistinct')::boolean, false),
           ARRAY(SELECT a.attname::text FROM pg_attribute a
                  WHERE a.attrelid = i.indrelid AND a.attnum > 0
                    AND (a.attnum = ANY (i.indkey::int2[]) OR EXISTS (
                        SELECT FROM pg_depend d
                         WHERE d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid
                           AND d.refclassid = 'pg_class'::regclass
                           AND d.refobjid = i.indrelid AND d.refobjsubid = a.attnum)))
      FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
     WHERE i.indrelid = %s::regclass AND (i.indisunique OR i.indisexclusion) AND i.indislive
     ORDER BY 1
"""


def faults(cursor: Cursor, field_map: FieldMap) -> list[str]:
    """Return a sentence for each unique rule that some page of the map and its copy break.

    The copy has what its original has, but for its key and the values that only one row may have;
    in wagtailcore_page, for its place and its type as well.
    """
    return [sentence for level in field_map.shared for sentence in _level_faults(cursor, level)]


def _level_faults(cursor: Cursor, level: Model) -> list[str]:
    table = quoted(level._meta.db_table)
    fields = [level._meta.pk, *handed_over(level)]
    if level is base_page():
        fields += [level._meta.get_field(name) for name in PLACE]
    differing = {field.column for field in fields}
    cursor.execute(RULES, [table])
    sentences = []
    for name, keys, predicate, nulls_equal, columns in cursor.fetchall():
        if differing & set(columns):
            continue
        terms = [f"({term}) IS NOT NULL" for term in keys] if not nulls_equal else []
        where = " AND ".join([f"({predicate})", *terms])
        cursor.execute(
            f"SELECT q.{key(level)} FROM (SELECT t.* FROM {table} t WHERE t.{key(level)} IN "
            f"(SELECT old FROM remodel_map)) q WHERE {where.replace('%', '%%')} ORDER BY 1",
            [],
        )
        pages = [row[0] for row in cursor.fetchall()]
        if pages:
            sentences.append(
                f"{level._meta.label}: {', '.join(keys)} must be unique ({name}), and a copy has "
                f"the same as its original on {pages_named(pages)}. Keep the ids "
                "(conversion.ids: kept in remodel.yml)."
            )
    return sentences
