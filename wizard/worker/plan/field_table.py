"""The field map as a table: what the screen shows of it, and offers to edit."""

from __future__ import annotations

import json
from typing import Any

from ..protocol import Reply
from ..site.models import page_model
from . import relations
from .field_types import described, difference, kind, misfit, timed
from .fieldmap import FieldMap, FieldSource, origins_of, resolve_with_faults

PLACE = {"path", "depth", "numchild", "url_path"}  # a page's place in the tree, never its content


def describe_field_map(
    reply: Reply,
    *,
    old_type: str,
    new_type: str,
    prefix: str,
    move: list[str],
    fields: dict[str, Any],
) -> dict[str, Any]:
    """Return the map as a table to look at and to edit, with its faults; needs no pages.

    `choices` has for each of the new type's names those of the old type's that fit it.
    """
    old, new = page_model(old_type), page_model(new_type)
    resolved, faults = resolve_with_faults(old, new, prefix, move, fields)
    origins = origins_of(old)
    choices = {
        field_source.field.name: sorted(
            name
            for name, origin in origins.items()
            if name not in PLACE and not misfit(origin, field_source.field)
        )
        for field_source in resolved.field_sources
    }
    return {
        "direction": resolved.direction,
        "rows": rows(resolved),
        "dropped": [relations.name(item) for item in resolved.dropped],
        "choices": {**choices, **relations.choices(resolved.left, resolved.joined)},
        "faults": faults,
    }


def rows(field_map: FieldMap) -> list[dict[str, Any]]:
    """Return the map for the screen: `{target, how, source, value, call, type, note}` a row.

    `how` is that of FieldSource, `rows` for related rows, or `dropped` (then target is None).
    """
    sources = [
        {
            "target": field_source.field.name,
            "how": field_source.how,
            "source": field_source.origin.name if field_source.origin else None,
            "value": _shown(field_source) if field_source.how in {"constant", "default"} else None,
            "call": field_source.call,
            "type": described(field_source.field),
            "note": _note(field_source),
        }
        for field_source in field_map.field_sources
    ]
    dropped = [
        {
            "target": None,
            "how": "dropped",
            "source": relations.name(item),
            "value": None,
            "call": "",
            "type": relations.described(item),
            "note": "",
        }
        for item in field_map.dropped
    ]
    return [*sources, *(relations.row(related) for related in field_map.related_rows), *dropped]


def _shown(field_source: FieldSource) -> object:
    value = field_source.value
    if field_source.for_each_page or (field_source.how == "default" and timed(field_source.field)):
        return None  # two plans of the same conversion have to be equal
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    stream = kind(field_source.field) == "stream"
    stored = (
        _without_ids(value.get_prep_value()) if stream else field_source.field.get_prep_value(value)
    )
    return json.dumps(stored, default=str) if isinstance(stored, (list, dict)) else str(stored)


def _without_ids(value: object) -> object:
    """Return a stream without its blocks' ids, which are made up anew each time it is read."""
    if isinstance(value, list):
        return [_without_ids(part) for part in value]
    if not isinstance(value, dict):
        return value
    block = {"type", "value"} <= {*value}
    return {name: _without_ids(part) for name, part in value.items() if name != "id" or not block}


def _note(field_source: FieldSource) -> str:
    if field_source.origin:
        return difference(field_source.origin, field_source.field)
    if field_source.for_each_page:
        return "another one for each page"
    if field_source.how == "default" and timed(field_source.field):
        return "the time of the conversion"
    if field_source.how == "default" and field_source.value is None and not field_source.field.null:
        return "the database's default"
    return ""
