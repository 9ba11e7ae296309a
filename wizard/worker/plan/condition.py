"""What state the pages are in that an operator should know of before they are converted.

Site roots, translations that are left behind, locks, running workflows and schedules. All of it
is carried; some of it acts on a page while nobody looks, or says that somebody is at work.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from ..site import tree
from ..site.database import page_connection
from ..site.models import base_page
from ..site.tree import quoted
from ..site.types import Cursor, Instance, Model, QuerySet

SHOWN = 20  # pages that a sentence names


def found(cursor: Cursor, old_type: Model) -> list[tuple[str, list[str], str]]:
    """Return the states of `remodel_map`'s old pages: name, pages, and what becomes of it."""
    return [
        ("site root", _site_roots(cursor), "The site goes on with the converted page."),
        (
            "translations",
            _translations(cursor, old_type),
            f"They are not selected and stay {old_type._meta.label}; "
            f"the pages remain translations of each other.",
        ),
        ("locked", _locked(), "The lock is carried."),
        ("in a workflow", _workflows(), "The workflow is carried, and goes on."),
        ("scheduled", _scheduled(), "The schedule is carried."),
    ]


def listed(sentences: Sequence[str]) -> str:
    """Join the first sentences in one line, and say how many more there are."""
    more = len(sentences) - SHOWN
    return "; ".join(sentences[:SHOWN]) + (f"; and {more} more" if more > 0 else "")


def _site_roots(cursor: Cursor) -> list[str]:
    from wagtail.models import Site

    cursor.execute(
        f"SELECT m.old, s.hostname, s.port FROM {quoted(Site._meta.db_table)} s "
        "JOIN remodel_map m ON m.old = s.root_page_id ORDER BY s.hostname, s.port"
    )
    return [
        f"page {page} is the root of the site {host}:{port}"
        for page, host, port in cursor.fetchall()
    ]


def _translations(cursor: Cursor, old_type: Model) -> list[str]:
    """Return the pages' translations that have the old type and are not converted."""
    from django.contrib.contenttypes.models import ContentType
    from wagtail.models import Locale

    cursor.execute(
        f"""
        SELECT p.id, t.id, t.title, l.language_code
          FROM remodel_map m
          JOIN {tree.table()} p ON p.id = m.old
          JOIN {tree.table()} t ON t.translation_key = p.translation_key AND t.id <> p.id
          LEFT JOIN {quoted(Locale._meta.db_table)} l ON l.id = t.locale_id
         WHERE t.content_type_id = %s AND t.id NOT IN (SELECT old FROM remodel_map)
         ORDER BY p.path, t.path
        """,
        [ContentType.objects.get_for_model(old_type).pk],
    )
    return [
        f"page {other} ({title!r}, {language}) is a translation of page {page}"
        for page, other, title, language in cursor.fetchall()
    ]


def _converted(cast: str = "") -> object:
    """Return the map's old pages as an expression for a filter; no list of ids is sent."""
    from django.db.models.expressions import RawSQL

    return RawSQL(f"SELECT old{cast} FROM remodel_map", [])


def _pages_of_map() -> QuerySet:
    # The map is a temporary table of this connection.
    using = page_connection().alias
    return base_page()._base_manager.using(using).filter(pk__in=_converted()).order_by("path")


def _locked() -> list[str]:
    pages = _pages_of_map().filter(locked=True).select_related("locked_by")
    return [
        f"page {page.pk} ({page.title!r}){_by(page.locked_by, page.locked_at)}" for page in pages
    ]


def _workflows() -> list[str]:
    from django.contrib.contenttypes.models import ContentType
    from wagtail.models import WorkflowState

    running = (WorkflowState.STATUS_IN_PROGRESS, WorkflowState.STATUS_NEEDS_CHANGES)
    states = (
        WorkflowState._base_manager.using(page_connection().alias)
        .filter(
            status__in=running,
            base_content_type=ContentType.objects.get_for_model(base_page()),
            object_id__in=_converted("::text"),
        )
        .select_related("workflow", "requested_by")
        .order_by("pk")
    )
    return [
        f"page {state.object_id} is {state.get_status_display().lower()} in "
        f"{state.workflow.name!r}{_by(state.requested_by, state.created_at)}"
        for state in states
    ]


def _scheduled() -> list[str]:
    from django.contrib.contenttypes.models import ContentType
    from django.utils import timezone
    from wagtail.models import Revision

    revisions = (
        Revision._base_manager.using(page_connection().alias)
        .filter(
            approved_go_live_at__isnull=False,
            base_content_type=ContentType.objects.get_for_model(base_page()),
            object_id__in=_converted("::text"),
        )
        .order_by("approved_go_live_at")
        .values_list("object_id", "approved_go_live_at")
    )
    sentences = [f"page {page} is to be published on {_when(at)}" for page, at in revisions]
    expiring = _pages_of_map().filter(live=True, expire_at__gt=timezone.now())
    return sentences + [
        f"page {page} is to be unpublished on {_when(at)}"
        for page, at in expiring.values_list("pk", "expire_at")
    ]


def _by(user: Instance, at: datetime | None) -> str:
    return (f" by {user.get_username()}" if user else "") + (f" since {_when(at)}" if at else "")


def _when(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M %Z}".strip()
