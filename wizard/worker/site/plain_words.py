"""Values of the project's classes in words that are the same in every process."""

from __future__ import annotations

import inspect
from typing import Any

_PLAIN = (type(None), bool, int, float, str)


def is_plain(value: Any) -> bool:
    """Whether a value says all that it is: a plain one, a text, a class, or a list of those."""
    from django.utils.functional import Promise

    if isinstance(value, (list, tuple)):
        return all(is_plain(item) and not isinstance(item, (list, tuple)) for item in value)
    return isinstance(value, (*_PLAIN, Promise, type))


def words(value: Any) -> str:
    """Return a value in words; of an object whose content is not known, its class."""
    from django.utils.functional import Promise

    if isinstance(value, Promise):
        return repr(str(value))
    if isinstance(value, _PLAIN):
        return repr(value)
    if isinstance(value, (set, frozenset)):
        return f"[{', '.join(sorted(map(words, value)))}]"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(words, value))}]"
    if isinstance(value, dict):
        said = (f"{key}={words(one)}" for key, one in value.items() if not _is_empty(one))
        return f"({', '.join(said)})"
    if inspect.isclass(value) or inspect.isroutine(value):
        return f"{value.__module__}.{getattr(value, '__qualname__', '')}"
    name = f"{value.__class__.__module__}.{value.__class__.__qualname__}"
    if hasattr(value, "_kwargs"):  # a field of the Django REST framework
        return f"{name}{words(list(value._args))}{words(value._kwargs)}"
    if hasattr(value, "field_name"):  # a search field, a panel
        return f"{name}({words(value.field_name)})"
    return name


def _is_empty(value: Any) -> bool:
    return value is None or (isinstance(value, (str, list, tuple, dict)) and not value)
