"""The ledger on a screen: every place, its account, and the rows behind it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from textual.widgets import DataTable

from screens.ledger import EntryScreen, LedgerScreen
from screens.step import StepScreen
from tests.screens import scripted
from wizard.engine.context import Context
from wizard.reports import ledger
from wizard.reports.ledger import Entry, Ledger

SIZES = pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["80x24", "120x40"])
ACCOUNT = Ledger(
    (
        Entry("wagtailcore_page.alias_of_id", "foreign key", 2, kept=2),
        Entry(
            "wagtailcore_comment.page_id",
            "foreign key",
            1204,
            followed=1203,
            dropped=1,
            rows=(("7", "4", "followed"), ("8 [/x]", "4", "dropped")),
        ),
        Entry("cast_post.body", "link", 31, rewritten=31, rows=(("11", "4", "rewritten"),)),
        Entry("wagtailcore_revision.content", "revision", 14, rewritten=12, kept=2),
        Entry("wagtailcore_referenceindex.object_id", "index", 40, rebuilt=40),
        Entry("django_redirects_of_a_long_name.redirect_page_id", "foreign key", 0),
    )
)


def converting(account: Ledger) -> Any:
    """A copy step whose conversion keeps this ledger."""

    async def act(context: Context) -> None:
        ledger.write(context.session.folder, account)
        context.report.ledger(account.as_list())

    convert = scripted.Scripted("copy.convert", "Convert the pages to the new type", act=act)
    return scripted.step("copy", convert)


async def converted(app: Any, pilot: Any) -> None:
    """Let the copy step convert, and wait until the next step is on the screen."""
    await pilot.press("enter")
    await scripted.until(pilot, lambda: app.has_ledger)


def table(app: Any) -> Callable[[], int]:
    return lambda: app.screen.query_one(DataTable).row_count


async def test_it_is_offered_once_there_is_one(house: Any) -> None:
    async with house.app(
        converting(ACCOUNT), scripted.step("slugs", scripted.Scripted("slugs.pages", "Slugs"))
    ) as (app, pilot):
        assert "Ledger" not in scripted.text_of(app)
        await pilot.press("f2")
        assert isinstance(app.screen, StepScreen)
        await converted(app, pilot)
        await scripted.until(pilot, lambda: "Ledger" in scripted.text_of(app))
        await pilot.press("f2")
        assert isinstance(app.screen, LedgerScreen)
        await scripted.until(pilot, lambda: "1,203 followed, 1 dropped" in scripted.text_of(app))
        assert "1,291 rows and values" in scripted.text_of(app)
        await pilot.press("down", "enter")
        assert isinstance(app.screen, EntryScreen)
        await scripted.until(pilot, lambda: "8 [/x]" in scripted.text_of(app))
        assert "wagtailcore_comment.page_id" in scripted.text_of(app)
        assert "2 rows of 1,204, the first of them" in scripted.text_of(app)
        await pilot.press("f2")
        assert isinstance(app.screen, LedgerScreen)
        assert app.screen.query_one(DataTable).cursor_row == 1
        await pilot.press("escape")
        assert isinstance(app.screen, StepScreen)


async def test_a_damaged_ledger_is_told_and_nothing_breaks(house: Any) -> None:
    slugs = scripted.step("slugs", scripted.Scripted("slugs.pages", "Slugs"))
    async with house.app(converting(ACCOUNT), slugs) as (app, pilot):
        await converted(app, pilot)
        (app.context.session.folder / ledger.FILE).write_text("[{}]")
        await pilot.press("f2")
        (told,) = [one.message for one in app._notifications]
        assert "cannot be read" in told
        assert isinstance(app.screen, StepScreen)


@SIZES
async def test_how_it_looks(house: Any, looks: Any, size: tuple[int, int]) -> None:
    slugs = scripted.step("slugs", scripted.Scripted("slugs.pages", "Slugs"))
    async with house.app(converting(ACCOUNT), slugs, size=size) as (app, pilot):
        await converted(app, pilot)
        await pilot.press("f2", "down")
        await scripted.until(pilot, lambda: table(app)() == len(ACCOUNT.entries))
        await looks(app, pilot)


async def test_how_its_rows_look(house: Any, looks: Any) -> None:
    slugs = scripted.step("slugs", scripted.Scripted("slugs.pages", "Slugs"))
    async with house.app(converting(ACCOUNT), slugs) as (app, pilot):
        await converted(app, pilot)
        await pilot.press("f2", "down", "enter")
        await scripted.until(pilot, lambda: table(app)() == 2)
        await looks(app, pilot)
