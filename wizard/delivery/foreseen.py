"""A delivery in a rehearsal: its plan is computed as the gate would show it; nothing is done."""

from __future__ import annotations

from wizard.base.events import Planned
from wizard.engine.context import Context
from wizard.engine.operation import Operation, Repeatable
from wizard.engine.result import Result
from wizard.session.plan import CHANGES_NOTHING, Plan


class Foreseen(Repeatable):
    """The plan of a delivery, as its gate would show it. Nothing of it is done."""

    def __init__(self, delivery: Operation) -> None:
        self.delivery = delivery
        self.key = f"rehearsal.gate:{delivery.key.partition(':')[2]}"
        self.title = "Plan the delivery, and leave it at that"
        self.about = delivery.about

    async def plan(self, context: Context) -> Plan:
        return Plan(
            operation=self.key,
            title=self.title,
            does=(f"compute the plan of {self.delivery.key}, reading only",),
            undo=CHANGES_NOTHING,
        )

    async def apply(self, context: Context, plan: Plan) -> Result:
        foreseen = await self.delivery.plan(context)
        context.events.emit(Planned(self.delivery.key, plan=foreseen.as_dict()))
        return Result(message=foreseen.title)
