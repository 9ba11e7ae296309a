"""What differs between the objects of two databases, object by object."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from wizard.postgres.catalog.entries import COMPARED, PUBLIC, Catalog, Entry, Key

TOLD = ("INVALID INDEX", "COLLATION VERSION")
"""Kinds that nothing depends on where they differ: an index that nobody can use is not restored,
and what is restored is sorted by the collation's version of today."""
COLUMN = re.compile(r'COLUMN .*?\.?("(?:[^"]|"")+"|[^.]+)$')


@dataclass(frozen=True)
class Difference:
    """An object that is not the same in both databases; None where it is in one alone."""

    key: Key
    before: Entry | None
    after: Entry | None

    @property
    def definitions(self) -> tuple[str, str]:
        """Return both definitions; '' for an object that is not there."""
        before, after = self.before, self.after
        return before.definition if before else "", after.definition if after else ""

    @property
    def what(self) -> str:
        """Return what is different, in a few words."""
        if self.before is None:
            return "is new"
        if self.after is None:
            return "is not there"
        names = [
            name.replace("_", " ")
            for name in COMPARED
            if getattr(self.before, name) != getattr(self.after, name)
        ]
        return f"another {', '.join(names)}"

    def __str__(self) -> str:
        return f"{self.key}: {self.what}"


def differences(before: Catalog, after: Catalog) -> list[Difference]:
    """Return what differs, by kind, schema and name."""
    return [
        Difference(key, before.get(key), after.get(key))
        for key in sorted(before.keys() | after.keys())
        if before.get(key) != after.get(key)
    ]


def unexplained(
    live: Catalog,
    delivered: Catalog,
    conversion: Iterable[Difference],
    *,
    alike: bool = True,
) -> Iterator[Difference]:
    """Yield the objects that differ from what is expected: `before` is expected, `after` is there.

    Expected is the live object, or what the conversion made of it: `conversion` is the difference
    between the local database before and after, of which only definitions count. Where the local
    and the live server have different major versions (not `alike`), the text of a converted object
    is not compared, only that it changed.
    """
    made = {difference.key: difference for difference in conversion}
    for key in sorted(live.keys() | delivered.keys() | made.keys()):
        wanted, there = live.get(key), delivered.get(key)
        if key in made:
            wanted = _as_made(wanted, made[key], there, alike=alike)
        elif there is None and wanted is not None and _went_with(key, wanted, made):
            continue  # the local database never had the privileges that went with the object
        if wanted != there and not _owner_of_public(key, wanted, there):
            yield Difference(key, wanted, there)


def _owner_of_public(key: Key, wanted: Entry | None, there: Entry | None) -> bool:
    """Return whether only the owner of the schema `public` differs.

    A superuser owns it in databases made before PostgreSQL 15; since then the database's owner
    does. Its privileges are compared.
    """
    if (key.kind, key.name) != ("SCHEMA", PUBLIC):
        return False
    owned = {one.owner for one in (wanted, there) if one}
    return wanted is None or there is None or len(owned) > 1


def _as_made(
    live: Entry | None, made: Difference, delivered: Entry | None, *, alike: bool
) -> Entry | None:
    """Return what the conversion makes of an object. Its owner stays; a new object's is free."""
    if made.after is None:
        return None
    model = live or delivered or made.after
    if not alike and delivered is not None and delivered.definition != model.definition:
        return replace(model, definition=delivered.definition)
    return replace(model, definition=made.after.definition)


def _went_with(key: Key, entry: Entry, made: Mapping[Key, Difference]) -> bool:
    """Return whether privileges or a comment are gone with their object or their column."""
    if entry.of is None or entry.of not in made:
        return False
    before, after = made[entry.of].definitions
    column = COLUMN.fullmatch(key.name)
    if column is None:
        return after == ""
    line = f"\n    {column[1]} "
    return line in before and line not in after


def outcomes(
    live: Catalog, delivered: Catalog, made_anew: Collection[Key]
) -> Iterator[tuple[Key, str, str]]:
    """Yield what became of each object of two databases of which nothing is unexplained.

    That is the object, its account as `wizard.session.ledger` words it, and what is different.
    """
    for key in sorted(live.keys() | delivered.keys()):
        different = Difference(key, live.get(key), delivered.get(key))
        if key in made_anew:
            yield key, "rebuilt", ""
        elif different.before == different.after:
            yield key, "kept", ""
        elif different.before is None:
            yield key, "new", ""
        else:
            yield key, "dropped" if different.after is None else "rewritten", different.what
