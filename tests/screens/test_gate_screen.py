"""The gate: nothing gets through it by accident."""

from __future__ import annotations

from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Button, Input

from screens.app import RemodelApp
from screens.gate import GateScreen
from screens.step import StepScreen
from tests.support import scripted_app
from tests.support.scripted_app import ScriptedProject
from wizard.engine.context import Context
from wizard.session.plan import Gate, Loss, Plan


def gated(**more: object) -> scripted_app.Scripted:
    plan: dict[str, Any] = {
        "gate": Gate("production", "production"),
        "does": ("restore db.dump beside harbour",),
        "destroys": (Loss("pages of [/harbour]", 1204),),
        "undo": "`remodel rollback` swaps back",
        "facts": {"database": "harbour"},
        **more,
    }
    return scripted_app.Scripted("project.swap", "Replace harbour", **plan)


async def reach(app: RemodelApp, pilot: Pilot[None]) -> None:
    await pilot.press("enter")
    await scripted_app.until(pilot, lambda: isinstance(app.screen, GateScreen))


async def test_shows_what_is_consented_to(project: ScriptedProject) -> None:
    swap = gated()
    async with project.app(scripted_app.step("project", swap)) as (app, pilot):
        await reach(app, pilot)
        text = scripted_app.text_of(app)
        for told in (
            "Replace harbour",
            "restore db.dump beside harbour",
            "✗ Destroys: pages of [/harbour] (1,204)",
            "← Undo: `remodel rollback` swaps back",
            f"plan {(await swap.plan(app.context)).fingerprint}",
        ):
            assert told in text
        assert "more lines" not in text
        assert isinstance(app.focused, Input)


async def test_a_title_in_a_plan_acts_on_no_terminal(project: ScriptedProject) -> None:
    hostile = "a\x1b]0;x\x07b\x9b2Jc\u202ed\u2066e"
    swap = gated(does=(hostile,), destroys=(Loss(hostile, 1),), undo=hostile)
    async with project.app(scripted_app.step("project", swap)) as (app, pilot):
        await reach(app, pilot)
        text = scripted_app.text_of(app)
        assert "▶ abcde" in text and "Destroys: abcde (1)" in text and "Undo: abcde" in text
        assert not set(text) & set("\x1b\x07\x9b\u202e\u2066")


async def test_shows_the_plans_documents_inside_the_gate(project: ScriptedProject) -> None:
    swap = gated()
    plan = swap.plan

    async def telling(context: Context) -> Plan:
        context.report.document("A table", "table", "what\trows\nrevisions\t12")
        context.report.document("Change to models.py", "diff", "+one\n" * 40 + "+last [/x]")
        context.report.finding("not carried", "blog posts [/y]: 3", "warn", "nothing knows them")
        context.report.finding("seen", "nothing to worry about", "info")
        return await plan(context)

    swap.plan = telling  # type: ignore[method-assign]
    async with project.app(scripted_app.step("project", swap)) as (app, pilot):
        await reach(app, pilot)
        await scripted_app.until(
            pilot, lambda: "more lines: ↓ and PgDn" in scripted_app.text_of(app)
        )
        text = scripted_app.text_of(app)
        order = ("Undo:", "blog posts [/y]: 3", "Change to models.py")
        places = [text.index(told) for told in order]
        assert places == sorted(places)
        assert "nothing to worry about" not in text
        assert app.screen.query_one(Input).region.bottom <= 23
        await pilot.press(*["pagedown"] * 4)
        assert "+last [/x]" in scripted_app.text_of(app)
        await pilot.press(*["pagedown"] * 3)
        await scripted_app.until(pilot, lambda: "more line" not in scripted_app.text_of(app))
        assert "revisions" in scripted_app.text_of(app)
        await pilot.press(*"production", "enter")
        await scripted_app.until(pilot, lambda: swap.done == 1)


async def test_double_enter_does_not_pass(project: ScriptedProject) -> None:
    swap = gated()
    async with project.app(scripted_app.step("project", swap)) as (app, pilot):
        await pilot.press("enter", "enter", "enter")  # begins the step, then falls on the gate
        await scripted_app.until(pilot, lambda: isinstance(app.screen, GateScreen))
        await pilot.press("enter", "enter")
        assert isinstance(app.screen, GateScreen)
        assert app.screen.query_one("#gate-go", Button).disabled
        assert "Nothing was typed" in scripted_app.text_of(app)
    assert swap.done == 0


