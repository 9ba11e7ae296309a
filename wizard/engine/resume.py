"""What a resume looks at before anything moves: whether it is the same project, and how far it is.

Reads only. What was interrupted is looked at in the world; what was done has to be there still.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from wizard.base import process
from wizard.base.errors import IdentityMismatch, OperationFailed, RemodelError
from wizard.engine.context import Context
from wizard.engine.operation import Observation, Operation, Seen, Step
from wizard.session.plan import Plan

NAMED = 3  # operations to come that are told by name
THEN = {
    Seen.DONE: "that is written down",
    Seen.PARTLY: "what there is of it is cleared away, then it begins anew",
    Seen.NOT_DONE: "it begins anew",
}


async def require_same(context: Context, steps: Sequence[Step]) -> None:
    """Raise IdentityMismatch unless the session's project is the one that it was begun with.

    The commit that was checked out then is noted by the first call. Later it has to be the one
    that is checked out, or before it: what the session writes may be committed. What finished
    operations did to files and to the local database has to be there.
    """
    journal = context.session.journal
    project = context.config.project
    folders = [project.path, *([project.package] if project.package else [])]
    noted = journal.noted("commits")
    if noted is None:
        journal.note("commits", {str(folder): await _commit(folder) for folder in folders})
    differs = [await _elsewhere(Path(folder), commit) for folder, commit in (noted or {}).items()]
    for operation in _operations(context, steps):
        state, intent = journal.state(operation.key), journal.intent(operation.key)
        if state is not None and state.kind == "done" and intent is not None:
            gone = await operation.missing(context, Plan.from_dict(intent), state.data)
            differs.append(f"{operation.key}: {gone}" if gone else "")
    if differences := [line for line in differs if line]:
        raise IdentityMismatch(
            f"The project is not as session {context.session.id} left it.",
            found="\n".join(differences),
            hint="Bring back what is missing and resume; `remodel undo` takes the session's steps "
            "back instead, or begin a new session with `remodel`.",
        )


async def _commit(folder: Path) -> str:
    """Return the commit that is checked out; '' without Git or a commit."""
    try:
        asked = await process.run(["git", "-C", folder, "rev-parse", "--verify", "HEAD"])
    except OperationFailed:
        return ""
    return asked.stdout.strip() if asked.returncode == 0 else ""


async def _elsewhere(folder: Path, commit: str) -> str:
    """Say that another line of commits is checked out than the one with `commit`; '' if not."""
    if not commit or not (now := await _commit(folder)) or now == commit:
        return ""
    asked = await process.run(["git", "-C", folder, "merge-base", "--is-ancestor", commit, now])
    if asked.returncode == 0:
        return ""
    return f"{folder} is at commit {now[:12]}, which does not have {commit[:12]} before it"


@dataclass(frozen=True)
class Survey:
    """How far a session is: one paragraph, and what was seen of what was interrupted."""

    text: str = ""
    seen: Mapping[str, Observation] = field(default_factory=dict)


async def survey(context: Context, steps: Sequence[Step]) -> Survey:
    """Return what is done, what was interrupted, what comes next.

    Empty for a session that has not begun or has ended.
    """
    journal = context.session.journal
    operations = _operations(context, steps)
    left = [operation for operation in operations if not context.facts.settled(operation.key)]
    if not left or not any(journal.kind(operation.key) for operation in operations):
        return Survey()
    done = [operation for operation in operations if context.facts.settled(operation.key)]
    sentences = [
        f"Session {context.session.id}: {len(done)} of {len(operations)} operations are done"
    ]
    sentences[0] += f", the last of them {done[-1].key}." if done else "."
    seen: dict[str, Observation] = {}
    for operation in left:
        if clause := await _interrupted(context, operation, seen):
            sentences.append(f"{operation.key} was interrupted: {clause}.")
    names = ", ".join(operation.key for operation in left[:NAMED])
    more = f" and {len(left) - NAMED} more" if len(left) > NAMED else ""
    return Survey(" ".join([*sentences, f"To be done: {names}{more}."]), seen)


async def _interrupted(context: Context, operation: Operation, seen: dict[str, Observation]) -> str:
    """Return a clause on how far an interrupted operation came, and what is done with it."""
    state = context.session.journal.state(operation.key)
    intent = context.session.journal.intent(operation.key)
    if state is None or intent is None:
        return ""
    if state.kind == "undoing":
        return "it was being undone, which is done to its end first"
    if state.kind not in ("intent", "failed"):
        return ""
    try:
        with context.reporting(operation.key):
            observation = await operation.observe(context, Plan.from_dict(intent))
    except RemodelError as error:  # it will say so again where somebody may have it tried again
        return f"how far it came cannot be seen, {error.message.rstrip('.')}"
    seen[operation.key] = observation
    return f"it is {observation.seen.value}, {observation.why}; {THEN[observation.seen]}"


def _operations(context: Context, steps: Sequence[Step]) -> list[Operation]:
    return [operation for step in steps for operation in step.operations(context)]
