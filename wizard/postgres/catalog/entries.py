"""Every object of a database in normal form, as pg_dump describes it.

One pg_dump describes both databases that are compared, so that its version makes no difference.
What it leaves to others, or does not tell, is asked of the catalog: see `BESIDE`. OIDs, the order
of columns and of privileges are no part of the form.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psycopg

from wizard.base import process
from wizard.base.errors import OperationFailed
from wizard.postgres import server
from wizard.postgres.address import Address
from wizard.postgres.catalog import archive_toc
from wizard.postgres.catalog.archive_toc import TocEntry
from wizard.postgres.dumps import tools
from wizard.postgres.dumps.directory import TOC
from wizard.postgres.dumps.tools import Tool
from wizard.ssh.connection import Connection

LEFT_OUT = ("ENCODING", "STDSTRINGS", "SEARCHPATH", "SUBSCRIPTION", "SUBSCRIPTION TABLE")
"""Settings of pg_restore's session, which are no objects, and subscriptions: never restored."""

PUBLIC = "public"
"""The schema that every database has from the beginning, owned by `pg_database_owner` since 15."""
LARGE_OBJECT = "LARGE OBJECT"
PRIVILEGES = ("ACL", "DEFAULT ACL")
NO_OBJECTS = (
    *(*LEFT_OUT, *PRIVILEGES, "TABLE DATA", "SEQUENCE SET", "MATERIALIZED VIEW DATA"),
    *("BLOB", "BLOBS", "BLOB METADATA", "BLOB COMMENTS"),
)
"""Entries of a whole archive that are contents, or what a copy is not given."""
BELONGING = ("ACL", "COMMENT", "SECURITY LABEL")
OF_ANOTHER = (
    *(*BELONGING, "DEFAULT", "CONSTRAINT", "FK CONSTRAINT"),
    *("CHECK CONSTRAINT", "INDEX", "INDEX ATTACH", "TABLE ATTACH", "TRIGGER", "RULE", "POLICY"),
    *("ROW SECURITY", "SEQUENCE OWNED BY", "PUBLICATION TABLE"),
)
"""Kinds of objects whose owner is that of the object which they belong to."""

WITH_OPTIONS = ("FOREIGN DATA WRAPPER", "SERVER", "USER MAPPING", "FOREIGN TABLE")
"""Kinds whose options may hold a password: their definition is a digest of it."""

BESIDE = """
    SELECT 'EXTENSION VERSION', '', extname::text, '', extversion FROM pg_extension
    UNION ALL
    SELECT 'MATERIALIZED VIEW DATA', nspname, relname, '',
           CASE WHEN relispopulated THEN 'populated' ELSE 'not populated' END
    FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE relkind = 'm'
    UNION ALL
    SELECT 'INVALID INDEX', nspname, relname, '', pg_get_indexdef(c.oid)
    FROM pg_index i JOIN pg_class c ON c.oid = indexrelid
    JOIN pg_namespace n ON n.oid = relnamespace
    WHERE NOT (indisvalid AND indisready AND indislive) AND nspname !~ '^pg_'
    UNION ALL
    SELECT 'LARGE OBJECT', '', l.oid::text, pg_get_userbyid(lomowner), concat_ws(E'\n',
           'COMMENT ON LARGE OBJECT ' || l.oid || ' IS '
               || quote_literal(obj_description(l.oid, 'pg_largeobject')) || ';',
           (SELECT string_agg(format('GRANT %s ON LARGE OBJECT %s TO %s%s;', privilege_type, l.oid,
                   CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END,
                   CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END),
                   E'\n' ORDER BY grantee::text, privilege_type)
            FROM aclexplode(lomacl) WHERE grantee <> lomowner))
    FROM pg_largeobject_metadata l
    UNION ALL
    SELECT 'COLLATION VERSION', nspname, collname, '', collversion
    FROM pg_collation l JOIN pg_namespace n ON n.oid = collnamespace
    WHERE collversion IS NOT NULL AND nspname <> 'pg_catalog'
    UNION ALL
    SELECT 'DATABASE VERSION OF COLLATION', '', '', '', {version}
    FROM pg_database d WHERE datname = current_database()
"""
WORD = r"'(?:[^']|'')*'::(?:character varying|bpchar)"
LIST_CAST = re.compile(rf"\(ARRAY\[({WORD}(?:, {WORD})*)\]\)::text\[\]")
"""`state IN (...)` of a varchar: the server casts the list, and after a restore every word."""
DATABASE = re.compile(r'\bDATABASE ("(?:[^"]|"")+"|[^\s";]+)')
AUTHORITY = ("SET SESSION AUTHORIZATION ", "RESET SESSION AUTHORIZATION")
VERSION_OF_DATABASE = 15  # the first server that knows a database's version of its collation


