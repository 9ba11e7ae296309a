"""The Wagtail Site on the target's own hostname and port, for the dump to carry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wizard.delivery.base import ForTarget
from wizard.engine.context import Context
from wizard.engine.local import LOCAL_DATABASE
from wizard.engine.operation import Observation, Operation, Seen
from wizard.engine.result import Result
from wizard.engine.results import SitePlaced
from wizard.postgres import server
from wizard.session.plan import Plan

PLACE = """
    UPDATE wagtailcore_site SET hostname = %s, port = %s
    WHERE id = (SELECT id FROM wagtailcore_site
                ORDER BY is_default_site DESC, hostname, port LIMIT 1)
"""  # the Site that the worker places: wizard/worker/site/sites.py


class PlaceTargetSite(ForTarget):
    """The Wagtail Site on the target's own hostname and port, for the dump to carry."""

    name = "site"
    title = "Put the Site on the target's hostname"
    about = "hostname and port as the target serves them"
    observed_before_undo = False

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
        local, site = context.config.local.address, context.config.local.site
        await context.local.require_own()
        async with server.session(local) as session:
            await session.execute(PLACE, (site.hostname, site.port))

    def restores(self, context: Context, plan: Plan) -> str:
        return LOCAL_DATABASE

    def rehearsed(self) -> Operation:
        """Place it: the undo of the rehearsal puts it back."""
        return self
