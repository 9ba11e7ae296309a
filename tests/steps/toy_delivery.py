"""A kind of delivery in one file: the dump is handed over as a file, and nobody restores it."""

from __future__ import annotations

import shutil
from pathlib import Path

from wizard.config.databases import Target
from wizard.delivery import kinds
from wizard.delivery.base import After, Delivery
from wizard.delivery.drill import Drill
from wizard.delivery.dump import Dump
from wizard.delivery.results import Delivered, Dumped
from wizard.delivery.rollback import Rollback
from wizard.delivery.site import PlaceTargetSite
from wizard.engine.context import Context
from wizard.engine.operation import Observation, Seen
from wizard.postgres.admin.preflight import PreflightReport
from wizard.postgres.server import Server
from wizard.session.plan import Plan

ENDING = ".handed-over.dump"


class HandOver(Delivery):
    """A copy of the dump, under a name of its own in backups/."""

    title = "Hand the dump over"
    about = "a copy of the dump for somebody else to restore"
    drift_matters = False

    async def plan(self, context: Context) -> Plan:
        context.facts.require(f"production.drill:{self.target.name}")
        address = (await context.far.checked(self.target)).address
        copy = self._copy(context)
        return await self._plan(
            context,
            address,
            PreflightReport((), ()),
            title=f"Hand the dump over for {self.target.name}",
            does=(f"copy it to {copy.name}",),
            loss="nothing on the target",
            undo=f"delete {copy.name}",
            facts={},
            details={"copy": str(copy), "beside": f"handed_{context.stamp}"},
        )

    async def apply(self, context: Context, plan: Plan) -> Delivered:
        archive = context.facts.of(Dumped, self.target.name).archive
        shutil.copyfile(archive.path, plan.details["copy"])
        return Delivered(safety=plan.details["copy"], message="handed over")

    async def observe(self, context: Context, plan: Plan) -> Observation:
        if Path(plan.details["copy"]).exists():
            return Observation(Seen.PARTLY, "a copy is there, whole or not")
        return Observation(Seen.NOT_DONE, "there is no copy")

    async def clear(self, context: Context, plan: Plan) -> None:
        Path(plan.details["copy"]).unlink(missing_ok=True)

    def _copy(self, context: Context) -> Path:
        return context.config.backups / f"db.{self.target.name}.{context.session.id}{ENDING}"


def _preflight(target: Target, there: Server) -> kinds.Finding:
    return f"{target.name} delivery", "by hand", "warn", "Somebody has to restore it."


HAND_OVER = kinds.DeliveryKind(
    name="handed over",
    operations=(PlaceTargetSite, Dump, Drill, HandOver, After),
    preflight=_preflight,
    way_back=lambda target, delivered: f"tell {target} not to restore {delivered.safety}",
    rollback=(Rollback,),
    databases={"beside": "made by whoever restored it for {target}"},
    files={ENDING: "what was handed over"},
)
