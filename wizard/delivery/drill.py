"""The drill: the dump is restored and compared before any target is touched."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from wizard.base.errors import VerificationFailed, some
from wizard.delivery.base import ForTarget
from wizard.delivery.results import Dumped
from wizard.delivery.verify.contents import require_same
from wizard.delivery.verify.urls import judge
from wizard.engine.context import Context
from wizard.engine.operation import Observation, Operation, Seen
from wizard.engine.result import Result
from wizard.postgres import server
from wizard.postgres.address import Address
from wizard.postgres.dumps import loader, restore
from wizard.session.plan import Plan


class Drill(ForTarget):
    """The dump, restored into a scratch database and compared, before any target is touched."""

    name = "drill"
    title = "Drill: restore the dump into a scratch database"
    about = "every table and URL compared with the local database, then dropped"
    observed_before_undo = False

    async def plan(self, context: Context) -> Plan:
        dumped = context.facts.of(Dumped, self.target.name)
        scripts = [dumped.script] if dumped.script else []
        scratch = server.beside(context.config.local.address.database, f"{context.stamp}_drill")
        return Plan(
            operation=self.key,
            title=self.title,
            does=(
                f"restore {Path(dumped.archive.path).name} into {scratch}",
                "compare every table's rows and contents with the local database",
                "look at it with the project: migrations, every URL, the page tree",
                f"drop {scratch}",
                *(f"the same with {Path(script).name}, read as SQL" for script in scripts),
            ),
            undo="nothing is left of it",
            details={"scratch": scratch},
        )

    async def apply(self, context: Context, plan: Plan) -> Result:
        dumped = context.facts.of(Dumped, self.target.name)
        local, taken = context.config.local.address, dumped.archive
        scratch = local.at(plan.details["scratch"])
        tool = await context.tools.pg_restore(taken.dump_major, await context.tools.local_major())
        path = context.config.restore.search_path
        async with self._scratch(context, scratch):
            await restore.restore(taken, scratch, context.report, pg_restore=tool, search_path=path)
            await require_same(scratch, dumped.contents, "The drill's database")
            await self.serve(context, scratch)
        if dumped.script:  # what a playbook restores from, or a delivery in place
            script = Path(dumped.script)
            async with self._scratch(context, scratch):
                await loader.load(script, scratch, context.report, search_path=path)
                await require_same(scratch, dumped.contents, f"What {script.name} holds")
            context.report.finding(script.name, "loaded to its last line, each table equal")
        count = len(dumped.contents.tables)
        context.report.finding("drill", f"{count} tables restored, each equal in rows and contents")
        return Result(message=f"{count} tables equal")

    async def serve(self, context: Context, scratch: Address) -> None:
        """Raise VerificationFailed unless the project serves the same from the scratch database."""
        async with context.worker.client_on(scratch.database) as worker:
            now, faults = await judge(context, worker)
            faults += [
                f"migrate --check: {name} has not been applied"
                for name in await worker.migration_plan()
            ]
        if faults:
            raise VerificationFailed(
                f"The project does not find in {scratch.database} what it has locally.",
                found=some(faults, 50),
                hint="No target was touched. `remodel undo --to copy` begins again from there.",
            )
        context.report.finding(
            "URLs of the dump", f"{len(now):,} compared, each leads where it led"
        )

    @asynccontextmanager
    async def _scratch(self, context: Context, scratch: Address) -> AsyncIterator[None]:
        """Make an empty database like the local one, and drop it in the end."""
        local = context.config.local.address
        await restore.create_beside(
            local,
            scratch.database,
            like=local.database,
            report=context.report,
            template=context.config.local.template,
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

    async def undo(self, context: Context, plan: Plan, facts: Mapping[str, Any]) -> None:
        await self.clear(context, plan)

    async def clear(self, context: Context, plan: Plan) -> None:
        await restore.drop(context.config.local.address, plan.details["scratch"], force=True)

    def rehearsed(self) -> Operation:
        """Drill: nothing is left of it."""
        return self
