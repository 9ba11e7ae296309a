"""The source files of a conversion: find, observe, put back and reinstall them."""

from __future__ import annotations

from pathlib import Path

from wizard.base.errors import ConfigError, OperationFailed
from wizard.engine.context import Context
from wizard.engine.operation import Observation, Operation, Seen
from wizard.engine.result import Result
from wizard.project import package, source
from wizard.project.worker_results import ModelDescription
from wizard.session.plan import Plan


def unchanged(operation: Operation, why: str) -> Plan:
    """Return the plan of an operation with nothing to do, for `Facts.unchanged` to see."""
    return Plan(operation.key, operation.title, details={"unchanged": True}, skip=why)


def put_back(plan: Plan, before: str) -> None:
    """Put the file at the plan's `path` back. Raise OperationFailed if somebody edited it since."""
    path = Path(plan.details["path"])
    if package.read(path) not in (plan.details["after"], before):
        raise OperationFailed(
            f"{path.name} was edited since remodel wrote it; it is left as it is.",
            found=str(path),
            hint="Take your own changes out (keep them elsewhere), then undo again.",
        )
    package.write(path, before)


async def reinstall(context: Context) -> None:
    """Make the project import the source as it is, after an undo changed it.

    A project that does not load, for whatever reason, gets its source back all the same.
    """
    try:
        source_itself = await editable(context)
    except ConfigError:
        source_itself = None
    if source_itself is None and context.config.project.install:
        await package.install(context.config.project, context.report)
    await context.worker.stop()


async def editable(context: Context) -> Path | None:
    """Return the models file that the project imports if that is the source itself.

    Return None where the package has to be installed: also where the project cannot be loaded,
    since an interrupted installation may have removed the old package and not added the new one.
    """
    try:
        installed = await installed_models(context)
    except ConfigError:
        if not context.config.project.install:
            raise
        return None
    return installed if package.is_editable(context.config.project, installed) else None


async def installed_models(context: Context) -> Path:
    """Return the models file that the project's Python imports: the source, or a copy of it."""
    app = (await context.worker.client()).hello.apps[context.config.conversion.app]
    return app.models or app.path


async def models_file(context: Context) -> Path:
    """Return the source file that defines the old type."""
    description = await describe(context)
    return package.source_of(context.config.project, Path(description["file"]))


async def migrations_folder(context: Context) -> Path:
    """Return the source folder of the app's migrations, where Django looks for them.

    Raise ConfigError when there is none.
    """
    imported = (await describe(context))["migrations"]
    if imported is None:
        app = context.config.conversion.app
        raise ConfigError(
            f"The app {app} has no migrations.",
            found="no package of migrations where Django looks for it (MIGRATION_MODULES included)",
            hint=f"Make them, and apply them: python manage.py makemigrations {app}",
        )
    return package.source_of(context.config.project, Path(imported)).parent


def was_put_back(context: Context, key: str, plan: Plan) -> str:
    """Say why the file that an operation wrote is gone or as before; '' while it stands.

    It may have been edited by hand: what Django makes of it is checked where it matters.
    """
    path = Path(plan.details["path"])
    if not path.exists():
        return f"{path} is gone"
    before = context.session.journal.kept(key).get("before")
    return f"{path} is as it was before" if package.read(path) == before else ""


def observe_file(plan: Plan, result: Result) -> Observation:
    """Observe whether the file at the plan's `path` has the plan's text; `result` if so."""
    path = Path(plan.details["path"])
    if package.read(path) == plan.details["after"]:
        return Observation(Seen.DONE, f"{path.name} has the new text", result)
    return Observation(Seen.NOT_DONE, f"{path.name} is written in one piece, and was not")


async def describe(context: Context) -> ModelDescription:
    """Return the old type as the project's Django sees it."""
    return await (await context.worker.client()).describe(context.config.conversion.old_type)


def report_usages(context: Context, models: Path, shown: int = 0) -> None:
    """Report where else the project's code and templates name the old type or a moved field.

    All lines are a document, the first `shown` of them findings as well. The models file is left
    out: what stays there is reported with its edit.
    """
    project, conversion = context.config.project, context.config.conversion
    roots = list(dict.fromkeys([project.path, project.package or project.path]))
    app, _, old_class = conversion.old_type.partition(".")
    everywhere = source.usages(roots, old_class=old_class, app=app, fields=conversion.move)
    elsewhere = [usage for usage in everywhere if usage.path.resolve() != models.resolve()]
    if not elsewhere:
        return
    rows = [f"{usage.path}\t{usage.line}\t{usage.text}" for usage in elsewhere]
    title = f"What names {conversion.old_type} or a moved field"
    context.report.document(title, "table", "\n".join(["file\tline\ttext", *rows]))
    for usage in elsewhere[:shown]:
        context.report.finding(
            f"{usage.path.name} line {usage.line}", usage.text, "warn", str(usage.path)
        )
    context.report.finding(
        "code and templates",
        f"{len(elsewhere):,} lines name {conversion.old_type} or a moved field",
        "warn",
        f"Converted pages are {conversion.new_type}: look at each of {title!r}.",
    )
