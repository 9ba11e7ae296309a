"""Step 2: fetch production's content and make it the local database."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from wizard.base import files, process
from wizard.base.errors import OperationFailed
from wizard.delivery.verify import objects
from wizard.engine.context import Context
from wizard.engine.local import LOCAL_DATABASE
from wizard.engine.operation import Observation, Operation, Repeatable, Seen, Step, StepQuestion
from wizard.engine.result import Result
from wizard.engine.results import Fetched, Restored, SitePlaced, UrlsRecorded
from wizard.postgres import identity, server
from wizard.postgres.admin import swap
from wizard.postgres.drift import baseline
from wizard.postgres.dumps import restore, tools
from wizard.postgres.dumps.archive import Archive
from wizard.project.worker_results import SiteRow
from wizard.session.plan import CHANGES_NOTHING, Gate, Loss, Plan
from wizard.steps.fetch import ARCHIVE, Fetch
from wizard.steps.project import refuse_target
from wizard.steps.sequences import SetSequences


class Restore(Operation):
    """Restore the dump as the local database; keep the old one under another name."""

    key = "backup.restore"
    title = "Restore the backup into the local database"
    about = "the old local content is kept as a checkpoint"
    gated = True
    observed_before_undo = False

    async def plan(self, context: Context) -> Plan:
        dump = context.facts.of(Fetched).archive
        local = context.config.local.address
        exists = await server.database(local) is not None
        if exists:
            refuse_target(context, await identity.read(local, "local"))
            async with context.local.alone():
                await swap.require_unused(local)
        kept = server.beside(local.database, f"{context.stamp}_before")
        does = [f"restore {dump.path.name} ({dump.bytes:,} bytes) beside it and check it"]
        losses: tuple[Loss, ...] = ()
        if exists:
            pages = await context.pagetree.count()
            does.append(f"rename the old {local.database} to {kept}")
            losses = (Loss(f"the old content of {local.database} leaves that name", pages),)
        does.append(f"give the restored database the name {local.database}")
        return Plan(
            operation=self.key,
            title=f"Replace the local database {local.database}",
            does=tuple(does),
            destroys=losses,
            undo=f"`remodel undo --to backup` gives {kept} its name back",
            gate=Gate(local.database),
            facts={"local database": local.database, "source": dump.database},
            details={
                "beside": server.beside(local.database, f"{context.stamp}_new"),
                "kept": kept if exists else "",
                "archive": dump.as_dict(),
            },
        )

    async def apply(self, context: Context, plan: Plan) -> Restored:
        local, details = context.config.local.address, plan.details
        dump = Archive.from_dict(details["archive"])
        beside = local.at(details["beside"])
        tool = None
        if not dump.is_script:
            tool = await context.tools.pg_restore(
                dump.dump_major, await context.tools.local_major()
            )
        like = local.database if details["kept"] else None
        await restore.create_beside(
            local,
            beside.database,
            like=like,
            report=context.report,
            template=context.config.local.template,
        )
        await restore.restore(
            dump,
            beside,
            context.report,
            pg_restore=tool,
            leave_out=context.config.restore.leave_out,
            search_path=context.config.restore.search_path,
        )
        await identity.mark(beside, context.local.mark)
        await context.worker.stop()
        async with context.local.alone():
            await swap.swap(
                local, beside.database, details["kept"], context.report, terminate=False
            )
        context.report.tree({})
        pages = await context.pagetree.count() or 0
        return Restored(
            kept=details["kept"],
            baseline=await _copys_baseline(context),
            message=f"{pages:,} pages in {local.database}",
        )

    async def finalize(self, context: Context, plan: Plan, facts: Mapping[str, Any]) -> None:
        await objects.note_restored(context)

    async def observe(self, context: Context, plan: Plan) -> Observation:
        local, details = context.config.local.address, plan.details
        standing = await swap.observe(local, details["beside"], details["kept"])
        if standing.beside is not None:
            return Observation(Seen.PARTLY, f"{details['beside']} stands beside, not swapped")
        # Its mark was on it before it got the name; what another session or person put there,
        # now that we were cut off, has none of ours.
        if await identity.marked(local) == context.local.mark:
            restored = Restored(kept=details["kept"], baseline=await _copys_baseline(context))
            return Observation(Seen.DONE, "the restored database has the name", restored)
        return Observation(Seen.NOT_DONE, f"{local.database} is as it was")

    async def missing(self, context: Context, plan: Plan, facts: Mapping[str, Any]) -> str:
        local = context.config.local.address
        mark = await identity.marked(local)
        if mark == context.local.mark:
            return ""
        says = f"it says {mark or 'nothing'!r}, not {context.local.mark!r}"
        return f"{local} is another database: {says}"

    async def clear(self, context: Context, plan: Plan) -> None:
        await restore.drop(context.config.local.address, plan.details["beside"])

    async def undo(self, context: Context, plan: Plan, facts: Mapping[str, Any]) -> None:
        local, aside = context.config.local.address, plan.details["beside"]
        kept = plan.details["kept"]
        await context.worker.stop()
        there = {row.name for row in await server.databases(local)}
        async with context.local.alone():
            if kept in there:
                if local.database in there:
                    await context.local.require_own()
                await swap.rollback(local, kept, aside, context.report, terminate=False)
            elif await identity.marked(local) == context.local.mark:
                if kept:
                    raise OperationFailed(
                        f"{kept} is gone, so the old local database cannot come back.",
                        found="Somebody dropped it. The restored one is left as it is.",
                        hint=f"Rename {local.database} or drop it by hand, then undo again.",
                    )
                await restore.drop(local, local.database)
            await restore.drop(local, aside)
        context.report.tree({})

    def restores(self, context: Context, plan: Plan) -> str:
        return LOCAL_DATABASE


class Anonymise(Repeatable):
    """Run the project's own commands that anonymise the local copy, before anything else."""

    key = "backup.anonymise"
    title = "Anonymise the local copy"
    about = "backup.anonymise of remodel.yml, run in the project"

    async def plan(self, context: Context) -> Plan:
        context.facts.require("backup.restore")
        commands = context.config.backup.anonymise
        return Plan(
            operation=self.key,
            title=self.title,
            does=(
                *(f"run {' '.join(words)}" for words in commands),
                "NOTE: what these take away must never be delivered to "
                f"{context.config.backup_source.name}",
            ),
            undo="`remodel undo --to backup`",
            facts={"commands": [list(words) for words in commands]},
        )

    async def apply(self, context: Context, plan: Plan) -> Result:
        project, local = context.config.project, context.config.local.address
        await context.worker.client()  # which refuses settings that lead to a target
        await context.worker.stop()
        env = {
            **tools.variables(local),
            "DJANGO_SETTINGS_MODULE": project.settings,
        }
        for words in context.config.backup.anonymise:
            say = partial(context.report.line, Path(words[0]).name)
            ended = await process.run(words, cwd=project.path, env=env, on_line=say)
            if ended.returncode != 0:
                raise OperationFailed(
                    f"{' '.join(words)} ended with exit code {ended.returncode}.",
                    found=ended.told,
                    hint="The local copy still holds what it should have taken out. Mend it, then "
                    "try again: all the commands run once more.",
                )
        context.report.tree({})
        return Result(message=f"{len(context.config.backup.anonymise)} commands succeeded")


