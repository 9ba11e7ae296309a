"""How long the page tree takes to open, in the app as it is, over a real database."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Iterable
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

from screens.widgets.tree import PagesTree
from tests.benchmarks.ground import Ground
from tests.support.scripted_app import REMODEL_YML, Scripted, ScriptedProject, step, text_of, until
from wizard.project.pagetree import PageTree

TIMES = 9


async def opening(ground: Ground, sizes: Iterable[int]) -> list[dict[str, Any]]:
    """For trees of so many pages, the median seconds until pages are on the screen of `copy`.

    `app` is from the app's start to the first pages, `node` from opening the blog that has all
    the others below it, `more` from asking for its next hundred. The trees take turns, so that
    what else the machine does is shared between them.
    """
    databases = {pages: await ground.fill(pages, whole=False) for pages in sizes}
    runs: dict[int, list[dict[str, float]]] = {pages: [] for pages in databases}
    for _ in range(TIMES):
        for pages, database in databases.items():
            with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
                runs[pages].append(await _once(ground, database))
    return [
        {
            "pages": pages,
            "seconds": {name: statistics.median(run[name] for run in taken) for name in taken[0]},
        }
        for pages, taken in runs.items()
    ]


async def _once(ground: Ground, database: str) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "remodel.yml").write_text(REMODEL_YML)
        project = ScriptedProject(Path(folder), pages=PageTree(ground.address(database)))  # type: ignore[arg-type]
        seconds = {}
        began = time.perf_counter()
        async with project.app(step("copy", Scripted("copy.plan", "Plan")), size=(120, 40)) as (
            app,
            pilot,
        ):
            await until(pilot, lambda: "The Show" in text_of(app), 60)
            seconds["app"] = time.perf_counter() - began
            tree = app.screen.query_one(PagesTree)
            tree.focus()
            blog = tree.root.children[0].children[0].children[0]
            began = time.perf_counter()
            blog.expand()
            await until(pilot, lambda: "Report 9 " in text_of(app), 60)
            seconds["node"] = time.perf_counter() - began
            began = time.perf_counter()
            tree.move_cursor(blog.children[-1])
            await until(pilot, lambda: len(blog.children) == 201, 60)
            seconds["more"] = time.perf_counter() - began
        return seconds
