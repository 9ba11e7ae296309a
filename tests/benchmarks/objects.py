"""The account of a database's objects, beside `pg_dump --schema-only` of both and a diff.

`python -m tests.benchmarks.objects` runs this part alone. Every time is wall time.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.benchmarks.ground import OWNER, Ground, ground
from tests.support.postgres import tool
from wizard.base.process import run
from wizard.postgres.address import Address, connect
from wizard.postgres.catalog import account, entries
from wizard.postgres.dumps import tools
from wizard.postgres.dumps.tools import Tool

TABLES = 500
TIMES = 5  # of which the median counts
MADE = """
DO $$ BEGIN FOR i IN 1..{tables} LOOP EXECUTE format(
    'CREATE TABLE t%1$s (id serial PRIMARY KEY, title varchar(255) NOT NULL, slug text UNIQUE,
         page int REFERENCES t%2$s, body text, made timestamptz DEFAULT now(), CHECK (id > 0));
     CREATE INDEX ON t%1$s (title, made);
     COMMENT ON TABLE t%1$s IS ''number %1$s'';
     CREATE VIEW v%1$s AS SELECT id, title FROM t%1$s;
     GRANT SELECT ON t%1$s TO PUBLIC', i, greatest(i - 1, 1)); END LOOP; END $$
"""


async def accounting(ground: Ground) -> dict[str, Any]:
    """Return seconds (medians) of the account of two databases, and of the dumps and the diff."""
    for name in ("objects", "objects_new"):
        await ground.cluster.create_database(name, owner=OWNER)
        async with await connect(ground.address(name)) as connection:
            for first in range(1, TABLES + 1, 100):  # a transaction holds so many locks only
                await connection.execute(_made(first, min(first + 99, TABLES)).encode())
    live, new = ground.address("objects"), ground.address("objects_new")
    pg_dump = await tool("pg_dump", 18)
    ours, theirs = [], []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(TIMES):  # they take turns
            theirs.append(await _dumped(pg_dump, live, new, Path(folder)))
            ours.append(await _accounted(pg_dump, live, new))
    found = {
        "tables": TABLES,
        "objects": len(await entries.describe(live, pg_dump)),
        "ours": statistics.median(ours),
        "theirs": statistics.median(theirs),
    }
    print(
        f"{found['objects']:,} objects of {TABLES} tables: ours {found['ours']:.2f} s, "
        f"two pg_dumps and diff {found['theirs']:.2f} s, "
        f"{found['ours'] / found['theirs']:.2f} times as long",
        flush=True,
    )
    return found


def _made(first: int, last: int) -> str:
    return MADE.replace("1..{tables}", f"{first}..{last}")


async def _accounted(pg_dump: Tool, live: Address, new: Address) -> float:
    began = time.monotonic()
    before, after = await entries.describe(live, pg_dump), await entries.describe(new, pg_dump)
    assert list(account.unexplained(before, after, ())) == []
    return time.monotonic() - began


async def _dumped(pg_dump: Tool, live: Address, new: Address, folder: Path) -> float:
    began = time.monotonic()
    for address in (live, new):
        argv = [str(pg_dump.path), "--schema-only", f"--file={folder / address.database}"]
        done = await run([*argv, *tools.reach(address)], env=tools.environment(address))
        assert done.returncode == 0, done.stderr_tail
    files = [str(folder / address.database) for address in (live, new)]
    # pg_dump writes a random word into each script, so they are never quite equal.
    await run(["diff", "--brief", *files])
    return time.monotonic() - began


async def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with ground(Path(folder) / "cluster") as where:
            await accounting(where)


if __name__ == "__main__":
    asyncio.run(main())
