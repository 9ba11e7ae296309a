"""The converted production database, judged by SQL that shares no code with the product."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg

Connection = psycopg.Connection[Any]

PAGES = """
SELECT p.url_path, p.slug, p.title, p.path, p.depth, p.numchild, p.live,
       t.app_label || '.' || t.model
FROM wagtailcore_page p JOIN django_content_type t ON t.id = p.content_type_id
ORDER BY p.path
"""


@dataclass(frozen=True)
class Before:
    """What a site was before it was converted."""

    urls: dict[str, tuple[str, bool, str]]
    order: list[str]
    podcast: tuple[Any, ...]
    referring: dict[str, int]


REFERRING = {
    "revisions": """
        SELECT count(*) FROM wagtailcore_revision r
        WHERE r.object_id = (SELECT id::text FROM wagtailcore_page WHERE slug = 'show')""",
    "permissions": """
        SELECT count(*) FROM wagtailcore_grouppagepermission
        WHERE page_id = (SELECT id FROM wagtailcore_page WHERE slug = 'show')""",
    "redirects": """
        SELECT count(*) FROM wagtailredirects_redirect
        WHERE redirect_page_id = (SELECT id FROM wagtailcore_page WHERE slug = 'show')""",
    "comments": """
        SELECT count(*) FROM wagtailcore_comment
        WHERE page_id = (SELECT id FROM wagtailcore_page WHERE slug = 'show')""",
    "replies": """
        SELECT count(*) FROM wagtailcore_commentreply r
        JOIN wagtailcore_comment c ON c.id = r.comment_id
        WHERE c.page_id = (SELECT id FROM wagtailcore_page WHERE slug = 'show')""",
    "restrictions": "SELECT count(*) FROM wagtailcore_pageviewrestriction",
    "tags": "SELECT count(*) FROM cast_posttag",
    "featured": """
        SELECT count(*) FROM cast_homepage
        WHERE featured_id = (SELECT id FROM wagtailcore_page WHERE slug = 'show')""",
    "links in rich text and streams": """
        SELECT count(*) FROM cast_post
        WHERE body::text LIKE '%id=\\\\"' || (SELECT id FROM wagtailcore_page WHERE slug = 'show')
              || '\\\\"%'
           OR body::text ~ ('"page": ' || (SELECT id FROM wagtailcore_page WHERE slug = 'show')
              || '[,}]')""",
}


def look(connection: Connection, table: str = "cast_blog") -> Before:
    """Everything that has to be the same afterwards. `table` holds the podcast's fields."""
    pages = connection.execute(PAGES).fetchall()
    podcast = connection.execute(
        f"""
        SELECT f.itunes_artwork_id, f.itunes_categories, f.keywords, f.explicit
        FROM {table} f JOIN wagtailcore_page p
        ON p.id = f.{"page_ptr_id" if table == "cast_blog" else "blog_ptr_id"}
        WHERE p.slug = 'show'
        """.encode()
    ).fetchone()
    assert podcast is not None
    return Before(
        urls={url: (title, live, kind) for url, _, title, _, _, _, live, kind in pages},
        order=[url for url, *_ in pages],
        podcast=podcast,
        referring={name: _one(connection, query) for name, query in REFERRING.items()},
    )


def judge(connection: Connection, before: Before, hostname: str) -> None:
    """Assert that the site was converted and that nothing else about it changed."""
    after = look(connection, "cast_podcast")
    (show,) = [url for url in before.urls if url.endswith("/show/")]
    title, live, kind = before.urls[show]
    assert kind == "cast.blog"
    assert after.urls == {**before.urls, show: (title, live, "cast.podcast")}
    assert after.order == before.order  # siblings stand as they stood
    assert after.podcast == before.podcast
    assert any(after.podcast)
    assert after.referring == before.referring
    assert all(before.referring.values()), before.referring  # the sandbox has one of each
    _judge_tree(connection)
    _judge_schema(connection)
    site = connection.execute("SELECT hostname, port FROM wagtailcore_site").fetchall()
    assert site == [(hostname, 443)]
    assert _one(connection, "SELECT count(*) FROM wagtailcore_page WHERE slug LIKE 'new%'") == 0


def _judge_tree(connection: Connection) -> None:
    pages = connection.execute("SELECT path, depth, numchild FROM wagtailcore_page").fetchall()
    paths = {path for path, _, _ in pages}
    for path, depth, numchild in pages:
        assert len(path) == 4 * depth
        assert depth == 1 or path[:-4] in paths
        assert numchild == sum(1 for other in paths if other[:-4] == path)


def _judge_schema(connection: Connection) -> None:
    columns = connection.execute(
        "SELECT table_name, column_name FROM information_schema.columns "
        "WHERE table_name IN ('cast_blog', 'cast_podcast')"
    ).fetchall()
    moved = {"itunes_artwork_id", "itunes_categories", "keywords", "explicit"}
    assert {name for table, name in columns if table == "cast_podcast"} == {"blog_ptr_id", *moved}
    assert not moved & {name for table, name in columns if table == "cast_blog"}
    prefixed = connection.execute(
        """
        SELECT relname FROM pg_class WHERE relname ~ '(^|_)new_'
        UNION ALL SELECT conname FROM pg_constraint WHERE conname ~ '(^|_)new_'
        UNION ALL SELECT column_name FROM information_schema.columns
        WHERE column_name ~ '^new_' AND table_schema = 'public'
        """
    ).fetchall()
    assert prefixed == []
    invalid = _one(connection, "SELECT count(*) FROM pg_constraint WHERE NOT convalidated")
    assert invalid == 0


def _one(connection: Connection, query: str) -> int:
    row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return int(row[0])


def table_digests(connection: psycopg.Connection[tuple[object, ...]]) -> dict[str, str]:
    """A digest of each table's rows. Left out is what tells the time of the run."""
    tables = connection.execute(
        "SELECT table_name FROM information_schema.tables "
        "WHERE table_schema = 'public' AND table_type = 'BASE TABLE'"
    ).fetchall()
    digests = {}
    for (table,) in tables:
        what = "id, app, name" if table == "django_migrations" else "*"
        rows = connection.execute(
            f"SELECT md5(string_agg(t::text, chr(10) ORDER BY t::text)) "
            f'FROM (SELECT {what} FROM "{table}") t'.encode()
        ).fetchone()
        digests[str(table)] = str(rows)
    return digests
