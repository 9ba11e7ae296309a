"""How far a conversion got, by the pages themselves: what a resumed session asks."""

from __future__ import annotations

from typing import Any

from ..protocol import Refusal, Reply
from ..site import tree
from ..site.database import page_connection, require_postgresql
from ..site.models import base_page, page_model


def observe_conversion(
    reply: Reply,
    *,
    old_type: str,
    new_type: str,
    pages: list[int],
    prefix: str,
    ids: str = "new",
    id_map: dict[str, int] | None = None,
) -> dict[str, Any]:
    """Return the state of the pages, originals and new, as the database has it.

    `state` is `originals` (nothing converted), `both`, `converted` (the originals are gone, or
    with ids kept are of the new type), or `mixed`. `map` is the one given, or found again:
    a new page is a page of the new type beside its original, with the original's slug
    prefixed. `prefixed` counts the new pages whose slug still has the prefix.
    """
    require_postgresql(page_connection())
    if ids == "kept":
        return _in_place(old_type, new_type, pages)
    known = {int(old): int(new) for old, new in (id_map or {}).items()}
    rows = _rows([*pages, *known.values()])
    if not known:
        known = _beside(new_type, [rows[page] for page in pages if page in rows], prefix)
        rows.update(_rows(list(known.values())))
    states = {_state(page in rows, known.get(page) in rows) for page in pages}
    return {
        "state": states.pop() if len(states) == 1 else "mixed",
        "map": {old: new for old, new in known.items() if new in rows},
        "prefixed": sum(
            1 for new in known.values() if new in rows and rows[new]["slug"].startswith(prefix)
        ),
    }


def _in_place(old_type: str, new_type: str, pages: list[int]) -> dict[str, Any]:
    types = [row["type"] for row in _rows(pages).values()]
    if len(types) != len(pages) or len(set(types)) != 1:
        state = "mixed"
    else:
        state = {old_type: "originals", new_type: "converted"}.get(types[0] or "", "mixed")
    return {
        "state": state,
        "map": {page: page for page in pages} if state == "converted" else {},
        "prefixed": 0,
    }


def _state(original: bool, new: bool) -> str:
    if original:
        return "both" if new else "originals"
    return "converted" if new else "mixed"


def _rows(ids: list[int]) -> dict[int, dict[str, Any]]:
    from django.contrib.contenttypes.models import ContentType

    labels = {}
    for kind in ContentType.objects.all():
        model = kind.model_class()
        labels[kind.pk] = model._meta.label if model else None
    names = ("pk", "path", "slug", "content_type_id")
    rows = base_page()._base_manager.filter(pk__in=ids).values(*names)
    return {
        row["pk"]: {**row, "type": labels.get(row["content_type_id"])} for row in rows.iterator()
    }


def _beside(new_type: str, originals: list[dict[str, Any]], prefix: str) -> dict[int, int]:
    """Return new pages by their originals. A new type that is no model yet has no pages."""
    from ..site.pages import of_type

    try:
        model = page_model(new_type)
    except Refusal:
        return {}
    wanted = {
        (page["path"][: -tree.step()], prefix + page["slug"]): page["pk"] for page in originals
    }
    slugs = {slug for _, slug in wanted}
    pages = {}
    for page, path, slug in of_type(model).filter(slug__in=slugs).values_list("pk", "path", "slug"):
        original = wanted.get((path[: -tree.step()], slug))
        if original is not None:
            pages[original] = page
    return pages
