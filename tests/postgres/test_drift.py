"""What was written since the backup is told row by row, and nothing written is missed."""

from __future__ import annotations

import json
import math
import random
import tracemalloc
from pathlib import Path

import pytest
from psycopg import sql

from tests.support.postgres import ended
from wizard.base.errors import OperationFailed
from wizard.base.redaction import Secret
from wizard.postgres.address import Address, connect
from wizard.postgres.drift import baseline, catalog, drift, keys
from wizard.postgres.drift.baseline import DriftBaseline
from wizard.sandbox.cluster import Cluster

TABLES = """
    CREATE TABLE plain (id serial PRIMARY KEY, word text);
    CREATE TABLE keyless (word text);
    CREATE TABLE "by Name" (name text PRIMARY KEY, n int);
    CREATE TABLE account (id int PRIMARY KEY, password text, last_login timestamptz);
    INSERT INTO plain (word) SELECT 'word ' || i FROM generate_series(1, 50) i;
    DELETE FROM plain WHERE id IN (7, 8, 30);
    INSERT INTO keyless SELECT 'word ' || i FROM generate_series(1, 5) i;
    INSERT INTO "by Name" SELECT 'name ' || i, i FROM generate_series(1, 5) i;
    INSERT INTO account SELECT i, 'secret ' || i, now() FROM generate_series(1, 5) i;
"""


@pytest.fixture
async def site(database: Address) -> Address:
    await run(database, TABLES)
    return database


async def run(address: Address, *statements: str) -> None:
    async with await connect(address) as connection:
        for statement in statements:
            await connection.execute(statement.encode())


async def taken(address: Address) -> DriftBaseline:
    """The baseline, by way of the journal."""
    async with baseline.held(address) as held:
        return DriftBaseline.from_dict(json.loads(json.dumps(held.as_dict())))


async def told(address: Address, since: DriftBaseline) -> list[str]:
    return [str(change) for change in (await drift.find(address, since)).changes]


async def test_finds_each_row_that_is_new_changed_or_deleted(site: Address) -> None:
    since = await taken(site)
    assert await told(site, since) == []
    await run(
        site,
        "INSERT INTO plain (word) VALUES ('a'), ('b')",
        "INSERT INTO plain (id, word) VALUES (7, 'into the gap')",
        "UPDATE plain SET word = 'other' WHERE id IN (3, 51)",
        "UPDATE plain SET word = 'once more' WHERE id = 3",
        "DELETE FROM plain WHERE id BETWEEN 10 AND 12",
        "INSERT INTO plain (word) VALUES ('and away'); DELETE FROM plain WHERE word = 'and away'",
    )
    found = await drift.find(site, since)
    assert [str(change) for change in found.changes] == [
        "plain: 3 new (7, 51, 52), 1 changed (3), 3 gone (10, 11, 12)"
    ]
    assert found.changes[0].rows == 7
    assert found.sequences == ("plain_id_seq: was at 50, is at 53",)


async def test_statements_that_change_no_row_are_no_drift(site: Address) -> None:
    since = await taken(site)
    await run(
        site,
        "SELECT * FROM plain FOR UPDATE",
        "VACUUM (FREEZE) plain",
        "VACUUM FULL plain",
        "CLUSTER plain USING plain_pkey",
        "ANALYZE",
        "BEGIN; DELETE FROM plain; ROLLBACK",
    )
    assert await told(site, since) == []
    await run(site, "ALTER TABLE plain ADD COLUMN added int DEFAULT 7")
    assert await told(site, since) == ["plain: other columns, constraints or indexes"]


async def test_finds_drift_in_tables_without_an_integer_key(site: Address) -> None:
    since = await taken(site)
    await run(
        site,
        "INSERT INTO keyless VALUES ('more')",
        "UPDATE \"by Name\" SET n = 0 WHERE name IN ('name 1', 'name 2')",
        "DELETE FROM \"by Name\" WHERE name = 'name 3'",
    )
    assert await told(site, since) == [
        "by Name: 2 new or changed, 3 changed or gone",
        "keyless: 1 new",
    ]
    await run(site, "TRUNCATE keyless", "CREATE TABLE late (id int)", "DROP TABLE plain")
    changes = {change.table: change for change in (await drift.find(site, since)).changes}
    assert changes["keyless"].what == "5 gone"
    assert changes["late"].altered
    assert changes["plain"].gone == 47


