"""To a sibling, to a parent and in place: seen by SQL and by Wagtail, there and back again."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.worker.press import Press
from wizard.base.errors import OperationFailed

from .shapes import SIBLING, TO_CHILD, TO_PARENT


async def convert(press: Press, how: dict[str, Any], pages: list[int], ids: str) -> dict[str, Any]:
    async with press.site() as site:
        plan = await site.ask("convert_plan", **how, pages=pages, ids=ids)
        assert plan["faults"] == []
        done = await site.ask("convert", **how, pages=pages, ids=ids)
        before = {entry["name"]: entry["before"] for entry in plan["ledger"]}
        assert {entry["name"]: entry["before"] for entry in done["ledger"]} == before
        for entry in done["ledger"]:
            accounts = ("kept", "followed", "rewritten", "rebuilt", "dropped")
            assert sum(entry[account] for account in accounts) == entry["before"]
        if ids == "new":
            await site.ask("delete_originals", id_map=done["map"])
            await site.ask("restore_slugs", id_map=done["map"], prefix="new_")
        assert await site.ask("tree_problems") == {}
    return {**done, "plan": plan, "by_name": {entry["name"]: entry for entry in done["ledger"]}}


TREE = "SELECT path, depth, numchild, slug, url_path, live FROM wagtailcore_page ORDER BY path"


@pytest.mark.parametrize("ids", ["new", "kept"])
async def test_to_a_sibling(shapes: Press, ids: str) -> None:
    guide, below = await shapes.page("guide"), await shapes.page("below")
    tree = await shapes.query(TREE)
    done = await convert(shapes, SIBLING, [guide, below], ids)
    page, under = done["map"][str(guide)], done["map"][str(below)]
    assert (ids == "kept") == (page == guide)
    assert await shapes.query(TREE) == tree
    ((stays,),) = await shapes.query("SELECT intro FROM shapes_standardpage")
    assert stays == f'<a linktype="page" id="{page}">guide</a>'
    assert await shapes.query("SELECT label, to_id FROM shapes_standardlink") == [("s", page)]
    assert await shapes.query("SELECT page_id FROM shapes_standardpage_related") == [(page,)]
    ((intro, body, byline, rating, code),) = await shapes.query(
        f"SELECT intro, body, byline, rating, code FROM shapes_articlepage WHERE page_id = {page}"
    )
    assert f'id="{page}"' in intro
    assert [block["value"] for block in body][1] == page
    assert (byline, rating, code) == ("Short", 9, "G1")
    links = 'SELECT label, "to_id" FROM shapes_articlelink WHERE article_id = {} ORDER BY label'
    assert await shapes.query(links.format(page)) == [("one", page), ("two", 2)]
    tags = f"SELECT count(*) FROM shapes_articletag WHERE content_object_id = {page}"
    assert await shapes.value(tags) == 2
    many = "SELECT count(*) FROM shapes_articlepage_{} WHERE articlepage_id = {}"
    assert await shapes.value(many.format("categories", page)) == 1
    assert await shapes.value(many.format("related", page)) == 1
    # What no article can have is gone, and was told.
    told = done["plan"]["losses"]
    assert told["shapes_pin.page_id: rows deleted"] == 1
    assert told["shapes_badge.page_id: emptied"] == 1
    assert told["shapes.StandardPage.note"] == told["shapes.StandardPage.facts"] == 1
    assert await shapes.value("SELECT count(*) FROM shapes_pin") == 0
    assert await shapes.query("SELECT page_id FROM shapes_badge") == [(None,)]
    # What belongs to any page is with the page.
    for name in (
        "wagtailcore_comment.page_id",
        "wagtailcore_pageviewrestriction.page_id",
        "wagtailredirects_redirect.redirect_page_id",
        "wagtailforms_formsubmission.page_id",
        "wagtailcore_site.root_page_id",
    ):
        assert done["by_name"][name]["dropped"] == 0
        table, column = name.split(".")
        assert await shapes.value(
            f"SELECT count(*) FROM {table} WHERE {column} IN ({page}, {under})"
        )
    kind = (
        "SELECT model FROM django_content_type c JOIN press_like l ON l.content_type_id = c.id "
        f"WHERE l.object_id = {page}"
    )
    assert await shapes.value(kind) == "articlepage"
    paths = await shapes.query(
        "SELECT contentpath FROM wagtailcore_comment WHERE contentpath <> 'keywords' ORDER BY 1"
    )
    assert paths == [("byline",), ("intro",)]


PUBLISH = """
import json
from wagtail.models import Page
page = Page.objects.get(slug="guide").specific
draft = page.get_latest_revision()
draft.publish()
page = Page.objects.get(slug="guide").specific
print(json.dumps({
    "type": type(page).__name__, "intro": page.intro, "byline": page.byline,
    "rating": page.rating, "code": page.code,
    "links": sorted(page.links.values_list("label", "to_id")),
    "tags": sorted(page.tags.names()), "categories": page.categories.count(),
    "others": list(Page.objects.get(slug="other").specific.links.values_list("label", flat=True)),
    "history": page.revisions.count(), "body": page.body.get_prep_value()}))
