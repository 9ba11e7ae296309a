"""Databases beside the live one: which there are, which names are free, and opening one again."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count

from wizard.postgres import server
from wizard.postgres.address import Address
from wizard.postgres.admin import swap
from wizard.postgres.server import DatabaseRow
from wizard.session.plan import Plan


async def databases(address: Address) -> dict[str, DatabaseRow]:
    return {there.name: there for there in await server.databases(address)}


def live(there: Mapping[str, DatabaseRow], name: str) -> dict[str, int]:
    """Of the live database: which one it is, and its limit, for whoever has to open it again."""
    return {"oid": there[name].oid, "limit": there[name].connection_limit}


def free(there: Mapping[str, DatabaseRow], database: str, label: str) -> str:
    """Return a name that no database has: the same session may deliver and roll back again."""
    names = (server.beside(database, f"{label}{'' if n == 1 else f'_{n}'}") for n in count(1))
    return next(name for name in names if name not in there)


async def reopen_if_closed(address: Address, plan: Plan) -> None:
    live = await server.database(address)
    if live is not None and live.closed:
        await swap.reopen(address, plan.details["limit"])
