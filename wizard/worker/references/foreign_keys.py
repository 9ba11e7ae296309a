"""Foreign keys: to any level of the page's chain, whatever their `on_delete`."""

from __future__ import annotations

from ..protocol import Reply
from ..site.tree import quoted
from ..site.types import Model
from . import columns
from .columns import ForeignKey
from .kind import ColumnKind, Condition, Originals
from .ledger import ReferenceEntry, ReferenceLedger
from .places import Place


class ForeignKeys(ColumnKind):
    """Foreign keys of Django's models and of PostgreSQL's catalog; log entries among them."""

    def find(self, ledger: ReferenceLedger) -> None:
        for key in columns.foreign_keys(ledger.field_map.old_type):
            kind = "log" if key.log else "foreign key"
            entry = ledger.add(self, kind, key.table, key.column, types=key.types, reference=key)
            ledger.enter(entry, f"m.old = t.{quoted(key.column)}")

    def carry(self, ledger: ReferenceLedger, reply: Reply) -> tuple[()]:
        for key in columns.foreign_keys(ledger.field_map.old_type):
            columns.follow(
                ledger.cursor,
                key.table,
                {key.column: "m.new"} if ledger.renumbered else {},
                key.types,
                (f"m.old = t.{quoted(key.column)} {_others(key)}", []),
                columns.retyping(ledger.field_map),
            )
        return ()

    def tables(self, model: Model) -> set[str]:
        return {key.table for key in columns.foreign_keys(model)}

    def carried(self, ledger: ReferenceLedger, entry: ReferenceEntry, place: Place) -> Condition:
        return f"m.new = t.{quoted(place.column)}", []

    def remaining(self, originals: Originals) -> dict[str, int]:
        """Count as in the base; not what the old pages' own rows hold."""
        counts = {}
        for key in columns.foreign_keys(originals.old_type):
            originals.cursor.execute(
                f"SELECT count(*) FROM {quoted(key.table)} t JOIN remodel_map m "
                f"ON m.old = t.{quoted(key.column)} {_others(key)}"
            )
            counts[key.name] = int(originals.cursor.fetchone()[0])
        return {name: count for name, count in counts.items() if count}


def _others(key: ForeignKey) -> str:
    """Return the condition that leaves out originals' own rows, which stay as they are."""
    if key.own_key is None:
        return ""
    return (
        f"AND t.{quoted(key.own_key)} NOT IN (SELECT i.old FROM remodel_map i WHERE i.old <> i.new)"
    )
