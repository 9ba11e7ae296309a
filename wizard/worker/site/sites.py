"""Wagtail's Site rows: where the site says it is."""

from __future__ import annotations

from typing import Any

from ..protocol import Refusal, Reply

COLUMNS = ("id", "hostname", "port", "site_name", "root_page_id", "is_default_site")


def sites(reply: Reply) -> list[dict[str, Any]]:
    """Return every Site row, the default one first."""
    from wagtail.models import Site

    return list(Site.objects.order_by("-is_default_site", "hostname", "port").values(*COLUMNS))


def place_site(
    reply: Reply, *, hostname: str, port: int, site_id: int | None = None
) -> dict[str, dict[str, Any]]:
    """Put a Site, the default one unless named, on a hostname and port: its row before and after.

    Raise Refusal `no_site`, or `clash` when another Site is already there.
    """
    from django.db import transaction
    from wagtail.models import Site

    rows = sites(reply)
    chosen = [row for row in rows if row["id"] == site_id] if site_id else rows[:1]
    if not chosen:
        raise Refusal(
            "no_site",
            f"There is no Site with the id {site_id}." if site_id else "There is no Site at all.",
            found="\n".join(f"id {row['id']}: {row['hostname']}:{row['port']}" for row in rows),
        )
    before = chosen[0]
    for row in rows:
        if row["id"] != before["id"] and (row["hostname"], row["port"]) == (hostname, port):
            raise Refusal(
                "clash", f"Another Site (id {row['id']}) is on {hostname}:{port} already."
            )
    with transaction.atomic():
        Site.objects.filter(pk=before["id"]).update(hostname=hostname, port=port)
    clear_root_paths()
    return {"before": before, "after": {**before, "hostname": hostname, "port": port}}


def clear_root_paths() -> None:
    """Forget where the sites begin, which Wagtail keeps in the project's cache for an hour."""
    from django.core.cache import cache
    from wagtail.models import Site

    if hasattr(Site, "clear_site_root_paths_cache"):
        Site.clear_site_root_paths_cache()
    else:  # Wagtail 4.2 and older: wagtail/models/sites.py, without a version
        cache.delete("wagtail_site_root_paths")
