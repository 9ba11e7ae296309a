"""The page tree: read as far as it is looked at, and every title as it is written."""

from __future__ import annotations

import time
from typing import Any

from screens.widgets.tree import PagesTree
from tests.screens import scripted
from wizard.session.plan import Gate


def copying() -> Any:
    async def mark(run: Any) -> None:
        run.report.tree({11: "moved", 12: "going"}, planned=True)

    return scripted.step(
        "copy",
        scripted.Scripted("copy.plan", "Plan", act=mark),
        scripted.Scripted("copy.delete", "Delete", gate=Gate("show")),
    )


async def test_100000_pages_open_at_once_and_read_on_by_the_hundred(house: Any) -> None:
    async with house.app(copying()) as (app, pilot):
        await scripted.until(pilot, lambda: "bad [/admin]" in scripted.text_of(app))
        tree = app.screen.query_one(PagesTree)
        assert "[b]Bold[/b] harbour" in scripted.text_of(app)
        assert "100,000 below" in scripted.text_of(app)
        home = tree.root.children[0].children[0]
        assert len(home.children) == 101  # a hundred pages and `more`
        tree.focus()
        began = time.monotonic()
        await pilot.press("end")
        await scripted.until(pilot, lambda: len(home.children) == 201)
        assert time.monotonic() - began < 2
        assert "… 99,900 more" not in scripted.text_of(app)
    assert max(offset for _, offset in house.pages.asked) == 100


async def test_marks_are_shown_with_word_and_glyph(house: Any) -> None:
    async with house.app(copying(), size=(120, 40)) as (app, pilot):
        await pilot.press("enter")
        await scripted.until(pilot, lambda: app.model.steps["copy"].state == "gate")
        await pilot.press("escape")
        await scripted.until(pilot, lambda: "→ will move  Show" in scripted.text_of(app))
        text = scripted.text_of(app)
        assert "✗ will go  [b]Bold[/b] harbour" in text
        assert "→ 1 will move   ✗ 1 will go" in text
        app.context.report.tree({10: "new", 11: "moved"})
        await scripted.until(pilot, lambda: "+ new  bad [/admin]" in scripted.text_of(app))
        assert "→ moved  Show" in scripted.text_of(app)


async def test_what_was_opened_stays_open_when_the_tree_changes(house: Any) -> None:
    async with house.app(copying(), size=(120, 40)) as (app, pilot):
        await scripted.until(pilot, lambda: "Show" in scripted.text_of(app))
        tree = app.screen.query_one(PagesTree)
        show = tree.root.children[0].children[0].children[1]
        show.expand()
        await scripted.until(pilot, lambda: len(show.children) == 31)
        asked = len(house.pages.asked)
        app.context.report.tree({})
        await scripted.until(pilot, lambda: len(house.pages.asked) >= asked + 4)
        again = tree.root.children[0].children[0].children[1]
        assert again.is_expanded
        await scripted.until(pilot, lambda: len(again.children) == 31)


async def test_no_pages_yet_is_said_in_the_tree(house: Any) -> None:
    house.pages.missing = True
    async with house.app(copying()) as (app, pilot):
        await scripted.until(pilot, lambda: "There are no Wagtail pages" in scripted.text_of(app))
        house.pages.missing = False
        app.context.report.tree({})
        await scripted.until(pilot, lambda: "bad [/admin]" in scripted.text_of(app))
