"""Delivery into the live database itself, for a role that may not make databases beside it.

After a safety dump that was proven, one transaction empties the database and loads the converted
one; the server takes all of it back if anything goes wrong. No old database is kept.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from wizard.base import files
from wizard.base.errors import OperationFailed, VerificationFailed
from wizard.delivery import kinds
from wizard.delivery import overwrite as overwriting
from wizard.delivery.drift.since_backup import DriftGuard
from wizard.delivery.overwrite import Overwriting, script_of
from wizard.delivery.results import Delivered, Dumped
from wizard.delivery.verify import delivered, objects
from wizard.delivery.verify.objects import Expected
from wizard.engine.context import Context
from wizard.engine.operation import Observation, Seen
from wizard.postgres.address import Address
from wizard.postgres.admin import preflight, replace_contents
from wizard.postgres.catalog.entries import Entry, Key
from wizard.postgres.drift.baseline import DriftBaseline
from wizard.session.plan import Plan


class InPlace(Overwriting):
    """The script that the drill has loaded, loaded into the live database, all or nothing."""

    title = "Deliver into the live database"
    about = "a safety dump, then everything replaced by one transaction"

    async def plan(self, context: Context) -> Plan:
        target = self.target
        script = script_of(context.facts.of(Dumped, target.name))
        context.facts.require(f"production.drill:{target.name}")
        address = await self.reached(context)
        checked = await preflight.in_place(
            address, await preflight.needs(context.config.local.address)
        )
        checked.require(target.name, target.delivery)
        lacking = await objects.lacking(context, target, address)
        checked.also(lacking).require(target.name, target.delivery)
        database, safety = target.address.database, overwriting.safety(context, target)
        return await self._plan(
            context,
            address,
            checked,
            title=f"Replace what is in {database} on {target.where} ({target.name})",
            does=(
                *(f"run {' '.join(words)} on {target.where}" for words in target.before),
                f"fetch a safety dump of {database} to {safety.name}",
                f"in one transaction: drop what is in {database}, load {script.name}",
                "NOTE: the site waits as long as that takes; if it fails, nothing has happened",
            ),
            loss=f"what is now in {database}: only the safety dump keeps it",
            undo=f"restore {safety.name}",
            facts={},
            details={"safety": str(safety)},
        )

    async def overwrite(
        self,
        context: Context,
        address: Address,
        script: Path,
        saved: DriftBaseline | None,
        guard: DriftGuard | None,
        wanted: Expected | None,
    ) -> None:
        def begun(number: int) -> None:
            files.write(self._transaction(context), str(number))

        check = partial(self.unchanged, context, address, saved, guard)
        made = partial(objects.make_missing, self.target, wanted)
        await replace_contents.refill(
            address,
            script,
            context.report,
            check=check,
            begun=begun,
            made=made,
            search_path=context.config.restore.search_path,
        )

    async def observe(self, context: Context, plan: Plan) -> Observation:
        target, path = self.target, self._transaction(context)
        if not path.exists():
            return Observation(Seen.NOT_DONE, "the transaction had not begun")
        address = await context.far.address(target)
        became = await replace_contents.outcome(address, int(path.read_text()))
        if became == "aborted":
            return Observation(Seen.NOT_DONE, "its transaction was taken back by the server")
        if became == "in progress":
            raise OperationFailed(
                f"Whether {address.database} was replaced is not known yet.",
                found="its transaction is in progress",
                hint="Wait until the server has noticed that we were cut off, then try again.",
            )
        expected = context.facts.of(Dumped, target.name).contents
        faults = await delivered.faults(context, target, address, expected)
        if not faults:
            await objects.tell_delivered(context, target, address)
            result = Delivered(safety=plan.details["safety"])
            return Observation(Seen.DONE, "the target holds exactly what was delivered", result)
        if became != "committed":  # too long ago for the server to know
            raise OperationFailed(
                f"Whether {address.database} was replaced is not known any more.",
                found="\n".join(faults[:20]),
                hint="Look at what is there. To deliver to it, begin a new session. "
                + overwriting.ways_back(context, target),
            )
        raise VerificationFailed(
            f"{address.database} was replaced, and is not what was delivered.",
            found="\n".join(faults[:20]),
            hint="What writes to it already may do so in tables that `drift` of remodel.yml lets "
            "go; then resume, which compares again. " + overwriting.ways_back(context, target),
        )

    def _transaction(self, context: Context) -> Path:
        """Return the file with the id of the transaction that was begun last."""
        return context.artefact(f"transaction.{self.target.name}")


def _dropped(key: Key, one: Entry) -> bool:
    """Return whether an object is dropped and made again.

    What is in no schema stays, and so do extensions with the privileges on their objects, which
    are of nothing that a dump has.
    """
    return bool(key.schema) and not (key.kind == "ACL" and one.of is None)


IN_PLACE = kinds.register(overwriting.kind("in place", InPlace, remakes=_dropped))
