"""Step 2: production's content, proven whole, as the local database."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from wizard.base import process
from wizard.base.errors import ConfigError, OperationFailed
from wizard.engine.context import Context
from wizard.engine.operation import Observation, Operation, Repeatable, Seen, Step, StepQuestion
from wizard.postgres import identity, server
from wizard.postgres.admin import swap
from wizard.postgres.drift import baseline
from wizard.postgres.dumps import archive, exclusion, restore, tools
from wizard.postgres.dumps.archive import Archive
from wizard.postgres.dumps.download import download
from wizard.postgres.dumps.tools import Tool
from wizard.session.plan import Gate, Loss, Plan
from wizard.steps.project import refuse_target

FETCH = "fetch"
FAR = "ssh:"


class Fetch(Operation):
    """A dump of the source, streamed; or one that is there already, here or on the far side."""

    key = "backup.fetch"
    title = "Fetch a backup of production"
    about = "pg_dump over SSH into backups/, checksummed and read whole"

    async def plan(self, context: Context) -> Plan:
        answer = str(context.facts.answer("backup.archive"))
        if answer == FETCH:
            return await self._dump(context)
        return (
            self._download(context, answer)
            if answer.startswith(FAR)
            else self._take(context, answer)
        )

    async def _dump(self, context: Context) -> Plan:
        source = context.config.source
        far = await context.far.checked(source)
        size = (await server.contents(far.address)).bytes
        route = await context.far.route(source, await context.tools.local_major())
        without = await exclusion.resolve(far.address, context.config.backup.exclude_table_data)
        path = _place(context, ".dump" if route.pg_restore else ".sql.gz")
        where = source.ssh if route.far else "this machine"
        return Plan(
            operation=self.key,
            title=f"Fetch a backup of {source.name}",
            does=(
                f"run pg_dump on {where} for {source.address.database} "
                f"({size / 1e6:,.1f} MB of rows there)",
                f"by {route.why}",
                *(f"leave the rows of {table} there" for table in without),
                f"stream it to {path}, count and hash it, then read it whole",
            ),
            undo=f"delete {path.name}",
            facts={
                "source": source.name,
                "database": source.address.database,
                **({"without": list(without)} if without else {}),
            },
            details={"path": str(path)},
        )

    def _download(self, context: Context, answer: str) -> Plan:
        source, there = context.config.source, answer.removeprefix(FAR)
        if not source.ssh:
            raise ConfigError(
                f"{answer!r} is a file on the host of {source.name}, which has no `ssh`.",
                hint="Give a file that is here, or `fetch`.",
            )
        path = _place(context, ".sql.gz" if there.endswith(".gz") else ".dump")
        return Plan(
            operation=self.key,
            title=f"Fetch the dump that is on {source.ssh}",
            does=(
                f"fetch {there} to {path}, or what an interrupted attempt left to fetch of it",
                "hash it, then read it from its first byte to its last",
                *_all_of_it(context),
            ),
            undo=f"delete {path.name}",
            facts={"source": source.name, "archive": answer},
            details={"path": str(path), "there": there},
        )

    def _take(self, context: Context, answer: str) -> Plan:
        path = (context.config.folder / answer).resolve()
        return Plan(
            operation=self.key,
            title="Take the dump that is here",
            does=(f"read {path} from its first byte to its last", *_all_of_it(context)),
            undo="nothing to undo",
            facts={"archive": answer},
            details={"path": str(path)},
        )

    async def apply(self, context: Context, plan: Plan) -> Mapping[str, Any]:
        path, report, source = Path(plan.details["path"]), context.report, context.config.source
        if "source" not in plan.facts:
            return _taken(await archive.take(path, await _prover(context), report))
        far = await context.far.checked(source)
        if "there" in plan.details:
            there, prover = plan.details["there"], await _prover(context)
            proven = await download(far.connection, there, path, report, pg_restore=prover)
            return _taken(proven)
        route = await context.far.route(source, await context.tools.local_major())
        without = tuple(plan.facts.get("without", ()))
        async with baseline.held(far.address) as held:
            if not held.snapshot:
                since = "none is to be had: drift counts from just before the dump"
                report.finding("snapshot", since, "info")
            proven = await context.far.fetch(
                source, path, report, route, snapshot=held.snapshot, without=without
            )
            return {**_taken(proven), "baseline": held.as_dict(), "without": list(without)}

    async def observe(self, context: Context, plan: Plan) -> Observation:
        path = Path(plan.details["path"])
        if "source" in plan.facts and path.exists():
            if plan.facts.get("without"):  # the copy's contents are no baseline then
                return Observation(Seen.PARTLY, "the dump is there, its baseline is not")
            found = await archive.take(path, await _prover(context), context.report)
            return Observation(Seen.DONE, "a dump gets its name only once proven", _taken(found))
        return Observation(Seen.NOT_DONE, "a dump that was interrupted leaves no file")

    async def clear(self, context: Context, plan: Plan) -> None:
        if "source" in plan.facts:  # what was only taken is somebody's own
            archive.remove(Path(plan.details["path"]))

    async def undo(self, context: Context, plan: Plan, facts: Mapping[str, Any]) -> None:
        await self.clear(context, plan)


class Restore(Operation):
    """The dump becomes the local database; what was there is kept under another name."""

    key = "backup.restore"
    title = "Restore the backup into the local database"
    about = "the old local content is kept as a checkpoint"
    gated = True

    async def plan(self, context: Context) -> Plan:
        taken = Archive.from_dict(context.facts.of("backup.fetch")["archive"])
        local = context.config.local.address
        exists = await server.database(local) is not None
        if exists:
            refuse_target(context, await identity.read(local, "local"))
            async with context.local.alone():
                await swap.require_unused(local)
        kept = server.beside(local.database, f"{context.stamp}_before")
        does = [f"restore {Path(taken.path).name} ({taken.bytes:,} bytes) beside it and check it"]
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
            facts={"local database": local.database, "source": taken.database},
            details={
                "beside": server.beside(local.database, f"{context.stamp}_new"),
                "kept": kept if exists else "",
                "archive": taken.as_dict(),
            },
        )

    async def apply(self, context: Context, plan: Plan) -> Mapping[str, Any]:
        local, details = context.config.local.address, plan.details
        taken = Archive.from_dict(details["archive"])
        beside = local.at(details["beside"])
        tool = None
        if not taken.is_script:
            tool = await context.tools.pg_restore(
                taken.dump_major, await context.tools.local_major()
            )
        like = local.database if details["kept"] else None
        await restore.create_beside(local, beside.database, like=like, report=context.report)
        await restore.restore(taken, beside, context.report, pg_restore=tool)
        await identity.mark(beside, context.local.mark)
        await context.worker.stop()
        async with context.local.alone():
            await swap.swap(
                local, beside.database, details["kept"], context.report, terminate=False
            )
        context.report.tree({})
        pages = await context.pagetree.count() or 0
        return {
            "kept": details["kept"],
            **await _copys_baseline(context),
            "message": f"{pages:,} pages in {local.database}",
        }

    async def observe(self, context: Context, plan: Plan) -> Observation:
        local, details = context.config.local.address, plan.details
        standing = await swap.observe(local, details["beside"], details["kept"])
        if standing.beside is not None:
            return Observation(Seen.PARTLY, f"{details['beside']} stands beside, not swapped")
        # Its mark was on it before it got the name; what another session or person put there,
        # now that we were cut off, has none of ours.
        if await identity.marked(local) == context.local.mark:
            facts = {"kept": details["kept"], **await _copys_baseline(context)}
            return Observation(Seen.DONE, "the restored database has the name", facts)
        return Observation(Seen.NOT_DONE, f"{local.database} is as it was")

    async def missing(self, context: Context, plan: Plan, facts: Mapping[str, Any]) -> str:
        local = context.config.local.address
        found = await identity.marked(local)
        if found == context.local.mark:
            return ""
        says = f"it says {found or 'nothing'!r}, not {context.local.mark!r}"
        return f"{local} is another database: {says}"

    async def clear(self, context: Context, plan: Plan) -> None:
        await restore.drop(context.config.local.address, plan.details["beside"])

    async def undo(self, context: Context, plan: Plan, facts: Mapping[str, Any]) -> None:
        local, aside = context.config.local.address, plan.details["beside"]
        await context.worker.stop()
        standing = await swap.observe(local, aside, facts["kept"])
        async with context.local.alone():
            if standing.kept is not None:
                await context.local.require_own()
                await swap.rollback(local, facts["kept"], aside, context.report, terminate=False)
            elif await identity.marked(local) == context.local.mark:
                if facts["kept"]:
                    raise OperationFailed(
                        f"{facts['kept']} is gone, so the old local database cannot come back.",
                        hint="Somebody dropped it. The restored one is left as it is.",
                    )
                await restore.drop(local, local.database)
            await restore.drop(local, aside)
        context.report.tree({})


class Anonymise(Repeatable):
    """The project's own commands that take persons out of the local copy, before anything else."""

    key = "backup.anonymise"
    title = "Anonymise the local copy"
    about = "backup.anonymise of remodel.yml, run in the project"

    async def plan(self, context: Context) -> Plan:
        context.facts.of("backup.restore")
        commands = context.config.backup.anonymise
        return Plan(
            operation=self.key,
            title=self.title,
            does=(
                *(f"run {' '.join(words)}" for words in commands),
                "NOTE: what these take away must never be delivered to "
                f"{context.config.source.name}",
            ),
            undo="`remodel undo --to backup`",
            facts={"commands": [list(words) for words in commands]},
        )

    async def apply(self, context: Context, plan: Plan) -> Mapping[str, Any]:
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
                    found=ended.stderr_tail or ended.stdout[-2000:],
                    hint="The local copy still holds what it should have taken out. Mend it, then "
                    "try again: all the commands run once more.",
                )
        context.report.tree({})
        return {"message": f"{len(context.config.backup.anonymise)} commands succeeded"}


