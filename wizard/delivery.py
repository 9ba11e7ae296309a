"""How the result gets to a target by swap, and back.

A swap restores beside the live database and exchanges the names, keeping the old one. For the
operator's own restore command see `wizard.playbook`, for a role that may not make databases
`wizard.inplace`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from wizard import earlier, process, written
from wizard.comparison import require_same
from wizard.config import Target
from wizard.errors import OperationFailed, RemodelError, VerificationFailed
from wizard.operation import Gate, Loss, Observation, Operation, Plan, Repeatable, Seen
from wizard.pagetree import PageTree
from wizard.postgres import baseline as baselines
from wizard.postgres import preflight, restore, server, swap
from wizard.postgres.address import Address
from wizard.postgres.archive import Archive
from wizard.remote import Connection
from wizard.run import Far, Run
from wizard.written import Unchanged


class ForTarget(Operation):
    """An operation that is there once for each target; its key ends in the target's name."""

    name: str

    def __init__(self, target: Target) -> None:
        self.target = target
        self.key = f"production.{self.name}:{target.name}"

    def lasts(self, run: Run) -> bool:
        """What was delivered is not taken back by doing the conversion anew."""
        return run.settled(f"production.deliver:{self.target.name}")


class Swap(ForTarget):
    """Restore beside the live database, compare, stop the service, swap the names."""

    name = "deliver"
    title = "Deliver to the target"
    about = "restore beside the live database and swap names; the old one is kept"
    gated = True

    async def plan(self, run: Run) -> Plan:
        target = self.target
        run.fact(f"production.drill:{target.name}")
        taken = Archive.from_dict(run.fact(f"production.dump:{target.name}")["archive"])
        far = await run.far(target)
        found = await preflight.swap(
            far.address, await preflight.needs(run.config.local.address), _its_host(target, far)
        )
        found.require(target.name, target.delivery)
        pages = await PageTree(far.address).count()
        lost = await written.since_backup(run, target, far.address)
        lost.tell(run.report)
        earlier.tell(run, target)
        backup = Archive.from_dict(run.fact("backup.fetch")["archive"])
        database = target.address.database
        kept = server.beside(database, f"{run.stamp}_old")
        return Plan(
            operation=self.key,
            title=f"Replace {database} on {target.where} ({target.name})",
            does=(
                f"the backup this is made from is {age(backup)}",
                f"restore {Path(taken.path).name} ({taken.bytes:,} bytes) beside {database}",
                *(f"check it by {' '.join(words)} on {target.where}" for words in target.check),
                "compare every table with the local database",
                *(f"run {' '.join(command)} on {target.where}" for command in target.before),
                f"end the connections to {database}, rename it to {kept}, rename the new one",
                *(f"then run {' '.join(command)}" for command in target.after),
                *found.told,
                *lost.does,
            ),
            destroys=(
                *lost.destroys,
                Loss(f"the pages now in {database} leave that name", pages),
            ),
            undo=f"`remodel rollback --target {target.name}` swaps {kept} back in",
            gate=lost.gate,
            facts={
                "target": target.name,
                "host": target.where,
                "database": database,
                "delivery": "swap",
                "before": [list(command) for command in target.before],
                "after": [list(command) for command in target.after],
                **({"check": [list(words) for words in target.check]} if target.check else {}),
                **lost.facts,
            },
            details={
                "beside": server.beside(database, f"{run.stamp}_new"),
                "kept": kept,
                "limit": await _limit(far.address),
                "baseline": lost.baseline is not None,
            },
        )

    async def apply(self, run: Run, plan: Plan) -> Mapping[str, Any]:
        address = await run.far_address(self.target)
        async with swap.alone(address, f"session {run.session.id}"):
            return await self._deliver(run, plan)

    async def _deliver(self, run: Run, plan: Plan) -> Mapping[str, Any]:
        target, report = self.target, run.report
        baseline = written.of_backup(run) if plan.details["baseline"] else None
        check = None
        if baseline is not None:
            check = Unchanged(target, baseline, run.config.drift, plan.facts.get("drift"))
        facts = run.fact(f"production.dump:{target.name}")
        taken = Archive.from_dict(facts["archive"])
        far = await run.far(target)
        beside = far.address.at(plan.details["beside"])
        there = await server.about(far.address)
        tool = await run.pg_restore(taken.dump_major, there.major)
        await restore.create_beside(
            far.address, beside.database, like=target.address.database, report=report
        )
        try:
            await restore.restore(taken, beside, report, pg_restore=tool)
            await run_checks(
                run, target, beside.database, "The live database is untouched. Mend it, try again."
            )
            # After the checks: one that writes has made it another database.
            await require_same(beside, facts["contents"], "The new database on the target")
            async with baselines.held(beside) as held:  # nobody writes to it before the swap
                delivered = held.as_dict()
            await run_commands(run, target, target.before)
            far = await run.far(target)  # the identity once more, just before the act
            with stopped(target):
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
            "baseline": delivered,
            "message": f"{target.address.database} is the converted database; "
            f"the old one is {plan.details['kept']}",
        }

    async def observe(self, run: Run, plan: Plan) -> Observation:
        # The pinned identity may be that of the database now kept: look without checking it.
        address = await run.far_address(self.target)
        standing = await swap.observe(address, plan.details["beside"], plan.details["kept"])
        if standing.kept is not None and standing.beside is None:
            return Observation(Seen.DONE, "the names are swapped", {"kept": plan.details["kept"]})
        if standing.beside is not None or standing.closed:
            return Observation(Seen.PARTLY, f"{plan.details['beside']} stands beside the live one")
        return Observation(Seen.NOT_DONE, f"{self.target.address.database} is as it was")

    async def settle(self, run: Run, plan: Plan, facts: Mapping[str, Any]) -> None:
        await run.repin(self.target, await run.far_address(self.target))

    async def clear(self, run: Run, plan: Plan) -> None:
        address = await run.far_address(self.target)
        await _reopen_if_closed(address, plan)
        await restore.drop(address, plan.details["beside"], force=True)

    async def undo(self, run: Run, plan: Plan, facts: Mapping[str, Any]) -> None:
        if not run.settled(f"production.rollback:{self.target.name}"):
            raise OperationFailed(
                f"{self.target.name} has been delivered to; that is not undone here.",
                hint=f"remodel rollback --target {self.target.name}",
            )
        for name in ("rollback", "after_rollback"):  # they were of this delivery
            run.session.journal.write(f"production.{name}:{self.target.name}", "undone", {})


