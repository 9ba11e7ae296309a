"""What a database loses with the columns of the moved fields: Django drops them with CASCADE."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from wizard.base.errors import OperationFailed
from wizard.engine.context import Context
from wizard.postgres import dependants
from wizard.postgres.address import Address
from wizard.steps.sources import describe


class MovedColumns(TypedDict):
    """The old type's table, what the moved fields are called in it, and what its Meta declares."""

    table: str
    columns: list[str]
    declared: list[str]


async def moved_columns(context: Context) -> MovedColumns:
    """Return the columns that will be dropped. Asked while the fields are on the old type."""
    description, move = await describe(context), context.config.conversion.move
    fields = {field["name"]: field["column"] for field in description["fields"]}
    columns = [fields[name] for name in move if name in fields]
    return {
        "table": description["table"],
        "columns": columns,
        "declared": description["declared"],
    }


async def lost_objects(
    address: Address, table: str, columns: Sequence[str], declared: Sequence[str]
) -> dict[str, str]:
    """Return a line by object that goes with the columns, but for those that Django makes.

    Those are what a field brings, and the constraints and indexes `declared` in Meta. Objects that
    only may read the columns are among the lines. Raise OperationFailed where PostgreSQL would
    refuse to drop a column.
    """
    if not columns:
        return {}
    objects = await dependants.of_columns(address, table, list(columns), declared=list(declared))
    refusing = [dependants.line(one) for one in objects if one.refuses]
    if refusing:
        raise OperationFailed(
            f"PostgreSQL would refuse to drop {', '.join(columns)} from {table}.",
            found="\n".join(refusing),
            hint="Change that first, or take the fields off conversion.move.",
        )
    return {one.name: dependants.line(one) for one in objects if not one.django_own}
