"""What it takes to show the first of very many, beside reading all of it.

`python -m tests.benchmarks.shown` runs it. Each measurement is a process of its own, forked from
one that has everything loaded: seconds, and the memory that it took besides.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import tempfile
import time
from collections.abc import Callable
from contextlib import AsyncExitStack, closing
from pathlib import Path
from typing import Any

from tests.benchmarks.ground import ground
from tests.support.site_log import WAGTAIL, WRITTEN
from wizard.delivery.drift import authors
from wizard.postgres.address import Address, connect
from wizard.postgres.drift import baseline, drift, keys
from wizard.postgres.drift.baseline import DriftBaseline
from wizard.project import recorded_urls
from wizard.session.journal import Journal

LOST = 30_000_000
ROWS = 1_000_000
ENTRIES = 200_000
PAGES = 200_000
MB = 1024  # of ru_maxrss's kB

Work = Callable[[], object]


def measured(work: Work) -> tuple[float, float]:
    """Run in a process of its own; return the seconds, and the MB that it took besides."""
    reading, writing = os.pipe()
    if not (child := os.fork()):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        began = time.perf_counter()
        work()
        taken = time.perf_counter() - began
        more = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        os.write(writing, json.dumps([taken, more / MB]).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        seconds, memory = json.load(pipe)
    os.waitpid(child, 0)
    return seconds, memory


def compare(what: str, shown: Work, whole: Work) -> None:
    """Print both, and how many times as much the second takes."""
    (ours, small), (theirs, large) = measured(shown), measured(whole)
    print(
        f"{what}: {ours:.4f} s and {small:.1f} MB; read whole {theirs:.2f} s and {large:.1f} MB, "
        f"{theirs / ours:,.0f} times the time, {large / max(small, 1):,.0f} times the memory",
        flush=True,
    )


def of_files(folder: Path) -> None:
    """Compare what needs no database."""
    there, now = ((1, LOST),), ((2, 2),)

    def lost() -> object:
        left = keys.beyond(there, now)
        return keys.number_of(left), keys.first_of(left, drift.LISTED)

    compare(
        f"{LOST:,} lost keys",
        lost,
        lambda: [key for first, last in keys.beyond(there, now) for key in range(first, last + 1)],
    )
    path = folder / "journal.sqlite"
    with closing(Journal(path)) as journal:
        facts = {"map": {str(page): page + PAGES for page in range(PAGES)}}
        journal.write("copy.convert", "done", facts)
    compare(
        f"the state of a conversion of {PAGES:,} pages",
        lambda: Journal(path).kind("copy.convert"),
        lambda: [entry.data for entry in Journal(path).entries("copy.convert")],
    )
    urls = folder / "urls-before.json"
    row = {"site": 1, "title": "A report", "live": True, "restricted": False, "type": "cast.Post"}
    rows = [{"page_id": page, "url": f"/show/{page}/", **row} for page in range(PAGES)]
    urls.write_text(json.dumps(rows))
    del rows
    compare(
        f"500 of {PAGES:,} URLs",
        lambda: [page for page in recorded_urls.read(urls) if page["page_id"] < 500],
        lambda: [page for page in json.loads(urls.read_text()) if page["page_id"] < 500],
    )


async def _written(address: Address) -> tuple[DriftBaseline, DriftBaseline]:
    """Write many rows, and many entries of the site's log, since a baseline of each."""
    async with await connect(address) as connection:
        await connection.execute("CREATE TABLE page (id int PRIMARY KEY, title text)")
        await connection.execute(
            f"INSERT INTO page SELECT i, 'Page' FROM generate_series(1, {ROWS}) i".encode()
        )
        async with baseline.held(address) as held:
            rows = held.baseline
        await connection.execute("UPDATE page SET title = 'Other'")
        await connection.execute(WAGTAIL)
        async with baseline.held(address) as held:
            entries = held.baseline
        await connection.execute(WRITTEN.format(last=ENTRIES).encode())
    return rows, entries


async def _all(address: Address, query: str) -> list[tuple[Any, ...]]:
    async with await connect(address) as connection:
        return await (await connection.execute(query.encode())).fetchall()


def of_a_database(address: Address, rows: DriftBaseline, entries: DriftBaseline) -> None:
    """Compare what the server reads for us."""
    compare(
        f"the drift of {ROWS:,} rows, all of them changed",
        lambda: asyncio.run(drift.find(address, rows)),
        lambda: asyncio.run(_all(address, "SELECT id, xmin::text FROM page ORDER BY 1")),
    )
    compare(
        f"the newest of {ENTRIES:,} entries of the site's log",
        lambda: asyncio.run(authors.since(address, entries)),
        lambda: asyncio.run(_all(address, "SELECT * FROM wagtailcore_pagelogentry ORDER BY 2")),
    )


def main() -> None:
    """Run all of it."""
    with tempfile.TemporaryDirectory() as folder, asyncio.Runner() as runner:
        of_files(Path(folder))
        stack = AsyncExitStack()
        where = runner.run(stack.enter_async_context(ground(Path(folder) / "cluster")))
        try:
            runner.run(where.cluster.create_database("shown"))
            address = where.cluster.address("shown")
            of_a_database(address, *runner.run(_written(address)))
        finally:
            runner.run(stack.aclose())


if __name__ == "__main__":
    main()
