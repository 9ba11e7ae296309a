"""What a finished operation hands on to later ones: a frozen dataclass an operation.

A result's JSON stands in the journal, so its field names are part of the journal's format: a
session that an older version began is read back by the same names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Self


@dataclass(frozen=True, kw_only=True)
class Result:
    """The result of one operation. A subclass adds what later operations read.

    `KEY` is the operation's key; that of an operation on a target ends in `:`, and the target's
    name follows. What an operation found done after a crash may have no `message`.
    """

    KEY: ClassVar[str] = ""
    message: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the fields that are not None, JSON-ready."""
        values = ((field.name, getattr(self, field.name)) for field in fields(self))
        return {name: value for name, value in values if value is not None}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Return the result as it stands in the journal; names that are not known are ignored."""
        known = {field.name for field in fields(cls)}
        return cls(**{name: value for name, value in data.items() if name in known})
