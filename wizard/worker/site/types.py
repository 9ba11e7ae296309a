"""What Django gives us, by name. It has no types of its own, and the worker installs no stubs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, List, Protocol, Tuple, Type

# A model class and a model's field: Django makes their attributes at runtime, so that no
# Protocol could name them all.
Model = Type[Any]
Field = Any

# A page, or another object of the project's; a block of a StreamField (wagtail.blocks.Block), and
# objects as a manager has them.
Instance = Any
Block = Any
QuerySet = Any

# A database connection of Django's (django.db.backends.base.base.BaseDatabaseWrapper).
Connection = Any

# The loader of migrations (django.db.migrations.loader.MigrationLoader), and one of them.
MigrationLoader = Any
Migration = Any

Row = Tuple[Any, ...]


class Cursor(Protocol):
    """What the worker uses of a database cursor.

    `fetchone` is only called where the statement gives a row.
    """

    @property
    def rowcount(self) -> int: ...

    def execute(self, sql: str, params: Sequence[object] = ..., /) -> object: ...

    def fetchone(self) -> Row: ...

    def fetchall(self) -> List[Row]: ...

    def __iter__(self) -> Iterator[Row]: ...
