"""plan -> consent -> plan again -> apply -> outcome, operation by operation; resume; undo.

The engine knows neither screens nor databases. What has been done stands in the journal; what
was interrupted is looked at in the world, never remembered.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from wizard.base import files
from wizard.base.errors import Declined, DiskFailed, PlanStale, RemodelError, StartOver, UsageError
from wizard.base.events import (
    Answered,
    Consented,
    Document,
    Event,
    Finished,
    LedgerKept,
    Outcome,
    Planned,
    Progress,
    Started,
    StepDone,
    StepEntered,
    TreeChanged,
)
from wizard.engine import undo
from wizard.engine.context import Context
from wizard.engine.operation import Observation, Operation, Seen, Step, StepQuestion
from wizard.engine.operators import Operator
from wizard.engine.resume import Survey, survey
from wizard.session.plan import Plan, difference

LOGGED = 20_000  # characters of a document that the log keeps


class Engine:
    """Drives the steps of one run, with one operator."""

    def __init__(self, context: Context, steps: Sequence[Step], operator: Operator) -> None:
        self.context = context
        self.steps = steps
        self.operator = operator
        self._stop = False
        self._service_interrupted = False
        self._survey: Survey | None = None
        context.events.subscribe(self._log, "the session's log")

    def stop_after_this(self) -> None:
        """Stop in good order once the running operation is done, and the service runs again."""
        self._stop = True

    def stop_when_safe(self) -> bool:
        """Return whether it may be cancelled at once. Otherwise it will stop by itself, once the
        target's service runs again."""
        self._stop = self._stop or self._service_interrupted
        return not self._service_interrupted

    async def go(self) -> None:
        """Run everything that is left. Raise what stopped it; the journal has how far it came."""
        with files.writing():
            await self._tell_how_far()
            while True:
                try:
                    for step in self.steps:
                        await self._step(step)
                except StartOver as wanted:
                    await self._start_over(wanted)
                else:
                    break
            self.context.session.journal.note("finished", True)

    async def _tell_how_far(self) -> None:
        """Report how far a resumed session is, before anything is done."""
        if self._survey is None:
            self._survey = await survey(self.context, self.steps)
            if self._survey.text:
                self.context.report.finding("resumed", self._survey.text, "info")

    async def _step(self, step: Step) -> None:
        context = self.context
        if self._settled(step):
            context.events.emit(StepDone("", step=step.name))
            return
        context.events.emit(StepEntered("", step=step.name))
        if not self._again:
            await self.operator.begin(step)
        await self._ask(step)
        for operation in step.operations(context):
            while not await self._perform(operation):
                pass
        context.events.emit(StepDone("", step=step.name))

    def _settled(self, step: Step) -> bool:
        """Whether the step's questions are answered and its operations done."""
        answered = self.context.session.answers.answers
        if any(question.key not in answered for question in step.questions(self.context)):
            return False
        return all(
            self.context.facts.settled(operation.key) for operation in step.operations(self.context)
        )

    async def _ask(self, step: Step) -> None:
        # Answers of this session are settled; a resume does not ask again.
        answered = self.context.session.answers.answers
        unanswered = [q for q in step.questions(self.context) if q.key not in answered]
        asked = []
        for question in unanswered:
            if question.unless is not None and await question.unless(self.context):
                self._answered(question, "")
            else:
                asked.append(await self._with_default(question))
        answers: dict[str, Any] = {}
        while asked:
            answers = await self.operator.ask(asked, answers)
            if await self._judged(asked, answers):
                break
        for question in asked:
            self._answered(question, answers[question.key])

    async def _judged(self, asked: Sequence[StepQuestion], answers: Mapping[str, Any]) -> bool:
        """Return whether the project accepts the answers; if not, they are asked again."""
        for question in asked:
            if question.judge is None:
                continue
            try:
                await question.judge(self.context, answers[question.key])
            except RemodelError as error:
                if await self.operator.failed(error, question.key) == "stop":
                    raise
                return False
        return True

    def _answered(self, question: StepQuestion, value: Any) -> None:
        self.context.session.answer(question, value)
        self.context.events.emit(Answered("", key=question.key, value=value))

    async def _with_default(self, question: StepQuestion) -> StepQuestion:
        if question.default_from is None:
            return question
        return replace(question, default=await question.default_from(self.context))

    async def _perform(self, operation: Operation) -> bool:
        """Run one operation to its outcome. Return False when it is to be tried again."""
        if self.context.facts.settled(operation.key):
            return True
        self._service_interrupted &= operation.interrupts_service
        if self._stop and not self._service_interrupted:
            raise Declined(
                f"Stopped before {operation.key}, as asked.",
                hint=f"remodel resume {self.context.session.id} goes on from here.",
            )
        try:
            with self.context.reporting(operation.key), files.writing():
                if not await self._pick_up(operation):
                    await self._do(operation)
                self._service_interrupted = operation.interrupts_service
        except (Declined, StartOver):
            raise
        except RemodelError as error:
            self._service_interrupted = False
            state = self.context.session.journal.state(operation.key)
            begun = state is not None and state.kind == "intent"
            if isinstance(error, PlanStale) and not begun:
                raise  # at its gate: nothing was tried
            with suppress(DiskFailed):  # its row is the intent then, which comes to the same
                self._finish(operation, "failed", str(error))
            if await self.operator.failed(error, operation.key) == "stop":
                raise
            return False
        return True

    async def _pick_up(self, operation: Operation) -> bool:
        """Handle what an interrupted attempt left. Return whether the operation is done."""
        journal = self.context.session.journal
        state, intent = journal.state(operation.key), journal.intent(operation.key)
        if state is not None and state.kind == "undoing":
            await self._take_back(operation, state.data)
            return False
        if state is None or intent is None or state.kind not in ("intent", "failed"):
            return False
        plan = Plan.from_dict(intent)
        observation = await self._look(operation, plan)
        if observation.seen is Seen.DONE:
            facts = observation.result.to_json()
            await operation.finalize(self.context, plan, facts)
            journal.write(operation.key, "done", facts)
            self._finish(operation, "done", "it had been done before the interruption")
        return observation.seen is Seen.DONE

    async def _look(self, operation: Operation, plan: Plan) -> Observation:
        """Observe an attempt that has no outcome. Clear away what it left, unless it is done."""
        observation = await self._observe(operation, plan)
        self.context.report.finding(
            "interrupted before", f"{observation.seen.value}: {observation.why}", "info"
        )
        if observation.seen is Seen.PARTLY:
            await operation.clear(self.context, plan)
        if observation.seen is not Seen.DONE:
            self.context.session.journal.write(operation.key, "cleared", {"why": observation.why})
        return observation

    async def _observe(self, operation: Operation, plan: Plan) -> Observation:
        """Return the survey's observation; look again where a person may have taken time since."""
        seen = dict(self._survey.seen) if self._survey and not self.operator.interactive else {}
        self._survey = Survey()
        return seen.get(operation.key) or await operation.observe(self.context, plan)

    async def _do(self, operation: Operation) -> None:
        context, journal = self.context, self.context.session.journal
        if not self._service_interrupted:
            context.session.reserve()
        plan = await operation.plan(context)
        context.events.emit(Planned(operation.key, plan=plan.as_dict()))
        if plan.skip:
            journal.write(operation.key, "skipped", {"why": plan.skip, **plan.details})
            self._finish(operation, "skipped", plan.skip)
            return
        if plan.gate:
            plan = await self._through_the_gate(operation, plan)
        journal.write(operation.key, "intent", plan.as_dict())
        self._service_interrupted = operation.interrupts_service
        if kept := await operation.undo_data(context, plan):
            journal.write(operation.key, "kept", kept)
        context.events.emit(Started(operation.key, title=plan.title))
        result = await operation.apply(context, plan)
        facts = result.to_json()
        await operation.finalize(context, plan, facts)
        journal.write(operation.key, "done", facts)
        self._finish(operation, "done", result.message or "")

    async def _through_the_gate(self, operation: Operation, plan: Plan) -> Plan:
        """Get consent, and plan again until the plan is the one consented to; return that plan.

        Raise PlanStale where it changed meanwhile and no person is there to be asked again.
        """
        if self._agreed(plan):
            self.context.events.emit(Consented(operation.key, fingerprint=plan.fingerprint))
            return plan
        changed: list[str] = []
        while True:
            await self.operator.consent(plan, changed)
            now = await operation.plan(self.context)
            if now.fingerprint == plan.fingerprint:
                break
            changed = difference(plan.consented(), now.consented())
            if not self.operator.interactive:
                raise PlanStale(
                    f"While {operation.key} was consented to, its plan changed.",
                    found="\n".join(changed),
                    hint="Look at what changed, then consent to the plan as it is now.",
                )
            self.context.events.emit(Planned(operation.key, plan=now.as_dict()))
            plan = now
        self.context.session.consent(now)
        self.context.events.emit(Consented(operation.key, fingerprint=now.fingerprint))
        return now

    @property
    def _again(self) -> str:
        """The operation at whose gate the operator chose to start over, until it is there again."""
        return str(self.context.session.journal.noted("again", ""))

    def _agreed(self, plan: Plan) -> bool:
        """Return whether, after a start over, this same plan has been consented to before. Never so
        for a target's gate, which is passed by hand again."""
        if self._again == plan.operation:
            self.context.session.journal.note("again", "")
        recorded = self.context.session.answers.consents.get(plan.operation, {})
        local = plan.gate is not None and not plan.gate.target
        return bool(self._again) and local and recorded.get("fingerprint") == plan.fingerprint

    async def _start_over(self, wanted: StartOver) -> None:
        """Undo back to the step of a question, and answer it otherwise. All other answers stay, and
        so does what was delivered."""
        context = self.context
        context.session.journal.note("again", wanted.operation)
        await self._back(wanted.question.partition(".")[0], anew=True)
        for step in self.steps:
            for question in step.questions(context):
                if question.key == wanted.question:
                    self._answered(question, wanted.answer)

    def _finish(self, operation: Operation, outcome: Outcome, message: str) -> None:
        journal = self.context.session.journal
        # A failed undo is still an undo: it is taken up where it is, not observed.
        if outcome == "failed" and journal.kind(operation.key) != "undoing":
            journal.write(operation.key, "failed", {"message": message})
        self.context.events.emit(Finished(operation.key, outcome=outcome, message=message))

    async def undo(self, to: str) -> list[str]:
        """Take back every operation from the end to the beginning of step `to`.

        The project is asked nothing. The answers of those steps are forgotten, so that they are
        asked anew. Raise UsageError when the step is unknown, OperationFailed once a target was
        delivered to: from then on the way back is `remodel rollback`. What fails to be undone
        is raised in the end, when everything else is undone; the next undo tries it again.
        """
        names = [step.name for step in self.steps]
        if to not in names:
            raise UsageError(f"There is no step {to!r}.", hint="Steps: " + ", ".join(names))
        self.context.session.journal.note("again", "")
        return await self._back(to)

    async def _back(self, to: str, *, anew: bool = False) -> list[str]:
        """Undo operations, the last one first, and forget answers. With `anew` the answers stay,
        and so do operations that survive a restart."""
        names = [step.name for step in self.steps]
        journal = self.context.session.journal
        journal.note("finished", False)
        steps = [
            (step, [one for one in operations if not (anew and one.survives_restart(self.context))])
            for step in reversed(self.steps[names.index(to) :])
            for operations in [list(reversed(step.operations(self.context)))]
        ]
        for operation in [one for _, operations in steps for one in operations]:
            undo.require_undoable(self.context, operation)
        undone, failed = [], dict[Operation, RemodelError]()
        for _, operations in steps:
            for operation in operations:
                try:
                    if await self._undo(operation):
                        undone.append(operation.key)
                except RemodelError as error:
                    if journal.kind(operation.key) != "undoing":
                        raise  # how far it came cannot be told, so nothing before it is touched
                    self._finish(operation, "failed", str(error))
                    failed[operation] = error
        left = {one: error for one, error in failed.items() if journal.kind(one.key) == "undoing"}
        for step, operations in steps:
            if anew or any(operation in left for operation in operations):
                continue  # its operations may depend on its answers
            for question in step.questions(self.context):
                self.context.session.forget(question)
        if left:
            raise undo.not_undone(left, to)
        return [*undone, *(one.key for one in failed)]

    async def _undo(self, operation: Operation) -> bool:
        """Undo one operation, whatever its outcome. Return False when there was nothing to undo."""
        journal = self.context.session.journal
        state, intent = journal.state(operation.key), journal.intent(operation.key)
        if state is None or state.kind in ("undone", "cleared"):
            return False
        with self.context.reporting(operation.key):
            if state.kind == "undoing":
                await self._take_back(operation, state.data)
            elif state.kind == "skipped" or intent is None:
                journal.write(operation.key, "undone", {})
            elif state.kind == "done":
                await self._take_back(operation, {"facts": state.data})
            elif not operation.observed_before_undo:
                await self._take_back(operation, {"facts": {}})
            else:
                observation = await self._look(operation, Plan.from_dict(intent))
                if observation.seen is Seen.DONE:
                    facts = observation.result.to_json()
                    operation.require_undoable(self.context, facts)
                    await self._take_back(operation, {"facts": facts})
            self.context.events.emit(Finished(operation.key, outcome="undone"))
        return True

    async def _take_back(self, operation: Operation, data: Mapping[str, Any]) -> None:
        """Undo the operation, with a journal row before and after, so that a resume can go on."""
        context, journal = self.context, self.context.session.journal
        intent = journal.intent(operation.key)
        assert intent is not None
        plan = Plan.from_dict(intent)
        journal.write(operation.key, "undoing", data)
        with files.writing(), context.worker.kept_out():
            await operation.undo(context, plan, data["facts"])
        for later in undo.settled_by(context, self.steps, operation, plan):
            journal.write(later.key, "undone", {})
        journal.write(operation.key, "undone", {})

    def _log(self, event: Event) -> None:
        """Write an event into the journal's log, except those that only update a screen."""
        if isinstance(event, Progress | TreeChanged | LedgerKept):
            return  # the ledger is a file of its own
        if isinstance(event, Document):  # a table of all URLs may have a million lines
            event = replace(event, text=event.text[:LOGGED])
        self.context.session.journal.event(event.as_dict())
