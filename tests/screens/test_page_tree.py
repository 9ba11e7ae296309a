"""The page tree: read as far as it is looked at, and every title as it is written."""

from __future__ import annotations

import time

from screens.widgets.tree import PagesTree
from tests.support import scripted_app
from tests.support.scripted_app import ScriptedProject
from wizard.engine.context import Context
from wizard.engine.operation import Step
from wizard.session.plan import Gate


def copying() -> Step:
    async def mark(context: Context) -> None:
        context.report.tree({11: "moved", 12: "going"}, planned=True)

    return scripted_app.step(
        "copy",
        scripted_app.Scripted("copy.plan", "Plan", act=mark),
        scripted_app.Scripted("copy.delete", "Delete", gate=Gate("show")),
    )


async def test_loads_100000_pages_by_the_hundred(
    project: ScriptedProject,
) -> None:
    async with project.app(copying()) as (app, pilot):
        await scripted_app.until(pilot, lambda: "bad [/admin]" in scripted_app.text_of(app))
        tree = app.screen.query_one(PagesTree)
        assert "[b]Bold[/b] harbour" in scripted_app.text_of(app)
        assert "100,000 below" in scripted_app.text_of(app)
        home = tree.root.children[0].children[0]
        assert len(home.children) == 101  # a hundred pages and `more`
        tree.focus()
        began = time.monotonic()
        await pilot.press("end")
        await scripted_app.until(pilot, lambda: len(home.children) == 201)
        assert time.monotonic() - began < 2
        assert "… 99,900 more" not in scripted_app.text_of(app)
    assert max(offset for _, offset in project.pages.asked) == 100


async def test_marks_are_shown_with_word_and_glyph(project: ScriptedProject) -> None:
    async with project.app(copying(), size=(120, 40)) as (app, pilot):
        await pilot.press("enter")
        await scripted_app.until(pilot, lambda: app.model.steps["copy"].state == "gate")
        await pilot.press("escape")
        await scripted_app.until(pilot, lambda: "→ will move  Show" in scripted_app.text_of(app))
        text = scripted_app.text_of(app)
        assert "✗ will go  [b]Bold[/b] harbour" in text
        assert "→ 1 will move   ✗ 1 will go" in text
        app.context.report.tree({10: "new", 11: "moved"})
        await scripted_app.until(pilot, lambda: "+ new  bad [/admin]" in scripted_app.text_of(app))
        assert "→ moved  Show" in scripted_app.text_of(app)


async def test_what_was_opened_stays_open_when_the_tree_changes(project: ScriptedProject) -> None:
    async with project.app(copying(), size=(120, 40)) as (app, pilot):
        await scripted_app.until(pilot, lambda: "Show" in scripted_app.text_of(app))
        tree = app.screen.query_one(PagesTree)
        show = tree.root.children[0].children[0].children[1]
        show.expand()
        await scripted_app.until(pilot, lambda: len(show.children) == 31)
        asked = len(project.pages.asked)
        app.context.report.tree({})
        await scripted_app.until(pilot, lambda: len(project.pages.asked) >= asked + 4)
        again = tree.root.children[0].children[0].children[1]
        assert again.is_expanded
        await scripted_app.until(pilot, lambda: len(again.children) == 31)


async def test_the_tree_says_that_there_are_no_pages_yet(project: ScriptedProject) -> None:
    project.pages.missing = True
    async with project.app(copying()) as (app, pilot):
        await scripted_app.until(
            pilot, lambda: "There are no Wagtail pages" in scripted_app.text_of(app)
        )
        project.pages.missing = False
        app.context.report.tree({})
        await scripted_app.until(pilot, lambda: "bad [/admin]" in scripted_app.text_of(app))
