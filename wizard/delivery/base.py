"""What deliveries have in common: the plan, the gate, the commands around and after it.

The kinds are in `swap` (which keeps the old database), `in_place` (for a role that may not make
databases) and `playbook` (the operator's own restore command); `kinds` has what differs.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any, ClassVar

from wizard.base import files
from wizard.base.errors import OperationFailed, RemodelError, VerificationFailed
from wizard.config.databases import Target
from wizard.delivery.drift import since_backup, staging_outcome
from wizard.delivery.drift.since_backup import DriftSinceBackup
from wizard.delivery.foreseen import Foreseen
from wizard.engine.context import Context
from wizard.engine.deployment import deployment
from wizard.engine.operation import Operation, Repeatable
from wizard.engine.result import Result
from wizard.engine.results import Fetched, SequencesSet
from wizard.postgres.address import Address
from wizard.postgres.admin import preflight
from wizard.postgres.dumps.archive import Archive
from wizard.project.pagetree import PageTree
from wizard.session.plan import Loss, Plan


class ForTarget(Operation):
    """An operation that is there once for each target; its key ends in the target's name."""

    name: str

    def __init__(self, target: Target) -> None:
        self.target = target
        self.key = f"production.{self.name}:{target.name}"

    def survives_restart(self, context: Context) -> bool:
        """Return whether the target was delivered to: doing the conversion anew leaves that."""
        return context.facts.settled(f"production.deliver:{self.target.name}")

    def rehearsed(self) -> Operation | None:
        """Return what a rehearsal does in its place; None, the default, leaves it out.

        A rehearsal touches no target, and undoes what it did.
        """
        return None


class Delivery(ForTarget):
    """A way to deliver: a plan that tells what would be lost, behind a gate."""

    name = "deliver"
    gated = True
    interrupts_service = True
    drift_matters: ClassVar[bool] = True
    """Whether what was written to the target since the backup would be lost by it."""

    def rehearsed(self) -> Operation:
        """Plan it, as its gate would show it."""
        return Foreseen(self)

    async def _plan(
        self,
        context: Context,
        address: Address,
        checked: preflight.PreflightReport,
        *,
        title: str,
        does: Sequence[str],
        loss: str,
        undo: str,
        facts: Mapping[str, Any],
        details: Mapping[str, Any],
    ) -> Plan:
        """Make the plan of a delivery: what each of them tells, and what is of this kind alone."""
        target = self.target
        pages = await PageTree(address).count()
        lost = DriftSinceBackup(target)
        if self.drift_matters:
            lost = await since_backup.since_backup(context, target, address)
        lost.tell(context.report)
        staging_outcome.tell(context, target)
        backup = context.facts.of(Fetched).archive
        carried = context.facts.of(SequencesSet)
        return Plan(
            operation=self.key,
            title=title,
            does=(
                f"the backup this is made from is {age(backup)}",
                *does,
                *(f"then run {' '.join(words)}" for words in target.after),
                *(f"NOTE: it is accepted that {name} differs" for name in target.accept),
                *_deployment(context, target),
                *carried.sequences.values(),
                *checked.plan_lines,
                *lost.does,
            ),
            destroys=(*lost.destroys, Loss(loss, pages)),
            undo=undo,
            gate=lost.gate,
            facts={
                "target": target.name,
                "host": target.where,
                "database": target.address.database,
                "delivery": target.delivery,
                "before": [list(words) for words in target.before],
                "after": [list(words) for words in target.after],
                **({"check": [list(words) for words in target.check]} if target.check else {}),
                **({"accept": list(target.accept)} if target.accept else {}),
                **facts,
                **lost.facts,
                **carried.facts,
            },
            details={**details, "baseline": lost.baseline is not None},
        )


def _deployment(context: Context, target: Target) -> list[str]:
    """Return what has to be deployed, and what the target's commands have to do about it."""
    conversion = context.config.conversion
    lines = deployment(
        context.session.journal, conversion.old_type, conversion.new_type, conversion.move
    ).lines()
    return [*lines, commands_around(target)] if lines else []


