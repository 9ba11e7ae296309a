"""The conversion: new pages beside the originals, and everything that refers to them carried over.

One transaction, over an id map, in statements whose number does not depend on that of the
pages. Built is the child direction with new ids; the map is what other directions, and ids
that are kept, have in common with it.
"""

from __future__ import annotations

from typing import Any

from . import idmap, links, references, revisions, rows, tree
from .database import page_connection, require_postgresql
from .models import base_page, chain, page_model
from .protocol import Refusal, Reply
from .tree import quoted


def convert_plan(
    reply: Reply,
    *,
    source: str,
    target: str,
    pages: list[int],
    prefix: str,
    fields: list[str],
    ids: str = "new",
) -> dict[str, Any]:
    """What `convert` would do with the same arguments, from the facts alone.

    `pages` tells what becomes of each, `carries` and `drops` count what refers to them by
    `table.column`, `left` is what refers to them and would not be carried, with the reason,
    `clashes` is what stands in the way, `marks` says of page ids `going` or `moved`.
    """
    from django.db import transaction

    old, new, moved = _models(source, target, prefix, fields, ids)
    connection = page_connection()
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        idmap.load(cursor, dict.fromkeys(pages))
        facts = _pages(cursor, old, pages, prefix)
        tree.require_sound(cursor, type="tree", when="before the conversion")
        carries = references.count(cursor, old, own_rows=True)
        followed = links.count(old, pages, own_rows=True)
        plan = {
            "source": old._meta.label,
            "target": new._meta.label,
            "prefix": prefix,
            "moved": moved,
            "pages": facts,
            "carries": {**carries, **followed},
            "drops": references.count_transient(cursor, old),
            "left": _left(cursor, old, pages),
            "clashes": _clashes(cursor, facts),
            "marks": _marks(cursor),
        }
        transaction.set_rollback(True, using=connection.alias)
    return plan


def convert(
    reply: Reply,
    *,
    source: str,
    target: str,
    pages: list[int],
    prefix: str,
    fields: list[str],
    ids: str = "new",
) -> dict[str, Any]:
    """Convert the pages; the originals stay, without children and without anything of theirs.

    Returns `map` (old id to new), `inserted` and `carried` (rows by table or `table.column`),
    `moved` (pages that are below a new page now) and `left` as in the plan. Verified before
    it is committed: on any fault nothing of it happens, and a Refusal `verification` says why.
    """
    from django.db import transaction
    from wagtail.models import Site

    old, new, moved = _models(source, target, prefix, fields, ids)
    connection = page_connection()
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        # Readers may go on; whoever would write to the tree waits until this is over.
        cursor.execute(f"LOCK TABLE {tree.table()} IN SHARE ROW EXCLUSIVE MODE")
        clashes = _clashes(cursor, _pages(cursor, old, pages, prefix))
        if clashes:
            raise Refusal(
                "clash", "The pages cannot have their new slugs.", found="\n".join(clashes)
            )
        tree.require_sound(cursor, type="tree", when="before the conversion")
        work = _Conversion(cursor, reply, old, new, moved, pages, prefix)
        result = work.run()
    Site.clear_site_root_paths_cache()
    return result


