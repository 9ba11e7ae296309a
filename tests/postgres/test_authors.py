"""Who wrote since the backup: the newest of it, and how much there is."""

from __future__ import annotations

import tracemalloc

from tests.support.site_log import WAGTAIL, WRITTEN
from wizard.delivery.drift import authors
from wizard.postgres.address import Address, connect
from wizard.postgres.drift import baseline
from wizard.postgres.drift.baseline import DriftBaseline


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
