"""The primary keys of a table as runs of consecutive numbers: a million rows are a few of them."""

from __future__ import annotations

from collections.abc import Sequence
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


def outside(keys: Sequence[int], runs: Runs) -> list[int]:
    """Return those of `keys`, in order, that are in none of the runs."""
    lost, position = [], 0
    for key in keys:
        while position < len(runs) and runs[position][1] < key:
            position += 1
        if position == len(runs) or key < runs[position][0]:
            lost.append(key)
    return lost


def beyond(keys: Runs, runs: Runs) -> list[int]:
    """Return the keys of the first that are not in the second."""
    lost: list[int] = []
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
                lost += range(key, end + 1)
                key = end + 1
    return lost
