"""The kinds of delivery. Each declares itself in a file of its own, and registers here.

What differs from kind to kind is a field of `DeliveryKind`. Nothing outside of a kind's own file
asks for its name: the steps, `remodel rollback`, a rehearsal, a purge, the report and the crash
tests go by these fields.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from wizard.base.errors import ConfigError
from wizard.base.events import Status
from wizard.config.config import Config
from wizard.config.databases import Target
from wizard.delivery.base import ForTarget
from wizard.delivery.results import Delivered
from wizard.postgres.catalog.entries import Entry, Key
from wizard.postgres.server import Server

Finding = tuple[str, str, Status, str]
"""Name, value, status and hint of a finding, as `Report.finding` takes them."""


@dataclass(frozen=True)
class DeliveryKind:
    """A way for the result to get to a target.

    `name` is what `delivery` says in remodel.yml. `operations` are done for each target, in this
    order; one is a `Delivery`, which says what it loses and whether drift matters to it. What a
    rehearsal does in the place of an operation, that operation says (`ForTarget.rehearsed`).
    """

    name: str
    operations: Sequence[type[ForTarget]]
    preflight: Callable[[Target, Server], Finding]
    """Report in the step *Project* whether the target's server allows it. Reads nothing itself."""
    way_back: Callable[[str, Delivered], str]
    """Say in a line how to get back, from the target's name and what the delivery left."""
    rollback: Sequence[type[ForTarget]]
    """What `remodel rollback` does. The first is gated, and refuses where there is no way back."""
    remakes: Callable[[Key, Entry], bool] | None = None
    """Whether a live object is made once more with our role's rights; None where none is."""
    databases: Mapping[str, str] = field(default_factory=dict)
    """Databases on a target's server that belong to the session, for a purge: by the key that has
    the name in a plan's details, what it is; `{target}` stands for the target's name."""
    files: Mapping[str, str] = field(default_factory=dict)
    """Files that a purge deletes and nothing else replaces: by the end of the name, what it is."""


_KINDS: dict[str, DeliveryKind] = {}


def register(kind: DeliveryKind) -> DeliveryKind:
    """Make a kind known by its name. Raise ValueError for a name that is taken."""
    if kind.name in _KINDS:
        raise ValueError(f"There is a kind of delivery named {kind.name!r} already.")
    _KINDS[kind.name] = kind
    return kind


def forget(kind: DeliveryKind) -> None:
    """Take a registered kind back, as a test does with its own."""
    del _KINDS[kind.name]


def known() -> Sequence[DeliveryKind]:
    """Return every kind, in the order of registration."""
    return tuple(_KINDS.values())


def named(name: str) -> DeliveryKind:
    """Return the kind with this name. Raise KeyError where there is none."""
    return _KINDS[name]


def kind_of(target: Target) -> DeliveryKind:
    """Return how a target is delivered to. `require_known` has seen that there is such a kind."""
    return _KINDS[target.delivery]


def require_known(config: Config) -> Config:
    """Raise ConfigError unless each target's `delivery` is a kind; returns the config."""
    for name, target in config.targets.items():
        if target.delivery not in _KINDS:
            key = f"targets.{name}.delivery"
            place = config.origin[key].replace(":", " line ")
            raise ConfigError(
                f"{place}: {key}: {target.delivery!r} is not one of {', '.join(_KINDS)}",
                hint="The README's config reference lists every key with an example.",
            )
    return config
