"""Migrations made deterministically, shown with their SQL, and run with Django's own output.

Left to itself, `makemigrations` reads the end of a conversion wrongly: without a terminal it
drops the prefixed field and adds an empty one (django/db/migrations/questioner.py answers every
`ask_rename` with False), and told that it is a rename it puts RenameField before RemoveField,
which then clashes with the field that the parent still has. So here no question is ever
answered by a default, and the two migrations of the end are made by hand in the order that works.
"""

from __future__ import annotations

import importlib
import io
from pathlib import Path
from typing import Any

from ..protocol import Refusal, Reply
from . import meta_changes
from .database import page_connection
from .guards import Guards
from .models import page_model
from .types import Migration, MigrationLoader


def check(reply: Reply, *, database: bool = False) -> dict[str, Any]:
    """Run Django's system checks: `{errors, messages: [{id, level, text, hint}]}`.

    With `database` those as well that `check --database` adds for the pages' database.
    """
    from django.core import checks

    results = checks.run_checks(databases=[page_connection().alias] if database else None)
    messages = [
        {
            "id": message.id,
            "level": message.level,
            "text": f"{message.obj or '?'}: {message.msg}",
            "hint": message.hint or "",
        }
        for message in results
        if not message.is_silenced()
    ]
    errors = sum(1 for message in messages if message["level"] >= checks.ERROR)
    return {"errors": errors, "messages": messages}


def pending(until: str = "") -> list[str]:
    """Return the project's migrations that the database has not had, as `app.name`, in order."""
    from django.db.migrations.executor import MigrationExecutor

    importlib.invalidate_caches()  # migrations may have been written since the last were imported
    executor = MigrationExecutor(page_connection())
    graph = executor.loader.graph
    plan = executor.migration_plan(leaves_before(graph, until) if until else graph.leaf_nodes())
    return [f"{migration.app_label}.{migration.name}" for migration, _ in plan]


def migration_plan(reply: Reply, *, until: str = "") -> list[str]:
    """Return the pending migrations, as `app.name`, in the order in which `migrate` runs them.

    With `until` only those that do not need that migration.
    """
    return pending(until)


def migrate(reply: Reply, *, discard: dict[str, int] | None = None, until: str = "") -> list[str]:
    """Run the pending migrations, with Django's output as lines; return those applied.

    `discard` says, by a guard's key, how many rows may lose values: those consented to. With
    `until` only those run that do not need that migration. Raise Refusal `values` when a guard,
    or another command, refuses the migration.
    """
    from django.conf import settings
    from django.core.management import CommandError, call_command

    before = pending(until)
    output = _Lines(reply)
    given = getattr(settings, "REMODEL_DISCARD", {})
    settings.REMODEL_DISCARD = {**given, **(discard or {})}
    try:
        for target in _targets(before, until) if until else [()]:
            call_command(
                "migrate", *target, interactive=False, no_color=True, stdout=output, stderr=output
            )
    except CommandError as error:
        message, _, rest = str(error).partition("\n")
        raise Refusal("values", message, found=rest) from None
    finally:
        settings.REMODEL_DISCARD = given
    output.flush_rest()
    left = set(pending(until))
    return [name for name in before if name not in left]


def _targets(names: list[str], until: str) -> list[tuple[str, str]]:
    """Return what to migrate to, so that these migrations run, and none that needs `until`.

    Its app is among them in any case: a migrate that a guard refused has made neither content
    types nor permissions of what it did before (post_migrate comes last).
    """
    apps = {name.partition(".")[0] for name in [*names, until]}
    return [leaf for leaf in leaves_before(loaded().graph, until) if leaf[0] in apps]


class _Lines(io.TextIOBase):
    """A stream that passes on what is written to it line by line."""

    def __init__(self, reply: Reply) -> None:
        self._reply = reply
        self._rest = ""

    def write(self, text: str) -> int:
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            self._reply.line("django", line)
        return len(text)

    def flush_rest(self) -> None:
        if self._rest:
            self._reply.line("django", self._rest)


def pending_changes(reply: Reply, *, app: str) -> list[str]:
    """Return what the models have that the app's migrations do not, one line an operation."""
    loader = loaded()
    changes = _changes(loader.graph, loader.project_state(), app)
    return [operation.describe() for operation in changes]


