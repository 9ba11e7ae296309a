"""Who owns what in a database, and who may do what with it.

A database that we fill is our role's, and no dump brings grants along: roles may be others where
it was made. So what takes the place of a live database gets both from that one, by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import psycopg

from wizard.base.events import Report

# A statement of each kind is put together from its parts, which the server has quoted:
# `prefix` GRANT privilege `columns` ON `what` TO somebody; ALTER `what` OWNER TO somebody.
# A column's owner is its table's, and a sequence's is where it belongs to a column.
RIGHTS = """
    WITH thing (class, oid, prefix, what, columns, owner, alters, acl, base) AS (
        SELECT 'pg_class'::regclass, c.oid, '', CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE'
               END || format(' %I.%I', n.nspname, c.relname), '', c.relowner, NOT EXISTS (
                   SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass
                   AND d.objid = c.oid AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0),
               c.relacl, acldefault(CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END::"char",
                                    c.relowner)
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND c.relpersistence <> 't'
          AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
        UNION ALL
        SELECT 'pg_class'::regclass, c.oid, '', format('TABLE %I.%I', n.nspname, c.relname),
               format('(%I)', a.attname), c.relowner, false, a.attacl, NULL
        FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
        JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE a.attacl IS NOT NULL AND NOT a.attisdropped
          AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
        UNION ALL
        SELECT 'pg_proc'::regclass, p.oid, '', 'ROUTINE ' || p.oid::regprocedure, '', p.proowner,
               true, p.proacl, acldefault('f', p.proowner)
        FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
        WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
        UNION ALL
        SELECT 'pg_type'::regclass, t.oid, '', 'TYPE ' || t.oid::regtype, '', t.typowner,
               true, t.typacl, acldefault('T', t.typowner)
        FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
        WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
          AND (t.typtype IN ('d', 'e', 'r') OR t.typtype = 'c' AND EXISTS (
                   SELECT FROM pg_class c WHERE c.oid = t.typrelid AND c.relkind = 'c'))
        UNION ALL
        SELECT 'pg_namespace'::regclass, n.oid, '', format('SCHEMA %I', n.nspname), '',
               n.nspowner, true, n.nspacl, acldefault('n', n.nspowner)
        FROM pg_namespace n WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
        UNION ALL
        SELECT 'pg_default_acl'::regclass, d.oid,
               format('ALTER DEFAULT PRIVILEGES FOR ROLE %I ', pg_get_userbyid(d.defaclrole))
               || coalesce('IN SCHEMA ' || quote_ident(n.nspname) || ' ', ''),
               CASE d.defaclobjtype WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES'
                   WHEN 'f' THEN 'FUNCTIONS' WHEN 'T' THEN 'TYPES' WHEN 'n' THEN 'SCHEMAS'
                   ELSE 'LARGE OBJECTS' END, '', d.defaclrole, false, d.defaclacl,
               CASE WHEN n.oid IS NULL THEN acldefault(
                   CASE d.defaclobjtype WHEN 'S' THEN 's' ELSE d.defaclobjtype END,
                   d.defaclrole) END
        FROM pg_default_acl d LEFT JOIN pg_namespace n ON n.oid = d.defaclnamespace
    )
    SELECT prefix, what, columns,
           CASE WHEN alters THEN quote_ident(pg_get_userbyid(owner)) ELSE '' END,
           a.usual, a.privilege_type::text, CASE a.grantee WHEN 0 THEN 'PUBLIC'
               ELSE quote_ident(pg_get_userbyid(a.grantee)) END, a.is_grantable
    FROM thing LEFT JOIN LATERAL (
        SELECT false AS usual, * FROM aclexplode(coalesce(acl, base))
        UNION ALL SELECT true, * FROM aclexplode(base)
    ) a ON a.grantee <> owner
    WHERE NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = class AND d.objid = thing.oid
                         AND d.deptype = 'e')
"""
OWNER = """
    SELECT quote_ident(pg_get_userbyid(datdba)), quote_ident(current_user)
    FROM pg_database WHERE datname = current_database()
