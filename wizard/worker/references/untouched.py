"""Everything that a conversion must not change: all but what it names.

Looked at before and after in the same transaction: whatever a trigger, a rule or a mistake of
ours changed elsewhere shows, and the conversion is rolled back. What others write is not seen: the
transaction sees one moment, and has locked the tables that it names.

A table that is named in part has a fingerprint of the rest. To any other the transaction may not
have written at all, which PostgreSQL counts by itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Dict, Tuple

from ..site.models import base_page
from ..site.tree import quoted
from ..site.types import Cursor
from .kind import WHOLE
from .kinds import KINDS
from .ledger import ReferenceLedger
from .on_delete import OnDelete

# Types that have no hash function of their own, as something that has.
AS = {"tsvector": "tsvectorsend({})", "json": "{}::text", "xml": "{}::text"}
HASHED = {
    *("bool", "int2", "int4", "int8", "text", "varchar", "bpchar", "uuid", "date", "time"),
    *("timestamp", "timestamptz", "numeric", "float4", "float8", "jsonb", "bytea", "inet"),
}


# Counts of a session's transactions are handed in some time after they end, so that what an
# earlier one has written may be among them: only the difference tells. TRUNCATE is not counted, and
# makes a new file.
WRITES = """
    SELECT c.oid::regclass::text, pg_stat_get_xact_tuples_inserted(c.oid),
           pg_stat_get_xact_tuples_updated(c.oid), pg_stat_get_xact_tuples_deleted(c.oid),
           c.relfilenode::bigint
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'm') AND c.relpersistence <> 't'
       AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
"""

Fingerprints = Dict[str, Tuple[int, str]]  # rows, and a hash over them, by table
Writes = Dict[str, Tuple[int, int, int, int]]  # inserted, updated, deleted, and the file


@dataclass(frozen=True)
class Untouched:
    """The fingerprints of tables that are named in part, and what was written to the others.

    Without `writes` (`track_counts` is off) there are fingerprints of all.
    """

    fingerprints: Fingerprints
    writes: Writes

    def summary(self) -> str:
        """Return what is proven, for people."""
        rows = sum(count for count, _ in self.fingerprints.values())
        text = f"{rows:,} rows of {len(self.fingerprints)} tables are unchanged"
        return f"{text}; nothing was written to {len(self.writes)} others" if self.writes else text


@dataclass
class Named:
    """What of a table a conversion names: whole, some columns, or the rows of converted pages."""

    whole: bool = False
    columns: set[str] = field(default_factory=set)
    pages: set[str] = field(default_factory=set)  # columns with the ids whose rows are left out


def named(ledger: ReferenceLedger, deletions: OnDelete) -> dict[str, Named]:
    """Return what of each table a conversion changes."""
    field_map = ledger.field_map
    tables: dict[str, Named] = {}

    def of(table: str) -> Named:
        return tables.setdefault(table, Named())

    for kind in KINDS:
        for table, column in kind.changes(ledger):
            if column == WHOLE:
                of(table).whole = True
            else:
                of(table).columns.add(column)
    base = {"url_path", "numchild"} if ledger.renumbered else {"content_type_id"}
    of(base_page()._meta.db_table).columns.update(base)
    for level in ledger.levels:
        if ledger.renumbered or level not in field_map.shared:
            of(level._meta.db_table).pages.add(level._meta.pk.column)
    for related in field_map.related_rows:
        of(related.old._meta.db_table).pages.add(related.old_link.column)
        of(related.new._meta.db_table).pages.add(related.new_link.column)
    for key in deletions.keys:
        if key.on_delete == "CASCADE":
            of(key.table).pages.add(key.column)
        else:
            of(key.table).columns.add(key.column)
    return tables


def look(cursor: Cursor, named: dict[str, Named]) -> Untouched:
    """Return what the transaction sees and has written so far, but for what is named."""
    cursor.execute("SELECT current_setting('track_counts')::bool")
    if not cursor.fetchone()[0]:
        return Untouched(_fingerprints(cursor, named, of_all=True), {})
    cursor.execute(WRITES)
    writes = {
        table: tuple(counts)
        for table, *counts in cursor.fetchall()
        if table.strip('"') not in named
    }
    return Untouched(_fingerprints(cursor, named, of_all=False), writes)


def _fingerprints(cursor: Cursor, named: dict[str, Named], *, of_all: bool) -> Fingerprints:
    """Return rows and a hash over their content for each table, without what is named.

    A table that the role may not read it cannot write to either, and is left out.
    """
    cursor.execute(
        """
        SELECT c.oid::regclass::text, a.attname, t.typname
          FROM pg_class c
          JOIN pg_namespace n ON n.oid = c.relnamespace
          JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
          JOIN pg_type t ON t.oid = a.atttypid
         WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence <> 't'
           AND n.nspname NOT IN ('pg_catalog', 'information_schema')
           AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')
         ORDER BY 1, a.attnum
        """
    )
    tables: dict[str, list[tuple[str, str]]] = {}
    for table, column, kind in cursor.fetchall():
        tables.setdefault(table, []).append((column, kind))
    cursor.execute("SELECT current_setting('server_version_num')::int >= 140000")
    records = cursor.fetchone()[0]
    names, counted = [], []
    for table, typed in tables.items():
        known = named.get(table.strip('"'), Named() if of_all else Named(whole=True))
        if known.whole:
            continue
        values = [_value(column, kind) for column, kind in typed if column not in known.columns]
        row = f"ROW({', '.join(values)})"
        hashed = (
            f"hash_record_extended({row}, 0)" if records else f"hashtextextended({row}::text, 0)"
        )
        apart = " AND ".join(
            f"NOT EXISTS (SELECT FROM remodel_map m WHERE t.{quoted(column)} = m.{side})"
            for column in sorted(known.pages)
            for side in ("old", "new")
        )
        names.append(table)
        counted.append(
            f"SELECT {len(names) - 1}, count(*), coalesce(sum({hashed}), 0)::text FROM {table} t"
            + (f" WHERE {apart}" if apart else "")
        )
    if not counted:
        return {}
    cursor.execute(" UNION ALL ".join(counted))
    return {names[table]: (number, hashed) for table, number, hashed in cursor.fetchall()}


def _value(column: str, kind: str) -> str:
    name = f"t.{quoted(column)}"
    if kind in HASHED:
        return name
    return AS.get(kind, "{}::text").format(name)


def changed(before: Untouched, after: Untouched) -> list[str]:
    """Return a sentence for each table that differs."""
    rest = [
        f"{table}: {rows} rows before, {after.fingerprints[table][0]} after"
        + ("" if rows != after.fingerprints[table][0] else ", with another content")
        for table, (rows, digest) in before.fingerprints.items()
        if (rows, digest) != after.fingerprints[table]
    ]
    none = (0, 0, 0, 0)
    for table in sorted({*before.writes, *after.writes}):
        was, now = before.writes.get(table, none), after.writes.get(table, none)
        if was != now:
            counts = [
                f"{new - old} {word}"
                for word, old, new in zip(("inserted", "updated", "deleted"), was, now)
                if new != old
            ]
            rest.append(f"{table}: {', '.join(counts) or 'made, emptied or dropped'}")
    return rest
