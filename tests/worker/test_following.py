"""Values that hold references: what becomes of them, and what does not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.worker.press import Press
from wizard.base.errors import VerificationFailed
from wizard.worker.references.rewrite import is_plain

from .shapes import FAR, SIBLING

NEW: dict[str, Any] = {**SIBLING, "ids": "new"}

REFER = f"""
from shapes.models import StandardPage
from wagtail.models import Page
home = Page.objects.get(depth=2)
far = home.add_child(instance=StandardPage(title="Far", slug="far"))
assert far.pk == {FAR}
stays = StandardPage.objects.get(slug="stays")
link = '{{said}}<a linktype="page" id="{FAR}">far</a>'
stays.intro = f'<p>{{{{link}}}} <a id="{FAR}" linktype="page">é</a></p>'
stays.body = [("text", link), ("see", far)]
stays.save_revision().publish()
"""


async def referred_to(shapes: Press, said: str) -> None:
    await shapes.query(f"SELECT setval('wagtailcore_page_id_seq', {FAR - 1})")
    await shapes.shell(REFER.format(said=said, link="{link}"))


@pytest.mark.slow
@pytest.mark.parametrize("said", ["", f"Tel. {FAR}. "])
async def test_links_follow_and_digits_stay(shapes: Press, said: str) -> None:
    """A number that is the page's id without meaning it is left as it is, wherever it stands."""
    await referred_to(shapes, said)
    async with shapes.site() as site:
        done = await site.ask("convert", **NEW, pages=[FAR])
    new = done["map"][str(FAR)]
    assert str(FAR) not in str(new)
    ((intro, body),) = await shapes.query(
        "SELECT intro, body::text FROM shapes_standardpage s JOIN wagtailcore_page p "
        "ON p.id = s.page_ptr_id WHERE p.slug = 'stays'"
    )
    wanted = f'{said}<a linktype="page" id="{new}">far</a>'
    assert intro == f'<p>{wanted} <a id="{new}" linktype="page">é</a></p>'
    text, see = json.loads(body)
    assert (text["value"], see["value"]) == (wanted, new)
    content = await shapes.value(
        "SELECT content FROM wagtailcore_revision ORDER BY created_at DESC LIMIT 1"
    )
    assert content["intro"] == intro
    assert [block["value"] for block in json.loads(content["body"])] == [wanted, new]
    links = [entry for entry in done["ledger"] if entry["kind"] in ("link", "revision")]
    assert {entry["name"]: entry["rewritten"] for entry in links} == {
        "shapes_standardpage.intro": 1,
        "shapes_standardpage.body": 1,
        "wagtailcore_revision.content": 1,
    }


@pytest.mark.parametrize("said", ["", f"Tel. {FAR}. "])
async def test_a_trigger_that_changes_them_on_their_way(shapes: Press, said: str) -> None:
    await referred_to(shapes, said)
    before = await shapes.everything()
    await shapes.query(
        "CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "NEW.intro := replace(NEW.intro, 'far', 'near'); RETURN NEW; END $$;"
        "CREATE TRIGGER meddle BEFORE UPDATE ON shapes_standardpage "
        "FOR EACH ROW EXECUTE FUNCTION meddle()"
    )
    async with shapes.site() as site:
        with pytest.raises(VerificationFailed, match="cannot be accounted for") as refused:
            await site.ask("convert", **NEW, pages=[FAR])
    assert "shapes_standardpage.intro: 1" in refused.value.found
    assert await shapes.everything() == before


async def test_a_table_without_a_primary_key(shapes: Press) -> None:
    """Rows are told apart by what the model has for a key, and by what they hold: a number that
    is not meant is left as it is, even in a row that has the key of another.
    """
    await referred_to(shapes, "")
    shapes.add(
        "class Note(models.Model):\n    text = RichTextField()\n\n"
        "    class Meta:\n        managed = False\n",
        app="shapes",
    )
    link, number = f'<a linktype="page" id="{FAR}">far</a>', f"Tel. {FAR}"
    await shapes.query(
        "CREATE TABLE shapes_note (id int, text text);"
        f"INSERT INTO shapes_note VALUES (1, '{link}'), (2, '{number}'), (2, '{link}.')"
    )
    async with shapes.site() as site:
        done = await site.ask("convert", **NEW, pages=[FAR])
    followed = link.replace(str(FAR), str(done["map"][str(FAR)]))
    rows = await shapes.query("SELECT id, text FROM shapes_note ORDER BY id, text")
    assert rows == [(1, followed), (2, f"{followed}."), (2, number)]


@pytest.mark.parametrize(
    "value, found, plain",
    [
        ('<a linktype="page" id="41">', {41: 1}, True),
        ('<a linktype="page" id="41">410', {41: 1}, False),  # digits that mean something else
        ('<a linktype="page" id="41"> 77', {41: 1}, False),  # and some that are the new ones
        ('<a linktype="page" id="41"><a linktype="page" id="42">', {41: 1, 42: 1}, False),
    ],
)
def test_where_the_digits_are_references_only(
    value: str, found: dict[int, int], plain: bool
) -> None:
    assert is_plain(value, found, {41: 77, 42: 78}) is plain


def test_an_id_that_is_a_part_of_the_new_one() -> None:
    assert not is_plain('<a linktype="page" id="7">', {7: 1}, {7: 107})


async def test_an_id_in_a_block_that_nobody_knows(shapes: Press) -> None:
    """Told with the number of rows; links, choosers and Wagtail's own blocks are no such thing."""
    marker = "class StandardPage("
    own = "class Own(blocks.CharBlock):\n    pass\n\n\n"
    shapes.edit(old=marker, new=own + marker, app="shapes")
    shapes.edit(old='("quote", blocks.CharBlock())', new='("quote", Own())', app="shapes")
    guide, stays = await shapes.page("guide"), await shapes.page("stays")
    block = {"type": "quote", "value": str(guide), "id": "a"}
    chosen = {"type": "see", "value": guide, "id": "b"}
    said = {"type": "text", "value": str(guide), "id": "c"}
    for page, body in ((stays, [block]), (await shapes.page("below"), [chosen, said])):
        await shapes.query(
            f"UPDATE shapes_standardpage SET body = '{json.dumps(body)}' WHERE page_ptr_id = {page}"
        )
    async with shapes.site() as site:
        plan = await site.ask("convert_plan", **NEW, pages=[guide])
        done = await site.ask("convert", **NEW, pages=[guide])
    (left,) = [line for line in plan["left"] if line["name"] == "shapes_standardpage.body"]
    assert left["count"] == 1
    assert "holds the id of a page" in left["why"]
    assert left in done["left"]
    body = await shapes.value(f"SELECT body FROM shapes_standardpage WHERE page_ptr_id = {stays}")
    assert body == [block]