"""

Thing = tuple[str, str, str]
"""Of a statement: prefix, what, columns."""
Grant = tuple[str, str, bool]
"""Privilege, grantee, and whether that may grant it on."""


@dataclass(frozen=True)
class Right:
    """The rights on one object: its owner, or nothing where that follows another object's; the
    grants; and the grants that PostgreSQL gives by default."""

    owner: str
    granted: frozenset[Grant]
    usual: frozenset[Grant]


@dataclass(frozen=True)
class Rights:
    """The rights in a database: its owner, and the rights on each object, default privileges
    included."""

    owner: str
    of: Mapping[Thing, Right]


async def read(connection: psycopg.AsyncConnection[Any]) -> Rights:
    """Return the rights in the database of `connection`, extensions' objects left out."""
    async with connection.transaction():
        await connection.execute("SELECT set_config('search_path', 'pg_catalog', true)")
        rows = await (await connection.execute(RIGHTS)).fetchall()
        owner, _ = await _owner_and_us(connection)
    granted: dict[Thing, dict[bool, set[Grant]]] = {}
    owners: dict[Thing, str] = {}
    for prefix, what, columns, own, usual, privilege, grantee, grantable in rows:
        thing = (prefix, what, columns)
        owners[thing] = own
        sets = granted.setdefault(thing, {False: set(), True: set()})
        if privilege is not None:
            sets[usual].add((privilege, grantee, grantable))
    return Rights(
        owner,
        {
            thing: Right(owners[thing], frozenset(sets[False]), frozenset(sets[True]))
            for thing, sets in granted.items()
        },
    )


async def give(connection: psycopg.AsyncConnection[Any], rights: Rights, report: Report) -> None:
    """Make the rights in the database of `connection` what `rights` says, for what is there.

    Objects of ours that `rights` does not have become the database owner's. What our role may
    not do is reported as a warning, for somebody who may.
    """
    async with connection.transaction():
        await connection.execute("SELECT set_config('search_path', 'pg_catalog', true)")
        _, us = await _owner_and_us(connection)
        statements = []
        for thing, now in (await read(connection)).of.items():
            meant = rights.of[thing].owner if thing in rights.of else rights.owner
            if now.owner and meant != now.owner and (thing in rights.of or now.owner == us):
                statements.append(f"ALTER {thing[1]} OWNER TO {meant}")
        done = await _execute(connection, statements, report)
        there = (await read(connection)).of
        statements = []
        for thing, right in rights.of.items():
            prefix, what, columns = thing
            if not (prefix or thing in there or (prefix, what, "") in there):
                continue
            has = there[thing].granted if thing in there else right.usual
            for privilege, grantee, _ in sorted(has - right.granted):
                statements.append(f"{prefix}REVOKE {privilege}{columns} ON {what} FROM {grantee}")
            for privilege, grantee, grantable in sorted(right.granted - has):
                option = " WITH GRANT OPTION" if grantable else ""
                statements.append(
                    f"{prefix}GRANT {privilege}{columns} ON {what} TO {grantee}{option}"
                )
        done += await _execute(connection, statements, report)
    if done:
        report.finding("rights", f"{done:,} owners and grants as they were", "info")


async def _owner_and_us(connection: psycopg.AsyncConnection[Any]) -> tuple[str, str]:
    """Return the owner of the database, and our own role."""
    ((owner, us),) = await (await connection.execute(OWNER)).fetchall()
    return owner, us


async def _execute(
    connection: psycopg.AsyncConnection[Any], statements: list[str], report: Report
) -> int:
    """Execute the statements; return how many succeeded. All in one round trip, or one by one
    where our role may not do some of them."""
    if not statements or await _refused(connection, ";".join(statements)) is None:
        return len(statements)
    done = 0
    for statement in statements:
        error = await _refused(connection, statement)
        if error is None:
            done += 1
        else:
            report.finding(
                statement,
                f"not carried over: {error.diag.message_primary or error}",
                "warn",
                "Whoever administers the server can do it.",
            )
    return done


async def _refused(
    connection: psycopg.AsyncConnection[Any], statement: str
) -> psycopg.Error | None:
    """Execute a statement; return why it was refused, or None."""
    try:
        async with connection.transaction():
            await connection.execute(statement.encode(connection.info.encoding))
    except psycopg.Error as error:
        if connection.closed:
            raise
        return error
    return None