@pytest.mark.parametrize("typed", ["productio", "production ", "Production", "staging"])
async def test_only_the_exact_phrase_opens_it(project: ScriptedProject, typed: str) -> None:
    swap = gated()
    async with project.app(scripted_app.step("project", swap)) as (app, pilot):
        await reach(app, pilot)
        app.screen.query_one(Input).value = typed
        await pilot.press("enter")
        assert isinstance(app.screen, GateScreen)
        assert "is not 'production'" in scripted_app.text_of(app)
        app.screen.query_one(Input).value = ""
        await pilot.press(*"production")
        assert not app.screen.query_one("#gate-go", Button).disabled
        await pilot.press("enter")
        await scripted_app.until(pilot, lambda: swap.done == 1)


async def test_escape_declines_and_begin_opens_it_again(project: ScriptedProject) -> None:
    swap = gated()
    async with project.app(scripted_app.step("project", swap)) as (app, pilot):
        await reach(app, pilot)
        await pilot.press(*"production", "escape")
        await scripted_app.until(pilot, lambda: isinstance(app.screen, StepScreen))
        assert swap.done == 0
        assert "◆ gate" in scripted_app.text_of(app)
        await reach(app, pilot)
        assert app.screen.query_one(Input).value == ""
        await pilot.press(*"production", "enter")
        await scripted_app.until(pilot, lambda: swap.done == 1)


async def test_a_small_terminal_closes_it_until_it_grows(project: ScriptedProject) -> None:
    swap = gated()
    async with project.app(scripted_app.step("project", swap)) as (app, pilot):
        await reach(app, pilot)
        await pilot.press(*"production")
        await pilot.resize_terminal(79, 24)
        await pilot.pause()
        assert "this terminal is 79x24, a gate needs 80x24" in scripted_app.text_of(app)
        assert app.screen.query_one("#gate-go", Button).disabled
        await pilot.press("enter")
        assert isinstance(app.screen, GateScreen)
        await pilot.resize_terminal(80, 24)
        await pilot.pause()
        await pilot.press("enter")
        await scripted_app.until(pilot, lambda: swap.done == 1)


async def test_a_plan_that_changed_is_shown_again(project: ScriptedProject) -> None:
    swap = gated()
    plans = 0
    honest = swap.plan

    async def plan(context: Context) -> Plan:
        nonlocal plans
        plans += 1
        swap.made["facts"] = {"database": "harbour" if plans == 1 else "other_harbour"}
        return await honest(context)

    swap.plan = plan  # type: ignore[method-assign]
    async with project.app(scripted_app.step("project", swap)) as (app, pilot):
        await reach(app, pilot)
        first = app.screen
        await pilot.press(*"production", "enter")
        await scripted_app.until(
            pilot, lambda: isinstance(app.screen, GateScreen) and app.screen is not first
        )
        assert "▲ changed since you looked: facts.database: was 'harbour'" in scripted_app.text_of(
            app
        )
        assert app.screen.query_one(Input).value == ""
        assert swap.done == 0
        await pilot.press(*"production", "enter")
        await scripted_app.until(pilot, lambda: swap.done == 1)


async def test_a_long_plan_scrolls_and_the_input_stays_in_sight(project: ScriptedProject) -> None:
    swap = gated(does=tuple(f"does thing {number}" for number in range(60)))
    async with project.app(scripted_app.step("project", swap)) as (app, pilot):
        await reach(app, pilot)
        field = app.screen.query_one(Input).region
        assert field.bottom <= 23
        await scripted_app.until(pilot, lambda: "more lines" in scripted_app.text_of(app))
        assert "swaps back" not in scripted_app.text_of(app)
        await pilot.press(*["pagedown"] * 8)
        assert "swaps back" in scripted_app.text_of(app)


async def test_ctrl_c_leaves_from_the_gate(project: ScriptedProject) -> None:
    swap = gated()
    async with project.app(scripted_app.step("project", swap)) as (app, pilot):
        await reach(app, pilot)
        await pilot.press("ctrl+c")
        await pilot.press("l")
        await scripted_app.until(pilot, lambda: not app.is_running)
    assert app.return_code == 4
    assert swap.done == 0
