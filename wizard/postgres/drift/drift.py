"""What was written to a database since its baseline: by table, rows new, changed and gone.

With the baseline's snapshot every number is exact. A row version of a later transaction is new
where its primary key is, and changed where the key was there; versions of then that are missing
and not changed are gone. Where a table has no single integer for a key, or too scattered ones,
new and changed are one number and so are changed and gone; that nothing was written is exact
there too. Without a snapshot (the backup is a dump from elsewhere) keys tell new and gone rows
exactly, and a digest of the table whether others changed.

Errs to one side only: a statement that rewrites a table (a column's type) has all of it told as
changed, and so has a row that 2^32 transactions have passed over. Nothing written is missed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import psycopg
from psycopg import sql

from wizard.base.errors import OperationFailed
from wizard.postgres.address import Address
from wizard.postgres.drift import baseline as base
from wizard.postgres.drift import catalog, fingerprint, keys
from wizard.postgres.drift.baseline import DriftBaseline, Moment, Table
from wizard.postgres.drift.catalog import Relation
from wizard.postgres.drift.keys import runs_of
from wizard.postgres.server import session

NAMED = 10
"""Keys of rows that a sentence tells."""
LISTED = 1_000
"""Keys of rows that a change lists, of each kind."""

# What counts the writes to each table, and which file it is in: TRUNCATE and a rewrite change
# that. What alters a table writes to the catalog, whose own tables are counted as any other. A
# backend hands its counts in when it ends, before it leaves pg_stat_activity; from PostgreSQL 15
# on they are in shared memory and none is lost, unless they are all reset.
ACTIVITY = """
    SELECT c.oid::bigint,
           pg_stat_get_tuples_inserted(c.oid) + pg_stat_get_tuples_updated(c.oid)
           + pg_stat_get_tuples_deleted(c.oid), c.relfilenode::bigint,
           pg_stat_get_db_stat_reset_time(d.oid)::text,
           current_setting('track_counts')::bool AND NOT EXISTS (
               SELECT FROM pg_db_role_setting WHERE setconfig::text LIKE '%track_counts%')
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, pg_database d
    WHERE c.relkind = 'r' AND d.datname = current_database()
      AND (n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
           OR c.oid IN ('pg_class'::regclass, 'pg_attribute'::regclass, 'pg_attrdef'::regclass,
                        'pg_constraint'::regclass, 'pg_index'::regclass))
