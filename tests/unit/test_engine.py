"""The engine's contract: consent before the act, intent before it, the world after a crash."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from tests.support.consenting_operator import Consenting
from tests.unit.counting_operation import WORLD, Act, go, kinds, step
from wizard.base.errors import (
    ConfigError,
    ConsentMissing,
    Declined,
    IdentityMismatch,
    InputMissing,
    OperationFailed,
    PlanStale,
    RemodelError,
)
from wizard.base.events import Event, Events, Finished, Progress
from wizard.base.redaction import Secret
from wizard.config import config
from wizard.config.fieldmap import FieldTable
from wizard.engine.context import Context
from wizard.engine.engine import Engine
from wizard.engine.operation import StepQuestion
from wizard.engine.operators import Plain, Replay, Verdict
from wizard.engine.result import Result
from wizard.session import session as sessions
from wizard.session.answers import Answers
from wizard.session.plan import Plan


async def test_a_finished_operation_does_not_run_again(found: config.Config) -> None:
    with sessions.begin(found) as session:
        await go(session, Consenting(), step(Act("one.act")))
        await go(session, Consenting(), step(Act("one.act")))
    assert WORLD["one.act"] == 1


async def test_a_skip_is_journaled_with_its_reason(found: config.Config) -> None:
    WORLD["skip one.act"] = "nothing to do"
    with sessions.begin(found) as session:
        await go(session, Consenting(), step(Act("one.act", gate="go")))
        state = session.journal.state("one.act")
        assert state is not None
        assert (state.kind, state.data["why"]) == ("skipped", "nothing to do")
    assert "one.act" not in WORLD


@pytest.mark.parametrize("breaks", ["before", "half", "after"])
async def test_interrupted_anywhere_the_effect_happens_once(
    found: config.Config, breaks: str
) -> None:
    with sessions.begin(found) as session:
        with pytest.raises((KeyboardInterrupt, OperationFailed)):
            await go(session, Consenting(), step(Act("one.act", gate="go", breaks=breaks)))
        await go(session, Consenting(), step(Act("one.act", gate="go")))
        assert WORLD["one.act"] == 1
        assert session.journal.state("one.act").kind == "done"  # type: ignore[union-attr]


class Drifting(Consenting):
    """While it consents, the world changes."""

    def __init__(self, interactive: bool) -> None:
        super().__init__()
        self.interactive = interactive
        self.changes: list[list[str]] = []

    async def consent(self, plan: Plan, changed: Sequence[str]) -> None:
        await super().consent(plan, changed)
        self.changes.append(list(changed))
        WORLD["what"] = "that"


async def test_a_plan_that_changed_at_the_gate_is_not_applied(found: config.Config) -> None:
    with sessions.begin(found) as session:
        with pytest.raises(PlanStale, match=r"facts\.what: was 'this', is now 'that'"):
            await go(session, Drifting(False), step(Act("one.act", gate="go")))
        assert kinds(session, "one.act") == []
    assert "one.act" not in WORLD


async def test_a_person_is_asked_again_with_the_difference(found: config.Config) -> None:
    operator = Drifting(True)
    with sessions.begin(found) as session:
        await go(session, operator, step(Act("one.act", gate="go")))
    assert operator.changes == [[], ["facts.what: was 'this', is now 'that'"]]
    assert WORLD["one.act"] == 1


async def test_numbers_that_grow_do_not_make_a_plan_stale(found: config.Config) -> None:
    with sessions.begin(found) as session:
        await go(session, Consenting(), step(Act("one.act", gate="go")))
        recorded = session.answers
    WORLD["count"] = 1000
    WORLD["one.act"] = 0
    with sessions.begin(found) as session:
        await go(session, Replay(recorded, [], session.id), step(Act("one.act", gate="go")))
    assert WORLD["one.act"] == 1


async def test_replay_needs_two_keys_for_a_target(found: config.Config) -> None:
    act = Act("one.act", gate="production", target="production")
    with sessions.begin(found) as session:
        await go(session, Consenting(), step(act))
        recorded = session.answers
    WORLD.clear()
    with sessions.begin(found) as session:
        with pytest.raises(ConsentMissing, match="--allow production"):
            await go(session, Replay(recorded, [], session.id), step(act))
        with pytest.raises(ConsentMissing, match=r"consents\.one\.act"):
            await go(session, Replay(Answers(), ["production"], session.id), step(act))
        assert WORLD == {}
        WORLD["what"] = "another thing"
        with pytest.raises(PlanStale, match="was 'this', is now 'another thing'"):
            await go(session, Replay(recorded, ["production"], session.id), step(act))
        WORLD.clear()
        await go(session, Replay(recorded, ["production"], session.id), step(act))
    assert WORLD["one.act"] == 1


async def test_replay_names_every_missing_answer(found: config.Config) -> None:
    questions = [StepQuestion("one.a", "A?"), StepQuestion("one.b", "B?")]
    with sessions.begin(found) as session, pytest.raises(InputMissing, match=r"one\.a, one\.b"):
        await go(session, Replay(Answers(), [], session.id), step(questions=questions))


async def test_stop_after_this_leaves_the_next_one(found: config.Config) -> None:
    with sessions.begin(found) as session:
        context = Context(found, session, Events())
        engine = Engine(context, [step(Act("one.a"), Act("one.b"))], Consenting())

        def stop(event: Event) -> None:
            if isinstance(event, Finished):
                engine.stop_after_this()

        context.events.subscribe(stop)
        with pytest.raises(Declined, match=r"before one\.b"):
            await engine.go()
    assert (WORLD["one.a"], WORLD.get("one.b")) == (1, None)


class Impatient(Consenting):
    """Has a failed operation tried again, once."""

    async def failed(self, error: RemodelError, operation: str) -> Verdict:
        WORLD["mended"] = True
        return "retry"


class Mendable(Act):
    async def apply(self, context: Context, plan: Plan) -> Result:
        if not WORLD.get("mended"):
            raise OperationFailed("broke", hint="mend it")
        return await super().apply(context, plan)


async def test_a_failed_operation_can_be_tried_again(found: config.Config) -> None:
    with sessions.begin(found) as session:
        await go(session, Impatient(), step(Mendable("one.act")))
        assert "failed" in kinds(session, "one.act")
        assert session.journal.state("one.act").kind == "done"  # type: ignore[union-attr]


async def test_answers_are_asked_once_and_recorded(found: config.Config) -> None:
    question = StepQuestion("one.a", "A?", default="yes")
    with sessions.begin(found) as session:
        await go(session, Consenting(), step(Act("one.act"), questions=[question]))
        assert session.answers.answers == {"one.a": "yes"}
        name = session.id
    with sessions.resume(found, name) as session:
        await go(session, Replay(Answers(), [], name), step(Act("one.act"), questions=[question]))


async def test_two_processes_cannot_work_on_one_session(found: config.Config) -> None:
    with (
        sessions.begin(found) as session,
        pytest.raises(OperationFailed, match="Another process"),
    ):
        sessions.resume(found, session.id)


async def test_a_session_belongs_to_its_config(found: config.Config) -> None:
    with sessions.begin(found) as session:
        name = session.id
    other = found.path.read_text().replace("slug: show", "slug: other")
    found.path.write_text(other)
    with pytest.raises(IdentityMismatch, match=r"conversion\.pages"):
        sessions.resume(config.read(found.path), name)


def test_sessions_are_listed_with_what_was_interrupted(found: config.Config) -> None:
    with sessions.begin(found) as session, pytest.raises(KeyboardInterrupt):
        asyncio.run(go(session, Consenting(), step(Act("one.a"), Act("one.b", breaks="after"))))
    (one,) = sessions.summaries(found)
    assert (one.done, one.interrupted, one.finished) == (["one.a"], ["one.b"], False)
    assert (found.state / "sessions").stat().st_mode & 0o777 == 0o700


async def test_plain_prompts_pass_a_gate_only_with_the_phrase(found: config.Config) -> None:
    typed = iter(["", "prod", "", "production"])
    shown: list[str] = []
    act = step(Act("one.act", gate="production", target="production"))
    with sessions.begin(found) as session:
        operator = Plain(read=lambda prompt: next(typed), write=shown.append)
        with pytest.raises(Declined, match=r"the gate of one\.act"):
            await go(session, operator, act)
        assert WORLD == {}
        await go(session, operator, act)
    assert WORLD["one.act"] == 1
    assert any("destroys: rows (1)" in text for text in shown)


def test_progress_is_coalesced_and_its_end_is_told() -> None:
    from wizard.base.events import Report

    events = Events()
    seen: list[Event] = []
    events.subscribe(seen.append)
    report = Report(events, "one.act")
    for done in range(1, 10_001):
        report.progress(done, 10_000, "rows")
    told = [event for event in seen if isinstance(event, Progress)]
    assert 2 <= len(told) < 100
    assert told[-1].done == 10_000


async def test_a_cancellation_waits_for_what_must_not_be_left_half_done() -> None:
    from wizard.base.process import to_its_end

    done: list[str] = []

    async def work() -> None:
        await asyncio.sleep(0.05)
        done.append("done")

    task = asyncio.ensure_future(to_its_end(work()))
    await asyncio.sleep(0)
    for _ in range(3):  # as often as somebody presses ctrl+c
        task.cancel()
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert done == ["done"]


def test_a_secret_with_quotes_is_masked_in_json() -> None:
    from wizard.base.redaction import redacted

    Secret('pa"ss\\word')
    assert redacted({"a": ['the pa"ss\\word was refused']}) == {"a": ["the •••••• was refused"]}


def test_a_broken_journal_is_an_error_of_one_line(found: config.Config) -> None:
    with sessions.begin(found) as session:
        path = session.folder / "journal.sqlite"
    for other in path.parent.glob("journal.sqlite*"):
        other.write_bytes(b"not a database" * 100)
    (one,) = sessions.summaries(found)
    assert one.trouble == "its journal cannot be read: file is not a database"
    for identifier in ("", session.id):
        with pytest.raises(OperationFailed, match="cannot be read: file is not a database"):
            sessions.resume(found, identifier)


async def test_a_question_that_does_not_apply_is_answered_empty(found: config.Config) -> None:
    async def never(context: Context) -> str:
        return "the model is there already"

    question = StepQuestion("one.class", "The class", kind="source", unless=never, optional=True)
    act = Act("one.act")
    with sessions.begin(found) as session:
        await go(session, Replay(Answers(), (), "by hand"), step(act, questions=[question]))
        assert session.answers.answers == {"one.class": ""}
    assert WORLD["one.act"] == 1


async def test_an_answer_that_the_project_refuses_is_asked_again_or_stops(
    found: config.Config,
) -> None:
    async def told(context: Context) -> FieldTable:
        data = {
            "direction": "sibling",
            "rows": [{"target": "summary", "how": "default", "type": "TextField"}],
            "choices": {"summary": ["intro"]},
        }
        return FieldTable.of(data, {})

    async def judge(context: Context, fields: Mapping[str, object]) -> None:
        if fields.get("summary") != {"from": "intro"}:
            raise ConfigError("The field map does not fit.")

    question = StepQuestion(
        "one.fields", "The field map", kind="fields", default_from=told, judge=judge
    )
    asked = step(Act("one.act"), questions=[question])
    with sessions.begin(found) as session:
        wrong = Answers(answers={"one.fields": {"summary": "drop"}})
        with pytest.raises(ConfigError):
            await go(session, Replay(wrong, (), "by hand"), asked)
        assert session.answers.answers == {}

        shown: list[str] = []
        typed = iter(["", "{summary: {value: 3}}", "r", "{summary: {from: intro}}"])
        operator = Plain(read=lambda prompt: next(typed), write=shown.append)
        await go(session, operator, asked)
        assert session.answers.answers == {"one.fields": {"summary": {"from": "intro"}}}
        assert any("summary\tdefault" in line for line in shown)
        assert any("summary\tconstant\t3" in line for line in shown)  # as it was left
    assert WORLD["one.act"] == 1