def all_pending_changes(reply: Reply) -> dict[str, list[str]]:
    """Return, by app, what models have that migrations do not, as `makemigrations --check` does."""
    from django.apps import apps
    from django.db.migrations.autodetector import MigrationAutodetector
    from django.db.migrations.questioner import MigrationQuestioner
    from django.db.migrations.state import ProjectState

    loader = loaded()
    detector = MigrationAutodetector(
        loader.project_state(), ProjectState.from_apps(apps), MigrationQuestioner(dry_run=True)
    )
    return {
        app: [operation.describe() for each in migrations for operation in each.operations]
        for app, migrations in detector.changes(graph=loader.graph).items()
    }


def make_migration(
    reply: Reply,
    *,
    app: str,
    kind: str,
    old_type: str,
    new_type: str,
    fields: list[str],
    prefix: str,
    directory: str = "",
) -> list[dict[str, str]]:
    """Return the files of one phase: `{name, path, text, sql}` each. Nothing is written.

    `add` makes the migration that creates the new type. `finish` makes two: RemoveField of the
    moved fields from the old type, then RenameField of the new type's prefixed ones. Both are made
    from the models as they are now and the migrations on disk, and refused (`unexpected_changes`)
    when the app's models differ from its migrations in anything else. The last file, without SQL,
    is the module of the guards that they use, unless it is there already.
    """
    if not page_model(new_type)._meta.app_label == page_model(old_type)._meta.app_label == app:
        raise Refusal("unsupported", f"{old_type} and {new_type} are not both of the app {app}.")
    loader = loaded()
    leaf = _leaf(loader, app)
    number = _number(leaf[1])
    place = Path(directory) if directory else _directory(loader, app)
    guards = Guards(loader.migrations_module(app)[0], place)
    made = (
        [_add(loader, leaf, number, app, new_type, guards)]
        if kind == "add"
        else _finish(loader, leaf, number, app, old_type, new_type, fields, prefix, guards)
    )
    return _written(loader, made, place) + guards.files()


def loaded() -> MigrationLoader:
    """Return the project's migrations. Raise Refusal `conflict` where they have two leaves."""
    from django.db.migrations.loader import MigrationLoader

    loader = MigrationLoader(None, ignore_no_migrations=True)
    conflicts = loader.detect_conflicts()
    if conflicts:
        raise Refusal(
            "conflict",
            "The project's migrations have more than one leaf.",
            found="\n".join(f"{app}: {', '.join(names)}" for app, names in conflicts.items()),
            hint="Merge them first: python manage.py makemigrations --merge",
        )
    return loader


def leaves_before(graph: Any, removal: str) -> list[tuple[str, str]]:
    """Return the last migrations that do not need `removal`, which is given as `app.name`."""
    app, _, name = removal.partition(".")
    after, waiting = {(app, name)}, [(app, name)]
    while waiting:
        for child in graph.node_map[waiting.pop()].children:
            if child.key not in after:
                after.add(child.key)
                waiting.append(child.key)
    return sorted(
        key
        for key, node in graph.node_map.items()
        if key not in after and all(child.key in after for child in node.children)
    )


def _leaf(loader: MigrationLoader, app: str) -> tuple[str, str]:
    leaves = loader.graph.leaf_nodes(app)
    if not leaves:
        raise Refusal("no_migrations", f"The app {app} has no migrations.")
    return (app, str(leaves[0][1]))


def _number(name: str) -> int:
    from django.db.migrations.autodetector import MigrationAutodetector

    return int(MigrationAutodetector.parse_number(name) or 0)


def _changes(graph: object, state: object, app: str) -> list[Any]:
    """Return operations from `state` to the app's models, as the autodetector sees them."""
    from django.apps import apps
    from django.db.migrations.autodetector import MigrationAutodetector
    from django.db.migrations.state import ProjectState

    from .questioner import unanswered

    detector = MigrationAutodetector(state, ProjectState.from_apps(apps), unanswered(app))
    changes = detector.changes(graph=graph, trim_to_apps={app}, convert_apps={app})
    return [operation for migration in changes.get(app, []) for operation in migration.operations]


