"""Code of the project's that a conversion through Wagtail's own interface would have called.

Statements in SQL call none of it. What the project does there (purge a cache, tell a feed) is
for its people to judge, so it is listed, by name.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterable
from typing import Any, Callable

from .models import chain
from .types import Model

# What these do, the conversion does itself: the indexes of references and of the search.
OWN = {"django", "wagtail", "modelcluster", "taggit", "treebeard", "modelsearch"}


def fires(old_type: Model, new_type: Model, ids: str) -> list[dict[str, str]]:
    """Return receivers and hooks that are not called: `{signal, receiver, why}` each.

    With `ids` new that is what add_child, move, delete and publish would call; with ids kept,
    a save as the new type and the deletion of the rows that only the old type has.
    """
    receivers: dict[tuple[str, str], str] = {}
    for signal, name, senders, why in _events(old_type, new_type, ids):
        for sender in senders:
            for receiver in _receivers(signal, sender):
                label = sender._meta.label
                receivers.setdefault((name, receiver), f"{name} of {label}: {why}")
    for name, why in _hooks(ids).items():
        for receiver in _registered(name):
            receivers.setdefault((name, receiver), f"hook {name}: {why}")
    return [
        {"signal": name, "receiver": receiver, "why": why}
        for (name, receiver), why in sorted(receivers.items())
    ]


def _events(old_type: Model, new_type: Model, ids: str) -> list[tuple[Any, str, list[Any], str]]:
    """Return signals with their senders, and how often each would be sent."""
    from django.db.models import signals as django
    from wagtail import signals as wagtail

    per_page = "one call for each page"
    levels, kept = chain(old_type), set(chain(new_type))
    # A deletion is sent for every table's row, a save only for the model that is saved.
    gone = levels if ids == "new" else [level for level in levels if level not in kept]
    events = [
        (django.pre_save, "pre_save", [new_type], per_page),
        (django.post_save, "post_save", [new_type], per_page),
        (django.pre_delete, "pre_delete", gone, per_page),
        (django.post_delete, "post_delete", gone, per_page),
    ]
    if ids == "new":
        below = old_type.allowed_subpage_models()
        live, child = "one call for each live page", "one call for each child"
        events += [
            (wagtail.page_published, "page_published", [new_type], live),
            (wagtail.page_unpublished, "page_unpublished", [old_type], live),
            (wagtail.pre_page_move, "pre_page_move", below, child),
            (wagtail.post_page_move, "post_page_move", below, child),
            (wagtail.page_slug_changed, "page_slug_changed", [new_type], per_page),
        ]
    return events


def _hooks(ids: str) -> dict[str, str]:
    """Return Wagtail's hooks around the same acts in its admin, and how often each would run."""
    per_page, child = "one call for each page", "one call for each child"
    acts = (
        {"create": per_page, "move": child, "delete": per_page}
        if ids == "new"
        else {"edit": per_page}
    )
    return {f"{when}_{act}_page": why for act, why in acts.items() for when in ("before", "after")}


def _receivers(signal: Any, sender: Model) -> Iterable[str]:
    """Return dotted names of the receivers that would be called, without the libraries' own."""
    live = signal._live_receivers(sender)
    # Since Django 5.0: those that are called, and those that are awaited.
    receivers = [*live[0], *live[1]] if isinstance(live, tuple) else live
    return filter(None, map(_name, receivers))


def _registered(hook: str) -> Iterable[str]:
    from wagtail import hooks

    return filter(None, map(_name, hooks.get_hooks(hook)))


def _name(receiver: Callable[..., object]) -> str:
    """Return where the function is; empty when it is Django's, Wagtail's or this package's."""
    while isinstance(receiver, functools.partial):
        receiver = receiver.func
    if not inspect.isroutine(receiver) and not inspect.isclass(receiver):
        receiver = type(receiver)
    module = str(receiver.__module__)
    ours = module == __package__ or module.startswith(f"{__package__}.")
    return "" if ours or module.split(".")[0] in OWN else f"{module}.{receiver.__qualname__}"
