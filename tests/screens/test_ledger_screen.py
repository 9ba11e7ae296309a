"""The ledger on a screen: every place, its account, and the rows behind it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from textual.pilot import Pilot
from textual.widgets import DataTable

from screens.app import RemodelApp
from screens.ledger import EntryScreen, LedgerScreen
from screens.step import StepScreen
from tests.support import scripted_app
from tests.support.scripted_app import Looks, ScriptedProject
from wizard.engine.context import Context
from wizard.engine.operation import Step
from wizard.session import ledger
from wizard.session.ledger import Ledger, LedgerEntry

SIZES = pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["80x24", "120x40"])
ACCOUNT = Ledger(
    (
        LedgerEntry("wagtailcore_page.alias_of_id", "foreign key", 2, kept=2),
        LedgerEntry(
            "wagtailcore_comment.page_id",
            "foreign key",
            1204,
            followed=1203,
            dropped=1,
            rows=(("7", "4", "followed"), ("8 [/x]", "4", "dropped")),
        ),
        LedgerEntry("cast_post.body", "link", 31, rewritten=31, rows=(("11", "4", "rewritten"),)),
        LedgerEntry("wagtailcore_revision.content", "revision", 14, rewritten=12, kept=2),
        LedgerEntry("wagtailcore_referenceindex.object_id", "index", 40, rebuilt=40),
        LedgerEntry("django_redirects_of_a_long_name.redirect_page_id", "foreign key", 0),
    )
)


def converting(account: Ledger) -> Step:
    """A copy step whose conversion keeps this ledger."""

    async def act(context: Context) -> None:
        ledger.write(context.session.folder, account)
        context.report.ledger(account.as_list())

    convert = scripted_app.Scripted("copy.convert", "Convert the pages to the new type", act=act)
    return scripted_app.step("copy", convert)


async def converted(app: RemodelApp, pilot: Pilot[None]) -> None:
    """Let the copy step convert, and wait until the next step is on the screen."""
    await pilot.press("enter")
    await scripted_app.until(pilot, lambda: app.has_ledger)


def table(app: RemodelApp) -> Callable[[], int]:
    return lambda: app.screen.query_one(DataTable).row_count


async def test_offers_the_ledger_once_there_is_one(project: ScriptedProject) -> None:
    async with project.app(
        converting(ACCOUNT),
        scripted_app.step("slugs", scripted_app.Scripted("slugs.pages", "Slugs")),
    ) as (app, pilot):
        assert "Ledger" not in scripted_app.text_of(app)
        await pilot.press("f2")
        assert isinstance(app.screen, StepScreen)
        await converted(app, pilot)
        await scripted_app.until(pilot, lambda: "Ledger" in scripted_app.text_of(app))
        await pilot.press("f2")
        assert isinstance(app.screen, LedgerScreen)
        await scripted_app.until(
            pilot, lambda: "1,203 followed, 1 dropped" in scripted_app.text_of(app)
        )
        assert "1,291 rows and values" in scripted_app.text_of(app)
        await pilot.press("down", "enter")
        assert isinstance(app.screen, EntryScreen)
        await scripted_app.until(pilot, lambda: "8 [/x]" in scripted_app.text_of(app))
        assert "wagtailcore_comment.page_id" in scripted_app.text_of(app)
        assert "2 rows of 1,204, the first of them" in scripted_app.text_of(app)
        await pilot.press("f2")
        assert isinstance(app.screen, LedgerScreen)
        assert app.screen.query_one(DataTable).cursor_row == 1
        await pilot.press("escape")
        assert isinstance(app.screen, StepScreen)


DELIVERED = Ledger(
    (
        LedgerEntry("TABLE public", "objects", 61, kept=58, rewritten=3),
        LedgerEntry(
            "VIEW public",
            "objects",
            2,
            kept=1,
            rebuilt=1,
            rows=(("shown [/x]", "", "rebuilt"),),
        ),
    ),
    ledger.objects("production"),
)


async def test_shows_the_ledger_of_a_delivery_after_that_of_the_conversion(
    project: ScriptedProject, looks: Looks
) -> None:
    slugs = scripted_app.step("slugs", scripted_app.Scripted("slugs.pages", "Slugs"))
    async with project.app(converting(ACCOUNT), slugs) as (app, pilot):
        await converted(app, pilot)
        ledger.write(app.context.session.folder, DELIVERED)
        await pilot.press("f2", "n")
        await scripted_app.until(
            pilot,
            lambda: "63 objects: 59 kept, 3 rewritten, 1 rebuilt" in scripted_app.text_of(app),
        )
        await looks(app, pilot)
        await pilot.press("down", "enter")
        await scripted_app.until(pilot, lambda: "shown [/x]" in scripted_app.text_of(app))
        assert "1 object of 2, those that are not kept" in scripted_app.text_of(app)
        await pilot.press("escape", "n")
        await scripted_app.until(
            pilot, lambda: "1,291 rows and values" in scripted_app.text_of(app)
        )


async def test_reports_a_damaged_ledger(project: ScriptedProject) -> None:
    slugs = scripted_app.step("slugs", scripted_app.Scripted("slugs.pages", "Slugs"))
    async with project.app(converting(ACCOUNT), slugs) as (app, pilot):
        await converted(app, pilot)
        (app.context.session.folder / ledger.REFERENCES.file).write_text("[{}]")
        await pilot.press("f2")
        (told,) = [one.message for one in app._notifications]
        assert "cannot be read" in told
        assert isinstance(app.screen, StepScreen)


@SIZES
async def test_matches_the_pictures_of_the_ledger(
    project: ScriptedProject, looks: Looks, size: tuple[int, int]
) -> None:
    slugs = scripted_app.step("slugs", scripted_app.Scripted("slugs.pages", "Slugs"))
    async with project.app(converting(ACCOUNT), slugs, size=size) as (app, pilot):
        await converted(app, pilot)
        await pilot.press("f2", "down")
        await scripted_app.until(pilot, lambda: table(app)() == len(ACCOUNT.entries))
        await looks(app, pilot)


async def test_matches_the_picture_of_an_entry(project: ScriptedProject, looks: Looks) -> None:
    slugs = scripted_app.step("slugs", scripted_app.Scripted("slugs.pages", "Slugs"))
    async with project.app(converting(ACCOUNT), slugs) as (app, pilot):
        await converted(app, pilot)
        await pilot.press("f2", "down", "enter")
        await scripted_app.until(pilot, lambda: table(app)() == 2)
        await looks(app, pilot)
