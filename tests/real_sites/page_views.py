"""What visitors and editors see of a site, compared with what they saw before a conversion."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from tests.real_sites.judge import Change, Snapshot, revision

# What publishing itself decides; everything else of a page is to be as in the draft.
PUBLISHED = {
    "draft_title", "expired", "first_published_at", "go_live_at", "has_unpublished_changes",
    "last_published_at", "latest_revision", "latest_revision_created_at", "live", "live_revision",
    "url_path",
}  # fmt: skip
ANSWERS = ("visitor", "superuser")


def faults(
    before: dict[str, Any],
    after: dict[str, Any],
    snapshot: Snapshot,
    changes: Iterable[Change],
    *,
    readdressed: dict[str, str] | None = None,
) -> list[str]:
    """What is not as it was, by page. `snapshot` is of the database before all changes.

    `readdressed` maps URLs to others: a page type may have its own opinion about its address.
    """
    changes = list(changes)
    told = [fault for fault in after["faults"] if "publish" in fault]
    pages = {page["id"]: page for page in after["pages"]}
    for was in before["pages"]:
        page_id = was["id"]
        for change in changes:
            page_id = change.page_ids.get(page_id, page_id)
        now = pages.pop(page_id, None)
        if now is None:
            told.append(f"{was['url_path']} is gone")
            continue
        name = f"{was['url_path']} ({now['type']} {page_id})"
        addressed = (readdressed or {}).get(was["url"], was["url"])
        pairs = {
            "url": (addressed, now["url"]),
            **{key: (was[key], now[key]) for key in ("url_path", "title", "live", "views")},
            **{key: (_answer(was, key), _answer(now, key)) for key in ANSWERS},
        }
        draft = was["draft"]
        for change in changes:
            draft = draft and revision(snapshot, draft, change)
        pairs |= _values("draft", draft, now["draft"])
        if was["revision"] and str(page_id) in after.get("published", {}):
            values = after["published"][str(page_id)]["values"]
            without = {key: value for key, value in draft.items() if key not in PUBLISHED}
            live = {key: value for key, value in values.items() if key not in PUBLISHED}
            pairs |= _values("published", without, live)
        told += [
            f"{name}, {key}: {str(a)[:200]} became {str(b)[:200]}"
            for key, (a, b) in pairs.items()
            if a != b
        ]
        if was["revision"] and str(page_id) not in after.get("published", {}):
            told.append(f"{name}: its old draft was not published")
    return told + [f"{page['url_path']} is new" for page in pages.values()]


def _answer(page: dict[str, Any], who: str) -> tuple[int, str] | None:
    return (page[who]["status"], page[who]["location"]) if who in page else None


def _values(what: str, was: dict[str, Any] | None, now: dict[str, Any] | None) -> dict[str, Any]:
    """Values beside each other; no child rows are as good as not to know of any."""
    was, now = _without_clock(was or {}), _without_clock(now or {})
    return {
        f"{what} {key}": (was.get(key, "nothing"), now.get(key, "nothing"))
        for key in sorted({*was, *now})
        if was.get(key, []) != [] or now.get(key, []) != []
    }


def _without_clock(values: dict[str, Any]) -> dict[str, Any]:
    """Without the time at which comments were written out, and streams as what they say."""
    text = json.dumps(values.get("wagtail_admin_comments", []))
    comments = json.loads(re.sub(r'"updated_at": "[^"]*"', '"updated_at": ""', text))
    read = {
        key: json.loads(value) if isinstance(value, str) and value[:2] == "[{" else value
        for key, value in values.items()
    }
    return {**read, "wagtail_admin_comments": comments}
