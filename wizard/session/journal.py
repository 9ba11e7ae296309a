"""The journal: what was intended, consented to, done and undone, in the order it happened.

SQLite in WAL mode with synchronous FULL: a row that was written survives the machine. The
intent of an operation stands here before it acts, together with what an undo needs, and the
outcome after it; an intent without an outcome is what a crash leaves behind.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from wizard.base.errors import OperationFailed
from wizard.base.redaction import redacted, sealed

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

DELAY = 0.25  # seconds; a tool may print thousands of lines, and each sync takes its time

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
        self._made = True  # not where it was cut off before it had its tables
        try:
            if read_only:
                self._database = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
                named = self._database.execute("SELECT name FROM sqlite_master").fetchall()
                self._made = ("event",) in named
            else:
                # SQLite would make it readable by all, and its other files (-wal, -shm) as it is.
                os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
                path.chmod(0o600)
                self._database = sqlite3.connect(path, isolation_level=None)
                self._database.execute("PRAGMA journal_mode=WAL")
                self._database.execute("PRAGMA synchronous=FULL")
                self._database.executescript(_SCHEMA)
        except sqlite3.DatabaseError as error:
            raise OperationFailed(
                f"The journal {path} cannot be read.",
                found=str(error),
                hint="Its session cannot go on. Move its folder away and begin a new one.",
            ) from None
        self._unwritten: list[tuple[float, str]] = []
        self._flushed = 0.0

    def close(self) -> None:
        """Close the file; the journal can be opened again."""
        self._flush()
        self._database.close()

    def note(self, key: str, value: Any) -> None:
        """Set a fact about the session as a whole."""
        self._database.execute(
            "INSERT INTO session VALUES (?, ?) "
            "ON CONFLICT (key) DO UPDATE SET value=excluded.value",
            (key, json.dumps(value)),
        )

    def noted(self, key: str, default: Any = None) -> Any:
        """Return a fact about the session as a whole; `default` also where it has not begun."""
        if not self._made:
            return default
        row = self._database.execute("SELECT value FROM session WHERE key=?", (key,)).fetchone()
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
        self._database.execute(
            "INSERT INTO entry (at, operation, kind, data) VALUES (?, ?, ?, ?)",
            (time.time(), operation, kind, json.dumps(safe, ensure_ascii=False)),
        )

    def event(self, data: Mapping[str, Any]) -> None:
        """Add a line of the log; on the disk within `DELAY`, or before the next row."""
        self._unwritten.append((time.time(), json.dumps(redacted(data), ensure_ascii=False)))
        if time.monotonic() - self._flushed > DELAY:
            self._flush()

    def _flush(self) -> None:
        self._flushed = time.monotonic()
        if self._unwritten:
            lines, self._unwritten = self._unwritten, []
            self._database.execute("BEGIN")
            self._database.executemany("INSERT INTO event (at, data) VALUES (?, ?)", lines)
            self._database.execute("COMMIT")

    def events(self, after: int = 0) -> list[tuple[int, dict[str, Any]]]:
        """Return the log's lines with their numbers, those after `after`."""
        self._flush()
        rows = self._database.execute(
            "SELECT id, data FROM event WHERE id > ? ORDER BY id", (after,)
        )
        return [(number, json.loads(data)) for number, data in rows]

    def entries(self, operation: str | None = None) -> Iterator[JournalEntry]:
        """Yield every row, or those of one operation, oldest first."""
        where, parameters = ("WHERE operation=?", (operation,)) if operation else ("", ())
        rows = self._database.execute(
            f"SELECT id, at, operation, kind, data FROM entry {where} ORDER BY id", parameters
        )
        for number, at, name, kind, data in rows.fetchall():
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
