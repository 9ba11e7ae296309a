"""What a kind of reference is: a class that finds, carries and verifies what refers to pages.

A new kind is a file of its own and a line in `kinds.KINDS`; `find`, `carry` and `verify` are
enough for most. Everything else has a default.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..plan.fieldmap import FieldMap
from ..protocol import Reply
from ..site.types import Cursor, Field, Model
from .content import Pages
from .ledger import Candidates, ReferenceEntry, ReferenceLedger
from .places import Place
from .rewrite import Holder
from .scan import Query, Rows

WHOLE = "*"  # every column of a table, in `changes`

Proof = tuple[str, str]  # what was done or checked, and a detail, both for people
Condition = tuple[str, list[Any]]  # SQL, and its parameters


@dataclass(frozen=True)
class Originals:
    """The old pages of `remodel_map`, to be asked about once they should have no references.

    `levels` are the models that a reference to one of them may name, `candidates` the rows in
    which values are looked for.
    """

    cursor: Cursor
    old_type: Model
    pages: Mapping[int, int]
    levels: set[Model]
    candidates: Candidates


class ReferenceKind:
    """One way in which a database refers to pages."""

    stage = "references"  # of the conversion, in which `carry` is called

    def find(self, ledger: ReferenceLedger) -> None:
        """Enter into the ledger what refers to the map's old pages now."""

    def carry(self, ledger: ReferenceLedger, reply: Reply) -> Iterable[Proof]:
        """Make every reference follow the map; return what deserves a line in `verified`.

        Where ids are kept (not `ledger.renumbered`), only content types and names change.
        """
        return ()

    def verify(self, ledger: ReferenceLedger) -> None:
        """Look for what was entered where it should be now (`ledger.confirm`).

        Query the database as it is, and trust nothing that `carry` knew.
        """

    def queries(self, ledger: ReferenceLedger) -> Iterable[tuple[ReferenceEntry, Query]]:
        """Yield entries whose values have to be parsed, with a query of them for `holders`.

        They are run by other connections while the conversion is checked, before `find`.
        """
        return ()

    def holders(self, ledger: ReferenceLedger, entry: ReferenceEntry, rows: Rows) -> list[Holder]:
        """Return which of the rows of an entry's query refer to the map's old pages."""
        return []

    def remaining(self, originals: Originals) -> dict[str, int]:
        """Count what still refers to the originals, by `table.column`, without zeros."""
        return {}

    def losses(self, cursor: Cursor, old_type: Model) -> dict[str, int]:
        """Count the rows that `carry` deletes, by `table.column`, without zeros."""
        return {}

    def faults(self, cursor: Cursor, field_map: FieldMap) -> list[str]:
        """Return a sentence for each thing that prevents the conversion."""
        return []

    def tables(self, model: Model) -> Iterable[str]:
        """Return the tables in which pages of this type may be referred to, or that `carry` writes
        to: they are locked before anything is read."""
        return ()

    def changes(self, ledger: ReferenceLedger) -> Iterable[tuple[str, str]]:
        """Yield `(table, column)` of everything that `carry` may change; `WHOLE` for a table."""
        return ()

    def knows(self, model: Model, field: Field) -> bool:
        """Return whether this kind follows the field, so that `unfollowed` does not warn of it."""
        return False

    def in_content(
        self, model: Model, content: dict[str, Any], pages: Pages, levels: set[Model]
    ) -> dict[str, Any]:
        """Return an object, as a revision has it, with this kind's references followed.

        Ask `pages.get(old, old)` for every reference, and for nothing else: it is counted.
        """
        return content


class ColumnKind(ReferenceKind):
    """References that a column's value is, maybe with content types beside it."""

    def carried(self, ledger: ReferenceLedger, entry: ReferenceEntry, place: Place) -> Condition:
        """Return the condition that a row `t` of the place refers to a new page `m.new`."""
        raise NotImplementedError

    def verify(self, ledger: ReferenceLedger) -> None:
        for entry in ledger.entries_of(self):
            for place in ledger.places.after(entry.table, entry.column):
                ledger.confirm(entry, place, *self.carried(ledger, entry, place))

    def changes(self, ledger: ReferenceLedger) -> Iterator[tuple[str, str]]:
        for entry in ledger.entries_of(self):
            for column in entry.types:
                yield entry.table, column
            if ledger.renumbered:
                yield entry.table, entry.column
