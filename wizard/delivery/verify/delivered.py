"""Whether a database that was filled by a restore holds what was delivered, all of it.

Whoever restores may also start the service, which writes at once: tables that may be written to
by policy may have more rows, or other ones, by the time they are looked at.
"""

from __future__ import annotations

from collections.abc import Mapping

from wizard.base.errors import VerificationFailed, some
from wizard.config.databases import Target
from wizard.delivery.drift import policy
from wizard.engine.context import Context
from wizard.postgres import server
from wizard.postgres.address import Address
from wizard.postgres.drift.contents import DatabaseContents, contents, differences
from wizard.postgres.drift.drift import Change


async def require(
    context: Context, target: Target, address: Address, expected: DatabaseContents, hint: str
) -> None:
    """Raise VerificationFailed unless the database at `address` has the `contents` expected."""
    if problems := await faults(context, target, address, expected):
        raise VerificationFailed(
            f"{target.address.database} on {target.where} is not what was delivered.",
            found=some(problems, 20),
            hint=hint,
        )
    tables = expected.tables
    rows = sum(table.rows for table in tables.values())
    context.report.finding("delivered", f"{len(tables)} tables and {rows:,} rows are there")


async def faults(
    context: Context, target: Target, address: Address, expected: DatabaseContents
) -> list[str]:
    """Return what the target's database lacks of the contents expected, as lines."""
    if await server.database(address) is None:
        return [f"there is no database {target.address.database} any more"]
    return damage(expected, await contents(address), context.config.drift)


def damage(
    expected: DatabaseContents, actual: DatabaseContents, policies: Mapping[str, str]
) -> list[str]:
    """Return what is missing or other than expected, as lines, but for what a site may write."""
    allowed = {
        name
        for name, table in expected.tables.items()
        if (now := actual.tables.get(name))
        and now.definition == table.definition
        and now.rows >= table.rows
        and policy.of(Change(name, 0, 0, None, None, None, {}), policies) != "block"
    }
    before, after = (
        {name: table for name, table in held.tables.items() if name not in allowed}
        for held in (expected, actual)
    )
    sequences = actual.sequences
    return differences(DatabaseContents(before, {}), DatabaseContents(after, {})) + [
        f"sequence {name}: was at {value}, is at {sequences.get(name)}"
        for name, value in expected.sequences.items()
        if name not in sequences or (sequences[name] or 0) < (value or 0)
    ]
