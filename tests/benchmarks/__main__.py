"""`make bench`, or `python -m tests.benchmarks children posts tree drift moving swap objects` for
some of the parts.

Writes results.json and results.svg beside this file, and the tables into the README; a part that
is not run keeps the results it has.
"""

from __future__ import annotations

import asyncio
import datetime
import json
import os
import platform
import statistics
import sys
import tempfile
from contextlib import AsyncExitStack
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tests.benchmarks import memory, plot, report
from tests.benchmarks.byhand import by_hand
from tests.benchmarks.drift import drifting
from tests.benchmarks.fetch import moving
from tests.benchmarks.ground import Ground, ground
from tests.benchmarks.objects import accounting
from tests.benchmarks.opening import opening
from tests.benchmarks.ours import BLOG, POST, converted, total
from tests.benchmarks.swap import swapping
from wizard.postgres.address import connect

HERE = Path(__file__).parent
README = HERE.parents[1] / "README.md"
BEGIN, END = "<!-- measured -->\n", "<!-- end of what was measured -->"
CHILDREN = {1_000: "whole", 5_000: "whole", 20_000: "sampled", 200_000: "not"}
SAMPLE = 300  # children that the notes' way moves where it is sampled
POSTS = 10_000
PAGES = (1_000, 1_000_000)
TIMES = 3  # of which the median counts


def say(text: str) -> None:
    print(text, flush=True)


async def children(ground: Ground) -> list[dict[str, Any]]:
    """One blog to a podcast, by the number of its children."""
    found = []
    for number, notes in CHILDREN.items():
        filled = await ground.fill(number)
        size: dict[str, Any] = {"children": number}
        last = number == max(CHILDREN)
        async with AsyncExitStack() as watching:
            if last:  # watching takes time, too
                size["memory"] = await watching.enter_async_context(memory.peaks())
            runs, theirs = [], []
            for turn in range(1 if last else TIMES):
                runs.append(await _fresh(ground, filled, BLOG, {"slug": "show"}, "new"))
                if notes == "sampled" or (notes == "whole" and turn == 0):
                    theirs.append(await _notes(ground, filled, notes))
        size["ours"] = _median(runs)
        say(f"{number:,} children: ours {total(size['ours']):.2f} s {size['ours']['seconds']}")
        say(f"  of {', '.join(f'{total(run):.2f}' for run in runs)} s")
        say(f"  stages of convert: {size['ours']['stages']}")
        if last:
            say(f"  memory in MB: {size['memory']}")
        if theirs:
            size["notes"] = sorted(theirs, key=report.notes_total)[len(theirs) // 2]
            taken = report.notes_total(size["notes"])
            say(f"  the notes' way: {taken:.1f} s {size['notes']}")
            say(f"  of {', '.join(f'{report.notes_total(run):.0f}' for run in theirs)} s")
            say(f"  {taken / total(size['ours']):,.0f} times faster")
        found.append(size)
    return found


async def _notes(ground: Ground, filled: str, how: str) -> dict[str, Any]:
    async with ground.fresh(filled) as database:
        given = [str(SAMPLE)] if how == "sampled" else []
        run: dict[str, Any] = json.loads(await ground.script(database, "notes.py", *given))
    return run


async def posts(ground: Ground) -> list[dict[str, Any]]:
    """Thousands of posts to episodes, with ids kept and new, beside the statements by hand."""
    filled = await ground.fill(POSTS)
    found = []
    for ids in ("kept", "new"):
        hand = []
        for _ in range(TIMES):
            async with ground.fresh(filled) as database:
                hand.append(await by_hand(ground.address(database), ids))
        runs = [
            await _fresh(ground, filled, POST, {"under": "/home/show/"}, ids) for _ in range(TIMES)
        ]
        run: dict[str, Any] = {
            "ids": ids,
            "by_hand": statistics.median(hand),
            "ours": _median(runs),
        }
        say(f"{POSTS:,} posts, ids {ids}: by hand {run['by_hand']:.2f} s, ours {run['ours']}")
        alone = report.tables_alone(run["ours"]["stages"])
        say(
            f"  {alone / run['by_hand']:.1f} times by hand for the tables alone; "
            f"{POSTS / total(run['ours']):,.0f} pages a second in all"
        )
        found.append(run)
    return found


async def tree(ground: Ground) -> list[dict[str, Any]]:
    """The page tree's opening, by the number of pages."""
    found = await opening(ground, PAGES)
    for size in found:
        say(f"page tree of {size['pages']:,}: {size['seconds']}")
    return found


async def _fresh(
    ground: Ground, filled: str, what: dict[str, Any], selector: dict[str, Any], ids: str
) -> dict[str, Any]:
    async with ground.fresh(filled) as database:
        return await converted(ground, database, what, selector, ids)


def _median(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """The run whose whole operation is the median's."""
    return sorted(runs, key=total)[len(runs) // 2]


async def _machine(ground: Ground) -> dict[str, Any]:
    async with await connect(ground.cluster.address("postgres")) as connection:
        cursor = await connection.execute("SHOW server_version")
        ((server,),) = await cursor.fetchall()
    cpuinfo = Path("/proc/cpuinfo")
    names = [
        line.split(":", 1)[1].strip()
        for line in (cpuinfo.read_text() if cpuinfo.exists() else "").splitlines()
        if line.startswith("model name")
    ]
    return {
        "date": datetime.date.today().isoformat(),
        "cores": os.cpu_count(),
        "processor": next(iter(names), platform.machine()),
        "Python": platform.python_version(),
        "Django": version("django"),
        "Wagtail": version("wagtail"),
        "treebeard": version("django-treebeard"),
        "PostgreSQL": server,
    }


PARTS = {
    "children": children,
    "posts": posts,
    "tree": tree,
    "drift": drifting,
    "moving": moving,
    "swap": swapping,
    "objects": accounting,
}


async def main(names: list[str]) -> None:
    if unknown := set(names) - set(PARTS):
        sys.exit(f"There is no part {', '.join(unknown)}; the parts are {', '.join(PARTS)}.")
    kept = HERE / "results.json"
    results = json.loads(kept.read_text()) if kept.exists() else {}
    with tempfile.TemporaryDirectory() as folder:
        async with ground(Path(folder) / "cluster") as where:
            results["machine"] = await _machine(where)
            for name in names or PARTS:
                results[name] = await PARTS[name](where)
                kept.write_text(json.dumps(results, indent=1) + "\n")
    if "children" in results:
        (HERE / "results.svg").write_text(plot.plot(results["children"]))
    told = report.markdown(results)
    before, _, rest = README.read_text().partition(BEGIN)
    README.write_text(f"{before}{BEGIN}\n{told}\n{END}{rest.partition(END)[2]}")
    say(told)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
