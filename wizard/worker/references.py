"""Everything in a column that refers to a page: found in the models and the catalog, and carried.

Three kinds. A foreign key, to any level of the page's chain, whatever its `on_delete`: found
through Django's models, and through PostgreSQL's catalog for tables that Django does not know.
A generic one, which is a content type beside an object id. And rows that only hold an editor's
passing state, which are let go. References inside of a value (a link in rich text) are in
`links`, those inside of revisions in `revisions`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from .models import chain
from .tree import quoted

# What an open editor leaves behind: wagtail/admin/models.py. Nobody will miss it.
TRANSIENT = {"wagtailadmin.EditingSession", "wagtailadmin.FormState"}

TEXT = {"CharField", "TextField", "SlugField"}


@dataclass(frozen=True)
class ForeignKey:
    """A column that holds a page's id. `own_key` is set where the table is a level of the page."""

    table: str
    column: str
    own_key: str | None = None
    log: bool = False  # a log entry, whose content type follows the page

    @property
    def name(self) -> str:
        return f"{self.table}.{self.column}"


@dataclass(frozen=True)
class Generic:
    """A pair of content type columns and an object id column."""

    label: str
    table: str
    types: tuple[str, ...]
    column: str
    text: bool

    @property
    def name(self) -> str:
        return f"{self.table}.{self.column}"

    @property
    def transient(self) -> bool:
        return self.label in TRANSIENT


def concrete_models() -> Iterable[Any]:
    """Every model with a table of its own, many-to-many tables included."""
    from django.apps import apps

    for model in apps.get_models(include_auto_created=True):
        if model._meta.managed and not model._meta.proxy and not model._meta.swapped:
            yield model


def foreign_keys(cursor: Any, source: Any) -> list[ForeignKey]:
    """Every foreign key to a level of the source, but no parent links; sorted by name."""
    from wagtail.models import BaseLogEntry

    levels = set(chain(source))
    own = {level._meta.db_table: level._meta.pk.column for level in levels}
    found = {}
    links = set()
    for model in concrete_models():
        table = model._meta.db_table
        for field in model._meta.local_concrete_fields:
            if not field.remote_field or field.remote_field.model not in levels:
                continue
            if field.remote_field.parent_link:
                links.add((table, field.column))
            elif field.target_field.primary_key:
                log = issubclass(model, BaseLogEntry)
                found[table, field.column] = ForeignKey(
                    table, field.column, own.get(table), log and field.name == "page"
                )
    cursor.execute(
        """
        SELECT c.conrelid::regclass::text, a.attname
          FROM pg_constraint c
          JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
          JOIN pg_attribute r ON r.attrelid = c.confrelid AND r.attnum = c.confkey[1]
         WHERE c.contype = 'f' AND c.conparentid = 0 AND array_length(c.conkey, 1) = 1
           AND (c.confrelid::regclass::text, r.attname) IN (
               SELECT * FROM unnest(%s::text[], %s::text[]))
        """,
        [list(own), list(own.values())],
    )
    for table, column in cursor.fetchall():
        known = table.strip('"')
        if (known, column) not in links:
            found.setdefault((known, column), ForeignKey(known, column, own.get(known)))
    return sorted(found.values(), key=lambda reference: reference.name)


def subclass_links(source: Any) -> list[ForeignKey]:
    """Parent links from other models to a level of the source: rows of a page of another type."""
    levels = set(chain(source))
    found = [
        ForeignKey(model._meta.db_table, field.column)
        for model in concrete_models()
        for field in model._meta.local_concrete_fields
        if model not in levels
        and field.remote_field
        and field.remote_field.parent_link
        and field.remote_field.model in levels
    ]
    return sorted(found, key=lambda reference: reference.name)


def generics() -> list[Generic]:
    """Every content type and object id pair: declared generic keys, and columns named as one.

    Wagtail's revisions and workflow states have two content types beside one object id; its
    reference index and log entries have pairs that are not declared as generic keys.
    """
    found = []
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
                found.append(
                    Generic(
                        model._meta.label,
                        model._meta.db_table,
                        tuple(sorted(names[type].column for type in types if type in names)),
                        names[name].column,
                        kind in TEXT,
                    )
                )
    return sorted(found, key=lambda reference: reference.name)


def _type_fields(names: dict[str, Any]) -> set[str]:
    from django.contrib.contenttypes.models import ContentType

    return {
        name
        for name, field in names.items()
        if field.remote_field and field.remote_field.model is ContentType
    }


