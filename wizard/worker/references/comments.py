"""Comments on a field: they refer to it by its path, which follows the field's new name."""

from __future__ import annotations

from collections.abc import Iterator

from ..plan.fieldmap import FieldMap, renames
from ..protocol import Reply
from ..site.tree import quoted
from ..site.types import Cursor, Model
from .kind import ReferenceKind
from .ledger import ReferenceLedger
from .places import rows_table


class CommentPaths(ReferenceKind):
    """Paths to a field, in comments on the converted pages. Their page is a foreign key."""

    def carry(self, ledger: ReferenceLedger, reply: Reply) -> tuple[()]:
        _follow(ledger.cursor, ledger.field_map)
        return ()

    def tables(self, model: Model) -> list[str]:
        return [_table_name()]

    def changes(self, ledger: ReferenceLedger) -> Iterator[tuple[str, str]]:
        if renames(ledger.field_map):
            yield _table_name(), "contentpath"


def _table_name() -> str:
    """Return the comments' table."""
    from wagtail.models import Comment

    return str(Comment._meta.db_table)


def _follow(cursor: Cursor, field_map: FieldMap) -> None:
    """Rename the first part of the content paths of the converted pages' comments.

    The second part of a path to a child row is the row's key, which is another one where the row
    went to another table. A comment on a dropped field keeps its path: it is in the
    history, and nowhere shown.
    """
    first, second = (f"split_part(c.contentpath, '.', {part})" for part in (1, 2))
    for number, related in enumerate(field_map.related_rows):
        if related.kind == "many":
            continue
        rest = f"substr(c.contentpath, length({first} || r.old) + 2)"
        cursor.execute(
            f"UPDATE {quoted(_table_name())} c SET contentpath = {first} || '.' || r.new || {rest} "
            f"FROM remodel_map m, {rows_table(number)} r WHERE c.page_id = m.new "
            f"AND {first} = %s AND {second} = r.old",
            [related.old_name],
        )
    pairs = [(old, new) for old, new in renames(field_map).items() if new and new != old]
    if pairs:
        cursor.execute(
            f"UPDATE {quoted(_table_name())} c "
            "SET contentpath = w.new || substr(c.contentpath, length(w.old) + 1) "
            "FROM remodel_map m, unnest(%s::text[], %s::text[]) AS w (old, new) "
            "WHERE c.page_id = m.new AND split_part(c.contentpath, '.', 1) = w.old",
            [[old for old, _ in pairs], [new for _, new in pairs]],
        )
