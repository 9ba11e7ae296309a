"""Rows that refer to a level that the pages leave: what becomes of them.

A foreign key to a level that the new type does not have loses its page. The row is treated as if
the page were deleted, by its `on_delete`: CASCADE deletes it and SET_NULL empties the column, both
losses that need consent; anything else prevents the conversion.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..plan.fieldmap import FieldMap
from ..site.tree import quoted
from ..site.types import Cursor
from . import columns
from .columns import ForeignKey, GenericPair
from .ledger import ReferenceLedger
from .places import Places


@dataclass(frozen=True)
class OnDelete:
    """What is lost by `table.column`, the faults, and the keys to act on."""

    losses: dict[str, int]
    faults: list[str]
    keys: tuple[ForeignKey, ...]


def find(cursor: Cursor, field_map: FieldMap, places: Places) -> OnDelete:
    """Return what happens to references to the levels that the pages leave."""
    losses: dict[str, int] = {}
    faults: list[str] = []
    acting = []
    for key in _leaving(cursor, field_map):
        count = _count(cursor, key)
        if not count:
            continue
        fault = _fault(cursor, key, field_map)
        if fault:
            faults.append(f"{key.name}: {count} rows refer to the pages as {_label(key)}; {fault}")
            continue
        what = "rows deleted" if key.on_delete == "CASCADE" else "emptied"
        losses[f"{key.name}: {what}"] = count
        acting.append(key)
    for related in field_map.related_rows:
        key = ForeignKey(
            related.old._meta.db_table, related.old_link.column, related.old_link.model, related.old
        )
        inbound = {**_referrers(cursor, key), **_generic_referrers(cursor, key)}
        for name, count in inbound.items():
            faults.append(
                f"{name}: {count} rows refer to rows of {key.table}, which go to another table; "
                "empty that column, or let the rows go (drop)."
            )
    return OnDelete(losses, [*faults, *_rekeyed(cursor, field_map)], tuple(acting))


def act(cursor: Cursor, deletions: OnDelete, ledger: ReferenceLedger) -> None:
    """Delete rows or empty columns by each `on_delete`, and enter it into the ledger."""
    for key in deletions.keys:
        entry = next(entry for entry in ledger.entries if entry.reference == key)
        table, column = quoted(key.table), quoted(key.column)
        if key.on_delete == "CASCADE":
            ledger.drop_rows(entry)
            _forget(cursor, key)
            cursor.execute(f"DELETE FROM {table} t USING remodel_map m WHERE {_matches(key)}")
        else:
            ledger.drop(entry)
            _forget(cursor, key, path=_field_name(key))
            cursor.execute(
                f"UPDATE {table} t SET {column} = NULL FROM remodel_map m WHERE {_matches(key)}"
            )


def _rekeyed(cursor: Cursor, field_map: FieldMap) -> list[str]:
    """Return a fault for each table that refers to rows whose key is the page's id."""
    cursor.execute("SELECT EXISTS (SELECT FROM remodel_map WHERE old IS DISTINCT FROM new)")
    if not cursor.fetchone()[0]:
        return []
    return [
        f"{name}: {count} rows refer to rows of {key.table}, whose key is the page's id and "
        "changes with it; keep the ids."
        for key in columns.foreign_keys(field_map.old_type)
        if key.model and not key.own_key and key.column == key.model._meta.pk.column
        for name, count in _referrers(cursor, key).items()
    ]


def _leaving(cursor: Cursor, field_map: FieldMap) -> list[ForeignKey]:
    followed = {
        (related.old._meta.db_table, related.old_link.column) for related in field_map.related_rows
    }
    return [
        key
        for key in columns.foreign_keys(field_map.old_type)
        if key.level in field_map.left and (key.table, key.column) not in followed
    ]


def _label(key: ForeignKey) -> str:
    return str(key.level._meta.label)


def _field_name(key: ForeignKey) -> str:
    return str(
        next(
            field.name
            for field in key.model._meta.local_concrete_fields
            if field.column == key.column
        )
    )


def _matches(key: ForeignKey) -> str:
    others = ""
    if key.own_key:  # a converted page's own row ends anyway, or is carried
        others = f" AND t.{quoted(key.own_key)} NOT IN (SELECT i.old FROM remodel_map i)"
    return f"m.old = t.{quoted(key.column)}{others}"