def content_types(source: Any) -> list[int]:
    """Ids of the content types under which a page of the source may be referred to."""
    from django.contrib.contenttypes.models import ContentType

    return [
        ContentType.objects.get_for_model(level, for_concrete_model=False).pk
        for level in chain(source)
    ]


def count(cursor: Any, source: Any, *, own_rows: bool) -> dict[str, int]:
    """How many references to the map's old pages there are, by `table.column`, none left out.

    `own_rows` counts those that the old pages' own rows hold (to themselves or each other).
    Transient ones and those of the page's own type rows are not counted.
    """
    found = {}
    for key in foreign_keys(cursor, source):
        others = "" if own_rows else _others(key)
        cursor.execute(
            f"SELECT count(*) FROM {quoted(key.table)} t JOIN remodel_map m "
            f"ON m.old = t.{quoted(key.column)} {others}"
        )
        found[key.name] = cursor.fetchone()[0]
    for pair in generics():
        if not pair.transient:
            condition, given = _matches(pair, content_types(source))
            cursor.execute(
                f"SELECT count(*) FROM {quoted(pair.table)} t JOIN remodel_map m ON {condition}",
                given,
            )
            found[pair.name] = cursor.fetchone()[0]
    return {name: number for name, number in found.items() if number}


def count_transient(cursor: Any, source: Any) -> dict[str, int]:
    """Rows of editors' passing state about the old pages, which a conversion lets go."""
    found = {}
    for pair in generics():
        if pair.transient:
            condition, given = _matches(pair, content_types(source))
            cursor.execute(
                f"SELECT count(*) FROM {quoted(pair.table)} t JOIN remodel_map m ON {condition}",
                given,
            )
            found[pair.name] = cursor.fetchone()[0]
    return {name: number for name, number in found.items() if number}


def carry(cursor: Any, source: Any, *, old_type: int, new_type: int) -> dict[str, int]:
    """Make every reference to an old page one to its new page: `{table.column: rows}`.

    A content type beside the id changes only where it was exactly the source's.
    """
    carried = {}
    for key in foreign_keys(cursor, source):
        retyped = ""
        given: list[int] = []
        if key.log:
            retyped, given = _retyped("content_type_id", old_type, new_type)
        cursor.execute(
            f"UPDATE {quoted(key.table)} t SET {quoted(key.column)} = m.new {retyped} "
            f"FROM remodel_map m WHERE m.old = t.{quoted(key.column)} {_others(key)}",
            given,
        )
        carried[key.name] = cursor.rowcount
    for pair in generics():
        if pair.transient:
            continue
        condition, given = _matches(pair, content_types(source))
        retyping = [_retyped(column, old_type, new_type) for column in pair.types]
        cast = "::text" if pair.text else ""
        cursor.execute(
            f"UPDATE {quoted(pair.table)} t SET {quoted(pair.column)} = m.new{cast} "
            f"{''.join(sql for sql, _ in retyping)} FROM remodel_map m WHERE {condition}",
            [*(value for _, values in retyping for value in values), *given],
        )
        carried[pair.name] = cursor.rowcount
    drop_transient(cursor, source)
    return {name: number for name, number in carried.items() if number}


def drop_transient(cursor: Any, source: Any) -> None:
    """Let go of editors' passing state about the old pages."""
    for pair in generics():
        if pair.transient:
            condition, given = _matches(pair, content_types(source))
            cursor.execute(
                f"DELETE FROM {quoted(pair.table)} t USING remodel_map m WHERE {condition}", given
            )


def _others(key: ForeignKey) -> str:
    """The condition that leaves out the old pages' own rows, where the table has such."""
    if key.own_key is None:
        return ""
    return f"AND t.{quoted(key.own_key)} NOT IN (SELECT old FROM remodel_map)"


def _retyped(column: str, old: int, new: int) -> tuple[str, list[int]]:
    name = quoted(column)
    return f", {name} = CASE WHEN t.{name} = %s THEN %s ELSE t.{name} END", [old, new]


def _matches(pair: Generic, types: list[int]) -> tuple[str, list[Any]]:
    """The join condition of a generic pair with the map's old side, and its parameters."""
    cast = "::text" if pair.text else ""
    kinds = " OR ".join(f"t.{quoted(column)} = ANY(%s)" for column in pair.types)
    return f"t.{quoted(pair.column)} = m.old{cast} AND ({kinds})", [types] * len(pair.types)
