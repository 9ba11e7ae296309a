"""What a project would write to give its new pages values of their own."""

from typing import Any

from wagtail.images.models import Image

calls = []
not_a_function = 7


def byline(page: Any) -> str:
    """Fits every page."""
    calls.append(page.pk)
    return f"{page.slug} {page.rating or 0}"


def long_byline(page: Any) -> str:
    """Too long for the page `rich`."""
    return "x" * 30 if page.slug == "rich" else "x"


def failing(page: Any) -> str:
    """Raises for pages without a code."""
    return str(page.code.upper())


def picture(page: Any) -> Any:
    """A model's instance, or None."""
    return Image.objects.first() if page.slug == "plain" else None


def failing_query(page: Any) -> str:
    """Breaks the transaction."""
    return str(Image.objects.raw("SELECT nothing FROM nowhere")[0])


def writing(page: Any) -> str:
    """Makes something of its own, as a rendition does."""
    return str(Image.objects.create(title=page.slug, file="x.png", width=1, height=1).title)


def markup(page: Any) -> str:
    """Keeps the links of the page's text."""
    return str(page.intro)
