"""What an operation is about to do, and how two such plans differ.

A plan is what the operator consents to; its fingerprint covers what would be done and what
would be destroyed, and leaves out what varies by nature (counts, times, sizes, paths).
"""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, field
from typing import Any

CHANGES_NOTHING = "nothing to undo"
"""The `undo` of a plan that only looks. A session with no others has done nothing yet."""


@dataclass(frozen=True)
class Loss:
    """Something that ceases to exist: `what` is part of the fingerprint, `count` is not."""

    what: str
    count: int | None = None

    def __str__(self) -> str:
        return self.what if self.count is None else f"{self.what} ({self.count:,})"


@dataclass(frozen=True)
class Gate:
    """The confirmation before an operation. `phrase` has to be typed.

    `target` names the delivery target that is touched; headless, it must also be allowed on
    the command line. It is empty for what happens on the operator's own machine.
    `again` is another way than consent, where there is one: a question and its answer. All since
    its step is taken back and done anew with the answers and consents that are recorded.
    """

    phrase: str
    target: str = ""
    again: tuple[str, str] | None = None


@dataclass(frozen=True)
class Plan:
    """What an operation is about to do, computed read-only."""

    operation: str
    title: str
    does: tuple[str, ...] = ()
    destroys: tuple[Loss, ...] = ()
    undo: str = ""
    gate: Gate | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What is fingerprinted: names, not numbers that grow by themselves."""
    details: Mapping[str, Any] = field(default_factory=dict)
    """What `apply` needs or a person wants to see, but may differ from one run to the next."""
    skip: str = ""
    """Why there is nothing to do; empty when there is."""

    @property
    def fingerprint(self) -> str:
        """16 hex digits over the operation, its facts, its losses and its gate."""
        text = json.dumps(self.consented(), sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def consented(self) -> dict[str, Any]:
        """Return the part of the plan that the fingerprint covers, to which a person consents."""
        return {
            "operation": self.operation,
            "target": self.gate.target if self.gate else "",
            "destroys": sorted(loss.what for loss in self.destroys),
            "facts": dict(self.facts),
        }

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready; `from_dict` reads it back."""
        return {
            "operation": self.operation,
            "title": self.title,
            "does": list(self.does),
            "destroys": [[loss.what, loss.count] for loss in self.destroys],
            "undo": self.undo,
            "gate": list(astuple(self.gate)) if self.gate else None,
            "facts": dict(self.facts),
            "details": dict(self.details),
            "skip": self.skip,
            "fingerprint": self.fingerprint,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Plan:
        """Return the plan as it stands in the journal."""
        return cls(
            operation=data["operation"],
            title=data["title"],
            does=tuple(data["does"]),
            destroys=tuple(Loss(what, count) for what, count in data["destroys"]),
            undo=data["undo"],
            gate=_gate(*data["gate"]) if data["gate"] else None,
            facts=data["facts"],
            details=data["details"],
            skip=data["skip"],
        )


def _gate(phrase: str, target: str, again: Sequence[str] | None = None) -> Gate:
    return Gate(phrase, target, (again[0], again[1]) if again else None)


def difference(consented: Mapping[str, Any], now: Mapping[str, Any], at: str = "") -> list[str]:
    """Return readable lines that say where two `Plan.consented()` differ."""
    lines: list[str] = []
    for key in sorted({*consented, *now}, key=str):
        name = f"{at}.{key}" if at else str(key)
        old, new = consented.get(key), now.get(key)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            lines += difference(old, new, name)
        elif old != new:
            lines += _change_lines(name, old, new)
    return lines


SHORT = 100
"""Characters up to which two values are told side by side."""


def _change_lines(name: str, old: Any, new: Any) -> list[str]:
    """Return how a value differs: old and new side by side, or of long ones only the difference."""
    both = f"{name}: was {old!r}, is now {new!r}"
    if len(both) <= SHORT:
        return [both]
    if isinstance(old, list) and isinstance(new, list):
        gone = [f"    gone: {item}" for item in old if item not in new]
        came = [f"    new:  {item}" for item in new if item not in old]
        return [f"{name}:", *(gone + came or ["    the same, in another order"])]
    if isinstance(old, str) and isinstance(new, str) and "\n" in old + new:
        diff = difflib.unified_diff(old.splitlines(), new.splitlines(), n=1, lineterm="")
        return [f"{name}:", *(f"    {line}" for line in list(diff)[2:])]
    return [both]
