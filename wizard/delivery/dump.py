"""The converted database as a dump in backups/, which every delivery of a dump begins with."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from wizard.delivery.base import ForTarget
from wizard.delivery.results import Dumped
from wizard.delivery.verify import objects
from wizard.engine.context import Context
from wizard.engine.operation import Observation, Operation, Seen
from wizard.postgres.drift.contents import contents
from wizard.postgres.dumps import archive, dump, plain
from wizard.postgres.dumps.tools import Tool
from wizard.session.plan import Plan


class Dump(ForTarget):
    """The local database as it is now, dumped, checksummed and read to its end."""

    name = "dump"
    title = "Dump the converted database"
    about = "into backups/, checksummed and read whole"
    observed_before_undo = False

    async def plan(self, context: Context) -> Plan:
        context.facts.require(f"production.site:{self.target.name}")
        target, folder = self.target, context.config.backups
        path = folder / f"db.{target.name}.{context.session.id}.converted.dump"
        return Plan(
            operation=self.key,
            title=f"Dump the converted database for {target.name}",
            does=(
                f"dump {context.config.local.address.database} to {path}",
                "read it whole",
            ),
            undo=f"delete {path.name}",
            facts={"database": context.config.local.address.database},
            # The script is only written by ScriptedDump; the name is planned for either.
            details={"path": str(path), "script": str(folder / f"db.{target.name}.psql.gz")},
        )

    async def apply(self, context: Context, plan: Plan) -> Dumped:
        local, path = context.config.local.address, Path(plan.details["path"])
        await context.local.require_own()
        # Taken before the dump: the drill and the target are held against these.
        held = await contents(local)
        await objects.note_converted(context, self.target)
        pg_dump = await context.tools.pg_dump()
        pg_restore = await context.tools.pg_restore(
            pg_dump.major, await context.tools.local_major()
        )
        jobs = os.cpu_count() or 1  # nobody else is at work on the local database
        proven = await dump.dump(
            local, path, context.report, pg_dump=pg_dump, pg_restore=pg_restore, jobs=jobs
        )
        dumped = Dumped(
            archive=proven,
            contents=held,
            message=f"{path.name}: {proven.bytes:,} bytes, read whole",
        )
        return await self.script(context, plan, dumped, pg_restore)

    async def script(
        self, context: Context, plan: Plan, dumped: Dumped, pg_restore: Tool
    ) -> Dumped:
        """Write what else the delivery takes. A delivery from the archive needs nothing."""
        return dumped

    async def observe(self, context: Context, plan: Plan) -> Observation:
        if Path(plan.details["path"]).exists():
            return Observation(Seen.PARTLY, "the dump is there, its comparison is not")
        return Observation(Seen.NOT_DONE, "an interrupted dump leaves no file and begins again")

    async def clear(self, context: Context, plan: Plan) -> None:
        archive.remove(Path(plan.details["path"]))

    async def undo(self, context: Context, plan: Plan, facts: Mapping[str, Any]) -> None:
        await self.clear(context, plan)

    def rehearsed(self) -> Operation:
        """Dump to the same place: the undo of the rehearsal deletes it."""
        return self


class ScriptedDump(Dump):
    """The same, and the archive written as a plain script, for a delivery that loads one."""

    async def plan(self, context: Context) -> Plan:
        plan = await super().plan(context)
        return replace(
            plan, does=(*plan.does, f"write it as {plan.details['script']}, a plain script")
        )

    async def script(
        self, context: Context, plan: Plan, dumped: Dumped, pg_restore: Tool
    ) -> Dumped:
        """Write the script and its checksum."""
        script = Path(plan.details["script"])
        await plain.write(dumped.archive, script, pg_restore)
        digest = await archive.checksum(script, context.report)
        return replace(dumped, script=str(script), script_sha256=digest)

    async def undo(self, context: Context, plan: Plan, facts: Mapping[str, Any]) -> None:
        await super().undo(context, plan, facts)
        script = Path(plan.details["script"])
        # Every session writes it under that name: what another wrote since is that one's.
        if "script" not in facts or not script.exists():
            return
        if await archive.checksum(script, context.report) == facts["script_sha256"]:
            script.unlink()

    def rehearsed(self) -> Operation:
        """Dump to the same place, but write the script into the rehearsal's own folder."""
        return _Rehearsed(self.target)


class _Rehearsed(ScriptedDump):
    """What an operator's playbook takes is left alone by a rehearsal."""

    async def plan(self, context: Context) -> Plan:
        plan = await super().plan(context)
        theirs = plan.details["script"]
        ours = str(context.artefact(Path(theirs).name))
        return replace(
            plan,
            does=tuple(line.replace(theirs, ours) for line in plan.does),
            details={**plan.details, "script": ours},
        )
