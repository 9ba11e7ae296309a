"""A conversion from beginning to end, seen by SQL and by Wagtail, and its failures."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.worker.press import MIGRATION, MOVE, Press
from wizard.base.errors import ConfigError, OperationFailed, VerificationFailed, WorkerFailed

# Every column that has a page's id, with how many rows of the filled site have the show's.
REFERENCES = {
    "wagtailcore_site.root_page_id": 1,
    "wagtailcore_comment.page_id": 1,
    "wagtailcore_pagesubscription.page_id": 1,
    "wagtailcore_grouppagepermission.page_id": 1,
    "wagtailcore_pageviewrestriction.page_id": 1,
    "wagtailcore_workflowpage.page_id": 1,
    "wagtailcore_workflowstate.object_id": 1,
    "wagtailcore_revision.object_id": 2,
    "wagtailredirects_redirect.redirect_page_id": 1,
    "wagtailforms_formsubmission.page_id": 1,
    "wagtailsearchpromotions_searchpromotion.page_id": 1,
    "wagtailsearch_indexentry.object_id": 1,
    "press_award.page_id": 1,
    "press_banner.blog_id": 1,
    "press_playlist_blogs.blog_id": 1,
    "press_like.object_id": 1,
    "press_blogtag.content_object_id": 2,
    "press_bloglink.blog_id": 2,
    "press_bloglink.page_id": 1,
    "press_entry.home_id": 12,
}
ACCOUNTS = ("kept", "followed", "rewritten", "rebuilt", "dropped")
TREE = "SELECT path, depth, numchild, slug, url_path FROM wagtailcore_page ORDER BY path"


async def holding(press: Press, page: int) -> dict[str, int]:
    found = {}
    for name in REFERENCES:
        table, column = name.split(".")
        found[name] = await press.value(
            f"SELECT count(*) FROM {table} WHERE {column}::text = '{page}'"
        )
    return found


@pytest.mark.slow
async def test_everything_is_on_the_new_page_afterwards(added: Press) -> None:
    show = await added.page("show")
    tree = await added.query(TREE)
    key = "SELECT translation_key, path, owner_id FROM wagtailcore_page WHERE id = {}"
    own = await added.query(key.format(show))
    row = "SELECT code, artwork_id, description FROM press_blog WHERE page_ptr_id = {}"
    blog = await added.query(row.format(show))
    assert await holding(added, show) == REFERENCES
    log = await added.value("SELECT count(*) FROM wagtailcore_pagelogentry")

    async with added.site() as site:
        plan = await site.ask("convert_plan", **MOVE, pages=[show])
        assert plan == await site.ask("convert_plan", **MOVE, pages=[show])
        assert (plan["faults"], plan["direction"]) == ([], "child")
        assert plan["losses"] == {"wagtailadmin_editingsession.object_id": 1}
        assert plan["pages"][0]["new_slug"] == "new_show"
        assert (plan["marks"][str(show)], len(plan["marks"])) == ("going", 5)
        result = await site.ask("convert", **MOVE, pages=[show])
        new = result["map"][str(show)]
        planned = {entry["name"]: entry["before"] for entry in plan["ledger"]}
        assert REFERENCES.items() <= planned.items()
        assert planned["wagtailcore_revision.content"] == 14
        for entry in result["ledger"]:
            accounted = sum(entry[account] for account in ACCOUNTS)
            assert entry["before"] == planned.pop(entry["name"]) == accounted
        assert planned == {}
        assert [left["name"] for left in result["left"]] == ["press_banner.note"]
        assert result["moved"] == 4
        assert await holding(added, new) == REFERENCES
        assert set((await holding(added, show)).values()) == {0}
        observed = await site.ask(
            "observe_conversion",
            old_type="press.Blog",
            new_type="press.Podcast",
            pages=[show],
            prefix="new_",
        )
        assert (observed["state"], observed["map"]) == ("both", {str(show): new})

        leaving = await site.ask("delete_plan", id_map=result["map"])
        assert (leaving["refers"], leaving["children"]) == ({}, 0)
        assert leaving["destroys"] == {"wagtailcore_page": 1, "press_blog": 1}
        deleted = await site.ask("delete_originals", id_map=result["map"])
        assert deleted["deleted"] == leaving["destroys"]
        restored = await site.ask("restore_slugs", id_map=result["map"], prefix="new_")
        assert restored == {"slugs": {str(new): "show"}, "urls": 1, "drafts": 0}
        again = await site.ask("restore_slugs", id_map=result["map"], prefix="new_")
        assert again == {"slugs": {}, "urls": 0, "drafts": 0}
        assert await site.ask("tree_problems") == {}
        observed = await site.ask(
            "observe_conversion",
            old_type="press.Blog",
            new_type="press.Podcast",
            pages=[show],
            prefix="new_",
            id_map=result["map"],
        )
        assert (observed["state"], observed["prefixed"]) == ("converted", 0)

    # The tree is as it was to the letter: same places, same order, same URLs.
    assert await added.query(TREE) == tree
    assert await added.query(key.format(new)) == own
    ((code, artwork, description),) = await added.query(row.format(new))
    assert (code, artwork) == blog[0][:2]
    assert description == blog[0][2].replace(f'id="{show}"', f'id="{new}"') != blog[0][2]
    assert await added.value("SELECT count(*) FROM wagtailcore_pagelogentry") == log
    assert await added.value("SELECT count(*) FROM wagtailadmin_editingsession") == 0
    kinds = await added.query(
        "SELECT DISTINCT model FROM django_content_type c JOIN wagtailcore_revision r "
        f"ON r.content_type_id = c.id WHERE r.object_id = '{new}'"
    )
    assert kinds == [("podcast",)]


async def test_links_follow_in_text_streams_and_revisions(added: Press) -> None:
    show = await added.page("show")
    notes = await added.page("notes")
    pointing = "SELECT count(*) FROM wagtailcore_referenceindex WHERE to_object_id = '{}'"
    pointed = await added.value(pointing.format(show))
    bodies = dict(await added.query("SELECT page_ptr_id, body::text FROM press_entry"))
    async with added.site() as site:
        new = (await site.ask("convert", **MOVE, pages=[show]))["map"][str(show)]
    for page, body in await added.query("SELECT page_ptr_id, body::text FROM press_entry"):
        before = json.loads(bodies[page])
        text, see, number = json.loads(body)
        assert text["value"] == before[0]["value"].replace(f'id="{show}"', f'id="{new}"')
        assert [item["value"]["page"] for item in see["value"]] == [new, notes]
        assert number == before[2]  # an integer that only looks like the page
        assert [item["id"] for item in see["value"]] == [item["id"] for item in before[1]["value"]]
    assert await added.value("SELECT text FROM press_banner") == (
        f'<a linktype="page" id="{new}">listen</a>'
    )
    contents = await added.query("SELECT content FROM wagtailcore_revision")
    for (content,) in contents:
        if "body" in content:
            text, see, number = json.loads(content["body"])
            assert f'id="{new}"' in text["value"]
            assert see["value"][0]["value"]["page"] == new
            assert number["value"] == show
            assert content["home"] == new
        elif content["pk"] == new:
            assert {link["blog"] for link in content["links"]} == {new}
            assert [link["page"] for link in content["links"]] == [notes, new]
            assert content["new_keywords"] == content["keywords"]
            assert content["slug"] == "show"
    assert await added.value(pointing.format(show)) == 0
    assert await added.value(pointing.format(new)) == pointed == 12 * 3 + 2


# Without the references' own content type: a rebuild files a page under whichever model of its
# chain it visits first.
INDEXES = """
SELECT 'reference', base_content_type_id::text, object_id, to_object_id, model_path, content_path
  FROM wagtailcore_referenceindex
