"""Secrets, and the one place that takes them out of what is shown, logged or recorded."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_known: set[str] = set()

MASK = "••••••"
MIN_LENGTH = 4  # shorter values would blank out ordinary words


class Secret:
    """A value that must not be seen: no repr, no str, no comparison by accident.

    Making one registers its value, so that `redact` finds it in any text from then on.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value
        if len(value) >= MIN_LENGTH:
            _known.add(value)

    def reveal(self) -> str:
        """The value itself, for the one call that hands it to PostgreSQL or SSH."""
        return self._value

    def __repr__(self) -> str:
        return f"Secret({MASK})"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(("Secret", self._value))


def redact(text: str) -> str:
    """`text` with every known secret's value replaced by a mask."""
    for value in _known:
        if value in text:
            text = text.replace(value, MASK)
    return text


def redacted(value: Any) -> Any:
    """`value` with every text in it redacted: mappings and sequences all the way down.

    To be used before a value becomes JSON, which would escape a secret's quotes.
    """
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Mapping):
        return {key: redacted(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [redacted(item) for item in value]
    return value


def without_secrets(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment for children that have no business with the databases' passwords."""
    return {name: value for name, value in environment.items() if not _NAME.fullmatch(name)}


_NAME = re.compile(r"REMODEL_\w+_PASSWORD")
