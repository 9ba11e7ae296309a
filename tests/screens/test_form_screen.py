"""Questions as forms."""

from __future__ import annotations

import pytest
from textual.widgets import Input

from screens.form import FormScreen
from screens.setup import SetupApp
from tests.support import scripted_app
from tests.support.scripted_app import ScriptedProject
from wizard.engine.operation import StepQuestion


def short(value: str) -> None:
    if len(value) > 8:
        raise ValueError(f"{value!r} is longer than 8 letters [/too long]")


QUESTIONS = (
    StepQuestion("project.name", "Its name?", help="Not longer than [8] letters.", check=short),
    StepQuestion("project.count", "How many?", kind="number", default=3),
    StepQuestion("project.how", "How?", kind="choice", choices=("fetch", "take"), default="take"),
    StepQuestion("project.where", "Where?", kind="many", choices=("staging", "production")),
)


async def test_answers_are_checked_where_they_stand(project: ScriptedProject) -> None:
    one = scripted_app.Scripted("project.one", "One")
    step = scripted_app.step("project", one, questions=QUESTIONS)
    async with project.app(step) as (app, pilot):
        assert "4 questions" in scripted_app.text_of(app)
        await pilot.press("enter")
        await scripted_app.until(pilot, lambda: isinstance(app.screen, FormScreen))
        await pilot.press("ctrl+n")
        assert "an answer is needed here" in scripted_app.text_of(app)
        await pilot.press(*"far too long", "enter")
        assert "is longer than 8 letters [/too long]" in scripted_app.text_of(app)
        app.screen.query_one(Input).value = ""
        await pilot.press(*"show", "enter")  # on to the number
        await pilot.press("backspace", "7", "ctrl+n")  # nothing chosen in the last
        assert isinstance(app.screen, FormScreen)
        # Which boxes are ticked is told in words: without colours they all look alike.
        assert "✓ take" in scripted_app.text_of(app)
        assert "nothing is chosen" in scripted_app.text_of(app)
        await pilot.press("space")
        await scripted_app.until(pilot, lambda: "✓ staging" in scripted_app.text_of(app))
        await pilot.press("ctrl+n")
        await scripted_app.until(pilot, lambda: one.done == 1)
        assert app.context.session.answers.answers == {
            "project.name": "show",
            "project.count": 7,
            "project.how": "take",
            "project.where": ["staging"],
        }


async def test_a_source_is_accepted_with_enter_as_it_stands(project: ScriptedProject) -> None:
    text = "class Podcast(Blog):\n    new_keywords = models.CharField(max_length=255)\n"
    one = scripted_app.Scripted("project.one", "One")
    question = StepQuestion("project.class", "The class", kind="source", default=text)
    async with project.app(scripted_app.step("project", one, questions=[question])) as (app, pilot):
        await pilot.press("enter")
        await scripted_app.until(pilot, lambda: isinstance(app.screen, FormScreen))
        assert "class Podcast(Blog):" in scripted_app.text_of(app)
        await pilot.press("enter")
        await scripted_app.until(pilot, lambda: one.done == 1)
        assert app.context.session.answers.answers["project.class"] == text


async def test_setup_asks_and_returns_the_answers() -> None:
    app = SetupApp(QUESTIONS[:2], [("database", "harbour [/x]")])
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        lines = app.screen._compositor.render_strips()
        assert any("harbour [/x]" in "".join(s.text for s in line) for line in lines)
        await pilot.press(*"show", "enter", "enter")
        await pilot.pause()
    assert app.return_value == {"project.name": "show", "project.count": 3}


@pytest.mark.parametrize("key", ["ctrl+c", "ctrl+q"])
async def test_leaving_setup_answers_nothing(key: str) -> None:
    app = SetupApp(QUESTIONS[:2], [])
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press(*"show", key)
        await pilot.pause()
    assert app.return_value is None
