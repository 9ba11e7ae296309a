"""What goes with columns and tables, object by object, before anything is dropped."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import psycopg

from wizard.postgres import server
from wizard.postgres.address import Address
from wizard.postgres.dependants import mentions, parts, walk
from wizard.postgres.dependants.dependant import Dependant
from wizard.postgres.dependants.descriptions import Description, describe
from wizard.postgres.dependants.django import is_own
from wizard.postgres.dependants.walk import Seed, Thing, Walk

NAMED = ("view", "materialized view", "function", "procedure", "aggregate", "table")
"""What a text may name."""


async def of_drops(
    where: Address | psycopg.AsyncConnection[Any],
    columns: Mapping[str, Sequence[str]],
    tables: Sequence[str] = (),
    *,
    declared: Collection[str] = (),
) -> list[Dependant]:
    """Return what goes with columns, by table, and with whole tables, as ALTER TABLE ... DROP
    COLUMN ... CASCADE and DROP TABLE ... CASCADE take it; in an order in which it can be made
    anew. After it, what may read them.

    Reads the catalog alone. Tables are named as Django has them. `declared` names indexes and
    constraints of the models' Meta. A table that inherits a column loses it as well, where it
    has it from nowhere else. Raise OperationFailed where a table or column is not there.
    """
    async with _reading(where) as connection:
        oids = {name: await walk.find_table(connection, name) for name in (*columns, *tables)}
        async with _pinned(connection):
            seeds: list[Seed] = []
            said: list[Dependant] = []
            for table, wanted in columns.items():
                some = await walk.columns(connection, oids[table], table, wanted)
                said += await parts.of_columns(connection, oids[table], some)
                seeds += some
            for table in tables:
                (seed,) = await walk.whole(connection, oids[table])
                said += await parts.of_table(connection, seed)
                seeds.append(seed)
            return await _dependants(connection, seeds, said, declared)


async def of_columns(
    where: Address | psycopg.AsyncConnection[Any],
    table: str,
    columns: Sequence[str],
    *,
    declared: Collection[str] = (),
) -> list[Dependant]:
    """Return what goes with columns of one table, as `of_drops`."""
    return await of_drops(where, {table: columns}, declared=declared)


async def of_table(
    where: Address | psycopg.AsyncConnection[Any], table: str, *, declared: Collection[str] = ()
) -> list[Dependant]:
    """Return what goes with one table, as `of_drops`."""
    return await of_drops(where, {}, [table], declared=declared)


async def _dependants(
    connection: psycopg.AsyncConnection[Any],
    seeds: Sequence[Seed],
    said: list[Dependant],
    declared: Collection[str],
) -> list[Dependant]:
    walked = await walk.from_seeds(connection, seeds)
    order = walked.ordered()
    described = await describe(connection, order)
    listed = [
        _dependant(thing, described, walked, declared) for thing in order if thing in described
    ]
    names = _names(seeds, described)
    return [
        *said,
        *listed,
        *await _replica_identities(connection, walked, described),
        *await mentions.find(connection, names, walked.gone),
    ]


def _dependant(
    thing: Thing,
    described: dict[Thing, Description],
    walked: Walk,
    declared: Collection[str],
) -> Dependant:
    what = described[thing]
    causes = sorted(walked.causes(thing), key=lambda each: (each not in walked.seeds, each))
    because = tuple(
        walked.seeds[each].label
        if each in walked.seeds
        else f"{described[each].kind} {described[each].identity}"
        for each in causes
        if each in walked.seeds or each in described
    )
    return Dependant(
        what.kind,
        what.identity,
        what.definition,
        what.owner,
        what.privileges,
        what.comment,
        because,
        django_own=any(each in walked.seeds for each in causes)
        and is_own(what, lambda number: _goes(what.table, number, walked), declared),
    )


def _goes(table: int, number: int, walked: Walk) -> bool:
    """Whether a column is one that was asked for, by itself or with its table."""
    return any(Thing(walk.CLASS, table, sub) in walked.seeds for sub in (0, number))


def _names(seeds: Sequence[Seed], described: dict[Thing, Description]) -> mentions.Names:
    tables: dict[int, mentions.Table] = {}
    for seed in seeds:
        label = seed.label.removesuffix(f".{seed.column}") if seed.column else seed.label
        table = tables.setdefault(seed.thing.oid, mentions.Table(seed.table, label))
        if seed.column:
            table.columns[seed.column] = seed.label
    gone = {
        what.name: f"{what.kind} {what.identity}"
        for what in described.values()
        if what.kind in NAMED
    }
    return mentions.Names(tables, gone)


async def _replica_identities(
    connection: psycopg.AsyncConnection[Any], walked: Walk, described: dict[Thing, Description]
) -> list[Dependant]:
    relations = [each.oid for each in walked.gone if each.of == walk.CLASS and not each.sub]
    listed = []
    for index, table, statement in await parts.replica_identities(connection, relations, relations):
        what = described.get(walked.root(Thing(walk.CLASS, index)))
        because = (f"{what.kind} {what.identity}",) if what else ()
        listed.append(Dependant("replica identity", table, statement, because=because))
    return listed


@asynccontextmanager
async def _reading(
    where: Address | psycopg.AsyncConnection[Any],
) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
    if isinstance(where, Address):
        async with server.session(where, autocommit=False) as connection:
            await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            yield connection
    else:
        async with where.transaction():
            yield where


@asynccontextmanager
async def _pinned(connection: psycopg.AsyncConnection[Any]) -> AsyncIterator[None]:
    """Have names in definitions written out with their schema. An error rolls it back as well."""
    cursor = await connection.execute("SELECT current_setting('search_path')")
    path = await cursor.fetchone()
    await connection.execute("SELECT set_config('search_path', 'pg_catalog', true)")
    yield
    await connection.execute("SELECT set_config('search_path', %s, true)", path)
