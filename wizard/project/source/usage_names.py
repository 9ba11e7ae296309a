"""The names by which code speaks of a page type and its fields."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True)
class Names:
    """A class with its app's label, its fields, and the fields' accessors on other models."""

    old_class: str
    app: str
    fields: frozenset[str]
    accessors: frozenset[str] = frozenset()

    @property
    def accessor(self) -> str:
        """Return what Django calls the class on its parents' instances, and in lookups."""
        return self.old_class.lower()

    @cached_property
    def attributes(self) -> frozenset[str]:
        """Return every name that counts after a dot."""
        return self.fields | self.accessors | {self.accessor}

    @cached_property
    def labels(self) -> re.Pattern[str]:
        """Return a pattern of the class, its template and its table inside of a text."""
        app, name = re.escape(self.app), re.escape(self.old_class)
        template = re.escape(re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", self.old_class).lower())
        return re.compile(
            rf"(?<![\w.])(?:{app}\.(?:{name}|{name.lower()})(?!\w)"
            rf"|{app}_{name.lower()}(?!\w)|{app}/{template}\.\w+)"
        )

    def in_lookup(self, text: str) -> bool:
        """Return whether a text is a lookup of several parts through one of the names."""
        parts = text.removeprefix("-").split("__")
        return len(parts) > 1 and not self.attributes.isdisjoint(parts)