class After(ForTarget, Repeatable):
    """The commands that start the service again; on their own, so that they can be retried."""

    name = "after"
    title = "Run the commands after the delivery"
    about = "start the service again on the target"

    async def plan(self, run: Run) -> Plan:
        run.fact(f"production.deliver:{self.target.name}")
        commands = self.target.after
        return Plan(
            operation=self.key,
            title=self.title,
            does=tuple(f"run {' '.join(words)} on {self.target.where}" for words in commands),
            undo=f"`remodel rollback --target {self.target.name}`",
            skip="" if commands else "no commands are configured",
        )

    async def apply(self, run: Run, plan: Plan) -> Mapping[str, Any]:
        await run_commands(run, self.target, self.target.after)
        return {"message": "; ".join(" ".join(words) for words in self.target.after)}


class AfterRollback(After):
    """The same commands, once the old database is back."""

    name = "after_rollback"

    async def plan(self, run: Run) -> Plan:
        run.fact(f"production.rollback:{self.target.name}")
        return await super().plan(run)


class Rollback(ForTarget):
    """The old database back under its name; the delivered one is put aside, not dropped."""

    name = "rollback"
    title = "Roll a delivery back"
    gated = True

    async def plan(self, run: Run) -> Plan:
        target = self.target
        kept = run.fact(f"production.deliver:{target.name}")["kept"]
        if not kept:
            raise OperationFailed(
                f"{target.name} was delivered otherwise than by a swap: no old database is kept.",
                hint=f"Restore {run.fact(f'production.deliver:{target.name}')['safety']}.",
            )
        database = target.address.database
        aside = server.beside(database, f"{run.stamp}_delivered")
        far = await run.far(target)
        delivered = run.fact(f"production.deliver:{target.name}").get("baseline")
        if await server.database(far.address.at(kept)) is None:
            raise OperationFailed(
                f"{kept} is not on {target.where} any more.",
                hint="It was dropped or has been rolled back already.",
            )
        return Plan(
            operation=self.key,
            title=f"Roll {target.name} back to the database before the delivery",
            does=(
                *(f"run {' '.join(words)} on {target.where}" for words in target.before),
                f"rename {database} to {aside}, rename {kept} to {database}",
                *await written.since_delivery(far.address, delivered),
            ),
            destroys=(Loss(f"what was written to {database} since the delivery leaves it"),),
            undo=f"{aside} is kept",
            gate=Gate(target.name, target.name),
            facts={"target": target.name, "host": target.where, "database": database},
            details={"kept": kept, "aside": aside, "limit": await _limit(far.address)},
        )

    async def apply(self, run: Run, plan: Plan) -> Mapping[str, Any]:
        target, details = self.target, plan.details
        async with swap.alone(await run.far_address(target), f"session {run.session.id}"):
            await run_commands(run, target, target.before)
            far = await run.far(target)
            with stopped(target):
                await swap.rollback(
                    far.address, details["kept"], details["aside"], run.report, terminate=True
                )
        return {"message": f"{target.address.database} is the database before the delivery"}

    async def observe(self, run: Run, plan: Plan) -> Observation:
        address = await run.far_address(self.target)
        standing = await swap.observe(address, plan.details["kept"], plan.details["aside"])
        if standing.kept is not None:
            return Observation(Seen.DONE, "the names are swapped back")
        if standing.closed:
            return Observation(Seen.PARTLY, "the delivered database is live, and closed")
        return Observation(Seen.NOT_DONE, "the delivered database is live")

    async def clear(self, run: Run, plan: Plan) -> None:
        await _reopen_if_closed(await run.far_address(self.target), plan)

    async def settle(self, run: Run, plan: Plan, facts: Mapping[str, Any]) -> None:
        await run.repin(self.target, await run.far_address(self.target))


