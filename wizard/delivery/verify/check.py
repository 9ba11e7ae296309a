"""The result, as the target's own database has it after a delivery."""

from __future__ import annotations

from wizard.base.errors import VerificationFailed, some
from wizard.delivery.base import ForTarget, run_checks
from wizard.delivery.results import Delivered
from wizard.delivery.verify.contents import faults_of
from wizard.engine.context import Context
from wizard.engine.operation import Repeatable
from wizard.engine.result import Result
from wizard.session.plan import Plan


class Check(ForTarget, Repeatable):
    """The result as the target's own database has it."""

    name = "check"
    title = "Check the result on the target"
    about = "converted pages, their children and the Site, read from the target itself"

    async def plan(self, context: Context) -> Plan:
        context.facts.require(f"production.after:{self.target.name}")
        return Plan(
            operation=self.key,
            title=self.title,
            does=(
                f"read {self.target.address.database} on {self.target.where}",
                *(f"run {' '.join(words)} there" for words in self.target.check),
            ),
            undo=f"`remodel rollback --target {self.target.name}`",
        )

    async def apply(self, context: Context, plan: Plan) -> Result:
        target, report = self.target, context.report
        delivered = context.facts.of(Delivered, target.name)
        kept = delivered.kept
        back = f"remodel rollback --target {target.name}"
        if not kept:
            back = f"Restore {delivered.safety}."
        far = await context.far.checked(target)
        faults = await faults_of(context, target, far.address)
        if faults:
            raise VerificationFailed(
                f"{target.name} is not what was delivered.", found=some(faults, 50), hint=back
            )
        await run_checks(
            context, target, target.address.database, f"Mend it and try again, or: {back}"
        )
        if kept:
            report.finding(
                f"roll back {target.name}",
                f"remodel rollback --target {target.name}",
                "info",
                f"{kept} is the database as it was",
            )
        return Result(message=f"{target.name} has the converted pages")
