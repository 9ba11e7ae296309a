"""Every value of every page, held against the field that is to have it, before anything runs.

Sets of values are checked in the database. Only a validator of a field's own, and choices of
unusual types, are asked in Python, page by page.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..plan.field_types import alike, checked, described, kind
from ..plan.fieldmap import FieldMap, FieldSource
from ..plan.relations import RelatedRows
from ..references import columns, revisions
from ..site import tree
from ..site.database import page_connection
from ..site.models import base_page
from ..site.tree import literal, quoted
from ..site.types import Cursor, Field, Model
from . import computed
from .computed import CHUNK, expression, pages_named, values_from

Check = tuple[str, list[Any], str]  # a condition that is true where wrong, parameters, the wrong


def faults(cursor: Cursor, field_map: FieldMap) -> list[str]:
    """Return what prevents carrying every value of `remodel_map`: sentences with page ids.

    Computed values are made here already, and used by `fill` in the same transaction. Raises
    Refusal `values` when a function of the project breaks the transaction.
    """
    sentences = computed.make(cursor, field_map)
    if sentences:
        return sentences  # without the values nothing else can be checked
    for field_source in field_map.field_sources:
        if field_source.origin is not None and not alike(field_source.origin, field_source.field):
            sentences += _carried(cursor, field_map, field_source)
    for level in field_map.joined:
        sentences += _clashes(
            cursor,
            level,
            _expressions(field_map, level),
            values_from(field_map, field_map.field_sources),
        )
    for related in field_map.related_rows:
        sentences += _followed(cursor, related)
    return sentences


def _carried(cursor: Cursor, field_map: FieldMap, field_source: FieldSource) -> list[str]:
    value, _ = expression(field_map, field_source) or ("", [])
    checks = list(_checks(field_source.origin, field_source.field, value))
    sentences, wrong = _ask(
        cursor, _named(field_source.origin), values_from(field_map, [field_source]), checks
    )
    if kind(field_source.field) == "stream":
        sentences += _blocks(cursor, field_map, field_source, value)
    return [*sentences, *_validated(cursor, field_source, wrong)]


def _named(field: Field) -> str:
    return f"{field.model._meta.label}.{field.name}"


def _checks(origin: Field, field: Field, value: str) -> Iterator[Check]:
    """Yield what a single value of `origin` may have that `field` does not take."""
    connection = page_connection()
    to = _named(field)
    if origin.null and not field.null:
        yield f"{value} IS NULL", [], f"is NULL, which {to} cannot be"
    length = field.max_length
    shorter = length and (not origin.max_length or origin.max_length > length)
    if shorter and kind(field) in {"text", "FileField"}:
        yield f"length({value}) > %s", [length], f"is longer than the {length} of {to}"
    if kind(field) == "integer":
        least, most = connection.ops.integer_field_range(field.get_internal_type())
        yield f"{value} NOT BETWEEN %s AND %s", [least, most], f"is out of the range of {to}"
    if kind(field) == "DecimalField":
        whole, places = field.max_digits - field.decimal_places, field.decimal_places
        condition = f"abs({value}) >= 10::numeric ^ %s OR round({value}::numeric, %s) <> {value}"
        yield condition, [whole, places], f"does not fit {described(field)} {to}"
    choices = [
        field.get_prep_value(choice) for choice, _ in field.flatchoices if choice is not None
    ]
    if choices and kind(field) in {"text", "integer"}:
        empty = f" AND {value} <> ''" if kind(field) == "text" else ""
        sort = "text" if kind(field) == "text" else "bigint"
        yield f"{value} <> ALL (%s::{sort}[]){empty}", [choices], f"is not among {to}'s choices"


def _ask(cursor: Cursor, where: str, rows: str, checks: list[Check]) -> tuple[list[str], set[int]]:
    """Return the sentences of the checks that some page fails, and those pages."""
    if not checks:
        return [], set()
    columns = ", ".join(f"({check[0]}) IS TRUE AS c{n}" for n, check in enumerate(checks))
    either = " OR ".join(f"q.c{n}" for n in range(len(checks)))
    cursor.execute(
        f"SELECT DISTINCT * FROM (SELECT m.old, {columns} FROM {rows}) q WHERE {either} ORDER BY 1",
        [parameter for check in checks for parameter in check[1]],
    )
    failing = cursor.fetchall()
    sentences = []
    for number, (_, _, what) in enumerate(checks, 1):
        ids = sorted({row[0] for row in failing if row[number]})
        if ids:
            sentences.append(f"{where} {what} {pages_named(ids)}.")
    return sentences, {row[0] for row in failing}


def _blocks(
    cursor: Cursor, field_map: FieldMap, field_source: FieldSource, value: str
) -> list[str]:
    """Return a sentence for each block in the pages' streams that the new stream does not have.

    On the page itself, and in what is to be published: the latest draft, and a scheduled one.
    """
    known = list(field_source.field.stream_block.child_blocks)
    draft = f"(r.content ->> {literal(field_source.origin.name)})"
    blocks = (
        "CROSS JOIN LATERAL jsonb_array_elements("
        "CASE WHEN {0}::text LIKE '[%%' THEN {0}::text::jsonb ELSE '[]' END) b"
    )
    cursor.execute(
        f"""
        SELECT type, array_agg(DISTINCT old ORDER BY old) FROM (
            SELECT b.value->>'type' AS type, m.old
              FROM {values_from(field_map, [field_source])} {blocks.format(value)}
             UNION ALL
            SELECT b.value->>'type', m.old
              FROM remodel_map m JOIN {tree.table()} p ON p.id = m.old
              JOIN {quoted(revisions.table_name())} r ON r.object_id = m.old::text
               AND r.base_content_type_id = {columns.content_type(base_page())}
               AND (r.id = p.latest_revision_id OR r.approved_go_live_at IS NOT NULL)
                   {blocks.format(draft)}) found
         WHERE type <> ALL (%s) GROUP BY 1 ORDER BY 1
        """,
        [known],
    )
    return [
        f"{_named(field_source.origin)} has blocks {name}, "
        f"which {_named(field_source.field)} has not {pages_named(ids)}."
        for name, ids in cursor.fetchall()
    ]


def _validated(cursor: Cursor, field_source: FieldSource, wrong: set[int]) -> list[str]:
    """Return what the field's own validators refuse, of pages that passed the checks in SQL."""
    origin, field = field_source.origin, field_source.field
    unusual = field.flatchoices and kind(field) not in {"text", "integer"}
    if kind(field) in {"relation", "stream"} or not (unusual or _own_validators(origin, field)):
        return []
    refusals: dict[str, list[int]] = {}
    cursor.execute("SELECT old FROM remodel_map ORDER BY old")
    pages = [row[0] for row in cursor.fetchall() if row[0] not in wrong]
    for start in range(0, len(pages), CHUNK):
        values = origin.model._base_manager.filter(pk__in=pages[start : start + CHUNK])
        for page, value in values.order_by("pk").values_list("pk", origin.name):
            try:
                checked(field, value)
            except ValueError as error:
                refusals.setdefault(str(error), []).append(page)
    return [
        f"{_named(origin)} is refused by {_named(field)}: {reason} {pages_named(ids)}"
        for reason, ids in refusals.items()
    ]