UNION ALL
SELECT 'search', c.model, object_id, title::text, body::text, ''
  FROM wagtailsearch_indexentry e JOIN django_content_type c ON c.id = e.content_type_id
ORDER BY 1, 2, 3, 4, 5, 6
"""


async def finish(press: Press, site: Any) -> None:
    """The moved fields lose their prefix, in the models and in the database."""
    press.finish_models()
    await site.restart()
    press.write(await site.ask("make_migration", app="press", kind="finish", **MIGRATION))
    await site.restart()
    await site.ask("migrate")


@pytest.mark.slow
async def test_the_indexes_are_as_wagtail_would_build_them(added: Press) -> None:
    """Carried, not rebuilt: so what Wagtail builds from nothing must be no different."""
    show = await added.page("show")
    added.apart()
    async with added.site() as site:
        done = await site.ask("convert", **MOVE, pages=[show])
        await site.ask("delete_originals", id_map=done["map"])
        await site.ask("restore_slugs", id_map=done["map"], prefix="new_")
        await finish(added, site)
    carried = await added.query(INDEXES)
    assert ("search", "podcast", str(done["map"][str(show)])) in {row[:3] for row in carried}
    await added.rebuild_indexes()
    assert await added.query(INDEXES) == carried


PUBLISH = """
from wagtail.models import Page
page = Page.objects.get(slug="show").specific
revisions = list(page.revisions.order_by("pk"))
page.get_latest_revision_as_object()
revisions[{index}].publish()
page = Page.objects.get(slug="show").specific
print(type(page).__name__, page.{prefix}keywords, page.{prefix}explicit,
      page.{prefix}artwork.title, page.url, page.get_children().count(),
      sorted(page.tags.names()), page.get_parent().numchild)
