"""What a database held at one moment, so that whatever was written later can be told by row.

A row version bears the transaction that wrote it (`xmin`). The baseline keeps PostgreSQL's own
snapshot of that moment: from which transaction on anything may have been invisible, and which of
the later ones were seen to have been committed. Row locks, VACUUM and ADD COLUMN leave `xmin`
alone; every INSERT and UPDATE sets it. Nothing but SELECT is needed.

The snapshot's list of running transactions is not enough, and pg_visible_in_snapshot() with it:
neither knows subtransactions, and every nested `atomic` of Django's is one
(https://www.postgresql.org/docs/current/functions-info.html). So the transactions after the
oldest running one that had rows to be seen are listed in the baseline themselves.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg import sql

from wizard.errors import ConnectionFailed, OperationFailed
from wizard.postgres.address import Address, connect
from wizard.postgres.fingerprint import PINNED

RUNS = 5_000
"""How many runs of consecutive keys are remembered of a table; one with more has none."""
SPAN = 2**31 - 1
"""Transactions after which `age(xmin)` no longer tells new from old: PostgreSQL's horizon."""

Runs = tuple[tuple[int, int], ...]

# The primary key where it is one integer, and whether there is Django's column for log-ins.
RELATIONS = """
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
# As wizard.postgres.fingerprint.DEFINITION has it, for all tables in one question.
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
# Whose transaction ids are 64 bits wide, what age() counts from is the low half of `next`.
MOMENT = """
    SELECT txid_current_snapshot()::text,
           txid_snapshot_xmax(txid_current_snapshot()), age('3'::xid)::bigint + 3,
           (pg_control_system()).system_identifier::text, oid::bigint, datname::text
    FROM pg_database WHERE datname = current_database()
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
        """With the schema in front where it is not `public`."""
        return self.table if self.schema == "public" else f"{self.schema}.{self.table}"

    @property
    def quoted(self) -> sql.Composable:
        """The table without what inherits from it, for a FROM."""
        return sql.SQL("ONLY {}").format(sql.Identifier(self.schema, self.table))


@dataclass(frozen=True)
class Moment:
    """A transaction's own view. `next` is the 64-bit id that `age()` counts back from."""

    snapshot: str
    next: int
    system_identifier: str
    oid: int
    database: str


@dataclass(frozen=True)
class Table:
    """What is kept of a table.

    `runs` are the primary keys, as first and last of each run of consecutive ones; None where
    the key is no single integer or the runs are too many. `content` is a digest of all rows
    where there is no snapshot; `but_logins` one of all but their last_login, where they have it.
    """

    rows: int
    definition: str
    runs: Runs | None = None
    content: str = ""
    but_logins: str = ""


