"""A database that is only looked at: what a conversion would come upon, and nothing is written."""

from __future__ import annotations

from typing import Any

import pytest

from tests.worker.press import MOVE, NEW_TYPE, PROJECT, Press, looking
from wizard.base.errors import OperationFailed, WorkerFailed

SEQUENCES = "SELECT schemaname, sequencename, last_value FROM pg_sequences ORDER BY 1, 2"
LOOK: dict[str, Any] = {**MOVE, "ids": "new", "selectors": [{"slug": "show"}]}
WRITES = """
    @classmethod
    def can_create_at(cls, parent):
        Banner.objects.create(blog=Blog.objects.first(), text="written")
        return True
"""


def proposed(more: str = "") -> str:
    """The models with the new type, which neither the disk nor the database has."""
    text = (PROJECT / "press" / "models.py").read_text()
    return text.replace("# new type\n", NEW_TYPE.format(prefix="new_") + more)


@pytest.mark.slow
async def test_looks_with_models_that_are_not_there_and_leaves_nothing(press: Press) -> None:
    await press.query("UPDATE press_blog SET keywords = 'sea' WHERE keywords = ''")
    before = await press.everything(), await press.query(SEQUENCES)
    async with looking(press, proposed()) as site:
        seen = await site.ask("look", **LOOK)
        assert await site.ask("migration_plan") == []
    assert seen["pages"] == 1
    assert seen["faults"] == []
    assert seen["stay"] == [{"type": "press.Blog", "count": 2, "slugs": ["notes", "diary"]}]
    assert (await press.everything(), await press.query(SEQUENCES)) == before


async def test_names_a_rule_that_the_copy_would_break(press: Press) -> None:
    await press.query("CREATE UNIQUE INDEX once ON press_blog (explicit) WHERE explicit = 2")
    async with looking(press, proposed()) as site:
        (fault,) = (await site.ask("look", **LOOK))["faults"]
    assert "(once)" in fault


@pytest.mark.slow
async def test_code_of_the_project_cannot_write(press: Press) -> None:
    before = await press.everything()
    async with looking(press, proposed(WRITES)) as site:
        with pytest.raises(WorkerFailed, match="read-only transaction"):
            await site.ask("look", **LOOK)
    assert await press.everything() == before


@pytest.mark.parametrize(
    ("operation", "arguments"),
    [
        ("convert", {**MOVE, "pages": [1]}),
        ("migrate", {}),
        ("place_site", {"hostname": "x", "port": 80}),
    ],
)
async def test_refuses_what_may_change_something(
    press: Press, operation: str, arguments: dict[str, Any]
) -> None:
    async with looking(press, proposed()) as site:
        with pytest.raises(OperationFailed, match="nothing may be changed"):
            await site.ask(operation, **arguments)


async def test_the_project_finds_no_brief_in_its_environment(press: Press) -> None:
    """The password of a target is for Django's connection alone."""
    assert press.database.password is not None
    password = press.database.password.reveal()
    note = press.project.parent / "environ.txt"
    dump = f"import os, pathlib\npathlib.Path({str(note)!r}).write_text(repr(dict(os.environ)))\n"
    async with looking(press, proposed() + "\n\n" + dump) as site:
        await site.ask("migration_plan")
    assert "DJANGO_SETTINGS_MODULE" in note.read_text()
    assert password not in note.read_text()
    assert "REMODEL_BRIEF" not in note.read_text()


HASTY = (
    *("statement_timeout = '50ms'", "lock_timeout = '20ms'", "transaction_timeout = '60ms'"),
    *("default_transaction_read_only = on", "default_transaction_isolation = serializable"),
)


@pytest.fixture
async def hasty(added: Press) -> Press:
    """`press` with its models between the two phases, and an impatient database."""
    for setting in HASTY:
        await added.query(f'ALTER DATABASE "{added.database.database}" SET {setting}')
    return added


@pytest.mark.slow
async def test_looks_and_converts_whatever_the_database_has_set(hasty: Press) -> None:
    text = (hasty.project / "press" / "models.py").read_text()
    async with looking(hasty, text) as site:
        assert (await site.ask("look", **LOOK))["faults"] == []
    async with hasty.site(environment={"PGAPPNAME": "of its own"}) as site:
        done = await site.ask("convert", **MOVE, pages=[await hasty.page("show")])
    assert len(done["map"]) == 1
