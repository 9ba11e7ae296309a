"""What is said of a column or a table in the catalog and is no object: it goes silently as well.

Grants, comments, security labels and settings; the replica identity; and what PostgreSQL refuses
to drop, with or without CASCADE.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, LiteralString

import psycopg

from wizard.postgres.dependants.dependant import Dependant
from wizard.postgres.dependants.descriptions import COLUMN_PRIVILEGES, RELATION, privileges
from wizard.postgres.dependants.walk import Seed, Thing

# Of each column: `parts` (kind, definition, privileges, comment), only those that there are.
OF_COLUMN: LiteralString = f"""
    SELECT o.position, p.kind, coalesce(p.refusing, n.identity), p.definition, p.privileges,
           p.comment, p.refusing IS NOT NULL
    FROM unnest(%(oids)s::oid[], %(subs)s::int[]) WITH ORDINALITY o (oid, sub, position)
    JOIN pg_attribute a ON a.attrelid = o.oid AND a.attnum = o.sub
    JOIN pg_class c ON c.oid = o.oid JOIN pg_type t ON t.oid = a.atttypid
    CROSS JOIN LATERAL (SELECT {RELATION} || '.' || quote_ident(a.attname)) n (identity)
    CROSS JOIN LATERAL (
        SELECT 'column privileges', '', {COLUMN_PRIVILEGES}, '', NULL WHERE a.attacl IS NOT NULL
        UNION ALL
        SELECT 'column comment',
               format('COMMENT ON COLUMN %%s IS %%L', n.identity, col_description(o.oid, o.sub)),
               ARRAY[]::text[], col_description(o.oid, o.sub), NULL
        WHERE col_description(o.oid, o.sub) IS NOT NULL
        UNION ALL
        SELECT 'security label',
               format('SECURITY LABEL FOR %%I ON COLUMN %%s IS %%L', l.provider, n.identity,
                      l.label), ARRAY[]::text[], '', NULL
        FROM pg_seclabel l
        WHERE l.classoid = 'pg_class'::regclass AND l.objoid = o.oid AND l.objsubid = o.sub
        UNION ALL
        SELECT 'column settings', format('ALTER TABLE %%s', {RELATION}) || s.all_of_them,
               ARRAY[]::text[], '', NULL
        FROM (SELECT string_agg(format(' ALTER COLUMN %%I SET ', a.attname) || setting, ',') FROM (
            SELECT 'STATISTICS ' || a.attstattarget WHERE a.attstattarget >= 0
            UNION ALL
            SELECT 'STORAGE ' || CASE a.attstorage WHEN 'p' THEN 'PLAIN' WHEN 'e' THEN 'EXTERNAL'
                WHEN 'm' THEN 'MAIN' ELSE 'EXTENDED' END WHERE a.attstorage <> t.typstorage
            UNION ALL
            SELECT 'COMPRESSION ' || CASE a.attcompression WHEN 'l' THEN 'lz4' ELSE 'pglz' END
            WHERE a.attcompression <> ''
            UNION ALL
            SELECT '(' || array_to_string(a.attoptions, ', ') || ')' WHERE a.attoptions IS NOT NULL
        ) each_of_them (setting)) s (all_of_them) WHERE s.all_of_them IS NOT NULL
        UNION ALL
        SELECT 'partition key',
               'PARTITION BY ' || pg_get_partkeydef(o.oid), ARRAY[]::text[], '', n.identity
        WHERE EXISTS (SELECT FROM pg_depend d
                      WHERE d.classid = 'pg_class'::regclass AND d.objid = o.oid
                        AND d.objsubid = o.sub AND d.refclassid = d.classid
                        AND d.refobjid = d.objid AND d.refobjsubid = 0 AND d.deptype = 'i')
        UNION ALL
        SELECT 'parent table', '', ARRAY[]::text[], '',
               (pg_identify_object('pg_class'::regclass, i.inhparent, 0)).identity
        FROM pg_inherits i JOIN pg_attribute above ON above.attrelid = i.inhparent
        WHERE i.inhrelid = a.attrelid AND above.attname = a.attname AND NOT above.attisdropped
          AND a.attinhcount > 0 AND a.attrelid = %(table)s::oid
    ) p (kind, definition, privileges, comment, refusing)
    ORDER BY 1, 2, 4
