"""One key at a gate: back to an earlier step, and everything as it was answered the first time."""

from __future__ import annotations

import pytest
from textual.pilot import Pilot

from screens.app import RemodelApp
from screens.gate import GateScreen
from tests.support import scripted_app
from tests.support.scripted_app import ScriptedProject
from wizard.base.errors import OperationFailed
from wizard.engine.context import Context
from wizard.engine.operation import Step, StepQuestion
from wizard.session.plan import Gate

ARCHIVE = StepQuestion(key="backup.archive", text="Which backup?", default="taken.dump")


class Asked:
    """Two steps that lead to a gate with another way, and what was done in them."""

    def __init__(self) -> None:
        self.fetch = scripted_app.Scripted("backup.fetch", "Fetch", act=self._fetch)
        self.restore = scripted_app.Scripted("backup.restore", "Restore", gate=Gate("harbour"))
        self.early = scripted_app.Scripted("production.deliver:staging", "To staging")
        self.early.survives_restart = lambda context: True  # type: ignore[method-assign]
        gate = Gate("production loses 2 rows", "production", ("backup.archive", "fetch"))
        self.deliver = scripted_app.Scripted("production.deliver:production", "Replace", gate=gate)
        self.fetched: list[str] = []
        self.breaks = False

    async def _fetch(self, context: Context) -> None:
        if self.breaks:
            self.breaks = False
            raise OperationFailed("The line went dead.")
        self.fetched.append(context.facts.answer("backup.archive"))

    @property
    def steps(self) -> tuple[Step, Step]:
        return (
            scripted_app.step("backup", self.fetch, self.restore, questions=[ARCHIVE]),
            scripted_app.step("production", self.early, self.deliver),
        )

    @property
    def done(self) -> tuple[int, int, int, int]:
        return (self.fetch.done, self.restore.done, self.early.done, self.deliver.done)


def at_gate(app: RemodelApp, words: str) -> bool:
    return isinstance(app.screen, GateScreen) and words in app.screen.phrase


async def to_the_gate(app: RemodelApp, pilot: Pilot[None]) -> None:
    """The first time: a question, a gate, and two steps that wait to be begun."""
    await pilot.press("enter")  # backup
    await scripted_app.until(pilot, lambda: "Which backup?" in scripted_app.text_of(app))
    await pilot.press("enter")
    await scripted_app.until(pilot, lambda: at_gate(app, "harbour"))
    await pilot.press(*"harbour", "enter")
    await scripted_app.until(
        pilot, lambda: app.shown_step == "production" and app._begin is not None
    )
    await pilot.press("enter")
    await scripted_app.until(pilot, lambda: at_gate(app, "loses"))


@pytest.mark.slow
async def test_f5_runs_everything_again_without_asking_again(project: ScriptedProject) -> None:
    asked = Asked()
    async with project.app(*asked.steps) as (app, pilot):
        await to_the_gate(app, pilot)
        await scripted_app.until(
            pilot, lambda: "F5 fetches again and replays" in scripted_app.text_of(app)
        )
        await pilot.press("f5")
        await scripted_app.until(pilot, lambda: asked.done[:2] == (2, 2) and at_gate(app, "loses"))
        assert asked.fetched == ["taken.dump", "fetch"]
        assert asked.done == (2, 2, 1, 0)
        await pilot.press("escape")
        await scripted_app.until(pilot, lambda: not isinstance(app.screen, GateScreen))
    assert asked.done == (2, 2, 1, 0)


@pytest.mark.slow
async def test_resumes_at_what_failed_after_f5(project: ScriptedProject) -> None:
    asked = Asked()
    async with project.app(*asked.steps) as (app, pilot):
        await to_the_gate(app, pilot)
        asked.breaks = True
        await pilot.press("f5")
        await scripted_app.until(pilot, lambda: "The line went dead." in scripted_app.text_of(app))
        await pilot.press("s")
        await scripted_app.until(pilot, lambda: not app.is_running)
    async with project.app(*asked.steps) as (app, pilot):
        await scripted_app.until(pilot, lambda: at_gate(app, "loses"))
    assert asked.fetched == ["taken.dump", "fetch"]
    assert asked.done == (2, 2, 1, 0)


async def test_f5_is_bound_only_where_a_gate_offers_it(project: ScriptedProject) -> None:
    plain = scripted_app.Scripted("project.act", "Act", gate=Gate("harbour"))
    async with project.app(scripted_app.step("project", plain)) as (app, pilot):
        await pilot.press("enter")
        await scripted_app.until(pilot, lambda: at_gate(app, "harbour"))
        await pilot.press("f5")
        await pilot.pause()
        assert at_gate(app, "harbour")
        assert "F5" not in scripted_app.text_of(app)