class PlaceSite(Operation):
    """The Wagtail Site on localhost, so that the local copy can be browsed."""

    key = "backup.site"
    title = "Put the Site on localhost"
    about = "hostname and port of the Wagtail Site, remembering what they were"

    async def plan(self, context: Context) -> Plan:
        context.facts.of("backup.restore")
        wanted = context.config.local.site
        sites = await (await context.worker.client()).ask("sites")
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

    async def apply(self, context: Context, plan: Plan) -> Mapping[str, Any]:
        wanted = context.config.local.site
        site = await context.worker.client()
        await site.ask("place_site", hostname=wanted.hostname, port=wanted.port)
        return _placed(plan)

    async def observe(self, context: Context, plan: Plan) -> Observation:
        # Not simply done again: what the Site was would then be taken for where it is by now.
        for site in await (await context.worker.client()).ask("sites"):
            if site["is_default_site"] and _at(site) == plan.facts["site"]:
                return Observation(Seen.DONE, f"the Site is on {_at(site)}", _placed(plan))
        return Observation(Seen.NOT_DONE, "the Site is elsewhere")


def _at(site: Mapping[str, Any]) -> str:
    return f"{site['hostname']}:{site['port']}"


def _placed(plan: Plan) -> dict[str, Any]:
    before = plan.details["before"]
    return {"before": before, "message": f"was {_at(before)}, is {plan.facts['site']}"}


