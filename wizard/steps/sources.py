"""The source files of a conversion: find, observe, put back and reinstall them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wizard.base.errors import ConfigError, OperationFailed
from wizard.engine.context import Context
from wizard.engine.operation import Observation, Operation, Seen
from wizard.engine.result import Result
from wizard.project import encoding, package, source
from wizard.project.worker_results import ModelDescription
from wizard.session.journal import Journal
from wizard.session.plan import Plan

INSTALLS = (
    *("structure.install", "structure.install_migration"),
    *("slugs.install", "slugs.install_migrations"),
)
"""The operations that install the package."""


def unchanged(operation: Operation, why: str) -> Plan:
    """Return the plan of an operation with nothing to do, for `Facts.unchanged` to see."""
    return Plan(operation.key, operation.title, details={"unchanged": True}, skip=why)


class SourceEdit(Operation):
    """An operation that writes the file at its plan's `path`; its undo is the text before it.

    A plan without `path` writes nothing.
    """

    observed_before_undo = False

    async def undo_data(self, context: Context, plan: Plan) -> Mapping[str, Any]:
        """Return the file's text."""
        path = plan.details.get("path")
        return {"before": package.read(Path(path))} if path else {}

    async def missing(self, context: Context, plan: Plan, facts: Mapping[str, Any]) -> str:
        """Say why the file is gone or as before; '' while it stands.

        It may have been edited by hand: what Django makes of it is checked where it matters.
        """
        if "path" not in plan.details:
            return ""
        path = Path(plan.details["path"])
        if not path.exists():
            return f"{path} is gone"
        before = context.session.journal.kept(self.key).get("before")
        return f"{path} is as it was before" if package.read(path) == before else ""

    async def undo(self, context: Context, plan: Plan, facts: Mapping[str, Any]) -> None:
        """Put the file back. Raise OperationFailed if somebody edited it since."""
        if kept := context.session.journal.kept(self.key):
            self._put_back(context, Path(plan.details["path"]), kept["before"])
            await install_back(context)

    def restores(self, context: Context, plan: Plan) -> str:
        return str(plan.details.get("path", ""))

    def _put_back(self, context: Context, path: Path, before: str) -> None:
        if not path.parent.is_dir():
            raise OperationFailed(
                f"{path} cannot be put back.",
                found=f"the folder {path.parent} is gone",
                hint="Bring the folder back, then undo again.",
            )
        as_before = context.artefact(f"{self.key}.{path.name}.before")
        first, written = written_by(context.session.journal)[path]
        ours = {encoding.encoded(text or "", path) for text in (before, first, *written)}
        if path.exists() and path.read_bytes() not in ours:
            package.write(as_before, before)
            raise OperationFailed(
                f"{path.name} was edited since remodel wrote it; it is left as it is.",
                found=str(path),
                hint="Keep your own changes elsewhere, take them out of it or copy "
                f"{as_before} over it, then undo again.",
            )
        package.write(path, before)
        as_before.unlink(missing_ok=True)


def written_by(journal: Journal) -> dict[Path, tuple[str | None, list[str]]]:
    """Return each source file that a session wrote: its text before, or None, and those since."""
    written: dict[Path, tuple[str | None, list[str]]] = {}
    for key in ("structure.model", "structure.migration", "slugs.fields", "slugs.migrations"):
        intent, kept = journal.intent(key), journal.kept(key)
        details = intent["details"] if intent else {}
        if "before" in kept:
            path = Path(details["path"])
            before, after = written.get(path, (kept["before"], []))
            written[path] = (before, [*after, kept["before"], details["after"]])
        for name, text in details.get("files", {}).items():
            written[Path(name)] = (None, [text])
    return written


async def reinstall(context: Context) -> bool:
    """Make the project import the source as it is; return whether it had to be installed."""
    try:
        source_itself = await editable(context)
    except ConfigError:
        source_itself = None
    needed = source_itself is None and bool(context.config.project.install)
    if needed:
        await package.install(context.config.project, context.report)
    await context.worker.stop()
    return needed


async def install_back(context: Context, *, installed: bool | None = None) -> None:
    """Install the package as it is after an undo, where the session had installed it.

    The project is not asked where it imports the package from: it may not load. `installed` says
    it where the journal does not.
    """
    project, journal = context.config.project, context.session.journal
    await context.worker.stop()
    if installed is None:
        entries = (entry for key in INSTALLS for entry in journal.entries(key))
        installed = any(entry.kind == "intent" for entry in entries)
    if not installed or not project.install:
        return
    if project.python.exists():
        await package.install(project, context.report)
        return
    context.report.finding(
        "package",
        f"not installed: {project.python} is gone",
        "warn",
        "Install it once the project has its environment again.",
    )


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


def observe_file(plan: Plan, result: Result) -> Observation:
    """Observe whether the file at the plan's `path` has the plan's text; `result` if so."""
    path = Path(plan.details["path"])
    if path.exists() and package.read(path) == plan.details["after"]:
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
