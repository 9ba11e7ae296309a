"""Pages found by what an operator knows of them: a slug, a path in the tree, an id."""

from __future__ import annotations

import difflib
from typing import Any

from . import tree
from .database import page_connection, require_postgresql
from .models import base_page, page_model
from .protocol import Refusal, Reply


def find_pages(
    reply: Reply, *, model: str, selectors: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """The pages of exactly this model that the selectors name, one each, in their order.

    A selector is `{slug}`, `{path}` (a URL path in the tree, `/home/blog/` or without the root
    page's slug, `/blog/`) or `{id}`. Raises Refusal `no_page` or `ambiguous`.
    """
    found = page_model(model)
    return [_facts(_find(found, selector)) for selector in selectors]


def of_type(model: Any) -> Any:
    """Pages of exactly this model, not of its children."""
    from django.contrib.contenttypes.models import ContentType

    return model._base_manager.filter(content_type=ContentType.objects.get_for_model(model))


def _find(model: Any, selector: dict[str, Any]) -> Any:
    ((kind, value),) = selector.items()
    pages = of_type(model)
    if kind == "id":
        matches = list(pages.filter(pk=int(value)))
    elif kind == "path":
        path = "/" + str(value).strip("/") + "/"
        matches = [page for page in pages.filter(url_path__endswith=path) if _at(page, path)]
    elif kind == "slug":
        matches = list(pages.filter(slug=str(value)))
    else:
        raise Refusal("no_page", f"A page is named by slug, path or id, not by {kind!r}.")
    if not matches:
        raise _nobody(model, kind, value)
    if len(matches) > 1:
        raise Refusal(
            "ambiguous",
            f"{len(matches)} {model._meta.label} pages have the {kind} {value!r}.",
            found="\n".join(
                f"id {page.pk}: {page.title!r} at {page.url_path}, "
                f"under {page.get_parent().title!r} (id {page.get_parent().pk})"
                for page in matches
            ),
            hint="Name the page by its id, or by its path.",
        )
    return matches[0]


def _at(page: Any, path: str) -> bool:
    """Whether the page's url_path is the path, or the path below one of the sites' roots."""
    from wagtail.models import Site

    if page.url_path == path:
        return True
    roots = Site.objects.values_list("root_page__url_path", flat=True)
    return any(page.url_path == root + path[1:] for root in roots)


def _nobody(model: Any, kind: str, value: Any) -> Refusal:
    label = model._meta.label
    other = base_page()._base_manager.filter(**{"pk" if kind == "id" else "slug": value}).first()
    if kind != "path" and other is not None:
        return Refusal(
            "no_page",
            f"The page with the {kind} {value!r} is not a {label}.",
            found=f"id {other.pk}: {other.title!r} is a {other.specific_class._meta.label}.",
            hint="Name a page of that type, or change conversion.from.",
        )
    column = {"id": "pk", "slug": "slug", "path": "url_path"}[kind]
    known = [str(item) for item in of_type(model).values_list(column, flat=True)[:5000]]
    near = difflib.get_close_matches(str(value), known, n=3, cutoff=0.4)
    return Refusal(
        "no_page",
        f"No {label} page has the {kind} {value!r}.",
        found=f"{len(known)} {label} pages, among them: {', '.join(near or known[:3]) or 'none'}",
        hint=f"Did you mean {' or '.join(near)}?" if near else "Look the page up in the admin.",
    )


def _facts(page: Any) -> dict[str, Any]:
    from wagtail.models import Revision

    parent = page.get_parent()
    return {
        "id": page.pk,
        "title": page.title,
        "slug": page.slug,
        "path": page.path,
        "depth": page.depth,
        "url_path": page.url_path,
        "url": page.relative_url(page.get_site()) if page.get_site() else None,
        "full_url": page.full_url,
        "live": page.live,
        "locked": page.locked,
        "has_unpublished_changes": page.has_unpublished_changes,
        "parent_id": parent.pk if parent else None,
        "parent_title": parent.title if parent else None,
        "children": page.numchild,
        "descendants": page.get_descendant_count(),
        "revisions": Revision.objects.filter(
            base_content_type__app_label=base_page()._meta.app_label,
            base_content_type__model=base_page()._meta.model_name,
            object_id=str(page.pk),
        ).count(),
        "alias_of": page.alias_of_id,
        "aliases": list(page.aliases.values_list("pk", flat=True)),
        "locale": page.locale.language_code,
    }


def tree_problems(reply: Reply) -> dict[str, list[int]]:
    """Ids of the pages that are wrong in the tree, by kind of fault; empty when it is sound."""
    connection = page_connection()
    require_postgresql(connection)
    with connection.cursor() as cursor:
        return tree.problems(cursor)
