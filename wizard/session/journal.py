"""The journal: what was intended, consented to, done and undone, in the order it happened.

SQLite in WAL mode with synchronous FULL: a row that was written survives the machine. Room for
the rows of a delivery is kept in its files, so that a full disk does not stop it. The
intent of an operation stands here before it acts, together with what an undo needs, and the
outcome after it; an intent without an outcome is what a crash leaves behind.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from wizard.base import files
from wizard.base.errors import OperationFailed
from wizard.base.redaction import redacted, sealed
from wizard.session import sqlite_errors
from wizard.session.plan import CHANGES_NOTHING

Kind = Literal[
    "answer",
    "consent",
    "intent",
    "kept",
    "done",
    "skipped",
    "failed",
    "cleared",  # what a failed or interrupted attempt left is gone: the next one begins anew
    "undoing",
    "undone",
]

BATCH = 100  # lines of the log that are one transaction
ROOM = 1 << 20  # bytes of free pages that lines of the log leave to the rows
NO_STATE = ("answer", "consent", "kept")
"""Kinds of rows that say nothing of how far an operation is; every other is a state."""

DELAY = 0.25  # seconds; a tool may print thousands of lines, and each sync takes its time

_LOST = "log lines lost"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS session (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS entry (
    id INTEGER PRIMARY KEY, at REAL NOT NULL, operation TEXT NOT NULL, kind TEXT NOT NULL,
    data TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS entry_operation ON entry (operation, id);
CREATE TABLE IF NOT EXISTS room (data BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS event (id INTEGER PRIMARY KEY, at REAL NOT NULL, data TEXT NOT NULL);
"""


@dataclass(frozen=True)
class JournalEntry:
    """A row of the journal. Its text is read as JSON once somebody asks for it: the facts of a
    conversion name every page."""

    id: int
    at: float
    operation: str
    kind: Kind
    text: str = field(repr=False)

    @cached_property
    def data(self) -> dict[str, Any]:
        """The plan for an intent, the facts for an outcome."""
        data: dict[str, Any] = json.loads(self.text)
        return data


_ENTRY = "SELECT id, at, operation, kind, data FROM entry"
_STATES = f"kind NOT IN {NO_STATE}"  # names of ours, which SQLite reads as Python writes them


