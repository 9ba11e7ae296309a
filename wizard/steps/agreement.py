"""Whether the database, the models and the migrations agree, as far as a conversion goes.

What was otherwise before it is the site's own, and no fault of the conversion.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from wizard.base.errors import RemodelError, VerificationFailed
from wizard.base.events import Report
from wizard.engine.context import Context
from wizard.project.worker_client import WorkerClient
from wizard.project.worker_results import SchemaDifference
from wizard.steps.proposal import system_errors
from wizard.steps.sources import describe


def changed(
    before: Sequence[SchemaDifference],
    after: Sequence[SchemaDifference],
    renames: Mapping[str, str],
) -> list[SchemaDifference]:
    """Return the differences after a migration that were not there before it.

    `renames` leads from columns' names before it to those after. Two objects that are alike count
    as two; the names of constraints and indexes do not matter.
    """
    known = Counter(_fact(difference, renames) for difference in before)
    new = []
    for difference in after:
        fact = _fact(difference, {})
        if known[fact]:
            known[fact] -= 1
        else:
            new.append(difference)
    return new


def line(difference: SchemaDifference) -> str:
    """Return a difference in words: table, object and definition."""
    kind, name = difference["kind"], difference["name"]
    if kind == "table":
        return f"the table {name} is not in the database"
    where = (
        "in the database, and not declared by the models"
        if difference["only_in"] == "database"
        else "declared by the models, and not in the database"
    )
    return f"{difference['table']}: {kind} {name}, {difference['definition']}: {where}"


def require_schema(
    report: Report,
    before: Sequence[SchemaDifference],
    after: Sequence[SchemaDifference],
    renames: Mapping[str, str],
) -> None:
    """Report how the database differs from the models after a migration, and did before it.

    Raise VerificationFailed where the migration made a difference.
    """
    new = changed(before, after, renames)
    if new:
        raise VerificationFailed(
            "The migrations do not lead to the tables that the models declare.",
            found="\n".join(map(line, new)),
            hint="Correct the migration files that this step wrote, then try again: it begins with "
            "the database as it was before them.",
        )
    report.finding(
        "tables and models", "columns, constraints and indexes are those that the models declare"
    )
    if after:
        report.document(
            "Differences from before the conversion", "text", "\n".join(map(line, after))
        )
        report.finding(
            "other differences", f"{len(after):,} were there before the conversion", "info"
        )


async def faults_of_code(context: Context) -> list[str]:
    """Return what Django has against the project now and did not have before the conversion.

    That is what `migrate --check`, `makemigrations --check` and `check --database` say. The
    conversion's apps agreed with their migrations before.
    """
    worker, apps = await context.worker.client(), context.config.conversion.apps
    faults = [f"migrate --check: {name} is not applied" for name in await worker.migration_plan()]
    now = await _told(worker)
    known = await _told_before(context, now) if now else []
    return faults + [told for app, told in now if app in apps or (app, told) not in known]


async def _told(worker: WorkerClient) -> list[tuple[str, str]]:
    """Return what Django says of the project's code, with the app where it is about migrations."""
    checked = await worker.check(database=True)
    return [
        *(("", f"manage.py check: {error}") for error in system_errors(checked)),
        *(
            (app, f"Django would still migrate: {app}: {change}")
            for app, changes in (await worker.all_pending_changes()).items()
            for change in changes
        ),
    ]


async def _told_before(context: Context, now: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return what it says with the models file as it was before the conversion.

    Return [] where that does not load: other code may name the new type already.
    """
    kept = map(context.session.journal.kept, ("structure.model", "slugs.fields"))
    before = next((each["before"] for each in kept if each), None)
    if before is None:  # the conversion edited nothing
        return now
    imported = Path((await describe(context))["file"])
    try:
        async with context.worker.client_over({imported: before}) as worker:
            return await _told(worker)
    except RemodelError:
        return []


def _fact(difference: SchemaDifference, renames: Mapping[str, str]) -> tuple[str, str, str, str]:
    definition = difference["definition"].replace('"', "")  # as a new name may need them
    for old, new in renames.items():
        definition = re.sub(rf"(?<![\w$]){re.escape(old)}(?![\w$])", new, definition)
    return difference["table"], difference["kind"], definition, difference["only_in"]
