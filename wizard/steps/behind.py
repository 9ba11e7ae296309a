"""A source that has the final models, and a database that was not converted.

The models as they were before the fields moved are laid over the source's own, in memory, until
the pages are converted. Nothing in the source is written: its migrations are there.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace

from wizard.base.errors import ConfigError, OperationFailed, RemodelError
from wizard.engine.context import Context
from wizard.engine.results import LookedAt
from wizard.project import package
from wizard.session import listed
from wizard.session.journal import Journal
from wizard.steps.sources import describe, models_file

EDIT = "slugs.fields"
THERE = "the source has it already; the database is behind it"
OTHER_RELEASE = (
    "Convert with a checkout of the release that the conversion was made with, and deploy this one "
    "afterwards."
)


async def has_final_models(context: Context) -> bool:
    """Return whether the moved fields are on the new type already, and off the old one."""
    conversion, worker = context.config.conversion, await context.worker.client()
    types = (conversion.old_type, conversion.new_type)
    if not conversion.move or not set(types) <= set(worker.hello.page_models):
        return False
    old, new = [
        {field["name"] for field in (await worker.describe(label))["fields"]} for label in types
    ]
    return not old & set(conversion.move) and set(conversion.move) <= new


async def look(context: Context) -> LookedAt:
    """Return the models to convert a database with that is behind the source.

    Raise ConfigError where the database is not behind, and where its migrations do not tell the
    models; OperationFailed where these would not be right.
    """
    conversion, target = context.config.conversion, context.config.backup_source
    worker = await context.worker.client()
    changes = [line for app in conversion.apps for line in await worker.pending_changes(app)]
    if changes:
        raise ConfigError(
            "The models have changes that no migration has.",
            found="\n".join(changes),
            hint=OTHER_RELEASE,
        )
    classes = await worker.earlier(conversion)
    looked = LookedAt(removal=classes["removal"], texts=await _kept(context))
    if not looked.texts:
        looked = replace(looked, classes=dict(classes))
    await _require_pending(context, looked)
    await _require_sound(context, looked)
    how = "as a session kept them" if looked.texts else "rebuilt from the migrations"
    context.report.finding(
        "database behind the code",
        f"{target.name} has not had {looked.removal}; the models before it are {how}",
    )
    return looked


async def _kept(context: Context) -> Mapping[str, str]:
    """Return the models file before the fields moved, by the file that the project imports.

    It is of a session whose edit led to the file as it is now; nothing where there is none.
    """
    imported, path = (await describe(context))["file"], await models_file(context)
    now = package.read(path)
    for one in reversed(listed.listed(context.session.folder.parent)):
        if one.trouble or one.folder == context.session.folder:
            continue
        with closing(Journal(one.folder / "journal.sqlite", read_only=True)) as journal:
            plan, kept = journal.intent(EDIT) or {}, journal.kept(EDIT)
        if "before" in kept and plan.get("details", {}).get("after") == now:
            return {imported: str(kept["before"])}
    return {}


async def _require_pending(context: Context, looked: LookedAt) -> None:
    """Raise ConfigError unless the database to convert has not had the removal of the fields."""
    conversion, target = context.config.conversion, context.config.backup_source
    far = await context.far.checked(target)
    async with context.worker.client_over({}, look_at=far) as worker:
        pending = await worker.migration_plan()
    if looked.removal not in pending:
        raise ConfigError(
            f"{', '.join(conversion.move)} moved to {conversion.new_type} already, in the source "
            f"and on {target.name}.",
            found=f"{target.name} has had the migration {looked.removal}",
            hint="There is nothing to move. To convert more pages to this type, leave "
            "conversion.move empty in remodel.yml.",
        )


async def _require_sound(context: Context, looked: LookedAt) -> None:
    """Raise OperationFailed unless the models as they were fit the migrations before the removal.

    The field map is judged with them as well.
    """
    conversion = context.config.conversion
    try:
        async with context.worker.client_over({}, earlier=looked) as worker:
            faults = await worker.earlier_differences(looked.removal)
            checks = await worker.check_models(conversion, "added")
            faults += [f"{check['name']}: {check['detail']}" for check in checks if not check["ok"]]
            if not faults:
                judged = await worker.field_map(conversion, conversion.fields)
                faults = list(judged["faults"])
    except RemodelError as error:
        faults = [f"{error.message} {error.found}".strip()]
    if faults:
        raise OperationFailed(
            f"The models as they were before {looked.removal} cannot be rebuilt.",
            found="\n".join(faults),
            hint=OTHER_RELEASE,
        )
