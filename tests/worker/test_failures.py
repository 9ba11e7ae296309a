"""A conversion that fails leaves the database exactly as it was."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Any

import pytest

from tests.worker.press import Press
from wizard.base.errors import OperationFailed, VerificationFailed, WorkerFailed
from wizard.postgres.address import connect

from .shapes import SIBLING, TO_CHILD

KEPT: dict[str, Any] = {**TO_CHILD, "ids": "kept"}
LOCK = 7378


async def trigger(press: Press, table: str, event: str, body: str) -> None:
    """Have the database do something in the middle of a conversion."""
    await press.query(
        f"CREATE FUNCTION meddle() RETURNS trigger AS $$ BEGIN {body}; RETURN NEW; END $$ "
        f"LANGUAGE plpgsql; CREATE TRIGGER meddle BEFORE {event} ON {table} "
        "FOR EACH ROW EXECUTE FUNCTION meddle()"
    )


@pytest.mark.slow
@pytest.mark.parametrize("ids", ["new", "kept"])
async def test_a_value_too_long(shapes: Press, ids: str) -> None:
    guide, below = await shapes.page("guide"), await shapes.page("below")
    await shapes.query(
        f"UPDATE shapes_standardpage SET code = repeat('c', 45) WHERE page_ptr_id = {guide}"
    )
    before = await shapes.everything()
    async with shapes.site() as site:
        with pytest.raises(OperationFailed, match="cannot be converted") as caught:
            await site.ask("convert", **SIBLING, pages=[guide, below], ids=ids)
    assert "code" in caught.value.found
    assert str(guide) in caught.value.found
    assert await shapes.everything() == before


async def test_a_deferred_foreign_key(shapes: Press) -> None:
    """Checked before the commit, where there is still a way back and somebody to tell."""
    other = await shapes.page("other")
    award = "INSERT INTO press_award (page_id) VALUES (424242)"
    await trigger(shapes, "shapes_newspage", "INSERT", award)
    before = await shapes.everything()
    async with shapes.site() as site:
        with pytest.raises(WorkerFailed, match="press_award"):
            await site.ask("convert", **KEPT, pages=[other])
    assert await shapes.everything() == before


async def test_a_change_that_nobody_planned(shapes: Press) -> None:
    other = await shapes.page("other")
    category = "INSERT INTO shapes_category (name) VALUES ('surprise')"
    await trigger(shapes, "shapes_newspage", "INSERT", category)
    before = await shapes.everything()
    async with shapes.site() as site:
        with pytest.raises(VerificationFailed, match="Something else") as caught:
            await site.ask("convert", **KEPT, pages=[other])
    assert "shapes_category: 1 inserted" in caught.value.found
    assert await shapes.everything() == before


async def test_a_row_without_an_account(shapes: Press) -> None:
    """A trigger of the site's own leaves a redirect behind with another page."""
    guide, below, home = [await shapes.page(slug) for slug in ("guide", "below", "home")]
    body = f"NEW.redirect_page_id = {home}"
    await trigger(shapes, "wagtailredirects_redirect", "UPDATE", body)
    before = await shapes.everything()
    async with shapes.site() as site:
        with pytest.raises(VerificationFailed, match="cannot be accounted") as caught:
            await site.ask("convert", **SIBLING, pages=[guide, below], ids="new")
    assert "wagtailredirects_redirect.redirect_page_id: 1" in caught.value.found
    assert await shapes.everything() == before


async def test_killed_in_the_middle(shapes: Press) -> None:
    """SIGKILL while the pages' rows are written: PostgreSQL rolls back what was done."""
    other = await shapes.page("other")
    await trigger(shapes, "shapes_newspage", "INSERT", f"PERFORM pg_advisory_lock_shared({LOCK})")
    before = await shapes.everything()
    others = "SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = "
    others += f"'{shapes.database.database}' AND backend_type = 'client backend'"
    waiting = f"SELECT count(*) FROM pg_locks WHERE objid = {LOCK} AND NOT granted"
    async with await connect(shapes.superuser.at(shapes.database.database)) as holder:
        await holder.execute(f"SELECT pg_advisory_lock({LOCK})".encode())
        async with shapes.site() as site:
            asking = asyncio.create_task(site.ask("convert", **KEPT, pages=[other]))
            while not await shapes.value(waiting):
                assert not asking.done(), asking
                await asyncio.sleep(0.05)
            assert site._process is not None
            os.kill(site._process.pid, signal.SIGKILL)
            with pytest.raises(WorkerFailed, match="killed by SIGKILL"):
                await asking
    while await shapes.query(others):  # until the server has seen that nobody is there
        await asyncio.sleep(0.05)
    assert await shapes.everything() == before