async def test_finds_what_a_transaction_open_during_the_baseline_commits(site: Address) -> None:
    """Its rows are told once it commits; what others committed meanwhile was there already."""
    async with await connect(site, autocommit=False) as running:
        await running.execute("UPDATE plain SET word = 'before' WHERE id = 1")
        await run(site, "UPDATE plain SET word = 'committed' WHERE id = 2")
        since = await taken(site)
        assert len(since.seen) == 1
        assert await told(site, since) == []
        await running.execute("UPDATE plain SET word = 'after' WHERE id = 3")
        await running.commit()
    assert await told(site, since) == ["plain: 2 changed (1, 3)"]


async def test_finds_what_a_subtransaction_open_during_the_baseline_commits(site: Address) -> None:
    """PostgreSQL's own function has it as seen, since a snapshot does not list it."""
    async with await connect(site, autocommit=False) as running:
        await running.execute("UPDATE plain SET word = 'outer' WHERE id = 1")
        async with running.transaction():  # a savepoint, as nested `atomic` is
            await running.execute("UPDATE plain SET word = 'inner' WHERE id = 2")
        await run(site, "INSERT INTO keyless VALUES ('moves the snapshot on')")
        since = await taken(site)
        await running.commit()
    async with await connect(site) as connection:
        cursor = await connection.execute(
            "SELECT txid_visible_in_snapshot(xmin::text::bigint, %s::txid_snapshot) "
            "FROM plain WHERE id = 2",
            [since.snapshot],
        )
        assert await cursor.fetchone() == (True,)
    assert await told(site, since) == ["plain: 2 changed (1, 2)"]


async def test_finds_drift_after_transaction_ids_wrap_around(tmp_path: Path) -> None:
    """Of the 64 bits of a transaction's number a row has the lower 32, which start again at 3."""
    cluster = Cluster(tmp_path / "wrapping", user="developer", password=Secret("p"), durable=False)
    await cluster.start()
    try:
        address = cluster.address("postgres")
        await run(address, TABLES)
        for name in ("postgres", "template1"):
            await run(cluster.address(name), "VACUUM (FREEZE)")
        await cluster.stop()
        # A page of the commit log for the last numbers before the wrap.
        (cluster.data / "pg_xact" / "0FFF").write_bytes(bytes(256 * 1024))
        cluster._account.take(cluster.data / "pg_xact" / "0FFF")
        await cluster._run("pg_resetwal", "-x", str(2**32 - 20), "-e", "5", str(cluster.data))
        await cluster.start()
        await run(address, "UPDATE plain SET word = 'old' WHERE id = 1")
        since = await taken(address)
        assert 5 * 2**32 < since.horizon < 6 * 2**32
        for number in range(40):
            await run(address, f"INSERT INTO plain VALUES ({1000 + number})")
        await run(address, "UPDATE plain SET word = 'new' WHERE id IN (1, 2)")
        assert (await taken(address)).horizon > 6 * 2**32
        (change,) = (await drift.find(address, since)).changes
        assert (change.new, change.keys["changed"], change.gone) == (40, (1, 2), 0)
    finally:
        await cluster.stop()


async def test_a_login_alone_is_reported_as_such(site: Address) -> None:
    since = await taken(site)
    await run(site, "UPDATE account SET last_login = now() WHERE id = 2")
    (change,) = (await drift.find(site, since)).changes
    assert (change.logins, change.what) == (True, "1 changed")
    await run(site, "UPDATE account SET password = 'other' WHERE id = 3")
    (change,) = (await drift.find(site, since)).changes
    assert (change.logins, change.what) == (False, "2 changed (2, 3)")


