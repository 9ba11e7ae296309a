"""A kind of reference that no built-in one knows: one file, and a line in the list."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.worker.press import MOVE, Press

KIND = Path(__file__).with_name("reading_lists.py").read_text()
RUN = """
import json
from wizard.worker.convert import conversion, originals
from wizard.worker.protocol import Refusal
from wizard.worker.references.kinds import KINDS
from wizard.worker.site import database

class Silent(Reply):
    def __init__(self): ...
    def _event(self, event, **values): ...

kind = ReadingLists(broken={broken})
KINDS.append(kind)
database.forget()
try:
    print(json.dumps({call}))
except Refusal as refusal:
    print(json.dumps({{"kind": refusal.kind, "found": refusal.found}}))
finally:
    KINDS.remove(kind)
"""
LISTS = "SELECT name, pages FROM press_readinglist ORDER BY id"


async def ask(press: Press, call: str, *, broken: bool = False) -> dict[str, Any]:
    """What an operation of the worker says in the project's Python, with the kind registered."""
    answer = json.loads(await press.shell(KIND + RUN.format(call=call, broken=broken)))
    assert isinstance(answer, dict)
    return answer


def convert(operation: str, page: int) -> str:
    given = {**MOVE, "pages": [page]}
    return f"conversion.{operation}(Silent(), **{given!r})"


def entry(ledger: list[dict[str, Any]], name: str) -> dict[str, Any]:
    (line,) = [line for line in ledger if line["name"] == name]
    return line


@pytest.fixture
async def listed(added: Press) -> Press:
    """Three reading lists, two with the page to be converted, and a draft with a list in it."""
    show, notes = await added.page("show"), await added.page("notes")
    await added.query(
        "CREATE TABLE press_readinglist (id serial PRIMARY KEY, name text, pages jsonb); "
        f"""INSERT INTO press_readinglist (name, pages) VALUES
            ('sea', '["{notes}", "{show}"]'), ('harbour', '["{show}"]'), ('dry', '["{notes}"]')"""
    )
    await added.query(
        "UPDATE wagtailcore_revision SET content = content || "
        f"""jsonb_build_object('reading', '["{show}"]'::jsonb) WHERE object_id = """
        "(SELECT min(page_ptr_id)::text FROM press_entry)"
    )
    return added


async def test_is_entered_carried_and_verified(listed: Press) -> None:
    show, notes = await listed.page("show"), await listed.page("notes")
    plan = await ask(listed, convert("convert_plan", show))
    planned = entry(plan["ledger"], "press_readinglist.pages")
    assert (planned["kind"], planned["before"]) == ("reading list", 2)
    assert planned["rows"] == [["1", show, ""], ["2", show, ""]]

    done = await ask(listed, convert("convert", show))
    new = done["map"][str(show)]
    line = entry(done["ledger"], "press_readinglist.pages")
    assert (line["before"], line["followed"], line["dropped"]) == (2, 2, 0)
    assert {"name": "reading lists", "detail": "2 rewritten"} in done["verified"]
    assert await listed.query(LISTS) == [
        ("sea", [str(notes), str(new)]),
        ("harbour", [str(new)]),
        ("dry", [str(notes)]),
    ]


async def test_is_followed_in_revisions(listed: Press) -> None:
    show = await listed.page("show")
    reading = "SELECT content->'reading' FROM wagtailcore_revision WHERE content ? 'reading'"
    assert {str(row) for (row,) in await listed.query(reading)} == {f"['{show}']"}
    done = await ask(listed, convert("convert", show))
    new = done["map"][str(show)]
    assert {str(row) for (row,) in await listed.query(reading)} == {f"['{new}']"}


async def test_the_conversion_is_refused_where_it_goes_wrong(listed: Press) -> None:
    show = await listed.page("show")
    before = await listed.everything()
    refused = await ask(listed, convert("convert", show), broken=True)
    assert refused == {
        "kind": "ledger",
        "found": "press_readinglist.pages: 2, among them 1, 2",
    }
    assert await listed.everything() == before


async def test_nobody_follows_it_unregistered(listed: Press) -> None:
    """Nor is it changed: the list is what makes the difference."""
    show = await listed.page("show")
    before = await listed.query(LISTS)
    async with listed.site() as site:
        done = await site.ask("convert", **MOVE, pages=[show])
    assert "press_readinglist.pages" not in {line["name"] for line in done["ledger"]}
    assert await listed.query(LISTS) == before


async def test_originals_it_refers_to_are_not_deleted(listed: Press) -> None:
    show = await listed.page("show")
    done = await ask(listed, convert("convert", show))
    await listed.query(f"""INSERT INTO press_readinglist (pages) VALUES ('["{show}"]')""")
    call = f"originals.delete_originals(Silent(), id_map={done['map']!r})"
    refused = await ask(listed, call)
    assert refused == {"kind": "referenced", "found": "press_readinglist.pages: 1"}
