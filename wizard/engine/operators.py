"""Who answers: the Operator protocol, and those that need no screen.

The engine asks; an operator is a person at the screens, a person at line prompts (`Plain`),
or a file of recorded answers (`Replay`), which a person may join for some steps (`Reopened`).
All see the same questions and the same plans.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Literal, Protocol

from wizard.base.errors import (
    ConsentMissing,
    Declined,
    InputMissing,
    PlanStale,
    RemodelError,
    StartOver,
)
from wizard.base.redaction import shown as cleaned
from wizard.base.terminal import say
from wizard.config import fieldmap
from wizard.config.fieldmap import FieldTable
from wizard.engine.operation import Step
from wizard.session import answers
from wizard.session.answers import Answers
from wizard.session.plan import Plan, difference
from wizard.session.questions import Question

Verdict = Literal["retry", "stop"]
AGAIN = "again"


class Operator(Protocol):
    """What the engine needs of whoever decides."""

    interactive: bool
    """Whether it can be asked again, when a plan went stale or an operation failed."""

    async def begin(self, step: Step) -> None:
        """Wait until the step may begin. Raise Declined to stop."""

    async def ask(
        self, questions: Sequence[Question], recorded: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return an accepted answer for each question; `recorded` has earlier ones as defaults."""

    async def consent(self, plan: Plan, changed: Sequence[str]) -> None:
        """Show the gate of `plan`; returns when it was passed, raises Declined otherwise, or
        StartOver where the gate offers that.

        `changed` says what is different from the plan that was consented to a moment ago.
        """

    async def failed(self, error: RemodelError, operation: str) -> Verdict:
        """Ask whether an operation that failed is tried again, its cause mended."""


