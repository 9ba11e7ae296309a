"""What it looks like, at 80x24 and 120x40. `pytest --snapshot-update` takes new pictures."""

from __future__ import annotations

import asyncio

import pytest
from textual.pilot import Pilot

from screens.app import RemodelApp
from screens.failed import FailedScreen
from screens.gate import GateScreen
from screens.step import StepScreen
from screens.widgets.tree import PagesTree
from tests.screens.sample_steps import sample_steps
from tests.support import scripted_app
from tests.support.scripted_app import Looks, ScriptedProject
from wizard.base.errors import ConnectionFailed
from wizard.engine.context import Context
from wizard.engine.operation import Step

SIZES = pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["80x24", "120x40"])
STEPS = ("project", "backup", "structure", "copy", "slugs", "production")


def told(*names: str, hold: asyncio.Event) -> list[Step]:
    """These steps of the story; the others have nothing to do."""
    steps = sample_steps(hold)
    return [step for step in steps if step.name in names]


async def at_work(app: RemodelApp, pilot: Pilot[None], name: str) -> None:
    """Begin the step and wait until its held operation is drawn, with what it reported."""
    await scripted_app.until(
        pilot, lambda: isinstance(app.screen, StepScreen) and app.screen.step.name == name
    )
    await pilot.press("enter")
    state = app.model.steps[name]
    await scripted_app.until(pilot, lambda: state.state == "running")
    if name == "copy":
        await scripted_app.until(pilot, lambda: "will move" in scripted_app.text_of(app))
        tree = app.screen.query_one(PagesTree)
        await scripted_app.until(pilot, lambda: len(tree.root.children) == 1)
        await scripted_app.until(pilot, lambda: "Show" in scripted_app.text_of(app))


@SIZES
@pytest.mark.parametrize("name", STEPS)
async def test_matches_the_pictures_of_each_step(
    project: ScriptedProject, looks: Looks, name: str, size: tuple[int, int]
) -> None:
    hold = asyncio.Event()
    async with project.app(*told(name, hold=hold), size=size) as (app, pilot):
        await at_work(app, pilot, name)
        await looks(app, pilot)


@SIZES
async def test_matches_the_pictures_before_a_step_begins(
    project: ScriptedProject, looks: Looks, size: tuple[int, int]
) -> None:
    steps = told(*STEPS, hold=asyncio.Event())
    async with project.app(*steps, size=size) as (app, pilot):
        await looks(app, pilot)


@SIZES
async def test_matches_the_pictures_of_a_gate(
    project: ScriptedProject, looks: Looks, size: tuple[int, int]
) -> None:
    hold = asyncio.Event()
    hold.set()
    async with project.app(*told("backup", hold=hold), size=size) as (app, pilot):
        await pilot.press("enter")
        await scripted_app.until(pilot, lambda: isinstance(app.screen, GateScreen))
        await pilot.press(*"harb", "enter")
        await looks(app, pilot)


async def test_matches_the_picture_without_color(
    project: ScriptedProject, looks: Looks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with project.app(*told("project", hold=asyncio.Event())) as (app, pilot):
        await at_work(app, pilot, "project")
        assert app.no_color
        for word in ("✓ ok", "▲ warn", "▶ running", "✓ done"):
            assert word in scripted_app.text_of(app)
        await looks(app, pilot)


async def test_matches_the_picture_of_an_error(project: ScriptedProject, looks: Looks) -> None:
    async def refuse(context: Context) -> None:
        raise ConnectionFailed(
            "The dump of production broke off after 7.9 MB.",
            found="pg_dump: error: connection to server was lost [/x]",
            hint="Look at the network, then r fetches it anew.",
        )

    fetch = scripted_app.Scripted("backup.fetch", "Fetch a backup of production", act=refuse)
    async with project.app(scripted_app.step("backup", fetch)) as (app, pilot):
        await pilot.press("enter")
        await scripted_app.until(pilot, lambda: isinstance(app.screen, FailedScreen))
        await looks(app, pilot)
