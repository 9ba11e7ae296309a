"""The models from before the fields moved, rebuilt over a source that has the final ones."""

from __future__ import annotations

import json
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.worker.press import MIGRATION, MOVE, Press, migrations
from wizard.base.errors import ConfigError, OperationFailed
from wizard.project.worker_client import WorkerClient

TABLES = ["press.Blog", "press.Podcast"]


async def release(press: Press) -> None:
    """The final package, its migrations included, over a database that has not had the last two."""
    press.finish_models()
    async with press.site() as site:
        press.write(await migrations(site, "finish"))


@asynccontextmanager
async def earlier(press: Press, classes: dict[str, Any]) -> AsyncIterator[WorkerClient]:
    with tempfile.TemporaryFile("w") as brief:
        json.dump({"overlay": {}, "classes": classes, "look_at": None}, brief)
        brief.flush()
        async with press.site(brief=brief.fileno()) as site:
            yield site


async def rebuilt(press: Press) -> dict[str, Any]:
    async with press.site() as site:
        classes: dict[str, Any] = await site.ask("earlier", app="press", **MIGRATION)
    return classes


@pytest.mark.slow
@pytest.mark.parametrize("ids", ["new", "kept"])
async def test_converts_with_the_models_of_the_migration_that_adds_the_type(
    added: Press, ids: str
) -> None:
    show = await added.page("show")
    keywords = await added.value(f"SELECT keywords FROM press_blog WHERE page_ptr_id = {show}")
    await release(added)
    source = (added.project / "press" / "models.py").read_bytes()
    classes = await rebuilt(added)
    async with earlier(added, classes) as site:
        assert await site.ask("earlier_differences", removal=classes["removal"]) == []
        assert await site.ask("schema_differences", models=TABLES) == []
        assert await site.ask("migration_plan", until=classes["removal"]) == []
        checks = await site.ask("check_models", phase="added", **MIGRATION)
        assert [check for check in checks if not check["ok"]] == []
        await site.ask("convert", **MOVE, pages=[show], ids=ids)
    assert await added.query("SELECT new_keywords FROM press_podcast") == [(keywords,)]
    assert (added.project / "press" / "models.py").read_bytes() == source


@pytest.mark.slow
async def test_stops_before_the_removal(added: Press) -> None:
    await release(added)
    classes = await rebuilt(added)
    assert (await added.django("manage.py", "migrate", "press", "0001", "-v0")) == ""
    async with earlier(added, classes) as site:
        assert await site.migrate(until=classes["removal"]) == ["press.0002_podcast"]
    last = "SELECT name FROM django_migrations WHERE app = 'press' ORDER BY id DESC LIMIT 1"
    assert await added.value(last) == "0002_podcast"


@pytest.mark.slow
async def test_another_prefix_than_the_migrations_have_is_refused(added: Press) -> None:
    await release(added)
    async with added.site() as site:
        with pytest.raises(OperationFailed, match="side by side") as caught:
            await site.ask("earlier", app="press", **(MIGRATION | {"prefix": "other_"}))
    assert "press.Podcast.other_keywords" in caught.value.found
    assert "conversion.prefix" in caught.value.hint


@pytest.mark.slow
async def test_fields_that_no_migration_removed_are_refused(added: Press) -> None:
    await release(added)
    async with added.site() as site:
        with pytest.raises(OperationFailed, match="No single migration"):
            await site.ask("earlier", app="press", **(MIGRATION | {"fields": ["title"]}))


@pytest.mark.slow
async def test_a_field_of_a_base_class_is_refused(added: Press) -> None:
    await release(added)
    classes = await rebuilt(added)
    field = '    keywords = models.CharField(max_length=255, blank=True, default="")\n'
    added.edit(old=field, new="")
    mixin = f"class Words(models.Model):\n{field}\n    class Meta:\n        abstract = True\n\n\n"
    added.edit(old="class Podcast(Blog)", new=f"{mixin}class Podcast(Words, Blog)")
    with pytest.raises((ConfigError, OperationFailed), match="cannot be rebuilt") as caught:
        async with earlier(added, classes):
            pass
    assert "keywords: not written in the body" in caught.value.found


@pytest.mark.slow
async def test_what_a_later_migration_added_is_told(added: Press) -> None:
    await release(added)
    added.edit(
        old="class Podcast(Blog):\n",
        new="class Podcast(Blog):\n    later = models.IntegerField(default=1)\n",
    )
    await added.django("manage.py", "makemigrations", "press", "-v0")
    classes = await rebuilt(added)
    async with earlier(added, classes) as site:
        told = await site.ask("earlier_differences", removal=classes["removal"])
    assert told == ["press: Add field later to podcast"]
