"""What DROP ... CASCADE takes along, by PostgreSQL's own account of what depends on what.

The rules are those of findDependentObjects in its dependency.c. What depends on an object goes
with it, however much; and what is a part of another object or of an extension takes that along,
as a view's rule takes the view.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from wizard.base.errors import OperationFailed

CLASS = "pg_class"
ATTRDEF = "pg_attrdef"

TABLE = """
    SELECT c.oid::bigint FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relname = %(table)s AND c.relkind IN ('r', 'p', 'f')
      AND CASE WHEN %(schema)s::text IS NULL THEN pg_table_is_visible(c.oid)
               ELSE n.nspname = %(schema)s END
"""
# The columns of a table, and those of the same names in every table below it, with its parents.
COLUMNS = """
    WITH RECURSIVE below (relid) AS (
        SELECT %(table)s::oid
        UNION SELECT i.inhrelid FROM below b JOIN pg_inherits i ON i.inhparent = b.relid
    )
    SELECT 'pg_class', c.oid::bigint, a.attnum::int,
           CASE n.nspname WHEN 'public' THEN '' ELSE n.nspname || '.' END
           || c.relname || '.' || a.attname, c.relname::text, a.attname::text,
           a.attislocal, a.attinhcount::int,
           ARRAY(SELECT inhparent::bigint FROM pg_inherits WHERE inhrelid = c.oid)
    FROM below b JOIN pg_class c ON c.oid = b.relid JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_attribute a ON a.attrelid = c.oid
    WHERE a.attname = ANY(%(columns)s) AND a.attnum > 0 AND NOT a.attisdropped
    ORDER BY c.oid <> %(table)s::oid, 4
"""
WHOLE = """
    SELECT 'pg_class', c.oid::bigint, 0,
           CASE n.nspname WHEN 'public' THEN '' ELSE n.nspname || '.' END || c.relname,
           c.relname::text, ''
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = %(table)s::oid
"""
GONE = """
    WITH RECURSIVE seed (classid, objid, objsubid) AS (
        SELECT c::regclass::oid, o, s
        FROM unnest(%(classes)s::text[], %(oids)s::oid[], %(subs)s::int[]) t (c, o, s)
    ),
    gone (classid, objid, objsubid) AS (
        SELECT * FROM seed
        UNION
        SELECT n.* FROM gone g CROSS JOIN LATERAL (
            SELECT d.classid, d.objid, d.objsubid FROM pg_depend d
            WHERE d.refclassid = g.classid AND d.refobjid = g.objid
              AND (g.objsubid = 0 OR d.refobjsubid = g.objsubid)
              AND NOT (d.classid = g.classid AND d.objid = g.objid AND g.objsubid = 0)
            UNION ALL
            SELECT d.refclassid, d.refobjid, d.refobjsubid FROM pg_depend d
            WHERE d.classid = g.classid AND d.objid = g.objid
              AND (g.objsubid = 0 OR d.objsubid = g.objsubid) AND d.deptype IN ('i', 'e')
              AND NOT (d.refclassid = g.classid AND d.refobjid = g.objid AND g.objsubid = 0)
              AND (g.classid, g.objid, g.objsubid) NOT IN (TABLE seed)
        ) n
    )
    SELECT classid::regclass::text, objid::bigint, objsubid FROM gone
"""
EDGES = """
    WITH gone AS (
        SELECT DISTINCT c::regclass::oid AS classid, o AS objid
        FROM unnest(%(classes)s::text[], %(oids)s::oid[]) t (c, o)
    )
    SELECT d.classid::regclass::text, d.objid::bigint, d.objsubid,
           d.refclassid::regclass::text, d.refobjid::bigint, d.refobjsubid, d.deptype::text
    FROM pg_depend d JOIN gone g ON g.classid = d.classid AND g.objid = d.objid
    JOIN gone r ON r.classid = d.refclassid AND r.objid = d.refobjid
"""


@dataclass(frozen=True, order=True)
class Thing:
    """An object's address in the catalog; `sub` is the number of a column, 0 for no column."""

    of: str
    oid: int
    sub: int = 0


@dataclass(frozen=True)
class Seed:
    """What is dropped to begin with: `label` as a sentence has it, `column` empty for a table."""

    thing: Thing
    label: str
    table: str
    column: str


