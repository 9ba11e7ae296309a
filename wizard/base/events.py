"""What an operation reports: the one source of progress, log, journal, screens and --json.

An operation speaks through a `Report`, which knows its name. Whoever listens (a screen,
the log, the JSON printer) subscribes to `Events` and is handed frozen dataclasses, redacted.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, Literal

from wizard.base.redaction import all_shown

Status = Literal["ok", "info", "warn", "fail"]
DocumentKind = Literal["text", "diff", "python", "sql", "table"]
Outcome = Literal["done", "skipped", "failed", "undone"]


@dataclass(frozen=True)
class Event:
    """Something that happened. `operation` is the dotted key (`backup.fetch`), or empty."""

    kind: ClassVar[str] = "event"
    operation: str
    at: float = field(default_factory=time.time, kw_only=True)

    def as_dict(self) -> dict[str, Any]:
        """Return a JSON-ready dictionary, `kind` first: the schema of `--json`."""
        return {"kind": self.kind, **asdict(self)}


@dataclass(frozen=True)
class StepEntered(Event):
    """A step begins; `operation` is empty and `step` names it."""

    kind: ClassVar[str] = "step_entered"
    step: str = ""


@dataclass(frozen=True)
class StepDone(Event):
    """Every operation of the step is done or skipped."""

    kind: ClassVar[str] = "step_done"
    step: str = ""


@dataclass(frozen=True)
class Planned(Event):
    """A plan was computed. `plan` is `Plan.as_dict()`."""

    kind: ClassVar[str] = "planned"
    plan: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Consented(Event):
    """The operator consented to the plan with this fingerprint."""

    kind: ClassVar[str] = "consented"
    fingerprint: str = ""


@dataclass(frozen=True)
class Answered(Event):
    """A question was answered; secrets never become answers."""

    kind: ClassVar[str] = "answered"
    key: str = ""
    value: Any = None


@dataclass(frozen=True)
class Started(Event):
    """The intent is in the journal and `apply` begins."""

    kind: ClassVar[str] = "started"
    title: str = ""


@dataclass(frozen=True)
class Progress(Event):
    """`done` of `total` units so far; `total` is None while unknown, `eta` in seconds likewise."""

    kind: ClassVar[str] = "progress"
    done: int = 0
    total: int | None = None
    unit: str = ""
    note: str = ""
    eta: float | None = None


@dataclass(frozen=True)
class Line(Event):
    """One line of live output of a tool: `source` is django, pg_restore, a command's name."""

    kind: ClassVar[str] = "line"
    source: str = ""
    text: str = ""


@dataclass(frozen=True)
class Finding(Event):
    """A named fact with a judgement: a version found, a check passed or failed."""

    kind: ClassVar[str] = "finding"
    name: str = ""
    value: str = ""
    status: Status = "info"
    hint: str = ""


@dataclass(frozen=True)
class Document(Event):
    """Something to read: a diff, a migration, its SQL, a table of URLs (tab-separated)."""

    kind: ClassVar[str] = "document"
    title: str = ""
    form: DocumentKind = "text"
    text: str = ""


@dataclass(frozen=True)
class TreeChanged(Event):
    """The page tree in the local database is not what it was.

    `marks` maps page ids to what becomes of them: `new`, `moved`, `going`. When `planned`
    the marks tell what would happen, otherwise what has happened.
    """

    kind: ClassVar[str] = "tree_changed"
    marks: dict[int, str] = field(default_factory=dict)
    planned: bool = False


@dataclass(frozen=True)
class LedgerKept(Event):
    """The conversion's ledger is in the session; an entry is as `wizard.session.ledger` has it."""

    kind: ClassVar[str] = "ledger"
    entries: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class Finished(Event):
    """An operation ended. `message` is one line for a person."""

    kind: ClassVar[str] = "finished"
    outcome: Outcome = "done"
    message: str = ""


Listener = Callable[[Event], None]


class Events:
    """The bus: listeners are called in order, in the engine's own thread.

    Whoever listens must not stop the work: a listener that raises is removed, and the others,
    the journal's log among them, are told.
    """

    def __init__(self) -> None:
        self._listeners: dict[Listener, str] = {}

    def subscribe(self, listener: Listener, name: str = "a listener") -> Callable[[], None]:
        """Add a listener; returns the function that takes it away again."""
        self._listeners[listener] = name

        def unsubscribe() -> None:
            self._listeners.pop(listener, None)

        return unsubscribe

    def emit(self, event: Event) -> None:
        """Hand `event` to every listener, its texts without secrets and control characters."""
        event = type(event)(**all_shown(vars(event)))
        failed = []
        for listener in tuple(self._listeners):
            try:
                listener(event)
            except Exception as error:
                name = self._listeners.pop(listener, "a listener")
                failed.append(f"{name}: {type(error).__name__}: {error}")
        for failure in failed:
            text = f"{failure}. It is told nothing more; the work goes on."
            self.emit(Finding(event.operation, "listener failed", text, "warn"))


class Report:
    """An operation's voice. Progress is coalesced to ten a second, the last one always told."""

    INTERVAL = 0.1

    def __init__(self, events: Events, operation: str) -> None:
        self.events = events
        self.operation = operation
        self._unit = ""
        self._started = 0.0
        self._first = 0
        self._emitted_at = 0.0

    def progress(self, done: int, total: int | None, unit: str, note: str = "") -> None:
        """Tell that `done` of `total` units are finished. The ETA comes after 5 percent."""
        now = time.monotonic()
        if unit != self._unit or done < self._first:
            self._unit, self._started, self._first, self._emitted_at = unit, now, done, 0.0
        if now - self._emitted_at < self.INTERVAL and done != total:
            return
        self._emitted_at = now
        eta = None
        if total and done < total and done - self._first > total * 0.05:
            eta = (now - self._started) / (done - self._first) * (total - done)
        self.events.emit(Progress(self.operation, done, total, unit, note, eta))

    def line(self, source: str, text: str) -> None:
        """Pass on a line of a tool's live output."""
        self.events.emit(Line(self.operation, source, text))

    def finding(self, name: str, value: str, status: Status = "ok", hint: str = "") -> None:
        """Tell a named fact and how it is judged."""
        self.events.emit(Finding(self.operation, name, value, status, hint))

    def document(self, title: str, form: DocumentKind, text: str) -> None:
        """Show something to read."""
        self.events.emit(Document(self.operation, title, form, text))

    def ledger(self, entries: list[dict[str, Any]]) -> None:
        """Tell the conversion's ledger."""
        self.events.emit(LedgerKept(self.operation, entries))

    def tree(self, marks: dict[int, str], *, planned: bool = False) -> None:
        """Mark pages in the live page tree."""
        self.events.emit(TreeChanged(self.operation, marks, planned))