"""


@pytest.mark.slow
async def test_an_old_draft_published_later_keeps_the_new_fields(added: Press) -> None:
    show = await added.page("show")
    added.apart()
    async with added.site() as site:
        done = await site.ask("convert", **MOVE, pages=[show])
        await site.ask("delete_originals", id_map=done["map"])
        await site.ask("restore_slugs", id_map=done["map"], prefix="new_")
        said = await added.shell(PUBLISH.format(index=0, prefix="new_"))
        assert said.startswith("Podcast sea, harbour 2 Mast http")
        await finish(added, site)
        renames = {f"new_{field}": field for field in MOVE["move"]}
        told = await site.ask("rename_revision_fields", id_map=done["map"], renames=renames)
        assert told["changed"] == 6
    said = await added.shell(PUBLISH.format(index=1, prefix=""))
    assert said.split(" Mast ")[0] == "Podcast sea, harbour, draft 2"
    assert "4 ['sea', 'sound'] 3" in said
    keys = await added.value(
        "SELECT count(*) FROM wagtailcore_revision WHERE content::text LIKE '%new_%'"
    )
    assert keys == 0


@pytest.mark.parametrize(
    ("table", "event"),
    [
        ("press_podcast", "INSERT"),
        ("wagtailcore_comment", "UPDATE"),
        ("wagtailcore_revision", "UPDATE"),
    ],
)
async def test_a_failure_in_the_middle_changes_nothing(
    added: Press, table: str, event: str
) -> None:
    show = await added.page("show")
    await added.query(
        "CREATE FUNCTION burst() RETURNS trigger AS $$ BEGIN RAISE 'the disk is on fire'; END $$ "
        "LANGUAGE plpgsql;"
        f"CREATE TRIGGER burst BEFORE {event} ON {table} FOR EACH ROW EXECUTE FUNCTION burst()"
    )
    before = await added.everything()
    async with added.site() as site:
        with pytest.raises(WorkerFailed, match="the disk is on fire"):
            await site.ask("convert", **MOVE, pages=[show])
    assert await added.everything() == before


async def test_a_value_that_changes_on_its_way_is_found(added: Press) -> None:
    """A trigger of the site's own database writes something else: verification must see it."""
    show = await added.page("show")
    await added.query(
        "CREATE FUNCTION meddle() RETURNS trigger AS $$ BEGIN NEW.new_keywords = 'x'; "
        "RETURN NEW; END $$ LANGUAGE plpgsql;"
        "CREATE TRIGGER meddle BEFORE INSERT ON press_podcast "
        "FOR EACH ROW EXECUTE FUNCTION meddle()"
    )
    before = await added.everything()
    async with added.site() as site:
        with pytest.raises(VerificationFailed) as caught:
            await site.ask("convert", **MOVE, pages=[show])
    assert f"press_podcast.new_keywords: pages [{show}]" in caught.value.found
    assert await added.everything() == before


async def test_many_pages_and_pages_below_each_other(added: Press) -> None:
    """Every blog at once, one of them below another one."""
    await added.shell(
        "from press.models import Blog\n"
        "show = Blog.objects.get(slug='show')\n"
        "inner = show.add_child(instance=Blog(title='Inner', slug='inner', keywords='deep'))\n"
        "inner.add_child(instance=Blog(title='Inmost', slug='inmost'))"
    )
    slugs = ["notes", "show", "diary", "inner", "inmost"]
    pages = [await added.page(slug) for slug in slugs]
    tree = await added.query(TREE)
    async with added.site() as site:
        done = await site.ask("convert", **MOVE, pages=pages)
        await site.ask("delete_originals", id_map=done["map"])
        await site.ask("restore_slugs", id_map=done["map"], prefix="new_")
    assert await added.query(TREE) == tree
    assert await added.value("SELECT count(*) FROM press_podcast") == 5
    assert [done["map"][str(page)] for page in pages] == [await added.page(slug) for slug in slugs]


