"""Delivery by the operator's own restore command, which drops before it restores.

A safety dump of the target is taken first, because nothing else is left of what it drops.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wizard.base import process
from wizard.base.errors import ConfigError, OperationFailed
from wizard.delivery import kinds
from wizard.delivery import overwrite as overwriting
from wizard.delivery.drift.since_backup import DriftGuard
from wizard.delivery.overwrite import Overwriting, script_of
from wizard.delivery.results import Delivered, Dumped
from wizard.delivery.verify import delivered, objects
from wizard.delivery.verify.objects import Expected
from wizard.engine.context import Context
from wizard.engine.operation import Observation, Seen
from wizard.postgres import server
from wizard.postgres.address import Address
from wizard.postgres.admin import preflight
from wizard.postgres.admin.preflight import PreflightReport
from wizard.postgres.drift.baseline import DriftBaseline
from wizard.session.plan import Plan


class Playbook(Overwriting):
    """The operator's own restore command, after a safety dump of what it will drop."""

    title = "Deliver by the operator's own command"
    about = "a safety dump of the target, then the configured command, its output live"

    async def plan(self, context: Context) -> Plan:
        target = self.target
        script = script_of(context.facts.of(Dumped, target.name))
        context.facts.require(f"production.drill:{target.name}")
        command = target.playbook
        if Path(command[0]).name == "ansible-playbook" and not any(
            word == "-l" or word.startswith("--limit") for word in command
        ):
            raise ConfigError(
                f"The playbook of {target.name} has no --limit and would reach every host.",
                found=" ".join(command),
                hint=f"Add --limit {target.name} to targets.{target.name}.playbook.",
            )
        address = await self.reached(context)
        checked = PreflightReport((), ())
        if await server.database(address) is not None:
            needs = await preflight.needs(context.config.local.address)
            checked = await preflight.playbook(address, needs)
        database, safety = target.address.database, overwriting.safety(context, target)
        earlier = overwriting.taken(context, target)
        return await self._plan(
            context,
            address,
            checked,
            title=f"Run the restore playbook against {target.name}",
            does=(
                *(f"run {' '.join(words)} on {target.where}" for words in target.before),
                f"fetch a safety dump of {database} to {safety.name}",
                f"run {' '.join(command)} with {script.name} written",
                "NOTE: what is written from there on, until it drops, is lost: stop the service by "
                "a command in `before`",
                f"compare every table of {database} with what was delivered",
                *(f"NOTE: {path.name} is from before an earlier attempt" for path in earlier),
            ),
            loss=f"the database {database}, which a playbook drops",
            undo=f"restore {safety.name} with the same playbook",
            facts={"command": list(command)},
            details={"safety": str(safety)},
        )

    async def reached(self, context: Context) -> Address:
        """As any delivery's; or gone, which a safety dump allows."""
        address = await context.far.address(self.target)
        if overwriting.taken(context, self.target) and await server.database(address) is None:
            return address
        return await super().reached(context)

    async def overwrite(
        self,
        context: Context,
        address: Address,
        script: Path,
        saved: DriftBaseline | None,
        guard: DriftGuard | None,
        wanted: Expected | None,
    ) -> None:
        # As near to the command as it can be: what that drops, nobody holds open for us.
        await self.unchanged(context, address, saved, guard)
        command = self.target.playbook
        ended = await process.run(
            list(command),
            cwd=self.target.playbook_path or context.config.folder,
            on_line=lambda text: context.report.line(Path(command[0]).name, text),
        )
        if ended.returncode != 0:
            raise OperationFailed(
                f"{' '.join(command)} ended with exit code {ended.returncode}.",
                found=ended.told,
                hint=f"Mend it, then try again. {overwriting.ways_back(context, self.target)}",
            )

    async def finalize(self, context: Context, plan: Plan, facts: Mapping[str, Any]) -> None:
        await context.far.repin(self.target, await context.far.address(self.target))

    async def observe(self, context: Context, plan: Plan) -> Observation:
        target = self.target
        address = await context.far.address(target)
        if await server.database(address) is None:
            return Observation(Seen.NOT_DONE, "the playbook dropped the database and stopped")
        expected = context.facts.of(Dumped, target.name).contents
        if not await delivered.faults(context, target, address, expected):
            await objects.tell_delivered(context, target, address)
            result = Delivered(safety=str(overwriting.newest(context, target) or ""))
            return Observation(Seen.DONE, "the target holds what was delivered", result)
        if context.far.pins.all()[target.name] != await context.far.identify(target):
            return Observation(Seen.PARTLY, "the playbook replaced the database by something else")
        return Observation(Seen.NOT_DONE, "the target is the database that it was")

    async def clear(self, context: Context, plan: Plan) -> None:
        # What the playbook left is dumped and consented to like anything else, next time.
        await context.far.repin(self.target, await context.far.address(self.target))


PLAYBOOK = kinds.register(overwriting.kind("playbook", Playbook))
