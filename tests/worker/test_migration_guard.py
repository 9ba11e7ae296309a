"""Migrations that drop moved fields, run where the pages were converted and where they were not."""

from __future__ import annotations

import pytest

from tests.worker.press import MOVE, PYTHON, Press, migrations
from wizard.base import process
from wizard.base.errors import OperationFailed

VALUES = "SELECT keywords, explicit, artwork_id IS NOT NULL FROM press_blog ORDER BY page_ptr_id"
APPLIED = "SELECT name FROM django_migrations WHERE app = 'press' ORDER BY id DESC LIMIT 1"


async def release(press: Press) -> None:
    """The final package, its migrations included, over a database that has not had the last two."""
    press.finish_models()
    async with press.site() as site:
        press.write(await migrations(site, "finish"))


async def manage(press: Press, *arguments: str) -> tuple[int, str]:
    """Exit code and error output of the project's own manage.py."""
    ended = await process.run(
        [str(PYTHON), "manage.py", *arguments],
        cwd=press.project,
        env={**press.environment, "DJANGO_SETTINGS_MODULE": "config.settings", "PATH": ""},
    )
    return ended.returncode, ended.stderr_tail


@pytest.mark.slow
async def test_refuses_to_drop_the_values_of_pages_that_were_not_converted(added: Press) -> None:
    before = await added.query(VALUES)
    await release(added)
    code, printed = await manage(added, "migrate")
    assert code == 1
    assert "press.0003 would drop what 1 row of press.blog holds" in printed
    assert "'The Show'" in printed
    assert "keep the previous release running" in printed
    assert "Traceback" not in printed
    assert await added.query(VALUES) == before
    assert await added.value(APPLIED) == "0002_podcast"


@pytest.mark.slow
async def test_discards_as_many_as_were_consented_to_and_no_more(added: Press) -> None:
    await added.query("UPDATE press_blog SET keywords = 'sea' WHERE keywords = ''")
    await release(added)
    async with added.site() as site:
        with pytest.raises(OperationFailed, match="3 rows"):
            await site.ask("migrate", discard={"press.0003": 2})
        assert await added.value(APPLIED) == "0002_podcast"
        assert len(await site.ask("migrate", discard={"press.0003": 3})) == 2


@pytest.mark.slow
async def test_passes_where_the_pages_were_converted(added: Press) -> None:
    show = await added.page("show")
    added.apart()
    async with added.site() as site:
        await site.ask("convert", **MOVE, pages=[show], ids="kept")
        left = {"old_type": "press.Blog", "new_type": "press.Podcast", "fields": MOVE["move"]}
        assert await site.ask("values_left", **left) == {"fields": {}, "pages": 0}
    await release(added)
    assert await manage(added, "migrate") == (0, "")


@pytest.mark.slow
async def test_passes_where_there_is_no_page(added: Press) -> None:
    await release(added)
    await added.query("TRUNCATE press_blog CASCADE")
    assert await manage(added, "migrate") == (0, "")


@pytest.mark.slow
async def test_refuses_to_reverse_while_there_are_pages_of_the_new_type(added: Press) -> None:
    show = await added.page("show")
    added.apart()
    async with added.site() as site:
        await site.ask("convert", **MOVE, pages=[show], ids="kept")
    await release(added)
    assert (await manage(added, "migrate"))[0] == 0
    code, printed = await manage(added, "migrate", "press", "0001")
    assert code == 1
    assert "would drop the table of press.podcast, with 1 row" in printed
    assert await added.value("SELECT new_keywords FROM press_podcast") == "sea, harbour"


async def test_a_module_of_that_name_is_left_alone(press: Press) -> None:
    press.add_new_type()
    own = press.project / "press" / "migrations" / "_guard.py"
    own.write_text("# somebody's own\n")
    async with press.site() as site:
        made, guards = await migrations(site, "add")
    assert guards["path"] == str(own.with_name("_guard_2.py"))
    assert "press.migrations._guard_2.RequireNoRows" in made["text"]
