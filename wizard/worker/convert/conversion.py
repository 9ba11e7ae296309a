"""The conversion: pages of one type become pages of another, and everything follows them.

One transaction, over an id map, in statements whose number does not depend on that of the
pages. With new ids a page of the new type takes the original's place, and the original is left
beside it, stripped, until it is deleted; with ids kept the page stays and changes its type in
place. Either way the ledger has to balance before anything is committed.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..plan import field_table, fieldmap, levels, placement
from ..plan.fieldmap import FieldMap
from ..protocol import Refusal, Reply
from ..references import columns, idmap, kinds, locks, on_delete, untouched
from ..references.kind import Originals
from ..references.kinds import KINDS
from ..references.ledger import ReferenceLedger
from ..references.on_delete import OnDelete
from ..references.places import Places
from ..references.unfollowed import deeper, unfollowed
from ..references.untouched import Untouched
from ..site import signals, tree
from ..site.database import page_connection, require_postgresql
from ..site.models import base_page, page_model
from ..site.sites import clear_root_paths
from ..site.tree import quoted
from ..site.types import Cursor
from . import checks, lost_links, side_rows, twins, values


def convert_plan(
    reply: Reply,
    *,
    old_type: str,
    new_type: str,
    pages: list[int],
    prefix: str,
    move: list[str],
    fields: dict[str, Any],
    ids: str = "new",
) -> dict[str, Any]:
    """Return what `convert` would do with the same arguments; nothing is changed.

    `pages` has what becomes of each page, `field_map` where each field's value comes from,
    `ledger` what refers to the pages, `losses` what would be dropped, with counts, `faults` what
    prevents the conversion, `warnings` what deserves a look, `fires` the project's receivers and
    hooks that are not called, `left` what refers to the pages and is not followed, `marks` page
    ids as `going` or `moved`.
    """
    from django.db import transaction

    field_map = resolved(old_type, new_type, prefix, move, fields, ids)
    connection = page_connection()
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        idmap.load(cursor, dict.fromkeys(pages) if ids == "new" else dict(zip(pages, pages)))
        idmap.require_type(cursor, field_map.old_type)
        tree.require_sound(cursor, refusal="tree", when="before the conversion")
        places = Places(cursor, field_map)
        ledger = ReferenceLedger(cursor, field_map, places, dict.fromkeys(pages, 0), KINDS)
        with kinds.read_values(ledger) as read:
            kinds.find(ledger, read)
        going = on_delete.find(cursor, field_map, places)
        plan = {
            "source": field_map.old_type._meta.label,
            "target": field_map.new_type._meta.label,
            "direction": field_map.direction,
            "ids": ids,
            "prefix": prefix,
            "pages": idmap.facts(cursor, prefix if ids == "new" else ""),
            "field_map": field_table.rows(field_map),
            "losses": _losses(cursor, field_map, going),
            "faults": _faults(cursor, field_map, going, ids, prefix),
            "warnings": [
                *placement.warnings(cursor, field_map.old_type, field_map.new_type, ids=ids),
                *lost_links.warnings(cursor, field_map),
            ],
            "fires": signals.fires(field_map.old_type, field_map.new_type, ids),
            "ledger": ledger.lines(),
            "left": [*unfollowed(cursor, field_map, pages), *ledger.unclear()],
            "marks": idmap.marks(cursor),
        }
        transaction.set_rollback(True, using=connection.alias)
    return plan


def convert(
    reply: Reply,
    *,
    old_type: str,
    new_type: str,
    pages: list[int],
    prefix: str,
    move: list[str],
    fields: dict[str, Any],
    ids: str = "new",
) -> dict[str, Any]:
    """Convert the pages, and drop what the plan named as losses.

    Return `map` (old id to new), `inserted` (rows by table), `moved` (pages that have a new
    parent, or a parent of a new type), `ledger`, `left` as in the plan, `verified` and
    `seconds` by stage. On any fault the transaction is rolled back: raises Refusal with the reason.
    """
    from django.db import transaction

    field_map = resolved(old_type, new_type, prefix, move, fields, ids)
    connection = page_connection()
    locked = locks.tables(field_map.old_type, field_map.new_type)
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        locks.take(cursor, locked)
        if ids == "new":
            fresh = idmap.fresh_ids(cursor, base_page()._meta.db_table, len(pages))
        else:
            fresh = pages
        work = _Conversion(cursor, reply, field_map, dict(zip(pages, fresh)), prefix, ids)
        result = work.run()
    clear_root_paths()
    return result


class _Conversion:
    """One conversion inside of its transaction."""

    STAGES = (
        *("check", "ledger", "fingerprints"),
        *("pages", "references", "links", "revisions", "indexes"),
        *("constraints", "verify"),
    )

    def __init__(
        self,
        cursor: Cursor,
        reply: Reply,
        field_map: FieldMap,
        pages: dict[int, int],
        prefix: str,
        ids: str,
    ) -> None:
        self.cursor = cursor
        self.reply = reply
        self.field_map = field_map
        self.pages = pages
        self.prefix = prefix
        self.ids = ids
        self.fresh = ids == "new"
        self.new_content_type = columns.content_type(field_map.new_type)
        self.seconds: dict[str, float] = {}
        self.verified: list[dict[str, str]] = []

    def run(self) -> dict[str, Any]:
        cursor, field_map = self.cursor, self.field_map
        idmap.load(cursor, self.pages)
        places = Places(cursor, field_map)
        ledger = ReferenceLedger(cursor, field_map, places, self.pages, KINDS)
        with kinds.read_values(ledger) as read:
            with self._stage("check"):
                before = self._check(places)
            with self._stage("ledger"):
                kinds.find(ledger, read)
        with self._stage("fingerprints"):
            named = untouched.named(ledger, self.going)
            before_all = untouched.look(cursor, named)
        with self._stage("pages"):
            inserted = self._pages()
        with self._stage("references"):
            inserted.update(side_rows.move(cursor, field_map, places))
            on_delete.act(cursor, self.going, ledger)
            self._carry("references", ledger)
        with self._stage("links"):
            self._carry("links", ledger)
        with self._stage("revisions"):
            self._carry("revisions", ledger)
            if not self.fresh:
                self._end_left_levels()
        with self._stage("indexes"):
            self._carry("indexes", ledger)
        with self._stage("constraints"):
            # The checks of foreign keys that a commit would do, while there is a way back.
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            self._note("foreign keys", "every deferred constraint holds")
        with self._stage("verify"):
            self._verify(before, ledger)
            kinds.verify(ledger)
            self._require_untouched(before_all, untouched.look(cursor, named))
        return {
            "map": self.pages,
            "inserted": inserted,
            "moved": tree.descendants(cursor),
            "ledger": ledger.lines(),
            "left": [*self.left, *ledger.unclear()],
            "verified": self.verified,
            "seconds": {name: round(taken, 4) for name, taken in self.seconds.items()},
        }

    @contextmanager
    def _stage(self, name: str) -> Iterator[None]:
        began = time.perf_counter()
        self.reply.progress(self.STAGES.index(name), len(self.STAGES), "stages", name)
        yield
        self.seconds[name] = time.perf_counter() - began

    def _carry(self, stage: str, ledger: ReferenceLedger) -> None:
        for kind in KINDS:
            if kind.stage == stage:
                for name, detail in kind.carry(ledger, self.reply):
                    self._note(name, detail)

    def _check(self, places: Places) -> int:
        """Check all that a plan does, and return the number of pages there are."""
        idmap.require_type(self.cursor, self.field_map.old_type)
        tree.require_sound(self.cursor, refusal="tree", when="before the conversion")
        self.going = on_delete.find(self.cursor, self.field_map, places)
        self.left = unfollowed(self.cursor, self.field_map, list(self.pages))
        faults = _faults(self.cursor, self.field_map, self.going, self.ids, self.prefix)
        if faults:
            raise Refusal(
                "placement", "The pages cannot be converted.", found="\n".join(faults[:50])
            )
        return self._page_count()

    def _page_count(self) -> int:
        self.cursor.execute(f"SELECT count(*) FROM {tree.table()}")
        return int(self.cursor.fetchone()[0])

    def _pages(self) -> dict[str, int]:
        cursor, field_map = self.cursor, self.field_map
        inserted: dict[str, int] = {}
        if self.fresh:
            tree.find_room(cursor)
            inserted = levels.insert_copies(
                cursor, field_map.shared, prefix=self.prefix, content_type=self.new_content_type
            )
            tree.count_originals(cursor, 1)
        else:
            base = base_page()._meta
            cursor.execute(
                f"UPDATE {quoted(base.db_table)} p SET content_type_id = %s "
                f"FROM remodel_map m WHERE p.{quoted(base.pk.column)} = m.new",
                [self.new_content_type],
            )
        inserted.update(values.fill(cursor, field_map))
        # Compared at once: from here on, references of the new rows to old pages are followed.
        different = levels.differences(cursor, field_map.shared) if self.fresh else {}
        different.update(values.differences(cursor, field_map))
        if different:
            raise Refusal(
                "verification",
                "The converted pages do not have the values that they should.",
                found="\n".join(
                    f"{name}: pages {ids[: idmap.NAMED]}" for name, ids in different.items()
                ),
            )
        short = {name: count for name, count in inserted.items() if count != len(self.pages)}
        if short:
            raise Refusal("verification", "Not every page was converted.", found=str(short))
        self._note("values", "every field of every page is equal, through the field map")
        return inserted

    def _end_left_levels(self) -> None:
        """Delete the rows of the left levels; only where ids are kept."""
        for level in reversed(self.field_map.left):
            self.cursor.execute(
                f"DELETE FROM {quoted(level._meta.db_table)} t USING remodel_map m "
                f"WHERE t.{levels.key(level)} = m.old"
            )
            if self.cursor.rowcount != len(self.pages):
                raise Refusal(
                    "verification", f"Not exactly the pages' rows of {level._meta.label} ended."
                )

    def _verify(self, before: int, ledger: ReferenceLedger) -> None:
        tree.require_sound(
            self.cursor, refusal="verification", when="after the conversion", prefixed=self.fresh
        )
        self._note("page tree", "treebeard's rules and url_path hold for every page")
        added = len(self.pages) if self.fresh else 0
        if self._page_count() != before + added:
            raise Refusal("verification", "The number of pages is not what it should be.")
        if self.fresh:
            both, old_type = ledger.levels, self.field_map.old_type
            remaining = kinds.remaining(
                Originals(self.cursor, old_type, self.pages, both, ledger.candidates)
            )
            if remaining:
                raise Refusal(
                    "verification",
                    "Something still refers to the old pages.",
                    found="\n".join(f"{name}: {count}" for name, count in remaining.items()),
                )

    def _require_untouched(self, before: Untouched, after: Untouched) -> None:
        changed = untouched.changed(before, after)
        if changed:
            raise Refusal(
                "verification",
                "Something else than what was planned has changed in the database.",
                found="\n".join(changed),
                hint="Look for triggers and rules on these tables.",
            )
        self._note("everything else", before.summary())

    def _note(self, name: str, detail: str) -> None:
        self.verified.append({"name": name, "detail": detail})


def resolved(
    old_type: str, new_type: str, prefix: str, move: list[str], fields: dict[str, Any], ids: str
) -> FieldMap:
    """Return the field map of a conversion. Raise Refusal `unsupported` or `field_map`."""
    require_postgresql(page_connection())
    if ids not in ("new", "kept"):
        raise Refusal("unsupported", f"Ids are new or kept, not {ids!r}.")
    if ids == "new" and not prefix:
        raise Refusal("unsupported", "New pages beside the old ones need a prefix for their slugs.")
    return fieldmap.resolve(
        page_model(old_type), page_model(new_type), prefix=prefix, move=move, fields=fields
    )


def _faults(
    cursor: Cursor, field_map: FieldMap, going: OnDelete, ids: str, prefix: str
) -> list[str]:
    return [
        *placement.faults(cursor, field_map.old_type, field_map.new_type, ids=ids, prefix=prefix),
        *checks.faults(cursor, field_map),
        *going.faults,
        *deeper(cursor, field_map.old_type),
        *kinds.faults(cursor, field_map),
        *(twins.faults(cursor, field_map) if ids == "new" else []),
    ]


def _losses(cursor: Cursor, field_map: FieldMap, going: OnDelete) -> dict[str, int]:
    return {
        **values.losses(cursor, field_map),
        **going.losses,
        **kinds.losses(cursor, field_map.old_type),
    }
