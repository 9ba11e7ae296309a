"""What hangs on the columns of the moved fields: Django drops them with CASCADE."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypedDict

import psycopg

from wizard.base.errors import OperationFailed
from wizard.engine.context import Context
from wizard.postgres import dependants, server
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


@dataclass(frozen=True)
class HangingOn:
    """What hangs on the moved columns, a line by object: what goes with them, and what is carried.

    `carried` is made anew on the new table by `statements`.
    """

    lost: Mapping[str, str] = field(default_factory=dict)
    carried: Mapping[str, str] = field(default_factory=dict)
    statements: Sequence[dependants.Carried] = ()


async def hanging_on(
    address: Address,
    table: str,
    columns: Sequence[str],
    declared: Sequence[str],
    *,
    prefix: str,
    new: str | None = None,
) -> HangingOn:
    """Return what hangs on the columns, but for what Django makes.

    That is what a field brings, and the constraints and indexes `declared` in Meta. Objects that
    only may read the columns are among those lost. `new` is the new type's table, None where it is
    not there yet; `prefix` is before its columns' names. Raise OperationFailed where PostgreSQL
    would refuse to drop a column.
    """
    if not columns:
        return HangingOn()
    async with _reading(address) as connection:
        objects = await dependants.of_columns(
            connection, table, list(columns), declared=list(declared)
        )
        carried = await dependants.carried(connection, objects, table, columns, new, prefix)
    refusing = [dependants.line(one) for one in objects if one.refuses]
    if refusing:
        raise OperationFailed(
            f"PostgreSQL would refuse to drop {', '.join(columns)} from {table}.",
            found="\n".join(refusing),
            hint="Change that first, or take the fields off conversion.move.",
        )
    lines = {one.name: dependants.line(one) for one in objects if not one.django_own}
    names = {one.name for one in carried}
    return HangingOn(
        {name: line for name, line in lines.items() if name not in names},
        {name: line for name, line in lines.items() if name in names},
        carried,
    )


async def carry(
    address: Address, new: str, columns: Sequence[str], carried: Sequence[dependants.Carried]
) -> None:
    """Make what is carried on the new table, in one transaction, and look that it is there."""
    if not carried:
        return
    async with server.session(address, autocommit=False) as connection:
        await dependants.make(connection, carried)
        made = await dependants.of_columns(connection, new, list(columns))
        dependants.require_made(carried, made)
        await connection.commit()


@asynccontextmanager
async def _reading(address: Address) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
    async with server.session(address, autocommit=False) as connection:
        await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield connection
