"""What the screens show, folded from the engine's events. No widget remembers anything itself.

Screens come and go; this stays. When a session is resumed it is folded from the journal.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from wizard.base.events import (
    Consented,
    Document,
    Event,
    Finding,
    Finished,
    Line,
    Planned,
    Progress,
    Started,
    StepDone,
    StepEntered,
    TreeChanged,
)
from wizard.engine.operation import Operation, Step
from wizard.session.journal import Journal

State = Literal[
    "waiting", "ready", "planning", "running", "gate", "done", "skipped", "failed", "interrupted"
]

LINES_KEPT = 1000  # the journal holds them all; this is what a screen can scroll through

_KINDS: dict[str, type[Event]] = {
    kind.kind: kind for kind in (StepEntered, StepDone, Line, Finding, Document, Finished, Started)
}
AGAIN: frozenset[State] = frozenset({"failed", "interrupted"})
"""States that end with the next attempt."""
_FROM_JOURNAL: dict[str, State] = {
    "intent": "interrupted",
    "done": "done",
    "skipped": "skipped",
    "failed": "failed",
}


@dataclass
class OperationState:
    """Where one operation stands."""

    key: str
    title: str
    about: str = ""
    gated: bool = False
    state: State = "waiting"
    message: str = ""
    progress: Progress | None = None
    plan: Mapping[str, Any] = field(default_factory=dict)
    started: float | None = None
    finished: float | None = None

    @property
    def target(self) -> str:
        """The delivery target this operation is about, or empty: `production.swap:staging`."""
        return self.key.partition(":")[2]

    @property
    def seconds(self) -> float:
        """How long it took, once it is finished."""
        if self.started is None or self.finished is None:
            return 0.0
        return max(0.0, self.finished - self.started)


@dataclass
class StepState:
    """Where one step stands, and everything its screen shows."""

    name: str
    title: str
    entered: bool = False
    finished: bool = False
    operations: dict[str, OperationState] = field(default_factory=dict)
    findings: dict[tuple[str, str], Finding] = field(default_factory=dict)
    documents: dict[tuple[str, str], Document] = field(default_factory=dict)
    lines: deque[Line] = field(default_factory=lambda: deque(maxlen=LINES_KEPT))
    lines_seen: int = 0
    """How many lines there were in all, the forgotten ones too."""
    planning: str = ""
    """The operation that is being planned; the engine tells nothing before the plan is there."""

    @property
    def state(self) -> State:
        """The step's own state, from its operations'."""
        states = {operation.state for operation in self.operations.values()}
        for telling in ("failed", "gate", "running", "interrupted"):
            if telling in states:
                return telling
        if self.planning:
            return "planning"
        if self.finished:
            return "done"
        return "ready" if self.entered else "waiting"

    @property
    def active(self) -> OperationState | None:
        """The operation that a person should look at now."""
        for telling in ("failed", "gate", "running", "interrupted"):
            for operation in self.operations.values():
                if operation.state == telling:
                    return operation
        return None

    @property
    def warnings(self) -> int:
        """How many findings warn of what no gate has shown."""
        gated = {
            operation.key for operation in self.operations.values() if operation.plan.get("gate")
        }
        return sum(
            finding.status == "warn" and finding.operation not in gated
            for finding in self.findings.values()
        )

    def forget(self, operation: str) -> None:
        """Drop what this operation had to show."""
        self.findings = {key: f for key, f in self.findings.items() if f.operation != operation}
        self.documents = {key: d for key, d in self.documents.items() if d.operation != operation}

    @property
    def left(self) -> list[OperationState]:
        """The operations that are not done yet."""
        return [
            operation
            for operation in self.operations.values()
            if operation.state not in ("done", "skipped")
        ]


class Model:
    """All steps of a run as the screens show them."""

    def __init__(self, steps: Iterable[Step]) -> None:
        self.steps = {step.name: StepState(step.name, step.title) for step in steps}
        self.current = next(iter(self.steps), "")
        self.marks: dict[int, str] = {}
        self.marks_planned = False
        self.tree_version = 0
        """Grows whenever the tree in the database has changed."""

    def outline(self, name: str, operations: Sequence[Operation]) -> None:
        """Set a step's operations, and keep the state of those that it has already."""
        known = self.steps[name].operations
        self.steps[name].operations = {
            operation.key: known.get(operation.key)
            or OperationState(
                operation.key, operation.title, operation.about, gated=operation.gated
            )
            for operation in operations
        }
        for operation in operations:  # an answer may have taken a gate away
            self.steps[name].operations[operation.key].gated = operation.gated

    def seed(self, journal: Journal) -> None:
        """Take up a resumed session: what was shown from its log, the states from its journal."""
        for _, data in journal.events():
            event = revive(data)
            if event is not None:
                self.fold(event)
        for step in self.steps.values():
            for operation in step.operations.values():
                entry = journal.state(operation.key)
                kind = entry.kind if entry else ""
                operation.state = _FROM_JOURNAL.get(kind, "waiting")
                if entry and kind in ("skipped", "done"):
                    operation.message = str(entry.data.get("why") or entry.data.get("message", ""))
            operations = step.operations.values()
            step.finished = bool(operations) and not step.left

    def step_of(self, event: Event) -> StepState | None:
        """Return the step that an event belongs to."""
        name = getattr(event, "step", "") or event.operation.partition(".")[0]
        return self.steps.get(name) or self.steps.get(self.current)

    def fold(self, event: Event) -> StepState | None:
        """Take in one event; return the step whose screen has something new to show."""
        step = self.step_of(event)
        if step is None:
            return None
        operation = step.operations.get(event.operation)
        if operation is None and event.operation.startswith(step.name + "."):
            operation = OperationState(event.operation, event.operation)
            step.operations[event.operation] = operation
        if operation is not None and operation.state in AGAIN and not isinstance(event, Finished):
            # What an attempt before this one has said is in the log, and no longer true.
            operation.state = "waiting"
            step.forget(operation.key)
        match event:
            case StepEntered():
                self.current = step.name
                step.entered = True
            case StepDone():
                step.entered = step.finished = True
            case Finding():
                step.findings[event.operation, event.name] = event
            case Document():
                step.documents[event.operation, event.title] = event
            case Line():
                step.lines.append(event)
                step.lines_seen += 1
            case TreeChanged():
                self._tree(event)
            case _:
                if operation is not None:
                    _advance(operation, event)
                if isinstance(event, Finished) and event.outcome == "undone":
                    step.forget(event.operation)
                    step.finished = False
        return step

    def to_read(self, operation: str) -> list[Finding | Document]:
        """Return what there is to read before consenting to this operation's plan: its documents,
        and its findings that warn."""
        step = self.steps[operation.partition(".")[0]]
        findings = [f for f in step.findings.values() if f.status in ("warn", "fail")]
        every: list[Finding | Document] = [*findings, *step.documents.values()]
        return [event for event in every if event.operation == operation]

    def _tree(self, event: TreeChanged) -> None:
        self.marks_planned = event.planned
        if event.planned:
            self.marks = dict(event.marks)
        else:
            self.marks = {**self.marks, **event.marks}
            self.tree_version += 1


def _advance(operation: OperationState, event: Event) -> None:
    match event:
        case Planned():
            operation.plan = event.plan
            operation.message = ""
            if event.plan.get("gate") and not event.plan.get("skip"):
                operation.state = "gate"
        case Consented():
            operation.state = "waiting"
        case Started():
            operation.state = "running"
            operation.message = ""
            operation.progress = None
            operation.started, operation.finished = event.at, None
        case Progress():
            operation.progress = event
        case Finished():
            operation.state = "waiting" if event.outcome == "undone" else event.outcome
            operation.message = "undone" if event.outcome == "undone" else event.message
            operation.finished = event.at


def revive(data: Mapping[str, Any]) -> Event | None:
    """Return an event from its line in the journal; None for a kind that leaves nothing to see."""
    kind = _KINDS.get(str(data.get("kind")))
    if kind is None:
        return None
    known = {item.name for item in fields(kind)}
    return kind(**{name: value for name, value in data.items() if name in known})
