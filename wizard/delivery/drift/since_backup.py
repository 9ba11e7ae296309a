"""What was written to a target since the backup, as the plan of its delivery shows it.

None of it is in the converted database. What the policy blocks has to be accepted in words, or
the backup is fetched again and everything recorded is replayed on the fresh copy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg

from wizard.base.errors import OperationFailed, PlanStale
from wizard.base.events import Report
from wizard.config.databases import Target
from wizard.delivery.drift import authors, policy
from wizard.delivery.drift.authors import Doings
from wizard.delivery.drift.lost_rows import LostRows
from wizard.delivery.drift.policy import Judged
from wizard.engine.context import Context
from wizard.engine.results import Fetched
from wizard.postgres import server
from wizard.postgres.address import Address
from wizard.postgres.drift import drift
from wizard.postgres.drift.baseline import DriftBaseline
from wizard.session.journal import Journal
from wizard.session.plan import Gate, Loss, Plan

FETCH_AGAIN = ("backup.archive", "fetch")
TOLD = 6
"""Doings that a plan tells; more of them are in the document beside it."""


@dataclass(frozen=True)
class DriftSinceBackup:
    """What was written to `target` since `baseline`, judged by the policies.

    `doings` say who did what, from Wagtail's log. `left_out` are tables whose rows the backup
    does not have, with how many there were. `let_go` are the tables of which everything that is
    written until the delivery is lost, as the policies want it. Without a baseline, `unknown` says
    why there is none, and `open` whether a new backup would have one; where both are empty nothing
    is lost.
    """

    target: Target
    baseline: DriftBaseline | None = None
    judged: Judged = field(default_factory=Judged)
    doings: Doings = field(default_factory=Doings)
    sequences: tuple[str, ...] = ()
    left_out: Mapping[str, int | None] | None = None
    let_go: tuple[str, ...] = ()
    unknown: str = ""
    open: bool = False

    @property
    def does(self) -> tuple[str, ...]:
        """The lines of the plan."""
        database = self.target.address.database
        if self.baseline is None:
            if not self.unknown:
                return ()
            return (f"NOTE: what was written to {database} meanwhile is not known: {self.unknown}",)
        lines = [f"NOTE: lost, and not waited for: {change}" for change in self.judged.warn]
        if not self.judged.block:
            but = ", but for what follows" if lines else ""
            lines.insert(0, f"{database} is as it was when it was backed up{but}")
        if self.let_go:
            lines.append(
                f"NOTE: so is what is written until then to {', '.join(self.let_go)}; those rows "
                "are kept as CSV files of the session"
            )
        lines += [f"since the backup: {line}" for line in self.doings.told(TOLD)]
        return tuple(lines)

    @property
    def destroys(self) -> tuple[Loss, ...]:
        """The losses of the plan: exactly these rows, or what nobody knows."""
        database = self.target.address.database
        left = [
            Loss(f"the rows of {table}, which the backup left out", count)
            for table, count in (self.left_out or {}).items()
        ]
        if self.baseline is None:
            if not self.unknown:
                return tuple(left)
            return (
                Loss(f"what was written to {database} since the backup is not in the new one"),
                *left,
            )
        written = (Loss(f"written since the backup: {change}") for change in self.judged.block)
        return (*written, *left)

    @property
    def facts(self) -> dict[str, Any]:
        """What the plan's fingerprint covers: exactly this loss; nothing where nothing blocks."""
        facts = self.judged.facts()
        return {"drift": facts} if facts else {}

    @property
    def gate(self) -> Gate:
        """The phrase to type: the target's name, and for a loss that it loses so many rows."""
        name = self.target.name
        if not self.judged.block and not self.open:
            return Gate(name, name)
        rows = self.judged.rows
        lost = f"loses {rows} row{'s' if rows != 1 else ''}" if rows else "loses changes"
        return Gate(f"{name} {lost}", name, FETCH_AGAIN)

    def tell(self, report: Report) -> None:
        """Report what there is to read beside the plan: every table, and who did what."""
        judged = self.judged
        by_policy = (("BLOCKS", judged.block), ("warns", judged.warn), ("ignored", judged.ignore))
        rows = [
            f"{change.table}\t{change.what}\t{word}"
            for word, changes in by_policy
            for change in changes
        ]
        rows += [f"{line}\t\tsequence" for line in self.sequences] if judged.block else []
        title = f"Written to {self.target.address.database} since the backup"
        if judged.block or judged.warn:
            report.document(title, "table", "\n".join(["table\trows\tpolicy", *rows]))
        if self.doings.newest:
            report.document(f"{title}, by whom", "text", "\n".join(self.doings.told()))