@dataclass(frozen=True)
class Baseline:
    """A database at one moment.

    `snapshot` is pg_current_snapshot() as text; without one there are the tables' contents to
    compare, which hold over servers, where a snapshot is of one database alone: that of
    `system_identifier` and `oid`. `seen` are the transactions from the oldest running one on
    that had rows to be seen.
    """

    at: str
    database: str
    system_identifier: str
    oid: int
    snapshot: str
    seen: tuple[int, ...]
    tables: Mapping[str, Table]
    sequences: Mapping[str, int | None]

    @property
    def horizon(self) -> int:
        """Rows of transactions before this one were all there."""
        return int(self.snapshot.partition(":")[0])

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready; `from_dict` reads it back."""
        return {
            **{name: getattr(self, name) for name in _PLAIN},
            "seen": list(self.seen),
            "tables": {
                name: [
                    table.rows,
                    table.definition,
                    None if table.runs is None else [list(run) for run in table.runs],
                    table.content,
                    table.but_logins,
                ]
                for name, table in self.tables.items()
            },
            "sequences": dict(self.sequences),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Baseline:
        """The baseline as it stands in the journal."""
        tables = {
            name: Table(
                rows,
                definition,
                None if runs is None else tuple((first, last) for first, last in runs),
                content,
                but_logins,
            )
            for name, (rows, definition, runs, content, but_logins) in data["tables"].items()
        }
        return cls(
            **{name: data[name] for name in _PLAIN},
            seen=tuple(data["seen"]),
            tables=tables,
            sequences=data["sequences"],
        )


_PLAIN = ("at", "database", "system_identifier", "oid", "snapshot")


class Held:
    """A session that holds one moment of a database open for pg_dump.

    `snapshot` is for its `--snapshot`; empty where the server, or a pooler before it, exports
    none. Then the dump is of a later moment: what was written in between is in it, and is told as
    drift all the same.
    """

    def __init__(self, snapshot: str, baseline: Baseline) -> None:
        self.snapshot = snapshot
        self.baseline = baseline

    def as_dict(self) -> dict[str, Any]:
        """The baseline, JSON-ready."""
        return self.baseline.as_dict()


@asynccontextmanager
async def held(address: Address) -> AsyncIterator[Held]:
    """Hold a REPEATABLE READ READ ONLY session on a database, its baseline read.

    Raises ConnectionFailed, or OperationFailed when a table may not be read. A session that is
    lost later on takes nothing away from a dump that has begun: pg_dump holds the moment too.
    """
    connection = await connect(address, autocommit=False)
    try:
        try:
            exported = await _exported(connection)
            baseline = await read(connection)
        except psycopg.Error as error:
            if connection.closed:
                raise ConnectionFailed(
                    f"The connection to {address} was lost while its rows were counted.",
                    found=str(error),
                    hint="Check the server and the network, then run again.",
                ) from None
            raise OperationFailed(
                f"What {address} holds could not be read for a baseline.",
                found=str(error),
                hint="The role needs SELECT on every table, as pg_dump does.",
            ) from None
        yield Held(exported, baseline)
    finally:
        with suppress(psycopg.Error):
            await connection.close()


async def _exported(connection: psycopg.AsyncConnection[Any]) -> str:
    """The name of the snapshot of a transaction that is begun here; empty where that is refused.

    PostgreSQL exports none from a subtransaction, so no savepoint can be around it.
    """
    await pin(connection)
    try:
        row = await (await connection.execute("SELECT pg_export_snapshot()")).fetchone()
    except psycopg.Error:
        if connection.closed:
            raise
        await connection.rollback()
        await pin(connection)
        return ""
    return str(row[0]) if row else ""


async def pin(connection: psycopg.AsyncConnection[Any]) -> None:
    """Begin a transaction that sees one moment and writes values as any other server does."""
    await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
    settings = sql.SQL(", ").join(
        sql.SQL("set_config({}, {}, true)").format(sql.Literal(name), sql.Literal(value))
        for name, value in PINNED.items()
    )
    await connection.execute(sql.SQL("SELECT {}").format(settings))


async def read(connection: psycopg.AsyncConnection[Any], *, content: bool = False) -> Baseline:
    """The baseline of the moment that the open transaction sees; see `pin`.

    With `content`, digests of every row instead of the snapshot: for a copy, whose original may
    be on another server. Reads every row of every table once.
    """
    now = await moment(connection)
    relations = await relations_of(connection)
    definitions = await definitions_of(connection, relations)
    horizon = now.next if content else int(now.snapshot.partition(":")[0])
    span = now.next - horizon
    counts = await _all(
        connection, [_count(number, each, span, content) for number, each in enumerate(relations)]
    )
    seen: set[int] = set()
    unclear = [relations[number] for number, _, late, *_ in counts if late]
    if unclear:
        rows = await _all(connection, [_late(each, now.next, span) for each in unclear])
        seen = {xid for (xid,) in rows}
    gaps = [
        relations[number]
        for number, rows, _, first, last, *_ in counts
        if first is not None and last - first + 1 != rows
    ]
    scattered = await runs_of(connection, gaps)
    tables = {}
    for number, rows, _, first, last, digest, logins in counts:
        each = relations[number]
        runs: Runs | None = None
        if each.key:
            runs = scattered[each.name] if each in gaps else ((first, last),) if rows else ()
        tables[each.name] = Table(rows, definitions[each.oid], runs, digest, logins)
    return Baseline(
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        database=now.database,
        system_identifier=now.system_identifier,
        oid=now.oid,
        snapshot="" if content else now.snapshot,
        seen=tuple(sorted(seen)),
        tables=tables,
        sequences=await sequences_of(connection),
    )


async def moment(connection: psycopg.AsyncConnection[Any]) -> Moment:
    """What the open transaction sees, and from where `age()` counts in it.

    age() is of 32 bits and its zero point is fixed at its first call in a transaction
    (src/backend/access/transam/varsup.c, xact.c: GetStableLatestTransactionId).
    """
    cursor = await connection.execute(MOMENT)
    ((snapshot, upper, low, system, oid, database),) = await cursor.fetchall()
    return Moment(snapshot, upper + (low - upper) % 2**32, system, oid, database)


async def relations_of(connection: psycopg.AsyncConnection[Any]) -> list[Relation]:
    """Every ordinary table that is not PostgreSQL's own."""
    rows = await (await connection.execute(RELATIONS)).fetchall()
    return [
        Relation(oid, schema, table, key or "", logins) for oid, schema, table, key, logins in rows
    ]


