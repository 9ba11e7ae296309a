"""Delivery into the live database itself, for a role that may not make databases beside it.

After a safety dump that was proven, one transaction empties the database and loads the converted
one; the server takes all of it back if anything goes wrong. No old database is kept.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from wizard import delivered, earlier, policy, written
from wizard.delivery import ForTarget, age, run_commands, stopped
from wizard.errors import OperationFailed, VerificationFailed
from wizard.operation import Loss, Observation, Plan, Seen
from wizard.pagetree import PageTree
from wizard.postgres import archive, drift, preflight, refill, server, swap
from wizard.postgres import baseline as baselines
from wizard.postgres.address import Address
from wizard.postgres.archive import Archive
from wizard.postgres.baseline import Baseline
from wizard.run import Run
from wizard.written import Unchanged


class InPlace(ForTarget):
    """The script that the drill has loaded, loaded into the live database, all or nothing."""

    name = "deliver"
    title = "Deliver into the live database"
    about = "a safety dump, then everything replaced by one transaction"
    gated = True

    async def plan(self, run: Run) -> Plan:
        target = self.target
        script = Path(run.fact(f"production.dump:{target.name}")["script"])
        run.fact(f"production.drill:{target.name}")
        far = await run.far(target)
        found = await preflight.in_place(
            far.address, await preflight.needs(run.config.local.address)
        )
        found.require(target.name, target.delivery)
        pages = await PageTree(far.address).count()
        lost = await written.since_backup(run, target, far.address)
        lost.tell(run.report)
        earlier.tell(run, target)
        database = target.address.database
        made = datetime.now().strftime("%H%M%S")  # never over one from an earlier attempt
        safety = run.config.backups / f"db.{target.name}.{run.session.id}.{made}.safety.dump"
        backup = Archive.from_dict(run.fact("backup.fetch")["archive"])
        return Plan(
            operation=self.key,
            title=f"Replace what is in {database} on {target.where} ({target.name})",
            does=(
                f"the backup this is made from is {age(backup)}",
                *(f"run {' '.join(words)} on {target.where}" for words in target.before),
                f"fetch a safety dump of {database} to {safety.name}",
                f"in one transaction: drop what is in {database}, load {script.name}",
                "NOTE: the site waits as long as that takes; if it fails, nothing has happened",
                "NOTE: grants to other roles on tables are not carried over",
                *(f"then run {' '.join(words)}" for words in target.after),
                *found.told,
                *lost.does,
            ),
            destroys=(
                *lost.destroys,
                Loss(f"what is now in {database}: only the safety dump keeps it", pages),
            ),
            undo=f"restore {safety.name}",
            gate=lost.gate,
            facts={
                "target": target.name,
                "host": target.where,
                "database": database,
                "delivery": "in place",
                "before": [list(words) for words in target.before],
                "after": [list(words) for words in target.after],
                **({"check": [list(words) for words in target.check]} if target.check else {}),
                **lost.facts,
            },
            details={"safety": str(safety), "baseline": lost.baseline is not None},
        )

    async def apply(self, run: Run, plan: Plan) -> Mapping[str, Any]:
        target = self.target
        facts = run.fact(f"production.dump:{target.name}")
        script = Path(facts["script"])
        if await archive.checksum(script, run.report) != facts["script_sha256"]:
            raise VerificationFailed(
                f"{script} is not what was written for {target.name}.",
                hint="Another session wrote its own since. Begin a new session, or keep apart.",
            )
        address = await run.far_address(target)
        safety = Path(plan.details["safety"])
        async with swap.alone(address, f"session {run.session.id}"):
            await run_commands(run, target, target.before)
            with stopped(target):  # so that what the service writes is in the safety dump
                async with baselines.held(address) as held:
                    await run.fetch(target, safety, snapshot=held.snapshot)
                address = (await run.far(target)).address  # the identity, just before the act
                await refill.refill(
                    address,
                    script,
                    run.report,
                    check=partial(self._unchanged, run, plan, held.baseline, address),
                    begun=partial(_note, self._transaction(run)),
                )
                await delivered.require(
                    run,
                    target,
                    address,
                    facts["contents"],
                    f"It was loaded whole: look for what writes to it. {safety} is the old one.",
                )
        return {
            "kept": "",
            "safety": str(safety),
            "message": f"{target.address.database} holds the converted database",
        }

    async def observe(self, run: Run, plan: Plan) -> Observation:
        path = self._transaction(run)
        if not path.exists():
            return Observation(Seen.NOT_DONE, "the transaction had not begun")
        address = await run.far_address(self.target)
        became = await refill.outcome(address, int(path.read_text()))
        if became == "committed":
            facts = {"kept": "", "safety": plan.details["safety"]}
            return Observation(Seen.DONE, "its transaction was committed", facts)
        if became == "aborted":
            return Observation(Seen.NOT_DONE, "its transaction was taken back by the server")
        raise OperationFailed(
            f"Whether {address.database} was replaced is not known yet.",
            found=f"its transaction is {became or 'not known to the server'}",
            hint="Wait until the server has noticed that we were cut off, then try again.",
        )

    async def undo(self, run: Run, plan: Plan, facts: Mapping[str, Any]) -> None:
        raise OperationFailed(
            f"{self.target.name} has been delivered to; that is not undone here.",
            hint=f"Restore {facts.get('safety')}.",
        )

    async def _unchanged(self, run: Run, plan: Plan, saved: Baseline, address: Address) -> None:
        """Over another session, while ours lets nobody write."""
        async with server.session(address) as connection:
            since = policy.judge(await drift.Watch(saved).look(connection), run.config.drift)
            if since.block or since.warn:  # whatever the policy lets go, no old database has it
                raise OperationFailed(
                    f"{address.database} was written to after its safety dump had begun.",
                    found="\n".join(map(str, (*since.block, *since.warn))),
                    hint="Everything is as it was. Stop the service by a command in `before`, "
                    "then try again.",
                )
            baseline = written.of_backup(run)
            if not plan.details["baseline"] or baseline is None:
                return
            check = Unchanged(self.target, baseline, run.config.drift, plan.facts.get("drift"))
            await check(connection)
        check.tell(run.report)

    def _transaction(self, run: Run) -> Path:
        """The file with the id of the transaction that was begun last."""
        return run.artefact(f"transaction.{self.target.name}")


def _note(path: Path, number: int) -> None:
    """Write the number down so that it is there after a crash, before what it is about."""
    part = path.with_name(f"{path.name}.part")
    with part.open("w", encoding="ascii") as file:
        file.write(str(number))
        file.flush()
        os.fsync(file.fileno())
    part.rename(path)