def _own_validators(origin: Field, field: Field) -> list[Any]:
    """Return the validators that the origin does not have and the checks in SQL do not cover."""
    from django.core import validators

    bounds: set[Any] = {field.max_length}
    if kind(field) == "integer":
        bounds |= {*page_connection().ops.integer_field_range(field.get_internal_type())}
    kinds = (
        validators.MaxLengthValidator,
        validators.MinValueValidator,
        validators.MaxValueValidator,
    )
    return [
        validator
        for validator in field.validators
        if validator not in origin.validators
        and not (isinstance(validator, kinds) and validator.limit_value in bounds)
        and not isinstance(validator, validators.DecimalValidator)
    ]


def _expressions(field_map: FieldMap, level: Model) -> dict[str, tuple[str, list[Any]]]:
    expressions = {}
    for field_source in field_map.field_sources:
        value = expression(field_map, field_source, exact=True)
        if field_source.field.model is level and value is not None:
            expressions[field_source.field.name] = value
    return expressions


def _clashes(
    cursor: Cursor, model: Model, values: dict[str, tuple[str, list[Any]]], rows: str
) -> list[str]:
    """Return violations of uniqueness: twice among the pages, or in the table already."""
    sentences = []
    for names in _unique(model):
        if not {*names} <= {*values}:
            continue
        terms = [values[name][0] for name in names]
        parameters = [parameter for name in names for parameter in values[name][1]]
        columns = [quoted(model._meta.get_field(name).column) for name in names]
        aliases = [f"u{number}" for number in range(len(names))]
        picked = ", ".join(f"{term} AS {alias}" for term, alias in zip(terms, aliases))
        holding = " AND ".join(f"q.{alias} IS NOT NULL" for alias in aliases)
        same = " AND ".join(f"t.{column} = q.{alias}" for column, alias in zip(columns, aliases))
        what = f"{model._meta.label}.{' and '.join(names)}"
        cursor.execute(
            f"""
            SELECT array_agg(DISTINCT q.old ORDER BY q.old)
              FROM (SELECT m.old, {picked} FROM {rows}) q WHERE {holding}
             GROUP BY {", ".join(f"q.{alias}" for alias in aliases)} HAVING count(*) > 1
             ORDER BY 1
            """,
            parameters,
        )
        twice = cursor.fetchall()
        for (ids,) in twice[: computed.NAMED]:
            sentences.append(f"{what} must be unique, and would be equal on {pages_named(ids)}.")
        if len(twice) > computed.NAMED:
            sentences.append(f"{what} has {len(twice)} values that would be there more than once.")
        cursor.execute(
            f"""
            SELECT DISTINCT q.old FROM (SELECT m.old, {picked} FROM {rows}) q
             WHERE EXISTS (SELECT 1 FROM {quoted(model._meta.db_table)} t WHERE {same})
             ORDER BY 1
            """,
            parameters,
        )
        ids = [row[0] for row in cursor.fetchall()]
        if ids:
            sentences.append(
                f"{what} must be unique, and another row has the value {pages_named(ids)}."
            )
    return sentences


