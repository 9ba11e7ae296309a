"""Which drift stops a delivery: by table, a policy of remodel.yml or a default.

block   what was written is content: the delivery waits for a new backup, or for the loss to be
        accepted in words
warn    it is told, lost, and kept as a file of the session
ignore  the site makes it again by itself
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from wizard.config.config import POLICIES, Policy
from wizard.postgres.drift.drift import Change, Drift

DEFAULTS: Mapping[str, Policy] = {
    "django_session": "ignore",
    "wagtailimages_rendition": "ignore",
    "wagtailcore_referenceindex": "ignore",
    "wagtailsearch_*": "ignore",
    "wagtailadmin_editingsession": "ignore",
    "wagtailadmin_formstate": "ignore",
    "wagtailsearchpromotions_query*": "warn",  # how often was searched for what
    "django_admin_log": "warn",
}
"""Table names, with `*` for any characters; the first that fits. All others block."""


@dataclass(frozen=True)
class Judged:
    """A drift, sorted by what the policy says of each table."""

    block: tuple[Change, ...] = ()
    warn: tuple[Change, ...] = ()
    ignore: tuple[Change, ...] = ()

    def facts(self) -> dict[str, str]:
        """Return what would be consented to: exactly this loss, by table. Empty when nothing
        blocks."""
        return {change.table: f"{change.what} [{change.digest}]" for change in self.block}

    @property
    def rows(self) -> int:
        """How many rows would be lost that block, at least."""
        return sum(change.rows for change in self.block)


def judge(drift: Drift, policies: Mapping[str, str]) -> Judged:
    """Sort the changes; what `policies` names, as DEFAULTS are written, goes before those."""
    by_policy: dict[str, list[Change]] = {policy: [] for policy in POLICIES}
    for change in drift.changes:
        by_policy[of(change, policies)].append(change)
    return Judged(*(tuple(by_policy[policy]) for policy in POLICIES))


def of(change: Change, policies: Mapping[str, str]) -> str:
    """Return the policy for a change. A log-in alone, of whatever user model, only warns."""
    chosen = of_table(change.table, policies)
    alone = change.logins and not any(fnmatchcase(change.table, name) for name in policies)
    return "warn" if alone else chosen


def of_table(table: str, policies: Mapping[str, str]) -> str:
    """Return the policy for whatever is written to a table."""
    for pattern, policy in (*policies.items(), *DEFAULTS.items()):
        if fnmatchcase(table, pattern):
            return policy
    return "block"
