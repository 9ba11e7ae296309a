"""What would make a delivery fail is told before anything is done."""

from __future__ import annotations

import psycopg
import pytest

from wizard.base.errors import OperationFailed
from wizard.base.events import Event, Finding, Report
from wizard.postgres.address import Address, connect
from wizard.postgres.admin import preflight
from wizard.postgres.admin.preflight import Needs
from wizard.postgres.dumps.restore import create_beside
from wizard.sandbox.cluster import Cluster
from wizard.ssh.connection import Connection


async def as_superuser(cluster: Cluster, database: str, *statements: str) -> None:
    async with await connect(cluster.address(database)) as connection:
        for statement in statements:
            await connection.execute(statement.encode())


async def test_finds_no_problem_on_a_plain_target(database: Address) -> None:
    found = await preflight.swap(database, await preflight.needs(database), None)
    found.require("production", "swap")
    assert found.faults == ()
    (line,) = found.plan_lines
    assert "how much is free there is not known" in line
    assert (await preflight.in_place(database, Needs())).plan_lines == ()


async def test_finds_a_foreign_owner_and_a_missing_createdb(
    cluster: Cluster, database: Address
) -> None:
    await as_superuser(
        cluster,
        "postgres",
        f'ALTER DATABASE "{database.database}" OWNER TO developer',
        "ALTER ROLE app NOCREATEDB",
    )
    try:
        found = await preflight.swap(database, Needs(), None)
    finally:
        await as_superuser(
            cluster,
            "postgres",
            f'ALTER DATABASE "{database.database}" OWNER TO app',
            "ALTER ROLE app CREATEDB",
        )
    owner, right = found.faults
    assert "belongs to developer" in owner
    assert "app may not create databases" in right
    with pytest.raises(OperationFailed, match=r"production \(swap\) would fail") as refused:
        found.require("production", "swap")
    assert refused.value.found == f"{owner}\n{right}"


async def test_finds_extensions_that_are_not_available(database: Address) -> None:
    needed = Needs(None, {"nosuch": True, "unused": False, "plpgsql": True})
    found = await preflight.swap(database, needed, None)
    assert found.faults == (
        "the converted database uses the extension nosuch, which the server does not have",
    )
    assert found.notes == (
        "the extension unused, which the server does not have, is left out; nothing uses it",
    )
    told = (await preflight.playbook(database, needed)).plan_lines
    assert told == tuple(f"NOTE: {line}" for line in (*found.faults, *found.notes))


async def test_tells_used_extensions_from_unused_ones(cluster: Cluster, database: Address) -> None:
    async with await connect(cluster.address(database.database)) as connection:
        cursor = await connection.execute("SELECT name FROM pg_available_extensions")
        available = {name for (name,) in await cursor.fetchall()}
        if "citext" not in available:
            pytest.skip("this PostgreSQL comes without citext")
        await connection.execute("CREATE EXTENSION citext")
        assert (await preflight.needs(database)).extensions == {"citext": False}
        await connection.execute("CREATE TABLE t (word citext)")
        assert (await preflight.needs(database)).extensions == {"citext": True}


async def test_reports_poolers_superusers_and_publications(
    cluster: Cluster, database: Address
) -> None:
    name = database.database
    await as_superuser(cluster, name, "CREATE PUBLICATION news")
    async with (
        await connect(cluster.address(name)) as superuser,
        await psycopg.AsyncConnection.connect(
            **database.parameters(), application_name="pgbouncer"
        ) as pooler,
    ):
        found = await preflight.swap(database, Needs(), None)
        pids = (superuser.info.backend_pid, pooler.info.backend_pid)
    assert found.faults == ()
    one, other, publication = sorted(found.notes)
    assert f"pid {pids[1]}, " in one
    assert one.startswith("a pooler's sessions are ended like all others")
    assert other.startswith("our role may not end this session")
    assert f"pid {pids[0]}, role developer" in other
    assert publication.startswith("the publication news is used by replication")


async def test_compares_the_size_with_the_free_disk(
    far_cluster: Cluster, far_database: Address, connection: Connection
) -> None:
    """df is asked where our role is told where the data are."""
    unknown = await preflight.swap(far_database, Needs(10), connection)
    assert "not known (our role is not told where)" in unknown.notes[0]
    await as_superuser(far_cluster, "postgres", "GRANT pg_read_all_settings TO app")
    try:
        enough = await preflight.swap(far_database, Needs(10), connection)
        short = await preflight.swap(far_database, Needs(10**18), connection)
    finally:
        await as_superuser(far_cluster, "postgres", "REVOKE pg_read_all_settings FROM app")
    assert enough.faults == ()
    assert f"are free in {far_cluster.data}" in enough.notes[0]
    assert short.faults[0].startswith("the new database takes about 1,000,000,000,000,000,000 by")


MADE = (
    "CREATE ROLE other",
    "ALTER DATABASE {0} SET work_mem = '9MB'",
    'ALTER DATABASE {0} SET search_path = public, "Häfen"',
    "ALTER DATABASE {0} SET \"app.tenant\" = 'a,b'",
    "ALTER DATABASE {0} SET log_min_duration_statement = '5s'",
    "ALTER DATABASE {0} SET deadlock_timeout = '2s'",
    "ALTER ROLE app IN DATABASE {0} SET statement_timeout = '1min'",
    "ALTER ROLE app IN DATABASE {0} SET log_statement = 'all'",
    "ALTER ROLE other IN DATABASE {0} SET statement_timeout = '30s'",
    "GRANT SET ON PARAMETER deadlock_timeout TO app",
)
GONE = (
    "DROP DATABASE IF EXISTS beside",
    "REVOKE SET ON PARAMETER deadlock_timeout FROM app",
    "ALTER ROLE other IN DATABASE {0} RESET ALL",
    "DROP ROLE other",
)


async def test_names_the_settings_that_do_not_follow_with_their_values(
    cluster: Cluster, database: Address, report: Report, events: list[Event]
) -> None:
    name = database.database
    await as_superuser(cluster, "postgres", *(one.format(name) for one in MADE))
    try:
        notes = (await preflight.swap(database, Needs(), None)).notes
        lines = [line.partition(" does not follow") for line in notes]
        told = [line for line, follows, _ in lines if follows]
        await create_beside(database, "beside", like=name, report=report)
        assert (await preflight.swap(cluster.address(name), Needs(), None)).notes[1:] == ()
    finally:
        await as_superuser(cluster, "postgres", *(one.format(name) for one in GONE))
    assert told == [
        "the setting app.tenant = a,b",
        "the setting log_min_duration_statement = 5s",
        "the setting log_statement = all of the role app",
        "the setting statement_timeout = 30s of the role other",
    ]
    refused = [one.name for one in events if isinstance(one, Finding) and one.status == "warn"]
    assert refused == [
        "setting app.tenant",
        "setting log_min_duration_statement",
        "setting log_statement of role app",
        "setting statement_timeout of role other",
    ]
