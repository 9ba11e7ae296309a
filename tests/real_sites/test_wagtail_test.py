"""`wagtail.test`, the site of Wagtail's own tests: every direction, one after the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.real_sites import page_views
from tests.real_sites.environments import Pinned
from tests.real_sites.judge import Change, Row, faults, sound
from tests.real_sites.sites import RealSite, Recipe, Seen, Take

pytestmark = [
    pytest.mark.matrix,
    pytest.mark.timeout(1200),
    pytest.mark.xdist_group("wagtail_test"),  # one environment, one filled database
]

WAGTAIL = Recipe(
    Pinned("wagtail_test", ("3.12", "3.13", "3.11")),
    "settings_testapp",
    "fill_testapp.py",
    prepare=(("migrate", "-v0"), ("createcachetable",)),
)
Content = dict[str, Any]


async def judged(
    site: RealSite,
    old_type: str,
    new_type: str,
    slugs: list[str],
    ids: str,
    *,
    fields: dict[str, Any] | None = None,
    joined: dict[str, Callable[[Row], Row]] | None = None,
    left: tuple[str, ...] = (),
    moved: dict[str, tuple[str, dict[str, str]]] | None = None,
    content: Callable[[Content], Content] = lambda content: content,
) -> Change:
    """Convert pages, and judge the whole database by it."""
    before = await site.snapshot()
    pages = [site.pages[slug] for slug in slugs]
    page_ids = await site.convert(old_type, new_type, pages, ids=ids, fields=fields)
    change = Change(
        page_ids,
        old_type.lower(),
        new_type.lower(),
        joined=joined or {},
        left=left,
        moved=moved or {},
        content=content,
    )
    after = await site.snapshot()
    found = faults(before, after, change)
    assert not found, "\n".join(line[:1000] for line in found)
    assert list(sound(after)) == []
    return change


@pytest.mark.parametrize("ids", ["new", "kept"])
async def test_converts_in_every_direction(take: Take, seen: Seen, ids: str) -> None:
    site = await take(WAGTAIL)
    first = await site.snapshot()
    changes = [
        # To a child with a field of its own, and child rows, awards below them, categories.
        await judged(
            site,
            "tests.EventPage",
            "tests.SingleEventPage",
            ["christmas", "final-event"],
            ids,
            fields={"excerpt": {"value": "Short"}},
            joined={"tests_singleeventpage": lambda page: {"excerpt": "Short"}},
            content=lambda content: {**content, "excerpt": "Short"},
        ),
        # To a child without fields: tags, a private page, a scheduled draft.
        await judged(
            site,
            "tests.TaggedPage",
            "tests.TaggedChildPage",
            ["tagged-1", "tagged-2"],
            ids,
            joined={"tests_taggedchildpage": lambda page: {}},
        ),
        # To a sibling: a field renamed, a constant.
        await judged(
            site,
            "tests.SimplePage",
            "tests.FormClassAdditionalFieldPage",
            ["about-us"],
            ids,
            fields={"body": {"from": "content"}, "location": {"value": "Here"}},
            joined={
                "tests_formclassadditionalfieldpage": lambda page: {
                    "body": page["tests_simplepage.content"],
                    "location": "Here",
                }
            },
            left=("tests_simplepage",),
            content=sibling,
        ),
        # To a sibling whose child rows are of other models, and one field is let go.
        await judged(
            site,
            "demosite.StandardPage",
            "demosite.BlogEntryPage",
            ["standard-1", "standard-2"],
            ids,
            fields={"date": {"value": "2026-02-03"}, "intro": "drop"},
            joined={
                "demosite_blogentrypage": lambda page: {
                    "body": page["demosite_standardpage.body"],
                    "feed_image_id": page["demosite_standardpage.feed_image_id"],
                    "date": "2026-02-03",
                }
            },
            left=("demosite_standardpage",),
            moved={
                "demosite_standardpagecarouselitem": ("demosite_blogentrypagecarouselitem", {}),
                "demosite_standardpagerelatedlink": ("demosite_blogentrypagerelatedlink", {}),
            },
            content=entry,
        ),
        # To the parent: the child's field is let go.
        await judged(
            site,
            "tests.SingleEventPage",
            "tests.EventPage",
            ["saint-patrick"],
            ids,
            fields={"excerpt": "drop"},
            left=("tests_singleeventpage",),
            content=lambda content: {k: v for k, v in content.items() if k != "excerpt"},
        ),
    ]
    stale = await site.stale_indexes()
    assert not stale, "\n".join(stale)
    after = await site.drive("after", publish=True)
    # SingleEventPage has an opinion of its own about its URL.
    suffix = "pointless-suffix/"
    events = ["/events/christmas/", "/events/final-event/"]
    readdressed = {event: event + suffix for event in events}
    readdressed[f"/events/saint-patrick/{suffix}"] = "/events/saint-patrick/"
    found = page_views.faults(await seen(WAGTAIL), after, first, changes, readdressed=readdressed)
    assert not found, "\n".join(found)


def sibling(content: Content) -> Content:
    kept = {key: value for key, value in content.items() if key != "content"}
    return {**kept, "body": content["content"], "location": "Here"}


def entry(content: Content) -> Content:
    kept = {key: value for key, value in content.items() if key != "intro"}
    return {**kept, "date": "2026-02-03"}