@pytest.mark.parametrize("seed", range(4))
async def test_counts_any_sequence_of_statements_exactly(site: Address, seed: int) -> None:
    """Random writes, some in savepoints, some by a transaction that ran when it began."""
    chance = random.Random(seed)

    async def state() -> dict[int, str]:
        async with await connect(site) as connection:
            cursor = await connection.execute("SELECT id, xmin::text FROM plain")
            return dict(await cursor.fetchall())

    def write() -> str:
        some = chance.randint(1, 60)
        return chance.choice(
            [
                f"DELETE FROM plain WHERE id = {some}",
                f"UPDATE plain SET word = 'w{some}' WHERE id BETWEEN {some} AND {some + 2}",
                f"INSERT INTO plain VALUES ({some}, 'n') ON CONFLICT (id) DO UPDATE SET word='u'",
            ]
        )

    async with await connect(site, autocommit=False) as running:
        await running.execute("INSERT INTO plain VALUES (1000, 'running')")
        async with running.transaction():
            await running.execute("INSERT INTO plain VALUES (1001, 'running')")
        await run(site, *(write() for _ in range(10)))
        since, before = await taken(site), await state()
        await run(site, *(write() for _ in range(15)))
        await running.commit()
    after = await state()
    (change,) = (await drift.find(site, since)).changes
    assert change.keys.get("new") == tuple(sorted(after.keys() - before.keys()))
    assert change.keys.get("gone", ()) == tuple(sorted(before.keys() - after.keys()))
    assert change.keys.get("changed", ()) == tuple(
        sorted(key for key in before.keys() & after.keys() if before[key] != after[key])
    )


async def test_each_drift_has_a_digest_of_its_own(site: Address) -> None:
    since = await taken(site)
    digests = []
    for statement in ("UPDATE plain SET word = 'x' WHERE id = 1",) * 2 + (
        "DELETE FROM plain WHERE id = 2",
    ):
        await run(site, statement)
        (change,) = (await drift.find(site, since)).changes
        (again,) = (await drift.find(site, since)).changes
        assert change.digest == again.digest
        digests.append(change.digest)
    assert len(set(digests)) == 3


async def test_a_pg_dump_sees_the_held_moment(site: Address) -> None:
    async with baseline.held(site) as held, await connect(site, autocommit=False) as other:
        await run(site, "DELETE FROM plain")
        await other.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        await other.execute(f"SET TRANSACTION SNAPSHOT '{held.snapshot}'".encode())
        cursor = await other.execute("SELECT count(*) FROM plain")
        assert await cursor.fetchone() == (47,)
        assert held.baseline.tables["plain"].rows == 47
        assert held.baseline.tables["plain"].runs == ((1, 6), (9, 29), (31, 50))


async def test_a_baseline_of_another_database_is_refused(
    site: Address, far_database: Address
) -> None:
    since = await taken(site)
    with pytest.raises(OperationFailed, match="not the one that the backup was taken from"):
        await drift.find(far_database, since)


async def test_a_dump_from_elsewhere_is_compared_by_content(
    site: Address, far_database: Address
) -> None:
    """The copy's rows are on another server, so that no transaction means anything there."""
    await run(far_database, TABLES)
    async with await connect(far_database) as far, await connect(site) as near:
        cursor = await far.execute("SELECT id, last_login FROM account")
        for key, at in await cursor.fetchall():
            await near.execute("UPDATE account SET last_login = %s WHERE id = %s", [at, key])
    copied = DriftBaseline.from_dict(json.loads(json.dumps(await baseline.of_copy(site))))
    assert await told(far_database, copied) == []
    await run(
        far_database,
        "INSERT INTO plain (word) VALUES ('a')",
        "DELETE FROM plain WHERE id = 2",
        "UPDATE account SET last_login = now() WHERE id = 2",
        "INSERT INTO keyless VALUES ('more')",
    )
    assert [each.table for each in (await drift.find(far_database, copied)).changes if each.logins]
    await run(far_database, "UPDATE account SET password = 'other' WHERE id = 2")
    assert await told(far_database, copied) == [
        "account: other values in rows that were there",
        "keyless: other rows than in the backup",
        "plain: 1 new (51), 1 gone (2), other values in rows that were there",
    ]


