"""Wagtail CRX (`coderedcms`), whose pages list abstract pages beside `Page`: child and sibling."""

from __future__ import annotations

from typing import Any

import pytest

from tests.real_sites import page_views
from tests.real_sites.environments import Pinned
from tests.real_sites.judge import Change, Row, faults, sound
from tests.real_sites.sites import RealSite, Recipe, Seen, Take

pytestmark = [
    pytest.mark.matrix,
    pytest.mark.timeout(1200),
    pytest.mark.xdist_group("coderedcms"),  # one environment, one filled database
]

CRX = Recipe(
    Pinned("coderedcms", ("3.12", "3.13", "3.11")),
    "settings_crx",
    "fill_crx.py",
    prepare=(("makemigrations", "website", "-v0"), ("migrate", "-v0")),
)
ARTICLE = ("body", "caption", "author_id", "author_display", "date_display")


async def judged(
    site: RealSite, new_type: str, slugs: list[str], ids: str, **change: Any
) -> Change:
    """Convert articles, and judge the whole database by it."""
    before = await site.snapshot()
    fields = change.pop("fields")
    pages = [site.pages[slug] for slug in slugs]
    page_ids = await site.convert("website.ArticlePage", new_type, pages, ids=ids, fields=fields)
    wanted = Change(page_ids, "website.articlepage", new_type.lower(), **change)
    after = await site.snapshot()
    found = faults(before, after, wanted)
    assert not found, "\n".join(line[:1000] for line in found)
    assert list(sound(after)) == []
    return wanted


@pytest.mark.parametrize("ids", ["new", "kept"])
async def test_articles_become_a_child_and_a_sibling(take: Take, seen: Seen, ids: str) -> None:
    site = await take(CRX)
    first = await site.snapshot()

    def news(page: Row) -> Row:
        article = {name: page[f"website_articlepage.{name}"] for name in ARTICLE}
        return {**article, "wire": "Reuter"}

    changes = [
        await judged(
            site,
            "website.FeaturePage",
            ["article-1", "article-2", "mirror"],
            ids,
            fields={"kicker": {"from": "caption"}},
            joined={
                "website_featurepage": lambda page: {"kicker": page["website_articlepage.caption"]}
            },
            content=lambda content: {**content, "kicker": content["caption"]},
        ),
        await judged(
            site,
            "website.NewsPage",
            ["article-3", "article-4"],
            ids,
            fields={"wire": {"value": "Reuter"}},
            joined={"website_newspage": news},
            left=("website_articlepage",),
            content=lambda content: {**content, "wire": "Reuter"},
        ),
    ]
    stale = await site.stale_indexes()
    assert not stale, "\n".join(stale)
    found = page_views.faults(
        await seen(CRX), await site.drive("after", publish=True), first, changes
    )
    assert not found, "\n".join(found)
