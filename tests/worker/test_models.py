"""What Django sees of the models and pages, and what is said of names that are wrong."""

from __future__ import annotations

from typing import Any

import pytest

from tests.worker.press import Press
from wizard.base.errors import ConfigError


async def test_describe(press: Press) -> None:
    async with press.site() as site:
        told = await site.ask("describe", model="press.blog")
        counts = {model["label"]: model["count"] for model in await site.ask("page_models")}
    fields = {field["name"]: field for field in told["fields"]}
    assert {label: count for label, count in counts.items() if count} == {
        "press.Blog": 3,
        "press.Entry": 12,
    }
    assert (told["class_name"], told["table"]) == ("Blog", "press_blog")
    assert told["file"] == str(press.project / "press" / "models.py")
    assert told["parent_link"] == "page_ptr"
    assert told["chain"] == ["wagtailcore.Page", "press.Blog"]
    artwork = fields["artwork"]
    assert (artwork["column"], artwork["on_delete"]) == ("artwork_id", "SET_NULL")
    assert artwork["related_model"] == "wagtailimages.Image"
    assert artwork["prefixable"]
    assert artwork["local"]
    assert not fields["page_ptr"]["prefixable"]
    assert not fields["slug"]["local"]
    assert fields["explicit"]["choices"] == [["1", "yes"], ["2", "no"]]
    assert fields["explicit"]["deconstruct"]["path"] == "django.db.models.PositiveSmallIntegerField"


async def test_an_unknown_model_is_told_with_the_nearest(press: Press) -> None:
    async with press.site() as site:
        with pytest.raises(ConfigError, match=r"no page model 'press.Blogs'") as caught:
            await site.ask("describe", model="press.Blogs")
    assert "press.Blog" in caught.value.hint


async def test_pages_are_found_by_slug_path_and_id(press: Press) -> None:
    show = await press.page("show")
    async with press.site() as site:
        for selector in (
            {"slug": "show"},
            {"id": show},
            {"path": "/show/"},
            {"path": "/home/show"},
        ):
            (found,) = await site.ask("find_pages", model="press.Blog", selectors=[selector])
            assert found["id"] == show
    assert found["children"] == 4
    assert found["has_unpublished_changes"]


async def test_pages_that_are_not_there_or_several(press: Press) -> None:
    async with press.site() as site:
        for selector, said in [
            ({"slug": "shaw"}, "show"),
            ({"path": "/home/shew/"}, "/home/show/"),
            ({"id": 424242}, "3 press.Blog pages"),
        ]:
            with pytest.raises(ConfigError, match=r"No press\.Blog page") as caught:
                await site.ask("find_pages", model="press.Blog", selectors=[selector])
            assert said in str(caught.value)
        with pytest.raises(ConfigError, match=r"is not a press\.Entry") as caught:
            await site.ask("find_pages", model="press.Entry", selectors=[{"slug": "show"}])
        with pytest.raises(ConfigError, match=r"3 press\.Entry pages have the slug") as caught:
            await site.ask("find_pages", model="press.Entry", selectors=[{"slug": "entry-0"}])
    assert "under 'Diary'" in caught.value.found
    assert "under 'The Show'" in caught.value.found


@pytest.mark.slow
async def test_check_models_tells_what_is_there(added: Press) -> None:
    check: dict[str, Any] = {
        "old_type": "press.Blog",
        "new_type": "press.Podcast",
        "prefix": "new_",
    }
    fields = ["artwork", "keywords", "explicit"]
    added.apart()
    async with added.site() as site:
        findings = await site.ask("check_models", **check, fields=fields, phase="added")
        assert all(finding["ok"] for finding in findings), findings
        findings = await site.ask("check_models", **check, fields=fields, phase="final")
        wrong = {finding["name"] for finding in findings if not finding["ok"]}
        assert "press.Blog.keywords is gone" in wrong
        assert "press.Podcast.keywords" in wrong
        added.edit(
            old='new_keywords = models.CharField(max_length=255, blank=True, default="")',
            new='new_keywords = models.CharField(max_length=100, blank=True, default="")',
        )
        await site.restart()
        findings = await site.ask("check_models", **check, fields=fields, phase="added")
    (wrong_one,) = [finding for finding in findings if not finding["ok"]]
    assert wrong_one["detail"] == "max_length 255 became 100"


async def test_check_models_without_the_new_type(press: Press) -> None:
    async with press.site() as site:
        findings = await site.ask(
            "check_models",
            old_type="press.Blog",
            new_type="press.Podcast",
            prefix="new_",
            fields=["keywords"],
            phase="added",
        )
    assert [finding["ok"] for finding in findings] == [False]


async def test_the_site_is_placed_and_told_as_it_was(press: Press) -> None:
    async with press.site() as site:
        placed = await site.ask("place_site", hostname="example.org", port=443)
        assert (placed["before"]["hostname"], placed["before"]["port"]) == ("localhost", 80)
        assert await site.ask("sites") == [placed["after"], (await site.ask("sites"))[1]]
    assert ("example.org", 443) in await press.query("SELECT hostname, port FROM wagtailcore_site")


async def test_urls_are_those_that_wagtail_computes(press: Press) -> None:
    async with press.site() as site:
        told = await site.ask("urls")
    wagtail = await press.shell(
        "from wagtail.models import Page\n"
        "for page in Page.objects.order_by('path'):\n"
        "    parts = page.get_url_parts()\n"
        "    if parts: print(page.pk, parts[0], parts[2])"
    )
    ours = [f"{row['page_id']} {row['site']} {row['url']}" for row in told]
    assert ours == wagtail.splitlines()
    restricted = {row["title"] for row in told if row["restricted"]}
    assert restricted == {"The Show", *(f"The Show {number}" for number in range(4))}
    assert {row["type"] for row in told} == {"wagtailcore.Page", "press.Blog", "press.Entry"}
