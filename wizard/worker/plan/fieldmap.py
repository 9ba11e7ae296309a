"""The field map: where the value of each column of the new type's own levels comes from.

A conversion shares the levels that both models' chains begin with; they are copied or kept
whole. The old type's other levels are left, the new type's other levels are joined: a row is
inserted into each, with the values that the field map names.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Callable

from ..protocol import Refusal
from ..site.models import chain
from ..site.types import Field, Instance, Model
from . import relations
from .field_types import checked, default, described, misfit, timed
from .levels import columns
from .relations import RelatedRows

Function = Callable[[Instance], object]  # of the project: a page to a value
ENTRY = "Write {from: a_field}, {value: ...}, {call: path.to.function}, or drop."


@dataclass(frozen=True)
class FieldSource:
    """One column of a joined level, and where its value comes from.

    `how` is same, moved, renamed, constant, computed or default. `origin` is the old type's field
    for the first three, `value` a constant or a default, `call` the dotted path of a function.
    `for_each_page` marks a default that is made anew for each page, as a UUID is.
    """

    field: Field
    how: str
    origin: Field = None
    value: Any = None
    call: str = ""
    for_each_page: bool = False


@dataclass(frozen=True)
class FieldMap:
    """A conversion between two models, field by field.

    A model's chain is the models that its row is spread over, from the base page down. `shared`
    are the levels that both chains begin with, `left` the other levels of the old type's chain,
    `joined` the other levels of the new type's, each in the chain's order. `dropped` are the left
    levels' fields that no FieldSource reads, and their relations (many to many, tags, child
    rows) whose rows do not follow.
    """

    old_type: Model
    new_type: Model
    direction: str  # child | parent | sibling
    shared: tuple[Model, ...]
    left: tuple[Model, ...]
    joined: tuple[Model, ...]
    field_sources: tuple[FieldSource, ...]
    related_rows: tuple[RelatedRows, ...]
    dropped: tuple[Any, ...]


def resolve(
    old_type: Model, new_type: Model, *, prefix: str, move: list[str], fields: Mapping[str, Any]
) -> FieldMap:
    """Decide on every field. Raise Refusal `field_map` with every fault, not only the first."""
    resolved, faults = resolve_with_faults(old_type, new_type, prefix, move, fields)
    if faults:
        raise Refusal(
            "field_map",
            f"{old_type._meta.label} cannot be mapped to {new_type._meta.label}.",
            found="\n".join(faults),
            hint="Say under `fields` of the conversion where each value comes from. " + ENTRY,
        )
    return resolved


def resolve_with_faults(
    old_type: Model, new_type: Model, prefix: str, move: list[str], fields: Mapping[str, Any]
) -> tuple[FieldMap, list[str]]:
    """Decide on every field, and return the faults beside; see `resolve`."""
    old, new = chain(old_type), chain(new_type)
    if old_type is new_type or old[0] is not new[0]:
        raise Refusal(
            "field_map",
            f"{old_type._meta.label} cannot become {new_type._meta.label}.",
            found="They are the same." if old_type is new_type else "They share no level.",
            hint="Name two different page models.",
        )
    common = sum(1 for before, after in zip(old, new) if before is after)
    shared, left, joined = old[:common], old[common:], new[common:]
    direction = "sibling" if left and joined else "parent" if left else "child"
    faults: list[str] = []
    entries = _entries(fields, faults)
    origins, own = origins_of(old_type), _own(joined)
    prefixed = _prefixed(direction, prefix, move, origins, own, new_type, faults)
    for name in prefixed:
        if name not in entries and prefixed[name].name in entries:
            entries[name] = entries.pop(prefixed[name].name)  # named by its final name
    field_sources = [
        _field_source(field, entries.get(field.name), prefixed, origins, left, faults)
        for field in own.values()
    ]
    pairs, loose, known = relations.pair(left, joined, entries, faults)
    read = {id(field_source.origin) for field_source in field_sources}
    let_go = [field for level in left for field in _own([level]).values() if id(field) not in read]
    known |= {*own, *_own(left)}
    to = {*own, *relations.sides(joined)}
    for name, (how, _) in entries.items():
        if name not in known or (how != "drop" and name not in to):
            faults.append(_unknown_entry(name, known if how == "drop" else to, origins, new_type))
    resolved = FieldMap(
        old_type,
        new_type,
        direction,
        tuple(shared),
        tuple(left),
        tuple(joined),
        tuple(field_sources),
        tuple(pairs),
        (*let_go, *loose),
    )
    return resolved, faults


def _own(levels: Iterable[Model]) -> dict[str, Any]:
    """Return the levels' fields with a column, by name, without keys and parent links."""
    return {
        field.name: field
        for level in levels
        for field in columns(level)
        if not field.primary_key and not getattr(field.remote_field, "parent_link", False)
    }


def origins_of(old_type: Model) -> dict[str, Any]:
    """Return the fields of the old type, of any level, that a value can be taken from."""
    return _own(chain(old_type))


def _entries(fields: Mapping[str, Any], faults: list[str]) -> dict[str, tuple[str, Any]]:
    """Return `fields` of remodel.yml as `{name: (from | value | call | drop, argument)}`."""
    entries = {}
    for name, entry in fields.items():
        if entry == "drop":
            entries[name] = ("drop", None)
        elif (
            isinstance(entry, Mapping) and len(entry) == 1 and {*entry} <= {"from", "value", "call"}
        ):
            ((how, argument),) = entry.items()
            if how != "value" and not (isinstance(argument, str) and argument):
                faults.append(f"{name}: `{how}` takes a name, and got {argument!r}.")
            else:
                entries[name] = (how, argument)
        elif isinstance(entry, Mapping):
            faults.append(f"{name}: {dict(entry)!r} is not one of from, value and call. {ENTRY}")
        else:
            faults.append(f"{name}: {entry!r} could be a field or a value. {ENTRY}")
    return entries


