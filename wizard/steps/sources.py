"""The source files of a conversion: where they are, written, put back, and installed anew."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from wizard.base.errors import ConfigError, OperationFailed
from wizard.engine.context import Context
from wizard.engine.operation import Observation, Operation, Seen
from wizard.project import package
from wizard.session.plan import Plan


def unchanged(operation: Operation, why: str) -> Plan:
    """The plan of an operation with nothing to do; those that build on it see that."""
    return Plan(operation.key, operation.title, details={"unchanged": True}, skip=why)


def put_back(plan: Plan, before: str) -> None:
    """The file at the plan's `path` as it was; refused when somebody edited it since."""
    path = Path(plan.details["path"])
    if package.read(path) not in (plan.details["after"], before):
        raise OperationFailed(
            f"{path.name} was edited since remodel wrote it; it is left as it is.",
            found=str(path),
            hint="Take your own changes out (keep them elsewhere), then undo again.",
        )
    package.write(path, before)


async def reinstall(context: Context) -> None:
    """After an undo changed the source: the project imports it as it is again."""
    if await editable(context) is None:
        await package.install(context.config.project, context.report)
    await context.worker.stop()


async def editable(context: Context) -> Path | None:
    """The models file that the project imports, where an edit in the source is all it takes; None
    where the package has to be installed for that.

    So it has to where the project cannot be loaded: an installation that was cut off may have
    taken the old package out and not put the new one in.
    """
    try:
        installed = await installed_models(context)
    except ConfigError:
        if not context.config.project.install:
            raise
        return None
    return installed if package.is_editable(context.config.project, installed) else None


async def installed_models(context: Context) -> Path:
    """The models file that the project's Python imports: the source itself, or a copy of it."""
    app = (await context.worker.client()).hello.apps[context.config.conversion.app]
    return app.models or app.path


async def models_file(context: Context) -> Path:
    """The source file that defines the model that is converted."""
    description = await describe(context)
    return package.source_of(context.config.project, Path(description["file"]))


def was_put_back(context: Context, key: str, plan: Plan) -> str:
    """Why the file that an operation wrote is not what it left, or nothing.

    Edited by hand it may be: what it says to Django is checked where it matters.
    """
    path = Path(plan.details["path"])
    if not path.exists():
        return f"{path} is gone"
    before = context.session.journal.kept(key).get("before")
    return f"{path} is as it was before" if package.read(path) == before else ""


def observe_file(plan: Plan) -> Observation:
    """Whether the file at the plan's `path` has the plan's text."""
    path = Path(plan.details["path"])
    if package.read(path) == plan.details["after"]:
        return Observation(Seen.DONE, f"{path.name} has the new text", {"path": str(path)})
    return Observation(Seen.NOT_DONE, f"{path.name} is written in one piece, and was not")


async def describe(context: Context) -> dict[str, Any]:
    """The model that is converted, as the project's Django knows it."""
    described: dict[str, Any] = await (await context.worker.client()).ask(
        "describe", model=context.config.conversion.old_type
    )
    return described
