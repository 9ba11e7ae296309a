"""How far a conversion is, told from the pages themselves: what a resumed session asks."""

from __future__ import annotations

from typing import Any

from . import tree
from .database import page_connection, require_postgresql
from .models import base_page, page_model
from .protocol import Refusal, Reply


def observe_conversion(
    reply: Reply,
    *,
    target: str,
    pages: list[int],
    prefix: str,
    map: dict[str, int] | None = None,
) -> dict[str, Any]:
    """The state of the pages, originals and new, told from the database.

    `state` is `originals` (nothing converted), `both`, `converted` (the originals are gone), or
    `mixed`. `map` is the one given, or found again: a new page is a page of the target's type
    beside its original, with the original's slug prefixed. `prefixed` counts the new pages whose
    slug still has the prefix. `pages` has the particulars of each.
    """
    require_postgresql(page_connection())
    known = {int(old): int(new) for old, new in (map or {}).items()}
    rows = _rows([*pages, *known.values()])
    found: list[dict[str, Any]] = []
    for old in pages:
        new = known.get(old) or (_beside(target, rows[old], prefix) if old in rows else None)
        if new and new not in rows:
            rows.update(_rows([new]))
        page = rows.get(new) if new else None
        found.append({"old": old, "original": rows.get(old), "new": new, "page": page})
    states = {_state(page) for page in found}
    return {
        "state": states.pop() if len(states) == 1 else "mixed",
        "map": {page["old"]: page["new"] for page in found if page["page"]},
        "prefixed": sum(
            1 for page in found if page["page"] and page["page"]["slug"].startswith(prefix)
        ),
        "pages": found,
    }


def _state(page: dict[str, Any]) -> str:
    if page["original"]:
        return "both" if page["page"] else "originals"
    return "converted" if page["page"] else "mixed"


def _rows(ids: list[int]) -> dict[int, dict[str, Any]]:
    pages = base_page()._base_manager.filter(pk__in=ids).select_related("content_type")
    return {
        page.pk: {
            "title": page.title,
            "slug": page.slug,
            "path": page.path,
            "url_path": page.url_path,
            "children": page.numchild,
            "type": page.specific_class._meta.label if page.specific_class else None,
        }
        for page in pages
    }


def _beside(target: str, original: dict[str, Any], prefix: str) -> int | None:
    """The new page of an original, or None. A target that is no model yet has no pages."""
    from .pages import of_type

    try:
        model = page_model(target)
    except Refusal:
        return None
    path = original["path"]
    beside = of_type(model).filter(
        path__startswith=path[: -tree.step()],
        depth=len(path) // tree.step(),
        slug=prefix + original["slug"],
    )
    return next(iter(beside.values_list("pk", flat=True)), None)