def _prefixed(
    direction: str,
    prefix: str,
    move: list[str],
    origins: Mapping[str, Any],
    own: Mapping[str, Any],
    new_type: Model,
    faults: list[str],
) -> dict[str, Any]:
    """Return the origins of the fields that were moved to a prefixed name, by that name."""
    if move and direction != "child":
        faults.append(
            f"Fields are moved only to a child; {new_type._meta.label} is a {direction} of the "
            "source and has fields of its own. Leave `move` empty."
        )
        return {}
    prefixed = {}
    for name in move:
        if name not in origins:
            faults.append(f"{name} is to be moved, and is not a field of the source.")
        elif prefix + name not in own:
            faults.append(
                f"{name} is to be moved, and {new_type._meta.label} has no {prefix}{name}."
            )
        else:
            prefixed[prefix + name] = origins[name]
    return prefixed


def _field_source(
    field: Field,
    entry: tuple[str, Any] | None,  # what remodel.yml says of it
    prefixed: Mapping[str, Any],
    origins: Mapping[str, Any],
    left: list[Model],
    faults: list[str],
) -> FieldSource:
    how, argument = entry or ("", "")
    if how == "value":
        return FieldSource(field, "constant", value=_constant(field, argument, faults))
    if how == "call":
        _function(field, argument, faults)
        return FieldSource(field, "computed", call=argument)
    if how == "from" and argument not in origins:
        near = difflib.get_close_matches(argument, origins, n=3, cutoff=0.4)
        faults.append(
            f"{field.name}: the source has no field {argument}."
            + (f" Did you mean {' or '.join(near)}?" if near else "")
        )
        return FieldSource(field, "renamed")
    if how == "from":
        origin, how = origins[argument], "same" if argument == field.name else "renamed"
    elif how == "drop":
        origin = None
    elif field.name in prefixed:
        origin, how = prefixed[field.name], "moved"
    else:
        origin, how = _own(left).get(field.name), "same"
    if origin is None:
        return _default(field, faults)
    why = misfit(origin, field)
    if why:
        faults.append(f"{field.name}: {why}. Give it another value, or let it go: `drop`.")
    return FieldSource(field, how, origin=origin)


def _default(field: Field, faults: list[str]) -> FieldSource:
    from django.db.models import NOT_PROVIDED

    value = default(field)
    if value is NOT_PROVIDED:
        return FieldSource(field, "default")  # the database gives it
    required = not (field.has_default() or field.null or field.blank or timed(field))
    if required or (value is None and not field.null):
        faults.append(
            f"{field.name}: {field.model._meta.label} needs a value, and nothing says which. "
            "Give the field a default, let it be null, or name its value under `fields`."
        )
    for_each_page = field.has_default() and callable(field.default) and field.get_default() != value
    return FieldSource(field, "default", value=value, for_each_page=for_each_page)


def _constant(field: Field, value: object, faults: list[str]) -> object:
    try:
        return checked(field, value)
    except ValueError as error:
        faults.append(f"{field.name}: {value!r} is no value for {described(field)}. {error}")
        return None


def function(path: str) -> Function:
    """Return the project's function at a dotted path. Raise ImportError or TypeError."""
    from django.utils.module_loading import import_string

    imported: object = import_string(path)
    if not callable(imported):
        raise TypeError(f"It is a {type(imported).__name__}, not a function.")
    return imported


def _function(field: Field, path: str, faults: list[str]) -> None:
    try:
        function(path)
    except Exception as error:
        faults.append(f"{field.name}: {path} cannot be called. {type(error).__name__}: {error}")


def _unknown_entry(name: str, known: set[str], origins: Mapping[str, Any], new_type: Model) -> str:
    if name in origins:
        return f"{name} belongs to both types and keeps its value: nothing can be said of it."
    near = difflib.get_close_matches(name, sorted(known), n=3, cutoff=0.4)
    return (
        f"{name} is neither a field of {new_type._meta.label}'s own nor one the source lets go."
        + (f" Did you mean {' or '.join(near)}?" if near else "")
    )


def renames(field_map: FieldMap) -> dict[str, str | None]:
    """Return the keys of a revision's JSON that change: old name to new, None where dropped.

    Only the left levels' names; what shared levels lend is in `copies`.
    """
    names: dict[str, str | None] = {}
    for field_source in field_map.field_sources:
        if field_source.origin is not None and field_source.origin.model in field_map.left:
            first = names.setdefault(field_source.origin.name, field_source.field.name)
            if first != field_source.field.name and field_source.how == "same":
                names[field_source.origin.name] = field_source.field.name
    for related in field_map.related_rows:
        names[related.old_name] = related.new_name
    for item in field_map.dropped:
        names[relations.key(item)] = None
    return names


def copies(field_map: FieldMap) -> list[tuple[str, str]]:
    """Return the keys of a revision's JSON that get another key's value while that one stays.

    Pairs of the old type's name and the new type's: fields moved to a prefixed name, fields taken
    from a shared level, and all but one of several that are taken from the same field.
    """
    renamed = renames(field_map)
    return [
        (field_source.origin.name, field_source.field.name)
        for field_source in field_map.field_sources
        if field_source.origin is not None
        and renamed.get(field_source.origin.name) != field_source.field.name
    ]
