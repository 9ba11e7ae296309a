"""Page types that list an abstract page beside `Page`, as every one of Wagtail CRX does."""

from __future__ import annotations

from typing import Any

import pytest

from tests.worker.press import Press

MODELS = """
class Seo(Page):
    robots = models.CharField(max_length=20, blank=True, default="")

    class Meta:
        abstract = True


class Plain(Seo, Page):
    words = models.CharField(max_length=20, blank=True, default="")


class Child(Plain):
    pass


class Sibling(Seo, Page):
    words = models.CharField(max_length=20, blank=True, default="")
"""
PAGE = """
from press.models import Plain
from wagtail.models import Page
home = Page.objects.get(depth=2)
page = home.add_child(instance=Plain(title="A", slug="a", robots="noindex", words="w"))
page.save_revision().publish()
"""


@pytest.mark.slow
@pytest.mark.parametrize("ids", ["new", "kept"])
@pytest.mark.parametrize("new_type", ["Child", "Sibling"])
async def test_converts_every_level(press: Press, new_type: str, ids: str) -> None:
    press.add(MODELS)
    await press.django("manage.py", "makemigrations", "press", "-v0")
    await press.django("manage.py", "migrate", "-v0")
    await press.shell(PAGE)
    how: dict[str, Any] = {
        "old_type": "press.Plain",
        "new_type": f"press.{new_type}",
        "prefix": "new_",
        "move": [],
        "fields": {},
        "ids": ids,
    }
    async with press.site() as site:
        models = {model["label"]: model for model in await site.ask("page_models")}
        assert models["press.Plain"]["parents"] == ["wagtailcore.Page"]
        assert models["press.Child"]["parents"] == ["wagtailcore.Page", "press.Plain"]
        page = await press.page("a")
        done = await site.ask("convert", **how, pages=[page])
        if ids == "new":
            await site.ask("delete_originals", id_map=done["map"])
            await site.ask("restore_slugs", id_map=done["map"], prefix="new_")
    values = await press.shell(
        f"from press.models import {new_type}\n"
        f"print({new_type}.objects.values_list('slug', 'title', 'robots', 'words').get())"
    )
    assert values.strip() == "('a', 'A', 'noindex', 'w')"
