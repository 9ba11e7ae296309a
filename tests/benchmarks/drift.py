"""How long it takes to tell what was written among a million rows, and md5 fingerprints beside it.

`python -m tests.benchmarks.drift` runs this part alone.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.benchmarks.ground import Ground, ground
from wizard.postgres.address import Address, connect
from wizard.postgres.drift import baseline, drift, fingerprint

ROWS = 1_000_000
TIMES = 5

# Rows as a page's are: some numbers, some titles, a text. Keys have gaps, as they have after years.
FILL = f"""
    CREATE TABLE page (
        id serial PRIMARY KEY, title varchar(255), slug varchar(255), at timestamptz, body text);
    CREATE INDEX ON page (slug);
    INSERT INTO page (title, slug, at, body)
    SELECT 'Report ' || i, 'report-' || i, timestamptz '2026-01-01 UTC' + i * interval '1 minute',
           repeat(md5(i::text), 5)
      FROM generate_series(1, {ROWS} + 500) i;
    DELETE FROM page WHERE id % 2000 = 7;
"""
WRITTEN = (
    "UPDATE page SET title = 'Other' WHERE id % 1000 = 1",
    "INSERT INTO page (title) SELECT 'New ' || i FROM generate_series(1, 500) i",
    "DELETE FROM page WHERE id % 2000 = 3",
)


async def drifting(ground: Ground) -> dict[str, Any]:
    """Median seconds for the drift of a million rows, for md5 fingerprints of the same rows, for
    the baseline that the drift needs, and for the second look that the site waits for."""
    database = "drifting"
    await ground.cluster.create_database(database)
    address = ground.cluster.address(database)
    try:
        await _run(address, FILL)
        await _run(address, "VACUUM ANALYZE")
        taken: dict[str, list[float]] = {"baseline": []}
        for _ in range(TIMES):
            began = time.perf_counter()
            async with baseline.held(address) as held:
                taken["baseline"].append(time.perf_counter() - began)
                since = held.baseline
        for statement in WRITTEN:
            await _run(address, statement)
        taken |= {"drift": [], "fingerprints": [], "second": []}
        for _ in range(TIMES):
            began = time.perf_counter()
            found = await drift.find(address, since)
            taken["drift"].append(time.perf_counter() - began)
            began = time.perf_counter()
            await fingerprint.tables(address)
            taken["fingerprints"].append(time.perf_counter() - began)
            async with await connect(address) as guard:
                watch = drift.Watch(since)
                await watch.look(guard)
                began = time.perf_counter()
                await watch.look(guard)
                taken["second"].append(time.perf_counter() - began)
        (change,) = found.changes
        assert (change.new, change.changed, change.gone) == (500, 1001, 501), change
    finally:
        await ground.cluster.drop_database(database)
    seconds = {name: statistics.median(times) for name, times in taken.items()}
    ratio = seconds["fingerprints"] / seconds["drift"]
    print(
        f"{ROWS:,} rows: drift {seconds['drift']:.2f} s, md5 fingerprints "
        f"{seconds['fingerprints']:.2f} s, {ratio:.1f} times as long; baseline "
        f"{seconds['baseline']:.2f} s, second look {seconds['second'] * 1000:.0f} ms",
        flush=True,
    )
    return {"rows": ROWS, "seconds": seconds, "ratio": ratio}


async def _run(address: Address, statement: str) -> None:
    async with await connect(address) as connection:
        await connection.execute(statement.encode())


async def _alone() -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with ground(Path(folder) / "cluster") as where:
            await drifting(where)


if __name__ == "__main__":
    asyncio.run(_alone())
