"""What there is in the sandbox at one moment, to be compared with another."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

VARYING = frozenset(
    {"archive", "baseline", "changed", "contents", "deleted", "ledger", "without"}
    | {"left", "message", "seconds", "verified"}
)
"""Facts that are told by the hour, or by whoever told them: `apply` or `observe`."""
DATABASES = """
    SELECT oid::bigint, datname, datallowconn, datconnlimit, shobj_description(oid, 'pg_database')
    FROM pg_database WHERE NOT datistemplate ORDER BY datname
"""
COLUMNS = """
    SELECT c.relname, string_agg(quote_ident(a.attname), ', ' ORDER BY a.attname)
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
    WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace
      AND a.attnum > 0 AND NOT a.attisdropped AND a.attname <> ALL(%s)
    GROUP BY c.relname ORDER BY c.relname
"""
DEFINITIONS = """
    SELECT a.attrelid::regclass::text, concat_ws(' ', a.attname,
           format_type(a.atttypid, a.atttypmod), a.attnotnull::text,
           (SELECT pg_get_expr(d.adbin, d.adrelid) FROM pg_attrdef d
             WHERE d.adrelid = a.attrelid AND d.adnum = a.attnum))
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
    WHERE c.relkind IN ('r', 'S', 'v') AND c.relnamespace = 'public'::regnamespace
      AND a.attnum > 0 AND NOT a.attisdropped
    UNION ALL
    SELECT conrelid::regclass::text, concat_ws(' ', conname, pg_get_constraintdef(oid))
    FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND contype <> 'n'
    UNION ALL
    SELECT tablename::text, indexdef FROM pg_indexes WHERE schemaname = 'public'
    UNION ALL
    SELECT sequencename::text, coalesce(last_value::text, 'never') FROM pg_sequences
    ORDER BY 1, 2
"""
APART = {"local": ["applied", "translation_key"], "production": ["applied"]}
"""Columns that are left out: times; and on the local side, where an original lies beside its copy
for a while, the random key that it has then."""


def contents(connection: psycopg.Connection[Any], apart: Sequence[str]) -> dict[str, str]:
    """Each table's rows and definition, each sequence's place, as short texts."""
    connection.execute("SET timezone TO 'UTC'")
    parts = [
        sql.SQL(
            "SELECT {}, count(*), coalesce(sum(('x' || left(md5(ROW({})::text), 15))::bit(60)"
            "::bigint), 0) FROM {}"
        ).format(sql.Literal(table), sql.SQL(columns), sql.Identifier(table))
        for table, columns in connection.execute(COLUMNS, [list(apart)]).fetchall()
    ]
    if not parts:
        return {}
    rows = connection.execute(sql.SQL(" UNION ALL ").join(parts)).fetchall()
    found = {table: f"{count} rows, {int(content):x}" for table, count, content in rows}
    for name, definition in connection.execute(DEFINITIONS).fetchall():
        digest = hashlib.sha256((found.get(f"{name}:", "") + definition).encode())
        found[f"{name}:"] = digest.hexdigest()[:12]
    return found


@dataclass(frozen=True)
class State:
    """Databases by `place/name`, files by path, the session by operation."""

    databases: dict[str, dict[str, str]]
    files: dict[str, str]
    session: dict[str, Any]

    def difference(self, expected: State) -> list[str]:
        """Sentences about what is otherwise than expected."""
        lines = _difference("database", expected.databases, self.databases)
        for name in self.databases.keys() & expected.databases.keys():
            lines += _difference(name, expected.databases[name], self.databases[name])
        lines += _difference("file", expected.files, self.files)
        return lines + _difference("session", expected.session, self.session)


def _difference(what: str, expected: dict[str, Any], found: dict[str, Any]) -> list[str]:
    lines = [f"{what} {name!r} is missing" for name in expected.keys() - found.keys()]
    lines += [f"{what} {name!r} is too many" for name in found.keys() - expected.keys()]
    return sorted(lines) + [
        f"{what} {name!r}: expected {expected[name]}, found {found[name]}"
        for name in sorted(expected.keys() & found.keys())
        if expected[name] != found[name] and what != "database"
    ]


def undated(comment: str | None) -> str:
    return (comment or "").partition(", 2")[0]


@dataclass(frozen=True)
class Undisturbed:
    """A run to its end: how everything was before each operation, and what it came by."""

    states: Mapping[str, State]
    passages: Mapping[tuple[str, str], int]
