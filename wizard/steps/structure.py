"""Step 3: add the new model beside the old one: source, environment and schema."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from wizard.base.errors import OperationFailed, VerificationFailed
from wizard.engine.context import Context
from wizard.engine.operation import Observation, Operation, Repeatable, Seen, Step, StepQuestion
from wizard.engine.result import Result
from wizard.engine.results import Migrated, ModelWritten
from wizard.project import encoding, package, source
from wizard.project.worker_results import NewMigration
from wizard.session.plan import CHANGES_NOTHING, Gate, Plan
from wizard.steps import behind, checkpointed
from wizard.steps.agreement import require_schema
from wizard.steps.checkpointed import Checkpointed
from wizard.steps.proposal import generated, propose, require_sound
from wizard.steps.sources import (
    SourceEdit,
    describe,
    editable,
    install_back,
    migrations_folder,
    observe_file,
    unchanged,
)


class WriteModel(SourceEdit):
    """Write the new model's class into the models file, on consent to its diff."""

    key = "structure.model"
    title = "Write the new model into the models file"
    about = "a class with prefixed copies of the moved fields, shown as a diff"

    def __init__(self, *, gated: bool) -> None:
        self.gated = gated

    async def plan(self, context: Context) -> Plan:
        conversion = context.config.conversion
        if reason := await _is_there(context):
            return unchanged(self, reason)
        text = context.facts.answer("structure.class")
        proposal = await propose(context, text)
        await require_sound(context, proposal)
        path, before, after = proposal.path, proposal.before, proposal.added
        name = conversion.new_type.partition(".")[2]
        changes = source.unified_diff(before, after, path.name)
        context.report.document("The two models", "table", await _side_by_side(context))
        context.report.document(f"Change to {path.name}", "diff", changes)
        return Plan(
            operation=self.key,
            title=f"Write class {name} into {path.name}",
            does=(
                f"add class {name} to {path}",
                *(
                    [
                        f"allow {name} where {conversion.old_type} is: subpage_types, "
                        "parent_page_types"
                    ]
                    if proposal.widened
                    else []
                ),
                "everything else in the file stays as it is",
            ),
            undo="`remodel undo --to structure` puts the file back as it was",
            gate=Gate(name),
            facts={"model": conversion.new_type, "class": text},
            details={"path": str(path), "after": after},
            skip=f"{path.name} has this class already" if before == after else "",
        )

    async def apply(self, context: Context, plan: Plan) -> ModelWritten:
        path = Path(plan.details["path"])
        package.write(path, plan.details["after"])
        return ModelWritten(path=str(path), message=f"{path} written")

    async def observe(self, context: Context, plan: Plan) -> Observation:
        return observe_file(plan, ModelWritten(path=str(Path(plan.details["path"]))))


class Install(Repeatable):
    """Install the package, as it is in source now, into the project's environment."""

    def __init__(self, key: str, after: str, about: str) -> None:
        self.key = key
        self.after = after
        self.title = "Install the package into the project's environment"
        self.about = about

    async def plan(self, context: Context) -> Plan:
        if context.facts.unchanged(self.after):
            return unchanged(self, "no source file was changed")
        source_itself = await editable(context)
        project = context.config.project
        return Plan(
            operation=self.key,
            title=self.title,
            does=(f"run {' '.join(project.install)}",),
            undo="`remodel undo --to structure` puts the source back; install it again",
            facts={"command": [Path(word).name for word in project.install]},
            skip=f"{source_itself} is the source itself (an editable install)"
            if source_itself
            else "",
        )

    async def apply(self, context: Context, plan: Plan) -> Result:
        await package.install(context.config.project, context.report)
        await context.worker.stop()
        return Result(message="the project imports the package as it is now")


class CheckModels(Repeatable):
    """Check the models that Django sees in a fresh process, whatever the text seems to say."""

    def __init__(self, key: str, after: str, phase: Literal["added", "final"]) -> None:
        self.key = key
        self.after = after
        self.phase = phase
        self.title = "Check what Django really sees"
        self.about = "both models, field by field, in a fresh Python process"

    async def plan(self, context: Context) -> Plan:
        if context.facts.unchanged(self.after) and not context.config.conversion.move:
            return unchanged(self, "no model was changed, and no field moves")
        return Plan(
            operation=self.key,
            title=self.title,
            does=("start a fresh Python in the project and ask Django for both models",),
            undo=CHANGES_NOTHING,
        )

    async def apply(self, context: Context, plan: Plan) -> Result:
        await context.worker.stop()
        worker = await context.worker.client()
        checks = await worker.check_models(context.config.conversion, self.phase)
        for check in checks:
            context.report.finding(check["name"], check["detail"], "ok" if check["ok"] else "fail")
        faults = [f"{check['name']}: {check['detail']}" for check in checks if not check["ok"]]
        if faults:
            raise VerificationFailed(
                "Django does not see the models that are needed.",
                found="\n".join(faults),
                hint="`remodel undo --to structure`, then write the class differently.",
            )
        return Result(message=f"{len(checks)} checks passed")


