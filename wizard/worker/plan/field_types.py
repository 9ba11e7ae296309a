"""Whether one field's values can be another field's, and what will differ when they are."""

from __future__ import annotations

import json
from typing import Any

from ..site.database import page_connection
from ..site.types import Field

TEXTS = {"CharField", "SlugField", "TextField", "FilePathField"}
INTEGERS = {
    "SmallIntegerField",
    "IntegerField",
    "BigIntegerField",
    "PositiveSmallIntegerField",
    "PositiveIntegerField",
    "PositiveBigIntegerField",
}

# What a definition may say differently without a value being wrong for it.
_TOLD_ELSEWHERE = {
    "blank",
    "db_column",
    "db_index",
    "default",
    "db_default",
    "editable",
    "help_text",
    "on_delete",
    "related_name",
    "related_query_name",
    "verbose_name",
}


def kind(field: Field) -> str:
    """Return what decides which values a field takes: relation, stream, text, integer, its type."""
    from wagtail.fields import StreamField

    if field.remote_field:
        return "relation"
    if isinstance(field, StreamField):
        return "stream"
    internal = str(field.get_internal_type())
    if internal in TEXTS:
        return "text"
    return "integer" if internal in INTEGERS else internal


def described(field: Field) -> str:
    """Return a field's type for people: `CharField(40)`, `ForeignKey to wagtailimages.Image`."""
    name = str(field.__class__.__name__)
    if field.remote_field:
        return f"{name} to {field.remote_field.model._meta.label}"
    if kind(field) == "DecimalField":
        return f"{name}({field.max_digits}, {field.decimal_places})"
    return f"{name}({field.max_length})" if kind(field) == "text" and field.max_length else name


def misfit(origin: Field, field: Field) -> str:
    """Return why no value of `origin` can be stored in `field`; empty when values may be.

    Allowed is what PostgreSQL's assignment stores unchanged, where a single value may still be
    refused: too long, out of range, not among the choices.
    """
    before, after = kind(origin), kind(field)
    reason = f"{described(origin)} does not become {described(field)}"
    if before == after == "relation":
        old, new = origin.remote_field.model, field.remote_field.model
        if not issubclass(old._meta.concrete_model, new._meta.concrete_model):
            return reason
        return "" if _stored(origin) is _stored(field) else f"{reason}: they refer by other columns"
    if before == "integer" and after == "DecimalField":
        return ""
    if before != after:
        return reason
    if before in {"stream", "text", "integer", "DecimalField"} or origin.max_length:
        return ""
    connection = page_connection()
    return "" if origin.db_type(connection) == field.db_type(connection) else reason


def _stored(field: Field) -> Field:
    """Return the field whose values a foreign key's column has, through all levels of a model."""
    while field.remote_field:
        field = field.target_field
    return field


def difference(origin: Field, field: Field) -> str:
    """Return what an operator should know of a fitting pair; empty when the two are alike."""
    differences = []
    if described(origin) != described(field):
        differences.append(f"{described(origin)} becomes {described(field)}")
    before = getattr(origin.remote_field, "on_delete", None)
    after = getattr(field.remote_field, "on_delete", None)
    if before is not after:
        differences.append(f"on_delete {_action(before)} becomes {_action(after)}")
    if kind(field) == "stream":
        old, new = origin.stream_block.child_blocks, field.stream_block.child_blocks
        gone = [name for name in old if name not in new]
        other = [name for name in old if name in new and old[name] != new[name]]
        if gone:
            differences.append("no blocks " + ", ".join(gone))
        if other:
            differences.append("blocks defined differently: " + ", ".join(other))
    return "; ".join(differences)


def _action(on_delete: object) -> str:
    return str(getattr(on_delete, "__name__", on_delete))


def alike(origin: Field, field: Field) -> bool:
    """Return whether a value that is right for `origin` is right for `field` by definition."""
    if origin.null and not field.null:
        return False
    _, old_path, old_args, old_kwargs = origin.deconstruct()
    _, new_path, new_args, new_kwargs = field.deconstruct()
    if old_path != new_path or not _equal(old_args, new_args):
        return False
    compared = {*old_kwargs, *new_kwargs} - _TOLD_ELSEWHERE - {"null", "unique"}
    return all(_equal(old_kwargs.get(name), new_kwargs.get(name)) for name in compared)


def _equal(old: object, new: object) -> bool:
    return bool(old == new) or repr(old) == repr(new)


def checked(field: Field, value: object) -> object:
    """Return the value as the field keeps it in Python. Raise ValueError with the field's words.

    An empty value passes where the database takes it: pages may be older than the rule that
    forms ask for one.
    """
    from django.core.exceptions import ValidationError
    from django.db.models import Model

    if isinstance(value, Model) and field.remote_field:
        value = getattr(value, field.target_field.attname)
    if kind(field) == "stream" and isinstance(value, list) and _raw_stream(value):
        value = json.dumps(value)
    try:
        return field.clean(value, None)
    except ValidationError as error:
        if getattr(error, "code", None) == "blank":
            return field.to_python(value)
        raise ValueError(" ".join(error.messages)) from None
    except (TypeError, AttributeError) as error:
        raise ValueError(str(error)) from error


def _raw_stream(value: list[Any]) -> bool:
    # A dictionary of two would be unpacked as if it were a (type, value) pair.
    return all(isinstance(block, dict) for block in value)


def timed(field: Field) -> bool:
    """Return whether the field takes the time of its row's saving."""
    return bool(getattr(field, "auto_now", False) or getattr(field, "auto_now_add", False))


def default(field: Field) -> object:
    """Return a new row's default; NOT_PROVIDED where the database gives it."""
    from django.db.models import NOT_PROVIDED

    # Django 5 can leave it to the database, where a default in Python does not come first.
    if not field.has_default() and getattr(field, "db_default", NOT_PROVIDED) is not NOT_PROVIDED:
        return NOT_PROVIDED
    return field.pre_save(field.model(), True) if timed(field) else field.get_default()