def _add(
    loader: MigrationLoader,
    leaf: tuple[str, str],
    number: int,
    app: str,
    new_type: str,
    guards: Guards,
) -> Migration:
    from django.apps import apps
    from django.db.migrations import operations
    from django.db.migrations.autodetector import MigrationAutodetector
    from django.db.migrations.state import ProjectState

    from .questioner import unanswered

    name = page_model(new_type)._meta.model_name
    detector = MigrationAutodetector(
        loader.project_state(), ProjectState.from_apps(apps), unanswered(app)
    )
    changes = detector.changes(
        graph=loader.graph, trim_to_apps={app}, convert_apps={app}, migration_name=name
    ).get(app, [])
    made = [operation for migration in changes for operation in migration.operations]
    creates = [
        operation
        for operation in made
        if isinstance(operation, operations.CreateModel) and operation.name_lower == name
    ]
    other = [
        operation
        for operation in made
        if operation not in creates and getattr(operation, "model_name_lower", "") != name
    ]
    if len(changes) != 1 or len(creates) != 1 or other:
        raise Refusal(
            "unexpected_changes",
            f"A migration that adds {new_type}, and nothing else, cannot be made.",
            found="\n".join(operation.describe() for operation in made) or "No changes at all.",
            hint=f"Make and apply the app's other changes first: manage.py makemigrations {app}",
        )
    migration = changes[0]
    migration.name = f"{number + 1:04d}_{name}"
    migration.operations.append(guards.no_rows(f"{app}.{number + 1:04d}", name))
    return migration


def _finish(
    loader: MigrationLoader,
    leaf: tuple[str, str],
    number: int,
    app: str,
    old_type: str,
    new_type: str,
    fields: list[str],
    prefix: str,
    guards: Guards,
) -> list[Migration]:
    from django.db.migrations import operations

    old = old_type.split(".")[1].lower()
    new = new_type.split(".")[1].lower()
    state = loader.project_state()
    removes = [
        *meta_changes.removed(state, page_model(old_type)),
        *(operations.RemoveField(model_name=old, name=field) for field in fields),
    ]
    renames = [
        *meta_changes.removed(state, page_model(new_type)),
        *(
            operations.RenameField(model_name=new, old_name=prefix + field, new_name=field)
            for field in fields
        ),
    ]
    for operation in [*removes, *renames]:
        operation.state_forwards(app, state)
    additions = meta_changes.added(state, page_model(new_type))
    for operation in additions:
        operation.state_forwards(app, state)
    # What a rename leaves different is the name of a reverse relation, which had to be another
    # while both fields existed, and options that are no matter of the database.
    alters = _changes(loader.graph, state, app)
    foreign = [operation for operation in alters if not _follows(operation, old, new, fields)]
    if foreign:
        raise Refusal(
            "unexpected_changes",
            f"Removing the fields from {old_type} and renaming them on {new_type} does not lead to "
            "the models as they are.",
            found="\n".join(operation.describe() for operation in foreign),
            hint="Bring the models to their final form, and nothing else, then try again.",
        )
    before = loader.project_state().apps.get_model(app, old)
    guarded = guards.around(removes, f"{app}.{number + 1:04d}", before, new, fields)
    first = _migration(f"{number + 1:04d}_remove_moved_fields_from_{old}", app, leaf, guarded)
    second = _migration(
        f"{number + 2:04d}_{new}_fields_unprefixed",
        app,
        (app, first.name),
        [*renames, *alters, *additions],
    )
    return [first, second]


def _follows(operation: Any, old: str, new: str, fields: list[str]) -> bool:
    """Return whether an operation only follows from the fields' having moved."""
    from django.db.migrations import operations

    if isinstance(operation, operations.AlterField):
        return operation.model_name_lower == new and operation.name in fields
    if isinstance(operation, operations.AlterModelOptions):
        return operation.name_lower in (old, new)
    return False


def _migration(name: str, app: str, after: tuple[str, str], operations: list[Any]) -> Migration:
    from django.db.migrations import Migration

    cls = type("Migration", (Migration,), {"dependencies": [after], "operations": operations})
    return cls(name, app)


def _directory(loader: MigrationLoader, app: str) -> Path:
    module = importlib.import_module(loader.migrations_module(app)[0])
    return Path(str(module.__file__)).resolve().parent


def _written(
    loader: MigrationLoader, migrations: list[Migration], place: Path
) -> list[dict[str, str]]:
    from django.db.migrations.writer import MigrationWriter

    state = loader.project_state()
    connection = page_connection()
    made = []
    for migration in migrations:
        with connection.schema_editor(collect_sql=True, atomic=migration.atomic) as editor:
            state = migration.apply(state, editor, collect_sql=True)
            sql = "\n".join(editor.collected_sql)
        made.append(
            {
                "name": migration.name,
                "path": str(place / f"{migration.name}.py"),
                "text": MigrationWriter(migration, include_header=False).as_string(),
                "sql": sql,
            }
        )
    return made