COMPARED = ("definition", "owner", "tablespace", "access_method")
"""Fields of an entry that have to be the same."""


@dataclass(frozen=True, order=True)
class Key:
    """What an object is called: pg_dump's word for its kind, its schema and its name."""

    kind: str
    schema: str
    name: str

    @property
    def of_database(self) -> bool:
        """Return whether this is about the database itself: its settings, owner or comment."""
        return self.kind.startswith("DATABASE") or self.name == "DATABASE"

    def __str__(self) -> str:
        return " ".join(part for part in (self.kind, self.schema, self.name) if part)


@dataclass(frozen=True)
class Entry:
    """An object in normal form. Several of one name, as operators are, are one entry."""

    definition: str
    owner: str = ""
    tablespace: str = ""
    access_method: str = ""
    of: Key | None = field(default=None, compare=False)
    """What a comment, privileges or a label belong to."""
    statements: str = field(default="", compare=False)
    """What makes it, as pg_dump wrote it."""
    by: str = field(default="", compare=False)
    """The role that has the right to make it, as pg_dump tells; '' where it does not."""
    called: str = field(default="", compare=False)
    """What ALTER and DROP call it, its kind in front: `TABLE public.page`."""


Catalog = Mapping[Key, Entry]


def to_json(catalog: Catalog) -> list[list[Any]]:
    """Return a catalog as `from_json` reads it back; without the statements that may hold a
    password."""
    return [
        [
            *(key.kind, key.schema, key.name),
            *(getattr(one, name) for name in COMPARED),
            "" if key.kind in WITH_OPTIONS else one.statements,
            one.called,
            one.of and [one.of.kind, one.of.schema, one.of.name],
        ]
        for key, one in catalog.items()
    ]


def from_json(data: Iterable[Sequence[Any]]) -> Catalog:
    """Return the catalog that `to_json` was given."""
    read = {}
    for kind, schema, name, definition, owner, place, method, statements, called, of in data:
        read[Key(kind, schema, name)] = Entry(
            definition=definition,
            owner=owner,
            tablespace=place,
            access_method=method,
            of=Key(*of) if of else None,
            statements=statements,
            called=called,
        )
    return read


def of_archive(archive: Path) -> set[Key]:
    """Return the objects that an archive of a database makes, owners and privileges left aside.

    Raise OperationFailed where it is of an unknown version.
    """
    with (archive / TOC if archive.is_dir() else archive).open("rb") as file:
        keys = {_key(entry) for entry in archive_toc.read(file) if entry.kind not in NO_OBJECTS}
    return {key for key in keys if not (key.of_database or _of_superuser(key))}


def _of_superuser(key: Key) -> bool:
    """Return whether no restore of ours makes it, and every database has one."""
    return key.kind == "COMMENT" and key.name.startswith(("EXTENSION ", "SCHEMA public"))


async def describe(
    address: Address,
    pg_dump: Tool,
    *,
    ssh: Connection | None = None,
    far: Address | None = None,
) -> Catalog:
    """Return every object of a database, as `pg_dump` here describes it.

    Over `ssh` it is a pg_dump of the far side, which reaches the same database as `far`. Raise
    OperationFailed with pg_dump's own words where it fails.
    """
    argv = [str(pg_dump.path), "--schema-only", "--create", "--format=custom", "--compress=0"]
    argv += ["--encoding=UTF8", "--lock-wait-timeout=5000"]
    settings = await server.client_settings(address)
    starting: AbstractAsyncContextManager[process.OutputStream]
    if ssh is not None and far is not None:
        command, password = tools.on_far_side(argv, far, settings)
        starting = ssh.stream(command, stdin=password)
    else:
        env = {**tools.environment(address), **settings}
        starting = process.start([*argv, *tools.reach(address)], env=env)
    archive = io.BytesIO()
    async with starting as output:
        async for chunk in output:
            archive.write(chunk)
        if output.returncode != 0:
            raise OperationFailed(
                f"pg_dump could not describe the objects of {address}.", found=output.stderr_tail
            )
    archive.seek(0)
    entries = [entry for entry in archive_toc.read(archive) if entry.kind not in LEFT_OUT]
    async with server.session(address) as connection:
        return normal([*entries, *await _beside(connection)])