Kind = Literal["add", "finish"]

MODELS: dict[Kind, str] = {"add": "structure.model", "finish": "slugs.fields"}
"""The operation that changes the models, by kind of migration."""


GUARDED: dict[Kind, str] = {
    "add": "its guard refuses to reverse it while there are pages of the new type",
    "finish": "its guard refuses to drop values in a database whose pages were not converted "
    "(sqlmigrate does not show this check)",
}


class WriteMigrations(Operation):
    """Write migrations, generated deterministically from what Django sees, shown with their SQL.

    `kind` is the worker's: `add` creates the new model; `finish` removes the moved fields from
    the old model and un-prefixes them on the new one, in that order.
    """

    observed_before_undo = False

    def __init__(self, key: str, kind: Kind, after: str, about: str) -> None:
        self.key = key
        self.kind = kind
        self.after = after
        self.title = "Write the migrations"
        self.about = about

    async def plan(self, context: Context) -> Plan:
        context.facts.require(self.after)
        if context.worker.earlier is not None:
            return unchanged(self, behind.THERE)
        if context.facts.unchanged(MODELS[self.kind]):
            return unchanged(self, await _agree(context))
        files = await _migrations(context, self.kind)
        migrations = [file for file in files if file["sql"]]
        for file in files:
            what = "Migration" if file["sql"] else "Guards, in"
            context.report.document(f"{what} {file['name']}", "python", file["text"])
        for migration in migrations:
            context.report.document(f"SQL of {migration['name']}", "sql", migration["sql"])
        return Plan(
            operation=self.key,
            title="Write " + " and ".join(migration["name"] for migration in migrations),
            does=(*(f"write {file['path']}" for file in files), GUARDED[self.kind]),
            undo=f"`remodel undo --to {self.key.partition('.')[0]}` deletes them again",
            facts={"migrations": [migration["name"] for migration in migrations]},
            details={"files": {file["path"]: file["text"] for file in files}},
        )

    async def apply(self, context: Context, plan: Plan) -> Result:
        for name, text in plan.details["files"].items():
            path = Path(name)
            if path.exists() and package.read(path) != text:
                raise OperationFailed(
                    f"{path} is there already, with another content.",
                    hint="Move it away or apply it, then try again.",
                )
            package.write(path, text)  # the worker finds new files, and no model has changed
        return Result(message=", ".join(plan.facts["migrations"]))

    async def undo(self, context: Context, plan: Plan, facts: Mapping[str, Any]) -> None:
        await self.clear(context, plan)
        left = [name for name in plan.details["files"] if Path(name).exists()]
        if left and facts:
            raise OperationFailed(
                "What was edited since remodel wrote it is left as it is.",
                found="\n".join(left),
                hint="Move it away or delete it, then undo again.",
            )
        for name in left:  # an attempt stops at what was there before it
            context.report.finding(name, "left as it is: it is not what remodel writes", "warn")
        if context.session.journal.kind(MODELS[self.kind]) == "skipped":
            await install_back(context)  # otherwise once the models are put back

    async def clear(self, context: Context, plan: Plan) -> None:
        for name, text in plan.details["files"].items():
            path = Path(name)
            if path.exists() and path.read_bytes() == encoding.encoded(text, path):
                path.unlink()
        await context.worker.stop()

    async def observe(self, context: Context, plan: Plan) -> Observation:
        there = [
            Path(name).exists() and package.read(Path(name)) == text
            for name, text in plan.details["files"].items()
        ]
        if all(there):
            return Observation(Seen.DONE, "the files are written")
        return Observation(Seen.PARTLY if any(there) else Seen.NOT_DONE, "not all are written")

    async def missing(self, context: Context, plan: Plan, facts: Mapping[str, Any]) -> str:
        missing = [name for name in plan.details["files"] if not Path(name).exists()]
        return f"{', '.join(missing)}: no such file" if missing else ""


