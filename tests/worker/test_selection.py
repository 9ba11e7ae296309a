"""Which pages a selector names, which come along, and what is said of one that names none."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.worker.press import Press
from wizard.base.errors import ConfigError, RemodelError

ALIASES = """
from press.models import Entry
first = Entry.objects.get(url_path="/home/notes/entry-0/")
alias = first.create_alias(parent=first.get_parent(), update_slug="alias")
again = alias.create_alias(parent=first.get_parent().get_next_sibling(), update_slug="again")
print(first.pk, alias.pk, again.pk)
"""


async def found(press: Press, *selectors: dict[str, Any], model: str = "press.Entry") -> list[Any]:
    async with press.site() as site:
        pages: list[Any] = await site.ask("find_pages", model=model, selectors=list(selectors))
    return pages


async def refused(press: Press, *selectors: dict[str, Any], match: str) -> RemodelError:
    with pytest.raises(RemodelError, match=match) as caught:
        await found(press, *selectors)
    return caught.value


def paths(pages: list[Any]) -> list[str]:
    return [page["url_path"].removeprefix("/home") for page in pages]


async def test_all_pages_of_a_type_come_in_the_order_of_the_tree(press: Press) -> None:
    pages = await found(press, {"all": True})
    rows = await press.query(
        "SELECT id, url_path FROM wagtailcore_page JOIN press_entry ON page_ptr_id = id "
        "ORDER BY path"
    )
    assert [(page["id"], page["url_path"]) for page in pages] == rows
    assert len(pages) == 12


async def test_under_is_strictly_below_and_leads_to_one_type(press: Press) -> None:
    numbers = range(4)
    for path in ("/notes/", "notes", "/home/notes"):
        pages = await found(press, {"under": path})
        assert paths(pages) == [f"/notes/entry-{number}/" for number in numbers]
    assert paths(await found(press, {"under": "/"}, model="press.Blog")) == [
        "/notes/",
        "/show/",
        "/diary/",
    ]
    assert len(await found(press, {"under": "/home/"})) == 12
    with pytest.raises(ConfigError, match=r"No press\.Blog page is below /notes/"):
        await found(press, {"under": "/notes/"}, model="press.Blog")


async def test_selectors_are_united_and_each_page_comes_once(press: Press) -> None:
    diary = await press.value("SELECT id FROM wagtailcore_page WHERE url_path LIKE '%/diary/%-3/'")
    pages = await found(
        press,
        {"id": diary},
        {"path": "/diary/entry-3/"},
        {"path": "/home/diary/entry-1/"},
        {"where": {"slug__in": ["entry-0", "entry-1"]}},
    )
    assert paths(pages) == [
        *("/notes/entry-0/", "/notes/entry-1/"),
        *("/show/entry-0/", "/show/entry-1/"),
        *("/diary/entry-0/", "/diary/entry-1/", "/diary/entry-3/"),
    ]


async def test_the_facts_are_those_of_the_row(press: Press) -> None:
    (show,) = await found(press, {"slug": "show"}, model="press.Blog")
    ((page, path, parent),) = await press.query(
        "SELECT p.id, p.path, h.id FROM wagtailcore_page p JOIN wagtailcore_page h "
        "ON h.path = left(p.path, -4) WHERE p.slug = 'show'"
    )
    title = await press.value(f"SELECT title FROM wagtailcore_page WHERE id = {parent}")
    assert show == {
        "id": page,
        "title": "The Show",
        "slug": "show",
        "path": path,
        "depth": 3,
        "url_path": "/home/show/",
        "live": True,
        "locked": False,
        "has_unpublished_changes": True,
        "alias_of": None,
        "locale": "en",
        "parent_id": parent,
        "parent_title": title,
        "children": 4,
    }


async def test_where_is_a_filter_of_django(press: Press) -> None:
    shown = await press.page("show")
    assert len(await found(press, {"where": {"home": shown, "live": True}})) == 12
    (page,) = await found(
        press, {"where": {"explicit": 2, "tags__name": "sea"}}, model="press.Blog"
    )
    assert page["slug"] == "show"


@pytest.mark.slow
async def test_pages_of_child_types_are_not_of_the_type(added: Press) -> None:
    await added.shell(
        "from press.models import Blog, Podcast\n"
        "from wagtail.models import Page\n"
        "Page.objects.get(depth=2).add_child(instance=Podcast(title='Waves', slug='waves'))\n"
        "assert Blog.objects.filter(slug='waves').exists()"
    )
    slugs = {page["slug"] for page in await found(added, {"all": True}, model="press.Blog")}
    assert slugs == {"notes", "show", "diary"}


async def test_a_filter_that_cannot_be_is_told_with_the_reason(press: Press) -> None:
    async with press.site() as site:
        for where, said in [
            ({"colour": "red"}, r"Choices are: .*body"),
            ({"title__sounds": "x"}, r"Unsupported lookup 'sounds'"),
            ({"home": "seven"}, r"expected a number"),
            ({"latest_revision__created_at": "yesterday"}, r"invalid format"),
            ({"title__regex": "("}, r"regular expression"),
            ({"_connector": "OR", "live": True}, r"not the name of a lookup"),
            ({"_negated": True}, r"not the name of a lookup"),
            ({"home___state": 1}, r"not the name of a lookup"),
            ({"title": {"a": 1}}, r"not a plain one"),
            ({}, r"a table of Django lookups"),
            ({"title": "Nobody's"}, r"No press\.Entry page fits"),
        ]:
            with pytest.raises(ConfigError) as caught:
                await site.ask("find_pages", model="press.Entry", selectors=[{"where": where}])
            assert re.search(said, str(caught.value)), caught.value


async def test_selectors_that_name_nothing(press: Press) -> None:
    async with press.site() as site:
        for selectors, said in [
            ([{"under": "/noted/"}], r"No page has the path '/noted/'[\s\S]*/home/notes/"),
            ([{"id": "seven"}], r"is a number, not 'seven'"),
            ([{"all": False}], r"`all` is true"),
            ([{"slug": "a", "id": 1}], r"selected by one of slug, path, id, under"),
            ([{"title": "a"}], r"selected by one of slug, path, id, under"),
            ([], r"No page is named"),
        ]:
            with pytest.raises(ConfigError) as caught:
                await site.ask("find_pages", model="press.Entry", selectors=selectors)
            assert re.search(said, str(caught.value)), caught.value


async def test_aliases_come_along_and_those_of_aliases(press: Press) -> None:
    first, alias, again = map(int, (await press.shell(ALIASES)).split())
    pages = await found(press, {"id": first})
    assert {page["id"]: page["alias_of"] for page in pages} == {
        first: None,
        alias: first,
        again: alias,
    }
    assert pages == await found(press, {"id": again}, {"id": first})


async def test_an_alias_is_not_converted_without_its_source(press: Press) -> None:
    first, alias, again = map(int, (await press.shell(ALIASES)).split())
    error = await refused(press, {"under": "/show/"}, match="1 of the selected .* are aliases")
    assert f"page {again} is an alias of page {alias}" in error.found
    error = await refused(press, {"id": alias}, match="are aliases whose source is not selected")
    assert f"page {alias} is an alias of page {first}" in error.found


async def test_an_alias_of_another_type_stands_in_the_way(press: Press) -> None:
    first, alias, _ = map(int, (await press.shell(ALIASES)).split())
    await press.query(
        f"UPDATE wagtailcore_page SET content_type_id = (SELECT content_type_id "
        f"FROM wagtailcore_page WHERE slug = 'notes') WHERE id = {alias}"
    )
    error = await refused(press, {"id": first}, match=r"1 aliases .* are not press\.Entry pages")
    assert f"page {alias} is an alias of page {first}" in error.found


async def test_the_number_of_statements_does_not_grow_with_the_pages(press: Press) -> None:
    counted = await press.shell(
        """
from django.db import connection
from django.test.utils import CaptureQueriesContext
from wizard.worker.site.pages import find_pages
find_pages(None, model="press.Entry", selectors=[{"all": True}])  # Django keeps content types
for selectors in (
    [{"where": {"slug": "entry-0"}}],
    [{"where": {"slug__startswith": "entry"}}],
    [{"path": "/notes/entry-0/"}],
    [{"path": f"/notes/entry-{number}/"} for number in range(4)],
):
    with CaptureQueriesContext(connection) as queries:
        pages = find_pages(None, model="press.Entry", selectors=selectors)
    print([len(pages), len(queries)])
"""
    )
    (one, few), (twelve, many), (path, asked), (four, again) = map(json.loads, counted.splitlines())
    assert (one, twelve, path, four) == (3, 12, 1, 4)
    assert (many, again) == (few, asked)
