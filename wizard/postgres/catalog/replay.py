"""Make objects in one database from their definitions in another."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

import psycopg
from psycopg import sql

from wizard.postgres.catalog.account import Difference
from wizard.postgres.catalog.entries import BELONGING, LARGE_OBJECT, PRIVILEGES, Catalog, Entry, Key

MADE_ANEW = (*BELONGING, *PRIVILEGES, LARGE_OBJECT)
"""Kinds that are replaced by running their statements again."""
NOT_ALONE = (
    *("TABLE", "TABLE ATTACH", "SEQUENCE", "MATERIALIZED VIEW", LARGE_OBJECT),
    *("CONSTRAINT", "CHECK CONSTRAINT", "FK CONSTRAINT", "INDEX", "INDEX ATTACH", "DEFAULT"),
    *("MATERIALIZED VIEW DATA", "EXTENSION VERSION", "COLLATION VERSION", "INVALID INDEX"),
)
"""Kinds that are never made here: they would lack their rows or values, or they are a part of a
table, which a delivery compares with the local one."""
GRANT = re.compile(r"(.*)GRANT (.+) ON (.+) TO (.+?)(?: WITH GRANT OPTION)?( \(as .+\))?;")
REVOKE = re.compile(r"(.*)REVOKE (.+) ON (.+) FROM (.+?)( \(as .+\))?;")
STANDING = """
    SELECT 'EXTENSION', extname::text FROM pg_extension
    UNION ALL SELECT 'EXTENSION VERSION', extname FROM pg_extension
    UNION ALL SELECT 'EVENT TRIGGER', evtname FROM pg_event_trigger
    UNION ALL SELECT 'FOREIGN DATA WRAPPER', fdwname FROM pg_foreign_data_wrapper
    UNION ALL SELECT 'SERVER', srvname FROM pg_foreign_server
    UNION ALL SELECT 'PROCEDURAL LANGUAGE', lanname FROM pg_language
    UNION ALL SELECT 'PUBLICATION', pubname FROM pg_publication
"""
THERE_ALREADY = (
    psycopg.errors.DuplicateObject,
    psycopg.errors.DuplicateTable,
    psycopg.errors.DuplicateFunction,
    psycopg.errors.DuplicateSchema,
)
CONSTRAINT = re.compile(r"^ALTER TABLE .* DROP CONSTRAINT (.+)$", re.DOTALL)
AUTHORITY = re.compile(r"^(RE)?SET SESSION AUTHORIZATION\b", re.MULTILINE)


async def replay(
    connection: psycopg.AsyncConnection[Any],
    wanted: Iterable[Difference],
    order: Catalog,
    *,
    may_be_there: bool = False,
) -> dict[Key, str]:
    """Make each object as `before` has it, in the database of `connection`, each on its own.

    `order` is a catalog in the order of creation. Return, by object, why it could not be made;
    one that `may_be_there` already is not among them.
    """
    places = {key: place for place, key in enumerate(order)}
    refused = {}
    for difference in sorted(wanted, key=lambda one: places.get(one.key, 0)):
        statements = list(_statements(difference))
        if not statements:
            refused[difference.key] = "it cannot be made from its definition alone"
            continue
        try:
            async with connection.transaction():
                await connection.execute("SET LOCAL check_function_bodies = off")  # as pg_dump
                for statement in statements:
                    await connection.execute(statement)
        except psycopg.Error as error:
            if may_be_there and isinstance(error, THERE_ALREADY):
                continue
            refused[difference.key] = error.diag.message_primary or str(error)
    return refused


async def standing(connection: psycopg.AsyncConnection[Any]) -> set[Key | None]:
    """Return the objects in no schema that are there, which mostly a superuser has made."""
    rows = await (await connection.execute(STANDING)).fetchall()
    return {Key(kind, "", name) for kind, name in rows}


def _statements(difference: Difference) -> Iterator[bytes | sql.Composed]:
    kind, wanted, there = difference.key.kind, difference.before, difference.after
    if there is None and wanted is not None and kind not in NOT_ALONE:
        yield _by_role(wanted.statements)
        if wanted.owner and wanted.called:
            yield _owner(wanted.called, wanted.owner)
        if wanted.tablespace:
            yield from _moved(difference.key, wanted)
        return
    if there is None or (wanted is None and kind not in PRIVILEGES):
        return
    if wanted is not None and kind == "EXTENSION VERSION":
        yield _version(difference.key.name, wanted.definition)
        return
    was, becomes = ("", "") if wanted is None else (wanted.definition, wanted.statements)
    if there.definition != was:
        if kind not in MADE_ANEW:
            return
        if kind in (*PRIVILEGES, LARGE_OBJECT):
            yield from filter(None, map(_undone, there.definition.splitlines()))
        if becomes:
            yield _by_role(becomes)
    if wanted is not None and wanted.owner != there.owner and wanted.called:
        yield _owner(wanted.called, wanted.owner)
    if wanted is not None and wanted.tablespace not in ("", there.tablespace):
        yield from _moved(difference.key, wanted)


def _by_role(statements: str) -> bytes:
    """Return what pg_dump has a superuser do in the name of a role, done by a member of it."""
    return AUTHORITY.sub(r"\1SET ROLE", statements).encode()


def _moved(key: Key, wanted: Entry) -> Iterator[sql.Composed]:
    """Yield what moves a table or an index to its tablespace, from the database's own."""
    index = CONSTRAINT.search(wanted.called)
    if index is not None:
        what = sql.SQL("INDEX {}.{}").format(sql.Identifier(key.schema), sql.SQL(index[1]))
    elif key.kind in ("TABLE", "INDEX", "MATERIALIZED VIEW"):
        what = sql.SQL("{}").format(sql.SQL(wanted.called))
    else:
        return
    yield sql.SQL("ALTER {} SET TABLESPACE {}").format(what, sql.Identifier(wanted.tablespace))


def _version(extension: str, version: str) -> sql.Composed:
    alter = sql.SQL("ALTER EXTENSION {} UPDATE TO {}")
    return alter.format(sql.Identifier(extension), sql.Literal(version))


def _owner(called: str, owner: str) -> sql.Composed:
    alter = sql.SQL("ALTER {} OWNER TO {}")
    return alter.format(sql.SQL(called), sql.Identifier(owner))


def _undone(statement: str) -> bytes:
    """Return the statement that takes privileges back, or gives them again; b'' for another."""
    if granted := GRANT.fullmatch(statement):
        return "{}REVOKE {} ON {} FROM {};".format(*granted.groups()[:4]).encode()
    if revoked := REVOKE.fullmatch(statement):
        return "{}GRANT {} ON {} TO {};".format(*revoked.groups()[:4]).encode()
    return b""
