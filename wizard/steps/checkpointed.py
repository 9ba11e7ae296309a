"""Checkpoints of the local database, as the steps take and use them.

PostgreSQL copies only a database that nobody uses.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wizard.base.errors import OperationFailed
from wizard.engine.context import Run
from wizard.engine.operation import Operation
from wizard.postgres import server
from wizard.postgres.admin import checkpoint
from wizard.postgres.dumps import restore
from wizard.session.plan import Plan


class Checkpointed(Operation):
    """An operation on the local database whose undo is the copy taken before it."""

    async def keep(self, run: Run, plan: Plan) -> Mapping[str, Any]:
        """The name of the checkpoint."""
        return {"checkpoint": await take(run, self.key)}

    async def undo(self, run: Run, plan: Plan, facts: Mapping[str, Any]) -> None:
        """Bring the checkpoint back."""
        await self.clear(run, plan)

    async def clear(self, run: Run, plan: Plan) -> None:
        """Bring the checkpoint back."""
        kept = run.session.journal.kept(self.key)
        if not kept:
            raise OperationFailed(
                f"{self.title} was done by hand: no checkpoint was taken before it.",
                hint="Go back further: `remodel undo --to backup`.",
            )
        await bring_back(run, kept["checkpoint"])


def name(run: Run, operation: str) -> str:
    """`podcast__20261122_150405_structure_migrate`: which session, before which operation."""
    return named(run.config.local.address.database, run.stamp, operation)


def named(database: str, stamp: str, operation: str) -> str:
    """The name of the checkpoint that the session of `stamp` takes before an operation."""
    label = operation.replace(".", "_").replace(":", "_")
    return server.beside(database, f"{stamp}_{label}")


async def take(run: Run, operation: str) -> str:
    """Copy the local database as it is before `operation`; returns the copy's name.

    One of that name is from before an undo, or was not written down: it is taken anew.
    """
    local, label = run.config.local.address, name(run, operation)
    await run.require_own_local()
    async with run.alone():
        for leftover in (label, *checkpoint.passing(label)):
            await restore.drop(local, leftover)
        await checkpoint.make(local, label, run.report)
    return label


async def bring_back(run: Run, label: str) -> None:
    """Make the local database what it was when the checkpoint was taken."""
    await run.stop_site()
    await run.require_own_local()
    if await server.database(run.config.local.address.at(label)) is None:
        raise OperationFailed(
            f"The checkpoint {label} is gone, so there is no way back to it.",
            found="It was purged, or somebody dropped it.",
            hint="Begin a new session: it fetches a backup anew.",
        )
    async with run.alone():
        await checkpoint.bring_back(run.config.local.address, label, run.report)
    run.report.tree({})
