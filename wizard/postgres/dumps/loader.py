"""Filling a database from a plain SQL script, where pg_restore cannot and psql must not.

One transaction, from the script's first line to pg_dump's closing one: whatever goes wrong
before leaves the database as it was. What a script may say is a list (`statements`), each goes to
the server as one statement, and what it has set is looked at besides. Ownership, grants,
tablespaces and replication stay out, as `pg_restore --no-owner --no-acl --no-tablespaces
--no-publications --no-subscriptions` leaves them out.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import aclosing
from functools import partial
from pathlib import Path
from typing import Any

import psycopg

from wizard.base.errors import OperationFailed, VerificationFailed
from wizard.base.events import Report
from wizard.postgres import server
from wizard.postgres.address import Address
from wizard.postgres.dumps import script, statements
from wizard.postgres.dumps.script import Chunks, Piece, Splitter

BATCH = 1 << 16  # bytes of statements sent at once: a statement alone costs a round trip
SINCE = {b"transaction_timeout": 17}  # settings that a newer pg_dump makes, and their version

EXTENSION = re.compile(rb'CREATE EXTENSION (?:IF NOT EXISTS )?("[^"]+"|\w+)')
ENCODING = b"client_encoding"
NO_SEARCH_PATH = b"SELECT pg_catalog.set_config('search_path', '', false);"
TABLESPACE = b"default_tablespace"
# What the server tells without being asked when it changes (GUC_REPORT): how texts are read.
REPORTED = (ENCODING, b"standard_conforming_strings", b"DateStyle", b"IntervalStyle", b"TimeZone")
SET_HERE = "SELECT name, setting FROM pg_settings WHERE source = 'session'"


async def load(path: Path, into: Address, report: Report, *, search_path: str = "") -> None:
    """Fill the empty database `into` from a .sql or .sql.gz; progress is in bytes of the file.

    With a `search_path` the functions that are called meanwhile find what they do not qualify;
    else it is empty, as pg_dump sets it. Raise VerificationFailed when the script is no whole
    dump, OperationFailed with the server's own words; either way the database stays empty.
    """
    total = path.stat().st_size if path.exists() else 0
    tell = partial(report.progress, total=total, unit="bytes", note="loading")
    await pour(script.chunks(path, tell), path.name, into, report, search_path=search_path)
    report.progress(total, total, "bytes", "loaded")


async def pour(
    text: Chunks, name: str, into: Address, report: Report, *, search_path: str = ""
) -> None:
    """Fill the empty database `into` from a text as it comes, such as pg_restore's output.

    `name` is for messages. Raise as `load`.
    """
    async with server.session(into) as connection, connection.transaction():
        await fill(connection, text, name, report, search_path=search_path)


async def fill(
    connection: psycopg.AsyncConnection[Any],
    text: Chunks,
    name: str,
    report: Report,
    *,
    search_path: str = "",
) -> None:
    """Fill the database of `session` from a text, in a transaction that the caller has begun. Raise
    as `load`."""
    loading = _Loading(connection, name, report)
    if search_path:
        await connection.execute("SELECT set_config('search_path', %s, true)", [search_path])
        loading.keeps_search_path = True
    async with aclosing(script.pieces(text, loading.splitter)) as pieces:
        await loading.take(pieces)


class _Loading:
    """The one transaction."""

    def __init__(self, connection: psycopg.AsyncConnection[Any], name: str, report: Report) -> None:
        self.splitter = Splitter(name)
        self._connection = connection
        self._major = connection.info.server_version // 10_000
        self._name = name
        self._report = report
        self._batch: list[Piece] = []
        self._size = 0
        self._left_out = 0
        self.keeps_search_path = False
        self._reading = self._reported()

    async def take(self, pieces: AsyncIterator[Piece]) -> None:
        """Send every piece. Raise as `load`; the transaction is the caller's to end."""
        before = await self._settings()
        async for piece in pieces:
            if piece.kind == "copy":
                await self._flush()
                await self._copy(piece, pieces)
                self._require_same_reading(piece)
            elif await self._wanted(piece):
                self._batch.append(piece)
                self._size += len(piece.data)
                if self._size > BATCH:
                    await self._flush()
        await self._flush()
        self._require_allowed(before, await self._settings())
        if self._left_out:
            what = f"{self._left_out} statements on owners, grants and replication left out"
            self._report.finding(self._name, what, "info")

    async def _copy(self, statement: Piece, pieces: AsyncIterator[Piece]) -> None:
        try:
            async with self._connection.cursor().copy(statement.data) as copy:
                async for piece in pieces:
                    if piece.kind == "end":
                        break
                    await copy.write(piece.data)
        except psycopg.Error as error:
            raise self._failed(error, statement.line) from None

    async def _flush(self) -> None:
        batch, self._batch, self._size = self._batch, [], 0
        if not batch:
            return
        # By the extended protocol, which takes one statement at a time: whatever a string or a
        # comment in it hides from the splitter, no second one comes along.
        sent: list[psycopg.AsyncCursor[Any]] = []
        try:
            async with self._connection.pipeline():
                for piece in batch:
                    cursor = self._connection.cursor()
                    sent.append(cursor)
                    await cursor.execute(piece.data, prepare=False)
        except psycopg.Error as error:
            done = sum(cursor.pgresult is not None for cursor in sent)
            raise self._failed(error, batch[min(done, len(batch) - 1)].line) from None
        self._require_same_reading(batch[0])

    async def _wanted(self, piece: Piece) -> bool:
        """Return whether to execute a statement; raise for one that no script may have."""
        match statements.fate(piece.data):
            case "refused":
                raise self.splitter.strange(piece)
            case "left out":
                self._left_out += not statements.BRACKET.fullmatch(piece.data)
                return False
        if self.keeps_search_path and piece.data.strip() == NO_SEARCH_PATH:
            return False
        if setting := statements.SETTING.match(piece.data):
            return await self._set(setting[1], piece)
        if match := EXTENSION.match(piece.data):
            await self._flush()
            await self._extension(match[1].strip(b'"').decode(), piece)
            return False
        return True

    async def _set(self, name: bytes, piece: Piece) -> bool:
        """Return whether a setting is still to be made."""
        if SINCE.get(name, 0) > self._major:
            what = f"PostgreSQL {self._major} has no {name.decode()}; left out"
            self._report.finding(self._name, what, "info")
            return False
        if name == TABLESPACE:
            return False
        if name != ENCODING:
            return True
        self._batch.append(piece)
        expected = self._reading.pop(ENCODING)
        await self._flush()
        self._reading[ENCODING] = self._reported().get(ENCODING, expected)
        return False

    def _reported(self) -> dict[bytes, bytes | None]:
        return {name: self._connection.pgconn.parameter_status(name) for name in REPORTED}

    def _require_same_reading(self, piece: Piece) -> None:
        """Raise VerificationFailed when a value would be read otherwise than pg_dump wrote it."""
        now = self._reported()
        changed = [name for name, value in self._reading.items() if now[name] != value]
        if changed:
            raise self._meddled(b", ".join(changed).decode(), piece.line)

    async def _settings(self) -> dict[str, str]:
        cursor = await self._connection.execute(SET_HERE.encode())
        return {str(name): str(value) for name, value in await cursor.fetchall()}

    def _require_allowed(self, before: dict[str, str], after: dict[str, str]) -> None:
        """Raise VerificationFailed when something in the script, a function for one, made settings
        that no pg_dump makes."""
        changed = {name for name, _ in before.items() ^ after.items()}
        changed -= {name.decode() for name in statements.SETTINGS}
        if changed or after.get("search_path", "") not in ('""', "", before.get("search_path")):
            raise self._meddled(", ".join(sorted(changed)) or "search_path", 1)

    def _meddled(self, what: str, line: int) -> VerificationFailed:
        return VerificationFailed(
            f"The script {self._name} cannot be trusted: what it calls sets {what} (after line "
            f"{line:,}).",
            hint="Look for the function that does, and make a new dump without it. Nothing of this "
            "one was kept.",
        )

    async def _extension(self, name: str, piece: Piece) -> None:
        """Make an extension, or do without it; a statement that needs it fails later on."""
        try:
            async with self._connection.transaction():
                await self._connection.execute(piece.data, binary=True)  # one statement
        except psycopg.Error as error:
            if self._connection.closed:
                raise self._failed(error, piece.line) from None
            self._report.finding(
                f"extension {name}",
                f"left out: {error.diag.message_primary or error}",
                "warn",
                "If the site's tables use it, loading stops there: let a superuser install it.",
            )

    def _failed(self, error: psycopg.Error, line: int) -> OperationFailed:
        return OperationFailed(
            f"Loading {self._name} failed near line {line:,}.",
            found=str(error),
            hint="It was all one transaction: nothing of it is in the database.",
        )
