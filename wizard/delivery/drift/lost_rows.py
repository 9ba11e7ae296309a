"""Rows that a delivery loses because `drift` of remodel.yml lets them go: kept as files.

One CSV file a table, as COPY writes it, in the session's folder. Where the backup came as a file,
its rows cannot be told from later ones, and the whole table is kept.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
from psycopg import sql

from wizard.base import files
from wizard.postgres.drift import baseline as base
from wizard.postgres.drift import catalog
from wizard.postgres.drift.baseline import DriftBaseline
from wizard.postgres.drift.drift import Change, fresh


class LostRows:
    """The files of one delivery, below `folder`, of rows written since `baseline`."""

    def __init__(self, folder: Path, baseline: DriftBaseline) -> None:
        self.folder = folder
        self.kept: dict[str, Path] = {}
        self._baseline = baseline
        self._digests: dict[str, str] = {}

    async def keep(
        self, connection: psycopg.AsyncConnection[Any], changes: Iterable[Change]
    ) -> None:
        """Copy the rows of these tables; again only where there are others than the last time.

        A log-in alone is no row that anybody wrote. The connection is one with autocommit.
        """
        wanted = {change.table: change.digest for change in changes if not change.logins}
        stale = {table for table, digest in wanted.items() if self._digests.get(table) != digest}
        if not stale:
            return
        self.folder.mkdir(mode=0o700, exist_ok=True)
        async with base.looking(connection):
            now = await base.moment(connection)
            for relation in await catalog.tables(connection):
                if relation.name not in stale:
                    continue
                written: sql.Composable = sql.SQL("true")
                if self._baseline.snapshot and relation.name in self._baseline.tables:
                    written = fresh(now, self._baseline)
                path = self.folder / f"{quote(relation.name, safe='')}.csv"
                await _copy(connection, relation.quoted, written, path)
                self.kept[relation.name] = path
        files.sync_folder(self.folder)
        self._digests = wanted


async def _copy(
    connection: psycopg.AsyncConnection[Any],
    table: sql.Composable,
    written: sql.Composable,
    path: Path,
) -> None:
    query = sql.SQL("COPY (SELECT t.* FROM {} t WHERE {}) TO STDOUT (FORMAT csv, HEADER)")
    part = path.with_name(f"{path.name}.part")
    with files.writing(path):
        part.unlink(missing_ok=True)
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            async with (
                connection.cursor() as cursor,
                cursor.copy(query.format(table, written)) as rows,
            ):
                async for data in rows:
                    file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
