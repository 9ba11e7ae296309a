"""What hangs on moved columns alone, and is made anew on the new table, where they are as well.

Carried are indexes; check, unique and exclusion constraints; extended statistics; a column's
comment, and its settings (statistics target, storage, compression). Each is carried only where it
is certain: it speaks of columns that moved and of nothing else of the table, each of them has on
the new table the same type and collation, the name is free there, and the statement that
PostgreSQL gives for it says all of it.

Everything else stays a loss. A view, a function, a rule or a policy reads rows, and those of the
new table are others. A generated column and a trigger write into the old table; a foreign key and a
publication promise something to others; privileges and security labels are given by somebody. Of
a column's options (n_distinct) nobody knows whether they hold for the rows that moved. An index
that its table is clustered on, that is its replica identity, or that has a tablespace or statistics
of its own is more than its statement says; so are statistics of another owner.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, LiteralString

import psycopg
from psycopg import sql

from wizard.base.errors import OperationFailed, VerificationFailed
from wizard.postgres.dependants import walk
from wizard.postgres.dependants.dependant import Dependant

# Columns of the table, by name and number, and what is said of them on the new one; all of them
# where there is no new one yet. It is of the same schema, and may be altered by our role.
COUNTERPARTS = """
    SELECT quote_ident(a.attname), a.attnum::int, col_description(b.attrelid, b.attnum)
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
    LEFT JOIN pg_class d ON d.oid = %(new)s::oid
    LEFT JOIN pg_attribute b ON b.attrelid = d.oid
        AND b.attname IN (a.attname, %(prefix)s::text || a.attname)
    WHERE a.attrelid = %(table)s::oid AND a.attname = ANY(%(columns)s) AND a.attgenerated = ''
      AND c.relkind = 'r' AND NOT c.relispartition
      AND (%(new)s::oid IS NULL OR d.relkind = 'r' AND d.relnamespace = c.relnamespace
           AND pg_has_role(d.relowner, 'USAGE') AND b.attgenerated = ''
           AND (a.atttypid, a.atttypmod, a.attcollation)
               = (b.atttypid, b.atttypmod, b.attcollation))
"""
# Whether an object, or its index, depends on no other columns of the table than those. On the table
# itself an index of expressions depends as well; a whole row names the table in the definition.
ALONE: LiteralString = """
    NOT EXISTS (SELECT FROM pg_depend d
            WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = %(table)s::oid
              AND (d.classid = {of}::regclass AND d.objid = {oid}
                   OR d.classid = 'pg_class'::regclass AND d.objid = {index})
              AND d.refobjsubid <> 0 AND NOT d.refobjsubid = ANY(%(numbers)s::int[]))
"""
PLAIN_INDEX: LiteralString = """
    i.indisvalid AND NOT i.indisclustered AND NOT i.indisreplident AND x.reltablespace = 0
    AND x.relkind = 'i' AND NOT x.relispartition
    AND NOT EXISTS (SELECT FROM pg_attribute e WHERE e.attrelid = x.oid AND e.attstattarget >= 0)
"""


def _alone(of: LiteralString, oid: LiteralString, index: LiteralString = "0") -> LiteralString:
    return ALONE.replace("{of}", of).replace("{oid}", oid).replace("{index}", index)


CERTAIN: LiteralString = f"""
    SELECT (pg_identify_object('pg_class'::regclass, x.oid, 0)).identity
    FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid
    WHERE i.indrelid = %(table)s::oid AND {PLAIN_INDEX} AND {_alone("'pg_class'", "x.oid")}
    UNION ALL
    SELECT (pg_identify_object('pg_constraint'::regclass, k.oid, 0)).identity
    FROM pg_constraint k
    LEFT JOIN pg_index i ON i.indexrelid = k.conindid LEFT JOIN pg_class x ON x.oid = i.indexrelid
    WHERE k.conrelid = %(table)s::oid AND k.conislocal AND k.coninhcount = 0
      AND (k.contype = 'c' OR k.contype IN ('u', 'x') AND {PLAIN_INDEX})
      AND NOT EXISTS (SELECT FROM pg_constraint o
                      WHERE o.conrelid = %(new)s::oid AND o.conname = k.conname)
      AND {_alone("'pg_constraint'", "k.oid", "k.conindid")}
    UNION ALL
    SELECT (pg_identify_object('pg_statistic_ext'::regclass, s.oid, 0)).identity
    FROM pg_statistic_ext s JOIN pg_class c ON c.oid = s.stxrelid
    WHERE s.stxrelid = %(table)s::oid AND s.stxowner = c.relowner
      AND coalesce(s.stxstattarget, -1) < 0 AND {_alone("'pg_statistic_ext'", "s.oid")}
