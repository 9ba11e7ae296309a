"""What the moved fields hold on pages that are not converted: removing the fields ends it."""

from __future__ import annotations

from typing import Any

from ..protocol import Reply
from ..site.migration_guard import holding
from ..site.models import page_model


def values_left(reply: Reply, *, old_type: str, new_type: str, fields: list[str]) -> dict[str, Any]:
    """Count the pages without a row of the new type that hold something in the fields.

    Return `fields`, the number of pages by field, and `pages`, the number in all: pages of the
    old type and of its children, since the column is theirs as well. What counts is the rule of
    the guard in the migration that removes the fields. Asked while they are still on the model.
    """
    old, new = page_model(old_type), page_model(new_type)
    counts = {name: holding(old, new, [name]).count() for name in fields}
    return {
        "fields": {name: count for name, count in counts.items() if count},
        "pages": holding(old, new, fields).count() if fields else 0,
    }
