"""The conversation: JSON lines, one request at a time, answered by events and one outcome.

    parent -> {"id": 1, "op": "describe", "args": {"model": "cast.Blog"}}
    worker -> {"id": 1, "event": "line", "source": "django", "text": "..."}     any number
    worker -> {"id": 1, "result": ...}    or    {"id": 1, "error": {...}}

Before all, the worker says `{"hello": {...}}`, or `{"error": {...}}` when the project cannot
be started. An error has `type`, `message`, `found`, `hint` and `traceback`, the last with the
frames of the project and of Django, without ours.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import threading
import traceback
from pathlib import Path
from typing import Any, BinaryIO

PROTOCOL = 1
HERE = str(Path(__file__).resolve().parent)


class Refusal(Exception):
    """Something asked of the worker cannot be done; `kind` is for programs, the rest for people."""

    def __init__(self, kind: str, message: str, *, found: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.found = found
        self.hint = hint


class Channel:
    """Both directions. A thread reads, so that a closed input interrupts work in progress."""

    def __init__(self, reader: BinaryIO, writer: BinaryIO) -> None:
        self._reader = reader
        self._writer = writer
        self._writing = threading.Lock()
        self._requests: queue.Queue[dict[str, Any] | None] = queue.Queue()

    def listen(self) -> None:
        """Begin to read requests."""
        threading.Thread(target=self._read, name="remodel-requests", daemon=True).start()

    def _read(self) -> None:
        for line in self._reader:
            self._requests.put(json.loads(line))
        # The parent is gone or has closed its end: whatever is running must roll back.
        self._requests.put(None)
        os.kill(os.getpid(), signal.SIGINT)

    def receive(self) -> dict[str, Any] | None:
        """Return the next request, or None when there will be no more."""
        return self._requests.get()

    def send(self, message: dict[str, Any]) -> None:
        """Write one line. Values JSON does not know are written as their text."""
        data = json.dumps(message, default=str, ensure_ascii=False) + "\n"
        with self._writing:
            self._writer.write(data.encode("utf-8", "backslashreplace"))
            self._writer.flush()


class Reply:
    """The answer to one request while it is being worked on."""

    def __init__(self, channel: Channel, request: int) -> None:
        self._channel = channel
        self._request = request

    def _event(self, event: str, **values: object) -> None:
        self._channel.send({"id": self._request, "event": event, **values})

    def progress(self, done: int, total: int | None, unit: str, note: str = "") -> None:
        """Tell that `done` of `total` units are finished."""
        self._event("progress", done=done, total=total, unit=unit, note=note)

    def line(self, source: str, text: str) -> None:
        """Pass on one line of live output."""
        self._event("line", source=source, text=text)

    def rows(self, rows: list[Any]) -> None:
        """Send a part of a long result; the parent puts the parts together."""
        self._event("rows", rows=rows)

    def result(self, value: object) -> None:
        """End well."""
        self._channel.send({"id": self._request, "result": value})

    def error(self, error: dict[str, str]) -> None:
        """End badly."""
        self._channel.send({"id": self._request, "error": error})


def as_error(error: BaseException, *, kind: str = "failed", message: str = "") -> dict[str, str]:
    """Return an exception as the protocol's error: a Refusal as it is, others with traceback."""
    if isinstance(error, Refusal):
        cause = error.__cause__
        return {
            "type": error.kind,
            "message": error.message,
            "found": error.found,
            "hint": error.hint,
            "traceback": project_traceback(cause) if cause else "",
        }
    return {
        "type": kind,
        "message": message or f"{error.__class__.__name__}: {error}",
        "found": "",
        "hint": "",
        "traceback": project_traceback(error),
    }


def project_traceback(error: BaseException) -> str:
    """Return the traceback as the project's developer would see it, without the worker's frames."""
    whole = traceback.TracebackException.from_exception(error)
    pending: list[traceback.TracebackException | None] = [whole]
    seen: set[int] = set()
    while pending:
        part = pending.pop()
        if part is None or id(part) in seen:
            continue
        seen.add(id(part))
        # An error that was raised in here is ours, and then our frames are what explains it.
        if part.stack and not part.stack[-1].filename.startswith(HERE):
            kept = [frame for frame in part.stack if not _hidden(frame.filename)]
            part.stack = traceback.StackSummary.from_list(kept)
        pending += [part.__cause__, part.__context__]
    return "".join(whole.format())


def _hidden(filename: str) -> bool:
    return filename.startswith((HERE, "<frozen importlib"))
