"""What would make a delivery fail or surprise somebody, asked of the target beforehand.

What a delivery cannot succeed with stops it before anything is done. What it can is told, each
with its consequence; so is what an ordinary role cannot know.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import psycopg

from wizard.base.errors import OperationFailed
from wizard.postgres import server
from wizard.postgres.address import Address
from wizard.postgres.admin import swap as swaps
from wizard.postgres.database_settings import not_settable
from wizard.ssh.connection import Connection

LOCAL_HOSTS = ("", "localhost", "127.0.0.1", "::1")  # of a database on the host that SSH reaches
# Whether anything outside of an extension was made with something of it: a column of its type.
EXTENSIONS = """
    SELECT e.extname::text, EXISTS (
        SELECT FROM pg_depend m
        JOIN pg_depend d ON d.refclassid = m.classid AND d.refobjid = m.objid
        WHERE m.refclassid = 'pg_extension'::regclass AND m.refobjid = e.oid AND m.deptype = 'e'
          AND d.deptype = 'n' AND NOT EXISTS (
              SELECT FROM pg_depend o WHERE o.classid = d.classid AND o.objid = d.objid
                 AND o.refclassid = 'pg_extension'::regclass AND o.deptype = 'e'))
    FROM pg_extension e WHERE e.extname <> 'plpgsql' ORDER BY 1
"""
# A trusted extension is made by whoever may create in the database (from PostgreSQL 13 on).
MAY_EXTEND = """
    SELECT v.name::text, bool_or(me.rolsuper OR NOT v.superuser
                                 OR coalesce((to_jsonb(v) ->> 'trusted')::bool, false)),
           bool_or(v.name IN (SELECT extname FROM pg_extension))
    FROM pg_available_extension_versions v, pg_roles me
    WHERE me.rolname = current_user AND v.name = ANY(%s) GROUP BY 1
"""
# A new database is in the tablespace of the live one; for the default one no right is needed.
TABLESPACE = """
    SELECT spcname::text FROM pg_tablespace t JOIN pg_database d ON t.oid = d.dattablespace
    WHERE datname = current_database() AND spcname <> 'pg_default'
      AND NOT has_tablespace_privilege(t.oid, 'CREATE')
"""
FOREIGN = """
    SELECT format('%I.%I of %s', n.nspname, c.relname, pg_get_userbyid(c.relowner))
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND n.nspname !~ '^pg_'
      AND n.nspname <> 'information_schema' AND NOT pg_has_role(c.relowner, 'USAGE')
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass
                         AND d.objid = c.oid AND d.deptype = 'e')
    ORDER BY 1
"""


@dataclass(frozen=True)
class Needs:
    """What a delivery brings: `bytes` of a database, and its extensions, with whether anything
    uses them."""

    bytes: int | None = None
    extensions: Mapping[str, bool] = field(default_factory=dict)

    async def beyond(self, template: Address) -> Needs:
        """Return what is needed beyond the extensions that a template has."""
        async with server.session(template) as connection:
            cursor = await connection.execute("SELECT extname::text FROM pg_extension")
            there = {name for (name,) in await cursor.fetchall()}
        others = {name: used for name, used in self.extensions.items() if name not in there}
        return replace(self, extensions=others)


@dataclass(frozen=True)
class PreflightReport:
    """`faults` make this delivery impossible; `notes` are for the operator to know."""

    faults: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def plan_lines(self) -> tuple[str, ...]:
        """Return everything that was found, as lines of a plan."""
        return tuple(f"NOTE: {line}" for line in (*self.faults, *self.notes))

    def also(self, faults: Iterable[str]) -> PreflightReport:
        """Return the same with more faults."""
        return replace(self, faults=(*self.faults, *faults))

    def require(self, name: str, delivery: str) -> None:
        """Raise OperationFailed where there is a fault."""
        if self.faults:
            raise OperationFailed(
                f"A delivery to {name} ({delivery}) would fail.",
                found="\n".join(self.faults),
                hint="Nothing was done. Have each of these mended, then try again.",
            )


async def needs(address: Address) -> Needs:
    """Return what the database at `address` would need on a target."""
    here = await server.database(address)
    async with server.session(address) as connection:
        rows = await (await connection.execute(EXTENSIONS)).fetchall()
    return Needs(here.size if here else None, dict(rows))


async def swap(address: Address, needed: Needs, ssh: Connection | None) -> PreflightReport:
    """Check a delivery that makes a database beside the live one and renames both.

    `ssh` leads to the database's host, to look at its disk; None where that host is not reached.
    """
    async with server.session(address) as connection:
        name = address.database
        about = await server.about_session(connection)
        faults = [*await _pooled(connection), *await _not_owned(connection, name)]
        if not about.can_create_db:
            faults.append(
                f"the role {about.user} may not create databases: let a superuser run ALTER ROLE "
                f"... CREATEDB, or set `delivery: in place` for this target"
            )
        rows = await connection.execute(
            "SELECT gid FROM pg_prepared_xacts WHERE database = %s ORDER BY 1", [name]
        )
        faults += [
            f"the prepared transaction {gid!r} holds {name}, which PostgreSQL does not rename "
            "then: commit it or roll it back"
            for (gid,) in await rows.fetchall()
        ]
        cursor = await connection.execute(TABLESPACE)
        faults += [
            f"{name} lies in the tablespace {place}, in which our role may not create: let a "
            "superuser grant it CREATE on that"
            for (place,) in await cursor.fetchall()
        ]
        lacking, notes = await _extensions(connection, needed, new=True)
        short, room = await _disk(connection, needed, ssh)
        notes += [*room, *await _sessions(connection, name), *await _bound(connection, name)]
        notes += await not_settable(connection, name)
        return PreflightReport((*faults, *lacking, *short), tuple(notes))


async def in_place(address: Address, needed: Needs) -> PreflightReport:
    """Check a delivery that replaces the live database's contents in one transaction."""
    async with server.session(address) as connection:
        name = address.database
        faults = [*await _pooled(connection), *await _not_owned(connection, name)]
        rows = await (await connection.execute(FOREIGN)).fetchall()
        faults += [f"{what} is not ours to drop" for (what,) in rows]
        lacking, notes = await _extensions(connection, needed, new=False)
        return PreflightReport((*faults, *lacking), (*notes, *await _bound(connection, name)))


