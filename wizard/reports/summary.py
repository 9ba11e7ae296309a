"""What a session has come to, from its journal: the end of a run, in words and as data."""

from __future__ import annotations

from typing import Any

from wizard.engine.context import Context
from wizard.engine.deployment import deployment
from wizard.engine.facts import SETTLED
from wizard.project import recorded_urls
from wizard.project.worker_results import UrlRow
from wizard.session import ledger
from wizard.session.ledger import summed


def summary(context: Context) -> dict[str, Any]:
    """Return what was converted and verified, which URLs there are, where it was delivered."""
    done = {
        key: entry.data
        for key, entry in context.session.journal.states().items()
        if entry.kind in SETTLED
    }
    conversion = done.get("copy.convert", {})
    pages = conversion.get("map", {})
    before, moved = 0, list[UrlRow]()
    for page in recorded_urls.read(context.artefact("urls-before.json")):
        before += 1
        if str(page["page_id"]) in pages:
            moved.append(page)
    delivered = {
        key.partition(":")[2]: data.get("kept", "")
        for key, data in done.items()
        if key.startswith("production.deliver:") and key.replace("deliver", "rollback") not in done
    }
    conversion_of = context.config.conversion
    deployed = deployment(
        context.session.journal,
        conversion_of.old_type,
        conversion_of.new_type,
        conversion_of.move,
    )
    return {
        "kind": "summary",
        "session": context.session.id,
        "converted": [
            {
                "title": page["title"],
                "url": page["url"],
                "from": context.config.conversion.old_type,
                "to": context.config.conversion.new_type,
                "old_id": page["page_id"],
                "new_id": pages[str(page["page_id"])],
            }
            for page in moved
        ],
        "ledger": conversion.get("ledger", {}),
        "objects": {
            name: read.totals
            for name in delivered
            if (read := ledger.read(context.session.folder, ledger.objects(name)))
        },
        "urls_before": before,
        "urls_same_after": done.get("slugs.urls", {}).get("count", 0),
        "verified": [
            f"{key}: {data['message']}"
            for key, data in done.items()
            if key.partition(":")[0] in _CHECKS and data.get("message")
        ],
        "delivered": delivered,
        "deploy": deployed.to_json(),
        "report": str(context.artefact("report.html")),
    }


NAMED = 10  # converted pages that are told one by one
_CHECKS = (
    "backup.fetch",
    "structure.check",
    "slugs.check",
    "slugs.urls",
    "production.drill",
    "production.check",
)


def lines(data: dict[str, Any]) -> list[str]:
    """Return the summary as lines for a person."""
    text = ["", f"Session {data['session']}"]
    if data["delivered"] and data["deploy"]["files"]:
        text.append(f"  deploy    from {data['deploy']['folder']}:")
        text += [f"    {file}" for file in data["deploy"]["files"]]
        text += [
            f"    until then the running code fails on {failure}"
            for failure in data["deploy"]["failures"]
        ]
    for page in data["converted"][:NAMED]:
        old, new = page["old_id"], page["new_id"]
        now = f"page {old} is now {new}" if old != new else f"page {old} as before"
        text.append(f"  converted {page['title']!r} from {page['from']} to {page['to']} ({now})")
        text.append(f"    before {page['url']}   after {page['url']}")
    if (more := len(data["converted"]) - NAMED) > 0:
        text.append(f"  converted {more:,} more pages")
    if data["ledger"]:
        text.append(f"  ledger    {summed(data['ledger'])}")
    text.append(
        f"  URLs      {data['urls_before']:,} before, {data['urls_same_after']:,} compared after: "
        "each leads to what it led to"
    )
    text += [f"  verified  {line}" for line in data["verified"]]
    for target, kept in data["delivered"].items():
        text.append(f"  delivered {target}; the database as it was is kept as {kept or 'a dump'}")
        if target in data["objects"]:
            counted = summed(data["objects"][target], ledger.objects(target))
            text.append(f"    {counted}")
        if kept:
            text.append(f"    to roll back: remodel rollback --target {target}")
    return [*text, f"  report    {data['report']}"]
