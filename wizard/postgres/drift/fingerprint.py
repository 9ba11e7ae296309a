"""What a database holds, in a form that two databases can be compared by.

Equal over servers of different versions, given the settings pinned below: each of them changes
how some type is written as text.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from wizard.postgres import server
from wizard.postgres.address import Address
from wizard.postgres.drift import catalog

PINNED = {
    "TimeZone": "UTC",
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "iso_8601",
    "bytea_output": "hex",
    "extra_float_digits": "3",
    "search_path": "pg_catalog",
    "row_security": "off",  # an error rather than a part of the rows
    "statement_timeout": "0",  # a pooler refuses them for a whole session
    "lock_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
}
PINNING = sql.SQL("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY; SELECT {}").format(
    sql.SQL(", ").join(
        sql.SQL("set_config({}, {}, true)").format(sql.Literal(name), sql.Literal(value))
        for name, value in PINNED.items()
    )
)
"""The first statements of a transaction."""


def digest(text: sql.Composable) -> sql.Composable:
    """Return an expression for a SELECT: the sum of the first 60 bits of each row's digest.

    Reads the rows once, in any order.
    """
    return sql.SQL("coalesce(sum(('x' || left(md5({}), 15))::bit(60)::bigint), 0)::text").format(
        text
    )


CONTENT = digest(sql.SQL("t::text"))
"""Of all that is in the rows of a table `t`."""


@dataclass(frozen=True)
class TableFingerprint:
    """A table: how many rows, what is in them, how it is defined."""

    rows: int
    content: str
    definition: str


async def tables(address: Address, exclude: Collection[str] = ()) -> dict[str, TableFingerprint]:
    """Return the fingerprint of every table but those in `exclude`, as of one moment.

    Keys are table names, with the schema in front where it is not `public`. Reads every row;
    200,000 rows of 700 bytes take about a second.
    """
    async with server.session(address, autocommit=False) as connection:
        await pin(connection)
        relations = [
            relation
            for relation in await catalog.tables(connection)
            if relation.name not in exclude
        ]
        definitions = await catalog.definitions(connection, relations)
        prints = {}
        for relation in relations:
            query = sql.SQL("SELECT count(*), {} FROM {} t").format(CONTENT, relation.quoted)
            rows, content = await (await connection.execute(query)).fetchone() or (0, "0")
            prints[relation.name] = TableFingerprint(
                rows, f"{int(content):x}", definitions[relation.oid]
            )
        return prints


async def sequences(address: Address) -> dict[str, int | None]:
    """Return the last value of every sequence, by name as for `tables`; None for one never used."""
    async with server.session(address) as connection:
        return await catalog.sequences(connection)


def difference(
    before: Mapping[str, TableFingerprint], after: Mapping[str, TableFingerprint]
) -> list[str]:
    """Return what differs, a line for each table and kind of difference; empty when equal."""
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


async def pin(connection: psycopg.AsyncConnection[Any]) -> None:
    """Set the transaction to see one moment, and to write values as text in the same way on every
    server."""
    await connection.execute(PINNING)
