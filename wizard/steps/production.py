"""Step 6: the result, proven once more, delivered beside what is live, and swapped in."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from wizard.base.errors import VerificationFailed
from wizard.config.config import Target
from wizard.delivery.base import After, ForTarget, run_checks
from wizard.delivery.in_place import InPlace
from wizard.delivery.playbook import Playbook
from wizard.delivery.swap import Swap
from wizard.delivery.verify.contents import contents, faults_of, require_same
from wizard.delivery.verify.urls import judge
from wizard.engine.context import Context
from wizard.engine.operation import Observation, Operation, Repeatable, Seen, Step, StepQuestion
from wizard.postgres import server
from wizard.postgres.address import Address
from wizard.postgres.dumps import archive, dump, loader, plain, restore
from wizard.postgres.dumps.archive import Archive
from wizard.session.plan import Plan


class PlaceSite(ForTarget):
    """The Wagtail Site on the target's own hostname and port, for the dump to carry."""

    name = "site"
    title = "Put the Site on the target's hostname"
    about = "hostname and port as the target serves them"

    async def plan(self, context: Context) -> Plan:
        context.facts.of("slugs.urls")
        wanted = self.target.site
        before = context.facts.of("backup.site")["before"]
        known = f"{before['hostname']}:{before['port']}"
        does = [f"set hostname and port to {wanted}"]
        if self.target is context.config.source and known != str(wanted):
            does.append(f"NOTE: {self.target.name} had {known} when it was backed up")
        return Plan(
            operation=self.key,
            title=f"Put the Site on {wanted}",
            does=tuple(does),
            undo=f"set it back to {context.config.local.site}",
            facts={"site": str(wanted)},
        )

    async def apply(self, context: Context, plan: Plan) -> Mapping[str, Any]:
        wanted = self.target.site
        await (await context.worker.client()).ask(
            "place_site", hostname=wanted.hostname, port=wanted.port
        )
        return {"message": f"the Site is on {wanted}"}

    async def observe(self, context: Context, plan: Plan) -> Observation:
        sites = await (await context.worker.client()).ask("sites")
        if f"{sites[0]['hostname']}:{sites[0]['port']}" == plan.facts["site"]:
            return Observation(Seen.DONE, "the Site is there")
        return Observation(Seen.NOT_DONE, "the Site is elsewhere")

    async def undo(self, context: Context, plan: Plan, facts: Mapping[str, Any]) -> None:
        local = context.config.local.site
        await (await context.worker.client()).ask(
            "place_site", hostname=local.hostname, port=local.port
        )


class Dump(ForTarget):
    """The local database as it is now, in backups/."""

    name = "dump"
    title = "Dump the converted database"
    about = "into backups/, checksummed and read whole"

    async def plan(self, context: Context) -> Plan:
        context.facts.of(f"production.site:{self.target.name}")
        target, folder = self.target, context.config.backups
        path = folder / f"db.{target.name}.{context.session.id}.converted.dump"
        does = [f"dump {context.config.local.address.database} to {path}", "read it whole"]
        script = folder / f"db.{target.name}.psql.gz"
        if target.delivery != "swap":
            does.append(f"write it as {script}, a plain script")
        return Plan(
            operation=self.key,
            title=f"Dump the converted database for {target.name}",
            does=tuple(does),
            undo=f"delete {path.name}",
            facts={"database": context.config.local.address.database},
            details={"path": str(path), "script": str(script)},
        )

    async def apply(self, context: Context, plan: Plan) -> Mapping[str, Any]:
        local, path = context.config.local.address, Path(plan.details["path"])
        await context.local.require_own()
        # Taken before the dump: the drill and the target are held against these.
        held = await contents(local)
        pg_dump = await context.tools.pg_dump()
        prover = await context.tools.pg_restore(pg_dump.major, await context.tools.local_major())
        jobs = os.cpu_count() or 1  # nobody else is at work on the local database
        proven = await dump.dump(
            local, path, context.report, pg_dump=pg_dump, pg_restore=prover, jobs=jobs
        )
        facts: dict[str, Any] = {
            "archive": proven.as_dict(),
            "contents": held,
            "message": f"{path.name}: {proven.bytes:,} bytes, read whole",
        }
        if self.target.delivery != "swap":
            script = Path(plan.details["script"])
            await plain.write(proven, script, prover)
            facts["script"] = str(script)
            facts["script_sha256"] = await archive.checksum(script, context.report)
        return facts

    async def observe(self, context: Context, plan: Plan) -> Observation:
        if Path(plan.details["path"]).exists():
            return Observation(Seen.PARTLY, "the dump is there, its comparison is not")
        return Observation(Seen.NOT_DONE, "an interrupted dump leaves no file and begins again")

    async def clear(self, context: Context, plan: Plan) -> None:
        archive.remove(Path(plan.details["path"]))

    async def undo(self, context: Context, plan: Plan, facts: Mapping[str, Any]) -> None:
        await self.clear(context, plan)
        script = Path(plan.details["script"])
        # Every session writes it under that name: what another wrote since is that one's.
        if "script" not in facts or not script.exists():
            return
        if await archive.checksum(script, context.report) == facts["script_sha256"]:
            script.unlink()


