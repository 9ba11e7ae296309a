"""The rows that a page consists of, one a level of its model chain, copied set by set."""

from __future__ import annotations

from typing import Any

from . import tree
from .database import page_connection
from .models import chain
from .protocol import Refusal
from .tree import quoted


def columns(model: Any) -> list[Any]:
    """The level's own fields that have a column to write to, its key first."""
    fields = [
        field
        for field in model._meta.local_concrete_fields
        if not getattr(field, "generated", False)
    ]
    return sorted(fields, key=lambda field: not field.primary_key)


def key(model: Any) -> str:
    """The quoted column of the level's primary key."""
    return quoted(model._meta.pk.column)


def handed_over(model: Any) -> list[Any]:
    """Fields whose value only one row may have: the copy gets it when the original goes.

    At the base level that is the translation key, which is unique together with the locale.
    """
    if model is chain(model)[0]:
        return [field for field in columns(model) if field.name == "translation_key"]
    return [field for field in columns(model) if field.unique and not field.primary_key]


def _meanwhile(field: Any, prefix: str) -> tuple[str, list[Any]]:
    """SQL for a value of a handed over field until the original goes, and its parameters."""
    if field.get_internal_type() == "UUIDField":
        return "gen_random_uuid()", []
    if field.null:
        return "NULL", []
    if field.get_internal_type() in {"CharField", "SlugField", "TextField", "EmailField"}:
        return f"%s || o.{quoted(field.column)}", [prefix]
    raise Refusal(
        "unsupported",
        f"The field {field} is unique, and its copy needs another value until the original goes.",
        found=f"Its type is {field.__class__.__name__}.",
        hint="Let the field be null during the conversion.",
    )


def insert_copies(
    cursor: Any, source: Any, target: Any, *, prefix: str, moved: dict[str, str], content_type: int
) -> dict[str, int]:
    """Insert the new pages of `remodel_map`, every level of them: `{table: rows}`.

    `moved` maps a field of the target's own to the source's field that it gets its value from.
    """
    inserted = {}
    for level in chain(source):
        inserted[level._meta.db_table] = _copy_level(cursor, level, prefix, content_type)
    inserted[target._meta.db_table] = _fill_level(cursor, source, target, moved)
    return inserted


def _copy_level(cursor: Any, model: Any, prefix: str, content_type: int) -> int:
    base = model is chain(model)[0]
    overrides: dict[str, tuple[str, list[Any]]] = {model._meta.pk.name: ("m.new", [])}
    overrides.update({field.name: _meanwhile(field, prefix) for field in handed_over(model)})
    if base:
        # numchild is the one that treebeard's own add_child would copy from the original,
        # leaving a leaf that claims children (treebeard/mp_tree.py, MP_AddChildHandler).
        overrides.update(
            path=("m.path", []),
            numchild=("0", []),
            slug=("%s || o.slug", [prefix]),
            url_path=("parent.url_path || %s || o.slug || '/'", [prefix]),
            content_type=("%s", [content_type]),
        )
    names, values, parameters = [], [], []
    for field in columns(model):
        sql, given = overrides.get(field.name, (f"o.{quoted(field.column)}", []))
        names.append(quoted(field.column))
        values.append(sql)
        parameters += given
    parent = f"JOIN {tree.table()} parent ON parent.path = left(o.path, -{tree.step()})"
    cursor.execute(
        f"""
        INSERT INTO {quoted(model._meta.db_table)} ({", ".join(names)})
        SELECT {", ".join(values)}
          FROM {quoted(model._meta.db_table)} o JOIN remodel_map m ON m.old = o.{key(model)}
          {parent if base else ""}
         ORDER BY m.old
        """,
        parameters,
    )
    return int(cursor.rowcount)


def _fill_level(cursor: Any, source: Any, target: Any, moved: dict[str, str]) -> int:
    connection = page_connection()
    names, values, parameters = [key(target)], ["m.new"], []
    for field in columns(target)[1:]:
        if field.name in moved:
            values.append(f"o.{quoted(source._meta.get_field(moved[field.name]).column)}")
        elif getattr(field, "db_default", None) is not None and field.has_db_default():
            continue
        else:
            values.append(f"%s::{field.cast_db_type(connection)}")
            parameters.append(_default(field, connection))
        names.append(quoted(field.column))
    cursor.execute(
        f"""
        INSERT INTO {quoted(target._meta.db_table)} ({", ".join(names)})
        SELECT {", ".join(values)}
          FROM {quoted(source._meta.db_table)} o JOIN remodel_map m ON m.old = o.{key(source)}
         ORDER BY m.old
        """,
        parameters,
    )
    return int(cursor.rowcount)


def _default(field: Any, connection: Any) -> Any:
    value = field.get_default()
    if value is None and not field.null:
        raise Refusal(
            "no_value",
            f"The field {field} needs a value, and nothing says which.",
            hint="Give the field a default, let it be null, or move a field to it.",
        )
    return field.get_db_prep_save(value, connection)


def differences(
    cursor: Any, source: Any, target: Any, *, moved: dict[str, str]
) -> dict[str, list[int]]:
    """Old ids whose copies differ in a column that was to be equal, by `table.column`.

    Compared as text, because some types (json, point) have no equality of their own.
    """
    found: dict[str, list[int]] = {}
    exempt = {"path", "numchild", "slug", "url_path", "content_type"}
    for level in chain(source):
        base = level is chain(source)[0]
        left = {field.name for field in handed_over(level)} | (exempt if base else set())
        for field in columns(level)[1:]:
            if field.name not in left:
                _differ(cursor, found, level, field, level, field)
    for name, origin in moved.items():
        _differ(
            cursor,
            found,
            source,
            source._meta.get_field(origin),
            target,
            target._meta.get_field(name),
        )
    return found


def _differ(
    cursor: Any, found: dict[str, list[int]], old: Any, old_field: Any, new: Any, new_field: Any
) -> None:
    before, after = f"o.{quoted(old_field.column)}::text", f"n.{quoted(new_field.column)}::text"
    cursor.execute(
        f"""
        SELECT m.old FROM remodel_map m
          LEFT JOIN {quoted(old._meta.db_table)} o ON o.{key(old)} = m.old
          LEFT JOIN {quoted(new._meta.db_table)} n ON n.{key(new)} = m.new
         WHERE o.{key(old)} IS NULL OR n.{key(new)} IS NULL
            OR {before} IS DISTINCT FROM {after}
         ORDER BY 1
        """
    )
    ids = [row[0] for row in cursor.fetchall()]
    if ids:
        found[f"{new._meta.db_table}.{new_field.column}"] = ids
