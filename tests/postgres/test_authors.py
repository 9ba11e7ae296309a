"""Who wrote since the backup: the newest of it, and how much there is."""

from __future__ import annotations

import tracemalloc

from wizard.delivery.drift import authors
from wizard.postgres.address import Address, connect
from wizard.postgres.drift import baseline
from wizard.postgres.drift.baseline import DriftBaseline

WAGTAIL = """
    CREATE TABLE person (id int PRIMARY KEY, first_name text, last_name text, username text);
    CREATE TABLE wagtailcore_revision (id int PRIMARY KEY, created_at timestamptz, object_str text,
        user_id int REFERENCES person (id));
    CREATE TABLE wagtailcore_pagelogentry (id int PRIMARY KEY, timestamp timestamptz, user_id int,
        action text, label text, revision_id int);
    CREATE TABLE wagtailcore_modellogentry (LIKE wagtailcore_pagelogentry);
    INSERT INTO person VALUES (1, 'Ana', 'Moreira', 'ana'), (2, '', '', 'bo');
    INSERT INTO wagtailcore_revision VALUES (1, now(), 'Before', 1);
    INSERT INTO wagtailcore_pagelogentry VALUES (1, now(), 1, 'wagtail.edit', 'Before', 1);
"""
# A minute apart: each page is edited with a revision, every tenth saved without being published.
WRITTEN = """
    INSERT INTO wagtailcore_revision
    SELECT i, timestamptz '2026-01-01 UTC' + i * interval '1 min', 'Page ' || i, i % 2 + 1
      FROM generate_series(2, {last}) i;
    INSERT INTO wagtailcore_pagelogentry
    SELECT i, timestamptz '2026-01-01 UTC' + i * interval '1 min', NULLIF(i % 3, 2) + 1,
           'wagtail.edit', 'Page ' || i, i
      FROM generate_series(2, {last}) i WHERE i % 10 <> 0;
    INSERT INTO wagtailcore_modellogentry
    SELECT i, timestamptz '2026-01-01 00:00:30 UTC' + i * interval '1 min', 1,
           'shop.price', 'Tea ' || i, NULL
      FROM generate_series(2, {last}) i WHERE i % 10 = 5;
"""


async def written(database: Address, last: int, *, snapshot: bool = True) -> authors.Doings:
    async with await connect(database) as connection:
        await connection.execute(WAGTAIL)
        if snapshot:
            async with baseline.held(database) as held:
                since = held.baseline
        else:
            since = DriftBaseline.from_dict(await baseline.of_copy(database))
        await connection.execute(WRITTEN.format(last=last).encode())
        return await authors.since(database, since)


def without_times(lines: list[str]) -> list[str]:
    return [line.rsplit(" on ", 1)[0] for line in lines]


async def test_a_few_are_told_oldest_first(database: Address) -> None:
    for snapshot in (True, False):
        found = await written(database, 10, snapshot=snapshot)
        assert found.total == 10
        assert without_times(found.told()) == [
            "Somebody edited 'Page 2'",
            "Ana Moreira edited 'Page 3'",
            "bo edited 'Page 4'",
            "Somebody edited 'Page 5'",
            "Ana Moreira did shop.price to 'Tea 5'",
            "Ana Moreira edited 'Page 6'",
            "bo edited 'Page 7'",
            "Somebody edited 'Page 8'",
            "Ana Moreira edited 'Page 9'",
            "Ana Moreira saved a revision of 'Page 10'",
        ]
        assert without_times(found.told(2)) == [
            "the newest 2 of 10 entries of the site's log",
            *without_times(found.told()[-2:]),
        ]
        async with await connect(database) as connection:
            await connection.execute(
                "DROP TABLE wagtailcore_revision, person, wagtailcore_pagelogentry, "
                "wagtailcore_modellogentry"
            )


async def test_of_many_the_newest_are_read_with_their_number(database: Address) -> None:
    tracemalloc.start()
    try:
        found = await written(database, 20_000)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2_000_000
    assert found.total == 20_000 - 1 + 2_000
    first, *lines = found.told()
    assert first == "the newest 50 of 21,999 entries of the site's log"
    assert len(lines) == authors.LINES
    assert without_times(lines[-3:]) == [
        "Ana Moreira edited 'Page 19998'",
        "bo edited 'Page 19999'",
        "Ana Moreira saved a revision of 'Page 20000'",
    ]


async def test_a_site_without_wagtail_has_no_doings(database: Address) -> None:
    async with baseline.held(database) as held:
        assert await authors.since(database, held.baseline) == authors.Doings()