class _Conversion:
    """One conversion inside of its transaction."""

    STAGES = 6

    def __init__(
        self,
        cursor: Any,
        reply: Reply,
        source: Any,
        target: Any,
        moved: dict[str, str],
        pages: list[int],
        prefix: str,
    ) -> None:
        self.cursor = cursor
        self.reply = reply
        self.source = source
        self.target = target
        self.moved = moved
        self.prefix = prefix
        self.old_type = _content_type(source)
        self.new_type = _content_type(target)
        self.pages = dict(
            zip(pages, idmap.fresh_ids(cursor, base_page()._meta.db_table, len(pages)))
        )

    def run(self) -> dict[str, Any]:
        cursor, pages = self.cursor, self.pages
        idmap.load(cursor, pages)
        before = self._page_count()
        self._tell(0, "inserting the new pages")
        inserted = self._insert()
        self._tell(1, "moving the children")
        descendants = tree.move_children(cursor)
        self._tell(2, "carrying what refers to the pages")
        carried = references.carry(
            cursor, self.source, old_type=self.old_type, new_type=self.new_type
        )
        self._tell(3, "following links inside of text")
        carried.update(links.carry(cursor, self.source, pages))
        self._tell(4, "rewriting revisions")
        own = revisions.convert(
            cursor,
            self.source,
            self.target,
            pages,
            content_type=self.new_type,
            moved=self.moved,
        )
        carried["wagtailcore_revision.content"] = own + revisions.carry_links(
            cursor, self.source, pages
        )
        self._strip_originals()
        self._tell(5, "verifying")
        self._verify(before)
        self._tell(6, "verified")
        return {
            "map": pages,
            "inserted": inserted,
            "moved": descendants,
            "carried": {name: number for name, number in carried.items() if number},
            "left": _left(cursor, self.source, list(pages)),
        }

    def _tell(self, done: int, note: str) -> None:
        self.reply.progress(done, self.STAGES, "stages", note)

    def _page_count(self) -> int:
        self.cursor.execute(f"SELECT count(*) FROM {tree.table()}")
        return int(self.cursor.fetchone()[0])

    def _insert(self) -> dict[str, int]:
        free = tree.places_beside(self.cursor, list(self.pages))
        self.cursor.execute(
            "UPDATE remodel_map m SET path = w.path "
            "FROM unnest(%s::bigint[], %s::text[]) AS w (id, path) WHERE m.old = w.id",
            [list(free), list(free.values())],
        )
        inserted = rows.insert_copies(
            self.cursor,
            self.source,
            self.target,
            prefix=self.prefix,
            moved=self.moved,
            content_type=self.new_type,
        )
        tree.count_children(self.cursor, "new", 1)
        # Compared at once: from here on, references of the new rows to old pages are followed.
        different = rows.differences(self.cursor, self.source, self.target, moved=self.moved)
        if different:
            raise Refusal(
                "verification",
                "The new pages do not have the values of the old ones.",
                found="\n".join(f"{name}: pages {ids[:20]}" for name, ids in different.items()),
            )
        short = {name: count for name, count in inserted.items() if count != len(self.pages)}
        if short:
            raise Refusal("verification", "Not every page was copied.", found=str(short))
        return inserted

    def _strip_originals(self) -> None:
        """The revisions belong to the new pages now; nothing may lead to them from the old."""
        self.cursor.execute(
            f"UPDATE {tree.table()} p SET latest_revision_id = NULL, live_revision_id = NULL "
            "FROM remodel_map m WHERE m.old = p.id"
        )

    def _verify(self, before: int) -> None:
        tree.require_sound(self.cursor, type="verification", when="after the conversion")
        remaining = references.count(self.cursor, self.source, own_rows=False)
        remaining.update(links.count(self.source, self.pages, own_rows=False))
        if remaining:
            raise Refusal(
                "verification",
                "Something still refers to the old pages.",
                found="\n".join(f"{name}: {count}" for name, count in remaining.items()),
            )
        if self._page_count() != before + len(self.pages):
            raise Refusal("verification", "The number of pages is not what it should be.")
        self.cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def _models(
    source: str, target: str, prefix: str, fields: list[str], ids: str
) -> tuple[Any, Any, dict[str, str]]:
    """The two models, and the moved fields as `{name on the target: name on the source}`."""
    require_postgresql(page_connection())
    old, new = page_model(source), page_model(target)
    if chain(new)[:-1] != chain(old):
        raise Refusal(
            "unsupported",
            f"{target} is not a child of {source}: only that direction can be converted yet.",
            found="Its chain is " + " > ".join(level._meta.label for level in chain(new)),
        )
    if ids != "new":
        raise Refusal("unsupported", f"Ids can only be new yet, not {ids!r}.")
    if not prefix:
        raise Refusal("unsupported", "New pages beside the old ones need a prefix for their slugs.")
    own_old = {field.name for field in old._meta.local_concrete_fields}
    own_new = {field.name for field in new._meta.local_concrete_fields}
    for field in fields:
        if field not in own_old or prefix + field not in own_new:
            raise Refusal(
                "unsupported",
                f"The field {field} cannot be moved from {source} to {prefix}{field} on {target}.",
                found=f"{source} has {', '.join(sorted(own_old))}; "
                f"{target} has {', '.join(sorted(own_new))}.",
                hint="A moved field is a column of its own on both. Was the migration applied?",
            )
    return old, new, {prefix + field: field for field in fields}


def _content_type(model: Any) -> int:
    from django.contrib.contenttypes.models import ContentType

    return int(ContentType.objects.get_for_model(model, for_concrete_model=False).pk)


