"""What Django makes for a model's field, told from what somebody has made by hand.

By the definition first; the name decides only between objects that are alike. A check or a unique
constraint without a name of its own (`ADD CHECK (explicit >= 0)`), which PostgreSQL names as it
does Django's own, cannot be told from that.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection

from wizard.postgres.dependants.descriptions import Description

# Table, columns, eight digits of a digest, suffix; all cut to fit. See _create_index_name in
# django/db/backends/base/schema.py. What has no digest is named by PostgreSQL.
NAMES = {
    "index": re.compile(r"_[0-9a-f]{8}(_like)?$|_id$"),
    "foreign key": re.compile(r"_[0-9a-f]{8}_fk(_|$)|_fkey\d*$"),
    "unique constraint": re.compile(r"_[0-9a-f]{8}_uniq$|_key\d*$"),
    "check constraint": re.compile(r"_check\d*$"),
}
ALWAYS = {"not null", "primary key", "sequence", "default"}


def is_own(what: Description, goes: Callable[[int], bool], declared: Collection[str]) -> bool:
    """Whether Django makes this for fields that go, or for a model's Meta where `declared` has it.

    `goes` says whether the column of that number in its table does.
    """
    if what.name in declared and what.kind in {"index", *NAMES, "exclusion constraint"}:
        return True
    if not what.plain or not all(map(goes, what.keys)):
        return False
    if what.kind in ALWAYS:
        return True
    return what.kind in NAMES and bool(NAMES[what.kind].search(what.name))
