"""The old and the new type as they were before the fields moved, made of the classes as they end.

Where the source has the final classes, each is built with the moved fields where they stood: on
the old type under their names, and on the new one with the prefix. The definitions are those of
the final new type (its choices, blocks and validators), but for names of reverse relations.
"""

from __future__ import annotations

import copy
from typing import Any

from ..protocol import Refusal

Path = tuple[str, str]  # a class's module and name


class EarlierModels:
    """Builds the two classes, however they are ordered, as `given` by `earlier.earlier`."""

    def __init__(self, given: dict[str, Any]) -> None:
        self._old: Path = tuple(given["old"])
        self._new: Path = tuple(given["new"])
        self._fields: dict[str, dict[str, Any]] = given["fields"]
        self._taken: dict[str, Any] = {}  # the final new type's own definitions
        self._old_class: Any = None

    def lay(self) -> None:
        """Have every model class from now on go through here. Call it before apps are loaded."""
        from django.db.models.base import ModelBase

        build = ModelBase.__new__

        def building(
            meta: Any, name: str, bases: Any, attrs: dict[str, Any], **options: Any
        ) -> Any:
            which = (attrs.get("__module__", ""), name)
            if which == self._new:
                attrs = self._before_the_move(attrs)
            made = build(meta, name, bases, attrs, **options)
            if which == self._old:
                self._old_class = made
                self._return()
            return made

        base: Any = ModelBase
        base.__new__ = staticmethod(building)

    def require_laid(self) -> None:
        """Raise Refusal `unsupported` unless every field stands where it stood.

        Call it once the apps are loaded.
        """
        from django.apps import apps

        apps.clear_cache()  # children of the old type know its fields anew
        missing = [name for name in self._fields if name not in self._taken]
        if missing or self._old_class is None:
            raise Refusal(
                "unsupported",
                f"{self._new[1]} as it was before the fields moved cannot be rebuilt.",
                found=f"{', '.join(missing)}: not written in the body of the class"
                if missing
                else f"no class {self._old[1]} in {self._old[0]}",
                hint="Convert with a checkout of the release that the conversion was made with.",
            )

    def _before_the_move(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Return the new type's attributes with the prefix, having given the old type its own."""
        self._taken = {name: attrs[name] for name in self._fields if name in attrs}
        earlier = {name: value for name, value in attrs.items() if name not in self._taken}
        for name, field in self._taken.items():
            about = self._fields[name]
            earlier[about["prefixed"]] = _definition(field, about["new"])
        self._return()
        return earlier

    def _return(self) -> None:
        """Give the old type its fields, once both classes were met."""
        if self._old_class is None:
            return
        for name, field in self._taken.items():
            if name not in {own.name for own in self._old_class._meta.local_fields}:
                self._old_class.add_to_class(name, _definition(field, self._fields[name]["old"]))


def _definition(field: Any, relation: dict[str, Any]) -> Any:
    """Return a copy of a field that belongs to no class, with the name of its reverse relation."""
    copied = copy.deepcopy(field)
    if copied.remote_field is not None:
        for name, value in relation.items():
            setattr(copied, f"_{name}", value)
            setattr(copied.remote_field, name, value)
    return copied
