"""What Django really sees of the models: described, compared, and named when misspelt."""

from __future__ import annotations

import difflib
import importlib
import inspect
from typing import Any

from ..protocol import Refusal, Reply
from .meta_changes import declared
from .types import Field, Model


def base_page() -> Model:
    """Return the model at the root of every page: `wagtailcore.Page`, or its replacement.

    Wagtail 8 lets a project swap it (WAGTAIL_PAGE_MODEL); older ones have only the one.
    """
    from django.apps import apps
    from django.conf import settings

    model: Model = apps.get_model(getattr(settings, "WAGTAIL_PAGE_MODEL", "wagtailcore.Page"))
    return model


def page_labels() -> list[str]:
    """Return labels of the project's own page models, sorted."""
    return sorted(model._meta.label for model in _page_models())


def _page_models() -> list[Model]:
    from wagtail.models import get_page_models

    return [model for model in get_page_models() if model is not base_page()]


def page_model(label: str) -> Model:
    """Return the page model with this label. Raise Refusal `unknown_model`."""
    for model in _page_models():
        if model._meta.label_lower == label.lower():
            return model
    labels = page_labels()
    near = difflib.get_close_matches(label, labels, n=3, cutoff=0.4)
    raise Refusal(
        "unknown_model",
        f"The project has no page model {label!r}.",
        found="Page models: " + ", ".join(labels),
        hint=f"Did you mean {' or '.join(near)}?" if near else "Name one of these, as app.Model.",
    )


def chain(model: Model) -> list[Model]:
    """Return the models that a page's row is spread over, from the base page to `model` itself.

    Raise Refusal `unsupported` when a level has more than one concrete parent.
    """
    levels = [model]
    while parents := _direct_parents(levels[0]):
        if len(parents) > 1:
            raise Refusal(
                "unsupported",
                f"{levels[0]._meta.label} has more than one parent with a table of its own.",
                found="Parents: " + ", ".join(parent._meta.label for parent in parents),
            )
        levels.insert(0, parents[0])
    return levels


def _direct_parents(model: Model) -> list[Model]:
    """Return the models whose rows the model's own row extends.

    The links are compared by name: of `class Two(Seo, Page)`, with an abstract page Seo, Django
    notes the link as Seo has it, and not the model's own.
    """
    local = {field.name for field in model._meta.local_fields}
    return [
        parent
        for parent, link in model._meta.parents.items()
        if link is not None and link.name in local
    ]


def page_models(reply: Reply) -> list[dict[str, Any]]:
    """Return every page model of the project, with the number of pages of exactly that type."""
    from django.contrib.contenttypes.models import ContentType
    from django.db.models import Count

    counts = dict(
        base_page()
        ._base_manager.values_list("content_type")
        .annotate(Count("pk"))
        .values_list("content_type", "pk__count")
    )
    return [
        {
            "label": model._meta.label,
            "verbose_name": str(model._meta.verbose_name),
            "table": model._meta.db_table,
            "count": counts.get(ContentType.objects.get_for_model(model).pk, 0),
            "parents": [parent._meta.label for parent in chain(model)[:-1]],
        }
        for model in sorted(_page_models(), key=lambda model: model._meta.label)
    ]


def describe(reply: Reply, *, model: str) -> dict[str, Any]:
    """Describe a page model as Django sees it: source file, tables, and each field's definition."""
    page_type = page_model(model)
    meta = page_type._meta
    link = meta.pk if meta.pk.remote_field else None
    fields = [*meta.fields, *meta.many_to_many]
    return {
        "label": meta.label,
        "module": page_type.__module__,
        "file": inspect.getsourcefile(page_type),
        "migrations": _migrations_module(meta.app_label),
        "declared": declared(page_type),
        "class_name": page_type.__name__,
        "bases": [f"{base.__module__}.{base.__qualname__}" for base in page_type.__bases__],
        "chain": [level._meta.label for level in chain(page_type)],
        "verbose_name": str(meta.verbose_name),
        "table": meta.db_table,
        "parent_link": link.name if link else None,
        "template": getattr(page_type, "template", None),
        "children": sorted(
            model._meta.label
            for model in _page_models()
            if model is not page_type and issubclass(model, page_type)
        ),
        "fields": [_field(field, page_type) for field in fields],
    }


def _migrations_module(app: str) -> str | None:
    """Return the `__init__.py` of an app's migrations, where Django looks for them; None if none.

    That is as MIGRATION_MODULES says, which may also say that the app has none.
    """
    from django.db.migrations.loader import MigrationLoader

    name, _ = MigrationLoader.migrations_module(app)
    if name is None:
        return None
    try:
        return importlib.import_module(name).__file__
    except ModuleNotFoundError:
        return None


