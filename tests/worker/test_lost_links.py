"""Rich text that would become plain text while it holds links, seen in a database looked at."""

from __future__ import annotations

from typing import Any

import pytest

from tests.worker.press import PROJECT, Press, looking
from tests.worker.shapes import SIBLING
from wizard.base.errors import OperationFailed

FILL = """
from shapes.models import StandardPage
from wagtail.models import Page
home = Page.objects.get(depth=2)
for slug, intro, body in [
    ("linked", '<p><a linktype="page" id="3">x</a></p>', []),
    ("pictured", '<embed embedtype="image" id="1"/>', []),
    ("streamed", "<p>abbey</p>", [("text", '<a href="/x">x</a> <a href="/y">y</a>')]),
    ("plain", "<p><b>x</b></p>", [("quote", "x")]),
]:
    home.add_child(
        instance=StandardPage(title=slug, slug=slug, code=slug, intro=intro, body=body))
"""


async def seen(press: Press, **fields: Any) -> dict[str, Any]:
    asked = {**SIBLING, "fields": fields, "ids": "new", "selectors": [{"all": True}]}
    async with looking(press, (PROJECT / "press" / "models.py").read_text()) as site:
        found: dict[str, Any] = await site.ask("look", **asked)
    return found


def named(found: dict[str, Any]) -> dict[str, list[str]]:
    return {links["field"].rpartition(".")[2]: links["slugs"] for links in found["links"]}


@pytest.mark.slow
async def test_links_that_stay_rich_are_no_loss(press: Press) -> None:
    await press.shell(FILL)
    assert (await seen(press))["links"] == []
    assert (await seen(press, byline={"from": "intro"}, intro={"from": "intro"}))["links"] == []


async def test_rich_text_in_a_plain_field_loses_its_links(press: Press) -> None:
    await press.shell(FILL)
    found = await seen(press, summary={"from": "intro"}, intro="drop")
    assert named(found) == {"intro": ["linked", "pictured"]}
    assert found["links"][0]["becomes"] == "CharField(100)"


@pytest.mark.slow
async def test_what_a_function_gives_is_held_against_what_was_there(press: Press) -> None:
    await press.shell(FILL)
    before = await press.everything()
    found = await seen(press, byline={"call": "shapes.computing.byline"}, intro="drop", body="drop")
    assert named(found) == {"intro": ["linked", "pictured"], "body": ["streamed"]}
    assert found["links"][0]["becomes"] == "what shapes.computing.byline gives"
    found = await seen(press, intro={"call": "shapes.computing.markup"})
    assert found["links"] == []
    assert await press.everything() == before


async def test_what_a_function_gives_is_checked(press: Press) -> None:
    await press.shell(FILL)
    await press.query("UPDATE shapes_standardpage SET code = NULL WHERE code = 'plain'")
    found = await seen(press, byline={"call": "shapes.computing.failing"})
    assert [fault for fault in found["faults"] if "'NoneType' object" in fault]


@pytest.mark.slow
async def test_a_function_that_writes_is_named_and_the_rest_looked_at(press: Press) -> None:
    await press.shell(FILL)
    before = await press.everything()
    found = await seen(
        press, byline={"call": "shapes.computing.writing"}, summary={"from": "intro"}, intro="drop"
    )
    assert found["untried"] == ["shapes.computing.writing"]
    assert named(found) == {"intro": ["linked", "pictured"]}
    assert await press.everything() == before
    with pytest.raises(OperationFailed, match="failed in the database"):
        await seen(press, byline={"call": "shapes.computing.failing_query"})
