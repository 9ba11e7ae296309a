"""Step 5: remove the prefix from slugs and fields, and compare every URL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from wizard.base.errors import VerificationFailed, some
from wizard.delivery.verify.urls import judge
from wizard.engine.context import Context
from wizard.engine.operation import Observation, Operation, Repeatable, Seen, Step
from wizard.engine.results import (
    Converted,
    FieldsMoved,
    Migrated,
    SlugsRestored,
    Tried,
    UrlsCompared,
)
from wizard.postgres.dependants import Carried
from wizard.project import package, source
from wizard.session.plan import CHANGES_NOTHING, Gate, Loss, Plan
from wizard.steps import checkpointed
from wizard.steps.agreement import faults_of_code
from wizard.steps.checkpointed import Checkpointed
from wizard.steps.copy import FAULTS_SHOWN, first, named
from wizard.steps.dropped_columns import HangingOn, carry, hanging_on, moved_columns
from wizard.steps.sources import (
    SourceEdit,
    models_file,
    observe_file,
    report_usages,
    unchanged,
)
from wizard.steps.structure import CheckModels, Install, Migrate, WriteMigrations

URLS_SHOWN = 1_000  # rows of the table of URLs, each of which is compared
USAGES_SHOWN = 20  # lines that name the old type and are findings of their own
REMOVAL = "_remove_moved_fields_from_"  # in the name of the migration that drops the columns
NOTHING_MOVES = "conversion.move is empty: no field was prefixed"


class RestoreSlugs(Checkpointed):
    """Remove the prefix from slugs, and with them from the URLs of all descendants."""

    key = "slugs.pages"
    title = "Give the pages their slugs back"
    about = "slugs and the URLs of all descendants, drafts included"

    async def plan(self, context: Context) -> Plan:
        context.facts.require("copy.delete")
        if context.config.conversion.kept:
            return Plan(self.key, self.title, skip="ids are kept: no slug was prefixed")
        page_map = context.facts.of(Converted).page_map
        prefix = context.config.conversion.prefix
        pages = await context.pagetree.slugs_of(int(new) for new in page_map.values())
        slugs = [f"{slug} becomes {slug.removeprefix(prefix)}" for slug in pages.values()]
        return Plan(
            operation=self.key,
            title=self.title,
            does=(f"take the checkpoint {checkpointed.name(context, self.key)}", *first(slugs)),
            undo="`remodel undo --to slugs` goes back to the checkpoints of this step",
            facts={"slugs": named(list(pages.values()))},
            details={"map": page_map, "slugs": {str(page): slug for page, slug in pages.items()}},
        )

    async def apply(self, context: Context, plan: Plan) -> SlugsRestored:
        page_map, worker = plan.details["map"], await context.worker.client()
        prefix = context.config.conversion.prefix
        changed = await worker.restore_slugs(page_map, prefix, context.report)
        context.report.tree({int(new): "new" for new in page_map.values()})
        return SlugsRestored(
            changed=changed, message=f"slugs restored: {len(plan.details['slugs']):,}"
        )

    async def observe(self, context: Context, plan: Plan) -> Observation:
        prefixed = plan.details["slugs"]
        pages = await context.pagetree.slugs_of(map(int, prefixed))
        if len(pages) == len(prefixed) and all(
            slug != prefixed[str(page)] for page, slug in pages.items()
        ):
            return Observation(Seen.DONE, "no slug is prefixed", SlugsRestored(changed={}))
        return Observation(Seen.NOT_DONE, "the slugs are prefixed")


class RenameFields(SourceEdit):
    """Move the fields in the models file: off the old model, without prefix on the new one."""

    key = "slugs.fields"
    title = "Give the fields their names back in the models file"
    about = "removed from the old model, un-prefixed on the new one, shown as a diff"

    def __init__(self, *, gated: bool) -> None:
        self.gated = gated

    async def plan(self, context: Context) -> Plan:
        context.facts.require("slugs.pages")
        conversion = context.config.conversion
        if not conversion.move:
            return unchanged(self, NOTHING_MOVES)
        if context.worker.earlier is not None:
            return await self._set_aside(context)
        path = await models_file(context)
        before = package.read(path)
        old, new = (label.partition(".")[2] for label in (conversion.old_type, conversion.new_type))
        after = source.final_models(
            before, old_class=old, new_class=new, fields=conversion.move, prefix=conversion.prefix
        )
        context.report.document(
            f"Change to {path.name}", "diff", source.unified_diff(before, after, path.name)
        )
        for mention in source.mentions(after, cls=old, fields=conversion.move):
            context.report.finding(
                f"{path.name} line {mention.line}",
                mention.text,
                "warn",
                f"This mentions a field that {old} no longer has; look whether it should.",
            )
        worker = await context.worker.client()
        report_usages(context, path, USAGES_SHOWN)
        left = await worker.values_left(conversion)
        return Plan(
            operation=self.key,
            title=f"Move the fields from {old} to {new} in {path.name}",
            does=(
                f"remove {', '.join(conversion.move)} from {old}",
                f"take {conversion.prefix} off their names on {new}",
                f"everything else in {path} stays as it is",
            ),
            undo="`remodel undo --to slugs` puts the file back as it was",
            gate=Gate(old),
            facts={
                "from": conversion.old_type,
                "to": conversion.new_type,
                "fields": list(conversion.move),
            },
            details={
                "path": str(path),
                "after": after,
                "values": left["fields"],
                "pages": left["pages"],
                **await moved_columns(context),
            },
        )

    async def _set_aside(self, context: Context) -> Plan:
        """Return the plan where the source has the final models: it is used as it is."""
        conversion = context.config.conversion
        left = await (await context.worker.client()).values_left(conversion)
        return Plan(
            operation=self.key,
            title="Go on with the models of the source",
            does=("lay the models from before the fields moved aside; nothing is written",),
            undo="`remodel undo --to slugs` lays them over the source again",
            gate=Gate(conversion.old_type.partition(".")[2]),
            facts={
                "from": conversion.old_type,
                "to": conversion.new_type,
                "fields": list(conversion.move),
            },
            details={
                "unchanged": True,
                "values": left["fields"],
                "pages": left["pages"],
                **await moved_columns(context),
            },
        )

    async def apply(self, context: Context, plan: Plan) -> FieldsMoved:
        if "path" in plan.details:
            package.write(Path(plan.details["path"]), plan.details["after"])
            await context.worker.stop()
        return FieldsMoved(
            **_left(plan),
            unchanged=plan.details.get("unchanged"),
            message=f"fields moved: {', '.join(context.config.conversion.move)}",
        )

    async def observe(self, context: Context, plan: Plan) -> Observation:
        if "path" not in plan.details:
            return Observation(Seen.NOT_DONE, "nothing is written, and the models are laid aside")
        return observe_file(plan, FieldsMoved(**_left(plan)))


class MigrateFields(Migrate):
    """Run the two migrations, rename the fields inside the revisions, and index them anew.

    First RemoveField, then RenameField: Django refuses a field on a child that its parent
    still has, and a single autodetected migration gets the order wrong or loses the data.
    """

    def __init__(self, key: str, after: str, *, gated: bool) -> None:
        super().__init__(key, after)
        self.gated = gated

    async def plan(self, context: Context) -> Plan:
        conversion = context.config.conversion
        if not conversion.move:
            context.facts.require(self.after)
            return unchanged(self, NOTHING_MOVES)
        plan = await super().plan(context)
        left = context.facts.of(FieldsMoved)
        losses = [
            Loss(f"{conversion.old_type}.{name} of pages that stay {conversion.old_type}", count)
            for name, count in left.values.items()
        ]
        new = await (await context.worker.client()).describe(conversion.new_type)
        there = await _hanging_on(context, left, new["table"])
        losses += [Loss(what) for what in there.lost.values()]
        columns = ", ".join(conversion.move)
        carried = sorted(there.carried)
        return replace(
            plan,
            does=(*plan.does, *(f"make anew on {new['table']}: {name}" for name in carried)),
            title=f"Drop the moved columns from {conversion.old_type}, rename the new ones",
            destroys=(Loss(f"the columns {columns} of {conversion.old_type}"), *losses),
            gate=Gate(conversion.old_type),
            facts={**plan.facts, **({"carried": carried} if carried else {})},
            details={
                "discard": _discarded(plan.facts["migrations"], left.pages or 0),
                "table": new["table"],
                "carried": [
                    [one.name, one.new_name, list(one.statements)] for one in there.statements
                ],
            },
        )

    async def apply(self, context: Context, plan: Plan) -> Migrated:
        migrated = await super().apply(context, plan)
        carried = [Carried(*one) for one in plan.details["carried"]]
        columns = context.facts.of(FieldsMoved).columns or ()
        await carry(context.config.local.address, plan.details["table"], columns, carried)
        for one in carried:
            context.report.finding(one.name, f"carried to {plan.details['table']}")
        return migrated

    def renames(self, context: Context) -> dict[str, str]:
        prefix, columns = context.config.conversion.prefix, context.facts.of(FieldsMoved).columns
        return {prefix + column: column for column in columns or ()}

    async def finalize(self, context: Context, plan: Plan, facts: Mapping[str, Any]) -> None:
        conversion, worker = context.config.conversion, await context.worker.client()
        await worker.rename_revision_fields(
            context.facts.of(Converted).page_map,
            {conversion.prefix + name: name for name in conversion.move},
            context.report,
        )
        await worker.unprefix_names(conversion)
        await worker.reindex(conversion, context.report)


def _left(plan: Plan) -> dict[str, Any]:
    """Return what pages that stay hold in the fields, as it was planned.

    A plan that an earlier version made has less.
    """
    names = ("values", "pages", "table", "columns", "declared")
    return {name: plan.details[name] for name in names if name in plan.details}


async def _hanging_on(context: Context, left: FieldsMoved, new: str) -> HangingOn:
    """Return what hangs on the columns: here, and in production as tried.

    What production has and the local copy has not is a loss.
    """
    tried = context.facts.of(Tried) if context.facts.settled(Tried.KEY) else Tried()
    here = await hanging_on(
        context.config.local.address,
        left.table or "",
        left.columns or (),
        left.declared or (),
        prefix=context.config.conversion.prefix,
        new=new,
    )
    every = {**here.lost, **(tried.dependants or {}), **(tried.carried or {})}
    lost = {name: what for name, what in every.items() if name not in here.carried}
    return replace(here, lost=lost)


def _discarded(migrations: Sequence[str], pages: int) -> dict[str, int]:
    """Return how many pages the guard of the removal lets lose values: those consented to."""
    removals = [name for name in migrations if REMOVAL in name]
    return {name.partition(REMOVAL)[0]: pages for name in removals}


class CompareUrls(Repeatable):
    """Compare every URL of the site with what it led to before anything was changed."""

    key = "slugs.urls"
    title = "Compare every URL with what it was"
    about = "each URL leads to the page it led to, with the same title and state"

    async def plan(self, context: Context) -> Plan:
        context.facts.require("slugs.migrate")
        return Plan(
            operation=self.key,
            title=self.title,
            does=("list the URLs anew and compare them, page by page",),
            undo=CHANGES_NOTHING,
        )

    async def apply(self, context: Context, plan: Plan) -> UrlsCompared:
        worker = await context.worker.client()
        now, faults = await judge(context, worker)
        rows = [f"{page['url']}\t{page['type']}\t{page['title']}" for page in now[:URLS_SHOWN]]
        if len(now) > len(rows):
            rows.append(f"{len(rows):,} of {len(now):,} are shown\t\t")
        context.report.document("URLs", "table", "\n".join(["url\ttype\ttitle", *rows]))
        faults += await faults_of_code(context)
        if faults:
            raise VerificationFailed(
                "The site is not what it was.",
                found=some(faults, FAULTS_SHOWN),
                hint="`remodel undo --to copy` brings the pages back as they were.",
            )
        private = sum(1 for page in now if page["restricted"])
        context.report.finding(
            "URLs",
            f"{len(now) - private:,} public and {private:,} private ones compared, "
            "each leads to what it led to",
        )
        context.report.finding("page tree", "no problem found by treebeard")
        context.report.finding("models and migrations", "agree; nothing is left to migrate")
        context.report.finding("manage.py check --database", "no new error")
        return UrlsCompared(count=len(now), message=f"{len(now):,} URLs as before")


def _operations(context: Context) -> list[Operation]:
    moves = bool(context.config.conversion.move)
    return [
        RestoreSlugs(),
        RenameFields(gated=moves),
        Install("slugs.install", "slugs.fields", "the models as they end"),
        CheckModels("slugs.check", "slugs.fields", "final"),
        WriteMigrations(
            "slugs.migrations",
            "finish",
            "slugs.check",
            "RemoveField, then RenameField, shown with their SQL",
        ),
        Install(
            "slugs.install_migrations", "slugs.migrations", "once more, with both migrations in it"
        ),
        MigrateFields("slugs.migrate", after="slugs.install_migrations", gated=moves),
        CompareUrls(),
    ]


STEP = Step(
    name="slugs",
    title="Slugs",
    purpose="Everything that was prefixed gets its name back, and every URL is compared.",
    touches="Slugs and URLs, then the models file, two migrations and the schema, all local.",
    undo="`remodel undo --to slugs` brings checkpoints and files back.",
    operations=_operations,
)
