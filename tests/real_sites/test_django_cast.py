"""django-cast, the newest on the newest Wagtail: Blog to Podcast, then its Posts to Episodes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.real_sites import page_views
from tests.real_sites.environments import Pinned
from tests.real_sites.judge import Change, Row, faults, sound
from tests.real_sites.sites import Recipe, Seen, Take

pytestmark = [
    pytest.mark.matrix,
    pytest.mark.timeout(1200),
    pytest.mark.xdist_group("django_cast"),  # one environment, one filled database
]

CAST = Recipe(Pinned("django_cast", ("3.12", "3.13", "3.11")), "settings_cast", "fill_cast.py")

PODCAST = {
    "itunes_artwork": None,
    "itunes_categories": "",
    "keywords": "sea, harbour",
    "explicit": 2,
    "itunes_type": "",
    "automatic_episode_numbering_enabled": False,
    "next_episode_number": 1,
}
EPISODE = {
    "podcast_audio": 1,
    "explicit": 1,
    "block": False,
    "episode_type": "full",
    "season": None,
}


def row(values: dict[str, Any], *foreign: str) -> Row:
    """The values of a page's fields as they are in a table's row."""
    return {
        f"{name}_id" if name in foreign else name: None
        if value is None
        else value
        if isinstance(value, str)
        else json.dumps(value)
        for name, value in values.items()
    }


def episode(page: dict[str, Any], title: str, keywords: str) -> dict[str, Any]:
    number = int(title.rsplit(" ", 1)[1])
    return {**EPISODE, "keywords": keywords, "episode_number": number}


@pytest.mark.parametrize("ids", ["new", "kept"])
async def test_a_blog_becomes_a_podcast_and_its_posts_episodes(
    take: Take, seen: Seen, ids: str
) -> None:
    """Types that exist already; constants, defaults, a copied field, a computed one."""
    site = await take(CAST)
    first = await site.snapshot()
    fields: dict[str, Any] = {name: {"value": PODCAST[name]} for name in ("keywords", "explicit")}
    page_ids = await site.convert(
        "cast.Blog", "cast.Podcast", [site.pages["show"]], ids=ids, fields=fields
    )
    second = await site.snapshot()
    shows = Change(
        page_ids,
        "cast.blog",
        "cast.podcast",
        joined={"cast_podcast": lambda page: row(PODCAST, "itunes_artwork")},
        content=lambda content: {**content, **PODCAST},
    )
    assert faults(first, second, shows) == []
    assert list(sound(second)) == []

    pages = await site.find("cast.Post", {"under": "/show/"})
    assert pages == [site.pages[f"part-{number}"] for number in range(1, 7)]
    fields = {
        "podcast_audio": {"value": 1},
        "keywords": {"from": "cover_alt_text"},
        "episode_number": {"call": "conversion_cast.episode_number"},
        "episode_type": {"value": "full"},
    }
    page_ids = await site.convert("cast.Post", "cast.Episode", pages, ids=ids, fields=fields)
    third = await site.snapshot()
    parts = Change(
        page_ids,
        "cast.post",
        "cast.episode",
        joined={
            "cast_episode": lambda page: row(
                episode(
                    page, str(page["wagtailcore_page.title"]), str(page["cast_post.cover_alt_text"])
                ),
                "podcast_audio",
                "season",
            )
        },
        content=lambda content: {
            **content,
            **episode(content, content["title"], content["cover_alt_text"]),
        },
    )
    assert faults(second, third, parts) == []
    assert list(sound(third)) == []
    stale = await site.stale_indexes()
    assert not stale, "\n".join(stale)

    found = page_views.faults(
        await seen(CAST), await site.drive("after", publish=True), first, [shows, parts]
    )
    assert not found, "\n".join(found)