class PlaceSiteLocally(Operation):
    """Put the Wagtail Site on localhost, so that the local copy can be browsed."""

    key = "backup.site"
    title = "Put the Site on localhost"
    about = "hostname and port of the Wagtail Site, remembering what they were"
    observed_before_undo = False

    async def plan(self, context: Context) -> Plan:
        context.facts.require("backup.restore")
        wanted = context.config.local.site
        sites = await (await context.worker.client()).sites()
        before = next((site for site in sites if site["is_default_site"]), None)
        if before is None:
            raise OperationFailed(
                "The restored database has no default Wagtail Site.",
                found=f"{len(sites)} sites",
                hint="Mark one as the default in production's admin, then fetch again.",
            )
        return Plan(
            operation=self.key,
            title=f"Put the Site {before['hostname']}:{before['port']} on {wanted}",
            does=(f"set hostname and port to {wanted}",),
            undo=f"set them back to {before['hostname']}:{before['port']}",
            facts={"site": str(wanted)},
            details={"before": before},
        )

    async def apply(self, context: Context, plan: Plan) -> SitePlaced:
        wanted = context.config.local.site
        worker = await context.worker.client()
        await worker.place_site(wanted.hostname, wanted.port)
        return _placed(plan)

    async def observe(self, context: Context, plan: Plan) -> Observation:
        # Doing it again would record the Site's new place as the one that it had before.
        for site in await (await context.worker.client()).sites():
            if site["is_default_site"] and _at(site) == plan.facts["site"]:
                return Observation(Seen.DONE, f"the Site is on {_at(site)}", _placed(plan))
        return Observation(Seen.NOT_DONE, "the Site is elsewhere")


def _at(site: SiteRow) -> str:
    return f"{site['hostname']}:{site['port']}"


def _placed(plan: Plan) -> SitePlaced:
    before: SiteRow = plan.details["before"]
    return SitePlaced(before=before, message=f"was {_at(before)}, is {plan.facts['site']}")


class UrlBaseline(Repeatable):
    """Record every URL of the site before anything is changed, to compare with afterwards."""

    key = "backup.urls"
    title = "Remember every URL of the site"
    about = "what each URL leads to before anything is changed"

    async def plan(self, context: Context) -> Plan:
        context.facts.require("backup.site")
        return Plan(
            operation=self.key,
            title=self.title,
            does=("write down each page's URL, title and state",),
            undo=CHANGES_NOTHING,
            details={"path": str(context.artefact("urls-before.json"))},
        )

    async def apply(self, context: Context, plan: Plan) -> UrlsRecorded:
        urls = await (await context.worker.client()).urls(context.report)
        files.write(Path(plan.details["path"]), json.dumps(urls))
        return UrlsRecorded(count=len(urls), message=f"{len(urls):,} URLs")


async def _copys_baseline(context: Context) -> dict[str, Any] | None:
    """Return the untouched copy's baseline, where the dump came without one of the source."""
    if context.facts.of(Fetched).baseline is not None:
        return None
    return await baseline.of_copy(context.config.local.address)


def _operations(context: Context) -> list[Operation]:
    anonymise = [Anonymise()] if context.config.backup.anonymise else []
    return [Fetch(), Restore(), SetSequences(), *anonymise, PlaceSiteLocally(), UrlBaseline()]


def _questions(context: Context) -> list[StepQuestion]:
    return [ARCHIVE]


STEP = Step(
    name="backup",
    title="Backup",
    purpose="Fetch production's database, prove the dump whole, and make it the local database.",
    touches="Reads production. Replaces the local database, whose old content is kept beside it.",
    undo="`remodel undo --to backup` gives the old local database its name back.",
    operations=_operations,
    questions=_questions,
)
