"""The account of a database's objects: whatever is changed of one is named, and nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import pytest_asyncio
from psycopg import sql

from tests.postgres.catalog_changes import CHANGES, MORE
from tests.support.postgres import tool
from wizard.base.events import Report
from wizard.postgres.address import Address, connect
from wizard.postgres.catalog import account, entries, replay
from wizard.postgres.dumps import dump, restore
from wizard.postgres.dumps.archive import Archive
from wizard.postgres.dumps.tools import Tool
from wizard.sandbox.cluster import Cluster

pytestmark = pytest.mark.slow

KINDS = Path(__file__).parents[1] / "cases" / "postgres" / "many-kinds.sql"
NAME, OWNER = "harbour", "deploy"
BASE = """
SET ROLE deploy;
CREATE TABLE auth_user (id int PRIMARY KEY, username text, last_login timestamptz);
CREATE TABLE wagtailcore_site (id int PRIMARY KEY, hostname text);
CREATE TABLE wagtailcore_page (
    id serial PRIMARY KEY, title text, slug text, live bool, content_type_id int
);
RESET ROLE;
"""


@dataclass(frozen=True)
class Place:
    """A database of every kind of object, and how it is described."""

    address: Address
    pg_dump: Tool

    async def describe(self) -> entries.Catalog:
        return await entries.describe(self.address, self.pg_dump)

    def at(self, database: str) -> Place:
        return replace(self, address=self.address.at(database))

    async def make_roles(self) -> None:
        async with await connect(self.address) as connection:
            cursor = await connection.execute("SELECT rolname FROM pg_roles")
            there = {name for (name,) in await cursor.fetchall()}
            for role in {OWNER, "app_rw", "Lese Zugriff ü"} - there:
                await connection.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(role)))

    async def run(self, *statements: str) -> None:
        async with await connect(self.address) as connection:
            for statement in statements:
                await connection.execute(statement.encode())


@pytest_asyncio.fixture
async def place(far_cluster: Cluster) -> AsyncIterator[Place]:
    place = Place(far_cluster.address(NAME), await tool("pg_dump", 18))
    await place.at("postgres").make_roles()
    await far_cluster.create_database(NAME, owner=OWNER)
    await place.run(BASE, KINDS.read_text())
    yield place
    await far_cluster.drop_database(NAME)


async def test_every_change_is_named_and_nothing_else(place: Place) -> None:
    await place.run(MORE)
    before = await place.describe()
    assert account.differences(before, await place.describe()) == []
    assert len(CHANGES) > 60
    for statement in CHANGES:
        await place.run(statement)
    named = [str(change) for change in account.differences(before, await place.describe())]
    expected = [line for lines in CHANGES.values() for line in lines.split("\n")]
    assert set(named) - set(expected) == set()
    assert set(expected) - set(named) == set()
    assert len(named) == len(expected) > 60


CONVERSION = (
    "CREATE TABLE podcast (id int PRIMARY KEY, keywords text)",
    "CREATE INDEX podcast_keywords ON podcast (keywords)",
    "ALTER TABLE wagtailcore_page DROP live CASCADE",
    "ALTER TABLE auth_user DROP last_login",
    "ALTER TABLE stored ADD u text",
    "DROP FUNCTION doubled(int)",
)
BEYOND = {
    "DROP INDEX indexed_a": "INDEX public indexed_a: is not there",
    "REVOKE SELECT ON shown FROM app_rw": "ACL public TABLE shown: is not there",
    "COMMENT ON SCHEMA public IS NULL": "COMMENT SCHEMA public: another definition",
    "ALTER TABLE stored ADD v text": "TABLE public stored: another definition",
    "CREATE TABLE more (id int)": "TABLE public more: is new",
    "DROP TABLE handed": "CONSTRAINT public handed handed_pkey: is not there\n"
    "TABLE public handed: is not there",
}
"""Changes that the conversion has not made, and how they are named."""


@dataclass(frozen=True)
class Converted:
    """What is live, what the conversion made of a copy, and the dump of it."""

    live: entries.Catalog
    made: list[account.Difference]
    archive: Archive

    async def left(self, new: Place) -> list[account.Difference]:
        """What of a new database is not as it has to be, the database's own things aside."""
        differing = account.unexplained(self.live, await new.describe(), self.made)
        return [one for one in differing if not one.key.of_database]


@pytest_asyncio.fixture
async def converted(
    place: Place, cluster: Cluster, report: Report, tmp_path: Path
) -> AsyncIterator[Converted]:
    """The local database has none of the owners and privileges."""
    await place.run(MORE)
    local = Place(cluster.address("harbour_local"), place.pg_dump)
    await local.at("postgres").make_roles()
    pg_dump, pg_restore = place.pg_dump, await tool("pg_restore", 18)
    taken = await dump.dump(
        place.address, tmp_path / "live.dump", report, pg_dump=pg_dump, pg_restore=pg_restore
    )
    await restore.create_beside(local.address, "harbour_local", like=None, report=report)
    await restore.restore(taken, local.address, report, pg_restore=pg_restore)
    restored = await local.describe()
    await local.run(*CONVERSION)
    made = account.differences(restored, await local.describe())
    archive = await dump.dump(
        local.address, tmp_path / "new.dump", report, pg_dump=pg_dump, pg_restore=pg_restore
    )
    yield Converted(await place.describe(), made, archive)
    await cluster.drop_database("harbour_local")
    await place.at("postgres").run("DROP DATABASE IF EXISTS harbour_new")


async def test_what_the_conversion_has_made_is_explained(
    place: Place, converted: Converted
) -> None:
    await place.at("postgres").run(f"CREATE DATABASE harbour_new TEMPLATE {NAME} OWNER {OWNER}")
    new = place.at("harbour_new")
    undone = list(map(str, await converted.left(new)))  # the conversion, the wrong way round
    assert len(undone) == len(converted.made)
    assert "TABLE public podcast: is not there" in undone
    assert "FUNCTION public doubled(integer): is new" in undone
    await new.run(*CONVERSION)
    assert await converted.left(new) == []
    await new.run(*BEYOND)
    named = "\n".join(BEYOND.values()).split("\n")
    assert sorted(map(str, await converted.left(new))) == sorted(named)


async def test_what_a_restore_leaves_out_is_made_from_what_is_live(
    place: Place, converted: Converted, report: Report
) -> None:
    new = place.at("harbour_new")
    await restore.create_beside(place.address, "harbour_new", like=NAME, report=report)
    pg_restore = await tool("pg_restore", 18)
    await restore.restore(converted.archive, new.address, report, pg_restore=pg_restore)
    left = await converted.left(new)
    named = {str(one) for one in left}
    assert len(named) > 60
    assert named >= {
        "PUBLICATION pub: is not there",
        "PUBLICATION TABLE public pub child: is not there",
        "LARGE OBJECT 4711: another definition, owner",
        "COMMENT SCHEMA public: is not there",
        "TEXT SEARCH CONFIGURATION public hafen_de: another owner",
    }
    async with await connect(new.address) as connection:
        assert await replay.replay(connection, left, converted.live) == {}
    assert await converted.left(new) == []