def _count(cursor: Cursor, key: ForeignKey) -> int:
    cursor.execute(
        f"SELECT count(*) FROM {quoted(key.table)} t JOIN remodel_map m ON {_matches(key)}"
    )
    return int(cursor.fetchone()[0])


def _fault(cursor: Cursor, key: ForeignKey, field_map: FieldMap) -> str:
    """Return why the key's rows cannot be deleted or emptied; empty when they can."""
    if key.model is None:
        return "Django does not know that table, so nothing says what should become of them."
    if key.on_delete == "SET_NULL":
        return ""
    if key.on_delete != "CASCADE":
        return (
            f"its on_delete is {key.on_delete or 'unknown'}, so they stand in the way: let them "
            "refer to something else first."
        )
    if key.own_key or key.model._meta.parents:
        return "they are themselves pages, or spread over several tables; repoint them first."
    inbound = [f"{name}: {count}" for name, count in _referrers(cursor, key).items()]
    inbound += [f"{name}: {count}" for name, count in _generic_referrers(cursor, key).items()]
    if inbound:
        return "they would be deleted, and are themselves referred to by " + ", ".join(inbound)
    return ""


def _referrers(cursor: Cursor, key: ForeignKey) -> dict[str, int]:
    """Count foreign keys to the rows of the key's table that have one of the pages."""
    cursor.execute(
        """
        SELECT c.conrelid::regclass::text, a.attname, r.attname
          FROM pg_constraint c
          JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
          JOIN pg_attribute r ON r.attrelid = c.confrelid AND r.attnum = c.confkey[1]
         WHERE c.contype = 'f' AND c.confrelid = %s::regclass AND array_length(c.conkey, 1) = 1
        """,
        [quoted(key.table)],
    )
    inbound = {(table.strip('"'), column): (table, referred) for table, column, referred in cursor}
    for model in columns.concrete_models():  # a foreign key may be without a constraint
        for field in model._meta.local_concrete_fields:
            if field.remote_field and field.remote_field.model._meta.db_table == key.table:
                table = model._meta.db_table
                inbound[table, field.column] = (quoted(table), field.target_field.column)
    counts = {}
    for (name, column), (table, referred) in inbound.items():
        cursor.execute(
            f"SELECT count(*) FROM {table} s JOIN {quoted(key.table)} t "
            f"ON s.{quoted(column)} = t.{quoted(referred)} JOIN remodel_map m ON {_matches(key)}"
        )
        count = cursor.fetchone()[0]
        if count:
            counts[f"{name}.{column}"] = count
    return counts


def _generic_referrers(cursor: Cursor, key: ForeignKey) -> dict[str, int]:
    """Count generic references to the key's rows, without indexes and passing state."""
    counts = {}
    for pair in columns.generics():
        if pair.transient or pair.derived:
            continue
        condition, given = _by_generic(key, pair)
        cursor.execute(f"SELECT count(*) FROM {quoted(pair.table)} s WHERE {condition}", given)
        count = cursor.fetchone()[0]
        if count:
            counts[pair.name] = count
    return counts


def _by_generic(key: ForeignKey, pair: GenericPair) -> tuple[str, list[Any]]:
    kind = columns.content_type(key.model)
    own = f"t.{quoted(key.model._meta.pk.column)}"
    kinds = " OR ".join(f"s.{quoted(column)} = %s" for column in pair.types)
    return (
        f"({kinds}) AND s.{quoted(pair.column)}::text IN (SELECT {own}::text "
        f"FROM {quoted(key.table)} t JOIN remodel_map m ON {_matches(key)})",
        [kind] * len(pair.types),
    )


def _forget(cursor: Cursor, key: ForeignKey, path: str = "") -> None:
    """Take what goes from the indexes: all of the rows, or their references by one field."""
    for pair in columns.generics():
        if not (pair.derived or (pair.transient and not path)):
            continue
        names = {field.name for field in pair.model._meta.concrete_fields}
        if path and "model_path" not in names:
            continue
        condition, given = _by_generic(key, pair)
        if path:
            condition += " AND s.model_path = %s"
            given.append(path)
        cursor.execute(f"DELETE FROM {quoted(pair.table)} s WHERE {condition}", given)
