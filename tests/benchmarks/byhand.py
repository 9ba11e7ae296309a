"""Posts made episodes by the statements that a database person would write: the tables alone.

No reference is followed and nothing is verified; that is what the comparison is for.
"""

from __future__ import annotations

import time

from wizard.postgres.address import Address, connect

TYPE = "(SELECT id FROM django_content_type WHERE app_label = 'bench' AND model = '{}')"
POST, EPISODE = TYPE.format("post"), TYPE.format("episode")
PAGE = "(SELECT id FROM django_content_type WHERE app_label = 'wagtailcore' AND model = 'page')"

KEPT = [
    f"""
    INSERT INTO bench_episode (post_ptr_id, number, keywords, block)
    SELECT p.id, NULL, '', false FROM wagtailcore_page p WHERE p.content_type_id = {POST}
    """,
    f"""
    UPDATE wagtailcore_revision
       SET content_type_id = {EPISODE},
           content = content || jsonb_build_object('content_type', {EPISODE})
     WHERE content_type_id = {POST}
    """,
    f"UPDATE wagtailcore_page SET content_type_id = {EPISODE} WHERE content_type_id = {POST}",
]

NEW = [
    f"""
    CREATE TEMPORARY TABLE map ON COMMIT DROP AS
    SELECT p.id AS old, nextval(pg_get_serial_sequence('wagtailcore_page', 'id')) AS new,
           p.path, p.latest_revision_id, p.live_revision_id
      FROM wagtailcore_page p WHERE p.content_type_id = {POST} ORDER BY p.path
    """,
    "ANALYZE map",
    # Out of the way: Z is after every step that is taken, and no reader looks before the commit.
    """
    UPDATE wagtailcore_page p
       SET path = left(p.path, -4) || 'Z' || right(p.path, 3),
           latest_revision_id = NULL, live_revision_id = NULL
      FROM map m WHERE m.old = p.id
    """,
    f"""
    INSERT INTO wagtailcore_page (
        id, path, depth, numchild, title, slug, live, has_unpublished_changes, url_path, seo_title,
        show_in_menus, search_description, go_live_at, expire_at, expired, content_type_id,
        owner_id, locked, latest_revision_created_at, first_published_at, live_revision_id,
        last_published_at, draft_title, locked_at, locked_by_id, translation_key, locale_id,
        alias_of_id, latest_revision_id)
    SELECT m.new, m.path, p.depth, p.numchild, p.title, 'new_' || p.slug, p.live,
           p.has_unpublished_changes,
           left(p.url_path, -length(p.slug) - 1) || 'new_' || p.slug || '/', p.seo_title,
           p.show_in_menus, p.search_description, p.go_live_at, p.expire_at, p.expired, {EPISODE},
           p.owner_id, p.locked, p.latest_revision_created_at, p.first_published_at,
           m.live_revision_id, p.last_published_at, p.draft_title, p.locked_at, p.locked_by_id,
           gen_random_uuid(), p.locale_id, p.alias_of_id, m.latest_revision_id
      FROM map m JOIN wagtailcore_page p ON p.id = m.old
    """,
    """
    UPDATE wagtailcore_page p SET numchild = p.numchild + c.number
      FROM (SELECT left(path, -4) AS path, count(*) AS number FROM map GROUP BY 1) c
     WHERE p.path = c.path
    """,
    """
    INSERT INTO bench_post (page_ptr_id, intro, body)
    SELECT m.new, p.intro, p.body FROM map m JOIN bench_post p ON p.page_ptr_id = m.old
    """,
    """
    INSERT INTO bench_episode (post_ptr_id, number, keywords, block)
    SELECT m.new, NULL, '', false FROM map m
    """,
    f"""
    UPDATE wagtailcore_revision r
       SET object_id = m.new::text, content_type_id = {EPISODE},
           content = content || jsonb_build_object('pk', m.new, 'content_type', {EPISODE})
      FROM map m WHERE r.object_id = m.old::text AND r.base_content_type_id = {PAGE}
    """,
]


async def by_hand(address: Address, ids: str) -> float:
    """Seconds of the statements for ids `kept` or `new`, in one transaction."""
    async with await connect(address) as connection:
        began = time.perf_counter()
        async with connection.transaction():
            for statement in KEPT if ids == "kept" else NEW:
                await connection.execute(statement.encode())
        return time.perf_counter() - began
