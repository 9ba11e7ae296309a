"""How the result gets to a target, and back: by swap, or by the operator's own playbook.

A swap restores beside the live database and exchanges the names, keeping the old one. A playbook
is the operator's own restore command, which drops before it restores; a safety dump is taken
first, because nothing else is left of what it drops.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from wizard import process
from wizard.config import Target
from wizard.errors import ConfigError, OperationFailed, RemodelError, VerificationFailed
from wizard.operation import Gate, Loss, Observation, Operation, Plan, Repeatable, Seen
from wizard.pagetree import PageTree
from wizard.postgres import dump, fingerprint, restore, server, swap, tools
from wizard.postgres.address import Address, connect
from wizard.postgres.archive import Archive
from wizard.postgres.fingerprint import TableFingerprint
from wizard.run import Run


class ForTarget(Operation):
    """An operation that is there once for each target; its key ends in the target's name."""

    name: str

    def __init__(self, target: Target) -> None:
        self.target = target
        self.key = f"production.{self.name}:{target.name}"


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
        pages = await PageTree(far.address).count()
        backup = Archive.from_dict(run.fact("backup.fetch")["archive"])
        database = target.address.database
        kept = server.beside(database, f"{run.stamp}_old")
        return Plan(
            operation=self.key,
            title=f"Replace {database} on {target.ssh} ({target.name})",
            does=(
                f"the backup this is made from is {_age(backup)}",
                f"restore {Path(taken.path).name} ({taken.bytes:,} bytes) beside {database}",
                "compare every table with the local database",
                *(f"run {' '.join(command)} on {target.ssh}" for command in target.before),
                f"end the connections to {database}, rename it to {kept}, rename the new one",
            ),
            destroys=(
                Loss(f"what was written to {database} since the backup is not in the new one"),
                Loss(f"the pages now in {database} leave that name", pages),
            ),
            undo=f"`remodel rollback --target {target.name}` swaps {kept} back in",
            gate=Gate(target.name, target.name),
            facts={
                "target": target.name,
                "host": target.ssh,
                "database": database,
                "delivery": "swap",
                "before": [list(command) for command in target.before],
                "after": [list(command) for command in target.after],
            },
            details={"beside": server.beside(database, f"{run.stamp}_new"), "kept": kept},
        )

    async def apply(self, run: Run, plan: Plan) -> Mapping[str, Any]:
        target, report = self.target, run.report
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
            await require_same(beside, facts["tables"], "The new database on the target")
            await run_commands(run, target, target.before)
            far = await run.far(target)  # the identity once more, just before the act
            await swap.swap(
                far.address, beside.database, plan.details["kept"], report, terminate=True
            )
        except BaseException:
            # By its name beside: once swapped, that name is gone and the drop does nothing.
            with suppress(RemodelError):  # what stopped us is the error to tell
                await restore.drop(far.address, beside.database, force=True)
            raise
        await run.repin(target, far.address)
        return {
            "kept": plan.details["kept"],
            "message": f"{target.address.database} is the converted database; "
            f"the old one is {plan.details['kept']}",
        }

    async def observe(self, run: Run, plan: Plan) -> Observation:
        # The pinned identity may be that of the database now kept: look without checking it.
        address = await run.far_address(self.target)
        standing = await swap.observe(address, plan.details["beside"], plan.details["kept"])
        if standing.kept is not None and standing.beside is None:
            await run.repin(self.target, address)
            return Observation(Seen.DONE, "the names are swapped", {"kept": plan.details["kept"]})
        if standing.beside is not None or standing.closed:
            return Observation(Seen.PARTLY, f"{plan.details['beside']} stands beside the live one")
        return Observation(Seen.NOT_DONE, f"{self.target.address.database} is as it was")

    async def clear(self, run: Run, plan: Plan) -> None:
        address = await run.far_address(self.target)
        await swap.reopen(address)
        await restore.drop(address, plan.details["beside"], force=True)


