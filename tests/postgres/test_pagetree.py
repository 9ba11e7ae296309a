"""Many pages by their ids: what is wrong with them, without reading each."""

from __future__ import annotations

from wizard.postgres.address import Address, connect
from wizard.project.pagetree import PageTree

PAGES = """
    CREATE TABLE django_content_type (id int PRIMARY KEY, app_label text, model text);
    CREATE TABLE wagtailcore_page (id int PRIMARY KEY, path text, depth int, title text, slug text,
        content_type_id int, live bool, has_unpublished_changes bool, numchild int, url_path text);
    INSERT INTO django_content_type VALUES (1, 'cast', 'blog'), (2, 'cast', 'podcast'),
        (3, 'castShop', 'podcast');
    INSERT INTO wagtailcore_page
    SELECT i, lpad((1000 - i)::text, 4, '0'), 1, 'Page', 'page-' || i, i % 3 + 1, true, false, 0, ''
      FROM generate_series(1, 99) i;
"""


async def test_pages_are_picked_by_the_server(database: Address) -> None:
    async with await connect(database) as connection:
        await connection.execute(PAGES)
    tree = PageTree(database)
    assert list(await tree.slugs_of([1, 3, 2, 100])) == [3, 2, 1]  # in the tree's order
    assert (await tree.slugs_of([7]))[7] == "page-7"
    assert await tree.slugs_of([]) == {}
    assert await tree.of_another_type([100, 4, 1, 3, 2], "cast.Podcast") == [100, 3, 2]
    assert await tree.of_another_type([2, 5], "castShop.Podcast") == []
    assert await tree.of_another_type([], "cast.Podcast") == []
    assert [page.id for page in await tree.among(range(100), limit=2)] == [99, 98]
    assert len(await tree.among(range(100))) == 99
