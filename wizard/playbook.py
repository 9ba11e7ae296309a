"""Delivery by the operator's own restore command, which drops before it restores.

A safety dump of the target is taken first, because nothing else is left of what it drops.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from wizard import delivered, earlier, process, written
from wizard.comparison import contents, differences
from wizard.config import Target
from wizard.delivery import ForTarget, run_commands, stopped
from wizard.errors import ConfigError, OperationFailed, VerificationFailed
from wizard.operation import Loss, Observation, Plan, Seen
from wizard.pagetree import PageTree
from wizard.postgres import archive, identity, preflight, server, swap
from wizard.postgres.address import Address
from wizard.run import Run
from wizard.written import Unchanged


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
        address = await self._address(run)
        told: tuple[str, ...] = ()
        if await server.database(address) is not None:
            needs = await preflight.needs(run.config.local.address)
            told = (await preflight.playbook(address, needs)).told
        pages = await PageTree(address).count()
        lost = await written.since_backup(run, target, address)
        lost.tell(run.report)
        earlier.tell(run, target)
        database = target.address.database
        made = datetime.now().strftime("%H%M%S")  # never over one from an earlier attempt
        safety = run.config.backups / f"db.{target.name}.{run.session.id}.{made}.safety.dump"
        return Plan(
            operation=self.key,
            title=f"Run the restore playbook against {target.name}",
            does=(
                *(f"run {' '.join(words)} on {target.where}" for words in target.before),
                f"fetch a safety dump of {database} to {safety.name}",
                f"run {' '.join(command)} with {Path(script).name} written",
                f"compare every table of {database} with what was delivered",
                *told,
                *lost.does,
            ),
            destroys=(
                Loss(f"the database {database}, which a playbook drops", pages),
                *lost.destroys,
            ),
            undo=f"restore {safety.name} with the same playbook",
            gate=lost.gate,
            facts={
                "target": target.name,
                "host": target.where,
                "database": database,
                "delivery": "playbook",
                "command": list(command),
                **lost.facts,
            },
            details={"safety": str(safety), "baseline": lost.baseline is not None},
        )

    async def apply(self, run: Run, plan: Plan) -> Mapping[str, Any]:
        target = self.target
        facts = run.fact(f"production.dump:{target.name}")
        if await archive.checksum(Path(facts["script"]), run.report) != facts["script_sha256"]:
            raise VerificationFailed(
                f"{facts['script']} is not what was written for {target.name}.",
                hint="Another session wrote its own since. Begin a new session, or keep apart.",
            )
        address = await self._address(run)
        async with swap.alone(address, f"session {run.session.id}"):
            await run_commands(run, target, target.before)
            with stopped(target):  # so that what the service writes is in the safety dump
                safety = Path(plan.details["safety"])
                if await server.database(address) is None:
                    safety = _safety_dumps(run, target)[-1]
                else:
                    await run.fetch(target, safety)
                    await self._unchanged(run, plan)
                await self._restore(run, safety)
                # Its exit code is believed when it tells of a failure; a success is looked at.
                await delivered.require(
                    run,
                    target,
                    address,
                    facts["contents"],
                    f"The command succeeded, and yet this is there. Look at what it said, mend it, "
                    f"then try again; the safety dump is {safety}.",
                )
        return {"kept": "", "safety": str(safety), "message": "every table is as delivered"}

    async def _restore(self, run: Run, safety: Path) -> None:
        command = self.target.playbook
        ended = await process.run(
            list(command),
            cwd=self.target.playbook_path or run.config.folder,
            on_line=lambda text: run.report.line(Path(command[0]).name, text),
        )
        if ended.returncode != 0:
            raise OperationFailed(
                f"{' '.join(command)} ended with exit code {ended.returncode}.",
                found=ended.stderr_tail or ended.stdout[-2000:],
                hint=f"The safety dump is {safety}. Mend it, then try again.",
            )

    async def settle(self, run: Run, plan: Plan, facts: Mapping[str, Any]) -> None:
        await run.repin(self.target, await run.far_address(self.target))

    async def _unchanged(self, run: Run, plan: Plan) -> None:
        """As near to the command as it can be: what a playbook drops, nobody holds open for us."""
        baseline = written.of_backup(run)
        address = await run.far_address(self.target)
        if not plan.details["baseline"] or baseline is None:
            return
        check = Unchanged(self.target, baseline, run.config.drift, plan.facts.get("drift"))
        async with server.session(address) as connection:
            await check(connection)
        check.tell(run.report)

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
        if pinned != await identity.read(address, self.target.where):
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


def _safety_dumps(run: Run, target: Target) -> list[Path]:
    """The safety dumps of this session, oldest first."""
    return sorted(run.config.backups.glob(f"db.{target.name}.{run.session.id}.*.safety.dump"))
