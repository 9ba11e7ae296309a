"""What a conversion locks before it looks: every table that it writes, or reads for references.

All in one statement, before the transaction's first query: then its snapshot is of after the
locks, others' writes to these tables wait, those to all other tables are not seen, and whatever
differs in the end is its own doing. Readers go on.
"""

from __future__ import annotations

from typing import Any

from ..protocol import Refusal
from ..site.database import page_connection
from ..site.models import chain
from ..site.tree import quoted
from ..site.types import Cursor, Model
from . import columns
from .kinds import KINDS

PATIENCE = "10s"  # for one lock

# A view that a model stands for has no rows of its own, and what our role may not write to, it
# cannot lock.
LOCKABLE = """
    SELECT c.oid::regclass::text
      FROM unnest(%s::text[]) AS t (name) JOIN pg_class c ON c.oid = to_regclass(t.name)
     WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't'
       AND has_table_privilege(c.oid, 'UPDATE, DELETE, TRUNCATE')
     ORDER BY 1
"""
HOLDING = """
    SELECT a.pid, a.usename::text, a.application_name, a.state, l.relation::regclass::text
      FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
     WHERE l.granted AND l.pid <> pg_backend_pid() AND l.relation = ANY(%s::regclass[])
       AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
       AND l.mode NOT IN ('AccessShareLock', 'RowShareLock')
     ORDER BY 1, 5
"""


def tables(*types: Model) -> list[str]:
    """Return the tables that hold pages of these types, or may refer to one; quoted, in order."""
    from django.contrib.contenttypes.models import ContentType

    names = {ContentType._meta.db_table}  # Django makes what is missing when it is asked for one
    for model in types:
        names |= {level._meta.db_table for level in chain(model)}
        names |= {link.table for link in columns.subclass_links(model)}
        names |= {table for kind in KINDS for table in kind.tables(model)}
    with page_connection().cursor() as cursor:
        cursor.execute(LOCKABLE, [[quoted(name) for name in sorted(names)]])
        return [table for (table,) in cursor.fetchall()]


def take(cursor: Cursor, locked: list[str]) -> None:
    """Lock the tables against writing, then let the transaction see one moment. Raise Refusal
    `locked`, naming who has one of them.

    These have to be the first statements of the transaction.
    """
    from django.db import OperationalError

    cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    cursor.execute(f"SET LOCAL lock_timeout = '{PATIENCE}'")
    try:
        cursor.execute(f"LOCK TABLE {', '.join(locked)} IN SHARE ROW EXCLUSIVE MODE")
    except OperationalError as error:
        if type(error.__cause__).__name__ != "LockNotAvailable":
            raise
        raise Refusal(
            "locked",
            "Somebody is writing to the tables that the conversion needs, and does not end.",
            found=_holders(locked) or str(error).strip(),
            hint="End these programs (a development server, a shell, psql) and try again. "
            "Nothing was changed.",
        ) from None
    cursor.execute("SET LOCAL lock_timeout = 0")


def _holders(locked: list[str]) -> str:
    """Return who has the tables, asked over a connection of its own; '' where nobody has by now."""
    connection = page_connection().copy()
    try:
        with connection.cursor() as cursor:
            cursor.execute(HOLDING, [locked])
            lines: dict[Any, list[str]] = {}
            for pid, user, program, state, table in cursor.fetchall():
                lines.setdefault((pid, user, program, state), []).append(table)
    finally:
        connection.close()
    return "\n".join(
        f"pid {pid}, {user}, {program or 'no name'}, {state}: {', '.join(names)}"
        for (pid, user, program, state), names in lines.items()
    )