async def test_others_may_write_elsewhere(shapes: Press) -> None:
    """Rows that a development server writes in the middle are none of the conversion's."""
    other = await shapes.page("other")
    await trigger(shapes, "shapes_newspage", "INSERT", f"PERFORM pg_advisory_lock_shared({LOCK})")
    waiting = f"SELECT count(*) FROM pg_locks WHERE objid = {LOCK} AND NOT granted"
    category = "INSERT INTO shapes_category (name) VALUES ('theirs')"
    async with await connect(shapes.superuser.at(shapes.database.database)) as holder:
        await holder.execute(f"SELECT pg_advisory_lock({LOCK})".encode())
        async with shapes.site() as site:
            asking = asyncio.create_task(site.ask("convert", **KEPT, pages=[other]))
            while not await shapes.value(waiting):
                assert not asking.done(), asking
                await asyncio.sleep(0.05)
            await holder.execute(category.encode())
            await holder.execute(f"SELECT pg_advisory_unlock({LOCK})".encode())
            done = await asking
    checked = {line["name"]: line["detail"] for line in done["verified"]}
    assert "nothing was written to" in checked["everything else"]
    assert await shapes.value("SELECT count(*) FROM shapes_category WHERE name = 'theirs'") == 1


async def test_a_trigger_that_empties_a_table(shapes: Press) -> None:
    """TRUNCATE is among no counts of rows."""
    other = await shapes.page("other")
    await trigger(shapes, "shapes_newspage", "INSERT", "TRUNCATE shapes_category CASCADE")
    before = await shapes.everything()
    async with shapes.site() as site:
        with pytest.raises(VerificationFailed, match="Something else") as caught:
            await site.ask("convert", **KEPT, pages=[other])
    assert "shapes_category: made, emptied or dropped" in caught.value.found
    assert await shapes.everything() == before


@pytest.mark.slow
async def test_whoever_does_not_end_is_named(shapes: Press) -> None:
    """A transaction that was left open on a table that is needed."""
    other = await shapes.page("other")
    before = await shapes.everything()
    async with await connect(shapes.superuser.at(shapes.database.database)) as holder:
        await holder.execute(b"BEGIN; SET LOCAL application_name = 'shell of Ana'")
        await holder.execute(b"UPDATE wagtailredirects_redirect SET is_permanent = is_permanent")
        async with shapes.site() as site:
            with pytest.raises(OperationFailed, match="Somebody is writing") as caught:
                await site.ask("convert", **KEPT, pages=[other])
        await holder.rollback()
    assert "shell of Ana" in caught.value.found
    assert "wagtailredirects_redirect" in caught.value.found
    assert await shapes.everything() == before


@pytest.mark.parametrize("ids", ["new", "kept"])
async def test_every_table_that_is_written_to_is_locked_first(shapes: Press, ids: str) -> None:
    """By PostgreSQL's own account: no row lock or write without the lock on the whole table."""
    guide, below = await shapes.page("guide"), await shapes.page("below")
    await shapes.query(
        """
        CREATE FUNCTION account() RETURNS trigger AS $$ DECLARE names text; BEGIN
            SELECT string_agg(DISTINCT l.relation::regclass::text, ', ') INTO names FROM pg_locks l
              JOIN pg_class c ON c.oid = l.relation AND c.relkind = 'r' AND c.relpersistence = 'p'
             WHERE l.pid = pg_backend_pid() AND l.mode = 'RowExclusiveLock'
               AND NOT EXISTS (SELECT FROM pg_locks o WHERE o.pid = l.pid
                                  AND o.relation = l.relation AND o.mode = 'ShareRowExclusiveLock');
            IF names IS NOT NULL THEN RAISE EXCEPTION 'not locked: %', names; END IF;
            RETURN NULL; END $$ LANGUAGE plpgsql;
        CREATE CONSTRAINT TRIGGER account AFTER INSERT OR UPDATE ON wagtailcore_page
            DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION account()
        """
    )
    async with shapes.site() as site:
        await site.ask("convert", **SIBLING, pages=[guide, below], ids=ids)