async def since_backup(context: Context, target: Target, address: Address) -> DriftSinceBackup:
    """Compare the target's database, reached at `address`, with what the backup held."""
    if target != context.config.backup_source:
        return DriftSinceBackup(target, None, unknown="the backup is not from there")
    baseline, taken = of_backup(context.session.journal), context.facts.of(Fetched)
    left_out = {
        table: baseline.tables[table].rows if baseline and table in baseline.tables else None
        for table in (name.removeprefix("public.") for name in taken.without or ())
    }
    if await server.database(address) is None:
        return DriftSinceBackup(target, None, left_out=left_out, unknown="it is not there any more")
    if baseline is None:
        unknown = "nothing was noted with the backup"
        return DriftSinceBackup(target, None, left_out=left_out, unknown=unknown, open=True)
    try:
        written = await drift.find(address, baseline)
    except OperationFailed as error:
        return DriftSinceBackup(target, None, left_out=left_out, unknown=error.message, open=True)
    return DriftSinceBackup(
        target,
        baseline,
        policy.judge(written, context.config.drift),
        await _doings(address, baseline) if written else Doings(),
        written.sequences,
        left_out,
        tuple(
            table
            for table in sorted(baseline.tables)
            if policy.of_table(table, context.config.drift) == "warn"
        ),
    )


async def _doings(address: Address, baseline: DriftBaseline) -> Doings:
    """Return who did what, to explain drift. Where that fails, the drift is no less certain."""
    try:
        return await authors.since(address, baseline)
    except OperationFailed as error:
        return Doings((f"who did it cannot be told: {error.message}",), 1)


def of_backup(journal: Journal) -> DriftBaseline | None:
    """Return the baseline of a session's backup: production's own, or else that of its copy."""
    for operation in ("backup.fetch", "backup.restore"):
        state = journal.state(operation)
        if state is not None and state.kind == "done" and state.data.get("baseline"):
            return DriftBaseline.from_dict(state.data["baseline"])
    return None


def consented(context: Context, target: Target, plan: Plan) -> DriftGuard | None:
    """Return the guard that goes with the consent to `plan`; None without a baseline."""
    baseline = of_backup(context.session.journal)
    if not plan.details["baseline"] or baseline is None:
        return None
    lost = LostRows(context.artefact(f"lost.{target.name}"), baseline)
    return DriftGuard(target, baseline, context.config.drift, plan.facts.get("drift"), lost)


class DriftGuard:
    """A check that the target lost nothing beyond what was consented to.

    It may be called more than once over a session, the second time quickly; `judged` is what it
    saw last. What the policies let go is kept in `lost`.
    """

    def __init__(
        self,
        target: Target,
        baseline: DriftBaseline,
        policies: Mapping[str, str],
        consented: Any,
        lost: LostRows,
    ) -> None:
        self.target = target
        self.policies = policies
        self.consented = consented
        self.lost = lost
        self.judged = Judged()
        self._watch = drift.Watch(baseline)

    async def __call__(self, connection: psycopg.AsyncConnection[Any]) -> None:
        self.judged = policy.judge(await self._watch.look(connection), self.policies)
        losses = self.judged.facts()
        if losses == (self.consented or {}):
            await self.lost.keep(connection, self.judged.warn)
            return
        fresh = [
            f"{table}: {what}"
            for table, what in losses.items()
            if what != (self.consented or {}).get(table)
        ]
        raise PlanStale(
            f"{self.target.address.database} was written to after its plan was consented to.",
            found="\n".join(fresh) or "what was consented to be lost is there no more",
            hint="Nothing was delivered. Try again: the plan tells what would be lost by now. "
            "A command in `before` that stops the service keeps it from happening.",
        )

    def tell(self, report: Report) -> None:
        """Report what is in the old database only, now that it is replaced."""
        for change in (*self.judged.block, *self.judged.warn):
            path = self.lost.kept.get(change.table)
            what = f"{change.what}; these rows are in {path}" if path else change.what
            report.finding(f"only in the old database: {change.table}", what, "warn")
        if self.judged.ignore:
            names = ", ".join(change.table for change in self.judged.ignore)
            report.finding("only in the old database, as is right", names, "info")


async def since_delivery(address: Address, delivered: Mapping[str, Any] | None) -> Sequence[str]:
    """Return lines about what was written to a delivered database since its baseline."""
    if not delivered:
        return ("NOTE: what was written since the delivery is not known",)
    baseline = DriftBaseline.from_dict(delivered)
    try:
        written = await drift.find(address, baseline)
    except OperationFailed as error:
        return (f"NOTE: what was written since the delivery is not known: {error.message}",)
    judged = policy.judge(written, {})
    changes = (*judged.block, *judged.warn)
    lines = [f"written since the delivery: {change}" for change in changes]
    if lines:
        doings = await _doings(address, baseline)
        lines += [f"since the delivery: {line}" for line in doings.told()]
    return lines or ("nothing was written since the delivery",)
