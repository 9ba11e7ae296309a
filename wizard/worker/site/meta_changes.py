"""Constraints and indexes that move with their fields, as operations of the two migrations.

Django's RemoveField drops a column's constraints with it, and keeps them in the migrations' state.
So each is removed before its fields are removed or renamed, and added when they have their names.
"""

from __future__ import annotations

from typing import Any

from .types import Model


def removed(state: Any, model: Model) -> list[Any]:
    """Return operations that remove what the model's Meta no longer has, from this state.

    `model` is as it will be, `state` the migrations' state before.
    """
    from django.db.migrations import operations

    before = state.models[model._meta.app_label, model._meta.model_name]
    name = model._meta.model_name
    now = {constraint.name: constraint for constraint in model._meta.constraints}
    gone: list[Any] = [
        operations.RemoveConstraint(name, constraint.name)
        for constraint in before.options.get("constraints", [])
        if now.get(constraint.name) != constraint
    ]
    indexes = {index.name: index for index in model._meta.indexes}
    gone += [
        operations.RemoveIndex(name, index.name)
        for index in before.options.get("indexes", [])
        if not _same_index(indexes.get(index.name), index)
    ]
    together = _together(before.options.get("unique_together"))
    kept = together & _together(model._meta.unique_together)
    if kept != together:
        gone.append(operations.AlterUniqueTogether(name, kept))
    return gone


def added(state: Any, model: Model) -> list[Any]:
    """Return operations that add what the model's Meta has and the state does not."""
    from django.db.migrations import operations

    before = state.models[model._meta.app_label, model._meta.model_name]
    name = model._meta.model_name
    constraints = [constraint.name for constraint in before.options.get("constraints", [])]
    indexes = [index.name for index in before.options.get("indexes", [])]
    new: list[Any] = [
        operations.AddIndex(name, index)
        for index in model._meta.indexes
        if index.name not in indexes
    ]
    new += [
        operations.AddConstraint(name, constraint)
        for constraint in model._meta.constraints
        if constraint.name not in constraints
    ]
    together = _together(model._meta.unique_together)
    if together != _together(before.options.get("unique_together")):
        new.append(operations.AlterUniqueTogether(name, together))
    return new


def declared(model: Model) -> list[str]:
    """Return the names of the constraints and indexes that a model's Meta declares."""
    meta = model._meta
    return [part.name for part in (*meta.constraints, *meta.indexes)]


def _same_index(one: Any, other: Any) -> bool:
    return one is not None and one.deconstruct() == other.deconstruct()


def _together(given: Any) -> set[tuple[str, ...]]:
    return {tuple(names) for names in given or ()}
