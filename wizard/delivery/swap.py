"""Delivery by swap: names are exchanged, and no database is written over.

The result is restored beside the live database; whichever gives its name away is kept.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from wizard.base import files
from wizard.base.errors import OperationFailed
from wizard.base.events import Report
from wizard.config.databases import TEMPLATE, Target
from wizard.delivery import beside, kinds
from wizard.delivery.base import After, AfterRollback, Delivery, run_checks, stopping
from wizard.delivery.drift import since_backup
from wizard.delivery.drill import Drill
from wizard.delivery.dump import Dump
from wizard.delivery.results import Delivered, Dumped
from wizard.delivery.rollback import Rollback
from wizard.delivery.site import PlaceTargetSite
from wizard.delivery.verify import objects
from wizard.delivery.verify.check import Check
from wizard.delivery.verify.contents import require_same
from wizard.engine.context import Context
from wizard.engine.far_side import Far
from wizard.engine.operation import Observation, Seen
from wizard.postgres import server
from wizard.postgres.address import Address
from wizard.postgres.admin import preflight, rights, swap
from wizard.postgres.admin.delivery_lock import DeliveryLock, alone
from wizard.postgres.drift import baseline as baselines
from wizard.postgres.dumps import restore
from wizard.postgres.server import Server
from wizard.session.plan import Plan
from wizard.ssh.connection import Connection


class Swap(Delivery):
    """Restore beside the live database, compare, stop the service, swap the names."""

    title = "Deliver to the target"
    about = "restore beside the live database and swap names; the old one is kept"

    async def plan(self, context: Context) -> Plan:
        target = self.target
        context.facts.require(f"production.drill:{target.name}")
        taken = context.facts.of(Dumped, target.name).archive
        far = await context.far.checked(target)
        needed = await preflight.needs(context.config.local.address)
        if target.template != TEMPLATE:
            needed = await needed.beyond(far.address.at(target.template))
        checked = await preflight.swap(far.address, needed, _its_host(target, far))
        checked.require(target.name, target.delivery)
        lacking = await objects.lacking(context, target, far.address)
        checked.also(lacking).require(target.name, target.delivery)
        database = target.address.database
        there = await beside.databases(far.address)
        kept = beside.free(there, database, f"{context.stamp}_old")
        return await self._plan(
            context,
            far.address,
            checked,
            title=f"Replace {database} on {target.where} ({target.name})",
            does=(
                f"restore {Path(taken.path).name} ({taken.bytes:,} bytes) beside {database}",
                *(f"check it by {' '.join(words)} on {target.where}" for words in target.check),
                "compare every table with the local database",
                *(f"run {' '.join(words)} on {target.where}" for words in target.before),
                f"end the connections to {database}, rename it to {kept}, rename the new one",
            ),
            loss=f"the pages now in {database} leave that name",
            undo=f"`remodel rollback --target {target.name}` swaps {kept} back in",
            facts={},
            details={
                "beside": server.beside(database, f"{context.stamp}_new"),
                "kept": kept,
                **beside.live(there, database),
            },
        )

    async def apply(self, context: Context, plan: Plan) -> Delivered:
        address = await context.far.address(self.target)
        async with alone(address, f"session {context.session.id}") as lock:
            return await self._deliver(context, plan, lock)

    async def _deliver(self, context: Context, plan: Plan, lock: DeliveryLock) -> Delivered:
        target, report = self.target, context.report
        check = since_backup.consented(context, target, plan)
        dumped = context.facts.of(Dumped, target.name)
        taken = dumped.archive
        far = await context.far.checked(target)
        new = far.address.at(plan.details["beside"])
        there = await server.about(far.address)
        tool = await context.tools.pg_restore(taken.dump_major, there.major)
        await restore.create_beside(
            far.address,
            new.database,
            like=target.address.database,
            report=report,
            template=target.template,
        )
        try:
            await self._give_rights(far.address, new, report)  # for what is made there
            path = context.config.restore.search_path
            await restore.restore(taken, new, report, pg_restore=tool, search_path=path)
            await self._give_rights(far.address, new, report)
            wanted = await objects.expected(context, target, far.address)
            await objects.make_same(
                context,
                target,
                wanted,
                new,
                f"{target.address.database} is as it was. {objects.ways_out(target)}",
            )
            await run_checks(
                context,
                target,
                new.database,
                "The live database is untouched. Mend it, try again.",
            )
            # After the checks: one that writes has made it another database.
            await require_same(new, dumped.contents, "The new database on the target")
            async with baselines.held(new) as held:  # nobody writes to it before the swap
                delivered = held.as_dict()
            files.write(self._delivered(context), json.dumps(delivered))
            await lock.require()  # before the service is stopped, and just before the act
            async with stopping(context, target):
                far = await context.far.checked(
                    target
                )  # the identity once more, just before the act
                await lock.require()
                await swap.swap(
                    far.address,
                    new.database,
                    plan.details["kept"],
                    report,
                    terminate=True,
                    check=check,
                )
        except BaseException:
            # By its name beside: once swapped, that name is gone and the drop does nothing.
            await restore.discard(far.address.at(new.database), report)
            raise
        if check is not None:
            check.tell(report)
        return Delivered(
            kept=plan.details["kept"],
            oid=plan.details["oid"],
            baseline=delivered,
            message=f"{target.address.database} is the converted database; "
            f"the old one is {plan.details['kept']}",
        )

    def _delivered(self, context: Context) -> Path:
        """Return the file with the baseline of what is swapped in, for a rollback after a crash."""
        return context.artefact(f"delivered.{self.target.name}.json")

    async def _give_rights(self, live: Address, new: Address, report: Report) -> None:
        async with server.session(live) as connection:
            as_live = await rights.read(connection)
        async with server.session(new) as connection:
            await rights.give(connection, as_live, report)

    async def observe(self, context: Context, plan: Plan) -> Observation:
        # The pinned identity may be that of the database now kept: look without checking it.
        new, kept = plan.details["beside"], plan.details["kept"]
        standing = await swap.observe(await context.far.address(self.target), new, kept)
        if standing.kept == plan.details["oid"]:
            result = Delivered(kept=kept, oid=standing.kept)
            if (delivered := self._delivered(context)).exists():
                baseline = json.loads(delivered.read_text(encoding="utf-8"))
                result = replace(result, baseline=baseline)
            return Observation(Seen.DONE, "the names are swapped", result)
        if standing.beside is not None or standing.closed:
            return Observation(Seen.PARTLY, f"{new} stands beside the live one")
        return Observation(Seen.NOT_DONE, f"{self.target.address.database} is as it was")

    async def finalize(self, context: Context, plan: Plan, facts: Mapping[str, Any]) -> None:
        await context.far.repin(self.target, await context.far.address(self.target))

    async def clear(self, context: Context, plan: Plan) -> None:
        address = await context.far.address(self.target)
        # Closed, it may be somebody else's at this moment.
        async with alone(address, f"session {context.session.id}"):
            await beside.reopen_if_closed(address, plan)
            await restore.drop(address, plan.details["beside"], force=True)

    def require_undoable(self, context: Context, facts: Mapping[str, Any]) -> None:
        if not context.facts.settled(f"production.rollback:{self.target.name}"):
            raise OperationFailed(
                f"{self.target.name} has been delivered to; that is not undone here.",
                hint=f"remodel rollback --target {self.target.name}",
            )

    async def undo(self, context: Context, plan: Plan, facts: Mapping[str, Any]) -> None:
        for name in ("rollback", "after_rollback"):  # they were of this delivery
            context.session.journal.write(f"production.{name}:{self.target.name}", "undone", {})


def _its_host(target: Target, far: Far) -> Connection | None:
    """Return the SSH connection, where it leads to the very host that the database is on."""
    host = target.address.host
    return far.ssh if host.startswith("/") or host in preflight.LOCAL_HOSTS else None


def _preflight(target: Target, there: Server) -> kinds.Finding:
    if there.can_create_db:
        return f"{target.name} delivery", target.delivery, "ok", ""
    return (
        f"{target.name} rights",
        f"{target.address.user or 'the user'} may not create databases",
        "warn",
        "A swap needs CREATEDB on the target; `in place` and a playbook do not.",
    )


SWAP = kinds.register(
    kinds.DeliveryKind(
        name="swap",
        operations=(PlaceTargetSite, Dump, Drill, Swap, After, Check),
        preflight=_preflight,
        way_back=lambda target, delivered: f"remodel rollback --target {target}",
        rollback=(Rollback, AfterRollback),
        remakes=lambda key, one: True,
        databases={
            "kept": "{target} as it was before the delivery; a rollback needs it",
            "beside": "left by a delivery that was cut off",
            "aside": "what was delivered to {target} and rolled back since",
        },
    )
)
