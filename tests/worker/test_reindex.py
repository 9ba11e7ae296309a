"""The indexes once the moved columns are gone: what Wagtail's own commands would make of them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.worker.press import Press

FIELDS = ["artwork", "keywords", "description"]
MIGRATION: dict[str, Any] = {
    "old_type": "press.Blog",
    "new_type": "press.Podcast",
    "prefix": "new_",
    "fields": FIELDS,
}
MOVE: dict[str, Any] = {
    "old_type": "press.Blog",
    "new_type": "press.Podcast",
    "prefix": "new_",
    "move": FIELDS,
    "ids": "new",
}

MOVED = """\
    {prefix}artwork = models.ForeignKey(
        "wagtailimages.Image", null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    {prefix}keywords = models.CharField(max_length=255, blank=True, default="")
    {prefix}description = RichTextField(blank=True)
"""
SEARCHED = """
    search_fields = {parent}.search_fields + [
        index.SearchField("{prefix}keywords"),
        index.AutocompleteField("{prefix}keywords"),
        index.SearchField("{prefix}description"),
    ]
"""
MAGAZINE = """

class Magazine(Blog):
    issue = models.CharField(max_length=20, blank=True)
    cover = models.ForeignKey(
        "wagtailimages.Image", null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )

    search_fields = Blog.search_fields + [index.SearchField("issue")]
"""
PODCAST = "\n\nclass Podcast(Blog):\n"
STAYING = """
from django.core.management import call_command
call_command("rebuild_references_index", verbosity=0)
from press.models import Blog, Magazine
from wagtail.images.models import Image
from wagtail.models import Page
home, image = Page.objects.get(depth=2), Image.objects.get()
show = Page.objects.get(slug="show")
link = f'<p>lighthouse <a linktype="page" id="{home.pk}">home</a></p>'
for blog in Blog.objects.exclude(pk=show.pk):
    blog.keywords, blog.description, blog.artwork = "anchor", link, image
    blog.save()
home.add_child(instance=Magazine(
    title="Weekly", slug="weekly", keywords="anchor", description=link, artwork=image,
    issue="twelve", cover=image))
show = Blog.objects.get(pk=show.pk)
show.description += link
show.save()
call_command("rebuild_references_index", verbosity=0)
call_command("update_index", verbosity=0)
"""

# Without the references' own content type, as which a rebuild takes the first of a page's chain.
INDEXES = """
SELECT 'reference', base_content_type_id::text, object_id, to_content_type_id::text, to_object_id,
       model_path, content_path, content_path_hash::text
  FROM wagtailcore_referenceindex
UNION ALL
SELECT 'search', c.model, object_id, title::text, body::text, autocomplete::text,
       round(title_norm::numeric, 6)::text, ''
  FROM wagtailsearch_indexentry e JOIN django_content_type c ON c.id = e.content_type_id
ORDER BY 1, 2, 3, 4, 5, 6, 7
"""


def write_models(press: Press, text: str, *, old: str, podcast: str) -> None:
    """The models with this end of the old type's body, a child that stays, and the new type."""
    start, end = text.index("    artwork ="), text.index("    tags = Cluster")
    explicit = text[text.index("    explicit =") : end]
    text = text[:start] + explicit + text[end:]
    text = text.replace("    description = RichTextField(blank=True)\n", "", 1)
    text = text.replace("# new type\n", f"{old}{MAGAZINE}{podcast}")
    text = text.replace(
        "from wagtail.models import", "from wagtail.search import index\nfrom wagtail.models import"
    )
    (press.project / "press" / "models.py").write_text(text)


# Pages that stay, and lose what they hold in the moved fields: told, and consented to.
STAY = {"press.0003": 9, "press.0004": 9}


async def converted(press: Press) -> str:
    """The site after the final migrations, with show converted: its new id."""
    press.apart()
    original = (press.project / "press" / "models.py").read_text()
    both = MOVED.format(prefix="") + SEARCHED.format(parent="Page", prefix="")
    write_models(press, original, old=both, podcast="")
    await press.django("manage.py", "makemigrations", "press", "-v0")
    await press.django("manage.py", "migrate", "-v0")
    await press.shell(STAYING)
    added = MOVED.format(prefix="new_") + SEARCHED.format(parent="Blog", prefix="new_")
    write_models(press, original, old=both, podcast=PODCAST + added)
    async with press.site() as site:
        press.write(await site.ask("make_migration", app="press", kind="add", **MIGRATION))
        await site.restart()
        await site.ask("migrate", discard=STAY)
        show = await press.page("show")
        done = await site.ask("convert", **MOVE, fields={}, pages=[show])
        await site.ask("delete_originals", id_map=done["map"])
        await site.ask("restore_slugs", id_map=done["map"], prefix="new_")
        final = MOVED.format(prefix="") + SEARCHED.format(parent="Blog", prefix="")
        write_models(press, original, old="", podcast=PODCAST + final)
        await site.restart()
        press.write(await site.ask("make_migration", app="press", kind="finish", **MIGRATION))
        await site.restart()
        await site.ask("migrate", discard=STAY)
    return str(done["map"][str(show)])


@pytest.mark.slow
async def test_the_indexes_are_what_wagtail_would_write(press: Press) -> None:
    new = await converted(press)
    stale = {row[2] for row in await press.query(INDEXES) if "anchor" in row[4]}
    assert len(stale) == 3, "what stays has the text of fields that are gone"
    async with press.site() as site:
        changes = await site.ask("reindex", **MIGRATION)
    indexed = await press.query(INDEXES)
    assert changes["searchable"] == 4
    rows = [row for row in indexed if row[2] == new]
    (search,) = [row for row in rows if row[0] == "search"]
    assert search[4].count("'sea':") == 1
    assert {row[5] for row in rows if row[0] == "reference"} >= {"artwork", "description."}
    assert [row for row in indexed if "anchor" in row[4] or "lighthous" in row[4]] == [search]
    async with press.site() as site:
        await site.ask("reindex", **MIGRATION)
    assert await press.query(INDEXES) == indexed
    await press.rebuild_indexes()
    assert await press.query(INDEXES) == indexed


@pytest.mark.slow
async def test_nothing_else_is_indexed_anew(press: Press) -> None:
    """What was out of date before and elsewhere is left to Wagtail's own commands."""
    await converted(press)
    await press.query(
        "UPDATE wagtailsearch_indexentry SET body = 'old' WHERE object_id IN "
        "(SELECT page_ptr_id::text FROM press_entry);"
        "UPDATE wagtailcore_referenceindex SET content_path = 'old' WHERE object_id IN "
        "(SELECT page_ptr_id::text FROM press_entry) OR model_path = 'cover'"
    )
    query = (
        "SELECT t::text FROM wagtailsearch_indexentry t WHERE body = 'old' UNION ALL "
        "SELECT t::text FROM wagtailcore_referenceindex t WHERE content_path = 'old' ORDER BY 1"
    )
    before = await press.query(query)
    async with press.site() as site:
        await site.ask("reindex", **MIGRATION)
    assert await press.query(query) == before
    assert len(before) > 20


@pytest.mark.slow
async def test_a_snippet_that_refers_to_anything(added: Press) -> None:
    """Of which the index knows the page, and the page's content type besides."""
    added.edit(old="class Like(", new="@register_snippet\nclass Like(")
    added.edit(
        old="from wagtail.models import",
        new="from wagtail.snippets.models import register_snippet\nfrom wagtail.models import",
    )
    await added.rebuild_indexes()
    query = (
        "SELECT model_path, to_content_type_id, to_object_id FROM wagtailcore_referenceindex "
        "WHERE model_path LIKE 'content%' ORDER BY 1, 2, 3"
    )
    before = await added.query(query)
    assert [row[0] for row in before] == ["content_object", "content_type"]
    how = {**MOVE, "move": ["artwork", "keywords", "explicit"], "fields": {}}
    async with added.site() as site:
        await site.ask("convert", **how, pages=[await added.page("show")])
    carried = await added.query(query)
    await added.rebuild_indexes()
    assert await added.query(query) == carried
    assert not set(carried) & set(before)