def _field(field: Field, model: Model) -> dict[str, Any]:
    remote = field.remote_field
    on_delete = getattr(remote, "on_delete", None)
    local = field.model is model
    link = bool(remote and getattr(remote, "parent_link", False))
    return {
        "name": field.name,
        "column": field.column,
        "type": f"{field.__class__.__module__}.{field.__class__.__qualname__}",
        "internal_type": field.get_internal_type(),
        "null": field.null,
        "blank": field.blank,
        "unique": field.unique,
        "max_length": field.max_length,
        "choices": [[repr(value), str(label)] for value, label in field.flatchoices],
        "default": repr(field.default) if field.has_default() else None,
        "related_model": remote.model._meta.label if remote else None,
        "on_delete": on_delete.__name__ if on_delete else None,
        "related_name": getattr(remote, "related_name", None),
        "help_text": str(field.help_text),
        "verbose_name": str(field.verbose_name),
        "deconstruct": _deconstruct(field),
        "owner": field.model._meta.label,
        "local": local,
        # What can get a second column beside it under a prefixed name.
        "prefixable": local
        and not link
        and not field.primary_key
        and field.column is not None
        and not field.many_to_many,
    }


def _deconstruct(field: Field) -> dict[str, Any]:
    name, path, args, kwargs = field.deconstruct()
    return {
        "name": name,
        "path": path,
        "args": [repr(value) for value in args],
        "kwargs": {key: repr(value) for key, value in sorted(kwargs.items())},
    }


def check_models(
    reply: Reply, *, old_type: str, new_type: str, fields: list[str], prefix: str, phase: str
) -> list[dict[str, Any]]:
    """Report whether the models are what this phase needs: `{name, ok, detail}` each.

    `added`: the new type is a child of the old type and has a prefixed equal of every moved field.
    `final`: the old type has none of them, the new type has them under their own names.
    """
    findings: list[dict[str, Any]] = []

    def find(name: str, ok: bool, detail: str) -> bool:
        findings.append({"name": name, "ok": ok, "detail": detail})
        return ok

    old = page_model(old_type)
    try:
        new = page_model(new_type)
    except Refusal as refusal:
        find(f"{new_type} exists", False, refusal.message)
        return findings
    find(f"{new_type} exists", True, f"in {inspect.getsourcefile(new)}")
    find(
        f"{new_type} is a child of {old_type}",
        _direct_parents(new) == [old],
        "its parents are " + ", ".join(base.__name__ for base in new.__bases__),
    )
    own_old = {
        field.name: field for field in [*old._meta.local_fields, *old._meta.local_many_to_many]
    }
    own_new = {
        field.name: field for field in [*new._meta.local_fields, *new._meta.local_many_to_many]
    }
    for name in fields:
        if phase == "added":
            there = name in own_old
            find(f"{old_type}.{name}", there, "is there" if there else "is not a field of its own")
            copy = own_new.get(prefix + name)
            if not find(
                f"{new_type}.{prefix}{name}", copy is not None, "is there" if copy else "missing"
            ):
                continue
            if there:
                differs = _differences(own_old[name], copy)
                find(
                    f"{new_type}.{prefix}{name} is as {old_type}.{name}",
                    not differs,
                    "; ".join(differs) or "the same definition",
                )
        else:
            find(
                f"{old_type}.{name} is gone",
                name not in own_old,
                "its own fields: " + ", ".join(own_old),
            )
            find(f"{new_type}.{name}", name in own_new, "its own fields: " + ", ".join(own_new))
            find(
                f"{new_type}.{prefix}{name} is gone",
                prefix + name not in own_new,
                "its own fields: " + ", ".join(own_new),
            )
    return findings


def _differences(old: Field, new: Field) -> list[str]:
    """Return where two fields' definitions differ; names of reverse relations do not count."""
    _, old_path, old_args, old_kwargs = old.deconstruct()
    _, new_path, new_args, new_kwargs = new.deconstruct()
    differences = []
    if old_path != new_path:
        differences.append(f"type {old_path} became {new_path}")
    if list(old_args) != list(new_args):
        differences.append(f"arguments {old_args!r} became {new_args!r}")
    for key in sorted({*old_kwargs, *new_kwargs} - {"related_name", "related_query_name"}):
        before, after = old_kwargs.get(key, "(unset)"), new_kwargs.get(key, "(unset)")
        if before != after and repr(before) != repr(after):
            differences.append(f"{key} {before!r} became {after!r}")
    return differences
