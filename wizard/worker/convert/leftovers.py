"""What the moved fields hold on pages that are not converted: removing the fields ends it."""

from __future__ import annotations

from typing import Any

from ..protocol import Reply
from ..site.models import page_model


def values_left(
    reply: Reply, *, old_type: str, fields: list[str], id_map: dict[str, int]
) -> dict[str, int]:
    """Count for each field the pages outside of the map that hold something in it.

    Pages of the type `old_type` and of all its children, since the column is theirs as well.
    Something is what is neither NULL, nor empty, nor the field's default. Asked while the
    fields are still on the model.
    """
    model = page_model(old_type)
    others = model._base_manager.exclude(pk__in=[int(new) for new in id_map.values()])
    counts: dict[str, Any] = {}
    for name in fields:
        field = model._meta.get_field(name)
        holding = others.exclude(**{f"{name}__isnull": True})
        if field.empty_strings_allowed and field.get_internal_type() != "ForeignKey":
            holding = holding.exclude(**{name: ""})
        if field.has_default():
            holding = holding.exclude(**{name: field.get_default()})
        counts[name] = holding.count()
    return {name: count for name, count in counts.items() if count}