class Migrate(Checkpointed):
    """Run Django's own migrate on the local database, after a checkpoint, its output shown live."""

    def __init__(self, key: str, after: str) -> None:
        self.key = key
        self.after = after
        self.title = "Migrate the local database"
        self.about = "Django's own migrate, live; a checkpoint is taken first"

    async def plan(self, context: Context) -> Plan:
        context.facts.require(self.after)
        pending = await (await context.worker.client()).migration_plan(_until(context))
        label = checkpointed.name(context, self.key)
        return Plan(
            operation=self.key,
            title=self.title,
            does=(f"take the checkpoint {label}", *(f"apply {name}" for name in pending)),
            undo=f"`remodel undo --to {self.key.partition('.')[0]}` goes back to this checkpoint",
            facts={"migrations": pending},
            skip="" if pending or _until(context) else "no migration is pending",
        )

    async def apply(self, context: Context, plan: Plan) -> Migrated:
        conversion, worker = context.config.conversion, await context.worker.client()
        before = await worker.schema_differences(conversion, applied=True)
        until = _until(context)
        await worker.migrate(context.report, plan.details.get("discard"), until)
        left = await worker.migration_plan(until)
        if left:
            raise VerificationFailed("Django still has migrations to apply.", found="\n".join(left))
        # What the models of the source declare is compared once their migrations were run.
        after = await worker.schema_differences(conversion, applied=bool(until))
        require_schema(context.report, before, after, self.renames(context))
        applied = plan.facts["migrations"]
        return Migrated(applied=applied, message=f"{len(applied)} applied")

    def renames(self, context: Context) -> dict[str, str]:
        """Return the new names of columns that the migrations rename."""
        return {}

    async def observe(self, context: Context, plan: Plan) -> Observation:
        left = await (await context.worker.client()).migration_plan(_until(context))
        planned = plan.facts["migrations"]
        pending = [name for name in planned if name in left]
        why = f"{len(pending)} of {len(planned)} migrations are pending"
        if pending == planned:
            return Observation(Seen.NOT_DONE, why)
        if pending or context.session.journal.kept(self.key):
            # After the last migration, migrate still makes content types and permissions
            # (post_migrate, in django/core/management/commands/migrate.py).
            return Observation(Seen.PARTLY, why)
        return Observation(Seen.DONE, f"{why}, by another hand", Migrated(applied=planned))


def _until(context: Context) -> str:
    """Return the migration to stop before: '' unless the models are those before it."""
    earlier = context.worker.earlier
    return earlier.removal if earlier is not None else ""


async def _is_there(context: Context) -> str:
    """Say why no class has to be written; '' unless the project has the new type already."""
    new_type = context.config.conversion.new_type
    there = new_type in (await context.worker.client()).hello.page_models
    return f"{new_type} is a model of the project already" if there else ""


async def _agree(context: Context) -> str:
    """Say that there is no migration to write. Raise OperationFailed where one is missing."""
    worker = await context.worker.client()
    changes = [
        change
        for app in context.config.conversion.apps
        for change in await worker.pending_changes(app)
    ]
    if changes:
        raise OperationFailed(
            "The models and the migrations of the project do not agree.",
            found="\n".join(changes),
            hint="Make the missing migration first: python manage.py makemigrations",
        )
    return "the migrations agree with the models"


async def _migrations(context: Context, kind: Kind) -> list[NewMigration]:
    """Return the conversion's migrations of this kind, generated and not written."""
    folder = await migrations_folder(context)
    worker = await context.worker.client()
    return await worker.make_migration(context.config.conversion, kind, str(folder))


async def _side_by_side(context: Context) -> str:
    """Return a table, tab-separated: each field of the old model and its name on the new one."""
    conversion = context.config.conversion
    rows = [f"{conversion.old_type}\ttype\t{conversion.new_type}"]
    for field in (await describe(context))["fields"]:
        if not field["local"]:
            continue
        moved = field["name"] in conversion.move
        there = conversion.prefix + field["name"] if moved else f"{field['name']} (inherited)"
        rows.append(f"{field['name']}\t{field['internal_type']}\t{there}")
    return "\n".join(rows)


CLASS = StepQuestion(
    key="structure.class",
    text="The new model's class",
    help="Made from the moved fields' own definitions. Edit it where it should say more;\n"
    "Django is asked afterwards what it really sees.",
    kind="source",
    default_from=generated,
    unless=_is_there,
    optional=True,  # empty where the model is there already
)


def _operations(context: Context) -> list[Operation]:
    answered = context.session.answers.answers.get(CLASS.key)
    return [
        WriteModel(gated=answered != ""),
        Install(
            "structure.install",
            "structure.model",
            "the configured command; skipped for an editable install",
        ),
        CheckModels("structure.check", "structure.model", "added"),
        WriteMigrations(
            "structure.migration",
            "add",
            "structure.check",
            "CreateModel for the new type, shown with its SQL",
        ),
        Install(
            "structure.install_migration",
            "structure.migration",
            "once more, with the migration in it",
        ),
        Migrate("structure.migrate", after="structure.install_migration"),
    ]


STEP = Step(
    name="structure",
    title="Structure",
    purpose="Add the new model with prefixed copies of the moved fields, and migrate.",
    touches="The models file and the migrations of the package, the project's environment, "
    "the schema of the local database.",
    undo="`remodel undo --to structure` puts the files back and brings back the checkpoint.",
    operations=_operations,
    questions=lambda context: [CLASS],
)
