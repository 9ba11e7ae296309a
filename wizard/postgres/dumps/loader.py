"""Filling a database from a plain SQL script, where pg_restore cannot and psql must not.

One transaction, from the script's first line to pg_dump's closing one: whatever goes wrong
before leaves the database as it was. Ownership, grants and replication stay out, as
`pg_restore --no-owner --no-acl --no-publications --no-subscriptions` leaves them out.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import aclosing
from functools import partial
from pathlib import Path
from typing import Any

import psycopg

from wizard.base.errors import OperationFailed
from wizard.base.events import Report
from wizard.postgres import server
from wizard.postgres.address import Address
from wizard.postgres.dumps import script
from wizard.postgres.dumps.script import Chunks, Piece, Splitter

BATCH = 1 << 16  # bytes of statements sent at once: a statement alone costs a round trip
SINCE = {b"transaction_timeout": 17}  # settings that a newer pg_dump makes, and their version

SETTING = re.compile(rb"SET (\w+) = ", re.IGNORECASE)
BRACKET = re.compile(rb"(?:BEGIN|COMMIT);", re.IGNORECASE)  # pg_dump's own, around large objects
TRANSACTION = re.compile(
    rb"(?:BEGIN|START\s+TRANSACTION|COMMIT|END|ROLLBACK|ABORT|SAVEPOINT|RELEASE|PREPARE\s+TRANS)\b",
    re.IGNORECASE,
)
ESCAPING = re.compile(rb"SET standard_conforming_strings = off", re.IGNORECASE)
EXTENSION = re.compile(rb'CREATE EXTENSION (?:IF NOT EXISTS )?("[^"]+"|\w+)', re.IGNORECASE)
NOT_OURS = re.compile(
    rb"""
      GRANT\s | REVOKE\s | ALTER\s+DEFAULT\s+PRIVILEGES\s
    | ALTER\s .* \sOWNER\s+TO\s+ (?:"[^"]+"|[^\s";]+) \s*; \Z
    | COMMENT\s+ON\s+(?:EXTENSION|SCHEMA\s+public)\s
    | (?:CREATE|ALTER)\s+(?:PUBLICATION|SUBSCRIPTION)\s
    """,
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)


async def load(path: Path, into: Address, report: Report) -> None:
    """Fill the empty database `into` from a .sql or .sql.gz; progress is in bytes of the file.

    Raise VerificationFailed when the script is no whole dump, OperationFailed with the server's
    own words; either way the database stays empty.
    """
    total = path.stat().st_size if path.exists() else 0
    tell = partial(report.progress, total=total, unit="bytes", note="loading")
    await pour(script.chunks(path, tell), path.name, into, report)
    report.progress(total, total, "bytes", "loaded")


async def pour(text: Chunks, name: str, into: Address, report: Report) -> None:
    """Fill the empty database `into` from a text as it comes, such as pg_restore's output.

    `name` is for messages. Raise as `load`.
    """
    async with server.session(into) as connection, connection.transaction():
        await fill(connection, text, name, report)


async def fill(
    connection: psycopg.AsyncConnection[Any], text: Chunks, name: str, report: Report
) -> None:
    """Fill the database of `session` from a text, in a transaction that the caller has begun. Raise
    as `load`."""
    loading = _Loading(connection, name, report)
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

    async def take(self, pieces: AsyncIterator[Piece]) -> None:
        """Send every piece. Raise as `load`; the transaction is the caller's to end."""
        async for piece in pieces:
            if piece.kind == "copy":
                await self._flush()
                await self._copy(piece, pieces)
            elif await self._wanted(piece):
                self._batch.append(piece)
                self._size += len(piece.data)
                if self._size > BATCH:
                    await self._flush()
        await self._flush()
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
        try:
            await self._connection.execute(b"\n".join(piece.data for piece in batch))
        except psycopg.Error as error:
            raise self._failed(error, _line(batch, error)) from None

    async def _wanted(self, piece: Piece) -> bool:
        """Return whether to execute a statement; raise for one that no script may have."""
        statement = piece.data
        if ESCAPING.match(statement):
            raise self.splitter.broken("its strings have backslashes in them", _shown(statement))
        if setting := SETTING.match(statement):
            if SINCE.get(setting[1], 0) > self._major:
                what = f"PostgreSQL {self._major} has no {setting[1].decode()}; left out"
                self._report.finding(self._name, what, "info")
                return False
            return True
        if BRACKET.fullmatch(statement):
            return False
        if TRANSACTION.match(statement):
            raise self.splitter.broken("it ends the transaction", _shown(statement))
        if NOT_OURS.match(statement):
            self._left_out += 1
            return False
        if match := EXTENSION.match(statement):
            await self._flush()
            await self._extension(match[1].strip(b'"').decode(), piece)
            return False
        return True

    async def _extension(self, name: str, piece: Piece) -> None:
        """Make an extension, or do without it; a statement that needs it fails later on."""
        try:
            async with self._connection.transaction():
                await self._connection.execute(piece.data)
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


def _line(batch: list[Piece], error: psycopg.Error) -> int:
    """Return the line of the script that an error is about, or where its batch begins."""
    position = int(error.diag.statement_position or 0)
    for piece in batch:
        if position <= len(piece.data):
            return piece.line
        position -= len(piece.data) + 1
    return batch[0].line


def _shown(statement: bytes) -> str:
    return statement[:200].decode(errors="replace")
