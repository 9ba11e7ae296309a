"""How the result gets to a target, and back: by swap, or by the operator's own playbook.

A swap restores beside the live database and exchanges the names, keeping the old one. A playbook
is the operator's own restore command, which drops before it restores; a safety dump is taken
first, because nothing else is left of what it drops.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from wizard import process
from wizard.config import Target
from wizard.errors import ConfigError, OperationFailed, RemodelError, VerificationFailed
from wizard.operation import Gate, Loss, Observation, Operation, Plan, Repeatable, Seen
from wizard.pagetree import PageTree
from wizard.postgres import archive, dump, fingerprint, identity, restore, server, swap, tools
from wizard.postgres.address import Address, connect
from wizard.postgres.archive import Archive
from wizard.postgres.fingerprint import TableFingerprint
from wizard.run import Run

NAMED = 20  # converted pages that a check tells one by one; of more it tells the number


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
                *(f"then run {' '.join(command)}" for command in target.after),
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
            details={
                "beside": server.beside(database, f"{run.stamp}_new"),
                "kept": kept,
                "limit": await _limit(far.address),
            },
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
            await require_same(beside, facts["contents"], "The new database on the target")
            await run_commands(run, target, target.before)
            far = await run.far(target)  # the identity once more, just before the act
            with _stopped(target):
                await swap.swap(
                    far.address, beside.database, plan.details["kept"], report, terminate=True
                )
        except BaseException:
            # By its name beside: once swapped, that name is gone and the drop does nothing.
            with suppress(RemodelError):  # what stopped us is the error to tell
                await process.to_its_end(restore.drop(far.address, beside.database, force=True))
            raise
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
        pages = await PageTree(await self._address(run)).count()
        database = target.address.database
        made = datetime.now().strftime("%H%M%S")  # never over one from an earlier attempt
        safety = run.config.backups / f"db.{target.name}.{run.session.id}.{made}.safety.dump"
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
            details={"safety": str(safety), "gone": pages is None},
        )

    async def apply(self, run: Run, plan: Plan) -> Mapping[str, Any]:
        target, report = self.target, run.report
        safety = Path(plan.details["safety"])
        address = await self._address(run)
        if await server.database(address) is None:
            safety = _safety_dumps(run, target)[-1]
        else:
            far = await run.far(target)
            there = await tools.far_dump(far.connection)
            prover = await run.pg_restore(there.major, await run.local_major())
            await dump.fetch(far.connection, target.address, safety, report, pg_restore=prover)
        facts = run.fact(f"production.dump:{target.name}")
        if await archive.checksum(Path(facts["script"]), report) != facts["script_sha256"]:
            raise VerificationFailed(
                f"{facts['script']} is not what was written for {target.name}.",
                hint="Another session wrote its own since. Begin a new session, or keep apart.",
            )
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
                hint=f"The safety dump is {safety}. Mend it, then try again.",
            )
        return {"kept": "", "safety": str(safety), "message": "the command succeeded"}

    async def settle(self, run: Run, plan: Plan, facts: Mapping[str, Any]) -> None:
        await run.repin(self.target, await run.far_address(self.target))

    async def _address(self, run: Run) -> Address:
        """The target's database, its identity checked; or gone, which a safety dump allows."""
        address = await run.far_address(self.target)
        if _safety_dumps(run, self.target) and await server.database(address) is None:
            return address
        return (await run.far(self.target)).address

    async def observe(self, run: Run, plan: Plan) -> Observation:
        address = await run.far_address(self.target)
        if await server.database(address) is None:
            return Observation(Seen.NOT_DONE, "the playbook dropped the database and stopped")
        expected = run.fact(f"production.dump:{self.target.name}")["contents"]
        if not differences(expected, await contents(address)):
            safety = _safety_dumps(run, self.target)
            facts = {"kept": "", "safety": str(safety[-1]) if safety else ""}
            return Observation(Seen.DONE, "the target holds exactly what was delivered", facts)
        pinned = run.pins.all()[self.target.name]
        if pinned != await identity.read(address, self.target.ssh):
            return Observation(Seen.PARTLY, "the playbook replaced the database by something else")
        return Observation(Seen.NOT_DONE, "the target is the database that it was")

    async def clear(self, run: Run, plan: Plan) -> None:
        # What the playbook left is dumped and consented to like anything else, next time.
        await run.repin(self.target, await run.far_address(self.target))

    async def undo(self, run: Run, plan: Plan, facts: Mapping[str, Any]) -> None:
        raise OperationFailed(
            f"{self.target.name} has been delivered to; that is not undone here.",
            hint=f"Restore {facts.get('safety')} with the same playbook.",
        )


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
        return Plan(
            operation=self.key,
            title=f"Roll {target.name} back to the database before the delivery",
            does=(
                *(f"run {' '.join(words)} on {target.ssh}" for words in target.before),
                f"rename {database} to {aside}, rename {kept} to {database}",
            ),
            destroys=(Loss(f"what was written to {database} since the delivery leaves it"),),
            undo=f"{aside} is kept",
            gate=Gate(target.name, target.name),
            facts={"target": target.name, "host": target.ssh, "database": database},
            details={"kept": kept, "aside": aside, "limit": await _limit(far.address)},
        )

    async def apply(self, run: Run, plan: Plan) -> Mapping[str, Any]:
        target, details = self.target, plan.details
        await run_commands(run, target, target.before)
        far = await run.far(target)
        with _stopped(target):
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


