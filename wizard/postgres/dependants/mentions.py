"""What may read a column and isn't in pg_depend: a function's text, a trigger's words, a job.

Textual, so it names too much rather than too little; text that is put together when it runs
(`EXECUTE format(...)`) is seen where the names are whole in it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, LiteralString

import psycopg

from wizard.postgres.dependants.dependant import Dependant
from wizard.postgres.dependants.descriptions import privileges
from wizard.postgres.dependants.walk import Thing

# Of our own functions, those with a text in which any of the names stands.
TEXTS: LiteralString = f"""
    SELECT p.oid::bigint, (pg_identify_object('pg_proc'::regclass, p.oid, 0)).identity, p.prosrc,
           CASE WHEN p.prokind <> 'a' THEN pg_get_functiondef(p.oid) ELSE '' END,
           pg_get_userbyid(p.proowner)::text,
           {privileges("p.proacl", "acldefault('f', p.proowner)")},
           obj_description(p.oid, 'pg_proc'),
           ARRAY(SELECT g.tgrelid::bigint FROM pg_trigger g
                 WHERE g.tgfoid = p.oid AND g.tgrelid = ANY(%(tables)s::oid[]))
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
    JOIN pg_language l ON l.oid = p.prolang
    WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
      AND l.lanname NOT IN ('internal', 'c') AND p.prokind <> 'a'
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass
                      AND d.objid = p.oid AND d.deptype = 'e')
      AND EXISTS (SELECT FROM unnest(%(names)s::text[]) m
                  WHERE position(lower(m) IN lower(p.prosrc)) > 0)
    ORDER BY 2
"""
# tsvector_update_trigger('search', 'pg_catalog.english', 'keywords')
ARGUMENTS = """
    SELECT g.oid::bigint, (pg_identify_object('pg_trigger'::regclass, g.oid, 0)).identity,
           pg_get_triggerdef(g.oid), replace(encode(g.tgargs, 'escape'), '\\000', ' '),
           obj_description(g.oid, 'pg_trigger'), g.tgrelid::bigint
    FROM pg_trigger g
    WHERE g.tgrelid = ANY(%(tables)s::oid[]) AND NOT g.tgisinternal AND g.tgnargs > 0
    ORDER BY 2
"""
# A whole row is column 0 in the server's parse trees; as a type it is in the signature.
ROWS = """
    SELECT DISTINCT CASE c.relkind WHEN 'm' THEN 'materialized view' WHEN 'v' THEN 'view'
                        ELSE 'rule' END, k.identity, o.of::text, o.oid::bigint,
           d.refobjid::bigint
    FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid JOIN pg_class c ON c.oid = r.ev_class
    CROSS JOIN LATERAL (
        SELECT 'pg_class'::regclass, c.oid WHERE c.relkind IN ('v', 'm')
        UNION ALL SELECT 'pg_rewrite'::regclass, r.oid WHERE c.relkind NOT IN ('v', 'm')
    ) o (of, oid)
    CROSS JOIN LATERAL pg_identify_object(o.of, o.oid, 0) k
    WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass
      AND d.refobjid = ANY(%(tables)s::oid[]) AND d.refobjsubid = 0
      AND (r.ev_action::text ~ ':varattno 0 ' OR r.ev_qual::text ~ ':varattno 0 ')
    UNION
    SELECT 'function', (pg_identify_object('pg_proc'::regclass, p.oid, 0)).identity, 'pg_proc',
           p.oid::bigint, c.oid::bigint
    FROM pg_class c JOIN pg_type t ON t.oid = c.reltype
    JOIN pg_depend d ON d.classid = 'pg_proc'::regclass
        AND (d.refclassid = 'pg_type'::regclass AND d.refobjid IN (t.oid, t.typarray)
             OR d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid AND d.refobjsubid = 0)
    JOIN pg_proc p ON p.oid = d.objid
    WHERE c.oid = ANY(%(tables)s::oid[])
      AND (d.refclassid = 'pg_type'::regclass OR p.prosqlbody::text ~ ':varattno 0 ')
    ORDER BY 1, 2
