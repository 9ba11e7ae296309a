"""Steps that are opened again for a person, and what a stale consent says."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.support.consenting_operator import Consenting
from tests.unit.counting_operation import WORLD, Act, go
from wizard.base.errors import ConsentMissing, Declined, InputMissing, PlanStale
from wizard.config import config
from wizard.engine.operation import Step, StepQuestion
from wizard.engine.operators import Plain, Reopened, Replay
from wizard.session import answers
from wizard.session import session as sessions
from wizard.session.answers import Answers
from wizard.session.plan import Gate, Plan


def step(name: str, target: str = "") -> Step:
    """A question whose answer is `as ever`, and an act behind a gate."""
    act = Act(f"{name}.act", gate="go", target=target)
    question = StepQuestion(f"{name}.how", "How?", default="as ever")
    about = f"What {name} is for."
    return Step(name, name, about, "", "", lambda context: [act], lambda context: [question])


def steps() -> list[Step]:
    return [step("one"), step("two", "production"), step("three")]


async def record(found: config.Config) -> Answers:
    with sessions.begin(found) as session:
        await go(session, Consenting({"two.how": "by hand"}), *steps())
        recorded = session.answers
    WORLD.clear()
    return replace(recorded, interactive=["two"])


class Person(Plain):
    """At line prompts, with these lines to type; what was shown is kept."""

    def __init__(self, *typed: str) -> None:
        self.shown: list[str] = []
        lines = iter(typed)

        def read(prompt: str) -> str:
            self.shown.append(prompt)
            if (line := next(lines, None)) is None:
                raise EOFError
            return line

        super().__init__(read, self.shown.append)


async def test_a_person_has_the_opened_step_and_nothing_else(found: config.Config) -> None:
    recorded = await record(found)
    WORLD["what"] = "that"  # since then
    recorded.consents["one.act"]["fingerprint"] = (
        await steps()[0].operations(None)[0].plan(None)  # type: ignore[arg-type]
    ).fingerprint
    recorded.consents["three.act"] = recorded.consents["one.act"]
    person = Person("", "", "go")
    with sessions.begin(found) as session:
        operator = Reopened(Replay(recorded, (), "by hand"), person, ["two"])
        with pytest.raises(PlanStale):  # of the third step, which nobody can be asked about
            await go(session, operator, *steps())
        assert session.answers.answers["two.how"] == "by hand"
        # Its consent was given anew, to the plan as it is, without --allow: a person typed it.
        assert session.answers.consents["two.act"]["plan"]["facts"] == {"what": "that"}
    told = "\n".join(person.shown)
    assert "What two is for." in told
    assert "What one is for." not in told
    assert "[by hand]" in told
    assert "changed since you looked: facts.what: was 'this', is now 'that'" in told
    assert (WORLD["one.act"], WORLD["two.act"], WORLD.get("three.act")) == (1, 1, None)


async def test_declining_an_opened_step_stops_the_run(found: config.Config) -> None:
    recorded = await record(found)
    with sessions.begin(found) as session:
        operator = Reopened(Replay(recorded, (), "by hand"), Person("", "", "no"), ["two"])
        with pytest.raises(Declined, match=r"the gate of two\.act"):
            await go(session, operator, *steps())
    assert (WORLD["one.act"], WORLD.get("two.act")) == (1, None)


async def test_a_recorded_consent_does_not_pass_an_opened_steps_gate(found: config.Config) -> None:
    """What is recorded passes the other gates alone; the target of those has to be allowed."""
    recorded = await record(found)
    with sessions.begin(found) as session:
        operator = Reopened(Replay(recorded, (), "by hand"), Person(), ["one"])
        with pytest.raises(InputMissing):  # the person has no line to type
            await go(session, operator, *steps())
        assert WORLD == {}
        operator = Reopened(Replay(recorded, (), "by hand"), Person("", "", "go"), ["one"])
        with pytest.raises(ConsentMissing, match="--allow production"):
            await go(session, operator, *steps())
    assert (WORLD["one.act"], WORLD.get("two.act")) == (1, None)


async def test_what_set_changed_stays_recorded_over_a_resume(found: config.Config) -> None:
    recorded = (await record(found)).with_changes({"one.how": "quickly"})
    question = StepQuestion("one.how", "How?")
    with sessions.begin(found) as session:
        session.answers.changed = recorded.changed
        session.answer(question, "quickly")
        name = session.id
    with sessions.resume(found, name) as session:
        session.answer(StepQuestion("two.how", "How?"), "by hand")
        path = session.folder / "answers.yml"
    assert answers.read(path).changed == ["one.how"]


BEFORE = Plan(
    "structure.model",
    "Write the class",
    gate=Gate("Podcast"),
    facts={
        "class": "class Podcast(Blog):\n    one = models.TextField()\n    two = models.Bar()\n",
        "pages": {"count": 3, "names": [f"/harbour-street/page-{n}/" for n in range(3)]},
        "ids": "new",
    },
)


async def test_a_stale_consent_names_the_differences() -> None:
    recorded = Answers()
    recorded.consent(BEFORE)
    names = [f"/harbour-street/page-{n}/" for n in (0, 2, 3)]
    now = replace(
        BEFORE,
        facts={
            "class": "class Podcast(Blog):\n    one = models.TextField()\n    two = models.Foo()\n",
            "pages": {"count": 3, "names": names},
            "ids": "kept",
        },
    )
    with pytest.raises(PlanStale) as raised:
        await Replay(recorded, (), "remodel resume 1").consent(now, [])
    assert int(raised.value.exit_code) == 5
    assert raised.value.found.splitlines() == [
        f"consented to {BEFORE.fingerprint}, the plan is {now.fingerprint}",
        "facts.class:",
        "    @@ -2,2 +2,2 @@",
        "         one = models.TextField()",
        "    -    two = models.Bar()",
        "    +    two = models.Foo()",
        "facts.ids: was 'new', is now 'kept'",
        "facts.pages.names:",
        "    gone: /harbour-street/page-1/",
        "    new:  /harbour-street/page-3/",
    ]
    assert "remodel resume 1" in raised.value.hint
