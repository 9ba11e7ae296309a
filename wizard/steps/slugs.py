"""Step 5: everything that was prefixed gets its name back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from wizard.base.errors import VerificationFailed
from wizard.delivery.verify.urls import judge
from wizard.engine.context import Context
from wizard.engine.operation import Observation, Operation, Repeatable, Seen, Step
from wizard.project import package, source
from wizard.session.plan import Gate, Loss, Plan
from wizard.steps import checkpointed
from wizard.steps.checkpointed import Checkpointed
from wizard.steps.copy import first, named
from wizard.steps.sources import (
    models_file,
    observe_file,
    put_back,
    reinstall,
    unchanged,
    was_put_back,
)
from wizard.steps.structure import CheckModels, Install, Migrate, WriteMigrations

ERROR = 40  # django.core.checks.ERROR
NOTHING_MOVES = "conversion.move is empty: no field was prefixed"


class RestoreSlugs(Checkpointed):
    """Slugs, and with them the URLs of all descendants."""

    key = "slugs.pages"
    title = "Give the pages their slugs back"
    about = "slugs and the URLs of all descendants, drafts included"

    async def plan(self, context: Context) -> Plan:
        context.facts.of("copy.delete")
        if context.config.conversion.kept:
            return Plan(self.key, self.title, skip="ids are kept: no slug was prefixed")
        mapping = context.facts.of("copy.convert")["map"]
        prefix = context.config.conversion.prefix
        pages = await context.pagetree.among(int(new) for new in mapping.values())
        slugs = [f"{page.slug} becomes {page.slug.removeprefix(prefix)}" for page in pages]
        return Plan(
            operation=self.key,
            title=self.title,
            does=(f"take the checkpoint {checkpointed.name(context, self.key)}", *first(slugs)),
            undo="`remodel undo --to slugs` goes back to the checkpoints of this step",
            facts={"slugs": named([page.slug for page in pages])},
            details={"map": mapping, "slugs": {str(page.id): page.slug for page in pages}},
        )

    async def apply(self, context: Context, plan: Plan) -> Mapping[str, Any]:
        site = await context.worker.client()
        changed = await site.ask(
            "restore_slugs",
            context.report,
            map=plan.details["map"],
            prefix=context.config.conversion.prefix,
        )
        context.report.tree({int(new): "new" for new in plan.details["map"].values()})
        return {"changed": changed, "message": f"slugs restored: {len(plan.details['slugs']):,}"}

    async def observe(self, context: Context, plan: Plan) -> Observation:
        prefixed = plan.details["slugs"]
        pages = await context.pagetree.among(map(int, prefixed))
        if len(pages) == len(prefixed) and all(p.slug != prefixed[str(p.id)] for p in pages):
            return Observation(Seen.DONE, "no slug is prefixed", {"changed": {}})
        return Observation(Seen.NOT_DONE, "the slugs are prefixed")


class RenameFields(Operation):
    """Off the old model, un-prefixed on the new one: the models file as it ends."""

    key = "slugs.fields"
    title = "Give the fields their names back in the models file"
    about = "removed from the old model, un-prefixed on the new one, shown as a diff"

    def __init__(self, *, gated: bool) -> None:
        self.gated = gated

    async def plan(self, context: Context) -> Plan:
        context.facts.of("slugs.pages")
        conversion = context.config.conversion
        if not conversion.move:
            return unchanged(self, NOTHING_MOVES)
        path = await models_file(context)
        before = package.read(path)
        old, new = (label.partition(".")[2] for label in (conversion.old_type, conversion.new_type))
        after = source.final_models(
            before, source=old, target=new, fields=conversion.move, prefix=conversion.prefix
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
        values = await (await context.worker.client()).ask(
            "values_left",
            source=conversion.old_type,
            fields=list(conversion.move),
            map=context.facts.of("copy.convert")["map"],
        )
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
            details={"path": str(path), "after": after, "values": values},
        )

    async def undo_data(self, context: Context, plan: Plan) -> Mapping[str, Any]:
        return {"before": package.read(Path(plan.details["path"]))}

    async def apply(self, context: Context, plan: Plan) -> Mapping[str, Any]:
        package.write(Path(plan.details["path"]), plan.details["after"])
        await context.worker.stop()
        return {
            "values": plan.details["values"],
            "message": f"fields moved: {', '.join(context.config.conversion.move)}",
        }

    async def observe(self, context: Context, plan: Plan) -> Observation:
        seen = observe_file(plan)
        return replace(seen, facts={"values": plan.details["values"]})

    async def missing(self, context: Context, plan: Plan, facts: Mapping[str, Any]) -> str:
        return was_put_back(context, self.key, plan)

    async def undo(self, context: Context, plan: Plan, facts: Mapping[str, Any]) -> None:
        put_back(plan, context.session.journal.kept(self.key)["before"])
        await reinstall(context)


class MigrateFields(Migrate):
    """The two migrations, and then the names of the fields inside the revisions.

    First RemoveField, then RenameField: Django refuses a field on a child that its parent
    still has, and a single autodetected migration gets the order wrong or loses the data.
    """

    def __init__(self, key: str, after: str, *, gated: bool) -> None:
        super().__init__(key, after)
        self.gated = gated

    async def plan(self, context: Context) -> Plan:
        conversion = context.config.conversion
        if not conversion.move:
            context.facts.of(self.after)
            return unchanged(self, NOTHING_MOVES)
        plan = await super().plan(context)
        values = context.facts.of("slugs.fields")["values"]
        losses = [
            Loss(f"{conversion.old_type}.{name} of pages that stay {conversion.old_type}", count)
            for name, count in values.items()
        ]
        columns = ", ".join(conversion.move)
        return replace(
            plan,
            title=f"Drop the moved columns from {conversion.old_type}, rename the new ones",
            destroys=(Loss(f"the columns {columns} of {conversion.old_type}"), *losses),
            gate=Gate(conversion.old_type),
        )

    async def finalize(self, context: Context, plan: Plan, facts: Mapping[str, Any]) -> None:
        conversion, site = context.config.conversion, await context.worker.client()
        await site.ask(
            "rename_revision_fields",
            context.report,
            map=context.facts.of("copy.convert")["map"],
            renames={conversion.prefix + name: name for name in conversion.move},
        )
        await site.ask(
            "unprefix_names",
            target=conversion.new_type,
            fields=list(conversion.move),
            prefix=conversion.prefix,
        )


class CompareUrls(Repeatable):
    """Every URL of the site, against what it led to before anything was changed."""

    key = "slugs.urls"
    title = "Compare every URL with what it was"
    about = "each URL leads to the page it led to, with the same title and state"

    async def plan(self, context: Context) -> Plan:
        context.facts.of("slugs.migrate")
        return Plan(
            operation=self.key,
            title=self.title,
            does=("list the URLs anew and compare them, page by page",),
            undo="nothing to undo",
        )

    async def apply(self, context: Context, plan: Plan) -> Mapping[str, Any]:
        site = await context.worker.client()
        now, faults = await judge(context, site)
        rows = [f"{page['url']}\t{page['type']}\t{page['title']}" for page in now]
        context.report.document("URLs", "table", "\n".join(["url\ttype\ttitle", *rows]))
        faults += [
            f"Django would still migrate: {change}"
            for app in context.config.conversion.apps
            for change in await site.ask("pending_changes", app=app)
        ]
        checked = await site.ask("check")
        faults += [f"manage.py check: {m['text']}" for m in checked["messages"] if _error(m)]
        if faults:
            raise VerificationFailed(
                "The site is not what it was.",
                found="\n".join(faults[:50]),
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
        context.report.finding(
            "manage.py check", f"no error; {len(checked['messages'])} other messages"
        )
        return {"count": len(now), "message": f"{len(now):,} URLs as before"}


def _error(message: Mapping[str, Any]) -> bool:
    """Whether a message of Django's system checks is an error, and no warning."""
    return int(message["level"]) >= ERROR


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