class Playbook(ForTarget):
    """The operator's own restore command, after a safety dump of what it will drop."""

    name = "deliver"
    title = "Deliver by the operator's own command"
    about = "a safety dump of the target, then the configured command, its output live"
    gated = True

    async def plan(self, run: Run) -> Plan:
        target = self.target
        script = run.fact(f"production.dump:{target.name}")["script"]
        run.fact(f"production.drill:{target.name}")
        command = target.playbook
        if Path(command[0]).name == "ansible-playbook" and not any(
            word == "-l" or word.startswith("--limit") for word in command
        ):
            raise ConfigError(
                f"The playbook of {target.name} has no --limit and would reach every host.",
                found=" ".join(command),
                hint=f"Add --limit {target.name} to targets.{target.name}.playbook.",
            )
        safety = run.config.backups / f"db.{target.name}.{run.session.id}.safety.dump"
        pages = await PageTree(await self._address(run, safety)).count()
        database = target.address.database
        return Plan(
            operation=self.key,
            title=f"Run the restore playbook against {target.name}",
            does=(
                f"fetch a safety dump of {database} to {safety.name}",
                *(f"run {' '.join(words)} on {target.ssh}" for words in target.before),
                f"run {' '.join(command)} with {Path(script).name} written",
            ),
            destroys=(Loss(f"the database {database}, which a playbook drops", pages),),
            undo=f"restore {safety.name} with the same playbook",
            gate=Gate(target.name, target.name),
            facts={
                "target": target.name,
                "host": target.ssh,
                "database": database,
                "delivery": "playbook",
                "command": list(command),
            },
            details={"safety": str(safety)},
        )

    async def apply(self, run: Run, plan: Plan) -> Mapping[str, Any]:
        target, report = self.target, run.report
        safety = Path(plan.details["safety"])
        await self._address(run, safety)
        if not safety.exists():  # an earlier attempt's is from before anything was dropped
            far = await run.far(target)
            there = await tools.far_dump(far.connection)
            prover = await run.pg_restore(there.major, await run.local_major())
            await dump.fetch(far.connection, target.address, safety, report, pg_restore=prover)
        await run_commands(run, target, target.before)
        ended = await process.run(
            list(target.playbook),
            cwd=target.playbook_path or run.config.folder,
            on_line=lambda text: report.line(Path(target.playbook[0]).name, text),
        )
        if ended.returncode != 0:
            raise OperationFailed(
                f"{' '.join(target.playbook)} ended with exit code {ended.returncode}.",
                found=ended.stderr_tail or ended.stdout[-2000:],
                hint=f"The safety dump is {plan.details['safety']}. Mend it, then try again.",
            )
        await run.repin(target, await run.far_address(target))
        return {"kept": "", "safety": plan.details["safety"], "message": "the command succeeded"}

    async def _address(self, run: Run, safety: Path) -> Address:
        """The target's database, its identity checked; or gone, which a safety dump allows."""
        address = await run.far_address(self.target)
        if safety.exists() and await server.database(address) is None:
            return address
        return (await run.far(self.target)).address

    async def observe(self, run: Run, plan: Plan) -> Observation:
        # The playbook drops and creates: another identity is its doing, and ours to pin anew.
        address = await run.far_address(self.target)
        if await server.database(address) is None:
            return Observation(
                Seen.NOT_DONE, f"{address.database} is gone; the playbook dropped it"
            )
        await run.repin(self.target, address)
        if await PageTree(address).count() and not await faults_of(run, self.target, address):
            return Observation(
                Seen.DONE,
                "the target has the converted pages",
                {"kept": "", "safety": plan.details["safety"]},
            )
        return Observation(Seen.NOT_DONE, "the target does not have the converted pages")


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
            does=tuple(f"run {' '.join(words)} on {self.target.ssh}" for words in commands),
            undo=f"`remodel rollback --target {self.target.name}`",
            skip="" if commands else "no commands are configured",
        )

    async def apply(self, run: Run, plan: Plan) -> Mapping[str, Any]:
        await run_commands(run, self.target, self.target.after)
        return {"message": f"{len(self.target.after)} commands succeeded"}


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
                f"{target.name} was delivered by a playbook, which keeps no database.",
                hint=f"Restore {run.fact(f'production.deliver:{target.name}')['safety']}.",
            )
        database = target.address.database
        aside = server.beside(database, f"{run.stamp}_delivered")
        far = await run.far(target)
        if await server.database(far.address.at(kept)) is None:
            raise OperationFailed(
                f"{kept} is not on {target.ssh} any more.",
                hint="It was dropped or has been rolled back already.",
            )
        pages = await PageTree(far.address).count()
        return Plan(
            operation=self.key,
            title=f"Roll {target.name} back to the database before the delivery",
            does=(
                *(f"run {' '.join(words)} on {target.ssh}" for words in target.before),
                f"rename {database} to {aside}, rename {kept} to {database}",
                *(f"run {' '.join(words)} on {target.ssh}" for words in target.after),
            ),
            destroys=(Loss(f"what was written to {database} since the delivery", pages),),
            undo=f"{aside} is kept",
            gate=Gate(target.name, target.name),
            facts={"target": target.name, "host": target.ssh, "database": database},
            details={"kept": kept, "aside": aside},
        )

    async def apply(self, run: Run, plan: Plan) -> Mapping[str, Any]:
        target, details = self.target, plan.details
        await run_commands(run, target, target.before)
        far = await run.far(target)
        await swap.rollback(
            far.address, details["kept"], details["aside"], run.report, terminate=True
        )
        await run.repin(target, far.address)
        await run_commands(run, target, target.after)
        return {"message": f"{target.address.database} is the database before the delivery"}

    async def observe(self, run: Run, plan: Plan) -> Observation:
        address = await run.far_address(self.target)
        if await server.database(address.at(plan.details["aside"])) is not None:
            await run.repin(self.target, address)
            return Observation(Seen.DONE, "the names are swapped back")
        return Observation(Seen.NOT_DONE, "the delivered database is live")


