"""The engine against every order of crashes, refusals, changes, undos and resumes.

Real journal, real files: an operation writes two, so that it can be cut off between them. A crash
is an exception that nothing catches, at any row of the journal and at any file, after which the
session is opened anew. What has to hold is written down by the files themselves: each effect
once and in order, each behind the consent to exactly its plan, and taken back to the byte.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.support.remodel_yml import write as write_config
from wizard.base.errors import Declined, OperationFailed, PlanStale, RemodelError, StartOver
from wizard.base.events import Event, Events, Finding
from wizard.config import config
from wizard.engine.context import Context
from wizard.engine.engine import Engine
from wizard.engine.operation import Observation, Operation, Seen, Step, StepQuestion
from wizard.engine.operators import Verdict
from wizard.engine.result import Result
from wizard.session import session as sessions
from wizard.session.journal import Journal
from wizard.session.plan import Gate, Loss, Plan
from wizard.session.questions import Question
from wizard.session.session import Session

KEYS = ("one.a", "one.b", "two.c", "two.d")
GATED = ("one.b", "two.c")
HALVES = ("left", "right")
VALUE = "one.value"
MEMORY = Path("/dev/shm")  # each row of a journal waits for its disk
PASSAGES = 60  # more than a whole run has, so that some are not cut off


Work = Callable[[Engine], Awaitable[object]]


class Killed(BaseException):
    """The process is gone; nothing may catch this."""


@dataclass
class World:
    """The files, what was done to them in which order, and when the next crash is due."""

    folder: Path
    wanted: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KEYS, 0))
    done: list[tuple[str, str, str]] = field(default_factory=list)
    due: int | None = None

    def passage(self) -> None:
        """The process may be cut off here."""
        if self.due is not None:
            self.due -= 1
            if self.due < 0:
                raise Killed

    def path(self, key: str, half: str) -> Path:
        return self.folder / f"{key}.{half}"

    def read(self, key: str) -> list[str | None]:
        paths = [self.path(key, half) for half in HALVES]
        return [path.read_text() if path.exists() else None for path in paths]

    def put(self, key: str, texts: Sequence[str | None], why: str) -> None:
        """Both files, with a place to be cut off before, between and after."""
        for half, text in zip(HALVES, texts, strict=True):
            self.passage()
            path = self.path(key, half)
            if text is None:
                path.unlink(missing_ok=True)
            else:
                path.write_text(text)
            self.done.append((why, key, half))
        self.passage()


@dataclass(frozen=True, kw_only=True)
class Written(Result):
    """The text that two files begin with."""

    what: str


class Put(Operation):
    """Writes two files."""

    def __init__(self, key: str, world: World) -> None:
        self.key, self.title, self.world = key, f"Put {key}", world
        self.gated = key in GATED

    async def plan(self, context: Context) -> Plan:
        what = f"{context.facts.answer(VALUE)} {self.world.wanted[self.key]}"
        again = (VALUE, "another") if self.key == "two.c" else None
        return Plan(
            self.key,
            self.title,
            destroys=(Loss("what was there", len(self.world.done)),),
            gate=Gate(self.key, again=again) if self.gated else None,
            facts={"what": what},
            details={"texts": [f"{what} {half}" for half in HALVES]},
        )

    async def undo_data(self, context: Context, plan: Plan) -> Mapping[str, Any]:
        return {"before": self.world.read(self.key)}

    async def apply(self, context: Context, plan: Plan) -> Written:
        self.world.done.append(("act", self.key, plan.fingerprint))
        self.world.put(self.key, plan.details["texts"], "put")
        return Written(what=plan.facts["what"])

    async def observe(self, context: Context, plan: Plan) -> Observation:
        found = self.world.read(self.key)
        before = context.session.journal.kept(self.key).get("before", found)
        as_planned = [a == b for a, b in zip(found, plan.details["texts"], strict=True)]
        if all(as_planned):
            return Observation(Seen.DONE, "both are written", Written(what=plan.facts["what"]))
        strange = [
            text
            for text, ours, theirs in zip(found, as_planned, before, strict=True)
            if not ours and text != theirs
        ]
        if strange:
            raise OperationFailed("Somebody wrote to the files.", found=f"{strange}")
        return Observation(Seen.PARTLY if any(as_planned) else Seen.NOT_DONE, f"{as_planned}")

    async def clear(self, context: Context, plan: Plan) -> None:
        await self.undo(context, plan, {})

    async def undo(self, context: Context, plan: Plan, facts: Mapping[str, Any]) -> None:
        self.world.put(self.key, context.session.journal.kept(self.key)["before"], "take back")


@dataclass
class Person:
    """Consents to what is shown, unless told to decline, to dawdle, or to begin anew."""

    world: World
    mood: str = ""
    value: str = ""
    anew: bool = False
    """Whether all was ever begun anew at a gate: consents to the same plans stand then."""
    interactive = False

    async def begin(self, step: Step) -> None: ...

    async def ask(
        self, questions: Sequence[Question], recorded: Mapping[str, Any]
    ) -> dict[str, Any]:
        return {each.key: self.value for each in questions}

    async def consent(self, plan: Plan, changed: Sequence[str]) -> None:
        if self.mood == "decline":
            raise Declined("no")
        if self.mood == "dawdle":
            self.world.wanted[plan.operation] += 1
        if self.mood == "another" and plan.gate and plan.gate.again:
            self.mood, self.anew = "", True
            raise StartOver(plan.operation, *plan.gate.again)

    async def failed(self, error: RemodelError, operation: str) -> Verdict:
        return "stop"


@contextmanager
def rows_are_passages(world: World) -> Iterator[None]:
    """Cut off before or after any row of the journal, as anywhere else."""
    write: Callable[..., None] = Journal.write

    def writing(self: Journal, *row: object) -> None:
        world.passage()
        write(self, *row)
        world.passage()

    with mock.patch.object(Journal, "write", writing):
        yield


class Crashes(RuleBasedStateMachine):
    """One session on four pairs of files."""

    @initialize()
    def begin(self) -> None:
        self.temporary = Path(tempfile.mkdtemp(dir=MEMORY if MEMORY.is_dir() else None))
        self.world = World(self.temporary / "world")
        self.world.folder.mkdir()
        self.person = Person(self.world)
        self.config = config.read(write_config(self.temporary))
        self.finished = False
        self.said: list[str] = []
        self.steps = [self._step("one", [StepQuestion(VALUE, "Which?")]), self._step("two", [])]
        session = sessions.begin(self.config)
        self.session = session.id
        session.close()

    def teardown(self) -> None:
        if hasattr(self, "temporary"):
            shutil.rmtree(self.temporary)

    def _step(self, name: str, questions: list[StepQuestion]) -> Step:
        operations = [Put(key, self.world) for key in KEYS if key.startswith(name)]
        return Step(name, name, "", "", "", lambda context: operations, lambda context: questions)

    # What may happen, in any order

    @rule(
        due=st.none() | st.integers(0, PASSAGES),
        mood=st.sampled_from(["", "", "", "decline", "dawdle", "another"]),
        value=st.sampled_from(["this", "that"]),
    )
    def go(self, due: int | None, mood: str, value: str) -> None:
        """Begin, or resume: to the end, to a refusal, or to a crash."""
        self._work(due, mood, value, lambda engine: engine.go())

    @rule(due=st.none() | st.integers(0, PASSAGES), to=st.sampled_from(["one", "two"]))
    def undo(self, due: int | None, to: str) -> None:
        """Take back from the end to a step; perhaps cut off."""
        self._work(due, "", "this", lambda engine: engine.undo(to))

    @rule(key=st.sampled_from(KEYS))
    def drift(self, key: str) -> None:
        """What a plan is made from changes."""
        self.world.wanted[key] += 1

    @precondition(lambda self: self._interrupted())
    @rule(due=st.none() | st.integers(0, 5), half=st.sampled_from(HALVES))
    def meddle(self, due: int | None, half: str) -> None:
        """Somebody writes to what was interrupted: a resume stops with the facts, moves nothing."""
        (key,) = self._interrupted()
        path = self.world.path(key, half)
        before = path.read_text() if path.exists() else None
        path.write_text("a stranger's")
        acts = len(self.world.done)
        stopped = self._work(due, "", "this", lambda engine: engine.go())
        assert isinstance(stopped, OperationFailed | Killed), stopped
        assert not isinstance(stopped, OperationFailed) or "a stranger's" in stopped.found
        assert len(self.world.done) == acts
        path.unlink() if before is None else path.write_text(before)

    def _work(self, due: int | None, mood: str, value: str, work: Work) -> BaseException | None:
        self.world.due, self.said = due, []
        self.person.mood, self.person.value = mood, value
        session = sessions.resume(self.config, self.session)
        stopped: BaseException | None = None
        with rows_are_passages(self.world):
            try:
                asyncio.run(self._engine(session, work))
            except (Killed, Declined, PlanStale, OperationFailed) as error:
                stopped = error
            finally:
                self.world.due = None
        if isinstance(stopped, Killed):  # without the courtesies of an end in good order
            session.journal._database.close()
            os.close(session.lock)
        else:
            session.close()
        (summary,) = sessions.summaries(self.config)
        self.finished = summary.finished
        return stopped

    async def _engine(self, session: Session, work: Work) -> None:
        events = Events()
        events.subscribe(self._hear)
        async with Context(self.config, session, events) as context:
            await work(Engine(context, self.steps, self.person))

    def _hear(self, event: Event) -> None:
        if isinstance(event, Finding) and event.name == "resumed":
            assert not self.said
            self.said.append(event.value)
            assert self.moved == len(self.world.done)

    # What has to hold

    def _rows(self) -> Sequence[tuple[str, str, dict[str, Any]]]:
        path = self.config.state / "sessions" / self.session / "journal.sqlite"
        journal = Journal(path.resolve(), read_only=True)
        rows = [(entry.operation, entry.kind, entry.data) for entry in journal.entries()]
        journal.close()
        return rows

    def _state(self) -> dict[str, str]:
        notes = ("answer", "consent", "kept")
        return {key: kind for key, kind, _ in self._rows() if kind not in notes}

    def _interrupted(self) -> list[str]:
        """Operations that may have acted: what was there before is written down."""
        kept: set[str] = set()
        for key, kind, _ in self._rows():
            if kind == "kept":
                kept.add(key)
            elif kind in ("undone", "cleared"):
                kept.discard(key)
        return [key for key, kind in self._state().items() if kind == "intent" and key in kept]

    @invariant()
    def done_is_done_in_order(self) -> None:
        """What is done is a beginning of the list, as planned; what is taken back is not there."""
        state, plans = self._state(), dict[str, Any]()
        for key, kind, data in self._rows():
            if kind == "intent":
                plans[key] = data
        done = [key for key in KEYS if state.get(key) == "done"]
        assert done == list(KEYS[: len(done)])
        for key in done:
            assert self.world.read(key) == plans[key]["details"]["texts"]
        for key in KEYS:
            if state.get(key) in (None, "cleared", "undone"):
                assert self.world.read(key) == [None, None]
        assert not self.finished or done == list(KEYS)
        self.moved = len(self.world.done)

    @invariant()
    def an_effect_that_stands_is_not_had_again(self) -> None:
        """Between two times of putting the same file, it was taken back."""
        standing: set[tuple[str, str]] = set()
        for why, key, half in self.world.done:
            if why == "put":
                assert (key, half) not in standing
                standing.add((key, half))
            elif why == "take back":
                standing.discard((key, half))

    @invariant()
    def each_act_is_behind_consent_to_its_plan(self) -> None:
        """Row by row: an intent behind a gate has the fingerprint of the consent before it, and
        what was done has that of an intent."""
        consented: dict[str, str] = {}
        intended: dict[str, list[str]] = {}
        for key, kind, data in self._rows():
            if kind == "consent":
                consented[key] = data["fingerprint"]
            elif kind == "intent":
                intended.setdefault(key, []).append(data["fingerprint"])
                assert key not in GATED or consented.get(key) == data["fingerprint"]
            elif kind in ("undone", "cleared") and not self.person.anew:
                consented.pop(key, None)  # what was consented to has happened, or has not
        acted: dict[str, list[str]] = {}
        for why, key, fingerprint in self.world.done:
            if why == "act":
                acted.setdefault(key, []).append(fingerprint)
        for key, fingerprints in acted.items():
            assert all(each in intended[key] for each in fingerprints)


Crashes.TestCase.settings = settings(
    max_examples=60,
    stateful_step_count=20,
    deadline=None,
    report_multiple_bugs=False,
    phases=[Phase.reuse, Phase.generate],  # shrinking would take minutes, and shows little more
)
test_crashes = pytest.mark.slow(Crashes.TestCase)
