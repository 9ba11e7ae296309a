"""The way back from a swap: the old database under its name again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wizard.base.errors import IdentityMismatch, OperationFailed
from wizard.delivery import beside
from wizard.delivery.base import ForTarget, stopping
from wizard.delivery.drift import since_backup
from wizard.delivery.results import Delivered
from wizard.delivery.verify import objects
from wizard.engine.context import Context
from wizard.engine.operation import Observation, Seen
from wizard.engine.result import Result
from wizard.postgres.admin import swap
from wizard.postgres.admin.delivery_lock import alone
from wizard.session.plan import Gate, Loss, Plan


class Rollback(ForTarget):
    """The old database back under its name; the delivered one is put aside, not dropped."""

    name = "rollback"
    title = "Roll a delivery back"
    gated = True
    interrupts_service = True

    async def plan(self, context: Context) -> Plan:
        target = self.target
        delivered = context.facts.of(Delivered, target.name)
        kept = delivered.kept
        if not kept:
            raise OperationFailed(
                f"{target.name} was delivered otherwise than by a swap: no old database is kept.",
                hint=f"Restore {delivered.safety}.",
            )
        database = target.address.database
        far = await context.far.checked(target)
        there = await beside.databases(far.address)
        if kept not in there:
            raise OperationFailed(
                f"{kept} is not on {target.where} any more.",
                hint="It was dropped or has been rolled back already.",
            )
        if there[kept].oid != delivered.oid:
            raise IdentityMismatch(
                f"{kept} is not the database that was live before the delivery.",
                found=f"OID {there[kept].oid}, was {delivered.oid}",
                hint="Find out who made it. Nothing was renamed.",
            )
        aside = beside.free(there, database, f"{context.stamp}_delivered")
        return Plan(
            operation=self.key,
            title=f"Roll {target.name} back to the database before the delivery",
            does=(
                *(f"run {' '.join(words)} on {target.where}" for words in target.before),
                f"rename {database} to {aside}, rename {kept} to {database}",
                *await since_backup.since_delivery(far.address, delivered.baseline),
            ),
            destroys=(Loss(f"what was written to {database} since the delivery leaves it"),),
            undo=f"{aside} is kept",
            gate=Gate(target.name, target.name),
            facts={"target": target.name, "host": target.where, "database": database},
            details={"kept": kept, "aside": aside, **beside.live(there, database)},
        )

    async def apply(self, context: Context, plan: Plan) -> Result:
        target, details = self.target, plan.details
        address = await context.far.address(target)
        async with (
            alone(address, f"session {context.session.id}") as lock,
            stopping(context, target),
        ):
            far = await context.far.checked(target)
            await lock.require()
            await swap.rollback(
                far.address, details["kept"], details["aside"], context.report, terminate=True
            )
        await objects.compare_rolled_back(context, target, far.address)
        return Result(message=f"{target.address.database} is the database before the delivery")

    async def observe(self, context: Context, plan: Plan) -> Observation:
        kept, aside = plan.details["kept"], plan.details["aside"]
        standing = await swap.observe(await context.far.address(self.target), kept, aside)
        if standing.kept == plan.details["oid"]:
            return Observation(Seen.DONE, "the names are swapped back")
        if standing.closed:
            return Observation(Seen.PARTLY, "the delivered database is live, and closed")
        return Observation(Seen.NOT_DONE, "the delivered database is live")

    async def clear(self, context: Context, plan: Plan) -> None:
        address = await context.far.address(self.target)
        async with alone(address, f"session {context.session.id}"):
            await beside.reopen_if_closed(address, plan)

    async def finalize(self, context: Context, plan: Plan, facts: Mapping[str, Any]) -> None:
        await context.far.repin(self.target, await context.far.address(self.target))
