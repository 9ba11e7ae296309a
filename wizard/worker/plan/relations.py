"""Rows beside a page: child rows, tags, many-to-many, and the rows that they become."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..site.database import page_connection
from ..site.types import Field, Model
from .field_types import default, misfit
from .field_types import described as described_field


@dataclass(frozen=True)
class RelatedRows:
    """Rows of one of the old type's side tables that become rows of one of the new type's.

    `old_name` and `new_name` are the keys in a revision's JSON, `old_relation` and `new_relation`
    the names in the field map, which for tags are the managers'. `columns` pairs the other fields,
    without primary keys; `defaults` has the new rows' fields that the old ones have nothing for,
    each with the value to write; `let_go` the old rows' fields that the new ones have no place for.
    """

    kind: str  # children | tags | many
    old_name: str
    new_name: str
    old: Model
    new: Model
    old_link: Field
    new_link: Field
    columns: tuple[tuple[Any, Any], ...]
    old_relation: str = ""
    new_relation: str = ""
    defaults: tuple[tuple[Any, Any], ...] = ()
    let_go: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Side:
    """One relation of a level whose rows stand in a table of their own."""

    kind: str
    name: str  # in the field map
    key: str  # in a revision's JSON
    rows: Model  # the model of the rows
    link: Field  # its field that holds the page
    item: Field  # Django's field or relation


def sides(levels: Iterable[Model]) -> dict[str, Side]:
    """Return the relations declared on these levels, by name.

    Generic tags and the like are no rows of the level's own and are left out.
    """
    from modelcluster.models import get_all_child_relations

    levels = list(levels)
    relations: dict[str, Side] = {}
    taken = set()
    for level in levels:
        for field in level._meta.local_many_to_many:
            side = _many(field, level)
            if side is not None:
                relations[side.name] = side
                taken.add(side.rows)
    for level in levels:
        for relation in get_all_child_relations(level):
            if relation.model is level and relation.related_model not in taken:
                name = relation.get_accessor_name()
                rows = relation.related_model
                relations[name] = Side("children", name, name, rows, relation.field, relation)
    return relations


def _many(field: Field, level: Model) -> Side | None:
    from modelcluster.fields import ParentalKey
    from taggit.managers import TaggableManager

    rows = field.remote_field.through
    if not isinstance(field, TaggableManager):
        link = rows._meta.get_field(field.m2m_field_name())
        if isinstance(link, ParentalKey):
            return None  # child rows, as which they are found
        return Side("many", field.name, field.name, rows, link, field)
    for link in rows._meta.concrete_fields:
        if link.remote_field and link.remote_field.model is level:
            parental = isinstance(link, ParentalKey)
            key = link.remote_field.get_accessor_name() if parental else field.name
            return Side("tags", field.name, key, rows, link, field)
    return None


def pair(
    left: list[Model],
    joined: list[Model],
    entries: Mapping[str, tuple[str, Any]],
    faults: list[str],
) -> tuple[list[RelatedRows], list[Any], set[str]]:
    """Find for each relation of the left levels its counterpart on the joined ones.

    Return what follows, what does not, and every name that the field map may speak of.
    """
    old, new = sides(left), sides(joined)
    pairs: list[RelatedRows] = []
    for name, after in new.items():
        how, argument = entries.get(name, ("", None))
        if how in {"value", "call"}:
            faults.append(f"{name}: its rows can come from rows only. Write {{from: ...}} or drop.")
            continue
        origin = argument if how == "from" else name
        if how == "drop" or (not how and name not in old):
            continue
        before = old.get(origin)
        if before is None:
            near = difflib.get_close_matches(origin, old, n=3, cutoff=0.4)
            faults.append(
                f"{name}: the source has no rows {origin}."
                + (f" Did you mean {' or '.join(near)}?" if near else "")
            )
            continue
        related, reasons = _related(before, after)
        if reasons:
            faults.append(
                f"{name}: rows of {before.rows._meta.label} cannot become rows of "
                f"{after.rows._meta.label}: {'; '.join(reasons)}. Let them go with `{name}: drop`."
            )
        pairs.append(related)
    followed = {related.old_relation for related in pairs}
    twice = [
        name for name in followed if sum(related.old_relation == name for related in pairs) > 1
    ]
    for name in twice:
        faults.append(f"{name}: its rows can follow to one place only.")
    loose = [side.item for name, side in old.items() if name not in followed]
    return pairs, loose, {*old, *new}


def _related(before: Side, after: Side) -> tuple[RelatedRows, list[str]]:
    """Return the pair, and the reasons why it is impossible."""
    from django.db.models import NOT_PROVIDED

    reasons, columns, defaults = _reasons(before, after), [], []
    theirs = _columns(before)
    if before.kind == after.kind == "many":
        # The columns of an automatic table are named after the models, not after a role.
        theirs[after.item.m2m_reverse_field_name()] = theirs.pop(
            before.item.m2m_reverse_field_name()
        )
    for name, field in _columns(after).items():
        if name in theirs:
            why = misfit(theirs[name], field)
            reasons += [f"{name}: {why}"] if why else []
            columns.append((theirs.pop(name), field))
            continue
        value = default(field)
        if value is None and not field.null:
            reasons.append(f"{name} needs a value")
        elif field.unique:
            reasons.append(f"{name} needs another value for each row")
        elif value is not NOT_PROVIDED:
            defaults.append((field, field.get_db_prep_save(value, page_connection())))
    related = RelatedRows(
        after.kind,
        before.key,
        after.key,
        before.rows,
        after.rows,
        before.link,
        after.link,
        tuple(columns),
        before.name,
        after.name,
        tuple(defaults),
        tuple(theirs.values()),
    )
    return related, reasons


def _reasons(before: Side, after: Side) -> list[str]:
    from modelcluster.models import ClusterableModel, get_all_child_relations

    if before.kind != after.kind:
        return [f"{before.kind} are not {after.kind}"]
    reasons = []
    if issubclass(before.rows, ClusterableModel) and get_all_child_relations(before.rows):
        reasons.append("they have rows of their own")
    if before.rows._meta.parents or after.rows._meta.parents:
        reasons.append("they are spread over several tables")
    return reasons


def _columns(side: Side) -> dict[str, Any]:
    return {
        field.name: field
        for field in side.rows._meta.local_concrete_fields
        if not field.primary_key
        and field.name != side.link.name
        and not getattr(field, "generated", False)
    }


def choices(left: Iterable[Model], joined: Iterable[Model]) -> dict[str, list[str]]:
    """Return the old type's relations whose rows fit each of the new type's, by name."""
    old, new = sides(left), sides(joined)
    return {
        name: sorted(origin for origin in old if not _related(old[origin], after)[1])
        for name, after in new.items()
    }


def name(item: Field) -> str:
    """Return what the field map calls a field or a relation."""
    return str(item.get_accessor_name() if hasattr(item, "get_accessor_name") else item.name)


def key(item: Field) -> str:
    """Return what a revision's JSON calls a field or a relation."""
    from taggit.managers import TaggableManager

    if isinstance(item, TaggableManager):
        side = _many(item, item.model)
        return side.key if side else str(item.name)
    return name(item)


def described(item: Field) -> str:
    """Return a dropped field's or relation's type for people."""
    if hasattr(item, "get_accessor_name"):
        return f"rows of {item.related_model._meta.label}"
    if item.many_to_many:
        return f"{item.__class__.__name__} to {item.related_model._meta.label}"
    return described_field(item)


def row(related: RelatedRows) -> dict[str, Any]:
    """Return a pair for the screen."""
    notes = []
    if related.let_go:
        notes.append("let go: " + ", ".join(field.name for field in related.let_go))
    if related.defaults:
        notes.append("default: " + ", ".join(field.name for field, _ in related.defaults))
    return {
        "target": related.new_relation,
        "how": "rows",
        "source": related.old_relation,
        "value": None,
        "call": "",
        "type": f"rows of {related.new._meta.label}",
        "note": "; ".join(notes),
    }
