"""What an undo of several operations may not touch, what it settles, and what it leaves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from wizard.base.errors import RemodelError
from wizard.engine.context import Context
from wizard.engine.operation import Operation, Step
from wizard.session.plan import Plan


def require_undoable(context: Context, operation: Operation) -> None:
    """Raise OperationFailed where what the operation did keeps anything from being undone."""
    state = context.session.journal.state(operation.key)
    if state is not None and state.kind == "done":
        operation.require_undoable(context, state.data)
    elif state is not None and state.kind == "undoing":
        operation.require_undoable(context, state.data["facts"])


def settled_by(
    context: Context, steps: Sequence[Step], operation: Operation, plan: Plan
) -> list[Operation]:
    """Return the later operations whose undo failed and has nothing left to do after this one's.

    Undone afterwards, they would bring back what is later than what this one brought back.
    """
    if not (place := operation.restores(context, plan)):
        return []
    journal = context.session.journal
    every = [one for step in steps for one in step.operations(context)]
    later = every[[one.key for one in every].index(operation.key) + 1 :]
    return [
        one
        for one in later
        if journal.kind(one.key) == "undoing"
        and (intent := journal.intent(one.key)) is not None
        and one.restores(context, Plan.from_dict(intent)) == place
    ]


def not_undone(left: Mapping[Operation, RemodelError], to: str) -> RemodelError:
    """Return the error of an undo that left something: what, why, and the way out of each.

    Its exit code is that of the first.
    """
    whys: dict[str, list[str]] = {}
    for operation, error in left.items():
        whys.setdefault(str(error), []).append(operation.key)
    count = "1 operation was" if len(left) == 1 else f"{len(left)} operations were"
    return type(next(iter(left.values())))(
        f"{count} not undone; everything else was.",
        found="\n".join(f"{', '.join(keys)}: {why}" for why, keys in whys.items()),
        hint=f"Do what is said of each, then `remodel undo --to {to}` again: it undoes the rest.",
    )
