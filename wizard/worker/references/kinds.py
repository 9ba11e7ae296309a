"""The kinds of reference there are, in the order in which they are carried."""

from __future__ import annotations

from ..plan.fieldmap import FieldMap
from ..site.types import Cursor, Model
from .comments import CommentPaths
from .foreign_keys import ForeignKeys
from .generic_keys import GenericKeys, PassingState
from .indexes import Indexes
from .kind import Originals, ReferenceKind
from .ledger import ReferenceEntry, ReferenceLedger
from .links import ContentLinks
from .localize import Translations
from .revisions import Revisions
from .scan import ReadAhead

KINDS: list[ReferenceKind] = [
    PassingState(),
    ForeignKeys(),
    GenericKeys(),
    CommentPaths(),
    ContentLinks(),
    Revisions(),
    Translations(),
    Indexes(),
]

Values = ReadAhead[tuple[ReferenceKind, ReferenceEntry]]


def read_values(ledger: ReferenceLedger) -> Values:
    """Begin to read the values that may refer to the map's old pages, for `find`.

    They are read as the ledger's transaction sees them, which has to be REPEATABLE READ.
    """
    ledger.cursor.execute("SELECT pg_export_snapshot()")
    (snapshot,) = ledger.cursor.fetchone()
    queries = [((kind, entry), query) for kind in KINDS for entry, query in kind.queries(ledger)]
    return ReadAhead(queries, snapshot)


def find(ledger: ReferenceLedger, values: Values) -> None:
    """Enter everything that refers to the map's old pages now."""
    for kind in KINDS:
        kind.find(ledger)
    for (kind, entry), rows in values:
        ledger.enter_values(entry, kind.holders(ledger, entry, rows))
    ledger.close()


def verify(ledger: ReferenceLedger) -> None:
    """Look everything up again. Raise Refusal `ledger` when a row has no account."""
    for kind in KINDS:
        kind.verify(ledger)
    ledger.settle()


def remaining(originals: Originals) -> dict[str, int]:
    """Count what still refers to the originals, by `table.column`."""
    return {name: count for kind in KINDS for name, count in kind.remaining(originals).items()}


def losses(cursor: Cursor, old_type: Model) -> dict[str, int]:
    """Count the rows that are deleted rather than carried, by `table.column`."""
    return {name: count for kind in KINDS for name, count in kind.losses(cursor, old_type).items()}


def faults(cursor: Cursor, field_map: FieldMap) -> list[str]:
    """Return a sentence for each reference that prevents the conversion."""
    return [fault for kind in KINDS for fault in kind.faults(cursor, field_map)]
