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

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg import sql

from wizard.base.errors import ConnectionFailed, OperationFailed
from wizard.postgres import server
from wizard.postgres.address import Address, connect
from wizard.postgres.drift import catalog, fingerprint
from wizard.postgres.drift.catalog import Relation
from wizard.postgres.drift.fingerprint import PINNING, pin
from wizard.postgres.drift.keys import Runs, runs_of

SPAN = 2**31 - 1
"""Transactions after which `age(xmin)` no longer tells new from old: PostgreSQL's horizon."""

# Whose transaction ids are 64 bits wide, what age() counts from is the low half of `next`.
MOMENT = """
    SELECT txid_current_snapshot()::text,
           txid_snapshot_xmax(txid_current_snapshot()), age('3'::xid)::bigint + 3,
           (pg_control_system()).system_identifier::text, oid::bigint, datname::text
    FROM pg_database WHERE datname = current_database()
"""


@dataclass(frozen=True)
class Moment:
    """What a transaction sees. `next` is the 64-bit id that `age()` counts back from."""

    snapshot: str
    next: int
    system_identifier: str
    oid: int
    database: str


@dataclass(frozen=True)
class Table:
    """What is kept of a table.

    `runs` are the primary keys; None where the key is no single integer or the runs are too many.
    `content` is a digest of all rows where there is no snapshot; `but_logins` one of all but their
    last_login, where they have it.
    """

    rows: int
    definition: str
    runs: Runs | None = None
    content: str = ""
    but_logins: str = ""


@dataclass(frozen=True)
class DriftBaseline:
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
        """Return it JSON-ready; `from_dict` reads it back."""
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
    def from_dict(cls, data: Mapping[str, Any]) -> DriftBaseline:
        """Return the baseline as it stands in the journal."""
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


class HeldBaseline:
    """A session that holds one moment of a database open for pg_dump.

    `snapshot` is for pg_dump's `--snapshot`; empty where the server, or a pooler before it,
    exports none. Then the dump is of a later moment, and what was written in between is
    reported as drift although the dump has it.
    """

    def __init__(self, snapshot: str, baseline: DriftBaseline) -> None:
        self.snapshot = snapshot
        self.baseline = baseline

    def as_dict(self) -> dict[str, Any]:
        """Return the baseline, JSON-ready."""
        return self.baseline.as_dict()


@asynccontextmanager
async def held(address: Address) -> AsyncIterator[HeldBaseline]:
    """Hold a session on a database at one moment (REPEATABLE READ READ ONLY), and read its
    baseline.

    Raise ConnectionFailed, or OperationFailed when a table may not be read. A session that is
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
        yield HeldBaseline(exported, baseline)
    finally:
        with suppress(psycopg.Error):
            await connection.close()


async def _exported(connection: psycopg.AsyncConnection[Any]) -> str:
    """Pin the transaction and export its snapshot; return the snapshot's name, empty where the
    server refuses.

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


async def read(connection: psycopg.AsyncConnection[Any], *, content: bool = False) -> DriftBaseline:
    """Return the baseline of the moment that the open transaction sees; see `pin`.

    With `content`, digests of every row instead of the snapshot: for a copy, whose original may
    be on another server. Reads every row of every table once.
    """
    now = await moment(connection)
    relations = await catalog.tables(connection)
    definitions = await catalog.definitions(connection, relations)
    horizon = now.next if content else int(now.snapshot.partition(":")[0])
    span = now.next - horizon
    counts = await catalog.together(
        connection,
        [_count(number, relation, span, content) for number, relation in enumerate(relations)],
    )
    seen: set[int] = set()
    unclear = [relations[number] for number, _, late, *_ in counts if late]
    if unclear:
        rows = await catalog.together(
            connection, [_late(relation, now.next, span) for relation in unclear]
        )
        seen = {xid for (xid,) in rows}
    gaps = [
        relations[number]
        for number, rows, _, first, last, *_ in counts
        if first is not None and last - first + 1 != rows
    ]
    scattered = await runs_of(connection, gaps)
    tables = {}
    for number, rows, _, first, last, digest, logins in counts:
        relation = relations[number]
        runs: Runs | None = None
        if relation.key:
            runs = (
                scattered[relation.name] if relation in gaps else ((first, last),) if rows else ()
            )
        tables[relation.name] = Table(rows, definitions[relation.oid], runs, digest, logins)
    return DriftBaseline(
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        database=now.database,
        system_identifier=now.system_identifier,
        oid=now.oid,
        snapshot="" if content else now.snapshot,
        seen=tuple(sorted(seen)),
        tables=tables,
        sequences=await catalog.sequences(connection),
    )


async def moment(connection: psycopg.AsyncConnection[Any]) -> Moment:
    """Return what the open transaction sees, and from where `age()` counts in it.

    age() is of 32 bits and its zero point is fixed at its first call in a transaction
    (src/backend/access/transam/varsup.c, xact.c: GetStableLatestTransactionId).
    """
    cursor = await connection.execute(MOMENT)
    ((snapshot, upper, low, system, oid, database),) = await cursor.fetchall()
    return Moment(snapshot, upper + (low - upper) % 2**32, system, oid, database)


def but_logins_of(relation: Relation) -> sql.Composable:
    """Return a digest of all rows without last_login; empty for a table that has no such column."""
    if not relation.logins:
        return sql.SQL("''")
    return fingerprint.digest(sql.SQL("(to_jsonb(t) - 'last_login')::text"))


def _count(number: int, relation: Relation, span: int, content: bool) -> sql.Composable:
    """Build the query for a table's rows, those after the horizon, and its keys' ends."""
    key = sql.Identifier(relation.key) if relation.key else sql.SQL("NULL::bigint")
    recent: sql.Composable = sql.SQL("0::bigint")
    if span:
        recent = sql.SQL("count(*) FILTER (WHERE {})").format(late(span))
    return sql.SQL(
        "SELECT {}::int, count(*), {}, min({key})::bigint, max({key})::bigint, {}, {} FROM {} t"
    ).format(
        sql.Literal(number),
        recent,
        fingerprint.CONTENT if content else sql.SQL("''"),
        but_logins_of(relation),
        relation.quoted,
        key=key,
    )


def late(span: int) -> sql.Composable:
    """Build the condition that a row `t` is of one of the last `span` transactions.

    What is older than age() can tell is frozen, and has an age below 1.
    """
    return sql.SQL("(age(t.xmin) <= {} AND age(t.xmin) > 0)").format(sql.Literal(span))


def _late(relation: Relation, next_xid: int, span: int) -> sql.Composable:
    return sql.SQL("SELECT DISTINCT {} - age(t.xmin) FROM {} t WHERE {}").format(
        sql.Literal(next_xid), relation.quoted, late(span)
    )


@asynccontextmanager
async def looking(connection: psycopg.AsyncConnection[Any]) -> AsyncIterator[None]:
    """Open a transaction that sees one moment, over a session with autocommit."""
    await connection.execute(sql.SQL("BEGIN; ") + PINNING)  # in one go: a site may be waiting
    try:
        yield
    finally:
        if not connection.closed:
            await connection.rollback()


async def of_copy(address: Address) -> dict[str, Any]:
    """Return the baseline of an untouched copy, JSON-ready, to hold the original against."""
    async with server.session(address, autocommit=False) as connection:
        await pin(connection)
        return (await read(connection, content=True)).as_dict()