class Drill(ForTarget):
    """The dump, restored into a scratch database and compared, before any target is touched."""

    name = "drill"
    title = "Drill: restore the dump into a scratch database"
    about = "every table and URL compared with the local database, then dropped"

    async def plan(self, context: Context) -> Plan:
        dumped = context.facts.of(f"production.dump:{self.target.name}")
        taken, scripts = dumped["archive"], [dumped["script"]] if "script" in dumped else []
        scratch = server.beside(context.config.local.address.database, f"{context.stamp}_drill")
        return Plan(
            operation=self.key,
            title=self.title,
            does=(
                f"restore {Path(taken['path']).name} into {scratch}",
                "compare every table's rows and contents with the local database",
                "look at it with the project: migrations, every URL, the page tree",
                f"drop {scratch}",
                *(f"the same with {Path(each).name}, read as SQL" for each in scripts),
            ),
            undo="nothing is left of it",
            details={"scratch": scratch},
        )

    async def apply(self, context: Context, plan: Plan) -> Mapping[str, Any]:
        facts = context.facts.of(f"production.dump:{self.target.name}")
        local, taken = context.config.local.address, Archive.from_dict(facts["archive"])
        scratch = local.at(plan.details["scratch"])
        tool = await context.tools.pg_restore(taken.dump_major, await context.tools.local_major())
        async with self._scratch(context, scratch):
            await restore.restore(taken, scratch, context.report, pg_restore=tool)
            await require_same(scratch, facts["contents"], "The drill's database")
            await self.serve(context, scratch)
        if "script" in facts:  # what a playbook restores from, or a delivery in place
            script = Path(facts["script"])
            async with self._scratch(context, scratch):
                await loader.load(script, scratch, context.report)
                await require_same(scratch, facts["contents"], f"What {script.name} holds")
            context.report.finding(script.name, "loaded to its last line, each table equal")
        count = len(facts["contents"]["tables"])
        context.report.finding("drill", f"{count} tables restored, each equal in rows and contents")
        return {"message": f"{count} tables equal"}

    async def serve(self, context: Context, scratch: Address) -> None:
        """The project itself, in the scratch database: would it serve what it served?"""
        async with context.worker.client_on(scratch.database) as site:
            now, faults = await judge(context, site)
            faults += [
                f"migrate --check: {name} has not been applied"
                for name in await site.ask("migration_plan")
            ]
        if faults:
            raise VerificationFailed(
                f"The project does not find in {scratch.database} what it has locally.",
                found="\n".join(faults[:50]),
                hint="No target was touched. `remodel undo --to copy` begins again from there.",
            )
        context.report.finding(
            "URLs of the dump", f"{len(now):,} compared, each leads where it led"
        )

    @asynccontextmanager
    async def _scratch(self, context: Context, scratch: Address) -> AsyncIterator[None]:
        """An empty database like the local one, dropped in the end."""
        local = context.config.local.address
        await restore.create_beside(
            local, scratch.database, like=local.database, report=context.report
        )
        try:
            yield
        finally:
            await restore.drop(local, scratch.database, force=True)

    async def observe(self, context: Context, plan: Plan) -> Observation:
        local = context.config.local.address
        if await server.database(local.at(plan.details["scratch"])) is not None:
            return Observation(Seen.PARTLY, f"{plan.details['scratch']} was left behind")
        return Observation(Seen.NOT_DONE, "a drill can be done again")

    async def clear(self, context: Context, plan: Plan) -> None:
        await restore.drop(context.config.local.address, plan.details["scratch"], force=True)


