"""Compare every URL of the converted site with what it led to before, and check the page tree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from wizard.base.errors import some
from wizard.engine.context import Context
from wizard.engine.results import Converted
from wizard.project import recorded_urls
from wizard.project.worker_client import WorkerClient
from wizard.project.worker_results import UrlRow

NAMED = 20  # pages of a broken tree that a fault names


async def judge(context: Context, worker: WorkerClient) -> tuple[list[UrlRow], list[str]]:
    """Return the URLs that the worker's database has, and the faults, as sentences.

    A fault is a URL that leads elsewhere than before anything was changed, or what treebeard
    reports of the tree.
    """
    before = list(recorded_urls.read(context.artefact("urls-before.json")))
    now = await worker.urls(context.report)
    faults = compare_urls(before, now, context.facts.of(Converted).page_map)
    problems = await worker.tree_problems()
    faults += [
        f"page tree: {name}: {some(list(map(str, ids)), NAMED, ', ')}"
        for name, ids in problems.items()
        if ids
    ]
    return now, faults


def compare_urls(
    before: Sequence[Mapping[str, Any]],
    now: Sequence[Mapping[str, Any]],
    page_map: Mapping[str, int],
) -> list[str]:
    """Return a sentence on every URL that is gone, new, or leads to another page than before.

    Rows are those of the worker's `urls`; `page_map` leads from old page ids to new ones.
    """
    faults = []
    old = {(page["site"], page["url"]): page for page in before}
    new = {(page["site"], page["url"]): page for page in now}
    for gone in sorted(old.keys() - new.keys()):
        faults.append(f"{gone[1]} is gone; it led to {old[gone]['title']!r}")
    for added in sorted(new.keys() - old.keys()):
        faults.append(f"{added[1]} is new; it leads to {new[added]['title']!r}")
    for both in sorted(old.keys() & new.keys()):
        previous, current, url = old[both], new[both], both[1]
        expected = page_map.get(str(previous["page_id"]), previous["page_id"])
        if current["page_id"] != expected:
            faults.append(f"{url} leads to page {current['page_id']}, and should to {expected}")
        faults += [
            f"{url}: {name} was {previous[name]!r}, is {current[name]!r}"
            for name in ("title", "live", "restricted")
            if previous[name] != current[name]
        ]
    return faults
