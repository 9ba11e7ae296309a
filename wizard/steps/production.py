"""Step 6: the result, proven once more, delivered beside what is live, and swapped in."""

from __future__ import annotations

from dataclasses import replace

from wizard.config.databases import Target
from wizard.delivery import kinds
from wizard.delivery.base import ForTarget
from wizard.engine.context import Context
from wizard.engine.operation import Step, StepQuestion


def chosen(context: Context) -> list[Target]:
    """Return the targets to deliver to, in the order of remodel.yml; all before the answer."""
    names = context.session.answers.answers.get(TARGETS_KEY, list(context.config.targets))
    return [target for target in context.config.targets.values() if target.name in names]


def operations(context: Context) -> list[ForTarget]:
    """Return what is done for each target, as its kind of delivery has it."""
    return [
        operation(target)
        for target in chosen(context)
        for operation in kinds.kind_of(target).operations
    ]


def _questions(context: Context) -> list[StepQuestion]:
    names = tuple(context.config.targets)
    return [
        replace(TARGETS, choices=names, default=list(names)),
    ]


TARGETS_KEY = "production.targets"
TARGETS = StepQuestion(
    key=TARGETS_KEY,
    text="Deliver to which targets?",
    help="In the order of remodel.yml; put staging first. Each has a gate of its own.",
    kind="many",
)

STEP = Step(
    name="production",
    title="Production",
    purpose="Dump the result, prove the dump by restoring it, and swap it in on each target.",
    touches="The targets, each behind a gate that wants its name typed. The old database is kept.",
    undo="`remodel rollback --target NAME` swaps the old database back in.",
    operations=operations,
    questions=_questions,
)
