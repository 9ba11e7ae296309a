"""The journal: what was intended, consented to, done and undone, in the order it happened.

SQLite in WAL mode with synchronous FULL: a row that was written survives the machine. Room for
the rows of a delivery is kept in its files, so that a full disk does not stop it. The
intent of an operation stands here before it acts, together with what an undo needs, and the
outcome after it; an intent without an outcome is what a crash leaves behind.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from wizard.base import files
from wizard.base.errors import OperationFailed
from wizard.base.redaction import redacted, sealed
from wizard.session import sqlite_errors

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

ROOM = 1 << 20  # bytes of free pages that lines of the log leave to the rows
DELAY = 0.25  # seconds; a tool may print thousands of lines, and each sync takes its time

_LOST = "log lines lost"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS session (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS entry (
    id INTEGER PRIMARY KEY, at REAL NOT NULL, operation TEXT NOT NULL, kind TEXT NOT NULL,
    data TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS entry_operation ON entry (operation, id);
CREATE TABLE IF NOT EXISTS event (id INTEGER PRIMARY KEY, at REAL NOT NULL, data TEXT NOT NULL);
"""


@dataclass(frozen=True)
class JournalEntry:
    """A row of the journal. `data` is the plan for an intent, the facts for an outcome."""

    id: int
    at: float
    operation: str
    kind: Kind
    data: dict[str, Any]


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
            self._database = sqlite3.connect(path, isolation_level=None)
            with files.writing(path):
                path.chmod(0o600)
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
        with sqlite_errors.named(self._path):
            if min(self._free(), self._ahead()) < 2 * ROOM:
                self._make_room()

    def _free(self) -> int:
        """Return the bytes of the journal's free pages."""
        ((pages,),) = self._database.execute("PRAGMA freelist_count").fetchall()
        ((size,),) = self._database.execute("PRAGMA page_size").fetchall()
        return int(pages) * int(size)

    def _ahead(self) -> int:
        """Return the length of the write-ahead log's file."""
        log = self._path.with_name(f"{self._path.name}-wal")
        return log.stat().st_size if log.exists() else 0

    def _make_room(self) -> None:
        self._database.execute("DROP TABLE IF EXISTS room")  # of one that was cut off
        self._database.execute("CREATE TABLE room (data BLOB)")
        try:
            # Committed first: what is freed in the transaction that made it is not written.
            self._database.execute("INSERT INTO room VALUES (zeroblob(?))", (3 * ROOM,))
            self._begin_log_anew()
        finally:
            self._database.execute("DROP TABLE room")
        self._begin_log_anew()

    def _begin_log_anew(self) -> None:
        """Write the write-ahead log's pages to their places, so that its room is used again."""
        self._database.execute("PRAGMA wal_checkpoint(RESTART)").fetchall()

    def _read(self, query: str, values: tuple[Any, ...]) -> list[Any]:
        with sqlite_errors.named(self._path):
            return self._database.execute(query, values).fetchall()

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
        rows = self._read("SELECT value FROM session WHERE key=?", (key,))
        return json.loads(rows[0][0]) if rows else default

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
        if self._free() - sum(len(text.encode()) for _, text in lines) < ROOM:
            self._make_room()
        self._database.execute("BEGIN")
        self._database.executemany("INSERT INTO event (at, data) VALUES (?, ?)", lines)
        self._database.execute("COMMIT")

    def events(self, after: int = 0) -> list[tuple[int, dict[str, Any]]]:
        """Return the log's lines with their numbers, those after `after`."""
        self._flush()
        rows = self._read("SELECT id, data FROM event WHERE id > ? ORDER BY id", (after,))
        return [(number, json.loads(data)) for number, data in rows]

    def entries(self, operation: str | None = None) -> Iterator[JournalEntry]:
        """Yield every row, or those of one operation, oldest first."""
        where, parameters = ("WHERE operation=?", (operation,)) if operation else ("", ())
        rows = self._read(
            f"SELECT id, at, operation, kind, data FROM entry {where} ORDER BY id", parameters
        )
        for number, at, name, kind, data in rows:
            yield JournalEntry(number, at, name, kind, json.loads(data))

    def state(self, operation: str) -> JournalEntry | None:
        """Return the operation's state: its last row that is no answer and no consent."""
        rows = [
            entry
            for entry in self.entries(operation)
            if entry.kind not in ("answer", "consent", "kept")
        ]
        return rows[-1] if rows else None

    def intent(self, operation: str) -> dict[str, Any] | None:
        """Return the plan of the current attempt; None before it began to act."""
        return self._of_this_attempt(operation, "intent")

    def kept(self, operation: str) -> dict[str, Any]:
        """Return what the current attempt secured for its undo."""
        return self._of_this_attempt(operation, "kept") or {}

    def _of_this_attempt(self, operation: str, kind: Kind) -> dict[str, Any] | None:
        """Return the last row of a kind since the operation was last undone or cleared away."""
        last = None
        for entry in self.entries(operation):
            if entry.kind == kind:
                last = entry.data
            elif entry.kind in ("undone", "cleared"):
                last = None
        return last


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
        if path.with_name(f"{path.name}-wal").exists():
            raise
        database = sqlite3.connect(f"{path.as_uri()}?mode=ro&immutable=1", uri=True)
    return database