"""
Activity = dict[int, tuple[Any, ...]]


@dataclass(frozen=True)
class Change:
    """What was written to one table.

    `written` counts row versions since the baseline, `missing` those of the baseline that are
    there no more. `new`, `changed` and `gone` are None where they cannot be told apart; `keys`
    has the keys of these rows, by these words. `altered`: the table is defined otherwise.
    `logins`: nothing but last_login differs. `digest` is of exactly this change.
    """

    table: str
    written: int
    missing: int
    new: int | None
    changed: int | None
    gone: int | None
    keys: Mapping[str, tuple[int, ...]]
    altered: bool = False
    logins: bool = False
    digest: str = ""

    def __str__(self) -> str:
        return f"{self.table}: {self.what}"

    @property
    def rows(self) -> int:
        """The number of rows concerned, at least."""
        if self.new is None or self.changed is None or self.gone is None:
            return max(self.written, self.missing)
        return self.new + self.changed + self.gone

    @property
    def what(self) -> str:
        """In words: `2 new (7, 8), 1 changed (3)`."""
        parts = []
        for word in ("new", "changed", "gone"):
            count = getattr(self, word)
            if count:
                keys = self.keys.get(word, ())
                named = ", ".join(map(str, keys[:NAMED])) + (", …" if count > NAMED else "")
                parts.append(f"{count:,} {word}" + (f" ({named})" if keys else ""))
        if self.changed is None and self.gone is not None:
            parts.append("other values in rows that were there")
        elif self.changed is None and (self.written or self.missing):
            parts = [f"{self.written:,} new or changed", f"{self.missing:,} changed or gone"]
        elif self.changed is None:
            parts = ["other rows than in the backup"]
        if self.altered:
            parts.append("other columns, constraints or indexes")
        return ", ".join(parts)


@dataclass(frozen=True)
class Drift:
    """Every table that was written to or altered, by name; sequences as sentences.

    A sequence that moved on is no loss by itself: its numbers are given again.
    """

    changes: tuple[Change, ...]
    sequences: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.changes)


async def find(address: Address, baseline: DriftBaseline) -> Drift:
    """Return what was written to the database at `address` since `baseline`.

    A million rows take some tenths of a second. Raise OperationFailed when the baseline is of
    another database, or too old to compare with.
    """
    async with session(address) as connection:
        return await look(connection, baseline)


async def look(connection: psycopg.AsyncConnection[Any], baseline: DriftBaseline) -> Drift:
    """Return what was written since `baseline`, over a session with autocommit."""
    async with base.looking(connection):
        relations = await catalog.tables(connection)
        definitions = await catalog.definitions(connection, relations)
        return await _look(connection, baseline, relations, definitions)


async def _look(
    connection: psycopg.AsyncConnection[Any],
    baseline: DriftBaseline,
    relations: Sequence[Relation],
    definitions: Mapping[int, str],
    only: Collection[str] | None = None,
) -> Drift:
    """Return what was written since `baseline`, in the open transaction.

    With `only`, look at these tables and at new ones alone.
    """
    now = await base.moment(connection)
    _require_comparable(now, baseline)
    chosen = [
        relation
        for relation in relations
        if only is None or relation.name in only or relation.name not in baseline.tables
    ]
    counted = await _count(connection, chosen, now, baseline)
    changes = [
        Change(name, 0, was.rows, 0, 0, was.rows, {}, altered=True, digest="dropped")
        for name, was in baseline.tables.items()
        if name not in {relation.name for relation in relations}
    ]
    for relation in chosen:
        was = baseline.tables.get(relation.name)
        rows, written, digest, logins = counted[relation.name]
        altered = was is None or definitions[relation.oid] != was.definition
        was = was or Table(0, "", ())
        if baseline.snapshot:
            same = not written and rows == was.rows
        else:
            same = digest == was.content and rows == was.rows
        if same and not altered:
            continue
        if not altered and rows == was.rows and was.but_logins and logins == was.but_logins:
            users = written or None
            change = Change(relation.name, written, written, 0, users, 0, {}, logins=True)
        else:
            change = await _by_keys(
                connection, relation, was, rows, written, now, baseline, altered, same
            )
        of = f"{digest} {was.rows - rows + written} {definitions[relation.oid]}"
        changes.append(replace(change, digest=hashlib.sha256(of.encode()).hexdigest()[:8]))
    sequences = await catalog.sequences(connection)
    return Drift(
        tuple(sorted(changes, key=lambda change: change.table)),
        tuple(
            f"{name}: was at {value}, is at {sequences.get(name)}"
            for name, value in sorted(baseline.sequences.items())
            if sequences.get(name) != value
        ),
    )


class Watch:
    """A database looked at more than once: in full while it is open, quickly once nobody is inside.

    Later looks read only the tables that were written to or altered since the look before, so
    that nobody waits long. Use one session for all looks, and end all other sessions before a
    later one: PostgreSQL counts a session's last writes when it ends.
    """

    def __init__(self, baseline: DriftBaseline) -> None:
        self.baseline = baseline
        self._drift = Drift(())
        self._activity: Activity | None = None
        self._relations: Sequence[Relation] = ()
        self._definitions: Mapping[int, str] = {}

    async def look(self, connection: psycopg.AsyncConnection[Any]) -> Drift:
        """Return what was written since the baseline, as `find` tells it."""
        before = self._activity
        # Before the snapshot: what is counted later is looked at again.
        self._activity = await _activity(connection)
        if before is None or self._activity is None:
            async with base.looking(connection):
                await self._read_catalog(connection)
                self._drift = await self._look(connection)
        elif before != self._activity:
            changed = {oid for oid, now in self._activity.items() if now != before.get(oid)}
            async with base.looking(connection):
                self._drift = await self._again(connection, self._drift, changed)
        return self._drift

    async def _again(
        self, connection: psycopg.AsyncConnection[Any], before: Drift, changed: set[int]
    ) -> Drift:
        """Look again at the tables `changed` since, by OID; keep what was found of the others."""
        touched = set()
        if changed - {relation.oid for relation in self._relations}:  # of them the catalog's own
            await self._read_catalog(connection)
            touched |= {change.table for change in before.changes if change.altered}
            for relation in self._relations:
                was = self.baseline.tables.get(relation.name)
                if was is None or was.definition != self._definitions[relation.oid]:
                    touched.add(relation.name)
        touched |= {relation.name for relation in self._relations if relation.oid in changed}
        again = await self._look(connection, touched)
        names = {relation.name for relation in self._relations}
        changes = {
            change.table: change
            for change in before.changes
            if change.table not in touched and change.table in names
        } | {change.table: change for change in again.changes}
        return Drift(tuple(changes[name] for name in sorted(changes)), again.sequences)

    async def _read_catalog(self, connection: psycopg.AsyncConnection[Any]) -> None:
        self._relations = await catalog.tables(connection)
        self._definitions = await catalog.definitions(connection, self._relations)

    async def _look(
        self, connection: psycopg.AsyncConnection[Any], only: Collection[str] | None = None
    ) -> Drift:
        return await _look(connection, self.baseline, self._relations, self._definitions, only)


async def _activity(connection: psycopg.AsyncConnection[Any]) -> Activity | None:
    """Return PostgreSQL's counters of writes to each table, by OID; None where they are not
    reliable."""
    if connection.info.server_version < 150000:
        return None
    rows = await (await connection.execute(ACTIVITY)).fetchall()
    if not all(counting for *_, counting in rows):
        return None
    return {oid: tuple(what) for oid, *what, _ in rows}


def _require_comparable(now: Moment, baseline: DriftBaseline) -> None:
    if not baseline.snapshot:
        return
    if (now.system_identifier, now.oid) != (baseline.system_identifier, baseline.oid):
        raise OperationFailed(
            f"The database {now.database} is not the one that the backup was taken from.",
            found=f"system identifier {now.system_identifier}, OID {now.oid}; the backup's were "
            f"{baseline.system_identifier}, {baseline.oid}",
            hint="Somebody replaced it since. Fetch a new backup.",
        )
    if now.next - baseline.horizon > base.SPAN:
        raise OperationFailed(
            f"The backup of {now.database} is too long ago to be compared with.",
            found=f"{now.next - baseline.horizon:,} transactions since",
            hint="Fetch a new backup.",
        )


def fresh(now: Moment, baseline: DriftBaseline) -> sql.Composable:
    """Build the condition that a row `t` was written since the baseline's snapshot."""
    late = base.late(now.next - baseline.horizon)
    if not baseline.seen:
        return late
    return sql.SQL("({late} AND NOT ({next} - age(t.xmin) = ANY({seen}::bigint[])))").format(
        late=late, next=sql.Literal(now.next), seen=sql.Literal(list(baseline.seen))
    )