async def run_checks(run: Run, target: Target, database: str, hint: str) -> None:
    """Run the target's `check` commands, which find the database's name in REMODEL_DATABASE.

    Raises VerificationFailed with `hint` when one ends with another exit code than 0.
    """
    for words in target.check:
        far = await run.far(target)
        ended = await far.connection.run(
            ["env", f"REMODEL_DATABASE={database}", *words],
            on_line=partial(run.report.line, words[0]),
        )
        if ended.returncode != 0:
            raise VerificationFailed(
                f"{' '.join(words)} on {target.where}, with {database}, ended with exit code "
                f"{ended.returncode}.",
                found=ended.stderr_tail or ended.stdout[-2000:],
                hint=hint,
            )
        run.report.finding(" ".join(words), f"succeeded on {target.where} with {database}")


async def run_commands(run: Run, target: Target, commands: Sequence[Sequence[str]]) -> None:
    """Run commands on the target, one by one, their output live; the first failure stops."""
    for words in commands:
        far = await run.far(target)
        ended = await far.connection.run(words, on_line=partial(run.report.line, words[0]))
        if ended.returncode != 0:
            raise OperationFailed(
                f"{' '.join(words)} on {target.where} ended with exit code {ended.returncode}.",
                found=ended.stderr_tail or ended.stdout[-2000:],
                hint="Mend it on that host, then try again.",
            )
        run.report.finding(" ".join(words), f"succeeded on {target.where}")


def _its_host(target: Target, far: Far) -> Connection | None:
    """The SSH connection, where it leads to the very host that the database is on."""
    host = target.address.host
    return far.ssh if host.startswith("/") or host in preflight.LOCAL_HOSTS else None


async def _limit(address: Address) -> int:
    """The live database's connection limit, for whoever has to open it again."""
    live = await server.database(address)
    return live.connection_limit if live else -1


async def _reopen_if_closed(address: Address, plan: Plan) -> None:
    live = await server.database(address)
    if live is not None and (live.connection_limit == 0 or not live.allows_connections):
        await swap.reopen(address, plan.details["limit"])


@contextmanager
def stopped(target: Target) -> Iterator[None]:
    """A failure in here comes after `before`, which may have stopped the service: say so."""
    try:
        yield
    except RemodelError as error:
        if target.before:
            error.hint += (
                f" The commands before the delivery have run on {target.where}: its service may be "
                "stopped. Try again, or start it by hand: "
                + "; ".join(" ".join(words) for words in target.after)
            )
        raise


def age(taken: Archive) -> str:
    """How old a backup is, in words for a plan."""
    try:
        made = datetime.fromisoformat(taken.made_at)
    except ValueError:  # an existing dump: as pg_restore words it, in that machine's time
        return f"from {taken.made_at}"
    seconds = (datetime.now(UTC) - made).total_seconds()
    for size, unit in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit} old"
    return f"{seconds:.0f} seconds old"
