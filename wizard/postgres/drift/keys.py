"""The primary keys of a table as runs of consecutive numbers: a million rows are a few of them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, islice
from typing import Any

import psycopg
from psycopg import sql

from wizard.postgres.drift import catalog
from wizard.postgres.drift.catalog import Relation

MOST = 5_000
"""How many runs are kept of a table; one with more has none."""

Runs = tuple[tuple[int, int], ...]
"""First and last of each run, in order."""


async def runs_of(
    connection: psycopg.AsyncConnection[Any], relations: Sequence[Relation]
) -> dict[str, Runs | None]:
    """Return the keys of these tables, which have one, by name; None where there are more than
    `MOST`."""
    question = sql.SQL(
        "(SELECT {number}::int, min(k), max(k) FROM (SELECT {key}::bigint AS k, "
        "{key} - row_number() OVER (ORDER BY {key}) AS run FROM {table}) keys "
        "GROUP BY run ORDER BY 2 LIMIT {limit})"
    )
    rows = await catalog.together(
        connection,
        [
            question.format(
                number=sql.Literal(number),
                key=sql.Identifier(relation.key),
                table=relation.quoted,
                limit=sql.Literal(MOST + 1),
            )
            for number, relation in enumerate(relations)
        ],
    )
    by_name: dict[str, list[tuple[int, int]]] = {relation.name: [] for relation in relations}
    for number, first, last in rows:
        by_name[relations[number].name].append((first, last))
    return {name: tuple(runs) if len(runs) <= MOST else None for name, runs in by_name.items()}


def beyond(keys: Runs, runs: Runs) -> Runs:
    """Return the keys of the first that are not in the second."""
    lost: list[tuple[int, int]] = []
    position = 0
    for first, last in keys:
        key = first
        while key <= last:
            while position < len(runs) and runs[position][1] < key:
                position += 1
            if position < len(runs) and runs[position][0] <= key:
                key = runs[position][1] + 1
            else:
                end = min(last, runs[position][0] - 1) if position < len(runs) else last
                lost.append((key, end))
                key = end + 1
    return tuple(lost)


def number_of(runs: Runs) -> int:
    """Return how many keys there are in these runs."""
    return sum(last - first + 1 for first, last in runs)


def first_of(runs: Runs, most: int) -> tuple[int, ...]:
    """Return the first keys of these runs, so many at most."""
    return tuple(islice(chain.from_iterable(range(a, z + 1) for a, z in runs), most))


async def known(
    connection: psycopg.AsyncConnection[Any],
    relation: Relation,
    runs: Runs,
    condition: sql.Composable,
    most: int,
) -> dict[bool, tuple[int, list[int]]]:
    """Return the rows `t` of a table that meet a condition, by whether their keys are in the runs:
    how many, and the first of the keys, `most` of each.

    The server sorts them out, in one reading of the table, and looks a key up by halves.
    """
    question = sql.SQL(
        "WITH met AS (SELECT t.{key}::bigint AS key, coalesce(t.{key} <= "
        "({lasts}::bigint[])[width_bucket(t.{key}::bigint, {firsts}::bigint[])], false) AS known "
        "FROM {table} t WHERE {condition}) "
        "SELECT known, count(*), NULL FROM met GROUP BY known "
        "UNION ALL (SELECT known, 0, key FROM met WHERE known ORDER BY key LIMIT {most}) "
        "UNION ALL (SELECT known, 0, key FROM met WHERE NOT known ORDER BY key LIMIT {most})"
    ).format(
        key=sql.Identifier(relation.key),
        firsts=sql.Literal([first for first, _ in runs]),
        lasts=sql.Literal([last for _, last in runs]),
        table=relation.quoted,
        condition=condition,
        most=sql.Literal(most),
    )
    rows = await (await connection.execute(question)).fetchall()
    return {
        there: (
            sum(number for of, number, _ in rows if of is there),
            sorted(key for of, _, key in rows if of is there and key is not None),
        )
        for there in (False, True)
    }