async def _beside(connection: psycopg.AsyncConnection[Any]) -> list[TocEntry]:
    known = connection.info.server_version // 10_000 >= VERSION_OF_DATABASE
    query = BESIDE.format(version="datcollversion" if known else "''")
    rows = await (await connection.execute(query.encode())).fetchall()
    return [
        TocEntry(kind, schema, name, owner, "", "", text or "")
        for kind, schema, name, owner, text in rows
    ]


def normal(entries: Iterable[TocEntry]) -> dict[Key, Entry]:
    """Return entries by key, in normal form and in the archive's order."""
    alike: dict[Key, list[Entry]] = defaultdict(list)
    numbered: dict[int, Key] = {}
    for entry in entries:
        key = numbered[entry.number] = _key(entry)
        alike[key].append(
            Entry(
                definition=_definition(entry),
                owner=entry.owner if _owned(entry) else "",
                tablespace=entry.tablespace,
                access_method=entry.access_method,
                statements=entry.definition,
                by=entry.owner,
                called=_called(entry),
                of=numbered.get(entry.depends_on[0])
                if entry.kind in BELONGING and entry.depends_on
                else None,
            )
        )
    return {key: _one(several) for key, several in alike.items()}


def _key(entry: TocEntry) -> Key:
    name = entry.name
    if entry.kind in ("DATABASE", "DATABASE PROPERTIES"):
        name = ""
    elif name.startswith("DATABASE "):  # of a comment, privileges, a label
        name = "DATABASE"
    return Key(entry.kind, entry.schema, name)


def _owned(entry: TocEntry) -> bool:
    """Return whether ALTER can change its owner: not that of an identity column's sequence."""
    return entry.kind not in OF_ANOTHER and bool(_called(entry))


def _called(entry: TocEntry) -> str:
    if entry.kind == LARGE_OBJECT:
        return f"{entry.kind} {entry.name}"
    return entry.drop.strip().removesuffix(";").removeprefix("DROP ")


def _definition(entry: TocEntry) -> str:
    text = LIST_CAST.sub(_with_words_cast, entry.definition.strip())
    if entry.kind.startswith("DATABASE") or entry.name.startswith("DATABASE "):
        text = DATABASE.sub("DATABASE", text)
    if entry.kind in (*PRIVILEGES, "DATABASE PROPERTIES", LARGE_OBJECT):
        return "\n".join(sorted(_statements(text)))
    if entry.kind == "TABLE":
        return _sorted_columns(text)
    if entry.kind in WITH_OPTIONS:
        return hashlib.sha256(text.encode()).hexdigest()
    return text


def _with_words_cast(in_list: re.Match[str]) -> str:
    """Return the list as a restored database has it."""
    words = [f"({word})::text" for word in re.findall(WORD, in_list[1])]
    return f"ARRAY[{', '.join(words)}]"


def _statements(text: str) -> list[str]:
    """Return the statements, each with the role by whose authority it is made."""
    made, authority = [], ""
    for statement in filter(None, map(str.strip, re.split(r";(?:\n|$)", text))):
        if statement.startswith(AUTHORITY):
            authority = statement.removeprefix(AUTHORITY[0]) if statement != AUTHORITY[1] else ""
        else:
            made.append(f"{statement} (as {authority});" if authority else f"{statement};")
    return made


def _sorted_columns(text: str) -> str:
    """Return a CREATE TABLE with its columns and constraints, a line each, in alphabetic order."""
    first, open_, rest = text.partition(" (\n")
    columns, close, end = rest.rpartition("\n)")
    if not open_ or not close:
        return text
    lines = sorted(line.removesuffix(",") for line in columns.split("\n"))
    return "\n".join([f"{first} (", *lines, f"){end}"])


def _one(several: list[Entry]) -> Entry:
    if len(several) == 1:
        return several[0]
    first = several[0]
    return replace(
        first,
        definition="\n".join(sorted(entry.definition for entry in several)),
        statements="\n".join(entry.statements for entry in several),
        owner=" ".join(sorted({entry.owner for entry in several})),
    )