"""
KINDS = {
    "index": "INDEX {identity}",
    "check constraint": "CONSTRAINT {name} ON {table}",
    "unique constraint": "CONSTRAINT {name} ON {table}",
    "exclusion constraint": "CONSTRAINT {name} ON {table}",
    "statistics": "STATISTICS {identity}",
}
"""What is carried besides what is said of a column, and how COMMENT names it."""
NAME = """
    SELECT (pg_identify_object('pg_class'::regclass, c.oid, 0)).identity, c.relname::text
    FROM pg_class c WHERE c.oid = %s::oid
"""


@dataclass(frozen=True)
class Carried:
    """A dependant, by its name, what that is on the new table, and the statements that make it."""

    name: str
    new_name: str
    statements: Sequence[str]


async def carried(
    connection: psycopg.AsyncConnection[Any],
    objects: Sequence[Dependant],
    table: str,
    columns: Sequence[str],
    new: str | None,
    prefix: str,
) -> list[Carried]:
    """Return those of the dependants that can be made anew on the `new` table for certain.

    Its columns have the old table's names, or `prefix` before them. Where it is not there yet
    (None), it is taken to have them all. The statements have the old names of columns.
    """
    oid = await walk.find_table(connection, table)
    new_oid = None if new is None else await walk.find_table(connection, new)
    mine, word = await _name(connection, oid)
    theirs, _ = (mine, word) if new_oid is None else await _name(connection, new_oid)
    given = {"table": oid, "new": new_oid, "prefix": prefix, "columns": list(columns)}
    rows = await (await connection.execute(COUNTERPARTS, given)).fetchall()
    comments = {f"{mine}.{name}": comment for name, _, comment in rows}
    given["numbers"] = [number for _, number, _ in rows]
    certain = {row[0] for row in await (await connection.execute(CERTAIN, given)).fetchall()}
    listed = []
    for one in objects:
        if one.django_own or one.refuses or not one.certain:
            continue
        if one.kind == "column comment":
            sure = comments.get(one.identity, "another") in (None, one.comment)
        elif one.kind == "column settings":
            sure = one.identity in comments and " SET (" not in one.definition
        else:
            sure = one.kind in KINDS and one.identity in certain
        if sure and (statements := _statements(one, mine, word, theirs)):
            listed.append(Carried(one.name, _new_name(one, mine, theirs), statements))
    return listed


async def make(connection: psycopg.AsyncConnection[Any], listed: Sequence[Carried]) -> None:
    """Make them, in the connection's transaction. Raise OperationFailed where one cannot be."""
    for one in listed:
        try:
            for statement in one.statements:
                await connection.execute(statement.encode())
        except psycopg.Error as error:
            raise OperationFailed(
                f"The {one.name} cannot be made on the new table.",
                found=f"{one.statements[0]}\n{error}",
                hint="`remodel undo --to slugs`, drop it in the local database, and resume: it is "
                "a loss then, and you are asked to confirm it.",
            ) from error


def require_made(listed: Sequence[Carried], objects: Sequence[Dependant]) -> None:
    """Raise VerificationFailed unless each is among the new table's objects, with its comment.

    Definitions are not compared: PostgreSQL words some anew (`IN`), or in another order.
    """
    made = {one.name: one.comment for one in objects}
    missing = [
        one.name
        for one in listed
        if one.new_name not in made
        or not all(each.endswith(_is(made[one.new_name])) for each in one.statements[1:])
    ]
    if missing:
        raise VerificationFailed(
            "What was on the moved columns is not on the new table as it was.",
            found="\n".join(missing),
            hint="`remodel undo --to slugs`, drop it in the local database, and resume: it is a "
            "loss then, and you are asked to confirm it.",
        )


def _statements(one: Dependant, mine: str, word: str, theirs: str) -> tuple[str, ...]:
    """Return the statements for another table; () where the definition names the table again."""
    place = re.search(_place(mine), one.definition)
    if place is None:
        return ()
    before, after = one.definition[: place.start()], one.definition[place.end() :]
    if one.kind != "column comment" and re.search(
        rf"(?<![\w$]){re.escape(word)}(?![\w$])", f"{before} {after}"
    ):
        return ()
    statements: tuple[str, ...] = (before + theirs + after,)
    if one.comment and one.kind in KINDS:
        what = KINDS[one.kind].format(
            identity=one.identity, name=one.identity.removesuffix(f" on {mine}"), table=theirs
        )
        statements += (f"COMMENT ON {what}{_is(one.comment)}",)
    return statements


def _new_name(one: Dependant, mine: str, theirs: str) -> str:
    if one.kind in ("index", "statistics"):  # named by their schema alone
        return one.name
    return re.sub(_place(mine), lambda _: theirs, one.name, count=1)


def _place(table: str) -> str:
    return rf'(?<![\w$".]){re.escape(table)}(?![\w$"])'


def _is(comment: str) -> str:
    return f" IS {sql.Literal(comment).as_string(None)}"


async def _name(connection: psycopg.AsyncConnection[Any], oid: int) -> tuple[str, str]:
    """Return a table's name with its schema, quoted as needed, and its plain name."""
    row = await (await connection.execute(NAME, [oid])).fetchone()
    assert row is not None
    return row[0], row[1]