class Check(ForTarget, Repeatable):
    """The result as the target's own database has it."""

    name = "check"
    title = "Check the result on the target"
    about = "converted pages, their children and the Site, read from the target itself"

    async def plan(self, context: Context) -> Plan:
        context.facts.of(f"production.after:{self.target.name}")
        return Plan(
            operation=self.key,
            title=self.title,
            does=(
                f"read {self.target.address.database} on {self.target.where}",
                *(f"run {' '.join(words)} there" for words in self.target.check),
            ),
            undo=f"`remodel rollback --target {self.target.name}`",
        )

    async def apply(self, context: Context, plan: Plan) -> Mapping[str, Any]:
        target, report = self.target, context.report
        delivered = context.facts.of(f"production.deliver:{target.name}")
        kept = delivered["kept"]
        back = f"remodel rollback --target {target.name}"
        if not kept:
            back = f"Restore {delivered['safety']}."
        far = await context.far.checked(target)
        faults = await faults_of(context, target, far.address)
        if faults:
            raise VerificationFailed(
                f"{target.name} is not what was delivered.", found="\n".join(faults), hint=back
            )
        await run_checks(
            context, target, target.address.database, f"Mend it and try again, or: {back}"
        )
        if kept:
            report.finding(
                f"roll back {target.name}",
                f"remodel rollback --target {target.name}",
                "info",
                f"{kept} is the database as it was",
            )
        return {"message": f"{target.name} has the converted pages"}


DELIVERIES: Mapping[str, type[ForTarget]] = {
    "swap": Swap,
    "playbook": Playbook,
    "in place": InPlace,
}


def chosen(context: Context) -> list[Target]:
    """The targets to deliver to, in the order of remodel.yml; all of them before the answer."""
    names = context.session.answers.answers.get(TARGETS_KEY, list(context.config.targets))
    return [target for target in context.config.targets.values() if target.name in names]


def _operations(context: Context) -> list[Operation]:
    operations: list[Operation] = []
    for target in chosen(context):
        deliver = DELIVERIES[target.delivery]
        operations += [
            PlaceSite(target),
            Dump(target),
            Drill(target),
            deliver(target),
            After(target),
            Check(target),
        ]
    return operations


def _questions(context: Context) -> list[StepQuestion]:
    names = tuple(context.config.targets)
    return [
        replace(TARGETS, choices=names, default=list(names)),
    ]


TARGETS_KEY = "production.targets"
TARGETS = StepQuestion(
    key=TARGETS_KEY,
    text="Deliver to which targets?",
    help="In the order of remodel.yml; put staging first. Each has a gate of its own.",
    kind="many",
)

STEP = Step(
    name="production",
    title="Production",
    purpose="Dump the result, prove the dump by restoring it, and swap it in on each target.",
    touches="The targets, each behind a gate that wants its name typed. The old database is kept.",
    undo="`remodel rollback --target NAME` swaps the old database back in.",
    operations=_operations,
    questions=_questions,
)
