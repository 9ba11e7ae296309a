"""What a server and its databases are like, read by an ordinary role."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, LiteralString

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from wizard.base.errors import ConnectionFailed, OperationFailed
from wizard.postgres.address import Address, connect

NAME_LIMIT = 63  # bytes: NAMEDATALEN - 1


@dataclass(frozen=True)
class Server:
    """A server, and what the role we are may do on it."""

    version: str
    major: int
    user: str
    can_create_db: bool
    is_superuser: bool


@dataclass(frozen=True)
class DatabaseRow:
    """A database as its server's catalog has it. `size` is in bytes, None where not allowed."""

    name: str
    oid: int
    owner: str
    encoding: str
    provider: str  # "c" libc, "i" ICU, "b" built in (pg_database.datlocprovider)
    collate: str
    ctype: str
    locale: str | None
    icu_rules: str | None
    connection_limit: int
    allows_connections: bool
    size: int | None
    tablespace: str = "pg_default"
    """The default one of what is made in it."""

    @property
    def closed(self) -> bool:
        """Whether it lets nobody in: a swap was cut off in its middle, or this is a kept one."""
        return self.connection_limit == 0 or not self.allows_connections


# PostgreSQL sends autovacuum workers away itself when a database is renamed or copied.
SESSIONS = """
    SELECT pid, coalesce(usename, ''), coalesce(application_name, ''),
           coalesce(client_addr::text, ''), coalesce(state, '')
    FROM pg_stat_activity
    WHERE datname = {name} AND pid <> pg_backend_pid() AND usesysid IS NOT NULL
      AND backend_type IS DISTINCT FROM 'autovacuum worker'
    ORDER BY pid
"""


@dataclass(frozen=True)
class Backend:
    """Somebody connected to a database."""

    pid: int
    user: str
    application: str
    client: str
    state: str

    def __str__(self) -> str:
        what = f"{self.application or 'unnamed application'} from {self.client or 'this machine'}"
        return f"pid {self.pid}, role {self.user}, {what}, {self.state or 'state not shown to us'}"


@dataclass(frozen=True)
class Contents:
    """How much a database holds: ordinary tables, and the bytes of their rows on disk."""

    tables: int
    bytes: int


@asynccontextmanager
async def session(
    address: Address, *, autocommit: bool = True
) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
    """Open a session in the database of `address`.

    Raise ConnectionFailed when it cannot be had or is lost, OperationFailed when the server
    refuses a statement.
    """
    connection = await connect(address, autocommit=autocommit)
    try:
        async with connection:
            yield connection
    except psycopg.Error as error:
        if connection.broken:  # leaving has closed it, whatever came before
            raise ConnectionFailed(
                f"The connection to the database {address} was lost.",
                found=str(error),
                hint="Check the server and the network, then run again.",
            ) from None
        raise OperationFailed(
            f"PostgreSQL refused a statement in {address}.", found=str(error)
        ) from None


@asynccontextmanager
async def operations(address: Address) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
    """Open a session beside `address.database`, for what cannot be done from inside it.

    In `postgres`, or in `template1` where there is no `postgres`. Raise as `session`.
    """
    place = address.at("postgres")
    try:
        await (await connect(place)).close()
    except ConnectionFailed:
        place = address.at("template1")
    async with session(place) as connection:
        yield connection


async def client_settings(address: Address) -> dict[str, str]:
    """Return our own settings as a client program takes them; nothing before a pooler."""
    async with session(address) as connection:
        options = connection.info.options
    return {"PGOPTIONS": options} if options else {}


async def about(address: Address) -> Server:
    """Return the server of `address`, and what our role may do. Needs the database to exist."""
    async with session(address) as connection:
        return await about_session(connection)


async def about_session(connection: psycopg.AsyncConnection[Any]) -> Server:
    """Return the server that `connection` is to."""
    cursor = await connection.execute(
        """
        SELECT current_setting('server_version'), rolname, rolcreatedb OR rolsuper, rolsuper
        FROM pg_roles WHERE rolname = current_user
        """
    )
    version, user, can_create_db, is_superuser = await _one(cursor)
    return Server(
        version,
        connection.info.server_version // 10_000,
        user,
        can_create_db,
        is_superuser,
    )


