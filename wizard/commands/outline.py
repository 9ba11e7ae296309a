"""What a session of a config would ask and do, told without beginning one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

from wizard.base.errors import NotYet, RemodelError
from wizard.base.events import Events
from wizard.config.config import Config
from wizard.engine.context import Context
from wizard.engine.operation import Operation, StepQuestion
from wizard.session import answers
from wizard.session.answers import Answers
from wizard.session.session import Session
from wizard.steps import STEPS
from wizard.upkeep import purge


@dataclass(frozen=True)
class _Unbegun:
    """What a run reads of its session before there is one."""

    answers: Answers


def _run(config: Config, given: Answers) -> Context:
    return Context(config, _Unbegun(given), Events())  # type: ignore[arg-type]


def questions(config: Config) -> list[StepQuestion]:
    """Every question that a session of this config asks."""
    context = _run(config, Answers())
    return [question for step in STEPS for question in step.questions(context)]


def operations(config: Config, given: Answers) -> list[Operation]:
    """Every operation of a session in which these questions are answered so."""
    context = _run(config, given)
    return [operation for step in STEPS for operation in step.operations(context)]


def gates(config: Config) -> list[str]:
    """Under which keys a consent may be recorded, whatever is answered."""
    return [
        *(operation.key for operation in operations(config, Answers())),
        # The consents to a rollback and a purge are recorded too, and replay nothing.
        *(f"production.rollback:{name}" for name in config.targets),
        *purge.keys(config),
    ]


def check(config: Config, given: Answers, *, partial: bool = False) -> None:
    """Raise AnswersError with every fault of the answers; touches nothing.

    With `partial`, what is missing is no fault.
    """
    # Only the project knows whether it will be asked; where it is, a replay stops there by name.
    asked = [
        question
        for question in questions(config)
        if question.unless is None or question.key in given.answers
    ]
    unasked = {question.key: "" for question in questions(config) if question not in asked}
    right = Answers({**unasked, **answers.accepted(given, asked)})
    faults = answers.check(
        given,
        asked,
        gated=[operation.key for operation in operations(config, right) if operation.gated],
        gates=gates(config),
        steps=[step.name for step in STEPS],
        partial=partial,
    )
    if faults:
        raise answers.faulty("the recorded answers", faults)


async def lines(config: Config, session: Session) -> AsyncIterator[str]:
    """Step by step what would be done next, for a person. Computing a plan only reads."""
    async with Context(config, session, Events()) as context:
        for step in STEPS:
            yield f"== {step.title}: {step.purpose}"
            for operation in step.operations(context):
                if context.facts.settled(operation.key):
                    continue
                for line in await _planned(context, operation):
                    yield line


async def _planned(context: Context, operation: Operation) -> list[str]:
    gate = " GATE." if operation.gated else ""
    about = f"{operation.key}: {operation.about}.{gate}"
    try:
        plan = await operation.plan(context)
    except NotYet as later:
        return [f"{about} {later.message}"]
    except RemodelError as error:
        return [f"{about} NOT NOW: {error}"]
    details = [plan.skip] if plan.skip else [*plan.does, f"undo: {plan.undo}"]
    details += [f"destroys: {loss}" for loss in plan.destroys]
    return [f"{operation.key}: {plan.title} [{plan.fingerprint}]", *(f"    {x}" for x in details)]
