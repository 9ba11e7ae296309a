"""The Wagtail Site on the target's own hostname and port, for the dump to carry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wizard.delivery.base import ForTarget
from wizard.engine.context import Context
from wizard.engine.operation import Observation, Operation, Seen
from wizard.engine.result import Result
from wizard.engine.results import SitePlaced
from wizard.session.plan import Plan


class PlaceTargetSite(ForTarget):
    """The Wagtail Site on the target's own hostname and port, for the dump to carry."""

    name = "site"
    title = "Put the Site on the target's hostname"
    about = "hostname and port as the target serves them"

    async def plan(self, context: Context) -> Plan:
        context.facts.require("slugs.urls")
        wanted = self.target.site
        before = context.facts.of(SitePlaced).before
        known = f"{before['hostname']}:{before['port']}"
        does = [f"set hostname and port to {wanted}"]
        if self.target is context.config.backup_source and known != str(wanted):
            does.append(f"NOTE: {self.target.name} had {known} when it was backed up")
        return Plan(
            operation=self.key,
            title=f"Put the Site on {wanted}",
            does=tuple(does),
            undo=f"set it back to {context.config.local.site}",
            facts={"site": str(wanted)},
        )

    async def apply(self, context: Context, plan: Plan) -> Result:
        wanted = self.target.site
        await (await context.worker.client()).place_site(wanted.hostname, wanted.port)
        return Result(message=f"the Site is on {wanted}")

    async def observe(self, context: Context, plan: Plan) -> Observation:
        sites = await (await context.worker.client()).sites()
        if f"{sites[0]['hostname']}:{sites[0]['port']}" == plan.facts["site"]:
            return Observation(Seen.DONE, "the Site is there")
        return Observation(Seen.NOT_DONE, "the Site is elsewhere")

    async def undo(self, context: Context, plan: Plan, facts: Mapping[str, Any]) -> None:
        local = context.config.local.site
        await (await context.worker.client()).place_site(local.hostname, local.port)

    def rehearsed(self) -> Operation:
        """Place it: the undo of the rehearsal puts it back."""
        return self
