"""Every URL of the site, to be compared with what it was before."""

from __future__ import annotations

from typing import Any

from ..protocol import Reply
from .models import base_page
from .sites import clear_root_paths

CHUNK = 2000


def urls(reply: Reply) -> None:
    """Stream `{page_id, site, url, title, live, restricted, type}` for every page below a Site.

    `url` is relative to its Site, so that it is the same wherever the Site is placed, and
    `site` is the Site's id. It is what `Page.get_url_parts` computes; a page model that overrides
    that method has other URLs than these. One query for all pages, whatever their number.
    """
    from wagtail.models import Site

    clear_root_paths()
    roots = Site.get_site_root_paths()
    serve = {root.language_code: _serve(root.language_code) for root in roots}
    types = _types()
    restricted = _restricted()
    columns = ("pk", "path", "url_path", "title", "live", "content_type_id")
    pages = base_page()._base_manager.order_by("path").values_list(*columns)
    rows: list[dict[str, Any]] = []
    for pk, path, url_path, title, live, type_id in pages.iterator(CHUNK):
        root = next((root for root in roots if url_path.startswith(root.root_path)), None)
        if root is None:
            continue
        rows.append(
            {
                "page_id": pk,
                "site": root.site_id,
                "url": _slashed(serve[root.language_code] + url_path[len(root.root_path) :]),
                "title": title,
                "live": live,
                "restricted": any(path[: len(top)] == top for top in restricted),
                "type": types.get(type_id, "?"),
            }
        )
        if len(rows) == CHUNK:
            reply.rows(rows)
            rows = []
    reply.rows(rows)


def _serve(language: str | None) -> str:
    """Return the path under which Wagtail serves a site's root page, in this language."""
    from django.urls import reverse
    from django.utils import translation

    with translation.override(language):
        return str(reverse("wagtail_serve", args=("",)))


def _slashed(url: str) -> str:
    """Return the URL with its last slash or without, as WAGTAIL_APPEND_SLASH says."""
    from django.conf import settings

    if url != "/" and not getattr(settings, "WAGTAIL_APPEND_SLASH", True):
        return url.rstrip("/")
    return url


def _types() -> dict[int, str]:
    from django.contrib.contenttypes.models import ContentType

    types = {}
    for kind in ContentType.objects.all():
        model = kind.model_class()
        types[kind.pk] = model._meta.label if model else f"{kind.app_label}.{kind.model}"
    return types


def _restricted() -> list[str]:
    from wagtail.models import PageViewRestriction

    return list(PageViewRestriction.objects.values_list("page__path", flat=True))
