"""What a conversion would come upon in a database that is only looked at, as a target is.

The transaction becomes READ ONLY before anything of the project is asked, and is rolled back. Of
temporary tables there are the map of ids and, where the new type is not there yet, its own: empty.
"""

from __future__ import annotations

from typing import Any

from ..plan import placement
from ..plan.fieldmap import FieldMap
from ..protocol import Refusal, Reply
from ..references import idmap, kinds, on_delete
from ..references.places import Places
from ..references.unfollowed import deeper
from ..site.database import page_connection
from ..site.migration_guard import holding
from ..site.models import base_page, page_model
from ..site.pages import find_pages
from ..site.types import Cursor, Model, QuerySet
from . import checks, computed, lost_links, twins, values
from .conversion import resolved

SHOWN = 10  # slugs of a type that are named
READ_ONLY = "25006"  # the SQLSTATE of what a READ ONLY transaction refuses


def look(
    reply: Reply,
    *,
    old_type: str,
    new_type: str,
    selectors: list[dict[str, Any]],
    prefix: str,
    move: list[str],
    fields: dict[str, Any],
    ids: str = "new",
) -> dict[str, Any]:
    """Return what prevents the conversion, and what it would lose, by the rows that are there.

    `pages` is the number of pages that the selectors name, aliases included; `faults` are
    sentences; `losses` are counts by table and column; `stay` are the pages that stay and lose
    what they hold in the moved fields: `{type, count, slugs}` by type; `links` are those that end
    in plain text, see `lost_links`; `untried` are functions of the field map that want to write.
    """
    from django.db import transaction

    field_map = resolved(old_type, new_type, prefix, move, fields, ids)
    connection = page_connection()
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        named = [page["id"] for page in find_pages(reply, model=old_type, selectors=selectors)]
        idmap.load(cursor, dict.fromkeys(named) if ids == "new" else dict(zip(named, named)))
        _lend(cursor, field_map.new_type)
        computed.lay(cursor, field_map)
        _suppose_content_types()
        cursor.execute("SET TRANSACTION READ ONLY")
        places = Places(cursor, field_map)
        going = on_delete.find(cursor, field_map, places)
        faults, untried = _checked(cursor, field_map)
        seen = {
            "pages": len(named),
            "faults": [
                *placement.faults(
                    cursor, field_map.old_type, field_map.new_type, ids=ids, prefix=prefix
                ),
                *faults,
                *going.faults,
                *deeper(cursor, field_map.old_type),
                *kinds.faults(cursor, field_map),
                *(twins.faults(cursor, field_map) if ids == "new" else []),
            ],
            "losses": {**values.losses(cursor, field_map), **going.losses},
            "links": lost_links.find(cursor, field_map),
            "untried": untried,
            "stay": _staying(page_model(old_type), page_model(new_type), move, named),
        }
        transaction.set_rollback(True, using=connection.alias)
    _forget_content_types()
    return seen


def _lend(cursor: Cursor, model: Model) -> None:
    """Make the tables of a model that the database does not have, empty and temporary."""
    connection = page_connection()
    there = set(connection.introspection.table_names(cursor))
    with connection.schema_editor(collect_sql=True) as editor:
        if model._meta.db_table not in there:
            editor.create_model(model)
        statements = [str(statement) for statement in editor.collected_sql]
    begin = "CREATE TABLE "
    for statement in statements:
        if statement.startswith(begin):
            rest = statement[len(begin) :].rstrip(";")
            cursor.execute(f"CREATE TEMPORARY TABLE {rest} ON COMMIT DROP".replace("%", "%%"), [])


def _checked(cursor: Cursor, field_map: FieldMap) -> tuple[list[str], list[str]]:
    """Return the faults of the values, or the functions of the project that cannot compute here."""
    try:
        return checks.faults(cursor, field_map), []
    except Refusal as refusal:
        cause = getattr(refusal.__cause__, "__cause__", None)
        code = getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None)
        if code != READ_ONLY:
            raise
        return [], [source.call for source in computed.per_page(field_map) if source.call]


def _suppose_content_types() -> None:
    """Let Django know content types that the database has not, by ids that no row has.

    It makes what it misses, and here nothing can be written.
    """
    from django.apps import apps
    from django.contrib.contenttypes.models import ContentType

    alias = page_connection().alias
    there = set(ContentType.objects.using(alias).values_list("app_label", "model"))
    for number, model in enumerate(apps.get_models(include_auto_created=True), 1):
        meta = model._meta
        if (meta.app_label, meta.model_name) not in there:
            supposed = ContentType(pk=-number, app_label=meta.app_label, model=meta.model_name)
            ContentType.objects._add_to_cache(alias, supposed)


def _forget_content_types() -> None:
    from django.contrib.contenttypes.models import ContentType

    ContentType.objects.clear_cache()


def _staying(old: Model, new: Model, move: list[str], going: list[int]) -> list[dict[str, Any]]:
    """Return the pages outside of the map that hold something in a moved field, by type."""
    from django.contrib.contenttypes.models import ContentType

    if not move:
        return []
    rows: QuerySet = holding(old, new, move).exclude(pk__in=going)
    base = base_page()._base_manager.filter(pk__in=rows.values("pk")).order_by("path")
    by_type: dict[int, list[str]] = {}
    for type_id, slug in base.values_list("content_type_id", "slug"):
        by_type.setdefault(type_id, []).append(slug)
    staying = []
    for type_id, slugs in by_type.items():
        content_type = ContentType.objects.get_for_id(type_id)
        model = content_type.model_class()
        label = model._meta.label if model else f"{content_type.app_label}.{content_type.model}"
        staying.append({"type": label, "count": len(slugs), "slugs": slugs[:SHOWN]})
    return staying
