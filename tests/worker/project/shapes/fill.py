"""Pages of many shapes below the home page, each with values that another type may refuse."""

import datetime
from typing import Any

from wagtail.images.models import Image
from wagtail.models import Page

from .models import (
    ArticlePage,
    Category,
    GuidePage,
    NewsPage,
    StandardFact,
    StandardLink,
    StandardPage,
    StandardPicture,
)


def fill() -> dict[str, int]:
    """Add them: `{slug: id}`. The standard page `plain` fits an article as it is."""
    home = Page.objects.get(depth=2)
    image = Image.objects.create(title="Shape", file="shape.png", width=1, height=1)
    news, sport = (Category.objects.create(name=name) for name in ("news", "sport"))

    def add(page: Any) -> Any:
        return home.add_child(instance=page)

    plain = add(StandardPage(title="Plain", slug="plain", rating=3, summary="short"))
    rich = add(
        StandardPage(
            title="Rich",
            slug="rich",
            summary="a summary",
            intro=f'<p>See <a linktype="page" id="{plain.pk}">plain</a></p>',
            body=[("text", "<p>100% text</p>"), ("see", plain), ("quote", "aye")],
            image=image,
            code="rich-1",
            rating=None,
            layout="full",
            note="n" * 300,
            minutes=7,
        )
    )
    rich.tags.add("sea", "land")
    rich.categories.add(news, sport)
    rich.links.add(StandardLink(label="a", to=plain), StandardLink(label="b"))
    rich.pictures.add(StandardPicture(caption="c", credit="Ana"))
    rich.facts.add(StandardFact(text="f"))
    rich.save()
    rich.related.add(plain, home)
    long = add(StandardPage(title="Long", slug="long", code="c" * 45, layout="narrow", minutes=0))
    article = add(ArticlePage(title="Article", slug="article", code="taken", byline="Ben"))
    fresh = add(
        NewsPage(
            title="Fresh",
            slug="fresh",
            agency="wire",
            published=datetime.date(2026, 1, 2),
            figures={"a": [1]},
        )
    )
    guide = add(GuidePage(title="Guide", slug="guide", colour="red", steps=3, hint="mind"))
    return {page.slug: page.pk for page in (plain, rich, long, article, fresh, guide)}
