"""Events as lines: for people and CI logs, or as JSON for programs."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import TextIO

from wizard.base.errors import RemodelError
from wizard.base.events import (
    Answered,
    Consented,
    Document,
    Event,
    Finding,
    Finished,
    Line,
    Planned,
    Progress,
    Started,
    StepEntered,
)
from wizard.base.redaction import redacted
from wizard.base.terminal import say

MARKS = {"ok": "ok  ", "info": "    ", "warn": "WARN", "fail": "FAIL"}
CHATTY = ("pg_dump", "pg_restore")  # a line for every table; the journal's log has them
OUTCOMES = {"done": "done", "skipped": "skipped", "failed": "FAILED", "undone": "undone"}


class Narrator:
    """Plain lines without control codes; progress at a sensible pace."""

    PACE = 2.0
    """Seconds before an operation's first line of progress."""
    SLOWER, SLOWEST = 1.5, 60.0
    """Each further one waits so many times as long, up to so many seconds: a night's restore
    fills no log."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._progress_at = clock()
        self._pause = self.PACE

    def __call__(self, event: Event) -> None:
        """Tell one event."""
        for line in self._lines(event):
            say(line, self._stream)

    def _lines(self, event: Event) -> list[str]:
        match event:
            case StepEntered():
                return ["", f"== {event.step}"]
            case Planned() if not event.plan["skip"]:
                lines = [f"-- {event.operation}: {event.plan['title']}"]
                return lines + [f"     {line}" for line in event.plan["does"]]
            case Started():
                self._progress_at, self._pause = self._clock(), self.PACE
            case Consented():
                return [f"   consent to plan {event.fingerprint}"]
            case Answered():
                first, *more = str(event.value).splitlines() or [""]
                return [f"   answer {event.key}: {first}{' …' if more else ''}"]
            case Finding():
                text = f"   {MARKS[event.status]} {event.name}: {event.value}"
                return [text] + ([f"        {event.hint}"] if event.hint else [])
            case Line() if event.source not in CHATTY:
                return [f"   | {event.text}"]
            case Document() if event.form == "diff":
                return [f"   {event.title}:", *(f"     {x}" for x in event.text.splitlines())]
            case Document():
                return [f"   {event.title}: {len(event.text.splitlines())} lines"]
            case Progress():
                return self._progress(event)
            case Finished():
                what = f"   {OUTCOMES[event.outcome]}: {event.operation}"
                first = event.message.partition("\n")[0]
                return [f"{what} ({first})" if first else what]
        return []

    def _progress(self, event: Progress) -> list[str]:
        now = self._clock()
        if now - self._progress_at < self._pause:
            return []
        self._progress_at, self._pause = now, min(self._pause * self.SLOWER, self.SLOWEST)
        return [f"   … {measure(event)}"]


def measure(event: Progress) -> str:
    """`12.5 of 80.0 MB, 16 %, 14 s left`, as far as it is known."""
    total = event.total
    if event.unit == "bytes":
        done = f"{event.done / 1e6:,.1f}" + (f" of {total / 1e6:,.1f} MB" if total else " MB")
    else:
        done = f"{event.done:,}" + (f" of {total:,}" if total else "") + f" {event.unit}"
    parts = [done]
    if total:
        parts.append(f"{100 * event.done // total} %")
    if event.eta is not None:
        parts.append(f"{event.eta:.0f} s left")
    if event.note:
        parts.append(event.note)
    return ", ".join(parts)


class JsonLines:
    """One JSON object a line in ASCII, nothing else, whatever a terminal or a pipe takes."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __call__(self, event: Event) -> None:
        """Write one event."""
        self.write(event.as_dict())

    def write(self, data: dict[str, object]) -> None:
        """Write one object."""
        print(json.dumps(redacted(data)), file=self._stream, flush=True)

    def error(self, error: RemodelError) -> None:
        """Write the error that ended the run, as the last object."""
        self.write(
            {
                "kind": "error",
                "error": type(error).__name__,
                "message": error.message,
                "found": error.found,
                "hint": error.hint,
                "exit_code": int(error.exit_code),
            }
        )
