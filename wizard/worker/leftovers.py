"""What the moved fields hold on pages that stay of the old type: removing the fields ends it."""

from __future__ import annotations

from typing import Any

from .models import page_model
from .pages import of_type
from .protocol import Reply


def values_left(reply: Reply, *, source: str, fields: list[str]) -> dict[str, int]:
    """For each field, how many pages of exactly the type `source` hold something in it.

    Something is what is neither NULL, nor empty, nor the field's default. Asked while the
    fields are still on the model.
    """
    model = page_model(source)
    counts: dict[str, Any] = {}
    for name in fields:
        field = model._meta.get_field(name)
        holding = of_type(model).exclude(**{f"{name}__isnull": True})
        if field.empty_strings_allowed and field.get_internal_type() != "ForeignKey":
            holding = holding.exclude(**{name: ""})
        if field.has_default():
            holding = holding.exclude(**{name: field.get_default()})
        counts[name] = holding.count()
    return {name: count for name, count in counts.items() if count}
