"""The converted site as it would be served: every URL and the page tree, held against what was."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from wizard.engine.context import Context
from wizard.project.worker_client import WorkerClient


async def judge(context: Context, site: WorkerClient) -> tuple[list[dict[str, Any]], list[str]]:
    """The URLs that the database of `site` has, as the worker's `urls` tells them, and faults.

    The faults are sentences: what leads elsewhere than before anything was changed, and what
    treebeard finds wrong in the tree.
    """
    before = json.loads(context.artefact("urls-before.json").read_text(encoding="utf-8"))
    now = await site.ask("urls", context.report)
    faults = compare_urls(before, now, context.facts.of("copy.convert")["map"])
    problems = await site.ask("tree_problems")
    faults += [f"page tree: {name}: {ids}" for name, ids in problems.items() if ids]
    return now, faults


def compare_urls(
    before: list[dict[str, Any]], now: list[dict[str, Any]], mapping: Mapping[str, int]
) -> list[str]:
    """Sentences about every URL that is gone, new, or leads to another page than before.

    Rows are those of the worker's `urls`; `mapping` maps old page ids to new ones.
    """
    faults = []
    old = {(page["site"], page["url"]): page for page in before}
    new = {(page["site"], page["url"]): page for page in now}
    for gone in sorted(old.keys() - new.keys()):
        faults.append(f"{gone[1]} is gone; it led to {old[gone]['title']!r}")
    for added in sorted(new.keys() - old.keys()):
        faults.append(f"{added[1]} is new; it leads to {new[added]['title']!r}")
    for both in sorted(old.keys() & new.keys()):
        was, is_, url = old[both], new[both], both[1]
        expected = mapping.get(str(was["page_id"]), was["page_id"])
        if is_["page_id"] != expected:
            faults.append(f"{url} leads to page {is_['page_id']}, and should to {expected}")
        faults += [
            f"{url}: {name} was {was[name]!r}, is {is_[name]!r}"
            for name in ("title", "live", "restricted")
            if was[name] != is_[name]
        ]
    return faults
