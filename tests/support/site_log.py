"""Wagtail's log and revisions, as plain tables with many entries."""

from __future__ import annotations

WAGTAIL = """
    CREATE TABLE person (id int PRIMARY KEY, first_name text, last_name text, username text);
    CREATE TABLE wagtailcore_revision (id int PRIMARY KEY, created_at timestamptz, object_str text,
        user_id int REFERENCES person (id));
    CREATE TABLE wagtailcore_pagelogentry (id int PRIMARY KEY, timestamp timestamptz, user_id int,
        action text, label text, revision_id int);
    CREATE TABLE wagtailcore_modellogentry (LIKE wagtailcore_pagelogentry);
    INSERT INTO person VALUES (1, 'Ana', 'Moreira', 'ana'), (2, '', '', 'bo');
    INSERT INTO wagtailcore_revision VALUES (1, now(), 'Before', 1);
    INSERT INTO wagtailcore_pagelogentry VALUES (1, now(), 1, 'wagtail.edit', 'Before', 1);
"""
# A minute apart: each page is edited with a revision, every tenth saved without being published.
WRITTEN = """
    INSERT INTO wagtailcore_revision
    SELECT i, timestamptz '2026-01-01 UTC' + i * interval '1 min', 'Page ' || i, i % 2 + 1
      FROM generate_series(2, {last}) i;
    INSERT INTO wagtailcore_pagelogentry
    SELECT i, timestamptz '2026-01-01 UTC' + i * interval '1 min', NULLIF(i % 3, 2) + 1,
           'wagtail.edit', 'Page ' || i, i
      FROM generate_series(2, {last}) i WHERE i % 10 <> 0;
    INSERT INTO wagtailcore_modellogentry
    SELECT i, timestamptz '2026-01-01 00:00:30 UTC' + i * interval '1 min', 1,
           'shop.price', 'Tea ' || i, NULL
      FROM generate_series(2, {last}) i WHERE i % 10 = 5;
"""
