"""The columns that refer to a page: found in Django's models and in PostgreSQL's catalog.

A foreign key, to any level of the page's chain, whatever its `on_delete`; the catalog has those of
tables that Django does not know. And a generic pair, which is a content type beside an object id.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ..plan.fieldmap import FieldMap
from ..protocol import Refusal
from ..site.database import once_an_operation, page_connection
from ..site.models import chain
from ..site.tree import quoted
from ..site.types import Cursor, Model

# What an open editor leaves behind: wagtail/admin/models.py. Nobody will miss it.
TRANSIENT = {"wagtailadmin.EditingSession", "wagtailadmin.FormState"}

# Made from the pages, and to be made again: wagtail/models/reference_index.py and the tables of
# the database search backend, which modelsearch has since Wagtail 7.
DERIVED = {"ReferenceIndex", "IndexEntry", "SQLiteFTSIndexEntry"}

Retyping = tuple[list[int], int]  # content types, and the one that replaces them

TEXT = {"CharField", "TextField", "SlugField"}


@dataclass(frozen=True)
class ForeignKey:
    """A column that holds a page's id; `level` is the model that it refers to.

    `model` and `on_delete` (CASCADE, SET_NULL, ...) are empty for a table Django does not know.
    """

    table: str
    column: str
    level: Model
    model: Any = None  # a Model
    on_delete: str = ""
    own_key: str | None = None  # set where the table is a level of the page's chain
    log: bool = False  # a log entry, whose content type follows the page

    @property
    def name(self) -> str:
        return f"{self.table}.{self.column}"

    @property
    def types(self) -> tuple[str, ...]:
        """The content type columns beside it."""
        return ("content_type_id",) if self.log else ()


@dataclass(frozen=True)
class GenericPair:
    """A pair of content type columns and an object id column."""

    model: Model
    table: str
    types: tuple[str, ...]
    column: str
    text: bool
    parent: bool = False  # the id is of a page below which something is being made

    @property
    def name(self) -> str:
        return f"{self.table}.{self.column}"

    @property
    def cast(self) -> str:
        """The cast of a page's id to the column's type, in SQL."""
        return "::text" if self.text else ""

    @property
    def transient(self) -> bool:
        return self.model._meta.label in TRANSIENT

    @property
    def derived(self) -> bool:
        return self.model.__name__ in DERIVED


@once_an_operation
def concrete_models() -> list[Model]:
    """Return every model with a table of its own in the pages' database, many-to-many included.

    The catalog decides, not `managed`: a table that Django does not make may refer to pages, and
    a model may live in another database.
    """
    from django.apps import apps

    with page_connection().cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND pg_table_is_visible(oid)"
        )
        tables = {row[0] for row in cursor.fetchall()}
    return [
        model
        for model in apps.get_models(include_auto_created=True)
        if not (model._meta.proxy or model._meta.swapped) and model._meta.db_table in tables
    ]


def _concrete(model: Model) -> Model:
    """Return the model whose table it is, for a proxy."""
    concrete: Model = model._meta.concrete_model
    return concrete


@once_an_operation
def foreign_keys(old_type: Model) -> list[ForeignKey]:
    """Return every foreign key to a level of the old type, without parent links; sorted by name."""
    from wagtail.models import BaseLogEntry

    levels = set(chain(old_type))
    own = {level._meta.db_table: level for level in levels}
    by_column = {}
    links = set()
    for model in concrete_models():
        table = model._meta.db_table
        for field in model._meta.local_concrete_fields:
            if not field.remote_field or _concrete(field.remote_field.model) not in levels:
                continue
            if field.remote_field.parent_link:
                links.add((table, field.column))
            elif field.target_field.primary_key:
                by_column[table, field.column] = ForeignKey(
                    table,
                    field.column,
                    _concrete(field.remote_field.model),
                    model,
                    getattr(field.remote_field.on_delete, "__name__", ""),
                    own[table]._meta.pk.column if table in own else None,
                    issubclass(model, BaseLogEntry) and field.name == "page",
                )
    with page_connection().cursor() as cursor:
        cursor.execute(
            """
            SELECT k.relname, a.attname, l.relname, r.attname, c.conrelid::regclass::text,
                   pg_table_is_visible(k.oid)
              FROM pg_constraint c
              JOIN pg_class k ON k.oid = c.conrelid
              JOIN pg_class l ON l.oid = c.confrelid AND pg_table_is_visible(l.oid)
              JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
              JOIN pg_attribute r ON r.attrelid = c.confrelid AND r.attnum = c.confkey[1]
             WHERE c.contype = 'f' AND c.conparentid = 0 AND array_length(c.conkey, 1) = 1
               AND l.relname = ANY(%s)
            """,
            [list(own)],
        )
        keys = cursor.fetchall()
    for table, column, level, referred, full, visible in keys:
        if referred != own[level]._meta.pk.column or (table, column) in links:
            continue
        if not visible:
            raise Refusal(
                "unsupported",
                f"The table {full} refers to pages, and is outside of the search path.",
                hint="Put its schema on the search_path of the project's role.",
            )
        key = own[table]._meta.pk.column if table in own else None
        by_column.setdefault((table, column), ForeignKey(table, column, own[level], own_key=key))
    return sorted(by_column.values(), key=lambda reference: reference.name)


def subclass_links(old_type: Model) -> list[ForeignKey]:
    """Return parent links from other models to a level: rows of a page of another type."""
    levels = set(chain(old_type))
    links = [
        ForeignKey(model._meta.db_table, field.column, field.remote_field.model, model)
        for model in concrete_models()
        for field in model._meta.local_concrete_fields
        if model not in levels
        and field.remote_field
        and field.remote_field.parent_link
        and field.remote_field.model in levels
    ]
    return sorted(links, key=lambda reference: reference.name)


@once_an_operation
def generics() -> list[GenericPair]:
    """Return every pair of content type and object id: declared generic keys, and columns named so.

    Wagtail's revisions and workflow states have two content types beside one object id; its
    reference index and log entries have pairs that are not declared as generic keys.
    """
    every = []
    for model in concrete_models():
        pairs: dict[str, set[str]] = {}
        names = {field.name: field for field in model._meta.local_concrete_fields}
        for field in model._meta.private_fields:
            if (
                hasattr(field, "ct_field")
                and hasattr(field, "fk_field")
                and field.fk_field in names
            ):
                pairs.setdefault(field.fk_field, set()).add(field.ct_field)
        for name in names:
            match = re.fullmatch(r"(.*)object_(?:id|pk)", name)
            if match:
                likely = {f"{match[1]}content_type", f"{match[1]}base_content_type"}
                pairs.setdefault(name, set()).update(likely & _type_fields(names))
        for name, types in pairs.items():
            kind = names[name].get_internal_type()
            if types and (kind in TEXT or kind.endswith("IntegerField")):
                every.append(
                    GenericPair(
                        model,
                        model._meta.db_table,
                        tuple(sorted(names[beside].column for beside in types if beside in names)),
                        names[name].column,
                        kind in TEXT,
                    )
                )
        if model._meta.label in TRANSIENT and "parent_object_id" in names:
            kind, column = names["content_type"].column, names["parent_object_id"].column
            every.append(
                GenericPair(model, model._meta.db_table, (kind,), column, True, parent=True)
            )
    return sorted(every, key=lambda reference: reference.name)


def _type_fields(names: dict[str, Any]) -> set[str]:
    from django.contrib.contenttypes.models import ContentType

    return {
        name
        for name, field in names.items()
        if field.remote_field and field.remote_field.model is ContentType
    }


def known_types(old_type: Model) -> list[int]:
    """Return the content types under which an id of a page of this type may stand.

    Those of its levels, and those of models whose rows have the page's id for a key of their own
    (as wagtail.models.WorkflowPage), so that the key changes with it.
    """
    levels = set(chain(old_type))
    keyed = []
    for model in concrete_models():
        key = model._meta.pk.remote_field
        if model not in levels and key and _concrete(key.model) in levels and not key.parent_link:
            keyed.append(model)
    return content_types([*chain(old_type), *keyed])


def content_type(model: Model) -> int:
    """Return the id of the model's content type."""
    from django.contrib.contenttypes.models import ContentType

    return int(ContentType.objects.get_for_model(model, for_concrete_model=False).pk)


