"""The rows that a page consists of, one a level of its model chain, copied set by set."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..protocol import Refusal
from ..site.models import chain
from ..site.tree import quoted
from ..site.types import Cursor, Field, Model

# A page's place and type; the copy has its own.
PLACE = {"path", "numchild", "content_type", "slug", "url_path"}


def columns(model: Model) -> list[Any]:
    """Return the level's own fields that have a column to write to, its key first."""
    fields = [
        field
        for field in model._meta.local_concrete_fields
        if not getattr(field, "generated", False)
    ]
    return sorted(fields, key=lambda field: not field.primary_key)


def key(model: Model) -> str:
    """Return the quoted column of the level's primary key."""
    return quoted(model._meta.pk.column)


def handed_over(model: Model) -> list[Any]:
    """Return the fields whose value only one row may have: the copy gets it, not the original.

    At the base level that is the translation key, which is unique together with the locale.
    """
    if model is chain(model)[0]:
        return [field for field in columns(model) if field.name == "translation_key"]
    return [field for field in columns(model) if field.unique and not field.primary_key]


def _left_with(field: Field, prefix: str) -> tuple[str, list[Any]]:
    """Return SQL for the original's value of a handed over field until it is deleted."""
    column = f"u.{quoted(field.column)}"
    if field.get_internal_type() == "UUIDField":
        return f"md5(random()::text || {column}::text)::uuid", []  # PostgreSQL 12 has no other
    if field.null:
        return "NULL", []
    if field.get_internal_type() in {"CharField", "SlugField", "TextField", "EmailField"}:
        kept = f"%s || {column}"
        if not field.max_length:
            return kept, [prefix]
        some = f"left(md5(random()::text || {column}), %s)"
        return (
            f"CASE WHEN length({kept}) <= %s THEN {kept} ELSE {some} END",
            [prefix, field.max_length, prefix, field.max_length],
        )
    raise Refusal(
        "unsupported",
        f"The field {field} is unique, and the original needs another value until it goes.",
        found=f"Its type is {field.__class__.__name__}.",
        hint="Let the field be null during the conversion, or keep the ids.",
    )


def insert_copies(
    cursor: Cursor, levels: Sequence[Model], *, prefix: str, content_type: int
) -> dict[str, int]:
    """Insert rows for the map's new pages at these levels, as the old pages have them.

    Return `{table: rows}`. A new page takes the original's place, and whatever value only one
    page may have; the original is left aside with others.
    """
    return {
        level._meta.db_table: _copy_level(cursor, level, prefix, content_type) for level in levels
    }


def _copy_level(cursor: Cursor, model: Model, prefix: str, content_type: int) -> int:
    table = quoted(model._meta.db_table)
    base = model is chain(model)[0]
    overrides: dict[str, tuple[str, list[Any]]] = {model._meta.pk.name: ("m.new", [])}
    stripped = {quoted(field.column): _left_with(field, prefix) for field in handed_over(model)}
    if base:
        overrides.update(
            path=("m.path", []),
            content_type=("%s", [content_type]),
            slug=("%s || o.slug", [prefix]),
            url_path=(
                "left(o.url_path, -length(o.slug) - 1) || %s || o.slug || '/'",
                [prefix],
            ),
        )
        stripped.update(path=("m.aside", []), numchild=("0", []))
    names, values, parameters = [], [], []
    for field in columns(model):
        sql, given = overrides.get(field.name, (f"o.{quoted(field.column)}", []))
        names.append(quoted(field.column))
        values.append(sql)
        parameters += given
    aside, joined = "", ""
    if stripped:
        # The rows of a statement are read as they were before it, so that the copy gets what
        # the original is losing; and only a row that has left its place lets another take it.
        sets = ", ".join(f"{column} = {sql}" for column, (sql, _) in stripped.items())
        aside = (
            f"WITH aside AS (UPDATE {table} u SET {sets} FROM remodel_map m "
            f"WHERE u.{key(model)} = m.old RETURNING u.{key(model)} AS old)"
        )
        joined = "JOIN aside ON aside.old = m.old"
        parameters = [value for _, given in stripped.values() for value in given] + parameters
    cursor.execute(
        f"""
        {aside} INSERT INTO {table} ({", ".join(names)})
        SELECT {", ".join(values)}
          FROM {table} o JOIN remodel_map m ON m.old = o.{key(model)} {joined}
         ORDER BY m.old
        """,
        parameters,
    )
    return int(cursor.rowcount)


def differences(cursor: Cursor, levels: Sequence[Model]) -> dict[str, list[int]]:
    """Return old ids whose copies differ in a column that should be equal, by `table.column`.

    Compared as text, because some types (json, point) have no equality of their own.
    """
    pages: dict[str, list[int]] = {}
    for level in levels:
        base = level is chain(level)[0]
        left = {field.name for field in handed_over(level)} | (PLACE if base else set())
        compared = [field.column for field in columns(level)[1:] if field.name not in left]
        table = quoted(level._meta.db_table)
        wrong = [
            f"o.{quoted(column)}::text IS DISTINCT FROM n.{quoted(column)}::text"
            for column in compared
        ]
        cursor.execute(
            f"""
            SELECT old, wrong FROM (
                SELECT m.old, ARRAY[o.{key(level)} IS NULL OR n.{key(level)} IS NULL,
                                    {", ".join(wrong)}] AS wrong
                  FROM remodel_map m
                  LEFT JOIN {table} o ON o.{key(level)} = m.old
                  LEFT JOIN {table} n ON n.{key(level)} = m.new) compared
             WHERE true = ANY(wrong) ORDER BY 1
            """
            if wrong
            else f"SELECT 0, ARRAY[true] FROM {table} WHERE false"
        )
        names = [level._meta.pk.column, *compared]
        for page, differs in cursor.fetchall():
            for name, is_so in zip(names, differs):
                if is_so:
                    pages.setdefault(f"{level._meta.db_table}.{name}", []).append(page)
    return pages
