"""Taking operations back: what an undo needs, crashes in it, and where it stops."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.support.consenting_operator import Consenting
from tests.unit.counting_operation import WORLD, Act, go, kinds, step
from wizard.base.errors import (
    ConnectionFailed,
    OperationFailed,
    UsageError,
)
from wizard.base.events import Events
from wizard.base.redaction import Secret
from wizard.config import config
from wizard.engine.context import Context
from wizard.engine.engine import Engine
from wizard.engine.operation import Observation, StepQuestion
from wizard.session import session as sessions
from wizard.session.plan import Plan


async def test_consent_then_intent_then_undo_then_outcome(found: config.Config) -> None:
    with sessions.begin(found) as session:
        await go(session, Consenting(), step(Act("one.act", gate="go")))
        assert kinds(session, "one.act") == ["consent", "intent", "kept", "done"]
        assert WORLD["one.act"] == 1
        assert session.journal.noted("finished") is True


async def test_undo_goes_back_to_a_step(found: config.Config) -> None:
    steps = [step(Act("one.a"), Act("one.b"))]
    with sessions.begin(found) as session:
        await go(session, Consenting(), *steps)
        engine = Engine(Context(found, session, Events()), steps, Consenting())
        assert await engine.undo("one") == ["one.b", "one.a"]
        assert (WORLD["one.a"], WORLD["one.b"]) == (0, 0)
        with pytest.raises(UsageError):
            await engine.undo("two")
        await go(session, Consenting(), *steps)
    assert (WORLD["one.a"], WORLD["one.b"]) == (1, 1)


async def test_a_resume_finishes_a_crashed_undo_first(found: config.Config) -> None:
    broken, whole = Act("one.a", breaks="undo"), Act("one.a")
    with sessions.begin(found) as session:
        await go(session, Consenting(), step(broken))
        engine = Engine(Context(found, session, Events()), [step(broken)], Consenting())
        with pytest.raises(KeyboardInterrupt):
            await engine.undo("one")
        assert kinds(session, "one.a")[-1] == "undoing"
        assert sessions.summaries(found)[0].interrupted == ["one.a"]
        WORLD["one.a"] = 7  # what the half-done undo left: neither before nor after
        await go(session, Consenting(), step(whole))
        assert kinds(session, "one.a")[-4:] == ["undone", "intent", "kept", "done"]
    assert WORLD["one.a"] == 1


async def test_a_failed_undo_is_resumed_as_an_undo(found: config.Config) -> None:
    class Refusing(Act):
        async def undo(self, context: Context, plan: Plan, facts: Mapping[str, Any]) -> None:
            raise OperationFailed("cannot")

    with sessions.begin(found) as session:
        await go(session, Consenting(), step(Refusing("one.a")))
        engine = Engine(Context(found, session, Events()), [step(Refusing("one.a"))], Consenting())
        with pytest.raises(OperationFailed):
            await engine.undo("one")
        with pytest.raises(OperationFailed):
            await go(session, Consenting(), step(Refusing("one.a")))
        assert kinds(session, "one.a")[-1] == "undoing"


async def test_undo_data_is_taken_anew_for_each_attempt(found: config.Config) -> None:
    with sessions.begin(found) as session:
        await go(session, Consenting(), step(Act("one.a")))
        await Engine(Context(found, session, Events()), [step(Act("one.a"))], Consenting()).undo(
            "one"
        )
        WORLD["one.a"] = 40  # the operator's own work in between
        await go(session, Consenting(), step(Act("one.a")))
        assert session.journal.kept("one.a") == {"before": 40}


async def test_undo_data_with_a_secret_is_refused(found: config.Config) -> None:
    WORLD["one.a"] = f"API_KEY = {Secret('sk-4fT9-undo-7w').reveal()!r}"  # as a models file has it
    with sessions.begin(found) as session:
        with pytest.raises(OperationFailed, match="cannot be written down") as raised:
            await go(session, Consenting(), step(Act("one.a")))
        assert kinds(session, "one.a") == ["intent", "failed"]
    assert "(before)" in raised.value.found and "sk-4fT9" not in str(raised.value)
    assert WORLD == {"one.a": "API_KEY = 'sk-4fT9-undo-7w'"}


async def test_an_intent_from_before_an_undo_is_not_observed(found: config.Config) -> None:
    with sessions.begin(found) as session:
        await go(session, Consenting(), step(Act("one.a")))
        await Engine(Context(found, session, Events()), [step(Act("one.a"))], Consenting()).undo(
            "one"
        )
        session.journal.write("one.a", "failed", {"message": "its plan could not be made"})
        WORLD["one.a"] = 1  # looks as if it were done; it is not of this attempt
        await go(session, Consenting(), step(Act("one.a")))
    assert WORLD["one.a"] == 2


async def test_finalize_runs_after_a_crash_hid_the_outcome(found: config.Config) -> None:
    with sessions.begin(found) as session:
        with pytest.raises(KeyboardInterrupt):
            await go(session, Consenting(), step(Act("one.a", breaks="after")))
        assert "settled" not in WORLD
        await go(session, Consenting(), step(Act("one.a")))
    assert WORLD["settled"] == 1


async def test_undo_forgets_the_answers_of_its_steps(found: config.Config) -> None:
    question = StepQuestion("one.a", "A?", default="yes")
    steps = [step(Act("one.act"), questions=[question])]
    with sessions.begin(found) as session:
        await go(session, Consenting(), *steps)
        await Engine(Context(found, session, Events()), steps, Consenting()).undo("one")
        assert session.answers.answers == {}
        await go(session, Consenting({"one.a": "no"}), *steps)
        assert session.answers.answers == {"one.a": "no"}


async def test_undo_stops_where_a_target_was_touched(found: config.Config) -> None:
    steps = [step(Act("one.a"), Act("one.b", gate="production", target="production"))]
    with sessions.begin(found) as session:
        await go(session, Consenting(), *steps)
        engine = Engine(Context(found, session, Events()), steps, Consenting())
        with pytest.raises(OperationFailed, match="production"):
            await engine.undo("one")
    assert (WORLD["one.a"], WORLD["one.b"]) == (1, 1)


class Stubborn(Act):
    """Its undo fails as long as WORLD says so, and puts back what `restores` names."""

    def restores(self, context: Context, plan: Plan) -> str:
        return str(WORLD.get(f"place {self.key}", ""))

    async def undo(self, context: Context, plan: Plan, facts: Mapping[str, Any]) -> None:
        if why := WORLD.get(f"stuck {self.key}"):
            raise ConnectionFailed(f"{self.key} cannot.", hint=why)
        await super().undo(context, plan, facts)


async def test_what_cannot_be_undone_keeps_nothing_else_from_it(found: config.Config) -> None:
    question = StepQuestion("one.a", "A?", default="yes")
    steps = [step(*(Stubborn(f"one.{name}") for name in "abc"), questions=[question])]
    WORLD["stuck one.b"] = "Start the server."
    with sessions.begin(found) as session:
        await go(session, Consenting(), *steps)
        engine = Engine(Context(found, session, Events()), steps, Consenting())
        with pytest.raises(ConnectionFailed) as stopped:
            await engine.undo("one")
        assert (WORLD["one.a"], WORLD["one.b"], WORLD["one.c"]) == (0, 1, 0)
        for words in ("1 operation was not undone", "one.b: one.b cannot.", "Start the server."):
            assert words in str(stopped.value)
        assert "`remodel undo --to one` again" in stopped.value.hint
        assert session.answers.answers == {"one.a": "yes"}  # its operations may depend on it
        del WORLD["stuck one.b"]
        assert await engine.undo("one") == ["one.b"]
        assert WORLD["one.b"] == 0
        assert session.answers.answers == {}


async def test_an_earlier_undo_settles_a_later_one_that_failed(found: config.Config) -> None:
    """Undone after it, the later one would bring back what is later."""
    steps = [step(Stubborn("one.a"), Stubborn("one.b"), Stubborn("one.c"))]
    WORLD.update({"place one.a": "there", "place one.b": "there", "place one.c": "elsewhere"})
    WORLD.update({"stuck one.b": "Wait.", "stuck one.c": "Wait."})
    with sessions.begin(found) as session:
        await go(session, Consenting(), *steps)
        engine = Engine(Context(found, session, Events()), steps, Consenting())
        with pytest.raises(ConnectionFailed, match=r"^1 operation was not undone") as stopped:
            await engine.undo("one")
        assert "one.b" not in stopped.value.found
        assert [kinds(session, f"one.{name}")[-1] for name in "abc"] == [
            *("undone", "undone", "undoing")
        ]


async def test_a_delivery_keeps_everything_from_being_undone(found: config.Config) -> None:
    delivery = Act("one.b", gate="production", target="production")
    steps = [step(Act("one.a"), delivery, Act("one.c"))]
    with sessions.begin(found) as session:
        await go(session, Consenting(), *steps)
        engine = Engine(Context(found, session, Events()), steps, Consenting())
        with pytest.raises(OperationFailed, match="has been delivered to"):
            await engine.undo("one")
        assert kinds(session, "one.b")[-1] == "done"
        assert kinds(session, "one.c")[-1] == "done"


async def test_an_undo_that_asks_the_project_is_a_fault(found: config.Config) -> None:
    class Asking(Act):
        async def undo(self, context: Context, plan: Plan, facts: Mapping[str, Any]) -> None:
            await context.worker.client()

    with sessions.begin(found) as session:
        await go(session, Consenting(), step(Asking("one.a")))
        engine = Engine(Context(found, session, Events()), [step(Asking("one.a"))], Consenting())
        with pytest.raises(RuntimeError, match="asks the project nothing"):
            await engine.undo("one")


async def test_an_attempt_that_was_cut_off_is_undone_without_a_look(found: config.Config) -> None:
    class Blind(Act):
        observed_before_undo = False

        async def observe(self, context: Context, plan: Plan) -> Observation:
            raise AssertionError("the world was asked")

    broken = step(Blind("one.a", breaks="after"))
    with sessions.begin(found) as session:
        with pytest.raises(KeyboardInterrupt):
            await go(session, Consenting(), broken)
        assert WORLD["one.a"] == 1
        engine = Engine(Context(found, session, Events()), [broken], Consenting())
        assert await engine.undo("one") == ["one.a"]
    assert WORLD["one.a"] == 0