async def run_commands(run: Run, target: Target, commands: Sequence[Sequence[str]]) -> None:
    """Run commands on the target, one by one, their output live; the first failure stops."""
    for words in commands:
        far = await run.far(target)
        ended = await far.connection.run(words, on_line=partial(run.report.line, words[0]))
        if ended.returncode != 0:
            raise OperationFailed(
                f"{' '.join(words)} on {target.ssh} ended with exit code {ended.returncode}.",
                found=ended.stderr_tail or ended.stdout[-2000:],
                hint="Mend it on that host, then try again.",
            )
        run.report.finding(" ".join(words), f"succeeded on {target.ssh}")


async def require_same(address: Address, expected: Mapping[str, Any], what: str) -> None:
    found = await fingerprint.tables(address)
    before = {name: TableFingerprint(**table) for name, table in expected.items()}
    differences = fingerprint.difference(before, found)
    if differences:
        raise VerificationFailed(
            f"{what} is not equal to the local one.",
            found="\n".join(differences[:20]),
            hint="Nothing was delivered. Look for something that writes to the local database.",
        )


async def faults_of(run: Run, target: Target, address: Address) -> list[str]:
    """What is wrong with the target's database, read with plain SQL."""
    faults, tree = [], PageTree(address)
    for old, new in run.fact("copy.convert")["map"].items():
        page = await tree.node(int(new))
        wanted = run.config.conversion.target
        if page is None or page.type.lower() != wanted.lower():
            faults.append(f"page {new} is not a {wanted}")
        if await tree.node(int(old)) is not None:
            faults.append(f"the original page {old} is still there")
        if page is not None:
            run.report.finding(
                page.url_path, f"{page.type} {page.title!r} with {page.children:,} children"
            )
    async with await connect(address) as connection:
        rows = await connection.execute("SELECT hostname, port FROM wagtailcore_site")
        sites = [f"{hostname}:{port}" for hostname, port in await rows.fetchall()]
    if str(target.site) not in sites:
        faults.append(f"no Site is on {target.site}; there is {', '.join(sites)}")
    else:
        run.report.finding("Site", str(target.site))
    return faults


def _age(taken: Archive) -> str:
    try:
        made = datetime.fromisoformat(taken.made_at)
    except ValueError:  # an existing dump: as pg_restore words it, in that machine's time
        return f"from {taken.made_at}"
    seconds = (datetime.now(UTC) - made).total_seconds()
    for size, unit in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit} old"
    return f"{seconds:.0f} seconds old"