async def _count(
    connection: psycopg.AsyncConnection[Any],
    relations: Sequence[Relation],
    now: Moment,
    baseline: DriftBaseline,
) -> dict[str, tuple[int, int, str, str]]:
    """Return by table: how many rows, how many written since, a digest of those written (without
    a snapshot, of all), and a digest of all without last_login."""
    questions = []
    for relation in relations:
        counts = sql.SQL("SELECT count(*), 0::bigint, {} FROM {} t").format(
            fingerprint.CONTENT, relation.quoted
        )
        if baseline.snapshot:  # the condition once a row, and a digest of the few alone
            counts = sql.SQL(
                "SELECT count(*), count(d), coalesce(sum(d), 0)::text FROM (SELECT CASE WHEN {} "
                "THEN hashtextextended(concat_ws(' ', {}, t.xmin), 0) END d FROM {} t) t"
            ).format(
                fresh(now, baseline),
                sql.Identifier("t", relation.key) if relation.key else sql.SQL("''"),
                relation.quoted,
            )
        was = baseline.tables.get(relation.name)
        logins: sql.Composable = sql.SQL("''")
        if was and was.but_logins:
            logins = sql.SQL("(SELECT {} FROM {} t)").format(
                base.but_logins_of(relation), relation.quoted
            )
        questions.append(
            sql.SQL("SELECT {}, c.*, {} FROM ({}) c").format(
                sql.Literal(relation.name), logins, counts
            )
        )
    if not questions:
        return {}
    cursor = await connection.execute(sql.SQL(" UNION ALL ").join(questions))
    return {name: (rows, *rest) for name, rows, *rest in await cursor.fetchall()}


async def _by_keys(
    connection: psycopg.AsyncConnection[Any],
    relation: Relation,
    was: Table,
    rows: int,
    written: int,
    now: Moment,
    baseline: DriftBaseline,
    altered: bool,
    same: bool,
) -> Change:
    """Compare a changed table with its baseline, as exactly as its primary keys allow."""
    missing = was.rows - rows + written
    name = relation.name
    if same:
        return Change(name, 0, 0, 0, 0, 0, {}, altered)
    runs = was.runs if relation.key else None
    if not baseline.snapshot:
        current = None
        if runs is not None:
            current = (await runs_of(connection, [relation]))[name]
        if runs is None or current is None:
            return Change(name, 0, 0, None, None, None, {}, altered)
        added, gone = keys.beyond(current, runs), keys.beyond(runs, current)
        more, less = keys.number_of(added), keys.number_of(gone)
        listed = _listed(new=keys.first_of(added, LISTED), gone=keys.first_of(gone, LISTED))
        return Change(name, more, less, more, None, less, listed, altered)
    if runs is None:
        if missing and written:
            return Change(name, written, missing, None, None, None, {}, altered)
        return Change(name, written, missing, written, 0, missing, {}, altered)
    known = await keys.known(connection, relation, runs, fresh(now, baseline), LISTED)
    (new, new_keys), (changed, changed_keys) = known[False], known[True]
    lost = missing - changed
    gone_keys: Sequence[int] = ()
    if lost:
        current = (await runs_of(connection, [relation]))[name]
        if current is not None:
            gone_keys = keys.first_of(keys.beyond(runs, current), LISTED)
    listed = _listed(new=new_keys, changed=changed_keys, gone=gone_keys)
    return Change(name, written, missing, new, changed, lost, listed, altered)


def _listed(**listed: Sequence[int]) -> dict[str, tuple[int, ...]]:
    return {word: tuple(some) for word, some in listed.items() if some}
