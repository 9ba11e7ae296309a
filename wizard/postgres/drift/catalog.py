"""The ordinary tables of a database as its catalog has them, and how each is defined."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

# The primary key where it is one integer, and whether there is Django's column for log-ins.
TABLES = """
    SELECT c.oid::bigint, n.nspname::text, c.relname::text,
           (SELECT a.attname::text FROM pg_index i
              JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]
             WHERE i.indrelid = c.oid AND i.indisprimary AND i.indnatts = 1
               AND a.atttypid IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype)),
           EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND NOT a.attisdropped
                   AND a.attname = 'last_login')
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND c.relpersistence <> 't'
      AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    ORDER BY n.nspname, c.relname
"""
# NOT NULL is in the columns; as constraints of their own (PostgreSQL 18) they are left out.
DEFINITIONS = """
    SELECT a.attrelid::bigint, 'column', a.attname::text,
           concat_ws(' ', format_type(a.atttypid, a.atttypmod), a.attnotnull::text,
                     a.attidentity::text, a.attgenerated::text, l.collname::text,
                     pg_get_expr(d.adbin, d.adrelid))
    FROM pg_attribute a
    LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    LEFT JOIN pg_collation l ON l.oid = a.attcollation
    WHERE a.attrelid = ANY(%(oids)s::oid[]) AND a.attnum > 0 AND NOT a.attisdropped
    UNION ALL
    SELECT conrelid::bigint, 'constraint', conname::text, pg_get_constraintdef(oid)
    FROM pg_constraint WHERE conrelid = ANY(%(oids)s::oid[]) AND contype <> 'n'
    UNION ALL
    SELECT indrelid::bigint, 'index', indexrelid::regclass::text, pg_get_indexdef(indexrelid)
    FROM pg_index WHERE indrelid = ANY(%(oids)s::oid[])
    ORDER BY 1, 2, 3, 4
"""
SEQUENCES = """
    SELECT CASE schemaname WHEN 'public' THEN '' ELSE schemaname || '.' END || sequencename,
           last_value
    FROM pg_sequences ORDER BY 1
"""


@dataclass(frozen=True)
class Relation:
    """A table of the catalog. `key` is its primary key where that is one integer, or empty."""

    oid: int
    schema: str
    table: str
    key: str
    logins: bool

    @property
    def name(self) -> str:
        """The table's name, with the schema in front where that is not `public`."""
        return self.table if self.schema == "public" else f"{self.schema}.{self.table}"

    @property
    def quoted(self) -> sql.Composable:
        """The table for a FROM: ONLY, without the tables that inherit from it."""
        return sql.SQL("ONLY {}").format(sql.Identifier(self.schema, self.table))


async def tables(connection: psycopg.AsyncConnection[Any]) -> list[Relation]:
    """Return every ordinary table that is not PostgreSQL's own."""
    rows = await (await connection.execute(TABLES)).fetchall()
    return [
        Relation(oid, schema, table, key or "", logins) for oid, schema, table, key, logins in rows
    ]


async def definitions(
    connection: psycopg.AsyncConnection[Any], relations: Sequence[Relation]
) -> dict[int, str]:
    """Return a digest of each table's columns, constraints and indexes, by OID.

    Names are written out with their schemas as `search_path` has it: it has to be pinned.
    """
    cursor = await connection.execute(
        DEFINITIONS, {"oids": [relation.oid for relation in relations]}
    )
    parts: dict[int, list[tuple[str, ...]]] = defaultdict(list)
    for oid, *part in await cursor.fetchall():
        parts[oid].append(tuple(part))
    return {
        relation.oid: hashlib.sha256(repr(parts[relation.oid]).encode()).hexdigest()[:16]
        for relation in relations
    }


async def sequences(connection: psycopg.AsyncConnection[Any]) -> dict[str, int | None]:
    """Return the last value of every sequence, named as tables are; None for one never used.

    Sequences are outside of transactions: these are the values of now."""
    return dict(await (await connection.execute(SEQUENCES)).fetchall())


async def together(
    connection: psycopg.AsyncConnection[Any], questions: Sequence[sql.Composable]
) -> list[tuple[Any, ...]]:
    """Return the rows of all queries, asked in one statement to save round trips."""
    if not questions:
        return []
    return await (await connection.execute(sql.SQL(" UNION ALL ").join(questions))).fetchall()