async def contents(address: Address) -> dict[str, Any]:
    """What a database holds, to be held against another: `{tables, sequences}`, JSON-ready."""
    tables = await fingerprint.tables(address)
    return {
        "tables": {name: asdict(table) for name, table in tables.items()},
        "sequences": await fingerprint.sequences(address),
    }


def differences(expected: Mapping[str, Any], found: Mapping[str, Any]) -> list[str]:
    """Sentences about where two `contents` differ."""
    before, now = (
        {name: TableFingerprint(**table) for name, table in each["tables"].items()}
        for each in (expected, found)
    )
    return fingerprint.difference(before, now) + [
        f"sequence {name}: was at {value}, is at {found['sequences'].get(name)}"
        for name, value in expected["sequences"].items()
        if found["sequences"].get(name) != value
    ]


async def require_same(address: Address, expected: Mapping[str, Any], what: str) -> None:
    """Raise VerificationFailed unless the database at `address` has these contents."""
    different = differences(expected, await contents(address))
    if different:
        raise VerificationFailed(
            f"{what} is not equal to the local one.",
            found="\n".join(different[:20]),
            hint="Nothing was delivered. Look for something that writes to the local database.",
        )


async def _limit(address: Address) -> int:
    """The live database's connection limit, for whoever has to open it again."""
    live = await server.database(address)
    return live.connection_limit if live else -1


async def _reopen_if_closed(address: Address, plan: Plan) -> None:
    live = await server.database(address)
    if live is not None and (live.connection_limit == 0 or not live.allows_connections):
        await swap.reopen(address, plan.details["limit"])


@contextmanager
def _stopped(target: Target) -> Iterator[None]:
    """A failure in here comes after `before`, which may have stopped the service: say so."""
    try:
        yield
    except RemodelError as error:
        if target.before:
            error.hint += (
                f" The commands before the delivery have run on {target.ssh}: its service may be "
                "stopped. Try again, or start it by hand: "
                + "; ".join(" ".join(words) for words in target.after)
            )
        raise


def _safety_dumps(run: Run, target: Target) -> list[Path]:
    """The safety dumps of this session, oldest first."""
    return sorted(run.config.backups.glob(f"db.{target.name}.{run.session.id}.*.safety.dump"))


async def faults_of(run: Run, target: Target, address: Address) -> list[str]:
    """What is wrong with the target's database, read with plain SQL."""
    faults: list[str] = []
    tree = PageTree(address)
    mapping = {int(old): int(new) for old, new in run.fact("copy.convert")["map"].items()}
    wanted = run.config.conversion.target
    pages = {page.id: page for page in await tree.among(mapping.values())}
    faults += [
        f"page {new} is not a {wanted}"
        for new in mapping.values()
        if new not in pages or pages[new].type.lower() != wanted.lower()
    ]
    gone = mapping.keys() - mapping.values()  # none of them where ids were kept
    faults += [f"the original page {page.id} is still there" for page in await tree.among(gone)]
    for page in list(pages.values())[:NAMED]:
        run.report.finding(
            page.url_path, f"{page.type} {page.title!r} with {page.children:,} children"
        )
    if len(pages) > NAMED:
        run.report.finding("converted pages", f"{len(pages):,} in all are {wanted}")
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
