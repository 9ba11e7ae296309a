"""The operations of the worker, by name. Each is `(reply, **args) -> result`."""

from __future__ import annotations

from typing import Any, Callable

from .convert import conversion, leftovers, look, observation, originals, reindex, slugs
from .plan import field_table
from .protocol import Refusal, Reply
from .site import earlier, interfaces, migrations, models, pages, schema, sites, urls
from .site.database import looking, read_only

Operation = Callable[..., object]

OPERATIONS: dict[str, Operation] = {
    "page_models": models.page_models,
    "describe": models.describe,
    "check_models": models.check_models,
    "interfaces": interfaces.interfaces,
    "find_pages": pages.find_pages,
    "tree_problems": pages.tree_problems,
    "sites": sites.sites,
    "place_site": sites.place_site,
    "urls": urls.urls,
    "check": migrations.check,
    "pending_changes": migrations.pending_changes,
    "all_pending_changes": migrations.all_pending_changes,
    "make_migration": migrations.make_migration,
    "migration_plan": migrations.migration_plan,
    "migrate": migrations.migrate,
    "earlier": earlier.earlier,
    "earlier_differences": earlier.earlier_differences,
    "schema_differences": schema.schema_differences,
    "field_map": field_table.describe_field_map,
    "convert_plan": conversion.convert_plan,
    "convert": conversion.convert,
    "observe_conversion": observation.observe_conversion,
    "delete_plan": originals.delete_plan,
    "delete_originals": originals.delete_originals,
    "restore_slugs": slugs.restore_slugs,
    "rename_revision_fields": slugs.rename_revision_fields,
    "unprefix_names": slugs.unprefix_names,
    "values_left": leftovers.values_left,
    "look": look.look,
    "reindex": reindex.reindex,
}

# The operations for a database that is only looked at. Each but `look`, which has temporary
# tables, runs in a transaction that is READ ONLY.
LOOKING = {"look", "migration_plan"}


def perform(reply: Reply, name: str, args: dict[str, Any]) -> object:
    """Return the result of an operation. Raise Refusal `unknown_operation` for another name.

    Raise Refusal `unsupported` for an operation that may change something, where the database is
    only to be looked at.
    """
    operation = OPERATIONS.get(name)
    if operation is None:
        raise Refusal("unknown_operation", f"The worker knows no operation {name!r}.")
    if not looking():
        return operation(reply, **args)
    if name not in LOOKING:
        raise Refusal("unsupported", f"{name} is not done where nothing may be changed.")
    if operation is look.look:
        return operation(reply, **args)
    with read_only():
        return operation(reply, **args)
