"""What our role may not make of a database's objects, known before anything is made."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import psycopg

from wizard.postgres.catalog.entries import PUBLIC, Catalog, Entry, Key

# A role that is ours to act as; from 16 on, membership and the right to SET ROLE are two things.
ROLES = """
    SELECT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user),
           array(SELECT rolname::text FROM pg_roles WHERE pg_has_role(oid, {privilege})),
           current_user::text
"""
FIRST_WITH_SET = 16
BY_SUPERUSER = (
    *("ACCESS METHOD", "EVENT TRIGGER", "FOREIGN DATA WRAPPER", "OPERATOR CLASS"),
    *("OPERATOR FAMILY", "TEXT SEARCH PARSER", "TEXT SEARCH TEMPLATE", "SECURITY LABEL"),
)
"""Kinds that only a superuser makes (PostgreSQL documentation, each kind's CREATE)."""
UNTRUSTED = re.compile(r"\bLANGUAGE (c|internal|\w+u)\b", re.IGNORECASE)
OF_ALL = re.compile(r"\bFOR (ALL TABLES|TABLES IN SCHEMA)\b")
OF_EVERYBODY = (
    Key("SCHEMA", "", PUBLIC),
    Key("ACL", "", f"SCHEMA {PUBLIC}"),
    Key("COMMENT", "", f"SCHEMA {PUBLIC}"),
)
"""The owner of a new database may change these, whoever owns them in the live one."""
BASE_TYPE = re.compile(r"^\s*INPUT = ", re.MULTILINE)
EXTENSIONS = """
    SELECT DISTINCT v.name::text FROM pg_available_extension_versions v
    WHERE NOT v.superuser OR coalesce((to_jsonb(v) ->> 'trusted')::bool, false)
"""
TABLESPACES = """
    SELECT spcname::text FROM pg_tablespace WHERE NOT has_tablespace_privilege(oid, 'CREATE')
"""
AUTHORITY = re.compile(r' \(as ("(?:[^"]|"")+"|[^)]+)\);$', re.MULTILINE)


async def lacking(connection: psycopg.AsyncConnection[Any], live: Catalog) -> list[str]:
    """Return, as sentences, what our role lacks to make the objects of `live` once more."""
    privilege = (
        "'SET'" if connection.info.server_version // 10_000 >= FIRST_WITH_SET else "'MEMBER'"
    )
    cursor = await connection.execute(ROLES.format(privilege=privilege).encode())
    ((superuser, roles, us),) = await cursor.fetchall()
    if superuser:
        return []
    cursor = await connection.execute(TABLESPACES)
    closed = {name for (name,) in await cursor.fetchall()}
    closed &= {one.tablespace for one in live.values()}
    cursor = await connection.execute(EXTENSIONS)
    ours = {name for (name,) in await cursor.fetchall()}
    lines = [
        f"EXTENSION {key.name}: only a superuser may make it: name, as `template`, a database in "
        "which one has made it"
        for key in live
        if key.kind == "EXTENSION" and key.name not in ours
    ]
    lines += [
        f"the tablespace {name} has objects, and {us} may not create in it: GRANT CREATE ON "
        f"TABLESPACE {name} TO {us}"
        for name in sorted(closed)
    ]
    return [
        *lines,
        *(line for key, one in live.items() for line in _lacking(key, one, set(roles), us)),
    ]


def _lacking(key: Key, one: Entry, roles: set[str], us: str) -> Iterator[str]:
    if key.of_database or key in OF_EVERYBODY:
        return
    if _by_superuser(key, one):
        yield f"{key}: only a superuser may make it"
    elif one.by and one.by not in roles:
        yield f"{key} belongs to {one.by}, and {us} is not a member of that role"
    for name in {name.strip('"').replace('""', '"') for name in AUTHORITY.findall(one.definition)}:
        if name not in roles:
            yield f"{key}: given by {name}, and {us} is not a member of that role"


def _by_superuser(key: Key, one: Entry) -> bool:
    if key.kind in ("FUNCTION", "PROCEDURE"):
        return UNTRUSTED.search(one.definition) is not None
    if key.kind == "PUBLICATION":
        return OF_ALL.search(one.definition) is not None
    if key.kind == "TYPE":
        return BASE_TYPE.search(one.definition) is not None
    return key.kind in BY_SUPERUSER
