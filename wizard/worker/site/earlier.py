"""The models and migrations before the moved fields were removed, for a database that is there.

A release has the final models. A database that was not converted is brought up to the migration
that adds the new type, converted with the models as they were then, and brought on.
"""

from __future__ import annotations

from typing import Any

from ..protocol import Refusal, Reply
from .database import page_connection
from .migrations import leaves_before, loaded
from .models import page_model
from .types import MigrationLoader

Key = tuple[str, str]

RELATION = ("related_name", "related_query_name")
AGAIN = "Convert with a checkout of the release that the conversion was made with."


def earlier(
    reply: Reply, *, app: str, old_type: str, new_type: str, fields: list[str], prefix: str
) -> dict[str, Any]:
    """Return how to rebuild both models as they were before the fields moved.

    `removal` is the migration that removes them, as `app.name`; `old` and `new` are module and
    name of each class, and `fields` say by name what the migrations had: the name with the prefix,
    and the names of reverse relations. Raise Refusal `unsupported` where no migration tells.
    """
    loader = loaded()
    old, new = page_model(old_type), page_model(new_type)
    removal = _removal(loader, app, old._meta.model_name, fields)
    state = loader.project_state(leaves_before(loader.graph, ".".join(removal)))
    models = {each: state.models.get((app, each._meta.model_name)) for each in (old, new)}
    states = {each: model.fields if model else {} for each, model in models.items()}
    lacking = [
        *(f"{old_type}.{name}" for name in fields if name not in states[old]),
        *(f"{new_type}.{prefix + name}" for name in fields if prefix + name not in states[new]),
    ]
    if lacking:
        raise Refusal(
            "unsupported",
            f"The migrations before {removal[1]} do not have both models side by side.",
            found=f"there is no {', '.join(lacking)}",
            hint="Have conversion.prefix and conversion.move in remodel.yml as they were when the "
            f"migrations were made. If those were squashed into one: {AGAIN}",
        )
    return {
        "removal": ".".join(removal),
        "old": [old.__module__, old.__name__],
        "new": [new.__module__, new.__name__],
        "fields": {
            name: {
                "prefixed": prefix + name,
                "old": _relation(states[old][name]),
                "new": _relation(states[new][prefix + name]),
            }
            for name in fields
        },
    }


def earlier_differences(reply: Reply, *, removal: str) -> list[str]:
    """Return how the models differ from the migrations before `removal`, a line an operation.

    What is no matter of a column's is left out. Asked of the models as they were then.
    """
    from django.apps import apps
    from django.db.migrations import operations
    from django.db.migrations.autodetector import MigrationAutodetector
    from django.db.migrations.questioner import MigrationQuestioner
    from django.db.migrations.state import ProjectState

    loader = loaded()
    state = loader.project_state(leaves_before(loader.graph, removal))
    detector = MigrationAutodetector(
        state, ProjectState.from_apps(apps), MigrationQuestioner(dry_run=True)
    )
    columns = (
        *(operations.CreateModel, operations.DeleteModel, operations.RenameModel),
        *(operations.AddField, operations.RemoveField, operations.RenameField),
        operations.AlterModelTable,
    )
    return [
        f"{app}: {operation.describe()}"
        for app, made in detector.changes(graph=loader.graph).items()
        for migration in made
        for operation in migration.operations
        if isinstance(operation, columns)
        or (isinstance(operation, operations.AlterField) and _alters(state, app, operation))
    ]


def _removal(loader: MigrationLoader, app: str, old: str, fields: list[str]) -> Key:
    """Return the one migration of the app that removes all of these fields from a model."""
    from django.db.migrations.operations import RemoveField

    found = [
        key
        for key, migration in loader.graph.nodes.items()
        if key[0] == app
        and set(fields)
        <= {
            operation.name
            for operation in migration.operations
            if isinstance(operation, RemoveField) and operation.model_name_lower == old
        }
    ]
    if len(found) != 1:
        raise Refusal(
            "unsupported",
            f"No single migration of {app} removes {', '.join(fields)} from {old}.",
            found=", ".join(name for _, name in found) or "none does",
            hint="Name in conversion.move of remodel.yml exactly the fields that moved. " + AGAIN,
        )
    return (str(found[0][0]), str(found[0][1]))


def _relation(field: Any) -> dict[str, Any]:
    return {name: getattr(field, f"_{name}", None) for name in RELATION if field.remote_field}


def _alters(state: Any, app: str, operation: Any) -> bool:
    """Return whether an AlterField would change the column."""
    from django.apps import apps

    connection, name = page_connection(), operation.name
    was, now = (
        registry.get_model(app, operation.model_name)._meta.get_field(name)
        for registry in (state.apps, apps)
    )
    return (was.db_type(connection), was.column, was.null) != (
        now.db_type(connection),
        now.column,
        now.null,
    )