class Walk:
    """What goes with the seeds, and why."""

    def __init__(
        self,
        seeds: Sequence[Seed],
        gone: Collection[Thing],
        edges: Sequence[tuple[Thing, Thing, str]],
    ) -> None:
        self.seeds = {each.thing: each for each in seeds}
        self.gone = frozenset(gone)
        self._edges = [
            (self._whole(thing), self._whole(other), kind)
            for thing, other, kind in edges
            if self._goes(thing) and self._goes(other)
        ]
        self._into = {
            thing: other
            for thing, other, kind in self._edges
            if thing != other and thing not in self.seeds and self._is_part(thing, other, kind)
        }
        self._causes = self._depending()
        self._fold_members()

    def root(self, thing: Thing) -> Thing:
        """Return what `thing` is a part of, or itself."""
        passed = set()
        while thing in self._into and thing not in passed:
            passed.add(thing)
            thing = self._into[thing]
        return thing

    def causes(self, thing: Thing) -> set[Thing]:
        """Return what goes that `thing` depends on."""
        return self._causes[thing] - {thing}

    def ordered(self) -> list[Thing]:
        """Return what goes, parts and seeds left out, each after what it depends on."""
        order: dict[Thing, None] = {}
        begun: set[Thing] = set()
        for thing in sorted(map(self.root, map(self._whole, self.gone))):
            self._visit(thing, begun, order)
        return [thing for thing in order if thing not in self.seeds]

    def _visit(self, thing: Thing, begun: set[Thing], order: dict[Thing, None]) -> None:
        waiting: list[tuple[Thing, Iterator[Thing]]] = []
        if thing not in begun:
            begun.add(thing)
            waiting.append((thing, iter(sorted(self.causes(thing)))))
        while waiting:
            here, causes = waiting[-1]
            following = next((each for each in causes if each not in begun), None)
            if following is None:
                order[here] = None
                waiting.pop()
            else:
                begun.add(following)
                waiting.append((following, iter(sorted(self.causes(following)))))

    def _depending(self) -> dict[Thing, set[Thing]]:
        causes: dict[Thing, set[Thing]] = defaultdict(set)
        for thing, other, kind in self._edges:
            if kind not in "ie":
                causes[self.root(thing)].add(self.root(other))
        return causes

    def _fold_members(self) -> None:
        """Leave out an extension's members, but for those that it goes because of."""
        members: dict[Thing, set[Thing]] = defaultdict(set)
        for thing, other, kind in self._edges:
            if kind == "e" and thing not in self.seeds:
                members[other].add(self.root(thing))
        reached = {
            thing: extension
            for extension, some in members.items()
            for thing in some
            if self.causes(thing) - some - {extension}
        }
        for extension, some in members.items():
            self._into.update({each: extension for each in some if each not in reached})
        self._causes = self._depending()
        for thing, extension in reached.items():
            self._causes[extension].add(thing)
            self._causes[thing].discard(extension)

    def _whole(self, thing: Thing) -> Thing:
        """Return a table instead of its column where the table goes as well."""
        table = Thing(thing.of, thing.oid)
        return table if thing.sub and table in self.gone else thing

    def _goes(self, thing: Thing) -> bool:
        return thing in self.gone or self._whole(thing) in self.gone

    def _is_part(self, thing: Thing, other: Thing, kind: str) -> bool:
        """Whether what it is said to depend on is the object that it is a part of."""
        if kind == "a":  # a default, a sequence, NOT NULL: of a table that goes as a whole
            return thing.of == ATTRDEF and other.of == CLASS and other.sub == 0
        return kind in "iPS"


async def find_table(connection: psycopg.AsyncConnection[Any], table: str) -> int:
    """Return the OID of a table, by Django's name for it (`blog_blog`, `schema"."blog_blog`).

    Raise OperationFailed where there is none.
    """
    schema, _, plain = table.strip('"').rpartition('"."')
    cursor = await connection.execute(TABLE, {"table": plain, "schema": schema or None})
    row = await cursor.fetchone()
    if row is None:
        raise OperationFailed(
            f"The database has no table {table}.",
            hint="Compare its schema with the project's migrations.",
        )
    oid: int = row[0]
    return oid


async def columns(
    connection: psycopg.AsyncConnection[Any], table: int, name: str, wanted: Sequence[str]
) -> list[Seed]:
    """Return columns of a table, and those that tables inherit from them.

    A table keeps one that it defines as well, or has from another parent too.
    Raise OperationFailed where the table lacks one.
    """
    cursor = await connection.execute(COLUMNS, {"table": table, "columns": list(wanted)})
    rows = await cursor.fetchall()
    going = {(oid, column) for _, oid, _, _, _, column, *_ in rows if oid == table}
    before = 0
    while len(going) > before:
        before = len(going)
        for _, oid, _, _, _, column, is_local, count, parents in rows:
            above = sum((parent, column) in going for parent in parents)
            if not is_local and above == count > 0:
                going.add((oid, column))
    seeds = _seeds([row[:6] for row in rows if (row[1], row[5]) in going])
    missing = set(wanted) - {each.column for each in seeds if each.thing.oid == table}
    if missing:
        raise OperationFailed(
            f"The table {name} has no column {', '.join(sorted(missing))}.",
            hint="Compare the database's schema with the project's migrations.",
        )
    return seeds


async def whole(connection: psycopg.AsyncConnection[Any], table: int) -> list[Seed]:
    """Return a table as what is dropped."""
    return _seeds(await (await connection.execute(WHOLE, {"table": table})).fetchall())


async def from_seeds(connection: psycopg.AsyncConnection[Any], seeds: Sequence[Seed]) -> Walk:
    """Return what goes with the seeds. Read pg_depend alone, and lock nothing."""
    rows = await (
        await connection.execute(GONE, _addresses([each.thing for each in seeds]))
    ).fetchall()
    gone = [Thing(*row) for row in rows]
    rows = await (await connection.execute(EDGES, _addresses(gone))).fetchall()
    return Walk(seeds, gone, [(Thing(*row[:3]), Thing(*row[3:6]), row[6]) for row in rows])


def _seeds(rows: Sequence[tuple[Any, ...]]) -> list[Seed]:
    return [Seed(Thing(*row[:3]), *row[3:]) for row in rows]


def _addresses(things: Collection[Thing]) -> dict[str, list[Any]]:
    return {
        "classes": [each.of for each in things],
        "oids": [each.oid for each in things],
        "subs": [each.sub for each in things],
    }