def commands_around(target: Target) -> str:
    """Return whether anything stops the old code and starts the new one."""
    before, after = (
        "; ".join(" ".join(words) for words in commands)
        for commands in (target.before, target.after)
    )
    if not before and not after:
        return (
            f"neither `before` nor `after` is set for {target.name}: unless something else stops "
            "it, the old code goes on with the new database"
        )
    return (
        f"`before` runs {before or 'nothing'}, `after` runs {after or 'nothing'}: make sure that "
        "they stop the old code and start the new"
    )


class After(ForTarget, Repeatable):
    """The commands that start the service again; on their own, so that they can be retried."""

    name = "after"
    interrupts_service = True
    title = "Run the commands after the delivery"
    about = "start the service again on the target"

    async def plan(self, context: Context) -> Plan:
        context.facts.require(f"production.deliver:{self.target.name}")
        commands = self.target.after
        return Plan(
            operation=self.key,
            title=self.title,
            does=tuple(f"run {' '.join(words)} on {self.target.where}" for words in commands),
            undo=f"`remodel rollback --target {self.target.name}`",
            skip="" if commands else "no commands are configured",
        )

    async def apply(self, context: Context, plan: Plan) -> Result:
        await run_commands(context, self.target, self.target.after)
        return Result(message="; ".join(" ".join(words) for words in self.target.after))


class AfterRollback(After):
    """The same commands, once the old database is back."""

    name = "after_rollback"

    async def plan(self, context: Context) -> Plan:
        context.facts.require(f"production.rollback:{self.target.name}")
        return await super().plan(context)


async def run_checks(context: Context, target: Target, database: str, hint: str) -> None:
    """Run the target's `check` commands, which find the database's name in REMODEL_DATABASE.

    Raise VerificationFailed with `hint` when one ends with another exit code than 0.
    """
    for words in target.check:
        far = await context.far.checked(target)
        ended = await far.connection.run(
            ["env", f"REMODEL_DATABASE={database}", *words],
            on_line=partial(context.report.line, words[0]),
        )
        if ended.returncode != 0:
            raise VerificationFailed(
                f"{' '.join(words)} on {target.where}, with {database}, ended with exit code "
                f"{ended.returncode}.",
                found=ended.told,
                hint=hint,
            )
        context.report.finding(" ".join(words), f"succeeded on {target.where} with {database}")


async def run_commands(context: Context, target: Target, commands: Sequence[Sequence[str]]) -> None:
    """Run commands on the target, one by one, their output live; the first failure stops."""
    for words in commands:
        far = await context.far.checked(target)
        ended = await far.connection.run(words, on_line=partial(context.report.line, words[0]))
        if ended.returncode != 0:
            raise OperationFailed(
                f"{' '.join(words)} on {target.where} ended with exit code {ended.returncode}.",
                found=ended.told,
                hint="Mend it on that host, then try again.",
            )
        context.report.finding(" ".join(words), f"succeeded on {target.where}")


@asynccontextmanager
async def stopping(context: Context, target: Target) -> AsyncIterator[None]:
    """Run the commands of `before`, then the block. An error in either says that the service may
    be stopped."""
    by_hand = "; ".join(" ".join(words) for words in target.after)
    warning = f"Commands of `before` have run on {target.where}: its service may be stopped. "
    warning += f"Try again, or start it by hand: {by_hand}" if by_hand else "Try again."
    try:
        with files.writing():
            await run_commands(context, target, target.before)
            yield
    except RemodelError as error:
        if target.before:
            error.hint += f" {warning}"
        raise
    except BaseException:
        if target.before:
            context.report.finding("interrupted", warning, "warn")
        raise


def age(taken: Archive) -> str:
    """Return how old a backup is, in words for a plan."""
    try:
        made = datetime.fromisoformat(taken.made_at)
    except ValueError:  # an existing dump: as pg_restore words it, in that machine's time
        return f"from {taken.made_at}"
    seconds = (datetime.now(UTC) - made).total_seconds()
    for size, unit in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit} old"
    return f"{seconds:.0f} seconds old"
