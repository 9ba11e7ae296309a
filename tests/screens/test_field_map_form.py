"""The field map as a form: a table whose rows can be given another origin."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from textual.pilot import Pilot
from textual.widgets import DataTable, Input, OptionList

from screens.app import RemodelApp
from screens.failed import FailedScreen
from screens.field_choice import FieldChoiceScreen
from screens.form import FormScreen
from screens.widgets.fieldmap import FieldMapTable
from tests.support import scripted_app
from tests.support.scripted_app import Looks, ScriptedProject
from wizard.base.errors import ConfigError
from wizard.config.fieldmap import FieldTable
from wizard.engine.context import Context
from wizard.engine.operation import Step, StepQuestion

SIZES = pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["80x24", "120x40"])
TOLD = {
    "direction": "sibling",
    "rows": [
        {"target": "intro", "how": "same", "source": "intro", "type": "RichTextField"},
        {"target": "summary", "how": "default", "value": "", "type": "CharField(250)"},
        {"target": "layout", "how": "constant", "value": "wide [/x]", "type": "CharField(20)"},
        {"target": "tags", "how": "rows", "source": "labels", "type": "tags"},
        {"target": None, "how": "dropped", "source": "teaser", "type": "CharField(250)"},
    ],
    "choices": {
        "intro": ["body", "intro"],
        "summary": ["seo_title", "teaser", "title"],
        "layout": [],
        "tags": ["labels"],
    },
}
SAID = {"layout": {"value": "wide [/x]"}}


async def offered(context: Context) -> FieldTable:
    return FieldTable.of(TOLD, SAID)


async def judged(context: Context, fields: Mapping[str, object]) -> None:
    if fields.get("summary") == {"value": 3}:
        raise ConfigError("The field map does not fit.", found="summary: 3 is no text")


FIELDS = StepQuestion(
    "copy.fields",
    "The field map",
    help="Where each field of the new type takes its value from.",
    kind="fields",
    default_from=offered,
    judge=judged,
)


def asking() -> tuple[scripted_app.Scripted, Step]:
    convert = scripted_app.Scripted("copy.convert", "Convert the pages to the new type")
    return convert, scripted_app.step("copy", convert, questions=[FIELDS])


async def opened(app: RemodelApp, pilot: Pilot[None]) -> None:
    await pilot.press("enter")
    await scripted_app.until(pilot, lambda: isinstance(app.screen, FormScreen))
    await scripted_app.until(pilot, lambda: app.screen.query_one(DataTable).row_count == 5)


async def choose(app: RemodelApp, pilot: Pilot[None], row: int, option: str) -> None:
    """Open a row's dialog and take the option that has these words."""
    table = app.screen.query_one(DataTable)
    table.move_cursor(row=row)
    await pilot.press("enter")
    await scripted_app.until(pilot, lambda: isinstance(app.screen, FieldChoiceScreen))
    options = app.screen.query_one(OptionList)
    names = [str(options.get_option_at_index(n).prompt) for n in range(options.option_count)]
    (index,) = [number for number, name in enumerate(names) if option in name]
    options.highlighted = index
    await pilot.press("enter")


async def test_accepts_the_map_unchanged(project: ScriptedProject) -> None:
    convert, step = asking()
    async with project.app(step) as (app, pilot):
        await opened(app, pilot)
        assert "wide [/x]" in scripted_app.text_of(app)
        await pilot.press("ctrl+n")
        await scripted_app.until(pilot, lambda: convert.done == 1)
        assert app.context.session.answers.answers["copy.fields"] == SAID


@pytest.mark.slow
async def test_offers_each_way_to_fill_a_field(project: ScriptedProject) -> None:
    convert, step = asking()
    async with project.app(step) as (app, pilot):
        await opened(app, pilot)
        await choose(app, pilot, 1, "from teaser")
        await scripted_app.until(pilot, lambda: isinstance(app.screen, FormScreen))
        text = scripted_app.text_of(app)
        assert "renamed" in text
        assert "(none)" not in text  # nothing is dropped any more
        await choose(app, pilot, 0, "nothing: its own default")
        await scripted_app.until(pilot, lambda: "(none)" in scripted_app.text_of(app))
        await choose(app, pilot, 2, "computed by")
        assert app.focused is app.screen.query_one(Input)
        await pilot.press(*"minutes", "enter")
        assert "is not a dotted path" in scripted_app.text_of(app)
        await pilot.press(*".of", "enter")
        await scripted_app.until(pilot, lambda: "minutes.of()" in scripted_app.text_of(app))
        await pilot.press("ctrl+n")
        await scripted_app.until(pilot, lambda: convert.done == 1)
        assert app.context.session.answers.answers["copy.fields"] == {
            "summary": {"from": "teaser"},
            "intro": "drop",
            "layout": {"call": "minutes.of"},
        }


async def test_escape_changes_nothing_and_dropped_fields_have_no_dialog(
    project: ScriptedProject,
) -> None:
    _, step = asking()
    async with project.app(step) as (app, pilot):
        await opened(app, pilot)
        before = scripted_app.text_of(app)
        await choose(app, pilot, 1, "a constant")
        await pilot.press("x", "escape")
        await scripted_app.until(pilot, lambda: isinstance(app.screen, FormScreen))
        app.screen.query_one(DataTable).move_cursor(row=0)
        assert scripted_app.text_of(app) == before
        app.screen.query_one(DataTable).move_cursor(row=4)
        await pilot.press("enter")
        (told,) = [one.message for one in app._notifications]
        assert "teaser is dropped" in told
        assert isinstance(app.screen, FormScreen)


@pytest.mark.slow
async def test_asks_again_with_the_refused_map(
    project: ScriptedProject,
) -> None:
    convert, step = asking()
    async with project.app(step) as (app, pilot):
        await opened(app, pilot)
        await choose(app, pilot, 1, "a constant")
        await pilot.press("3", "enter")
        await scripted_app.until(pilot, lambda: isinstance(app.screen, FormScreen))
        await pilot.press("ctrl+n")
        await scripted_app.until(pilot, lambda: isinstance(app.screen, FailedScreen))
        assert "summary: 3 is no text" in scripted_app.text_of(app)
        await pilot.press("r")
        await scripted_app.until(pilot, lambda: isinstance(app.screen, FormScreen))
        await scripted_app.until(pilot, lambda: app.screen.query_one(DataTable).row_count == 5)
        assert app.screen.query_one(FieldMapTable).entries["summary"] == {"value": 3}
        await choose(app, pilot, 1, "when nothing is said")
        await scripted_app.until(pilot, lambda: isinstance(app.screen, FormScreen))
        await pilot.press("ctrl+n")
        await scripted_app.until(pilot, lambda: convert.done == 1)
        assert app.context.session.answers.answers["copy.fields"] == SAID


@SIZES
async def test_matches_the_pictures_of_the_form(
    project: ScriptedProject, looks: Looks, size: tuple[int, int]
) -> None:
    _, step = asking()
    async with project.app(step, size=size) as (app, pilot):
        await opened(app, pilot)
        await looks(app, pilot)


async def test_matches_the_picture_of_a_choice(project: ScriptedProject, looks: Looks) -> None:
    _, step = asking()
    async with project.app(step) as (app, pilot):
        await opened(app, pilot)
        await choose(app, pilot, 1, "a constant")
        await pilot.press(*"soon")
        await looks(app, pilot)
