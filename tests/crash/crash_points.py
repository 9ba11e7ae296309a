"""Where the demo's procedure is cut off: every place is known by name before anything runs."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import ceil

from tests.crash.crashing_process import ACT, BEGIN, PLAN, Order
from wizard.delivery import kinds

TARGETS = ("staging", "production")
LOCAL = (
    *("project.trust:staging", "project.preflight", "project.trial"),
    *("backup.fetch", "backup.restore", "backup.sequences", "backup.site", "backup.urls"),
    *("structure.model", "structure.install", "structure.check", "structure.migration"),
    *("structure.install_migration", "structure.migrate"),
    *("copy.convert", "copy.delete"),
    *("slugs.pages", "slugs.fields", "slugs.install", "slugs.check", "slugs.migrations"),
    *("slugs.install_migrations", "slugs.migrate", "slugs.urls"),
)
DELIVERING = tuple(operation.name for operation in kinds.named("swap").operations)
"""What the demo's kind of delivery does for each target."""
OPERATIONS = (
    *LOCAL,
    *(f"production.{name}:{target}" for target in TARGETS for name in DELIVERING),
)
END = "end"

GATED = frozenset(
    {"project.trust:staging", "backup.restore", "structure.model", "copy.convert", "copy.delete"}
    | {"slugs.fields", "slugs.migrate"}
    | {f"production.deliver:{target}" for target in TARGETS}
)
KEPT = frozenset(
    {"structure.model", "structure.migrate", "copy.convert", "copy.delete"}
    | {"slugs.pages", "slugs.fields", "slugs.migrate"}
)
LONG = frozenset(
    {"backup.fetch", "backup.restore", "structure.migrate", "copy.convert", "slugs.migrate"}
    | {f"production.{name}:{target}" for name in ("drill", "deliver") for target in TARGETS}
)
ALONE = frozenset(
    {"project.trust:staging", "structure.model", "slugs.fields"}
    | {f"production.after:{target}" for target in TARGETS}
)
"""Operations during which neither a child nor the worker is at work."""


def after(operation: str) -> str:
    """The operation that follows, or the end."""
    return (*OPERATIONS, END)[OPERATIONS.index(operation) + 1]


@dataclass(frozen=True)
class Point:
    """A place in an operation: a row of the journal, or so far between intent and outcome.

    `part` is a portion of the passages there are; `how` and `delay` are the order's, or `how` is
    what becomes of the servers: `restart fast`, `restart immediate`, or `backends`, which ends
    every session in them; `again` has the resume cut off as well, at that passage of its looking
    and clearing away.
    """

    operation: str
    where: str
    part: float = 0.0
    how: str = "self"
    delay: float = 0.0
    again: int = 0

    def __str__(self) -> str:
        told = [self.operation, self.where]
        told += [f"{self.part:.0%}"] if self.part else []
        told += [self.how] if self.how != "self" else []
        told += [f"{self.delay * 1000:.0f} ms"] if self.delay else []
        return " ".join(told + ([f"again {self.again}"] if self.again else []))

    def order(self, passages: Mapping[tuple[str, str], int]) -> Order:
        """As the victim takes it, by how many passages the undisturbed run had."""
        number = max(1, ceil(self.part * passages[self.operation, self.where]))
        return Order(self.operation, self.where, number, self.how, self.delay)


def points() -> list[Point]:
    """All of them, in the procedure's order."""
    return [point for operation in OPERATIONS for point in _of(operation)]


def _of(operation: str) -> Iterator[Point]:
    yield Point(operation, BEGIN)
    kinds = ["consent"] if operation in GATED else []
    kinds += ["intent"] + (["kept"] if operation in KEPT else []) + ["done"]
    for kind in kinds:
        yield Point(operation, f"before {kind}")
        yield Point(operation, f"after {kind}")
    parts = (0.05, 0.2, 0.4, 0.6, 0.8, 0.95, 1.0) if operation in LONG else (0.3, 0.7, 1.0)
    for part in parts:
        yield Point(operation, ACT, part)
    chosen = random.Random(operation)  # another one in each operation, the same in each run
    part, delay = chosen.random(), chosen.choice((0.02, 0.05, 0.1, 0.3))
    yield Point(operation, ACT, part, delay=delay)
    yield Point(operation, PLAN, chosen.random())
    yield Point(operation, ACT, chosen.random(), again=chosen.randint(1, 12))
    if operation not in ALONE:
        yield Point(operation, ACT, chosen.random(), "children", 0.02)
        yield Point(operation, ACT, chosen.random(), "children", 0.2)
    how = chosen.choice(("restart fast", "restart immediate"))
    yield Point(operation, ACT, chosen.random(), how)
    if operation not in ALONE:
        yield Point(operation, ACT, chosen.random(), "backends")
        yield Point(operation, ACT, chosen.random(), "backends", 0.02)


def sample(every: int, kind: str = "self") -> list[Point]:
    """Some of them, to be followed to the very end."""
    found = [point for point in points() if point.how == kind and not point.again]
    return found[every // 2 :: every]


def counted(trail: list[list[object]]) -> Counter[tuple[str, str]]:
    """How many passages a run had, by operation and point."""
    return Counter((str(operation), str(point)) for operation, point, *_ in trail)