async def playbook(address: Address, needed: Needs) -> PreflightReport:
    """Check a delivery by the operator's own command. It may have other rights than we have, so
    everything is a note and nothing a fault."""
    async with server.session(address) as connection:
        name = address.database
        lacking, notes = await _extensions(connection, needed, new=True)
        notes += [*await _sessions(connection, name), *await _bound(connection, name)]
        return PreflightReport((), (*lacking, *notes))


async def _pooled(connection: psycopg.AsyncConnection[Any]) -> list[str]:
    """Return a fault where a pooler is between: the process id that it hands out is none of the
    server's."""
    pid = await (await connection.execute("SELECT pg_backend_pid()")).fetchone()
    if pid == (connection.info.backend_pid,):
        return []
    return [
        "this port is a pooler's, whose sessions are not ours alone and outlive a delivery: give "
        "the host and port of PostgreSQL itself"
    ]


async def _not_owned(connection: psycopg.AsyncConnection[Any], name: str) -> list[str]:
    cursor = await connection.execute(
        "SELECT pg_get_userbyid(datdba) FROM pg_database "
        "WHERE datname = %s AND NOT pg_has_role(datdba, 'USAGE')",
        [name],
    )
    return [
        f"the database {name} belongs to {owner}, and our role is not a member of that: deliver "
        f"as {owner}, or let a superuser grant it"
        for (owner,) in await cursor.fetchall()
    ]


async def _extensions(
    connection: psycopg.AsyncConnection[Any], needed: Needs, *, new: bool
) -> tuple[list[str], list[str]]:
    """Return the extensions that cannot be had in a `new` database, or in this one: as faults
    where they are used, as notes where not."""
    cursor = await connection.execute(MAY_EXTEND, [list(needed.extensions)])
    there = {name: (may, has) for name, may, has in await cursor.fetchall()}
    faults: list[str] = []
    notes: list[str] = []
    for name, used in needed.extensions.items():
        may, has = there.get(name, (None, False))
        if may or (has and not new):
            continue
        why = "the server does not have" if may is None else "only a superuser may create"
        if used:
            faults.append(f"the converted database uses the extension {name}, which {why}")
        else:
            notes.append(f"the extension {name}, which {why}, is left out; nothing uses it")
    return faults, notes


async def _sessions(connection: psycopg.AsyncConnection[Any], name: str) -> list[str]:
    """Return notes on sessions that our role may not end, and on those of poolers, which are known
    by the application name that they set."""
    ours_not = {other.pid for other in await swaps.untouchable(connection, name)}
    notes = []
    for other in await server.sessions_of(connection, name):
        if other.pid in ours_not:
            notes.append(
                f"our role may not end this session; while it is there the names are not swapped, "
                f"and {name} stays as it is: {other}"
            )
        elif other.application.lower().startswith(("pgbouncer", "pgcat", "odyssey", "pgpool")):
            notes.append(
                "a pooler's sessions are ended like all others, and a login that fails while the "
                "names are swapped may make it refuse its clients for seconds (PgBouncer: 15): "
                f"have `before` pause it and `after` resume it: {other}"
            )
    return notes


async def _bound(connection: psycopg.AsyncConnection[Any], name: str) -> list[str]:
    """Return notes on what is bound to the database itself, or is in no dump of ours."""
    cursor = await connection.execute(
        """
        SELECT 'logical replication slot ' || slot_name FROM pg_replication_slots
         WHERE database = %(name)s
        UNION ALL SELECT 'publication ' || pubname FROM pg_publication
        UNION ALL SELECT 'subscription ' || subname FROM pg_subscription
         WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = %(name)s)
        ORDER BY 1
        """,
        {"name": name},
    )
    return [
        f"the {what} is used by replication: set that up again after the delivery"
        for (what,) in await cursor.fetchall()
    ]


async def _disk(
    connection: psycopg.AsyncConnection[Any], needed: Needs, ssh: Connection | None
) -> tuple[list[str], list[str]]:
    """Return, as faults and notes, whether the disk has room for a second database."""
    if needed.bytes is None:
        return [], []
    need = f"the new database takes about {needed.bytes:,} bytes beside the old one"
    cursor = await connection.execute(
        """
        SELECT coalesce(nullif(pg_tablespace_location(d.dattablespace), ''),
                        (SELECT setting FROM pg_settings WHERE name = 'data_directory'))
        FROM pg_database d WHERE datname = current_database()
        """
    )
    (place,) = await cursor.fetchone() or (None,)
    if ssh is None or place is None:
        why = "our role is not told where" if place is None else "its host is not reached by SSH"
        return [], [f"{need}; how much is free there is not known ({why})"]
    done = await ssh.run(["df", "-Pk", "--", place])
    fields = done.stdout.splitlines()[-1].split() if done.returncode == 0 else []
    if len(fields) < 4 or not fields[3].isdigit():
        return [], [f"{need}; how much is free there is not known (df does not tell of {place})"]
    free = int(fields[3]) * 1024
    sentence = f"{need}; {free:,} are free in {place}"
    return ([sentence], []) if free < needed.bytes else ([], [sentence])
