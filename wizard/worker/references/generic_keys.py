"""Generic keys: a content type beside an object id; and those that only hold passing state."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from ..protocol import Reply
from ..site.tree import quoted
from ..site.types import Cursor, Model
from . import columns
from .columns import GenericPair
from .kind import WHOLE, ColumnKind, Condition, Originals, Proof
from .ledger import ReferenceEntry, ReferenceLedger
from .places import Place


class GenericKeys(ColumnKind):
    """Pairs of content type and object id, declared as generic keys or named like one."""

    kind = "generic key"
    remade = False  # whether the rows are made from the pages, and can be made again

    def pairs(self) -> list[GenericPair]:
        """Return the pairs that are of this kind."""
        return [pair for pair in columns.generics() if not (pair.transient or pair.derived)]

    def find(self, ledger: ReferenceLedger) -> None:
        types = columns.known_types(ledger.field_map.old_type)
        for pair in self.pairs():
            entry = ledger.add(
                self,
                self.kind,
                pair.table,
                pair.column,
                types=pair.types,
                reference=pair,
                remade=self.remade,
            )
            ledger.enter(entry, *columns.matches(pair, types))

    def carry(self, ledger: ReferenceLedger, reply: Reply) -> Iterable[Proof]:
        from wagtail.models import Revision

        types = columns.known_types(ledger.field_map.old_type)
        for pair in self.pairs():
            if pair.table == Revision._meta.db_table:
                continue  # Revisions rewrites these rows anyway, and takes them along
            columns.follow(
                ledger.cursor,
                pair.table,
                {pair.column: "m.new" + pair.cast} if ledger.renumbered else {},
                pair.types,
                columns.matches(pair, types),
                columns.retyping(ledger.field_map),
            )
        return ()

    def tables(self, model: Model) -> set[str]:
        return {pair.table for pair in self.pairs()}

    def carried(self, ledger: ReferenceLedger, entry: ReferenceEntry, place: Place) -> Condition:
        assert isinstance(entry.reference, GenericPair)
        pair = replace(entry.reference, table=place.table, column=place.column)
        types = columns.known_types(ledger.field_map.old_type)
        types += columns.known_types(ledger.field_map.new_type)
        return columns.matches(pair, types, "new")

    def remaining(self, originals: Originals) -> dict[str, int]:
        return _count(originals.cursor, self.pairs(), columns.known_types(originals.old_type))


class PassingState(GenericKeys):
    """What an open editor leaves behind. It is deleted, and counted as a loss."""

    kind = "passing state"

    def pairs(self) -> list[GenericPair]:
        return [pair for pair in columns.generics() if pair.transient]

    def carry(self, ledger: ReferenceLedger, reply: Reply) -> Iterable[Proof]:
        self.drop(ledger.cursor, ledger.field_map.old_type)
        return ()

    def verify(self, ledger: ReferenceLedger) -> None:
        for entry in ledger.entries_of(self):
            ledger.drop(entry)

    def changes(self, ledger: ReferenceLedger) -> Iterator[tuple[str, str]]:
        for pair in self.pairs():
            yield pair.table, WHOLE

    def remaining(self, originals: Originals) -> dict[str, int]:
        return {}

    def losses(self, cursor: Cursor, old_type: Model) -> dict[str, int]:
        return _count(cursor, self.pairs(), columns.known_types(old_type))

    def drop(self, cursor: Cursor, old_type: Model) -> None:
        """Delete the rows about the map's old pages."""
        types = columns.known_types(old_type)
        for pair in self.pairs():
            condition, given = columns.matches(pair, types)
            cursor.execute(
                f"DELETE FROM {quoted(pair.table)} t USING remodel_map m WHERE {condition}", given
            )


def _count(cursor: Cursor, pairs: list[GenericPair], types: list[int]) -> dict[str, int]:
    """Count the rows that have an old page of the map under one of the content types."""
    counts: dict[str, int] = {}
    for pair in pairs:
        condition, given = columns.matches(pair, types)
        cursor.execute(
            f"SELECT count(*) FROM {quoted(pair.table)} t JOIN remodel_map m ON {condition}", given
        )
        counts[pair.name] = int(cursor.fetchone()[0])
    return {name: count for name, count in counts.items() if count}
