"""Recorded answers on the screens: a person has the chosen steps, the rest goes by itself."""

from __future__ import annotations

from screens.form import FormScreen
from screens.gate import GateScreen
from screens.summary import SummaryScreen
from tests.support import scripted_app
from tests.support.scripted_app import ScriptedProject
from wizard.base.errors import ExitCode
from wizard.engine.operation import Step, StepQuestion
from wizard.engine.operators import Operator, Reopened, Replay
from wizard.session.answers import Answers
from wizard.session.plan import Gate, Plan

PAGES = StepQuestion("copy.pages", "Which pages?", default="none")
ARCHIVE = StepQuestion("backup.archive", "Which backup?")


class Recorded:
    """Three steps, what was recorded of them, and `copy` opened again."""

    def __init__(self) -> None:
        self.fetch = scripted_app.Scripted("backup.fetch", "Fetch", gate=Gate("harbour"))
        self.copy = scripted_app.Scripted("copy.convert", "Convert", gate=Gate("Podcast"))
        self.check = scripted_app.Scripted("production.check", "Check", gate=Gate("harbour"))
        self.answers = Answers({ARCHIVE.key: "taken.dump", PAGES.key: "/show/"})
        self.answers.consent(Plan("backup.fetch", "Fetch", gate=Gate("harbour")))
        self.answers.consent(Plan("copy.convert", "Convert", facts={"was": "otherwise"}))
        self.answers.consent(Plan("production.check", "Check", gate=Gate("harbour")))

    @property
    def steps(self) -> tuple[Step, ...]:
        return (
            scripted_app.step("backup", self.fetch, questions=[ARCHIVE]),
            scripted_app.step("copy", self.copy, questions=[PAGES]),
            scripted_app.step("production", self.check),
        )

    def wrap(self, operator: Operator) -> Operator:
        return Reopened(Replay(self.answers, (), "by hand"), operator, ["copy"])


async def test_opens_one_step_with_the_recorded_answers(project: ScriptedProject) -> None:
    recorded = Recorded()
    async with project.app(*recorded.steps, wrap_operator=recorded.wrap) as (app, pilot):
        # Nobody has begun anything, and the screen has followed.
        await scripted_app.until(pilot, lambda: app.shown_step == "copy" and app._begin is not None)
        assert (recorded.fetch.done, recorded.copy.done) == (1, 0)
        assert app.context.facts.answer(ARCHIVE.key) == "taken.dump"
        await pilot.press("enter")
        await scripted_app.until(pilot, lambda: isinstance(app.screen, FormScreen))
        assert "/show/" in scripted_app.text_of(app)
        await pilot.press("enter")
        await scripted_app.until(pilot, lambda: isinstance(app.screen, GateScreen))
        assert "was 'otherwise', is now None" in scripted_app.text_of(app)
        await pilot.press(*"Podcast", "enter")
        await scripted_app.until(pilot, lambda: isinstance(app.screen, SummaryScreen))
    assert (recorded.fetch.done, recorded.copy.done, recorded.check.done) == (1, 1, 1)


async def test_a_missing_answer_of_another_step_ends_with_its_code(
    project: ScriptedProject,
) -> None:
    recorded = Recorded()
    del recorded.answers.consents["production.check"]
    async with project.app(*recorded.steps, wrap_operator=recorded.wrap) as (app, pilot):
        await scripted_app.until(pilot, lambda: app._begin is not None)
        await pilot.press("enter")
        await scripted_app.until(pilot, lambda: isinstance(app.screen, FormScreen))
        await pilot.press("enter")
        await scripted_app.until(pilot, lambda: isinstance(app.screen, GateScreen))
        await pilot.press(*"Podcast", "enter")
        await scripted_app.until(pilot, lambda: not app.is_running)
    assert app.return_code == ExitCode.STOPPED
    assert recorded.check.done == 0