"""
OF_TABLE: LiteralString = f"""
    SELECT 1, p.kind, coalesce(p.refusing, n.identity), p.definition, p.privileges, p.comment,
           p.refusing IS NOT NULL
    FROM pg_class c CROSS JOIN LATERAL (SELECT {RELATION}) n (identity)
    CROSS JOIN LATERAL (
        SELECT 'privileges', '',
               {privileges("c.relacl", "acldefault('r', c.relowner)")}, '', NULL
        WHERE c.relacl IS NOT NULL
        UNION ALL
        SELECT 'comment', format('COMMENT ON TABLE %%s IS %%L', n.identity,
                   obj_description(c.oid, 'pg_class')),
               ARRAY[]::text[], obj_description(c.oid, 'pg_class'), NULL
        WHERE obj_description(c.oid, 'pg_class') IS NOT NULL
        UNION ALL
        SELECT 'security label', format('SECURITY LABEL FOR %%I ON TABLE %%s IS %%L', l.provider,
                   n.identity, l.label), ARRAY[]::text[], '', NULL
        FROM pg_seclabel l
        WHERE l.classoid = 'pg_class'::regclass AND l.objoid = c.oid AND l.objsubid = 0
        UNION ALL
        SELECT 'extension', '', ARRAY[]::text[], '', e.extname::text
        FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
        WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.objsubid = 0
          AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
    ) p (kind, definition, privileges, comment, refusing)
    WHERE c.oid = %(table)s::oid
    ORDER BY 2, 4
"""
EVERY_COLUMN = """
    SELECT attnum::int FROM pg_attribute
    WHERE attrelid = %(table)s::oid AND attnum > 0 AND NOT attisdropped ORDER BY 1
"""
# UPDATE and DELETE of a published table fail without one.
REPLICA_IDENTITY: LiteralString = f"""
    SELECT i.indexrelid::bigint, {RELATION},
           format('ALTER TABLE %%s REPLICA IDENTITY USING INDEX %%I', {RELATION}, x.relname)
    FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_class x ON x.oid = i.indexrelid
    WHERE i.indexrelid = ANY(%(indexes)s::oid[]) AND i.indisreplident
      AND NOT i.indrelid = ANY(%(whole)s::oid[])
"""


async def of_columns(
    connection: psycopg.AsyncConnection[Any], table: int, seeds: Sequence[Seed]
) -> list[Dependant]:
    """Return what is said of these columns, of which those of `table` were asked for."""
    given = {
        "oids": [each.thing.oid for each in seeds],
        "subs": [each.thing.sub for each in seeds],
        "table": table,
    }
    rows = await (await connection.execute(OF_COLUMN, given)).fetchall()
    return [_part(row, seeds[row[0] - 1].label) for row in rows]


async def of_table(connection: psycopg.AsyncConnection[Any], seed: Seed) -> list[Dependant]:
    """Return what is said of a table that goes, and of its columns."""
    given = {"table": seed.thing.oid}
    rows = await (await connection.execute(OF_TABLE, given)).fetchall()
    numbers = await (await connection.execute(EVERY_COLUMN, given)).fetchall()
    columns = [Seed(Thing("pg_class", seed.thing.oid, number), "", "", "") for (number,) in numbers]
    of_them = await of_columns(connection, 0, columns)
    named = [replace(each, because=(seed.label,)) for each in of_them if not each.refuses]
    return [_part(row, seed.label) for row in rows] + named


async def replica_identities(
    connection: psycopg.AsyncConnection[Any], indexes: Sequence[int], whole: Sequence[int]
) -> list[tuple[int, str, str]]:
    """Return index, table and statement of each replica identity that goes with its index, where
    the table stays."""
    given = {"indexes": list(indexes), "whole": list(whole)}
    rows: list[tuple[int, str, str]] = await (
        await connection.execute(REPLICA_IDENTITY, given)
    ).fetchall()
    return rows


def _part(row: Sequence[Any], because: str) -> Dependant:
    _, kind, identity, definition, granted, comment, refuses = row
    return Dependant(
        kind, identity, definition, "", tuple(granted), comment, (because,), refuses=refuses
    )
