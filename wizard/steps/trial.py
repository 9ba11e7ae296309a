"""The conversion tried before anything is touched: on the source in memory, on production's rows.

The new class goes into a Python of its own, not into the file. Production is only looked at, in a
transaction that is READ ONLY and rolled back.
"""

from __future__ import annotations

from collections.abc import Sequence

from wizard.base.errors import ConfigError
from wizard.engine.context import Context
from wizard.engine.far_side import Far
from wizard.engine.operation import Repeatable
from wizard.engine.results import Tried
from wizard.postgres import server
from wizard.project.worker_results import Outlook
from wizard.session.plan import CHANGES_NOTHING, Plan
from wizard.steps import sequences
from wizard.steps.copy import refused
from wizard.steps.dropped_columns import HangingOn, hanging_on, moved_columns
from wizard.steps.proposal import Proposal, generated, propose, require_sound
from wizard.steps.sources import report_usages

LATER = "the models would be right; the content is looked at after the restore"
UNSEEN = "values, rules of the page tree, unique rules, references, pages that stay"


class Trial(Repeatable):
    """Try the new class, and the conversion of production's pages, without writing anything."""

    key = "project.trial"
    title = "Try the conversion without writing anything"
    about = "the new class in memory, and production's pages, read-only"

    async def plan(self, context: Context) -> Plan:
        conversion, where = context.config.conversion, context.config.backup_source.where
        begun = context.facts.settled("structure.model")
        return Plan(
            operation=self.key,
            title=self.title,
            does=(
                f"start Python with {conversion.new_type} in memory, and run Django's checks",
                f"look at the pages on {where} in a read-only transaction, and roll it back",
            ),
            undo=CHANGES_NOTHING,
            skip="the models are written already" if begun else "",
        )

    async def apply(self, context: Context, plan: Plan) -> Tried:
        await context.worker.stop()  # the operator may have changed the models since
        if context.worker.earlier is None:
            await _require_migrated(context)
        proposal = await _proposal(context)
        if proposal is not None:
            await require_sound(context, proposal)
            context.report.finding("new class", "loads; Django's checks have nothing against it")
            report_usages(context, proposal.path)
        return await _look(context, proposal)


async def _require_migrated(context: Context) -> None:
    """Raise ConfigError where the models have what the migrations have not."""
    worker = await context.worker.client()
    changes = {app: await worker.pending_changes(app) for app in context.config.conversion.apps}
    if any(changes.values()):
        apps = " ".join(app for app, lines in changes.items() if lines)
        raise ConfigError(
            "The models have changes that no migration has.",
            found="\n".join(line for lines in changes.values() for line in lines),
            hint=f"Make the migration (python manage.py makemigrations {apps}), deploy it and "
            f"migrate {context.config.backup_source.name}; then begin again. Or take the changes "
            "out of the models until the conversion is delivered.",
        )


async def _proposal(context: Context) -> Proposal | None:
    """Return the models as they would be; None where the new type is there already."""
    worker = await context.worker.client()
    if context.config.conversion.new_type in worker.hello.page_models:
        return None
    answer = context.session.answers.answers.get("structure.class")
    return await propose(context, str(answer) if answer else await generated(context))


async def _look(context: Context, proposal: Proposal | None) -> Tried:
    """Look at production and report what the conversion would lose there.

    Raise OperationFailed with everything that prevents it. A database that has not had all
    migrations, and a standby, are looked at after the restore.
    """
    target = context.config.backup_source
    far = await context.far.checked(target)
    texts = {} if proposal is None else proposal.texts("added")
    models = None if proposal is None else proposal.digest
    await sequences.look(context, far.address)
    earlier = context.worker.earlier
    async with context.worker.client_over(texts, look_at=far, earlier=earlier) as worker:
        if pending := await worker.migration_plan():
            context.report.finding(
                "migrations",
                f"{target.name} has not had {', '.join(pending)}",
                "warn",
                "They run on the local copy, and are delivered with the conversion. To have its "
                "content looked at now, migrate it first, and begin again.",
            )
            _unseen(context, "its tables are not yet those of the models")
            if earlier is not None:  # its columns are there
                return _tried(models, await _hanging_on(context, far), LATER)
            return Tried(models=models, message=LATER)
        there = await _hanging_on(context, far)
        if await _is_standby(far):
            _unseen(context, "it is a standby, which has no temporary tables")
            return _tried(models, there, LATER)
        outlook = await worker.look(context.config.conversion)
    _show(context, outlook)
    if outlook["faults"]:
        raise refused(
            outlook["faults"],
            f"Fix them in the models or in the admin of {target.name}, or choose other pages; then "
            "try again.",
        )
    message = f"pages to convert: {outlook['pages']:,}; nothing is in the way"
    return _tried(models, there, message)


def _unseen(context: Context, why: str) -> None:
    """Warn that the content was not looked at, and say where it will be."""
    context.report.finding(
        f"content of {context.config.backup_source.name}",
        f"not looked at: {why}",
        "warn",
        f"What is in the way ({UNSEEN}) is named by the plan of the step Copy, once the local "
        "database was replaced.",
    )


async def _is_standby(far: Far) -> bool:
    async with server.session(far.address) as connection:
        cursor = await connection.execute("SELECT pg_is_in_recovery()")
        (standby,) = await cursor.fetchone() or (False,)
    return bool(standby)


def _tried(models: str | None, there: HangingOn, message: str) -> Tried:
    return Tried(models=models, dependants=there.lost, carried=there.carried, message=message)


async def _hanging_on(context: Context, far: Far) -> HangingOn:
    """Report and return what hangs on production's columns of the moved fields."""
    conversion, moved = context.config.conversion, await moved_columns(context)
    there = await hanging_on(far.address, **moved, prefix=conversion.prefix)
    for name, line in there.carried.items():
        context.report.finding(name, f"{line}: made anew for {conversion.new_type}")
    for name, line in there.lost.items():
        context.report.finding(
            name,
            line,
            "warn",
            f"It goes with {', '.join(moved['columns'])} of {moved['table']}. Make it anew after "
            "the delivery, or change it before.",
        )
    return there


def _slugs(slugs: Sequence[str], count: int) -> str:
    more = count - len(slugs)
    return ", ".join(slugs) + (f" and {more:,} more" if more else "")


def _show(context: Context, outlook: Outlook) -> None:
    """Report what would be lost, by type."""
    conversion = context.config.conversion
    for links in outlook["links"]:
        context.report.finding(
            f"links in {links['field']}",
            _slugs(links["slugs"], links["count"]),
            "warn",
            f"They end as text in {links['becomes']}. Take the field over as rich text, or let "
            "the links go.",
        )
    if outlook["untried"]:
        context.report.finding(
            "values",
            f"not looked at: {', '.join(outlook['untried'])} writes to the database",
            "warn",
            "Nothing may be written there. They are computed and checked after the restore.",
        )
    for pages in outlook["stay"]:
        context.report.finding(
            f"{pages['type']} that stay",
            _slugs(pages["slugs"], pages["count"]),
            "warn",
            f"They lose what they hold in {', '.join(conversion.move)}: these fields move to "
            f"{conversion.new_type}.",
        )
    for name, count in outlook["losses"].items():
        context.report.finding(f"lost: {name}", f"{count:,}", "warn")
