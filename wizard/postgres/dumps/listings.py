"""An archive's table of contents, as pg_restore lists it: what of it is restored."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from typing import Any

import psycopg
from psycopg import sql

from wizard.base.errors import OperationFailed, some
from wizard.base.events import Report
from wizard.postgres import server
from wizard.postgres.address import Address
from wizard.postgres.dumps import tools
from wizard.postgres.dumps.archive import Archive
from wizard.postgres.dumps.tools import Tool

# A line of the table of contents: "3; 3079 16385 EXTENSION - vector ", with its COMMENT's line
# "3456; 0 0 COMMENT - EXTENSION vector ".
ENTRY = re.compile(r"^\d+; \d+ \d+ (.+) \S*$")
FAILED = re.compile(r"from TOC entry (\d+);")
LEAVABLE = (
    *("EVENT TRIGGER", "EXTENSION", "FOREIGN DATA WRAPPER", "FOREIGN TABLE", "POLICY", "SERVER"),
    *("CAST", "COMMENT", "OPERATOR", "RULE", "STATISTICS", "TEXT SEARCH", "TRIGGER"),
    "USER MAPPING",
)
"""Kinds of objects that have no rows, and without which a copy can be converted."""
LEFT_OUT = "A delivery makes it from the live definition, or is refused by name."
EXTENSION = re.compile(r"^\d+; \d+ \d+ EXTENSION - (\S+)")
SCHEMA = re.compile(r"^\d+; \d+ \d+ SCHEMA - (.+) \S*$")
NOT_OURS = re.compile(r"^\d+; \d+ \d+ COMMENT - (EXTENSION|SCHEMA public\b)")


async def to_restore(
    archive: Archive, into: Address, report: Report, pg_restore: Tool, leave_out: Collection[str]
) -> str:
    """Return the archive's table of contents without what only a superuser may do.

    An extension that this server lacks or our role may not make is left out with a warning: the
    restore may do without it. Raise OperationFailed where something to `leave_out` is not in it.
    """
    done = await tools.listing(pg_restore, archive.path)
    if done.returncode != 0:
        raise OperationFailed(f"pg_restore cannot list {archive.path}.", found=done.stderr_tail)
    known = set(map(_named, done.stdout.splitlines()))
    if unknown := [name for name in leave_out if name not in known]:
        raise OperationFailed(
            f"{archive.path.name} does not have what restore.leave_out of remodel.yml names.",
            found="\n".join(unknown),
            hint=f"What may be left out of it: {some(sorted(known - {''}), 20) or 'nothing'}.",
        )
    lines = []
    async with server.session(into) as connection:
        cursor = await connection.execute("SELECT nspname::text FROM pg_namespace")
        schemas = {name for (name,) in await cursor.fetchall()} - {"public"}
        for line in done.stdout.splitlines():
            if NOT_OURS.match(line):
                continue
            if (made := SCHEMA.match(line)) and made[1] in schemas:
                continue  # the template's
            if (name := _named(line)) in leave_out:
                report.finding(name, "left out", "warn", LEFT_OUT)
                continue
            match = EXTENSION.match(line)
            if match is None or await _can_extend(connection, match[1], report):
                lines.append(line)
    return "\n".join(lines) + "\n"


def _named(line: str) -> str:
    """Return what a line of a table of contents is about, as `POLICY public page mine`.

    '' for what may not be left out. The last word of a line is the owner.
    """
    if (match := ENTRY.match(line)) and match[1].startswith(LEAVABLE):
        return match[1].replace(" - ", " ", 1)
    return ""


def hint(listing: str, messages: str) -> str:
    """Return what there is to say where an entry failed without which the local copy can do."""
    if not (failed := FAILED.search(messages)):
        return ""
    number = f"{failed[1]}; "
    name = next((_named(line) for line in listing.splitlines() if line.startswith(number)), "")
    if not name:
        return ""
    return (
        f" The local copy may do without it: `restore: {{leave_out: [{json.dumps(name)}]}}` in "
        f"remodel.yml, then try again. {LEFT_OUT}"
    )


async def _can_extend(
    connection: psycopg.AsyncConnection[Any], extension: str, report: Report
) -> bool:
    """Return whether our role can make an extension: try, and roll back, since pg_restore makes
    it later on."""
    try:
        async with connection.transaction(force_rollback=True):
            await connection.execute(
                sql.SQL("CREATE EXTENSION IF NOT EXISTS {} CASCADE").format(
                    sql.Identifier(extension)
                )
            )
    except psycopg.Error as error:
        report.finding(
            f"extension {extension}",
            f"left out: {error.diag.message_primary or error}",
            "warn",
            "If the site's tables use it, restoring stops there: let a superuser install it.",
        )
        return False
    return True