def _pages(cursor: Any, source: Any, pages: list[int], prefix: str) -> list[dict[str, Any]]:
    """The facts of the pages to be converted. Raises Refusal `no_page` or `wrong_type`."""
    if not pages:
        raise Refusal("no_page", "No page is named to be converted.")
    cursor.execute(
        f"""
        SELECT p.id, p.title, p.slug, %s || p.slug, p.url_path, p.live, p.depth, p.numchild,
               p.content_type_id, parent.id, parent.title,
               (SELECT count(*) FROM {tree.table()} d
                 WHERE d.path LIKE p.path || '%%' AND d.depth > p.depth)
          FROM {tree.table()} p
          LEFT JOIN {tree.table()} parent
            ON parent.path = left(p.path, -{tree.step()}) AND p.depth > 1
         WHERE p.id = ANY(%s) ORDER BY p.path
        """,
        [prefix, pages],
    )
    found = cursor.fetchall()
    missing = sorted(set(pages) - {row[0] for row in found})
    if missing:
        raise Refusal("no_page", f"There are no pages with the ids {missing}.")
    wrong = [row[0] for row in found if row[8] != _content_type(source) or row[6] < 2]
    if wrong:
        raise Refusal("wrong_type", f"The pages {wrong} are not of the type {source._meta.label}.")
    return [
        {
            "old": row[0],
            "title": row[1],
            "slug": row[2],
            "new_slug": row[3],
            "url_path": row[4],
            "live": row[5],
            "children": row[7],
            "parent": row[9],
            "parent_title": row[10],
            "descendants": row[11],
        }
        for row in found
    ]


def _clashes(cursor: Any, facts: list[dict[str, Any]]) -> list[str]:
    """What stands in the way of the new slugs, one line each."""
    limit = base_page()._meta.get_field("slug").max_length
    found = [
        f"{page['new_slug']!r} is longer than the {limit} characters of a slug"
        for page in facts
        if len(page["new_slug"]) > limit
    ]
    cursor.execute(
        f"""
        SELECT s.id, s.slug, s.title FROM {tree.table()} s
          JOIN {tree.table()} parent ON parent.path = left(s.path, -{tree.step()})
          JOIN unnest(%s::bigint[], %s::text[]) AS w (parent, slug)
            ON w.parent = parent.id AND w.slug = s.slug
        """,
        [[page["parent"] for page in facts], [page["new_slug"] for page in facts]],
    )
    found += [
        f"page {id} ({title!r}) has the slug {slug!r}" for id, slug, title in cursor.fetchall()
    ]
    return found


def _marks(cursor: Any) -> dict[int, str]:
    cursor.execute(
        f"""
        SELECT c.id FROM {tree.table()} c
          JOIN {tree.table()} p ON p.path = left(c.path, -{tree.step()})
          JOIN remodel_map m ON m.old = p.id WHERE length(c.path) > {tree.step()}
        """
    )
    marks = {row[0]: "moved" for row in cursor.fetchall()}
    cursor.execute("SELECT old FROM remodel_map")
    marks.update({row[0]: "going" for row in cursor.fetchall()})
    return marks


def _left(cursor: Any, source: Any, pages: list[int]) -> list[dict[str, Any]]:
    """What has to do with the pages and is not carried: `{name, count, why}` each."""
    from django.conf import settings

    found = []
    for link in references.subclass_links(source):
        cursor.execute(
            f"SELECT count(*) FROM {quoted(link.table)} WHERE {quoted(link.column)} = ANY(%s)",
            [pages],
        )
        found.append((link.name, cursor.fetchone()[0], "a row of a page of another type"))
    cursor.execute(
        f"SELECT count(*) FROM {tree.table()} p "
        "JOIN remodel_map m ON p.alias_of_id IN (m.old, m.new)"
    )
    found.append(
        (
            "wagtailcore_page.alias_of_id",
            cursor.fetchone()[0],
            "aliases keep the old type: repointed, but they no longer follow what is published",
        )
    )
    for name, count in links.unfollowed(cursor, pages).items():
        found.append((name, count, "a link in a field that Wagtail does not know as rich text"))
    for name, backend in getattr(settings, "WAGTAILSEARCH_BACKENDS", {}).items():
        if "database" not in str(backend.get("BACKEND", "database")):
            found.append((f"search backend {name}", 1, "not in the database: run update_index"))
    return [{"name": name, "count": count, "why": why} for name, count, why in found if count]