"""


@pytest.mark.parametrize("ids", ["new", "kept"])
async def test_a_draft_of_a_sibling_publishes_as_it_was(shapes: Press, ids: str) -> None:
    guide, below = await shapes.page("guide"), await shapes.page("below")
    done = await convert(shapes, SIBLING, [guide, below], ids)
    page, under = done["map"][str(guide)], done["map"][str(below)]
    said = json.loads(await shapes.shell(PUBLISH))
    assert said["type"] == "ArticlePage"
    assert said["intro"] == "<p>draft</p>"
    assert (said["byline"], said["rating"], said["code"]) == ("Short", 9, "G1")
    assert said["links"] == [["draft only", under], ["one", page], ["two", 2]]
    assert said["others"] == ["other's"]
    assert said["tags"] == ["sail", "sea"]
    assert said["categories"] == 1
    assert said["history"] == 2
    assert [block["value"] for block in said["body"]][1] == page


INDEXES = """
SELECT 'reference', base_content_type_id::text, object_id, to_object_id, model_path, content_path
  FROM wagtailcore_referenceindex
UNION ALL
SELECT 'search', c.model, object_id, title::text, body::text, ''
  FROM wagtailsearch_indexentry e JOIN django_content_type c ON c.id = e.content_type_id
ORDER BY 1, 2, 3, 4, 5, 6
"""


@pytest.mark.parametrize("ids", ["new", "kept"])
@pytest.mark.parametrize("how", [SIBLING, TO_PARENT, TO_CHILD], ids=["sibling", "parent", "child"])
async def test_the_indexes_are_as_wagtail_would_build_them(
    shapes: Press, how: dict[str, Any], ids: str
) -> None:
    slugs = {"shapes.StandardPage": ["guide", "below"], "shapes.NewsPage": ["news"]}
    pages = [await shapes.page(slug) for slug in slugs.get(how["old_type"], ["other"])]
    await convert(shapes, how, pages, ids)
    ours = await shapes.query(INDEXES)
    await shapes.rebuild_indexes()
    assert await shapes.query(INDEXES) == ours


@pytest.mark.slow
async def test_there_and_back_in_place_leaves_nothing(shapes: Press) -> None:
    """To a child and back to the parent: every row of every table is what it was."""
    other = await shapes.page("other")
    await shapes.shell(
        "from wagtail.models import Page\n"
        "Page.objects.get(slug='other').specific.save_revision().publish()"
    )
    before = await shapes.everything()
    there = await convert(shapes, TO_CHILD, [other], "kept")
    assert await shapes.value("SELECT count(*) FROM shapes_newspage") == 2
    assert there["by_name"]["shapes_articlelink.article_id"]["kept"] == 1
    changed = await shapes.everything()
    assert changed != before
    await convert(shapes, TO_PARENT, [other], "kept")
    assert await shapes.everything() == before


@pytest.mark.parametrize("ids", ["new", "kept"])
async def test_to_a_parent_lets_go_what_only_the_child_has(shapes: Press, ids: str) -> None:
    news = await shapes.page("news")
    done = await convert(shapes, TO_PARENT, [news], ids)
    told = done["plan"]["losses"]
    assert {name: told[f"shapes.NewsPage.{name}"] for name in ("agency", "urgent", "figures")} == {
        "agency": 1,
        "urgent": 1,
        "figures": 1,
    }
    assert await shapes.value("SELECT count(*) FROM shapes_newspage") == 0
    page = done["map"][str(news)]
    assert await shapes.value(f"SELECT label FROM shapes_articlelink WHERE article_id = {page}")
    content = await shapes.value(
        f"SELECT content FROM wagtailcore_revision WHERE object_id = '{page}'"
    )
    assert "agency" not in content
    assert content["pk"] == page


@pytest.mark.parametrize("ids", ["new", "kept"])
async def test_protect_stands_in_the_way_before_anything_runs(shapes: Press, ids: str) -> None:
    guide = await shapes.page("guide")
    await shapes.query(f"INSERT INTO shapes_seal (page_id) VALUES ({guide})")
    before = await shapes.everything()
    async with shapes.site() as site:
        pages = [guide, await shapes.page("below")]
        plan = await site.ask("convert_plan", **SIBLING, pages=pages, ids=ids)
        assert len(plan["faults"]) == 1
        assert "shapes_seal.page_id: 1 rows" in plan["faults"][0]
        with pytest.raises(OperationFailed, match="cannot be converted"):
            await site.ask("convert", **SIBLING, pages=pages, ids=ids)
    assert await shapes.everything() == before
