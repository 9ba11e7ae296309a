"""The ledger of a delivery: what became of each object of the live database."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection

from wizard.config.databases import Target
from wizard.engine.context import Context
from wizard.postgres.catalog import account
from wizard.postgres.catalog.entries import Catalog, Key
from wizard.session import ledger
from wizard.session.ledger import Ledger, LedgerEntry

LISTED = 1000  # objects of one kind that are not kept


def keep(
    context: Context,
    target: Target,
    live: Catalog,
    delivered: Catalog,
    anew: Collection[Key],
) -> None:
    """Write down what became of each object of a delivery, `anew` made by us, and show it."""
    counts: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    rows: dict[str, list[tuple[str, str, str]]] = defaultdict(list)
    for key, became, what in account.outcomes(live, delivered, anew):
        place = f"{key.kind} {key.schema}".strip()
        if became != "new":
            counts[place]["before"] += 1
        counts[place][became] += 1
        if became != "kept":
            rows[place].append((key.name, what, became))
    subject = ledger.objects(target.name)
    held = Ledger(
        tuple(
            LedgerEntry.of(
                {"name": place, "kind": "objects", **numbers, "rows": rows[place][:LISTED]}
            )
            for place, numbers in counts.items()
        ),
        subject,
    )
    ledger.write(context.session.folder, held)
    context.report.document(subject.title, "table", ledger.table(held, tuple(subject.accounts)))
    new = sum(numbers["new"] for numbers in counts.values())
    also = f"; {new:,} new" if new else ""
    context.report.finding("objects", f"{ledger.summed(held.totals, subject)}{also}")