def _unique(model: Model) -> list[tuple[str, ...]]:
    """Return the sets of the level's own fields that must be unique together."""
    from django.db.models import UniqueConstraint

    single = [
        (field.name,)
        for field in model._meta.local_concrete_fields
        if field.unique and not field.primary_key
    ]
    together = [tuple(names) for names in model._meta.unique_together]
    constraints = [
        tuple(constraint.fields)
        for constraint in model._meta.constraints
        if isinstance(constraint, UniqueConstraint)
        and constraint.fields
        and constraint.condition is None
    ]
    return [*single, *together, *constraints]


def _followed(cursor: Cursor, related: RelatedRows) -> list[str]:
    """Check values and uniqueness of the rows that follow their page."""
    rows = (
        f"remodel_map m JOIN {quoted(related.old._meta.db_table)} r "
        f"ON r.{quoted(related.old_link.column)} = m.old"
    )
    sentences = []
    values: dict[str, tuple[str, list[Any]]] = {related.new_link.name: ("m.old", [])}
    for origin, field in related.columns:
        value = f"r.{quoted(origin.column)}"
        values[field.name] = value, []
        if not alike(origin, field):
            checks = list(_checks(origin, field, value))
            sentences += _ask(cursor, _named(origin), rows, checks)[0]
    return [*sentences, *_clashes(cursor, related.new, values, rows)]
