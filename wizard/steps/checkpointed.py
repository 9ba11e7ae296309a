"""Checkpoints of the local database: taken before an operation, brought back by its undo.

PostgreSQL copies only a database that nobody uses.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wizard.base.errors import OperationFailed
from wizard.engine.context import Context
from wizard.engine.local import LOCAL_DATABASE
from wizard.engine.operation import Operation
from wizard.postgres import identity, server
from wizard.postgres.admin import checkpoint
from wizard.postgres.dumps import restore
from wizard.session.plan import Plan


class Checkpointed(Operation):
    """An operation on the local database whose undo is the copy taken before it."""

    observed_before_undo = False

    async def undo_data(self, context: Context, plan: Plan) -> Mapping[str, Any]:
        """Take the checkpoint and return its name."""
        return {"checkpoint": await take(context, self.key)}

    async def undo(self, context: Context, plan: Plan, facts: Mapping[str, Any]) -> None:
        """Bring the checkpoint back; an attempt that had not taken it changed nothing."""
        if facts or context.session.journal.kept(self.key):
            await self.clear(context, plan)

    def restores(self, context: Context, plan: Plan) -> str:
        return LOCAL_DATABASE

    async def clear(self, context: Context, plan: Plan) -> None:
        """Bring the checkpoint back."""
        kept = context.session.journal.kept(self.key)
        if not kept:
            raise OperationFailed(
                f"{self.title} was done by hand: no checkpoint was taken before it.",
                hint="Go back further: `remodel undo --to backup`.",
            )
        await bring_back(context, kept["checkpoint"])


def name(context: Context, operation: str) -> str:
    """Return `podcast__20261122_150405_structure_migrate`: database, session and operation."""
    return named(context.config.local.address.database, context.stamp, operation)


def named(database: str, stamp: str, operation: str) -> str:
    """Return the name of the checkpoint that the session of `stamp` takes before an operation."""
    label = operation.replace(".", "_").replace(":", "_")
    return server.beside(database, f"{stamp}_{label}")


async def take(context: Context, operation: str) -> str:
    """Copy the local database as it is before `operation`; return the copy's name.

    A copy of that name is from before an undo, or from a crash: replace it.
    """
    local, label = context.config.local.address, name(context, operation)
    await context.local.require_own()
    async with context.local.alone():
        for leftover in (label, *checkpoint.passing(label)):
            await restore.drop(local, leftover)
        await checkpoint.make(local, label, context.report)
    return label


async def bring_back(context: Context, label: str) -> None:
    """Put the checkpoint back in the place of the local database, or of none if that is gone."""
    local = context.config.local.address
    await context.worker.stop()
    there = {row.name for row in await server.databases(local)}
    if local.database in there:
        await context.local.require_own()
    if label not in there:
        raise OperationFailed(
            f"The checkpoint {label} is gone, so there is no way back to it.",
            found="It was purged, or somebody dropped it.",
            hint="Go back further: `remodel undo --to backup`. Where that does not help, begin a "
            "new session: it fetches a backup anew.",
        )
    async with context.local.alone():
        await checkpoint.bring_back(local, label, context.report)
    if local.database not in there:
        await identity.mark(local, context.local.mark)
    context.report.tree({})
