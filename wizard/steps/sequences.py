"""Sequences that production has behind its data: told in Project, set past it in the local copy.

Without that, migrating or converting takes an id that is there, and so does the site itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from wizard.base.errors import OperationFailed
from wizard.engine.context import Context
from wizard.engine.operation import Observation, Operation, Seen
from wizard.engine.results import SequencesSet
from wizard.postgres import sequences
from wizard.postgres.address import Address
from wizard.postgres.sequences import Behind
from wizard.session.plan import Plan


async def look(context: Context, address: Address) -> tuple[Behind, ...]:
    """Report the sequences of a database that are behind their data; return what can be set."""
    found = await sequences.find(address)
    for one in found.behind:
        context.report.finding(
            f"sequence of {one.column}",
            f"{one} ({one.sequence})",
            "warn",
            f"It is left as it is: {one.reason}. Give that row another number."
            if one.reason
            else "It is set past the data in the local copy, and is delivered so.",
        )
    for column, why in found.unknown.items():
        context.report.finding(f"sequence of {column}", f"not compared: {why}", "info")
    return tuple(one for one in found.behind if not one.reason)


class SetSequences(Operation):
    """Set sequences past their data in the local copy, right after it was restored."""

    key = "backup.sequences"
    title = "Set sequences past their data"
    about = "where the next id is there already; skipped where there is none"
    observed_before_undo = False

    async def plan(self, context: Context) -> Plan:
        context.facts.require("backup.restore")
        behind = await look(context, context.config.local.address)
        return Plan(
            operation=self.key,
            title=self.title,
            does=(
                *(f"set {one.sequence} past {one.column}: {one}" for one in behind),
                "NOTE: they are delivered so",
            ),
            undo="`remodel undo --to backup` gives the old local database its name back",
            facts={"sequences": [one.sequence for one in behind]},
            details={"behind": [asdict(one) for one in behind]},
            skip="" if behind else "every sequence is past its data",
        )

    async def apply(self, context: Context, plan: Plan) -> SequencesSet:
        behind = _planned(plan)
        await sequences.set_past(context.config.local.address, behind)
        if left := await _left(context, behind):
            raise OperationFailed(
                "Sequences are behind their data still.",
                found="\n".join(f"{one.sequence} of {one.column}: {one}" for one in left),
                hint="Somebody works in the local database: end that, then try again.",
            )
        return _set(behind)

    async def observe(self, context: Context, plan: Plan) -> Observation:
        behind = _planned(plan)
        left = await _left(context, behind)
        if not left:
            return Observation(Seen.DONE, "every sequence is past its data", _set(behind))
        seen = Seen.NOT_DONE if len(left) == len(behind) else Seen.PARTLY
        return Observation(seen, f"{len(left)} of {len(behind)} sequences are behind their data")

    async def clear(self, context: Context, plan: Plan) -> None:
        await context.local.require_own()
        await sequences.set_back(context.config.local.address, _planned(plan))


def _planned(plan: Plan) -> list[Behind]:
    return [Behind(**one) for one in plan.details["behind"]]


async def _left(context: Context, behind: Sequence[Behind]) -> list[Behind]:
    """Return those of the sequences that are behind their data now."""
    names = {one.sequence for one in behind}
    found = await sequences.find(context.config.local.address)
    return [one for one in found.behind if one.sequence in names]


def _set(behind: Sequence[Behind]) -> SequencesSet:
    return SequencesSet(
        sequences={
            one.sequence: f"{one.sequence} goes on past {one.column}: {one} in the backup"
            for one in behind
        },
        message=f"{len(behind)} set: {', '.join(one.column for one in behind)}",
    )
