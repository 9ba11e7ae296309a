"""What is drawn, how often, and at what size."""

from __future__ import annotations

import asyncio

import pytest

from screens.widgets.operations import Operations
from tests.support import scripted_app
from tests.support.scripted_app import ScriptedProject
from wizard.base.events import Progress
from wizard.engine.context import Context


@pytest.mark.slow
async def test_a_flood_of_progress_is_coalesced(project: ScriptedProject) -> None:
    drawn = []
    work = scripted_app.Held()

    async def flood(context: Context) -> None:
        for number in range(20_000):
            context.events.emit(Progress("project.one", number, 20_000, "rows"))
            if number % 10 == 0:
                await asyncio.sleep(0)
        context.report.line("django", "the last line")
        await work(context)

    one = scripted_app.Scripted("project.one", "One", act=flood)
    async with project.app(scripted_app.step("project", one)) as (app, pilot):
        draw = app.draw

        def counted() -> None:
            drawn.append(1)
            draw()

        app.draw = counted  # type: ignore[method-assign]
        await pilot.press("enter")
        await scripted_app.until(pilot, work.begun.is_set, 30)
        await scripted_app.until(pilot, lambda: "the last line" in scripted_app.text_of(app))
    assert 0 < len(drawn) < 2000  # of 20,000; the slower the machine, the more


async def test_resizing_keeps_the_step_and_its_state(project: ScriptedProject) -> None:
    one = scripted_app.Scripted("project.one", "One", about="what it does")
    async with project.app(scripted_app.step("project", one)) as (app, pilot):
        await pilot.resize_terminal(60, 18)
        await pilot.pause()
        assert "gates stay closed below 80x24" in scripted_app.text_of(app)
        await pilot.resize_terminal(120, 40)
        await pilot.pause()
        text = scripted_app.text_of(app)
        assert "gates stay closed" not in text
        assert "what it does" in text
        assert app.screen.query_one(Operations).display
