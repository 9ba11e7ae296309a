"""A conversion as the wizard does it: through the worker, verification included."""

from __future__ import annotations

import time
from typing import Any

from tests.benchmarks.ground import Ground
from wizard.project.worker_client import WorkerClient

MOVED = ["itunes_artwork", "itunes_categories", "keywords", "explicit"]
BLOG: dict[str, Any] = {"old_type": "bench.Blog", "new_type": "bench.Podcast", "move": MOVED}
POST: dict[str, Any] = {"old_type": "bench.Post", "new_type": "bench.Episode", "move": []}


async def converted(
    ground: Ground, database: str, what: dict[str, Any], selector: dict[str, Any], ids: str
) -> dict[str, Any]:
    """Convert what the selector names, from the start of the worker to the last step.

    Returns the seconds of `start`, `find`, `plan`, `convert` and, for new ids, `delete` and
    `slugs`; `pages` and `moved` count them, `stages` are the worker's own seconds in `convert`.
    """
    seconds: dict[str, float] = {}
    site = ground.site(database)

    async def take(name: str, op: str, **args: Any) -> Any:
        began = time.perf_counter()
        result = await site.ask(op, **args)
        seconds[name] = time.perf_counter() - began
        return result

    began = time.perf_counter()
    async with site:
        seconds["start"] = time.perf_counter() - began
        found = await take("find", "find_pages", model=what["old_type"], selectors=[selector])
        pages = [page["id"] for page in found]
        given = {**what, "pages": pages, "ids": ids, "prefix": "new_", "fields": {}}
        plan = await take("plan", "convert_plan", **given)
        if plan["faults"]:
            raise RuntimeError(f"not to be converted: {plan['faults']}")
        done = await take("convert", "convert", **given)
        if ids == "new":
            await take("delete", "delete_originals", id_map=done["map"])
            await take("slugs", "restore_slugs", id_map=done["map"], prefix="new_")
        await _require_sound(site)
    return {
        "seconds": seconds,
        "stages": done["seconds"],
        "pages": len(pages),
        "moved": done["moved"],
    }


def total(run: dict[str, Any]) -> float:
    """Seconds of the whole operation, without the worker's start, the search and the plan."""
    return float(sum(run["seconds"].get(name, 0) for name in ("convert", "delete", "slugs")))


async def _require_sound(site: WorkerClient) -> None:
    problems = await site.ask("tree_problems")
    if problems:
        raise RuntimeError(f"the tree is not sound: {problems}")
