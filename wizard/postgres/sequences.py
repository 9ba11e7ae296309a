"""Sequences that are behind their data: what comes next is, or will be, in a column already.

So after rows came with their ids, or after a `setval`. Of several columns that draw from one
sequence each counts; of its own step, only the values that it will come to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from wizard.postgres import server
from wizard.postgres.address import Address

# The columns that a sequence belongs to (serial, identity, OWNED BY) and those whose default draws
# from it. Only unique ones: in others a value may be there twice. A partition's are its table's.
USED = """
    WITH used AS (
        SELECT d.objid AS sequence, d.refobjid AS relation, d.refobjsubid AS number
        FROM pg_depend d
        WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass
          AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0
        UNION
        SELECT d.refobjid, f.adrelid, f.adnum
        FROM pg_depend d JOIN pg_attrdef f ON f.oid = d.objid
        WHERE d.classid = 'pg_attrdef'::regclass AND d.refclassid = 'pg_class'::regclass
    )
    SELECT format('%I.%I', sn.nspname, sc.relname) AS sequence,
           s.seqincrement AS step, s.seqmin AS lowest, s.seqmax AS highest,
           tn.nspname AS schema, tc.relname AS table, a.attname AS column,
           coalesce(nullif(t.typbasetype, 0), t.oid) IN
               ('int2'::regtype, 'int4'::regtype, 'int8'::regtype, 'numeric'::regtype)
           AND coalesce(pg_get_expr(f.adbin, f.adrelid) NOT LIKE '%nextval(%'
               OR pg_get_expr(f.adbin, f.adrelid) ~
                   '^\\(?nextval\\(''.*''::regclass\\)\\)?(::(smallint|integer|bigint|numeric))?$',
               true)
           AS plain,
           has_sequence_privilege(sc.oid, 'SELECT')
           AND has_schema_privilege(sn.oid, 'USAGE') AND has_schema_privilege(tn.oid, 'USAGE')
           AND has_column_privilege(tc.oid, a.attnum, 'SELECT') AS readable
    FROM used u
    JOIN pg_sequence s ON s.seqrelid = u.sequence
    JOIN pg_class sc ON sc.oid = s.seqrelid JOIN pg_namespace sn ON sn.oid = sc.relnamespace
    JOIN pg_class tc ON tc.oid = u.relation JOIN pg_namespace tn ON tn.oid = tc.relnamespace
    JOIN pg_attribute a ON a.attrelid = tc.oid AND a.attnum = u.number
    JOIN pg_type t ON t.oid = a.atttypid
    LEFT JOIN pg_attrdef f ON f.adrelid = tc.oid AND f.adnum = a.attnum
    WHERE tc.relkind IN ('r', 'p') AND NOT tc.relispartition AND tc.relpersistence <> 't'
      AND sn.nspname !~ '^pg_' AND tn.nspname !~ '^pg_'
      AND EXISTS (SELECT FROM pg_index i WHERE i.indrelid = tc.oid AND i.indisunique
                     AND a.attnum = ANY (i.indkey))
      AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_class'::regclass
                         AND e.objid = sc.oid AND e.deptype = 'e')
    ORDER BY 1, 5, 6, 7