async def test_aliases_are_converted_with_their_source(added: Press) -> None:
    """They are not unpublished, as deleting the page through Wagtail would do."""
    show, diary = await added.page("show"), await added.page("diary")
    await added.query(f"UPDATE wagtailcore_page SET alias_of_id = {show} WHERE slug = 'diary'")
    twin = "SELECT alias_of_id, live FROM wagtailcore_page WHERE slug = 'diary'"
    assert await added.query(twin) == [(show, True)]
    async with added.site() as site:
        with pytest.raises(OperationFailed, match="cannot be converted"):
            await site.ask("convert", **MOVE, pages=[show])
        found = await site.ask("find_pages", model="press.Blog", selectors=[{"slug": "show"}])
        assert sorted(page["id"] for page in found) == [show, diary]
        done = await site.ask("convert", **MOVE, pages=[show, diary])
        await site.ask("delete_originals", id_map=done["map"])
        await site.ask("restore_slugs", id_map=done["map"], prefix="new_")
    assert await added.query(twin) == [(done["map"][str(show)], True)]
    assert await added.page("diary") == done["map"][str(diary)]


async def test_originals_that_somebody_works_on_stay(added: Press) -> None:
    show = await added.page("show")
    async with added.site() as site:
        done = await site.ask("convert", **MOVE, pages=[show])
        await added.query(f"INSERT INTO press_award (page_id) VALUES ({show})")
        before = await added.everything()
        plan = await site.ask("delete_plan", id_map=done["map"])
        assert plan["refers"] == {"press_award.page_id": 1}
        with pytest.raises(OperationFailed, match="still needed") as caught:
            await site.ask("delete_originals", id_map=done["map"])
    assert "press_award.page_id: 1" in caught.value.found
    assert await added.everything() == before


async def test_slugs_do_not_come_back_beside_the_original(added: Press) -> None:
    show = await added.page("show")
    async with added.site() as site:
        done = await site.ask("convert", **MOVE, pages=[show])
        with pytest.raises(OperationFailed, match="a sibling has them"):
            await site.ask("restore_slugs", id_map=done["map"], prefix="new_")


async def test_what_stands_in_the_way_is_told_before(added: Press) -> None:
    show, entry = (
        await added.page("show"),
        await added.value("SELECT min(page_ptr_id) FROM press_entry"),
    )
    await added.query(
        "UPDATE wagtailcore_page SET slug = 'new_show', "
        "url_path = '/home/new_show/' WHERE slug = 'diary'"
    )
    await added.query(
        "UPDATE wagtailcore_page SET url_path = replace(url_path, '/diary/', '/new_show/')"
    )
    async with added.site() as site:
        plan = await site.ask("convert_plan", **MOVE, pages=[show])
        assert len(plan["faults"]) == 1
        assert "new_show" in plan["faults"][0]
        with pytest.raises(OperationFailed, match="cannot be converted") as refused:
            await site.ask("convert", **MOVE, pages=[show])
        assert refused.value.found == plan["faults"][0]
        with pytest.raises(ConfigError, match=r"not of the type press\.Blog"):
            await site.ask("convert", **MOVE, pages=[entry])
        with pytest.raises(ConfigError, match="no pages with the ids"):
            await site.ask("convert", **MOVE, pages=[424242])
        with pytest.raises(ConfigError, match="cannot be mapped") as unmapped:
            await site.ask("convert", **{**MOVE, "new_type": "press.Entry"}, pages=[show])
        assert "Fields are moved only to a child" in unmapped.value.found
        await added.query("UPDATE wagtailcore_page SET numchild = 7 WHERE slug = 'notes'")
        with pytest.raises(OperationFailed, match="not sound") as caught:
            await site.ask("convert_plan", **MOVE, pages=[show])
        assert "wrong_numchild" in caught.value.found
        assert "Page.fix_tree()" in caught.value.hint
        await added.shell("from wagtail.models import Page; Page.fix_tree()")
        assert "not sound" not in str(await site.ask("convert_plan", **MOVE, pages=[show]))