async def test_looking_again_finds_what_was_written_in_between(site: Address) -> None:
    since = await taken(site)
    await run(site, "UPDATE plain SET word = 'x' WHERE id = 1")
    watch = drift.Watch(since)
    async with await connect(site) as guard:
        assert [str(each) for each in (await watch.look(guard)).changes] == ["plain: 1 changed (1)"]
        await run(
            site, "DELETE FROM plain WHERE id = 4", "TRUNCATE keyless", "CREATE TABLE late ()"
        )
        await ended(site, guard.info.backend_pid)
        found = await watch.look(guard)
        assert found == await drift.find(site, since)
        assert [each.table for each in found.changes] == ["keyless", "late", "plain"]
        await ended(site, guard.info.backend_pid)
        assert await watch.look(guard) == found


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE plain ADD COLUMN more text",
        "ALTER TABLE plain DROP COLUMN word",
        "ALTER TABLE plain ALTER COLUMN word SET DEFAULT 'x'",
        "ALTER TABLE plain ADD CHECK (id > 0)",
        "ALTER TABLE account DROP CONSTRAINT account_pkey",
        "CREATE INDEX ON keyless (word)",
        "ALTER TABLE plain RENAME TO renamed",
    ],
)
async def test_looking_again_finds_schema_changes_in_between(site: Address, statement: str) -> None:
    since = await taken(site)
    watch = drift.Watch(since)
    async with await connect(site) as guard:
        assert not await watch.look(guard)
        await run(site, statement)
        await ended(site, guard.info.backend_pid)
        found = await watch.look(guard)
        assert found
        assert found == await drift.find(site, since)
        await ended(site, guard.info.backend_pid)
        assert await watch.look(guard) == found


def test_keys_beyond_every_run() -> None:
    runs = ((1, 3), (6, 6), (9, 12))
    assert keys.beyond(((0, 7), (11, 14)), runs) == ((0, 0), (4, 5), (7, 7), (13, 14))
    assert keys.beyond(runs, ()) == runs
    assert (keys.number_of(runs), keys.first_of(runs, 5)) == (8, (1, 2, 3, 6, 9))
    assert keys.first_of((), 5) == ()


@pytest.mark.parametrize("kind", ["smallint", "int", "bigint"])
async def test_the_server_sorts_keys_by_runs(site: Address, kind: str) -> None:
    chance = random.Random(kind)
    there = sorted(chance.sample(range(-3_000, 3_000), 2_500))
    before = sorted(chance.sample(range(-3_000, 3_000), 2_500))
    await run(
        site,
        f"CREATE TABLE keyed (key {kind} PRIMARY KEY)",
        f"INSERT INTO keyed SELECT unnest(ARRAY{there})",
    )
    async with await connect(site) as connection:
        (keyed,) = [one for one in await catalog.tables(connection) if one.name == "keyed"]

        async def known(runs: keys.Runs) -> dict[bool, tuple[int, list[int]]]:
            return await keys.known(connection, keyed, runs, sql.SQL("t.key % 7 <> 3"), 40)

        met = [key for key in there if math.fmod(key, 7) != 3]  # PostgreSQL's %
        new = [key for key in met if key not in set(before)]
        changed = [key for key in met if key in set(before)]
        assert await known(tuple((key, key) for key in before)) == {
            False: (len(new), new[:40]),
            True: (len(changed), changed[:40]),
        }
        assert await known(()) == {False: (len(met), met[:40]), True: (0, [])}
        assert await known(((-(2**62), 2**62),)) == {False: (0, []), True: (len(met), met[:40])}


@pytest.mark.parametrize("snapshot", [True, False])
async def test_memory_goes_by_the_keys_that_are_listed(site: Address, snapshot: bool) -> None:
    """60,000 rows are written, as many are lost, and as many are new."""
    await run(
        site,
        "CREATE TABLE big (id int PRIMARY KEY, n int)",
        "INSERT INTO big SELECT i, 0 FROM generate_series(1, 120000) i",
    )
    if snapshot:
        since = await taken(site)
    else:
        since = DriftBaseline.from_dict(await baseline.of_copy(site))
    await run(
        site,
        "DELETE FROM big WHERE id <= 60000",
        "UPDATE big SET n = 1",
        "INSERT INTO big SELECT i, 0 FROM generate_series(120001, 180000) i",
    )
    tracemalloc.start()
    try:
        (change,) = (await drift.find(site, since)).changes
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2_000_000
    assert (change.new, change.gone) == (60_000, 60_000)
    assert change.keys["new"] == tuple(range(120_001, 120_001 + drift.LISTED))
    assert change.keys["gone"] == tuple(range(1, 1 + drift.LISTED))
    assert change.what.startswith("60,000 new (120001, 120002, ")
    if snapshot:
        assert change.changed == 60_000
        assert change.keys["changed"] == tuple(range(60_001, 60_001 + drift.LISTED))
