"""Delivery by swap, and back: names are exchanged, and no database is written over.

The result is restored beside the live database; whichever gives its name away is kept.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

from wizard.base import files, process
from wizard.base.errors import IdentityMismatch, OperationFailed, RemodelError
from wizard.base.events import Report
from wizard.config.config import Target
from wizard.delivery.base import Delivery, ForTarget, run_checks, stopping
from wizard.delivery.drift import since_backup
from wizard.delivery.verify.contents import require_same
from wizard.engine.context import Context
from wizard.engine.far_side import Far
from wizard.engine.operation import Observation, Seen
from wizard.postgres import server
from wizard.postgres.address import Address
from wizard.postgres.admin import preflight, rights, swap
from wizard.postgres.admin.delivery_lock import alone
from wizard.postgres.drift import baseline as baselines
from wizard.postgres.dumps import restore
from wizard.postgres.dumps.archive import Archive
from wizard.postgres.server import Database
from wizard.session.plan import Gate, Loss, Plan
from wizard.ssh.connection import Connection


class Swap(Delivery):
    """Restore beside the live database, compare, stop the service, swap the names."""

    title = "Deliver to the target"
    about = "restore beside the live database and swap names; the old one is kept"

    async def plan(self, context: Context) -> Plan:
        target = self.target
        context.facts.of(f"production.drill:{target.name}")
        taken = Archive.from_dict(context.facts.of(f"production.dump:{target.name}")["archive"])
        far = await context.far.checked(target)
        found = await preflight.swap(
            far.address, await preflight.needs(context.config.local.address), _its_host(target, far)
        )
        found.require(target.name, target.delivery)
        database = target.address.database
        there = await _databases(far.address)
        kept = _free(there, database, f"{context.stamp}_old")
        return await self._plan(
            context,
            far.address,
            found,
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
                **_live(there, database),
            },
        )

    async def apply(self, context: Context, plan: Plan) -> Mapping[str, Any]:
        address = await context.far.address(self.target)
        async with alone(address, f"session {context.session.id}"):
            return await self._deliver(context, plan)

    async def _deliver(self, context: Context, plan: Plan) -> Mapping[str, Any]:
        target, report = self.target, context.report
        check = since_backup.consented(context, target, plan)
        facts = context.facts.of(f"production.dump:{target.name}")
        taken = Archive.from_dict(facts["archive"])
        far = await context.far.checked(target)
        beside = far.address.at(plan.details["beside"])
        there = await server.about(far.address)
        tool = await context.tools.pg_restore(taken.dump_major, there.major)
        await restore.create_beside(
            far.address, beside.database, like=target.address.database, report=report
        )
        try:
            await self._give_rights(far.address, beside, report)  # for what is made there
            await restore.restore(taken, beside, report, pg_restore=tool)
            await self._give_rights(far.address, beside, report)
            await run_checks(
                context,
                target,
                beside.database,
                "The live database is untouched. Mend it, try again.",
            )
            # After the checks: one that writes has made it another database.
            await require_same(beside, facts["contents"], "The new database on the target")
            async with baselines.held(beside) as held:  # nobody writes to it before the swap
                delivered = held.as_dict()
            files.write(self._delivered(context), json.dumps(delivered))
            async with stopping(context, target):
                far = await context.far.checked(
                    target
                )  # the identity once more, just before the act
                await swap.swap(
                    far.address,
                    beside.database,
                    plan.details["kept"],
                    report,
                    terminate=True,
                    check=check,
                )
        except BaseException:
            # By its name beside: once swapped, that name is gone and the drop does nothing.
            with suppress(RemodelError):  # what stopped us is the error to tell
                await process.to_its_end(restore.drop(far.address, beside.database, force=True))
            raise
        if check is not None:
            check.tell(report)
        return {
            "kept": plan.details["kept"],
            "oid": plan.details["oid"],
            "baseline": delivered,
            "message": f"{target.address.database} is the converted database; "
            f"the old one is {plan.details['kept']}",
        }

    def _delivered(self, context: Context) -> Path:
        """The file with the baseline of what is swapped in, for a rollback after a crash."""
        return context.artefact(f"delivered.{self.target.name}.json")

    async def _give_rights(self, live: Address, beside: Address, report: Report) -> None:
        async with server.session(live) as connection:
            as_live = await rights.read(connection)
        async with server.session(beside) as connection:
            await rights.give(connection, as_live, report)

    async def observe(self, context: Context, plan: Plan) -> Observation:
        # The pinned identity may be that of the database now kept: look without checking it.
        beside, kept = plan.details["beside"], plan.details["kept"]
        standing = await swap.observe(await context.far.address(self.target), beside, kept)
        if standing.kept == plan.details["oid"]:
            facts = {"kept": kept, "oid": standing.kept}
            if (delivered := self._delivered(context)).exists():
                facts["baseline"] = json.loads(delivered.read_text(encoding="utf-8"))
            return Observation(Seen.DONE, "the names are swapped", facts)
        if standing.beside is not None or standing.closed:
            return Observation(Seen.PARTLY, f"{beside} stands beside the live one")
        return Observation(Seen.NOT_DONE, f"{self.target.address.database} is as it was")

    async def finalize(self, context: Context, plan: Plan, facts: Mapping[str, Any]) -> None:
        await context.far.repin(self.target, await context.far.address(self.target))

    async def clear(self, context: Context, plan: Plan) -> None:
        address = await context.far.address(self.target)
        # Closed, it may be somebody else's at this moment.
        async with alone(address, f"session {context.session.id}"):
            await _reopen_if_closed(address, plan)
            await restore.drop(address, plan.details["beside"], force=True)

    async def undo(self, context: Context, plan: Plan, facts: Mapping[str, Any]) -> None:
        if not context.facts.settled(f"production.rollback:{self.target.name}"):
            raise OperationFailed(
                f"{self.target.name} has been delivered to; that is not undone here.",
                hint=f"remodel rollback --target {self.target.name}",
            )
        for name in ("rollback", "after_rollback"):  # they were of this delivery
            context.session.journal.write(f"production.{name}:{self.target.name}", "undone", {})


class Rollback(ForTarget):
    """The old database back under its name; the delivered one is put aside, not dropped."""

    name = "rollback"
    title = "Roll a delivery back"
    gated = True

    async def plan(self, context: Context) -> Plan:
        target = self.target
        delivered = context.facts.of(f"production.deliver:{target.name}")
        kept = delivered["kept"]
        if not kept:
            raise OperationFailed(
                f"{target.name} was delivered otherwise than by a swap: no old database is kept.",
                hint=f"Restore {delivered['safety']}.",
            )
        database = target.address.database
        far = await context.far.checked(target)
        there = await _databases(far.address)
        if kept not in there:
            raise OperationFailed(
                f"{kept} is not on {target.where} any more.",
                hint="It was dropped or has been rolled back already.",
            )
        if there[kept].oid != delivered["oid"]:
            raise IdentityMismatch(
                f"{kept} is not the database that was live before the delivery.",
                found=f"OID {there[kept].oid}, was {delivered['oid']}",
                hint="Find out who made it. Nothing was renamed.",
            )
        aside = _free(there, database, f"{context.stamp}_delivered")
        return Plan(
            operation=self.key,
            title=f"Roll {target.name} back to the database before the delivery",
            does=(
                *(f"run {' '.join(words)} on {target.where}" for words in target.before),
                f"rename {database} to {aside}, rename {kept} to {database}",
                *await since_backup.since_delivery(far.address, delivered.get("baseline")),
            ),
            destroys=(Loss(f"what was written to {database} since the delivery leaves it"),),
            undo=f"{aside} is kept",
            gate=Gate(target.name, target.name),
            facts={"target": target.name, "host": target.where, "database": database},
            details={"kept": kept, "aside": aside, **_live(there, database)},
        )

    async def apply(self, context: Context, plan: Plan) -> Mapping[str, Any]:
        target, details = self.target, plan.details
        address = await context.far.address(target)
        async with alone(address, f"session {context.session.id}"), stopping(context, target):
            far = await context.far.checked(target)
            await swap.rollback(
                far.address, details["kept"], details["aside"], context.report, terminate=True
            )
        return {"message": f"{target.address.database} is the database before the delivery"}

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
            await _reopen_if_closed(address, plan)

    async def finalize(self, context: Context, plan: Plan, facts: Mapping[str, Any]) -> None:
        await context.far.repin(self.target, await context.far.address(self.target))


def _its_host(target: Target, far: Far) -> Connection | None:
    """The SSH connection, where it leads to the very host that the database is on."""
    host = target.address.host
    return far.ssh if host.startswith("/") or host in preflight.LOCAL_HOSTS else None


async def _databases(address: Address) -> dict[str, Database]:
    return {each.name: each for each in await server.databases(address)}


def _live(there: Mapping[str, Database], name: str) -> dict[str, int]:
    """Of the live database: which one it is, and its limit, for whoever has to open it again."""
    return {"oid": there[name].oid, "limit": there[name].connection_limit}


def _free(there: Mapping[str, Database], database: str, label: str) -> str:
    """A name that no database has: the same session may deliver and roll back again."""
    names = (server.beside(database, f"{label}{'' if n == 1 else f'_{n}'}") for n in count(1))
    return next(name for name in names if name not in there)


async def _reopen_if_closed(address: Address, plan: Plan) -> None:
    live = await server.database(address)
    if live is not None and live.closed:
        await swap.reopen(address, plan.details["limit"])
