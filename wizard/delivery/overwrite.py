"""What the deliveries that keep no old database have in common: the way back is a safety dump.

It is taken once the service is stopped, and nothing may be written between it and the act.
"""

from __future__ import annotations

import glob
from abc import abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from wizard.base.errors import OperationFailed, VerificationFailed
from wizard.config.databases import Target
from wizard.delivery import kinds
from wizard.delivery.base import After, AfterRollback, Delivery, stopping
from wizard.delivery.drift import policy, since_backup
from wizard.delivery.drift.since_backup import DriftGuard
from wizard.delivery.drill import Drill
from wizard.delivery.dump import ScriptedDump
from wizard.delivery.results import Delivered, Dumped
from wizard.delivery.rollback import Rollback
from wizard.delivery.site import PlaceTargetSite
from wizard.delivery.verify import delivered, objects
from wizard.delivery.verify.check import Check
from wizard.delivery.verify.objects import Expected
from wizard.engine.context import Context
from wizard.postgres import server
from wizard.postgres.address import Address
from wizard.postgres.admin.delivery_lock import alone
from wizard.postgres.catalog.entries import Entry, Key
from wizard.postgres.drift import baseline as baselines
from wizard.postgres.drift import drift
from wizard.postgres.drift.baseline import DriftBaseline
from wizard.postgres.dumps import archive
from wizard.postgres.server import Server
from wizard.session.plan import Plan


class Overwriting(Delivery):
    """Checksum, `before`, safety dump, the act, and a comparison afterwards."""

    @abstractmethod
    async def overwrite(
        self,
        context: Context,
        address: Address,
        script: Path,
        saved: DriftBaseline | None,
        guard: DriftGuard | None,
        wanted: Expected | None,
    ) -> None:
        """Put what `script` holds in the place of what is there, having called `unchanged`.

        `wanted` is what it has to consist of afterwards; None where that is not known.
        """

    async def reached(self, context: Context) -> Address:
        """Return the target's database, its identity checked."""
        return (await context.far.checked(self.target)).address

    async def apply(self, context: Context, plan: Plan) -> Delivered:
        target = self.target
        dumped = context.facts.of(Dumped, target.name)
        script, safety = script_of(dumped), Path(plan.details["safety"])
        if await archive.checksum(script, context.report) != dumped.script_sha256:
            raise VerificationFailed(
                f"{script} is not what was written for {target.name}.",
                hint="Another session wrote its own since. Begin a new session, or keep apart.",
            )
        address = await context.far.address(target)
        # What the service writes until it is stopped has to be in the safety dump.
        async with (
            alone(address, f"session {context.session.id}") as lock,
            stopping(context, target),
        ):
            address = await self.reached(context)
            saved = await self._save(context, address, safety)
            address = await self.reached(context)  # the identity once more, just before the act
            guard = since_backup.consented(context, target, plan)
            wanted = await objects.expected(context, target, address) if saved else None
            await lock.require()
            await self.overwrite(context, address, script, saved, guard, wanted)
            if guard is not None:
                guard.tell(context.report)
            await delivered.require(
                context,
                target,
                address,
                dumped.contents,
                f"Look for what writes to it. {ways_back(context, target)}",
            )
            if wanted is not None:
                await objects.make_same(
                    context,
                    target,
                    wanted,
                    address,
                    "The rows are as delivered. Have each of these made, with the rights that it "
                    f"takes; then resume, which compares again. {ways_back(context, target)}",
                )
        return Delivered(
            safety=str(newest(context, target)),
            message=f"{target.address.database} holds the converted database",
        )

    async def _save(self, context: Context, address: Address, safety: Path) -> DriftBaseline | None:
        """Take a safety dump and return what it holds; None if there is no database."""
        if await server.database(address) is None:
            return None
        async with baselines.held(address) as held:
            await context.far.fetch(self.target, safety, context.report, snapshot=held.snapshot)
            return held.baseline

    async def unchanged(
        self,
        context: Context,
        address: Address,
        saved: DriftBaseline | None,
        guard: DriftGuard | None,
    ) -> None:
        """Raise OperationFailed unless the safety dump has all there is, and what the backup has
        not is what was consented to be lost. A session of its own, closed at the end."""
        if saved is None:
            return
        async with server.session(address) as connection:
            written = await drift.look(connection, saved)
            since = policy.judge(written, context.config.drift)
            if since.block or since.warn:  # whatever the policy lets go, no old database has it
                raise OperationFailed(
                    f"{address.database} was written to after its safety dump had begun.",
                    found="\n".join(map(str, (*since.block, *since.warn))),
                    hint="Everything is as it was. Stop the service by a command in `before`, "
                    "then try again.",
                )
            if guard is not None:
                await guard(connection)

    def require_undoable(self, context: Context, facts: Mapping[str, Any]) -> None:
        raise OperationFailed(
            f"{self.target.name} has been delivered to; that is not undone here.",
            hint=f"Restore {facts.get('safety')}.",
        )


def kind(
    name: str, deliver: type[Overwriting], remakes: Callable[[Key, Entry], bool] | None = None
) -> kinds.DeliveryKind:
    """Declare a kind of delivery whose act is `deliver`."""
    return kinds.DeliveryKind(
        name=name,
        operations=(PlaceTargetSite, ScriptedDump, Drill, deliver, After, Check),
        preflight=_preflight,
        way_back=lambda target, left: f"restore {left.safety or 'its dump'}",
        rollback=(Rollback, AfterRollback),
        remakes=remakes,
        files={".safety.dump": "the way back from that delivery"},
    )


def _preflight(target: Target, there: Server) -> kinds.Finding:
    return f"{target.name} delivery", target.delivery, "ok", ""


def script_of(dumped: Dumped) -> Path:
    """Return the plain script of a dump, which `ScriptedDump` writes."""
    assert dumped.script is not None
    return Path(dumped.script)


def safety(context: Context, target: Target) -> Path:
    """Return where the next safety dump goes; never over one of an earlier attempt."""
    number = max(map(_number, taken(context, target)), default=0) + 1
    return context.config.backups / f"db.{target.name}.{context.session.id}.{number}.safety.dump"


def taken(context: Context, target: Target) -> list[Path]:
    """Return the safety dumps of this session, oldest first."""
    name = f"db.{glob.escape(target.name)}.{context.session.id}.*.safety.dump"
    dumps = (path for path in context.config.backups.glob(name) if _number(path))
    return sorted(dumps, key=_number)


def _number(path: Path) -> int:
    """Return which one it is; 0 for a file of somebody else's making."""
    number = path.name.split(".")[-3]
    return int(number) if number.isdecimal() else 0


def newest(context: Context, target: Target) -> Path | None:
    """Return the safety dump that has what was there last."""
    return next(reversed(taken(context, target)), None)


def ways_back(context: Context, target: Target) -> str:
    """Say for a hint what the safety dumps of this session hold.

    An attempt that failed in its middle may have left a ruin, which the next one's has faithfully.
    """
    dumps = taken(context, target)
    if not dumps:
        return "No safety dump was taken yet."
    text = f"The safety dump is {dumps[-1]}."
    if dumps[1:]:
        names = ", ".join(path.name for path in dumps[:-1])
        text += f" Of before the earlier attempts, the oldest first: {names}."
    return text
