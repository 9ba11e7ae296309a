"""Pages that several of production's fit: resolved by the old type, or refused by name."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from wizard.base.errors import ConfigError
from wizard.base.events import Event, Finding, Report
from wizard.postgres.address import Address, connect
from wizard.project.pagetree import PageTree
from wizard.steps import selection

PAGES = """
    CREATE TABLE django_content_type (id int PRIMARY KEY, app_label text, model text);
    INSERT INTO django_content_type VALUES
        (1, 'wagtailcore', 'page'), (2, 'blog', 'blog'), (3, 'blog', 'post');
    CREATE TABLE wagtailcore_site (root_page_id int);
    CREATE TABLE wagtailcore_page (
        id int PRIMARY KEY, path text COLLATE "C", depth int, numchild int, title text, slug text,
        url_path text, content_type_id int, live bool, has_unpublished_changes bool);
    INSERT INTO wagtailcore_page
    SELECT id, path, length(path) / 4, 0, title, slug, url, type, true, false FROM (VALUES
        (1, '0001', 'Root', 'root', '/', 1),
        (2, '00010001', 'Home', 'home', '/home/', 2),
        (3, '000100010001', 'Twin', 'home', '/home/home/', 3),
        (4, '000100010002', 'Post', 'post', '/home/post/', 3),
        (5, '00010002', 'Other', 'other', '/other/', 1),
        (6, '000100020001', 'Second', 'post', '/other/post/', 3),
        (7, '000100020002', 'Third', 'third', '/other/third/', 1),
        (8, '000100010003', 'Fourth', 'third', '/home/third/', 1)
    ) AS page (id, path, title, slug, url, type);
    INSERT INTO wagtailcore_site VALUES (2), (5)
"""


@pytest.fixture
async def tree(database: Address) -> PageTree:
    async with await connect(database) as connection:
        await connection.execute(PAGES)
    return PageTree(database)


async def look_up(tree: PageTree, report: Report, selector: dict[str, Any], old_type: str) -> None:
    conversion = SimpleNamespace(pages=(selector,), old_type=old_type)
    context = SimpleNamespace(config=SimpleNamespace(conversion=conversion), report=report)
    await selection.look_up(context, tree)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("selector", "old_type", "title"),
    [
        ({"path": "/"}, "blog.Blog", "'Home' at /home/"),
        ({"path": "/home/"}, "blog.Post", "'Twin' at /home/home/"),
        ({"path": "/home"}, "blog.Blog", "'Home' at /home/"),
        ({"slug": "home"}, "blog.Blog", "'Home' at /home/"),
        ({"slug": "home"}, "blog.Post", "'Twin' at /home/home/"),
        ({"id": 2}, "blog.Blog", "'Home' at /home/"),
        ({"under": "/"}, "blog.Blog", "under /; the first is 'Home'"),
        ({"under": "/other/"}, "blog.Post", "under /other/; the first is 'Second'"),
        ({"all": True}, "blog.Post", "in the tree; the first is 'Twin'"),
    ],
)
async def test_the_page_of_the_old_type_is_meant(
    tree: PageTree,
    report: Report,
    events: list[Event],
    selector: dict[str, Any],
    old_type: str,
    title: str,
) -> None:
    await look_up(tree, report, selector, old_type)
    (event,) = events
    assert isinstance(event, Finding)
    assert event.value.endswith(title)


@pytest.mark.parametrize(
    ("selector", "old_type", "said"),
    [
        ({"slug": "post"}, "blog.Post", ("2 pages", "/home/post/", "/other/post/", "by its id")),
        ({"path": "/post/"}, "blog.Post", ("2 pages", "(id 4,", "(id 6,", "by its id")),
        ({"path": "/third/"}, "blog.Post", ("is a blog.Post", "'Third'", "'Fourth'")),
        ({"id": 7}, "blog.Post", ("is a blog.Post", "wagtailcore.Page 'Third'")),
        ({"under": "/home/"}, "blog.Post", ("2 pages", "0001,", "path__startswith")),
    ],
)
async def test_what_is_not_clear_is_refused_by_name(
    tree: PageTree, report: Report, selector: dict[str, Any], old_type: str, said: tuple[str, ...]
) -> None:
    with pytest.raises(ConfigError) as caught:
        await look_up(tree, report, selector, old_type)
    for word in said:
        assert word in str(caught.value).replace(")", ",")
