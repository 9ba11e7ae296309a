"""What a database holds, in a form that two databases can be compared by.

Equal over servers of different versions, given the settings pinned below: each of them changes
how some type is written as text.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from wizard.postgres import server
from wizard.postgres.address import Address

PINNED = {
    "TimeZone": "UTC",
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "iso_8601",
    "bytea_output": "hex",
    "extra_float_digits": "3",
    "search_path": "pg_catalog",
    "row_security": "off",  # an error rather than a part of the rows
}

TABLES = """
    SELECT c.oid::bigint, n.nspname, c.relname
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND c.relpersistence <> 't'
      AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    ORDER BY n.nspname, c.relname
"""
# NOT NULL is in the columns; as constraints of their own (PostgreSQL 18) they are left out.
DEFINITION = """
    SELECT 'column', a.attname::text,
           concat_ws(' ', format_type(a.atttypid, a.atttypmod), a.attnotnull::text,
                     a.attidentity::text, a.attgenerated::text, l.collname::text,
                     pg_get_expr(d.adbin, d.adrelid))
    FROM pg_attribute a
    LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    LEFT JOIN pg_collation l ON l.oid = a.attcollation
    WHERE a.attrelid = %(oid)s AND a.attnum > 0 AND NOT a.attisdropped
    UNION ALL
    SELECT 'constraint', conname::text, pg_get_constraintdef(oid)
    FROM pg_constraint WHERE conrelid = %(oid)s AND contype <> 'n'
    UNION ALL
    SELECT 'index', indexrelid::regclass::text, pg_get_indexdef(indexrelid)
    FROM pg_index WHERE indrelid = %(oid)s
    ORDER BY 1, 2, 3
"""
# The first 60 bits of a digest a row, summed: independent of the rows' order, one pass.
CONTENT = """
    SELECT count(*), coalesce(sum(('x' || left(md5(t::text), 15))::bit(60)::bigint), 0)
    FROM {} t
"""


@dataclass(frozen=True)
class TableFingerprint:
    """A table: how many rows, what is in them, how it is defined."""

    rows: int
    content: str
    definition: str


async def tables(address: Address, exclude: Collection[str] = ()) -> dict[str, TableFingerprint]:
    """The fingerprint of every table but those in `exclude`, as of one moment.

    Keys are table names, with the schema in front where it is not `public`. Reads every row;
    200,000 rows of 700 bytes take about a second.
    """
    async with server.session(address, autocommit=False) as connection:
        await _pin(connection)
        found = await (await connection.execute(TABLES)).fetchall()
        prints = {}
        for oid, schema, table in found:
            name = table if schema == "public" else f"{schema}.{table}"
            if name in exclude:
                continue
            query = sql.SQL(CONTENT).format(sql.Identifier(schema, table))
            rows, content = await (await connection.execute(query)).fetchone() or (0, 0)
            definition = await (await connection.execute(DEFINITION, {"oid": oid})).fetchall()
            digest = hashlib.sha256(repr(definition).encode()).hexdigest()
            prints[name] = TableFingerprint(rows, f"{int(content):x}", digest[:16])
        return prints


async def sequences(address: Address) -> dict[str, int | None]:
    """The last value of every sequence, by name as for `tables`; None for one never used."""
    async with server.session(address) as connection:
        cursor = await connection.execute(
            "SELECT schemaname, sequencename, last_value FROM pg_sequences ORDER BY 1, 2"
        )
        return {
            name if schema == "public" else f"{schema}.{name}": value
            for schema, name, value in await cursor.fetchall()
        }


def difference(
    before: Mapping[str, TableFingerprint], after: Mapping[str, TableFingerprint]
) -> list[str]:
    """What differs, a line for each table and kind of difference; empty when nothing does."""
    lines = []
    for name in sorted({*before, *after}):
        old, new = before.get(name), after.get(name)
        if old is None or new is None:
            gone = "is missing" if new is None else "is new"
            lines.append(f"{name}: the table {gone}")
            continue
        if old.rows != new.rows:
            lines.append(f"{name}: {old.rows:,} rows became {new.rows:,}")
        elif old.content != new.content:
            lines.append(f"{name}: the same number of rows ({old.rows:,}), but other values")
        if old.definition != new.definition:
            lines.append(f"{name}: other columns, constraints or indexes")
    return lines


async def _pin(connection: psycopg.AsyncConnection[Any]) -> None:
    await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
    for name, value in PINNED.items():
        await connection.execute("SELECT set_config(%s, %s, true)", [name, value])
