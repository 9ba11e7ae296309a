"""The contract between the engine and the steps: operation, observation, step.

An operation plans (reading only), applies, can be observed after a crash, and may be undone. The
`facts` that its hooks get are its result as the journal has it: `Result.from_json` reads them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

from wizard.base.errors import OperationFailed
from wizard.engine.result import Result
from wizard.session.plan import Plan
from wizard.session.questions import Question

if TYPE_CHECKING:
    from wizard.engine.context import Context


class Seen(Enum):
    """What `observe` finds when it looks at the world instead of at memory."""

    DONE = "done"
    PARTLY = "partly done"
    NOT_DONE = "not done"


@dataclass(frozen=True)
class Observation:
    """What was seen, why it is believed, and the result that `apply` would have returned."""

    seen: Seen
    why: str
    result: Result = field(default_factory=Result)


class Operation(ABC):
    """The unit of doing, undoing and resuming. `key` is dotted: its step, then its name."""

    key: str
    title: str
    about: str = ""
    """One sentence for the outline, before a plan can be computed."""
    gated: bool = False
    """Whether its plan always carries a gate, so that answers can be checked beforehand."""
    interrupts_service: bool = False
    """Whether the target's service may be stopped once it has begun, until the last of those in a
    row that say so is done: where a run is to stop, it stops before or after them."""
    observed_before_undo: bool = True
    """Whether an attempt without an outcome is observed before it is undone. Where the plan and
    what `undo_data` secured suffice, `undo` is called with no facts instead."""

    @abstractmethod
    async def plan(self, context: Context) -> Plan:
        """Compute what would be done. Reads only. Raise what would make it impossible."""

    @abstractmethod
    async def apply(self, context: Context, plan: Plan) -> Result:
        """Do it and return the result for later operations.

        When it raises, the world is as before or `observe` can tell how far it came.
        """

    @abstractmethod
    async def observe(self, context: Context, plan: Plan) -> Observation:
        """Look, after a crash, how much of `plan` is done. Reads only."""

    async def finalize(  # noqa: B027, most have nothing to add
        self, context: Context, plan: Plan, facts: Mapping[str, Any]
    ) -> None:
        """Complete a finished operation, after `apply` or once `observe` saw it done.

        May run more than once. It is for what a crash right after `apply` would leave out.
        """

    async def clear(self, context: Context, plan: Plan) -> None:
        """Remove what an interrupted `apply` left half done, so that it can run again."""
        raise OperationFailed(
            f"{self.title} was interrupted half way and cannot be begun again by itself.",
            hint="Look at the log of this session, put things right by hand, then resume.",
        )

    async def undo(  # noqa: B027, nothing to take back is the usual case
        self, context: Context, plan: Plan, facts: Mapping[str, Any]
    ) -> None:
        """Undo a finished operation; the default is for those that changed nothing.

        It must not ask the project, which may not load. After a crash it runs again, so running
        it twice must have the same result. When it raises, other operations are undone all the
        same, and the next undo runs it again.
        """

    def require_undoable(  # noqa: B027, most can be undone
        self, context: Context, facts: Mapping[str, Any]
    ) -> None:
        """Raise OperationFailed where nothing may be undone any more, as after a delivery."""

    def restores(self, context: Context, plan: Plan) -> str:
        """Name what the undo puts back as it was before this operation; '' for nothing whole.

        Where the undo of a later operation on the same failed, it has nothing left to do then.
        """
        return ""

    async def missing(self, context: Context, plan: Plan, facts: Mapping[str, Any]) -> str:
        """Describe what is missing of a finished operation; '' if it is intact.

        Called for every finished operation before a session goes on. Reads only, and no target.
        """
        return ""

    def survives_restart(self, context: Context) -> bool:
        """Whether it stays done when a start over undoes those before it, as a delivery does."""
        return False

    async def undo_data(self, context: Context, plan: Plan) -> Mapping[str, Any]:
        """Return what `undo` will need; the journal gets it before `apply` runs."""
        return {}


class Repeatable(Operation):
    """An operation that can be repeated: after a crash it simply runs again."""

    observed_before_undo = False

    async def observe(self, context: Context, plan: Plan) -> Observation:
        """Return NOT_DONE in any case, so that it runs again."""
        return Observation(Seen.NOT_DONE, "doing it again comes to the same")


@dataclass(frozen=True)
class StepQuestion(Question):
    """A question of a step, with hooks that look at the project and at what was done before."""

    default_from: Callable[[Context], Awaitable[Any]] | None = None
    """Compute the default when the question is asked."""
    unless: Callable[[Context], Awaitable[str]] | None = None
    """Say why it need not be asked, or ''. Its answer is then an empty one."""
    judge: Callable[[Context, Any], Awaitable[None]] | None = None
    """Judge an accepted answer against the project. Raises RemodelError."""


@dataclass(frozen=True)
class Step:
    """A screen's worth of work."""

    name: str
    title: str
    purpose: str
    """What the step is for, in a sentence or two."""
    touches: str
    """What it reads and what it changes."""
    undo: str
    """How to get back."""
    operations: Callable[[Context], Sequence[Operation]]
    questions: Callable[[Context], Sequence[StepQuestion]] = lambda context: ()
