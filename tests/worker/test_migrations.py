"""Migrations: the same every time, in the order that works, on real data with nothing lost."""

from __future__ import annotations

import pytest

from tests.worker.press import MOVE, Press, migrations
from wizard.base.errors import WorkerFailed

KEYWORDS = "SELECT new_keywords, new_explicit, new_artwork_id FROM press_podcast"


@pytest.mark.slow
async def test_the_migration_that_adds_is_the_same_every_time(press: Press) -> None:
    press.add_new_type()
    async with press.site() as site:
        first = await migrations(site, "add")
        await site.restart()
        assert await migrations(site, "add") == first
        made, guards = first
        assert guards["path"] == str(press.project / "press/migrations/_guard.py")
        assert made["name"] == "0002_podcast"
        assert made["path"] == str(press.project / "press/migrations/0002_podcast.py")
        assert not made["text"].startswith("#")
        assert 'CREATE TABLE "press_podcast"' in made["sql"]
        press.write(first)
        await site.restart()
        assert await site.ask("pending_changes", app="press") == []
        assert await site.ask("migration_plan") == ["press.0002_podcast"]
        assert await site.ask("migrate") == ["press.0002_podcast"]
        assert await site.ask("migration_plan") == []
    assert await press.query(KEYWORDS) == []


@pytest.mark.slow
async def test_other_changes_do_not_slip_into_the_migration(press: Press) -> None:
    press.add_new_type()
    press.edit(old="note = models.TextField", new="remark = models.TextField")
    async with press.site() as site:
        with pytest.raises(WorkerFailed) as caught:
            await migrations(site, "add")
    assert "note" in str(caught.value)
    press.edit(old="    remark = models.TextField(blank=True)\n", new="")
    async with press.site() as site:
        with pytest.raises(WorkerFailed, match="nothing else") as caught:
            await migrations(site, "add")
    assert "Remove field note from banner" in caught.value.found


@pytest.mark.slow
async def test_the_end_removes_then_renames_and_loses_nothing(added: Press) -> None:
    show = await added.page("show")
    added.apart()
    async with added.site() as site:
        await site.ask("convert", **MOVE, pages=[show])
        (before,) = await added.query(KEYWORDS)
        assert before[:2] == ("sea, harbour", 2)
        added.finish_models()
        await site.restart()
        made = await migrations(site, "finish")
        assert [migration["name"] for migration in made] == [
            "0003_remove_moved_fields_from_blog",
            "0004_podcast_fields_unprefixed",
        ], "the module of the guards is there since the type was added"
        assert 'DROP COLUMN "keywords"' in made[0]["sql"]
        assert 'RENAME COLUMN "new_keywords" TO "keywords"' in made[1]["sql"]
        assert "DROP COLUMN" not in made[1]["sql"]
        added.write(made)
        await site.restart()
        assert await site.ask("pending_changes", app="press") == []
        discard = {"press.0003": 1}  # the original, which nobody deleted
        assert len(await site.ask("migrate", discard=discard)) == 2
    (after,) = await added.query("SELECT keywords, explicit, artwork_id FROM press_podcast")
    assert after == before


async def test_a_model_that_is_not_final_is_told(added: Press) -> None:
    """Only the old type's fields are gone: the rename would not lead to these models."""
    added.finish_models()
    added.edit(old="    keywords = models.CharField", new="    catchwords = models.CharField")
    async with added.site() as site:
        with pytest.raises(WorkerFailed) as caught:
            await migrations(site, "finish")
    assert "catchwords" in str(caught.value)


@pytest.mark.slow
async def test_the_naive_order_fails_in_django_itself(added: Press) -> None:
    """Why the order is as it is: renamed first, the field clashes with the parent's."""
    added.finish_models()
    async with added.site() as site:
        made = await migrations(site, "finish")
    lines = made[0]["text"] + made[1]["text"]
    rename = "migrations.RenameField('podcast', 'new_keywords', 'keywords')"
    remove = "migrations.RemoveField('blog', 'keywords')"
    assert lines.index("RemoveField") < lines.index("RenameField")
    (added.project / "press/migrations/0003_naive.py").write_text(
        "from django.db import migrations\n\n\nclass Migration(migrations.Migration):\n"
        "    dependencies = [('press', '0002_podcast')]\n"
        f"    operations = [{rename}, {remove}]\n"
    )
    async with added.site() as site:
        with pytest.raises(WorkerFailed, match="clashes with field of the same name"):
            await site.ask("migrate")
