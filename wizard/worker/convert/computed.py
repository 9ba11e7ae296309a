"""Where a value comes from in SQL; for those that Python makes page by page, a table of them.

`remodel_computed (old, c0, c1, ...)` has a column for each carry that is computed, or whose
default is another one for each page. It goes with the transaction, and is made once in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from ..plan.field_types import checked, kind
from ..plan.fieldmap import Carry, FieldMap, function
from ..plan.levels import key
from ..protocol import Refusal
from ..site.database import page_connection
from ..site.models import chain
from ..site.tree import quoted

CHUNK = 500  # pages, and rows of one INSERT
NAMED = 20  # pages that a sentence names


def per_page(map: FieldMap) -> list[Carry]:
    """The carries whose values Python makes."""
    return [carry for carry in map.carries if carry.how == "computed" or carry.each]


def expression(map: FieldMap, carry: Carry, *, exact: bool = False) -> tuple[str, list[Any]] | None:
    """SQL for the value and its parameters, to be used with `values_from`.

    None where the database gives the value. `exact` has the type that the column has.
    """
    from django.db.models import NOT_PROVIDED

    field, connection = carry.field, page_connection()
    if carry.how == "computed" or carry.each:
        return f"c.c{per_page(map).index(carry)}", []
    if carry.origin is not None:
        level = chain(map.source).index(carry.origin.model)
        sql = f"s{level}.{quoted(carry.origin.column)}"
        decimal = exact and carry.origin.get_internal_type() != field.get_internal_type()
        if (decimal and kind(field) == "DecimalField") or _text_stream(carry.origin, field):
            sql += f"::{field.db_type(connection)}"
        return sql, []
    provided = getattr(field, "db_default", NOT_PROVIDED) is not NOT_PROVIDED
    if carry.how == "default" and carry.value is None and provided:
        return None
    return f"%s::{field.cast_db_type(connection)}", [
        field.get_db_prep_save(carry.value, connection)
    ]


def _text_stream(origin: Any, field: Any) -> bool:
    # Up to Wagtail 5, a StreamField could be text (use_json_field).
    return kind(field) == "stream" and (
        origin.get_internal_type() == "TextField" and field.get_internal_type() == "JSONField"
    )


def values_from(map: FieldMap, carries: Iterable[Carry]) -> str:
    """What stands after FROM for these carries' expressions; the map is `m`."""
    needed = {carry.origin.model for carry in carries if carry.origin is not None}
    joins = ["remodel_map m"]
    for number, level in enumerate(chain(map.source)):
        if level in needed:
            joins.append(
                f"JOIN {quoted(level._meta.db_table)} s{number} ON s{number}.{key(level)} = m.old"
            )
    if per_page(map):
        joins.append("LEFT JOIN remodel_computed c ON c.old = m.old")
    return " ".join(joins)


def require(cursor: Any, map: FieldMap) -> None:
    """Make the table. Raises Refusal `values` when a value cannot be made or is refused."""
    wrong = make(cursor, map)
    if wrong:
        raise Refusal(
            "values",
            "Not every page has the values that the target needs.",
            found="\n".join(wrong),
            hint="Correct the function, or name another value under `fields`.",
        )


def make(cursor: Any, map: FieldMap) -> list[str]:
    """Make the table, unless this transaction has it for the same pages; returns the faults."""
    from django.db import transaction

    carries = per_page(map)
    if not carries or _made(cursor):
        return []
    connection = page_connection()
    typed = [f"c{n} {carry.field.db_type(connection)}" for n, carry in enumerate(carries)]
    cursor.execute("DROP TABLE IF EXISTS pg_temp.remodel_computed")
    cursor.execute(
        "CREATE TEMPORARY TABLE remodel_computed "
        f"(old bigint PRIMARY KEY, {', '.join(typed)}) ON COMMIT DROP"
    )
    functions = [function(carry.call) if carry.call else None for carry in carries]
    casts = [f"%s::{carry.field.cast_db_type(connection)}" for carry in carries]
    row = f"(%s, {', '.join(casts)})"
    wrong: dict[tuple[str, str], list[int]] = {}
    computed: list[list[Any]] = []
    with transaction.atomic(using=connection.alias):
        # The project's functions compute; what they write besides (a rendition) is taken back.
        for pages in _chunks(cursor):
            parameters: list[Any] = []
            for number, page in _instances(map, pages, any(functions)):
                values = []
                for carry, call in zip(carries, functions):
                    value = None
                    try:
                        value = _value(carry, call, page)
                    except ValueError as error:
                        where = f"{carry.field.model._meta.label}.{carry.field.name}"
                        wrong.setdefault((where, str(error)), []).append(number)
                    values.append(carry.field.get_db_prep_save(value, connection))
                parameters += [number, *values]
            computed.append(parameters)
        transaction.set_rollback(True, using=connection.alias)
    for parameters in computed:
        count = len(parameters) // (len(carries) + 1)
        if count:
            cursor.execute(
                f"INSERT INTO remodel_computed VALUES {', '.join([row] * count)}", parameters
            )
    if wrong:
        cursor.execute("DROP TABLE remodel_computed")
    told = [f"{where}: {what} {pages_named(ids)}" for (where, what), ids in wrong.items()]
    rest = told[NAMED:]
    return [*told[:NAMED], f"And {len(rest)} more of this kind."] if rest else told


def _made(cursor: Any) -> bool:
    cursor.execute("SELECT to_regclass('pg_temp.remodel_computed') IS NOT NULL")
    if not cursor.fetchone()[0]:
        return False
    cursor.execute(
        "SELECT count(*) = (SELECT count(*) FROM remodel_map) AND count(*) = count(c.old) "
        "FROM remodel_map m LEFT JOIN remodel_computed c ON c.old = m.old"
    )
    return bool(cursor.fetchone()[0])


def _chunks(cursor: Any) -> Iterator[list[int]]:
    cursor.execute("SELECT old FROM remodel_map ORDER BY old")
    ids = [row[0] for row in cursor.fetchall()]
    for start in range(0, len(ids), CHUNK):
        yield ids[start : start + CHUNK]


def _instances(map: FieldMap, pages: list[int], wanted: bool) -> list[tuple[int, Any]]:
    if not wanted:
        return [(page, None) for page in pages]
    found = map.source._base_manager.filter(pk__in=pages).order_by("pk")
    return [(page.pk, page) for page in found]


def _value(carry: Carry, call: Any, page: Any) -> Any:
    """The page's value, checked. Raises ValueError with what is wrong with it."""
    from django.db import DatabaseError

    if call is None:
        return carry.field.get_default()
    try:
        value = call(page)
    except DatabaseError as error:
        # The transaction is lost with it, so that no other page can be asked for.
        raise Refusal(
            "values",
            f"{carry.call} failed in the database for page {page.pk}.",
            found=str(error).strip(),
        ) from error
    except Exception as error:
        raise ValueError(f"{carry.call} raised {type(error).__name__}: {error}") from error
    try:
        return checked(carry.field, value)
    except ValueError as error:
        raise ValueError(f"{carry.call} gave {value!r}. {error}") from None


def pages_named(ids: list[int]) -> str:
    """`(page 7)`, `(2 pages: 7, 9)`; beyond twenty the first twenty and the count."""
    named = ", ".join(str(page) for page in ids[:NAMED])
    if len(ids) == 1:
        return f"(page {named})"
    return f"({len(ids)} pages: {named}{', ...' if len(ids) > NAMED else ''})"