async def databases(address: Address) -> list[DatabaseRow]:
    """Return every database of the server but the templates, by name."""
    async with operations(address) as beside_it:
        return await databases_of(beside_it)


async def database(address: Address) -> DatabaseRow | None:
    """Return the database of `address`, or None where there is none of that name."""
    return {row.name: row for row in await databases(address)}.get(address.database)


async def databases_of(connection: psycopg.AsyncConnection[Any]) -> list[DatabaseRow]:
    """Return the same as `databases`, over an open connection, which may be in a transaction."""
    major = connection.info.server_version // 10_000
    provider: LiteralString = "datlocprovider::text" if major >= 15 else "'c'"
    locale: LiteralString = (
        "datlocale" if major >= 17 else "daticulocale" if major >= 15 else "NULL::text"
    )
    rules: LiteralString = "daticurules" if major >= 16 else "NULL::text"
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(
            f"""
            SELECT datname AS name, oid::bigint AS oid, pg_get_userbyid(datdba) AS owner,
                   pg_encoding_to_char(encoding) AS encoding, {provider} AS provider,
                   datcollate AS collate, datctype AS ctype, {locale} AS locale,
                   {rules} AS icu_rules, datconnlimit AS connection_limit,
                   datallowconn AS allows_connections,
                   CASE WHEN has_database_privilege(oid, 'CONNECT') THEN pg_database_size(oid) END
                       AS size,
                   (SELECT spcname FROM pg_tablespace t WHERE t.oid = dattablespace) AS tablespace
            FROM pg_database WHERE NOT datistemplate ORDER BY datname
            """
        )
        return [DatabaseRow(**row) for row in await cursor.fetchall()]


async def sessions(address: Address) -> list[Backend]:
    """Return who is connected to the database of `address`, autovacuum left out."""
    async with operations(address) as beside_it:
        return await sessions_of(beside_it, address.database)


async def sessions_of(connection: psycopg.AsyncConnection[Any], name: str) -> list[Backend]:
    """Return who is connected to the database `name`, but for `connection` itself.

    Of other roles' sessions an ordinary role sees pid, role and application, and little else.
    """
    cursor = await connection.execute(sql.SQL(SESSIONS).format(name=sql.Literal(name)))
    return [Backend(*row) for row in await cursor.fetchall()]


async def contents(address: Address) -> Contents:
    """Return how many tables the database has, and the bytes that their rows take."""
    sizes = await table_sizes(address)
    return Contents(len(sizes), sum(sizes.values()))


async def table_sizes(address: Address) -> dict[str, int]:
    """Return the bytes of each table's rows on disk, out-of-line values included, indexes not.

    Keys are `schema.table`, as pg_dump names them in its messages.
    """
    async with session(address) as connection:
        cursor = await connection.execute(
            """
            SELECT n.nspname || '.' || c.relname,
                   pg_relation_size(c.oid)
                   + CASE WHEN c.reltoastrelid <> 0 THEN pg_relation_size(c.reltoastrelid)
                          ELSE 0 END
            FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE c.relkind = 'r' AND c.relpersistence <> 't'
              AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
            """
        )
        return {name: size or 0 for name, size in await cursor.fetchall()}


def beside(database: str, label: str) -> str:
    """Return the name of a database that belongs to `database`: `podcast__checkpoint`.

    At most 63 bytes, as PostgreSQL would cut it silently; what is too long is shortened and told
    apart by a digest.
    """
    name = f"{database}__{label}"
    if len(name.encode()) <= NAME_LIMIT:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    room = NAME_LIMIT - len(f"_{digest}__{label}".encode())
    if room < 1:
        raise OperationFailed(f"The label {label!r} is too long for a database's name.")
    return f"{database.encode()[:room].decode(errors='ignore')}_{digest}__{label}"


async def _one(cursor: psycopg.AsyncCursor[Any]) -> tuple[Any, ...]:
    row: tuple[Any, ...] | None = await cursor.fetchone()
    if row is None:
        raise OperationFailed("A question to the catalog had no answer.")
    return row
