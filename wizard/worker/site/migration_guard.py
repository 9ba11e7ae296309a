"""Refuse a migration that would lose what pages hold, in a database that was not converted.

Some fields of a page type moved to a new type. In a database whose pages were converted, their
values stand in the new type's table before the old columns go. In any other database these
migrations would drop them, so they ask the database first. Django is all that this needs.

Written by wagtail-remodel, beside the migrations that use it.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import CommandError
from django.db import router
from django.db.migrations.operations.base import Operation
from django.db.models import Exists, F, OuterRef, Q, TextField
from django.db.models.functions import Cast

SHOWN = 10  # rows that a message names
DOCUMENTS = ("JSONField", "ArrayField", "HStoreField", "BinaryField")
EMPTY = ("", "[]", "{}", "null", "\\x")  # an empty document, as text


class _Guard(Operation):  # type: ignore[misc]
    """Change nothing; refuse the migration, before or after what it does, by what a table holds.

    `key` names the migration in `settings.REMODEL_DISCARD = {key: N}`, which lets it pass while
    no more than N rows are in the way.
    """

    reduces_to_sql = False
    reversible = True

    def state_forwards(self, app_label: str, state: Any) -> None:
        """Leave the models as they are."""

    def database_forwards(self, app_label: str, schema_editor: Any, *states: Any) -> None:
        """Leave the database as it is."""

    def database_backwards(self, app_label: str, schema_editor: Any, *states: Any) -> None:
        """Leave the database as it is."""


class RequireValuesMoved(_Guard):
    """Stand before the removal of `fields` from `old`: refuse while their values would be lost.

    That is while a row of `old` without a row of `new` holds something in one of them.
    """

    def __init__(self, key: str, old: str, new: str, fields: list[str]) -> None:
        self.key = key
        self.old = old
        self.new = new
        self.fields = fields

    def describe(self) -> str:
        """Describe the operation in a line, as `migrate --plan` shows it."""
        return f"Refuse while values of {', '.join(self.fields)} on {self.old} would be lost"

    def database_forwards(self, app_label: str, schema_editor: Any, *states: Any) -> None:
        """Raise CommandError while rows would lose values, and more than are to be discarded."""
        old, new = (states[0].apps.get_model(app_label, name) for name in (self.old, self.new))
        alias = schema_editor.connection.alias
        if not router.allow_migrate_model(alias, old):
            return
        rows = holding(old, new, self.fields).using(alias)
        count = rows.count()
        if count <= _discarded(self.key):
            return
        raise CommandError(
            f"{self.key} would drop what {count} {_rows(count)} of {app_label}.{self.old} "
            f"{'holds' if count == 1 else 'hold'} in {', '.join(self.fields)}. They have no row of "
            f"{app_label}.{self.new}, where these fields are now, so their values would be lost.\n"
            f"{_named(rows, count)}\n"
            "Nothing of this migration was done. Those before it stay applied, so keep the "
            "previous release running: the models of this one do not fit this database yet.\n"
            f"To keep the values, convert the pages of this database with wagtail-remodel, from "
            f"this release as it is. Let its remodel.yml name this database as a target and as "
            f"`source`, and under `conversion` have from: {old._meta.label}, to: "
            f"{new._meta.label}, move: [{', '.join(self.fields)}], prefix: "
            f"{_prefix(new, self.fields)}, and the `pages` to convert. Then run `remodel`: it "
            "converts a copy, these migrations included, and delivers it to that target.\n"
            f"To drop them, set REMODEL_DISCARD = {{{self.key!r}: {count}}} in the settings."
        )


class RequireFillable(_Guard):
    """Stand after the removal of fields: refuse to reverse it where a column cannot be filled.

    `fields` are those of `old` that are NOT NULL and have no default.
    """

    def __init__(self, old: str, fields: list[str]) -> None:
        self.old = old
        self.fields = fields

    def describe(self) -> str:
        """Describe the operation in a line, as `migrate --plan` shows it."""
        return f"Refuse to return {', '.join(self.fields)} to {self.old} without a value"

    def database_backwards(self, app_label: str, schema_editor: Any, *states: Any) -> None:
        """Raise CommandError while there are rows that the returning columns have no value for."""
        old = states[0].apps.get_model(app_label, self.old)
        alias = schema_editor.connection.alias
        if not router.allow_migrate_model(alias, old):
            return
        rows = old._base_manager.using(alias).order_by("pk")
        count = rows.count()
        if count:
            raise CommandError(
                f"{', '.join(self.fields)} cannot be put back on {app_label}.{self.old}: NOT NULL, "
                f"without a default, and there are {count} {_rows(count)}.\n"
                f"{_named(rows, count)}\n"
                "Nothing of this migration was reversed. Give the fields a default, or null=True, "
                "in the RemoveField's past (the migration that added them), and try again."
            )


class RequireNoRows(_Guard):
    """Stand after the creation of `new`: refuse to reverse it while there are rows of it.

    The reversal drops its table, with what it holds of each page.
    """

    def __init__(self, key: str, new: str) -> None:
        self.key = key
        self.new = new

    def describe(self) -> str:
        """Describe the operation in a line, as `migrate --plan` shows it."""
        return f"Refuse to drop {self.new} while there are rows of it"

    def database_backwards(self, app_label: str, schema_editor: Any, *states: Any) -> None:
        """Raise CommandError while there are rows, and more than are to be discarded."""
        new = states[0].apps.get_model(app_label, self.new)
        alias = schema_editor.connection.alias
        if not router.allow_migrate_model(alias, new):
            return
        rows = new._base_manager.using(alias).order_by("pk")
        count = rows.count()
        if count <= _discarded(self.key):
            return
        raise CommandError(
            f"Reversing {self.key} would drop the table of {app_label}.{self.new}, with {count} "
            f"{_rows(count)}: pages of that type, with their values.\n"
            f"{_named(rows, count)}\n"
            "Nothing of this migration was reversed. Convert the pages back first, or restore the "
            "backup from before the conversion.\n"
            f"To drop them, set REMODEL_DISCARD = {{{self.key!r}: {count}}} in the settings."
        )


def holding(old: Any, new: Any, fields: list[str]) -> Any:
    """Return the rows of `old` without a row of `new` that hold something in one of the fields.

    Something is what is neither NULL, nor empty, nor the field's default.
    """
    rows, something = old._base_manager.order_by("pk"), Q(pk__in=[])
    for name in fields:
        field = old._meta.get_field(name)
        if field.many_to_many:
            through = field.remote_field.through
            to_old = Q(**{field.m2m_field_name(): OuterRef("pk")})
            something |= Q(Exists(through._base_manager.filter(to_old)))
            continue
        document = hasattr(field, "stream_block") or field.get_internal_type() in DOCUMENTS
        rows = rows.alias(**{f"text_of_{name}": Cast(F(field.attname), TextField())})
        holds = Q(**{f"{name}__isnull": False})
        holds &= ~Q(**{f"text_of_{name}__in": EMPTY if document else EMPTY[:1]})
        if field.has_default() and not hasattr(field, "stream_block"):
            holds &= ~Q(**{name: field.get_default()})
        something |= holds
    moved = new._base_manager.filter(pk=OuterRef("pk"))
    return rows.filter(something).filter(~Q(Exists(moved)))


def _discarded(key: str) -> int:
    allowed = getattr(settings, "REMODEL_DISCARD", {}).get(key, 0)
    if not isinstance(allowed, int) or isinstance(allowed, bool):
        raise CommandError(f"REMODEL_DISCARD[{key!r}] is {allowed!r}: set it to a number of rows.")
    return allowed


def _prefix(new: Any, fields: list[str]) -> str:
    """Return what stands before the fields' names on the new type, as it is before they moved."""
    names = [str(field.name) for field in new._meta.local_fields]
    for name in names:
        prefix = name[: -len(fields[0])]
        if prefix and all(prefix + field in names for field in fields):
            return prefix
    return "''"


def _rows(count: int) -> str:
    return "row" if count == 1 else "rows"


def _named(rows: Any, count: int) -> str:
    lines = [f"  {row.pk} {str(getattr(row, 'title', ''))!r}" for row in rows[:SHOWN]]
    return "\n".join(lines + ([f"  and {count - SHOWN} more"] if count > SHOWN else []))
