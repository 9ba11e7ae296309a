"""What a drop takes along, by an account of our own: by doing it and taking it back."""

from __future__ import annotations

from collections import Counter
from typing import Any

import psycopg

from wizard.postgres.dependants import Dependant

# Every object that is no part of another; without pg_depend.
OBJECTS = """
    SELECT (pg_identify_object(classid, objid, objsubid)).identity FROM (
        SELECT 'pg_class'::regclass, c.oid, 0 FROM pg_class c
        WHERE c.oid >= 16384 AND c.relkind <> 'c' AND c.relnamespace <> 'pg_toast'::regnamespace
          AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = c.oid
                              AND k.contype IN ('p', 'u', 'x'))
          AND NOT (c.relkind IN ('i', 'I') AND c.relispartition)
          AND NOT (c.relkind = 'S' AND c.relname IN (
              SELECT a.attrelid::regclass::text || '_' || a.attname || '_seq'
              FROM pg_attribute a WHERE a.attidentity <> ''))
        UNION ALL
        SELECT 'pg_class'::regclass, a.attrelid, a.attnum FROM pg_attribute a
        JOIN pg_class c ON c.oid = a.attrelid
        WHERE c.relkind IN ('r', 'p', 'f') AND NOT a.attisdropped AND a.attnum > 0
        UNION ALL SELECT 'pg_proc'::regclass, oid, 0 FROM pg_proc
        UNION ALL SELECT 'pg_constraint'::regclass, oid, 0 FROM pg_constraint WHERE conparentid = 0
        UNION ALL SELECT 'pg_policy'::regclass, oid, 0 FROM pg_policy
        UNION ALL SELECT 'pg_statistic_ext'::regclass, oid, 0 FROM pg_statistic_ext
        UNION ALL SELECT 'pg_trigger'::regclass, oid, 0 FROM pg_trigger
            WHERE NOT tgisinternal AND tgparentid = 0
        UNION ALL
        SELECT 'pg_attrdef'::regclass, d.oid, 0 FROM pg_attrdef d JOIN pg_attribute a
            ON a.attrelid = d.adrelid AND a.attnum = d.adnum
        WHERE a.attgenerated = ''
        UNION ALL SELECT 'pg_rewrite'::regclass, oid, 0 FROM pg_rewrite WHERE rulename <> '_RETURN'
        UNION ALL SELECT 'pg_publication_rel'::regclass, oid, 0 FROM pg_publication_rel
        UNION ALL SELECT 'pg_operator'::regclass, oid, 0 FROM pg_operator
        UNION ALL SELECT 'pg_cast'::regclass, oid, 0 FROM pg_cast
        UNION ALL SELECT 'pg_type'::regclass, oid, 0 FROM pg_type WHERE typtype IN ('d', 'e')
        UNION ALL SELECT 'pg_publication'::regclass, oid, 0 FROM pg_publication
        UNION ALL SELECT 'pg_event_trigger'::regclass, oid, 0 FROM pg_event_trigger
    ) t (classid, objid, objsubid) WHERE objid >= 16384
    UNION ALL SELECT extname FROM pg_extension
"""
NO_OBJECTS = {
    "column privileges",
    "column comment",
    "column settings",
    "security label",
    "privileges",
    "comment",
    "replica identity",
}
INHERITING = """
    WITH RECURSIVE below (relid) AS (
        SELECT inhrelid FROM pg_inherits WHERE inhparent = %s::regclass
        UNION SELECT i.inhrelid FROM pg_inherits i JOIN below b ON b.relid = i.inhparent
    )
    SELECT relid::regclass::text FROM below
"""
Connection = psycopg.AsyncConnection[Any]


async def as_app(connection: Connection, *statements: str) -> None:
    await connection.execute("SET ROLE app; GRANT ALL ON SCHEMA public TO app")
    for statement in statements:
        await connection.execute(statement.encode())
    await connection.execute("RESET ROLE")


async def there(connection: Connection) -> list[str]:
    """Every object of ours that is no part of another, by PostgreSQL's name for it."""
    rows = await (await connection.execute(OBJECTS)).fetchall()
    return [identity.removeprefix("for ") for (identity,) in rows]


async def vanishing(connection: Connection, table: str, *columns: str) -> list[str]:
    """What a drop takes along besides, by doing it and taking it back."""
    before = await there(connection)
    async with connection.transaction(force_rollback=True):
        await connection.execute(drop(table, *columns).encode())
        after = await there(connection)
    gone = list((Counter(before) - Counter(after)).elements())
    assert not Counter(after) - Counter(before)
    for name in columns:
        gone.remove(f"public.{table}.{name}")
        for (below,) in await (await connection.execute(INHERITING, [table])).fetchall():
            if f"public.{below}.{name}" in gone and f"public.{below}" not in gone:
                gone.remove(f"public.{below}.{name}")
    if not columns:
        gone = [each for each in gone if each != f"public.{table}"]
        gone = [each for each in gone if not each.startswith(f"public.{table}.")]
    return sorted(each for each in gone if each.rpartition(".")[0] not in gone)


def drop(table: str, *columns: str) -> str:
    """The statement of Django's migration."""
    actions = ", ".join(f"DROP COLUMN {name} CASCADE" for name in columns)
    return f"ALTER TABLE {table} {actions}" if columns else f"DROP TABLE {table} CASCADE"


def named(listed: list[Dependant]) -> list[str]:
    return sorted(each.identity for each in listed if each.certain and each.kind not in NO_OBJECTS)


def by_identity(listed: list[Dependant]) -> dict[str, Dependant]:
    return {each.identity: each for each in listed}


def kinds(listed: list[Dependant]) -> set[str]:
    return {each.kind for each in listed}