"""
CRON = """
    SELECT EXISTS (
        SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = 'cron' AND c.relname = 'job'
          AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT'))
"""
JOBS = "SELECT j.jobid::text, j.command::text, to_jsonb(j)->>'username' FROM cron.job j ORDER BY 1"
EVERYTHING = re.compile(r"\*")


@dataclass
class Table:
    """A table's plain name, its label, and both of its columns that go; none where it goes."""

    name: str
    label: str
    columns: dict[str, str] = field(default_factory=dict)

    def read_by(self, text: str, *, has_rows: bool) -> list[str]:
        """Return what the text reads, as far as its words say. `has_rows`: rows of the table come
        to it without its name, as to a trigger."""
        is_named = _says(text, self.name)
        if not self.columns:
            return [self.label] if is_named else []
        if not is_named and not has_rows:
            return []
        columns = [label for name, label in self.columns.items() if _says(text, name)]
        return columns or ([f"{self.label}.*"] if is_named and "*" in text else [])


@dataclass(frozen=True)
class Names:
    """The words to look for: tables by OID, and what else goes by its plain name."""

    tables: Mapping[int, Table]
    gone: Mapping[str, str]

    @property
    def every(self) -> list[str]:
        """Every plain name."""
        tables = self.tables.values()
        return [
            *(each.name for each in tables),
            *(name for each in tables for name in each.columns),
            *self.gone,
        ]

    def read_by(self, text: str, rows_of: Collection[int] = ()) -> list[str]:
        """Return what the text reads, as far as its words say; rows of some tables come to it."""
        read = [
            label
            for oid, table in self.tables.items()
            for label in table.read_by(text, has_rows=oid in rows_of)
        ]
        return read + [name for word, name in self.gone.items() if _says(text, word)]


async def find(
    connection: psycopg.AsyncConnection[Any], names: Names, known: Collection[Thing]
) -> list[Dependant]:
    """Return what may read any of `names` and is none of `known`."""
    texts = await _texts(connection, names, known)
    read = {each.identity for each in texts}
    rows = await _rows(connection, names, known)
    return [
        *texts,
        *await _arguments(connection, names, known),
        *(each for each in rows if each.identity not in read),
        *await _jobs(connection, names),
    ]


async def _texts(
    connection: psycopg.AsyncConnection[Any], names: Names, known: Collection[Thing]
) -> list[Dependant]:
    given = {"tables": list(names.tables), "names": names.every}
    listed = []
    for row in await (await connection.execute(TEXTS, given)).fetchall():
        oid, identity, text, definition, owner, granted, comment, rows_of = row
        read = names.read_by(text, rows_of)
        if read and Thing("pg_proc", oid) not in known:
            listed.append(
                _maybe("function text", identity, definition, read, owner, tuple(granted), comment)
            )
    return listed


async def _arguments(
    connection: psycopg.AsyncConnection[Any], names: Names, known: Collection[Thing]
) -> list[Dependant]:
    listed = []
    rows = await (await connection.execute(ARGUMENTS, {"tables": list(names.tables)})).fetchall()
    for oid, identity, definition, text, comment, table in rows:
        read = names.read_by(text, [table])
        if read and Thing("pg_trigger", oid) not in known:
            listed.append(_maybe("trigger", identity, definition, read, comment=comment))
    return listed


async def _rows(
    connection: psycopg.AsyncConnection[Any], names: Names, known: Collection[Thing]
) -> list[Dependant]:
    rows = await (await connection.execute(ROWS, {"tables": list(names.tables)})).fetchall()
    return [
        _maybe(kind, identity, "", [f"{names.tables[table].label}.*"])
        for kind, identity, of, oid, table in rows
        if Thing(of, oid) not in known
    ]


async def _jobs(connection: psycopg.AsyncConnection[Any], names: Names) -> list[Dependant]:
    row = await (await connection.execute(CRON)).fetchone()
    if row is None or not row[0]:
        return []
    jobs = await (await connection.execute(JOBS)).fetchall()
    read = [(each, names.read_by(each[1])) for each in jobs]
    return [_maybe("cron job", job, text, what, owner) for (job, text, owner), what in read if what]


def _maybe(
    kind: str,
    identity: str,
    definition: str,
    because: Sequence[str],
    owner: str | None = "",
    granted: tuple[str, ...] = (),
    comment: str | None = "",
) -> Dependant:
    return Dependant(
        kind,
        identity,
        definition,
        owner or "",
        granted,
        comment or "",
        tuple(dict.fromkeys(because)),
        certain=False,
    )


def _says(text: str, name: str) -> bool:
    """Whether the name stands in the text as a word of its own, quoted or not."""
    return re.search(rf"(?<![\w$]){re.escape(name)}(?![\w$])", text, re.IGNORECASE) is not None
