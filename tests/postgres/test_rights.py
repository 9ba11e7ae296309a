"""Owners and grants of a live database are those of what takes its place."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from wizard.base.events import Event, Finding, Report
from wizard.postgres import server
from wizard.postgres.address import Address, connect
from wizard.postgres.admin import rights
from wizard.postgres.dumps.restore import create_beside, drop
from wizard.sandbox.cluster import Cluster

OBJECTS = """
    CREATE SCHEMA "More Of It";
    CREATE TYPE "More Of It".mood AS ENUM ('glad');
    CREATE TABLE page (id serial PRIMARY KEY, title text, secret text);
    CREATE VIEW seen AS SELECT title FROM page;
    CREATE MATERIALIZED VIEW counted AS SELECT count(*) FROM page;
    CREATE SEQUENCE alone;
    CREATE FUNCTION twice(word text, m "More Of It".mood) RETURNS text
        LANGUAGE sql AS $$ SELECT word || word $$
"""
GRANTS = """
    GRANT SELECT, INSERT ON page TO "Re""ader";
    GRANT UPDATE (secret) ON page TO "Re""ader" WITH GRANT OPTION;
    GRANT SELECT ON seen TO PUBLIC;
    GRANT USAGE ON SEQUENCE page_id_seq TO "Re""ader";
    GRANT USAGE ON SCHEMA "More Of It" TO "Re""ader";
    REVOKE ALL ON FUNCTION twice FROM PUBLIC;
    GRANT USAGE ON TYPE "More Of It".mood TO "Re""ader";
    REVOKE USAGE ON TYPE "More Of It".mood FROM PUBLIC;
    ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO "Re""ader";
    ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
    ALTER DEFAULT PRIVILEGES IN SCHEMA "More Of It" GRANT USAGE ON SEQUENCES TO "Re""ader"
"""


@pytest.fixture(params=[16, 18])
async def live(
    request: pytest.FixtureRequest,
    cluster: Cluster,
    database: Address,
    cluster_16: Cluster,
    database_16: Address,
) -> AsyncIterator[tuple[Cluster, Address]]:
    """A database of `app` that another role may use."""
    on, address = (cluster, database) if request.param == 18 else (cluster_16, database_16)
    async with await connect(on.address("postgres")) as superuser:
        await superuser.execute('CREATE ROLE "Re""ader"')
        async with await connect(address) as connection:
            await connection.execute(OBJECTS)
            await connection.execute(GRANTS)
        yield on, address
        for name in (address.database, "beside"):
            await drop(on.address("postgres"), name, force=True)
        await superuser.execute(f'CREATE DATABASE "{address.database}" OWNER app'.encode())
        await superuser.execute('DROP ROLE "Re""ader"')


async def test_gives_a_superusers_restore_to_the_owner_with_every_grant(
    live: tuple[Cluster, Address], report: Report, events: list[Event]
) -> None:
    on, address = live
    superuser = on.address(address.database)
    beside = superuser.at("beside")
    await create_beside(superuser, "beside", like=address.database, report=report)
    there = {each.name: each for each in await server.databases(superuser)}
    assert there["beside"].owner == "app"
    async with server.session(superuser) as connection:
        meant = await rights.read(connection)
    async with server.session(beside) as connection:
        await rights.give(connection, meant, report)  # default privileges, before the tables
        await connection.execute(OBJECTS)
        await connection.execute("CREATE TABLE fresh (id serial)")
        assert (await rights.read(connection)).of != meant.of
        await rights.give(connection, meant, report)
        found = await rights.read(connection)
        assert {name: found.of[name] for name in meant.of} == dict(meant.of)
        assert found.of["", "TABLE public.fresh", ""].owner == "app"
        events.clear()
        await rights.give(connection, meant, report)
        assert events == []  # nothing was left to do
    async with await connect(address.at("beside")) as connection:  # as the site does
        await connection.execute("INSERT INTO page (title) VALUES ('new')")
        await connection.execute("REFRESH MATERIALIZED VIEW counted")
        await connection.execute("DROP TABLE fresh")


async def test_reports_grants_that_our_role_may_not_give(
    database: Address, cluster: Cluster, report: Report, events: list[Event]
) -> None:
    async with await connect(cluster.address(database.database)) as superuser:
        await superuser.execute("CREATE TABLE audit (id int); GRANT SELECT ON audit TO PUBLIC")
        meant = await rights.read(superuser)
        await superuser.execute("DROP TABLE audit")
    async with server.session(database) as connection:
        await connection.execute("CREATE TABLE audit (id int)")
        await rights.give(connection, meant, report)
        found = await rights.read(connection)
    (told,) = (each for each in events if isinstance(each, Finding) and each.status == "warn")
    assert told.name == "ALTER TABLE public.audit OWNER TO developer"
    assert ("SELECT", "PUBLIC", False) in found.of["", "TABLE public.audit", ""].granted