async def definitions_of(
    connection: psycopg.AsyncConnection[Any], relations: Sequence[Relation]
) -> dict[int, str]:
    """A digest of each table's columns, constraints and indexes, by OID."""
    cursor = await connection.execute(DEFINITIONS, {"oids": [each.oid for each in relations]})
    parts: dict[int, list[tuple[str, ...]]] = defaultdict(list)
    for oid, *part in await cursor.fetchall():
        parts[oid].append(tuple(part))
    return {
        each.oid: hashlib.sha256(repr(parts[each.oid]).encode()).hexdigest()[:16]
        for each in relations
    }


async def sequences_of(connection: psycopg.AsyncConnection[Any]) -> dict[str, int | None]:
    """The last value of every sequence; None for one never used. They know no snapshot."""
    return dict(await (await connection.execute(SEQUENCES)).fetchall())


async def runs_of(
    connection: psycopg.AsyncConnection[Any], relations: Sequence[Relation]
) -> dict[str, Runs | None]:
    """The keys of these tables, which have one, as runs; None where there are more than `RUNS`."""
    question = sql.SQL(
        "(SELECT {number}::int, min(k), max(k) FROM (SELECT {key}::bigint AS k, "
        "{key} - row_number() OVER (ORDER BY {key}) AS run FROM {table}) keys "
        "GROUP BY run ORDER BY 2 LIMIT {limit})"
    )
    rows = await _all(
        connection,
        [
            question.format(
                number=sql.Literal(number),
                key=sql.Identifier(each.key),
                table=each.quoted,
                limit=sql.Literal(RUNS + 1),
            )
            for number, each in enumerate(relations)
        ],
    )
    found: dict[str, list[tuple[int, int]]] = {each.name: [] for each in relations}
    for number, first, last in rows:
        found[relations[number].name].append((first, last))
    return {name: tuple(runs) if len(runs) <= RUNS else None for name, runs in found.items()}


def content_of(relation: Relation) -> sql.Composable:
    """The first 60 bits of a digest a row, summed: equal over servers, whatever the order."""
    return sql.SQL("coalesce(sum(('x' || left(md5(t::text), 15))::bit(60)::bigint), 0)::text")


def but_logins_of(relation: Relation) -> sql.Composable:
    """The same of all rows without last_login; empty for a table that has no such column."""
    if not relation.logins:
        return sql.SQL("''")
    return sql.SQL(
        "coalesce(sum(('x' || left(md5((to_jsonb(t) - 'last_login')::text), 15))"
        "::bit(60)::bigint), 0)::text"
    )


def _count(number: int, relation: Relation, span: int, content: bool) -> sql.Composable:
    """The question for a table's rows, those of transactions after the horizon, its keys' ends."""
    key = sql.Identifier(relation.key) if relation.key else sql.SQL("NULL::bigint")
    recent: sql.Composable = sql.SQL("0::bigint")
    if span:
        recent = sql.SQL("count(*) FILTER (WHERE {})").format(late(span))
    return sql.SQL(
        "SELECT {}::int, count(*), {}, min({key})::bigint, max({key})::bigint, {}, {} FROM {} t"
    ).format(
        sql.Literal(number),
        recent,
        content_of(relation) if content else sql.SQL("''"),
        but_logins_of(relation),
        relation.quoted,
        key=key,
    )


def late(span: int) -> sql.Composable:
    """The condition on a row `t`: of one of the last `span` transactions.

    What is older than age() can tell is frozen, and has an age below 1.
    """
    return sql.SQL("(age(t.xmin) <= {} AND age(t.xmin) > 0)").format(sql.Literal(span))


def _late(relation: Relation, next_: int, span: int) -> sql.Composable:
    return sql.SQL("SELECT DISTINCT {} - age(t.xmin) FROM {} t WHERE {}").format(
        sql.Literal(next_), relation.quoted, late(span)
    )


async def _all(
    connection: psycopg.AsyncConnection[Any], questions: Sequence[sql.Composable]
) -> list[tuple[Any, ...]]:
    """The answers of all questions in one: a far database is a round trip away."""
    if not questions:
        return []
    return await (await connection.execute(sql.SQL(" UNION ALL ").join(questions))).fetchall()


@asynccontextmanager
async def looking(connection: psycopg.AsyncConnection[Any]) -> AsyncIterator[None]:
    """A transaction of its own that sees one moment, over a session with autocommit."""
    async with connection.transaction():
        await pin(connection)
        yield


def missing(keys: Sequence[int], runs: Runs) -> list[int]:
    """Those of `keys`, in order, that are in none of the runs."""
    found, position = [], 0
    for key in keys:
        while position < len(runs) and runs[position][1] < key:
            position += 1
        if position == len(runs) or key < runs[position][0]:
            found.append(key)
    return found


async def of_copy(address: Address) -> dict[str, Any]:
    """The baseline of an untouched copy, JSON-ready: contents to hold the original against."""
    connection = await connect(address, autocommit=False)
    async with connection:
        await pin(connection)
        return (await read(connection, content=True)).as_dict()