def content_types(models: Iterable[Any]) -> list[int]:
    """Return the ids of the models' content types."""
    return [content_type(model) for model in models]


def model_of(type_id: int) -> Model | None:
    """Return the model of a content type; None where the project has it no more."""
    from django.contrib.contenttypes.models import ContentType

    model: Model | None = ContentType.objects.get_for_id(type_id).model_class()
    return model


def matches(pair: GenericPair, types: list[int], side: str = "old") -> tuple[str, list[Any]]:
    """Return the join condition of a generic pair with a side of the map, and its parameters.

    `types` are the content types by which the pages are known.
    """
    if pair.parent:
        from wagtail.models import get_page_models

        types = content_types(get_page_models())
    kinds = " OR ".join(f"t.{quoted(column)} = ANY(%s)" for column in pair.types)
    return f"t.{quoted(pair.column)} = m.{side}{pair.cast} AND ({kinds})", [types] * len(pair.types)


def old_content_types(field_map: FieldMap) -> list[int]:
    """Return the content types that converted pages are no longer known by.

    The old type's, and those of its levels that the new type does not have.
    """
    return content_types(dict.fromkeys([field_map.old_type, *field_map.left]))


def retyping(field_map: FieldMap) -> Retyping:
    """Return the content types to replace and the one to replace them with."""
    return old_content_types(field_map), content_type(field_map.new_type)


def follow(
    cursor: Cursor,
    table: str,
    values: dict[str, str],
    types: tuple[str, ...],
    where: tuple[str, list[Any]],
    retyping: Retyping,
) -> None:
    """Set columns of the rows `t` that join `remodel_map m`, and retype content types beside them.

    `values` has SQL by column, empty where ids are kept: then only rows that are retyped are
    touched. `where` is a condition and its parameters.
    """
    condition, given = where
    old, new = retyping
    sets = [f"{quoted(column)} = {sql}" for column, sql in values.items()]
    parameters: list[Any] = []
    for column in types:
        name = quoted(column)
        sets.append(f"{name} = CASE WHEN t.{name} = ANY(%s) THEN %s ELSE t.{name} END")
        parameters += [old, new]
    if not sets:
        return
    if not values:
        condition += " AND (" + " OR ".join(f"t.{quoted(c)} = ANY(%s)" for c in types) + ")"
        given = [*given, *([old] * len(types))]
    cursor.execute(
        f"UPDATE {quoted(table)} t SET {', '.join(sets)} FROM remodel_map m WHERE {condition}",
        [*parameters, *given],
    )


def levels(field_map: FieldMap) -> set[Model]:
    """Return every level of both types of a field map."""
    return {*chain(field_map.old_type), *chain(field_map.new_type)}