class Replay:
    """Recorded answers, headless. Raises, naming the key, where something is missing.

    A consent that touches a target needs two keys: the fingerprint in the answers and the
    target's name in `allowed`, which comes from the command line. `by_hand` tells how a person
    can go on where the answers do not.
    """

    interactive = False

    def __init__(self, recorded: Answers, allowed: Sequence[str], by_hand: str) -> None:
        self._answers = recorded
        self._allowed = allowed
        self._by_hand = by_hand

    async def begin(self, step: Step) -> None:
        """Return at once: nobody has to begin a step."""

    async def ask(
        self, questions: Sequence[Question], recorded: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return the recorded answers; all missing keys are named at once."""
        missing = [q for q in questions if q.key not in self._answers.answers]
        if missing:
            raise InputMissing(
                "The recorded answers do not say: " + ", ".join(q.key for q in missing),
                found="\n".join(f"{q.key}: {q.text}" for q in missing),
                hint=f"Add them under `answers:`, or go on by hand: {self._by_hand}",
            )
        return {q.key: q.accept(self._answers.answers[q.key]) for q in questions}

    async def consent(self, plan: Plan, changed: Sequence[str]) -> None:
        """Compare the fingerprint, and look for the target's name on the command line."""
        recorded = self._answers.consents.get(plan.operation)
        if recorded is None:
            raise ConsentMissing(
                f"Nobody has consented to: {plan.title}",
                found="\n".join(gate_lines(plan)),
                hint=f"Pass its gate by hand: {self._by_hand}\n"
                f"The missing key is consents.{plan.operation}.",
            )
        if recorded["fingerprint"] != plan.fingerprint:
            mismatch = f"consented to {recorded['fingerprint']}, the plan is {plan.fingerprint}"
            raise PlanStale(
                f"The consent to {plan.operation} was given to another plan.",
                found="\n".join([mismatch, *(self.differs(plan) or gate_lines(plan))]),
                hint=f"Look at the plan and consent anew: {self._by_hand}",
            )
        target = plan.gate.target if plan.gate else ""
        if target and target not in self._allowed:
            raise ConsentMissing(
                f"{plan.title}: the target {target} is not allowed in this run.",
                hint=f"Add --allow {target} to the command, if that is what you want; or go on "
                f"by hand: {self._by_hand}",
            )

    async def failed(self, error: RemodelError, operation: str) -> Verdict:
        """Return `stop`: nobody is there to mend anything."""
        return "stop"

    def recorded(self, questions: Sequence[Question]) -> dict[str, Any]:
        """Return the recorded answers to these questions, as far as there are any."""
        return answers.accepted(self._answers, questions)

    def differs(self, plan: Plan) -> list[str]:
        """Return how a plan differs from the recorded one; empty where none is recorded."""
        known = self._answers.consents.get(plan.operation, {}).get("plan")
        return difference(known, plan.consented()) if known else []


class Reopened:
    """Recorded answers, except in `steps`: there a person is asked, with the recorded values as
    defaults, and passes each gate anew."""

    def __init__(self, replay: Replay, person: Operator, steps: Sequence[str]) -> None:
        self._replay = replay
        self._person = person
        self._steps = steps
        self.interactive = False

    async def begin(self, step: Step) -> None:
        """Have the person begin a step that is opened again."""
        await self._of(step.name).begin(step)

    async def ask(
        self, questions: Sequence[Question], recorded: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Ask the step's operator, with the recorded answers as defaults."""
        known = {**self._replay.recorded(questions), **recorded}
        return await self._of(questions[0].key).ask(questions, known)

    async def consent(self, plan: Plan, changed: Sequence[str]) -> None:
        """Ask the step's operator; show a person how the plan differs from the recorded one."""
        await self._of(plan.operation).consent(plan, changed or self._replay.differs(plan))

    async def failed(self, error: RemodelError, operation: str) -> Verdict:
        """Ask the operator of the step."""
        return await self._of(operation).failed(error, operation)

    def _of(self, key: str) -> Operator:
        """Return who decides about a step, a question or an operation, by its key."""
        reopened = key.partition(".")[0] in self._steps
        who: Operator = self._person if reopened else self._replay
        self.interactive = who.interactive
        return who


class Plain:
    """A person at line prompts, for screen readers and dumb terminals."""

    interactive = True

    def __init__(
        self,
        read: Callable[[str], str] = input,
        write: Callable[[str], None] = lambda line: say(line, sys.stderr),
    ) -> None:
        self._read = read
        self._write = write

    async def begin(self, step: Step) -> None:
        """Tell what the step does and wait for Enter."""
        self._write(f"{step.purpose}\nTouches: {step.touches}\nUndo: {step.undo}")
        await self._line("Enter begins this step, q stops here: ")

    async def ask(
        self, questions: Sequence[Question], recorded: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Ask each question on a line of its own; an empty line takes the default."""
        return {
            question.key: await self._ask(question, recorded.get(question.key))
            for question in questions
        }

    async def _ask(self, question: Question, recorded: Any) -> Any:
        default = question.default if recorded is None else recorded
        shown = ", ".join(default) if isinstance(default, list) else default
        choices = f" ({', '.join(question.choices)})" if question.choices else ""
        if question.help:
            self._write(question.help)
        if question.kind == "fields":
            table: FieldTable = question.default
            default = table.entries if recorded is None else recorded
            shown = fieldmap.text(default)
            self._write(fieldmap.table(table.changed(default).rows))
        while True:
            raw = await self._line(f"{question.text}{choices} [{'' if shown is None else shown}]: ")
            try:
                return question.accept(raw if raw else ("" if default is None else default))
            except ValueError as problem:
                self._write(f"Not taken: {problem}.")

    async def consent(self, plan: Plan, changed: Sequence[str]) -> None:
        """Show the plan and have the gate's phrase typed."""
        self._write("\n".join(gate_lines(plan, changed)))
        assert plan.gate is not None
        other = f"`{AGAIN}` to do it all anew, " if plan.gate.again else ""
        typed = await self._line(f"Type {plan.gate.phrase} to go on, {other}anything else stops: ")
        if plan.gate.again and typed == AGAIN:
            raise StartOver(plan.operation, *plan.gate.again)
        if typed != plan.gate.phrase:
            raise Declined(
                f"Stopped at the gate of {plan.operation}.",
                found=f"{typed!r} was typed, {plan.gate.phrase!r} is the name",
                hint="Nothing was done. `remodel resume` comes back to this gate.",
            )

    async def failed(self, error: RemodelError, operation: str) -> Verdict:
        """Show the error; r tries again, anything else stops."""
        self._write(f"\nFailed: {error}")
        try:
            return "retry" if await self._line("r tries again, Enter stops: ") == "r" else "stop"
        except InputMissing:  # the error is the thing to tell
            return "stop"

    async def _line(self, prompt: str) -> str:
        try:
            text = (await _in_the_background(self._read, cleaned(prompt))).strip()
        except (EOFError, OSError):  # OSError where the terminal is gone
            raise InputMissing(
                "The input ended while an answer was needed.",
                hint="On a terminal, `remodel resume` comes back to the question; or replay.",
            ) from None
        if text == "q":
            raise Declined("Stopped as asked.", hint="`remodel resume` goes on from here.")
        return text


async def _in_the_background(read: Callable[[str], str], prompt: str) -> str:
    """Return the line that `read` waits for, without making a signal wait.

    `asyncio.to_thread` would have the interpreter wait for the thread at its end.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[str] = loop.create_future()

    def tell(settle: Callable[[Any], object], value: Any) -> None:
        with suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(lambda: None if answer.done() else settle(value))

    def wait() -> None:
        try:
            tell(answer.set_result, read(prompt))
        except BaseException as error:
            tell(answer.set_exception, error)

    threading.Thread(target=wait, daemon=True).start()
    return await answer


def gate_lines(plan: Plan, changed: Sequence[str] = ()) -> list[str]:
    """Return a gate as lines of text: what, what is destroyed, how to undo, which fingerprint."""
    lines = [f"GATE: {plan.title}"]
    lines += [f"  changed since you looked: {line}" for line in changed]
    lines += [f"  {line}" for line in plan.does]
    lines += [f"  destroys: {loss}" for loss in plan.destroys]
    return [*lines, f"  undo: {plan.undo}", f"  plan {plan.fingerprint}"]
