"""What the deliveries before this one came to, told beside the gate of this one.

Staging takes the whole delivery first, from the same session: the same dump, the same commands,
the same comparison. What was found there is what the operator weighs when production is next.
"""

from __future__ import annotations

from typing import Any

from wizard.config.databases import Target
from wizard.engine.context import Context

OPERATIONS = ("deliver", "after", "check")


def tell(context: Context, target: Target) -> None:
    """Report how each target before `target` in remodel.yml fared in this session, if it did."""
    for other in context.config.targets.values():
        if other.name == target.name:
            return
        state = context.session.journal.state(f"production.deliver:{other.name}")
        if state is None:
            continue
        if context.facts.settled(f"production.rollback:{other.name}"):
            context.report.finding(other.name, "was rolled back since", "warn")
        elif context.facts.settled(f"production.check:{other.name}"):
            message = context.facts.message(f"production.check:{other.name}")
            context.report.finding(other.name, f"delivered and checked: {message}", "ok")
        else:
            context.report.finding(other.name, f"its delivery is {state.kind}, not checked", "warn")
        for finding in _findings(context, other):
            context.report.finding(
                f"{other.name}: {finding['name']}",
                finding["value"],
                finding["status"],
                finding["hint"],
            )


def _findings(context: Context, target: Target) -> list[dict[str, Any]]:
    """Return what its last delivery was judged by, from when it began to act."""
    keys = [f"production.{name}:{target.name}" for name in OPERATIONS]
    findings: dict[str, list[dict[str, Any]]] = {key: [] for key in keys}
    for _, event in context.session.journal.events():
        key = event["operation"]
        if key in findings and event["kind"] == "started":
            findings[key] = []
        elif key in findings and event["kind"] == "finding" and event["status"] != "info":
            findings[key].append(event)
    return [event for key in keys for event in findings[key]]
