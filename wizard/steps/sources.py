"""The source files of a conversion: where they are, written, put back, and installed anew."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from wizard.base.errors import ConfigError, OperationFailed
from wizard.engine.context import Run
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


async def reinstall(run: Run) -> None:
    """After an undo changed the source: the project imports it as it is again."""
    if await editable(run) is None:
        await package.install(run.config.project, run.report)
    await run.stop_site()


async def editable(run: Run) -> Path | None:
    """The models file that the project imports, where an edit in the source is all it takes; None
    where the package has to be installed for that.

    So it has to where the project cannot be loaded: an installation that was cut off may have
    taken the old package out and not put the new one in.
    """
    try:
        installed = await installed_models(run)
    except ConfigError:
        if not run.config.project.install:
            raise
        return None
    return installed if package.is_editable(run.config.project, installed) else None


async def installed_models(run: Run) -> Path:
    """The models file that the project's Python imports: the source itself, or a copy of it."""
    app = (await run.site()).hello.apps[run.config.conversion.app]
    return app.models or app.path


async def models_file(run: Run) -> Path:
    """The source file that defines the model that is converted."""
    description = await describe(run)
    return package.source_of(run.config.project, Path(description["file"]))


def was_put_back(run: Run, key: str, plan: Plan) -> str:
    """Why the file that an operation wrote is not what it left, or nothing.

    Edited by hand it may be: what it says to Django is checked where it matters.
    """
    path = Path(plan.details["path"])
    if not path.exists():
        return f"{path} is gone"
    before = run.session.journal.kept(key).get("before")
    return f"{path} is as it was before" if package.read(path) == before else ""


def observe_file(plan: Plan) -> Observation:
    """Whether the file at the plan's `path` has the plan's text."""
    path = Path(plan.details["path"])
    if package.read(path) == plan.details["after"]:
        return Observation(Seen.DONE, f"{path.name} has the new text", {"path": str(path)})
    return Observation(Seen.NOT_DONE, f"{path.name} is written in one piece, and was not")


async def describe(run: Run) -> dict[str, Any]:
    """The model that is converted, as the project's Django knows it."""
    described: dict[str, Any] = await (await run.site()).ask(
        "describe", model=run.config.conversion.source
    )
    return described