class Journal:
    """One session's journal, open for writing unless `read_only`."""

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self._path = path
        self._made = True  # not where it was cut off before it had its tables
        self._unwritten: list[tuple[float, str]] = []
        self._lost = 0  # lines of the log that there was no room for
        self._flushed = 0.0
        with sqlite_errors.named(path):
            if read_only:
                self._database = _reading(path)
                named = self._database.execute("SELECT name FROM sqlite_master").fetchall()
                self._made = ("event",) in named
                return
            # SQLite would make it readable by all, and its other files (-wal, -shm) as it is.
            with files.writing(path):
                os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
                path.chmod(0o600)
            self._database = sqlite3.connect(path, isolation_level=None)
            self._database.execute("PRAGMA journal_mode=WAL")
            self._database.execute("PRAGMA synchronous=FULL")
            self._database.execute("PRAGMA wal_autocheckpoint=256")  # pages, of 4 KiB
            self._database.executescript(_SCHEMA)
        self._lost = self.noted(_LOST, 0)

    def close(self) -> None:
        """Close the file; the journal can be opened again."""
        self._flush()
        if self._lost:
            with suppress(OperationFailed):
                self.note(_LOST, self._lost)
        self._database.close()

    def reserve(self) -> None:
        """Have room for rows in the journal's own files. Raise DiskFailed where there is none.

        Pages are written and given back to SQLite, not to the disk: nobody else can take them.
        As many frames stay in the write-ahead log, which begins anew after a checkpoint.
        """
        with sqlite_errors.named(self._path), files.writing(self._path):
            if min(self._free(), self._ahead()) < 2 * ROOM:
                self._make_room(3 * ROOM)

    def _free(self) -> int:
        """Return the bytes of the journal's free pages."""
        ((pages,),) = self._database.execute("PRAGMA freelist_count").fetchall()
        ((size,),) = self._database.execute("PRAGMA page_size").fetchall()
        return int(pages) * int(size)

    def _ahead(self) -> int:
        """Return the length of the write-ahead log's file."""
        log = self._path.with_name(f"{self._path.name}-wal")
        return log.stat().st_size if log.exists() else 0

    def _make_room(self, size: int) -> None:
        """Have `size` bytes of free pages, which the disk has given already.

        Looked at first: a log that took the last room could not be written to its places.
        """
        if shutil.disk_usage(self._path.parent).free < 3 * size:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        try:
            # Committed first: what is freed in the transaction that made it is not written.
            self._database.execute("INSERT INTO room VALUES (zeroblob(?))", (size,))
            self._begin_log_anew()
        finally:
            self._database.execute("DELETE FROM room")
        self._begin_log_anew()

    def _begin_log_anew(self) -> None:
        """Write the write-ahead log's pages to their places, so that its room is used again; where
        somebody reads at this moment, the next one does."""
        with suppress(sqlite3.OperationalError):
            self._database.execute("PRAGMA wal_checkpoint(RESTART)").fetchall()

    def _read(self, query: str, values: tuple[Any, ...] = ()) -> sqlite3.Cursor:
        with sqlite_errors.named(self._path):
            return self._database.execute(query, values)

    def _row(self, statement: str, values: tuple[Any, ...]) -> None:
        """Write a row, where the disk is full into the room that was reserved."""
        with sqlite_errors.named(self._path):
            try:
                self._database.execute(statement, values)
            except sqlite3.OperationalError as error:
                if not sqlite_errors.is_full(error):
                    raise
                self._begin_log_anew()
                self._database.execute(statement, values)

    def note(self, key: str, value: Any) -> None:
        """Set a fact about the session as a whole."""
        self._row(
            "INSERT INTO session VALUES (?, ?) "
            "ON CONFLICT (key) DO UPDATE SET value=excluded.value",
            (key, json.dumps(value)),
        )

    def noted(self, key: str, default: Any = None) -> Any:
        """Return a fact about the session as a whole; `default` also where it has not begun."""
        if not self._made:
            return default
        row = self._read("SELECT value FROM session WHERE key=?", (key,)).fetchone()
        return json.loads(row[0]) if row else default

    def write(self, operation: str, kind: Kind, data: Mapping[str, Any]) -> None:
        """Add a row; it is on the disk when this returns.

        Raise OperationFailed when the data of an undo have a secret in them: it would be masked,
        and put back masked.
        """
        self._flush()
        # An error is only shown; all else is read back, and an undo goes by it.
        safe = redacted(data) if kind == "failed" else sealed(data)
        if kind == "kept" and json.dumps(safe) != json.dumps(data):
            masked = [name for name in data if json.dumps(safe[name]) != json.dumps(data[name])]
            raise OperationFailed(
                f"What an undo of {operation} needs cannot be written down.",
                found=f"a password or key is in it ({', '.join(masked)})",
                hint="Look for it in the files that this operation changes, and have them read it "
                "from the environment instead. Nothing was changed.",
            )
        self._row(
            "INSERT INTO entry (at, operation, kind, data) VALUES (?, ?, ?, ?)",
            (time.time(), operation, kind, json.dumps(safe, ensure_ascii=False)),
        )

    def event(self, data: Mapping[str, Any]) -> None:
        """Add a line of the log; on the disk within `DELAY`, or before the next row.

        It is left out, and counted, where the disk does not take it.
        """
        self._unwritten.append((time.time(), json.dumps(redacted(data), ensure_ascii=False)))
        if time.monotonic() - self._flushed > DELAY:
            self._flush()

    def _flush(self) -> None:
        self._flushed = time.monotonic()
        if self._unwritten:
            lines, self._unwritten = self._unwritten, []
            try:
                self._append([*self._left_out(), *lines])
            except (sqlite3.OperationalError, OSError):
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")
                self._lost += len(lines)
            else:
                if self._lost:
                    self._lost = 0
                    self.note(_LOST, 0)

    def _left_out(self) -> list[tuple[float, str]]:
        """Return the line that says how many lines are missing here."""
        if not self._lost:
            return []
        text = f"{self._lost} lines are missing here: the disk did not take them"
        line = {"kind": "line", "operation": "", "source": "remodel", "text": text}
        return [(time.time(), json.dumps({**line, "at": time.time()}))]

    def _append(self, lines: list[tuple[float, str]]) -> None:
        """Write lines of the log, never into the room for rows."""
        for first in range(0, len(lines), BATCH):
            batch = lines[first : first + BATCH]
            # Twice their length: a page may be filled by little more than half.
            needed = ROOM + 2 * sum(len(text.encode()) for _, text in batch)
            if self._free() < needed:
                self._make_room(needed + 2 * ROOM)
            self._database.execute("BEGIN")
            self._database.executemany("INSERT INTO event (at, data) VALUES (?, ?)", batch)
            self._database.execute("COMMIT")

    def events(self, after: int = 0, *, kind: str = "") -> Iterator[tuple[int, dict[str, Any]]]:
        """Return the log's lines with their numbers, one after the other: those after `after` that
        are there by now, of one kind where it is named."""
        self._flush()
        of_kind = "AND json_extract(data, '$.kind') = ?" if kind else ""
        rows = self._read(
            "SELECT id, data FROM event WHERE id > ? AND id <= (SELECT max(id) FROM event) "
            f"{of_kind} ORDER BY id",
            (after, *([kind] if kind else [])),
        )
        return ((number, json.loads(data)) for number, data in rows)

    def before_newest(self, lines: int) -> int:
        """Return the number of the line of the log after which there are so many; 0 for all."""
        self._flush()
        row = self._read(
            "SELECT id FROM event ORDER BY id DESC LIMIT 1 OFFSET ?", (lines,)
        ).fetchone()
        return int(row[0]) if row else 0

    def entries(self, operation: str | None = None) -> Iterator[JournalEntry]:
        """Yield every row that is there by now, or those of one operation, oldest first."""
        where, parameters = ("AND operation=?", (operation,)) if operation else ("", ())
        rows = self._read(
            f"{_ENTRY} WHERE id <= (SELECT max(id) FROM entry) {where} ORDER BY id", parameters
        )
        for row in rows:
            yield JournalEntry(*row)

    def states(self) -> dict[str, JournalEntry]:
        """Return the state of every operation that has one, in the order in which each first had
        one."""
        rows = self._read(
            f"{_ENTRY} JOIN (SELECT min(id) AS first, max(id) AS last FROM entry WHERE {_STATES} "
            "GROUP BY operation) ON id = last ORDER BY first"
        )
        return {row[2]: JournalEntry(*row) for row in rows}

    def first(self) -> float:
        """Return when the first row was written; 0 where there is none."""
        row = self._read("SELECT at FROM entry ORDER BY id LIMIT 1").fetchone()
        return float(row[0]) if row else 0.0

    def last(self) -> int:
        """Return the number of the last row; 0 where there is none."""
        row = self._read("SELECT coalesce(max(id), 0) FROM entry").fetchone()
        return int(row[0])

    def acted(self) -> bool:
        """Return whether any operation was begun that does more than look."""
        row = self._read(
            "SELECT EXISTS (SELECT 1 FROM entry WHERE kind='intent' "
            "AND json_extract(data, '$.undo') IS NOT ?)",
            (CHANGES_NOTHING,),
        ).fetchone()
        return bool(row[0])

    def state(self, operation: str) -> JournalEntry | None:
        """Return the operation's state: its last row that is no answer and no consent."""
        row = self._read(
            f"{_ENTRY} WHERE operation=? AND {_STATES} ORDER BY id DESC LIMIT 1", (operation,)
        ).fetchone()
        return JournalEntry(*row) if row else None

    def kind(self, operation: str) -> Kind | None:
        """Return what kind of row the operation's state is, without the rest of it."""
        row = self._read(
            f"SELECT kind FROM entry WHERE operation=? AND {_STATES} ORDER BY id DESC LIMIT 1",
            (operation,),
        ).fetchone()
        return row[0] if row else None

    def intent(self, operation: str) -> dict[str, Any] | None:
        """Return the plan of the current attempt; None before it began to act."""
        return self._of_this_attempt(operation, "intent")

    def kept(self, operation: str) -> dict[str, Any]:
        """Return what the current attempt secured for its undo."""
        return self._of_this_attempt(operation, "kept") or {}

    def _of_this_attempt(self, operation: str, kind: Kind) -> dict[str, Any] | None:
        """Return the last row of a kind since the operation was last undone or cleared away."""
        row = self._read(
            f"{_ENTRY} WHERE operation=? AND kind IN (?, 'undone', 'cleared') "
            "ORDER BY id DESC LIMIT 1",
            (operation, kind),
        ).fetchone()
        entry = JournalEntry(*row) if row else None
        return entry.data if entry is not None and entry.kind == kind else None


def _reading(path: Path) -> sqlite3.Connection:
    """Open a journal read-only, one on a disk that takes no new file, too.

    SQLite makes a file for readers and writers to share; nobody can write where it cannot, and
    with no log left beside it the journal is whole (sqlite.org/wal.html, "Read-Only Databases").
    """
    database = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
    try:
        database.execute("SELECT name FROM sqlite_master")
    except sqlite3.OperationalError:
        database.close()
        log = path.with_name(f"{path.name}-wal")
        if log.exists() and log.stat().st_size:
            raise
        database = sqlite3.connect(f"{path.as_uri()}?mode=ro&immutable=1", uri=True)
    return database
