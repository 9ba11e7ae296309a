"""Restoring an archive into a new database beside the one it is to replace."""

from __future__ import annotations

import re
import tempfile
from collections.abc import AsyncGenerator, Collection
from typing import Any

import psycopg
from psycopg import sql

from wizard.base.errors import OperationFailed, RemodelError
from wizard.base.events import Report
from wizard.base.process import start, to_its_end
from wizard.postgres import server
from wizard.postgres.address import Address
from wizard.postgres.database_settings import copy_settings
from wizard.postgres.dumps import archive as archives
from wizard.postgres.dumps import listings, loader, tools
from wizard.postgres.dumps.archive import Archive, watching
from wizard.postgres.dumps.tools import Tool
from wizard.postgres.server import DatabaseRow

# Publications and subscriptions need a superuser, and a restored copy must not replicate. Another
# server has other tablespaces.
OPTIONS = (
    "--exit-on-error",
    "--no-owner",
    "--no-acl",
    "--no-tablespaces",
    "--no-publications",
    "--no-subscriptions",
    "--verbose",
)
DEFAULT_TABLESPACE = "pg_default"
# "ERROR:  function unaccent(text) does not exist", with the function that calls it.
BY_SEARCH_PATH = re.compile(r"does not exist.*CONTEXT:.*function", re.DOTALL)
RELIED_ON = (
    " A function relies on its search_path: `restore: {search_path: public}` in remodel.yml, with "
    "all the schemas that it takes; then try again."
)


async def create_beside(
    address: Address,
    name: str,
    *,
    like: str | None,
    report: Report,
    template: str = "template0",
) -> None:
    """Make the database `name` on the server of `address`, ours to fill.

    It has what `template` has, which by default is nothing. Encoding, locale, tablespace and
    settings are those of the database `like`; for None, the server's own locale and UTF8. Raise
    OperationFailed when it exists or our role may not make it.
    """
    async with server.operations(address) as session:
        model: DatabaseRow | None = None
        if like is not None:
            there = {row.name: row for row in await server.databases_of(session)}
            if like not in there:
                raise OperationFailed(f"There is no database {like} to be like.")
            model = there[like]
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {} {}").format(
            sql.Identifier(name),
            sql.Identifier(template),
            _locale(model, session.info.server_version // 10_000),
        )
        await _create(session, statement, name, template)
        if like is not None:
            await copy_settings(session, like, name, report)


async def restore(
    archive: Archive,
    into: Address,
    report: Report,
    *,
    pg_restore: Tool | None,
    leave_out: Collection[str] | None = None,
    search_path: str = "",
) -> None:
    """Fill the new, empty database `into` from a dump that was proven before.

    The dump is proven again, since the file may have changed. The objects belong to our role. A
    script needs no `pg_restore`. Of an archive, the objects to `leave_out` are not made, which are
    named by kind, schema and name; with None, nothing may be left out. With a `search_path`, the
    functions that are called meanwhile find what they do not qualify. On any failure, and when
    cancelled, the half-filled database is dropped, if it can be. Raise OperationFailed with
    pg_restore's or the server's own words.
    """
    try:
        await archives.prove(archive, report)
        if archive.is_script or pg_restore is None:
            await loader.load(archive.path, into, report, search_path=search_path)
        else:
            await _restore(archive, into, report, pg_restore, leave_out, search_path)
        async with server.session(into) as connection:
            await connection.execute("ANALYZE")
    except BaseException as error:
        if isinstance(error, OperationFailed) and not search_path:
            error.hint += RELIED_ON if BY_SEARCH_PATH.search(error.found) else ""
        await discard(into, report)
        raise


async def _restore(
    archive: Archive,
    into: Address,
    report: Report,
    pg_restore: Tool,
    leave_out: Collection[str] | None,
    search_path: str,
) -> None:
    """Restore by pg_restore alone; where that is too new for the server, or would empty the
    `search_path`, with the loader."""
    fits = tools.fits(pg_restore.major, (await server.about(into)).major)
    listing = await listings.to_restore(archive, into, report, pg_restore, leave_out or ())
    with tempfile.TemporaryFile("w+") as toc:  # without a name, so that nobody can leave it
        toc.write(listing)
        toc.seek(0)
        try:
            if fits and not search_path:
                await _fill(archive, into, toc.fileno(), report, pg_restore)
            else:
                await _pour(archive, into, toc.fileno(), report, pg_restore, search_path)
        except OperationFailed as error:
            if leave_out is not None:
                error.hint += listings.hint(listing, error.found)
            raise


async def drop(address: Address, name: str, *, force: bool = False) -> None:
    """Remove the database `name` from the server of `address`; no error when it is gone.

    `force` ends our own role's sessions in it; otherwise they are an error.
    """
    statement = sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(name))
    if force:
        statement += sql.SQL(" WITH (FORCE)")
    async with server.operations(address) as session:
        users = [] if force else await server.sessions_of(session, name)
        try:
            if not users:  # PostgreSQL would wait five seconds for them
                await session.execute(statement)
                return
            reason = "\n".join(map(str, users))
        except psycopg.errors.ObjectInUse as error:
            reason = str(error)
        raise OperationFailed(
            f"The database {name} is in use and was not dropped.",
            found=reason,
            hint="End these sessions and try again.",
        )