"""


@dataclass(frozen=True)
class _Use:
    """A column that draws from a sequence. `plain` is one that gets just what is drawn."""

    sequence: str  # quoted, with its schema
    step: int
    lowest: int
    highest: int
    schema: str
    table: str
    column: str
    plain: bool
    readable: bool

    def __str__(self) -> str:
        schema = "" if self.schema == "public" else f"{self.schema}."
        return f"{schema}{self.table}.{self.column}"


@dataclass(frozen=True)
class Behind:
    """A sequence whose `next` value comes before `farthest`, which `column` has already.

    `last` and `called` are its state, as setval() takes it. `reason` is why it cannot be set past
    the data; empty where it can.
    """

    sequence: str
    column: str
    step: int
    next: int
    farthest: int
    last: int
    called: bool
    reason: str = ""

    def is_past(self, last: int, called: bool) -> bool:
        """Whether the sequence is past the data in another state of it."""
        coming = _next(last, called, self.step)
        return coming > self.farthest if self.step > 0 else coming < self.farthest

    def __str__(self) -> str:
        way = "greatest" if self.step > 0 else "least"
        return f"the next value is {self.next}, the {way} there is {self.farthest}"


@dataclass(frozen=True)
class Found:
    """What was found: sequences behind their data, and why a column cannot be compared."""

    behind: tuple[Behind, ...]
    unknown: Mapping[str, str]


async def find(address: Address) -> Found:
    """Look at every sequence of a database that a unique column draws from."""
    async with server.session(address) as connection:
        async with connection.cursor(row_factory=class_row(_Use)) as cursor:
            await cursor.execute(USED)
            uses = await cursor.fetchall()
        comparable = [use for use in uses if use.plain and use.readable]
        unknown = {
            str(use): f"our role may not read {use.sequence}"
            if use.plain
            else f"its values are not those of {use.sequence}"
            for use in uses
            if use not in comparable
        }
        behind = await _behind(connection, comparable)
        if behind:
            # Rows may have come between the two readings, of which the sequences are the first.
            now = await _states(connection, [one.sequence for one in behind])
            behind = [one for one in behind if not one.is_past(*now[one.sequence])]
        return Found(tuple(behind), unknown)


async def set_past(address: Address, behind: Sequence[Behind]) -> None:
    """Have each sequence go on after the data. Of no transaction, as all that sequences do."""
    await _set(address, {one.sequence: (one.farthest, True) for one in behind})


async def set_back(address: Address, behind: Sequence[Behind]) -> None:
    """Have each sequence where it was; one that is gone stays so."""
    await _set(address, {one.sequence: (one.last, one.called) for one in behind})


async def _set(address: Address, states: Mapping[str, tuple[int, bool]]) -> None:
    async with server.session(address) as connection:
        for name, state in states.items():
            await connection.execute(
                "SELECT setval(to_regclass(%s), %s::bigint, %s)", [name, *state]
            )


async def _behind(connection: psycopg.AsyncConnection[Any], uses: Sequence[_Use]) -> list[Behind]:
    """Return the sequences behind the data of these columns."""
    states = await _states(connection, list({use.sequence: None for use in uses}))
    asked = [(use, _next(*states[use.sequence], use.step)) for use in uses]
    asked = [(use, coming) for use, coming in asked if use.lowest <= coming <= use.highest]
    if not asked:
        return []
    query = sql.SQL(" UNION ALL ").join(
        _farthest(number, use, coming) for number, (use, coming) in enumerate(asked)
    )
    rows = await (await connection.execute(query)).fetchall()
    worst: dict[str, Behind] = {}
    for number, farthest in rows:
        if farthest is None:
            continue
        use, coming = asked[number]
        one = Behind(
            use.sequence,
            str(use),
            use.step,
            coming,
            int(farthest),
            *states[use.sequence],
            _full(use, int(farthest)),
        )
        other = worst.get(use.sequence)
        if other is None or abs(one.farthest - coming) > abs(other.farthest - coming):
            worst[use.sequence] = one
    return list(worst.values())


def _farthest(number: int, use: _Use, coming: int) -> sql.Composed:
    """Return a query for the last value of a column that its sequence will come to."""
    up = use.step > 0
    column, last = sql.Identifier(use.column), use.highest if up else use.lowest
    low, high = sorted((coming, last))
    query = sql.SQL("SELECT {}, {}({})::numeric FROM {} WHERE {} BETWEEN {} AND {}").format(
        sql.Literal(number),
        sql.SQL("max" if up else "min"),
        column,
        sql.Identifier(use.schema, use.table),
        column,
        sql.Literal(low),
        sql.Literal(high),
    )
    if abs(use.step) > 1:
        query += sql.SQL(" AND ({}::numeric - {}) % {} = 0").format(
            column, sql.Literal(coming), sql.Literal(use.step)
        )
    return query


def _full(use: _Use, farthest: int) -> str:
    """Say why a sequence cannot go on after a value; '' where it can."""
    if use.lowest <= farthest + use.step <= use.highest:
        return ""
    return f"nothing comes after {farthest} in {use.sequence}"


async def _states(
    connection: psycopg.AsyncConnection[Any], names: Sequence[str]
) -> dict[str, tuple[int, bool]]:
    """Return each sequence's last value, and whether it was handed out."""
    if not names:
        return {}
    query = " UNION ALL ".join(  # the names are quoted by the server
        f"SELECT {number}, last_value, is_called FROM {name}" for number, name in enumerate(names)
    )
    rows = await (await connection.execute(query.encode())).fetchall()
    return {names[number]: (last, called) for number, last, called in rows}


def _next(last: int, called: bool, step: int) -> int:
    return last + step if called else last
