"""An operation that counts its effects, and the engine run over such operations."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from wizard.base.errors import (
    OperationFailed,
)
from wizard.base.events import Event, Events
from wizard.config import config
from wizard.engine.context import Context
from wizard.engine.engine import Engine
from wizard.engine.operation import Observation, Operation, Seen, Step, StepQuestion
from wizard.engine.operators import Operator
from wizard.engine.result import Result
from wizard.session.plan import Gate, Loss, Plan
from wizard.session.session import Session

WORLD: dict[str, Any] = {}


@dataclass(frozen=True, kw_only=True)
class Counted(Result):
    """How often an act was done."""

    count: int


class Act(Operation):
    """Counts what it does in WORLD, so that a second effect would show."""

    def __init__(self, key: str, *, target: str = "", gate: str = "", breaks: str = "") -> None:
        self.key = key
        self.title = f"Act {key}"
        self.gated = bool(gate)
        self._gate = Gate(gate, target) if gate else None
        self._breaks = breaks

    async def plan(self, context: Context) -> Plan:
        return Plan(
            operation=self.key,
            title=self.title,
            destroys=(Loss("rows", WORLD.get("count", 1)),),
            gate=self._gate,
            facts={"what": WORLD.get("what", "this")},
            skip=WORLD.get(f"skip {self.key}", ""),
        )

    async def undo_data(self, context: Context, plan: Plan) -> Mapping[str, Any]:
        return {"before": WORLD.get(self.key, 0)}

    async def apply(self, context: Context, plan: Plan) -> Result:
        if self._breaks == "before":
            raise OperationFailed("broke before")
        WORLD[self.key] = WORLD.get(self.key, 0) + 1
        if self._breaks == "half":
            WORLD["half"] = True
            raise KeyboardInterrupt
        if self._breaks == "after":
            raise KeyboardInterrupt
        return Counted(message="acted", count=WORLD[self.key])

    async def observe(self, context: Context, plan: Plan) -> Observation:
        if WORLD.get("half"):
            return Observation(Seen.PARTLY, "half")
        if WORLD.get(self.key):
            return Observation(Seen.DONE, "it is there", Counted(count=WORLD[self.key]))
        return Observation(Seen.NOT_DONE, "it is not there")

    async def clear(self, context: Context, plan: Plan) -> None:
        WORLD.pop("half")
        WORLD[self.key] -= 1

    def require_undoable(self, context: Context, facts: Mapping[str, Any]) -> None:
        if self._gate and self._gate.target:
            raise OperationFailed(f"{self._gate.target} has been delivered to")

    async def undo(self, context: Context, plan: Plan, facts: Mapping[str, Any]) -> None:
        WORLD[self.key] = context.session.journal.kept(self.key)["before"]
        if self._breaks == "undo":
            raise KeyboardInterrupt

    async def finalize(self, context: Context, plan: Plan, facts: Mapping[str, Any]) -> None:
        WORLD["settled"] = WORLD.get("settled", 0) + 1


async def go(
    session: Session, operator: Operator, *steps: Step, seen: Callable[[Event], None] | None = None
) -> Context:
    events = Events()
    if seen is not None:
        events.subscribe(seen)
    async with Context(
        config.read(session.folder.parents[2] / "remodel.yml"), session, events
    ) as context:
        await Engine(context, steps, operator).go()
        return context


def step(*operations: Operation, questions: Sequence[StepQuestion] = ()) -> Step:
    return Step("one", "One", "", "", "", lambda context: operations, lambda context: questions)


def kinds(session: Session, key: str) -> list[str]:
    return [entry.kind for entry in session.journal.entries(key)]