class Baseline(Repeatable):
    """Every URL of the site before anything is changed, to compare with afterwards."""

    key = "backup.urls"
    title = "Remember every URL of the site"
    about = "what each URL leads to before anything is changed"

    async def plan(self, context: Context) -> Plan:
        context.facts.of("backup.site")
        return Plan(
            operation=self.key,
            title=self.title,
            does=("write down each page's URL, title and state",),
            undo="nothing to undo",
            details={"path": str(context.artefact("urls-before.json"))},
        )

    async def apply(self, context: Context, plan: Plan) -> Mapping[str, Any]:
        urls = await (await context.worker.client()).ask("urls", context.report)
        Path(plan.details["path"]).write_text(json.dumps(urls), encoding="utf-8")
        return {"count": len(urls), "message": f"{len(urls):,} URLs"}


def _all_of_it(context: Context) -> tuple[str, ...]:
    """What a dump that was made elsewhere cannot do for us."""
    without = ", ".join(context.config.backup.exclude_table_data)
    if not without:
        return ()
    return (
        f"NOTE: the rows of {without} come along, as far as they are in it: "
        "backup.exclude_table_data is for dumps that are made now",
    )


async def _copys_baseline(context: Context) -> dict[str, Any]:
    """What the untouched copy holds, where the source was not asked while it was dumped."""
    if "baseline" in context.facts.of("backup.fetch"):
        return {}
    return {"baseline": await baseline.of_copy(context.config.local.address)}


def _place(context: Context, suffix: str) -> Path:
    return context.config.backups / f"db.{context.config.source.name}.{context.session.id}{suffix}"


async def _prover(context: Context) -> Tool:
    """A pg_restore for a dump of unknown origin: to read it, whatever server it is for."""
    return await tools.newest_restore(configured=context.config.postgres_bin)


def _taken(proven: Archive) -> dict[str, Any]:
    return {
        "archive": proven.as_dict(),
        "message": f"{proven.path.name}: {proven.bytes:,} bytes, read whole, "
        f"SHA-256 {proven.sha256[:16]}…",
    }


def _operations(context: Context) -> list[Operation]:
    anonymise = [Anonymise()] if context.config.backup.anonymise else []
    return [Fetch(), Restore(), *anonymise, PlaceSite(), Baseline()]


def _questions(context: Context) -> list[StepQuestion]:
    return [ARCHIVE]


ARCHIVE = StepQuestion(
    key="backup.archive",
    text="Fetch a new backup, or take a dump that is here?",
    help="`fetch` dumps production now. A path takes an existing dump: pg_dump's custom or\n"
    "directory format, or a plain .sql or .sql.gz (relative to remodel.yml); ssh:PATH a file on\n"
    "production's host. What production wrote since then is not in it.",
    default=FETCH,
)

STEP = Step(
    name="backup",
    title="Backup",
    purpose="Fetch production's database, prove the dump whole, and make it the local database.",
    touches="Reads production. Replaces the local database, whose old content is kept beside it.",
    undo="`remodel undo --to backup` gives the old local database its name back.",
    operations=_operations,
    questions=_questions,
)
