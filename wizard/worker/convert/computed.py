"""Where a value comes from in SQL; for those that Python makes page by page, a table of them.

`remodel_computed (old, c0, c1, ...)` has a column for each FieldSource that is computed, or
whose default is another one for each page. It goes with the transaction, and is made once in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from ..plan.field_types import checked, kind
from ..plan.fieldmap import FieldMap, FieldSource, Function, function
from ..plan.levels import key
from ..protocol import Refusal
from ..site.database import page_connection
from ..site.models import chain
from ..site.tree import quoted
from ..site.types import Cursor, Field, Instance

CHUNK = 500  # pages, and rows of one INSERT
NAMED = 20  # pages that a sentence names


def per_page(field_map: FieldMap) -> list[FieldSource]:
    """Return the field sources whose values Python makes, page by page."""
    return [
        field_source
        for field_source in field_map.field_sources
        if field_source.how == "computed" or field_source.for_each_page
    ]


def expression(
    field_map: FieldMap, field_source: FieldSource, *, exact: bool = False
) -> tuple[str, list[Any]] | None:
    """Return SQL for the value and its parameters, to be used with `values_from`.

    None where the database gives the value. `exact` has the type that the column has.
    """
    from django.db.models import NOT_PROVIDED

    field, connection = field_source.field, page_connection()
    if field_source.how == "computed" or field_source.for_each_page:
        return f"c.c{per_page(field_map).index(field_source)}", []
    if field_source.origin is not None:
        level = chain(field_map.old_type).index(field_source.origin.model)
        sql = f"s{level}.{quoted(field_source.origin.column)}"
        decimal = exact and field_source.origin.get_internal_type() != field.get_internal_type()
        if (decimal and kind(field) == "DecimalField") or _text_stream(field_source.origin, field):
            sql += f"::{field.db_type(connection)}"
        return sql, []
    provided = getattr(field, "db_default", NOT_PROVIDED) is not NOT_PROVIDED
    if field_source.how == "default" and field_source.value is None and provided:
        return None
    return f"%s::{field.cast_db_type(connection)}", [
        field.get_db_prep_save(field_source.value, connection)
    ]


def _text_stream(origin: Field, field: Field) -> bool:
    # Up to Wagtail 5, a StreamField could be text (use_json_field).
    return kind(field) == "stream" and (
        origin.get_internal_type() == "TextField" and field.get_internal_type() == "JSONField"
    )


def values_from(field_map: FieldMap, field_sources: Iterable[FieldSource]) -> str:
    """Return what follows FROM for the expressions of these field sources; the map is `m`."""
    needed = {
        field_source.origin.model
        for field_source in field_sources
        if field_source.origin is not None
    }
    joins = ["remodel_map m"]
    for number, level in enumerate(chain(field_map.old_type)):
        if level in needed:
            joins.append(
                f"JOIN {quoted(level._meta.db_table)} s{number} ON s{number}.{key(level)} = m.old"
            )
    if per_page(field_map):
        joins.append("LEFT JOIN remodel_computed c ON c.old = m.old")
    return " ".join(joins)


def require(cursor: Cursor, field_map: FieldMap) -> None:
    """Make the table. Raise Refusal `values` when a value cannot be made or is refused."""
    wrong = make(cursor, field_map)
    if wrong:
        raise Refusal(
            "values",
            "Not every page has the values that the target needs.",
            found="\n".join(wrong),
            hint="Correct the function, or name another value under `fields`.",
        )


def lay(cursor: Cursor, field_map: FieldMap) -> None:
    """Make the table, empty: what a transaction that is READ ONLY cannot do later."""
    connection = page_connection()
    typed = [
        f"c{n} {field_source.field.db_type(connection)}"
        for n, field_source in enumerate(per_page(field_map))
    ]
    if typed:
        cursor.execute("DROP TABLE IF EXISTS pg_temp.remodel_computed")
        cursor.execute(
            "CREATE TEMPORARY TABLE remodel_computed "
            f"(old bigint PRIMARY KEY, {', '.join(typed)}) ON COMMIT DROP"
        )


def make(cursor: Cursor, field_map: FieldMap) -> list[str]:
    """Make the table, unless this transaction has it for the same pages; returns the faults."""
    from django.db import transaction

    field_sources = per_page(field_map)
    if not field_sources or _made(cursor):
        return []
    connection = page_connection()
    if not _laid(cursor):
        lay(cursor, field_map)
    functions = [
        function(field_source.call) if field_source.call else None for field_source in field_sources
    ]
    casts = [f"%s::{field_source.field.cast_db_type(connection)}" for field_source in field_sources]
    row = f"(%s, {', '.join(casts)})"
    wrong: dict[tuple[str, str], list[int]] = {}
    computed: list[list[Any]] = []
    with transaction.atomic(using=connection.alias):
        # The project's functions compute; what they write besides (a rendition) is taken back.
        for pages in _chunks(cursor):
            parameters: list[Any] = []
            for number, page in _instances(field_map, pages, any(functions)):
                values = []
                for field_source, call in zip(field_sources, functions):
                    value = None
                    try:
                        value = _value(field_source, call, page)
                    except ValueError as error:
                        where = f"{field_source.field.model._meta.label}.{field_source.field.name}"
                        wrong.setdefault((where, str(error)), []).append(number)
                    values.append(field_source.field.get_db_prep_save(value, connection))
                parameters += [number, *values]
            computed.append(parameters)
        transaction.set_rollback(True, using=connection.alias)
    for parameters in computed:
        count = len(parameters) // (len(field_sources) + 1)
        if count:
            cursor.execute(
                f"INSERT INTO remodel_computed VALUES {', '.join([row] * count)}", parameters
            )
    if wrong:
        cursor.execute("DELETE FROM remodel_computed")
    sentences = [f"{where}: {what} {pages_named(ids)}" for (where, what), ids in wrong.items()]
    rest = sentences[NAMED:]
    return [*sentences[:NAMED], f"And {len(rest)} more of this kind."] if rest else sentences


def _there(cursor: Cursor) -> bool:
    cursor.execute("SELECT to_regclass('pg_temp.remodel_computed') IS NOT NULL")
    return bool(cursor.fetchone()[0])


def _laid(cursor: Cursor) -> bool:
    if not _there(cursor):
        return False
    cursor.execute("SELECT NOT EXISTS (SELECT FROM remodel_computed)")
    return bool(cursor.fetchone()[0])


def _made(cursor: Cursor) -> bool:
    if not _there(cursor):
        return False
    cursor.execute(
        "SELECT count(*) = (SELECT count(*) FROM remodel_map) AND count(*) = count(c.old) "
        "FROM remodel_map m LEFT JOIN remodel_computed c ON c.old = m.old"
    )
    return bool(cursor.fetchone()[0])


def _chunks(cursor: Cursor) -> Iterator[list[int]]:
    cursor.execute("SELECT old FROM remodel_map ORDER BY old")
    ids = [row[0] for row in cursor.fetchall()]
    for start in range(0, len(ids), CHUNK):
        yield ids[start : start + CHUNK]


def _instances(field_map: FieldMap, pages: list[int], wanted: bool) -> list[tuple[int, Instance]]:
    if not wanted:
        return [(page, None) for page in pages]
    instances = field_map.old_type._base_manager.filter(pk__in=pages).order_by("pk")
    return [(page.pk, page) for page in instances]


def _value(field_source: FieldSource, call: Function | None, page: Instance) -> object:
    """Return the page's value, checked. Raise ValueError with what is wrong with it."""
    from django.db import DatabaseError

    if call is None:
        return field_source.field.get_default()
    try:
        value = call(page)
    except DatabaseError as error:
        # The transaction is lost with it, so that no other page can be asked for.
        raise Refusal(
            "values",
            f"{field_source.call} failed in the database for page {page.pk}.",
            found=str(error).strip(),
        ) from error
    except Exception as error:
        raise ValueError(f"{field_source.call} raised {type(error).__name__}: {error}") from error
    try:
        return checked(field_source.field, value)
    except ValueError as error:
        raise ValueError(f"{field_source.call} gave {value!r}. {error}") from None


def pages_named(ids: list[int]) -> str:
    """Return `(page 7)` or `(2 pages: 7, 9)`; beyond twenty the first twenty and the count."""
    named = ", ".join(str(page) for page in ids[:NAMED])
    if len(ids) == 1:
        return f"(page {named})"
    return f"({len(ids)} pages: {named}{', ...' if len(ids) > NAMED else ''})"