async def discard(address: Address, report: Report) -> None:
    """Drop what a failure has left. Where that fails, too, tell it: the first error is the one to
    raise."""
    try:
        await to_its_end(drop(address, address.database, force=True))
    except RemodelError as error:
        name = sql.Identifier(address.database).as_string()
        report.finding(
            address.database,
            f"was not dropped: {error.message}",
            "warn",
            f"It takes up disk there. Trying again drops it; by hand: DROP DATABASE {name}",
        )


async def _fill(
    archive: Archive, into: Address, toc: int, report: Report, pg_restore: Tool
) -> None:
    argv = [
        str(pg_restore.path),
        *OPTIONS,
        "--use-list=/dev/stdin",
        *tools.reach(into),
        str(archive.path),
    ]
    at = ""

    def heard(line: str) -> None:
        nonlocal at
        doing = line.removeprefix("pg_restore: ")
        if doing.startswith(("creating", "processing", "executing")):
            at = doing
            report.line("pg_restore", doing)

    def tell(position: int) -> None:
        report.progress(min(position, archive.bytes), archive.bytes, "bytes", at)

    env = {**tools.environment(into), **await server.client_settings(into)}
    async with start(argv, env=env, stdin=toc, on_stderr=heard) as child:
        async with watching(child.pid, archive.path, tell):
            async for _ in child:
                pass
        if child.returncode != 0:
            messages = child.stderr_tail
            raise OperationFailed(
                f"Restoring {archive.path.name} into {into} failed.",
                found=messages[at_error:]
                if (at_error := messages.find("from TOC entry")) >= 0
                else messages,
                hint="The half-filled database was dropped; what was there before is untouched.",
            )
    report.progress(archive.bytes, archive.bytes, "bytes", "restored")


async def _pour(
    archive: Archive, into: Address, toc: int, report: Report, pg_restore: Tool, search_path: str
) -> None:
    """Load what pg_restore writes as a script."""
    archived = str(archive.path)
    argv = [str(pg_restore.path), *OPTIONS, "--use-list=/dev/stdin", "--file=-", archived]

    def tell(position: int) -> None:
        report.progress(min(position, archive.bytes), archive.bytes, "bytes", "loading")

    async with start(argv, env=tools.ENVIRONMENT, stdin=toc) as child:

        async def text() -> AsyncGenerator[bytes, None]:
            async for chunk in child:
                yield chunk
            if child.returncode != 0:
                raise OperationFailed(
                    f"pg_restore could not write {archive.path.name} as a script.",
                    found=child.stderr_tail,
                )

        async with watching(child.pid, archive.path, tell):
            await loader.pour(text(), archive.path.name, into, report, search_path=search_path)
    report.progress(archive.bytes, archive.bytes, "bytes", "loaded")


async def _create(
    session: psycopg.AsyncConnection[Any], statement: sql.Composed, name: str, template: str
) -> None:
    try:
        await session.execute(statement)
    except psycopg.errors.DuplicateDatabase:
        raise OperationFailed(
            f"There is a database {name} already.",
            hint="It may be left from an earlier run: look at it, and drop it if it is.",
        ) from None
    except psycopg.errors.InsufficientPrivilege as error:
        raise OperationFailed(
            f"Our role may not create the database {name}.",
            found=str(error),
            hint="Let a superuser run: ALTER ROLE name CREATEDB"
            if template == "template0"
            else f"Let a superuser run: ALTER ROLE name CREATEDB; ALTER DATABASE {template} "
            "IS_TEMPLATE true",
        ) from None
    except psycopg.Error as error:
        hint = "" if template == "template0" else f"It was to be made from the template {template}."
        raise OperationFailed(
            f"Creating the database {name} failed.", found=str(error), hint=hint
        ) from None


def _locale(model: DatabaseRow | None, major: int) -> sql.Composed:
    """Return the clauses that give a new database encoding, locale and tablespace of `model`."""
    if model is None:
        return sql.SQL("ENCODING {}").format(sql.Literal("UTF8"))
    clauses = {
        "ENCODING": model.encoding,
        "LC_COLLATE": model.collate,
        "LC_CTYPE": model.ctype,
    }
    if major >= 15:
        clauses["LOCALE_PROVIDER"] = {"c": "libc", "i": "icu", "b": "builtin"}[model.provider]
    if model.provider == "i" and model.locale:
        clauses["ICU_LOCALE"] = model.locale
    if model.provider == "b" and model.locale:
        clauses["BUILTIN_LOCALE"] = model.locale
    if model.icu_rules:
        clauses["ICU_RULES"] = model.icu_rules
    written = [
        sql.SQL("{} {}").format(sql.SQL(keyword), sql.Literal(value))
        for keyword, value in clauses.items()
    ]
    if model.tablespace != DEFAULT_TABLESPACE:  # to name that takes a right, to leave it out none
        written.append(sql.SQL("TABLESPACE {}").format(sql.Identifier(model.tablespace)))
    return sql.SQL(" ").join(written)
