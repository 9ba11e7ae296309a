"""Ways in which a conversion could lose something quietly: each is told, or refused."""

from __future__ import annotations

from typing import Any

import pytest

from tests.worker.press import Press
from wizard.base.errors import OperationFailed, RemodelError

from .shapes import SIBLING, TO_CHILD

NEW: dict[str, Any] = {**SIBLING, "ids": "new"}

VISIT = """
class Visit(models.Model):
    page = models.ForeignKey(
        Page, on_delete=models.DO_NOTHING, db_constraint=False, related_name="+"
    )
    text = RichTextField()

    class Meta:
        managed = False
"""

CLICK_POLL_VOTE = """
class Click(models.Model):
    link = models.ForeignKey(StandardLink, on_delete=models.DO_NOTHING, db_constraint=False)

    class Meta:
        managed = False


class Poll(models.Model):
    page = models.OneToOneField(
        Page, on_delete=models.CASCADE, primary_key=True, related_name="+"
    )

    class Meta:
        managed = False


class Vote(models.Model):
    poll = models.ForeignKey(Poll, on_delete=models.CASCADE)

    class Meta:
        managed = False
"""


async def faults(press: Press, how: dict[str, Any], pages: list[int]) -> list[str]:
    async with press.site() as site:
        plan = await site.ask("convert_plan", **how, pages=pages)
        return list(plan["faults"])


async def test_a_generic_reference_to_a_row_that_moves(shapes: Press) -> None:
    """A like of a child row, which will be a row of another table with another key."""
    pages = [await shapes.page("guide"), await shapes.page("below")]
    await shapes.shell(
        "from shapes.models import StandardLink\nfrom press.models import Like\n"
        "Like.objects.create(content_object=StandardLink.objects.get(label='one'))"
    )
    (fault,) = await faults(shapes, NEW, pages)
    assert "press_like.object_id: 1 rows refer to rows of shapes_standardlink" in fault


@pytest.mark.slow
async def test_a_function_that_writes(shapes: Press) -> None:
    other = await shapes.page("other")
    before = await shapes.everything()
    shapes.apart()
    (shapes.project / "shapes" / "meddling.py").write_text(
        "def agency(page):\n"
        "    from shapes.models import Category\n"
        "    Category.objects.create(name='meddled')\n"
        "    return 'wire'\n"
    )
    how = {**TO_CHILD, "ids": "kept", "fields": {"agency": {"call": "shapes.meddling.agency"}}}
    async with shapes.site() as site:
        await site.ask("convert", **how, pages=[other])
    after = await shapes.everything()
    assert after["shapes_category"] == before["shapes_category"]
    assert await shapes.value(
        f"SELECT agency FROM shapes_newspage WHERE articlepage_ptr_id = {other}"
    )


async def test_a_table_that_django_does_not_make(shapes: Press) -> None:
    """An unmanaged model's link and foreign key without a constraint follow like any other."""
    guide, below = await shapes.page("guide"), await shapes.page("below")
    shapes.add(VISIT, app="shapes")
    await shapes.query(
        "CREATE TABLE shapes_visit (id serial PRIMARY KEY, page_id int, text text);"
        f"INSERT INTO shapes_visit (page_id, text) "
        f'VALUES ({guide}, \'<a linktype="page" id="{guide}">x</a>\')'
    )
    async with shapes.site() as site:
        done = await site.ask("convert", **NEW, pages=[guide, below])
    new = done["map"][str(guide)]
    ((page, text),) = await shapes.query("SELECT page_id, text FROM shapes_visit")
    assert (page, text) == (new, f'<a linktype="page" id="{new}">x</a>')
    names = {entry["name"]: entry["before"] for entry in done["ledger"]}
    assert names["shapes_visit.page_id"] == names["shapes_visit.text"] == 1


async def test_a_table_outside_of_the_search_path(shapes: Press) -> None:
    other = await shapes.page("other")
    await shapes.query(
        "CREATE SCHEMA audit; CREATE TABLE audit.visits (page_id int REFERENCES wagtailcore_page)"
    )
    async with shapes.site() as site:
        with pytest.raises(OperationFailed, match=r"audit\.visits refers to pages"):
            await site.ask("convert", **TO_CHILD, ids="kept", pages=[other])


async def test_what_only_a_draft_holds(shapes: Press) -> None:
    """A field that is let go, empty on the page; and a block that the new type has not.

    The draft with the block is the latest first, and then an older one that is scheduled.
    """
    guide, below = await shapes.page("guide"), await shapes.page("below")
    await shapes.query(f"UPDATE shapes_standardpage SET note = '' WHERE page_ptr_id = {guide}")
    async with shapes.site() as site:
        plan = await site.ask("convert_plan", **NEW, pages=[guide, below])
    assert "shapes.StandardPage.note" not in plan["losses"]
    assert plan["losses"]["shapes.StandardPage.note (in drafts and history)"] == 1
    await shapes.shell(
        "from shapes.models import StandardPage\n"
        "page = StandardPage.objects.get(slug='guide')\n"
        "page.body = [('quote', 'aye')]\npage.save_revision()"
    )
    (fault,) = await faults(shapes, NEW, [guide, below])
    assert "has blocks quote" in fault
    await shapes.shell(
        "from datetime import timedelta\nfrom django.utils import timezone\n"
        "from shapes.models import StandardPage\n"
        "page = StandardPage.objects.get(slug='guide')\n"
        "page.latest_revision.approved_go_live_at = timezone.now() + timedelta(days=1)\n"
        "page.latest_revision.save()\npage.save_revision()"
    )
    assert await faults(shapes, NEW, [guide, below]) == [fault]


async def test_a_link_in_a_text_that_is_not_rich_any_more(shapes: Press) -> None:
    """Nothing follows a link in plain text, so that the ledger does not balance."""
    other = await shapes.page("other")
    await shapes.query(
        f'UPDATE shapes_articlepage SET intro = \'<a linktype="page" id="{other}">me</a>\' '
        f"WHERE page_id = {other}"
    )
    how = {**NEW, "old_type": "shapes.ArticlePage", "new_type": "shapes.StandardPage"}
    how["fields"] = {"intro": "drop", "note": {"from": "intro"}, "byline": "drop"}
    before = await shapes.everything()
    async with shapes.site() as site:
        with pytest.raises(RemodelError) as caught:
            await site.ask("convert", **how, pages=[other])
    assert "intro" in caught.value.found
    assert await shapes.everything() == before


@pytest.mark.slow
async def test_a_foreign_key_that_only_django_knows(shapes: Press) -> None:
    """To a row that goes to another table, and to one whose key is the page's id."""
    guide, below = await shapes.page("guide"), await shapes.page("below")
    shapes.add(CLICK_POLL_VOTE, app="shapes")
    await shapes.query(
        "CREATE TABLE shapes_click (id serial PRIMARY KEY, link_id int);"
        "INSERT INTO shapes_click (link_id) SELECT id FROM shapes_standardlink WHERE label = 'one';"
        "CREATE TABLE shapes_poll (page_id int PRIMARY KEY REFERENCES wagtailcore_page "
        "DEFERRABLE INITIALLY DEFERRED);"
        "CREATE TABLE shapes_vote (id serial PRIMARY KEY, poll_id int REFERENCES shapes_poll "
        "DEFERRABLE INITIALLY DEFERRED);"
        f"INSERT INTO shapes_poll VALUES ({guide}); INSERT INTO shapes_vote (poll_id) "
        f"VALUES ({guide})"
    )
    assert await faults(shapes, NEW, [guide, below]) == [
        "shapes_click.link_id: 1 rows refer to rows of shapes_standardlink, which go to another "
        "table; empty that column, or let the rows go (drop).",
        "shapes_vote.poll_id: 1 rows refer to rows of shapes_poll, whose key is the page's id and "
        "changes with it; keep the ids.",
    ]
    (fault,) = await faults(shapes, {**SIBLING, "ids": "kept"}, [guide, below])
    assert fault.startswith("shapes_click.link_id")


async def test_a_unique_value_with_no_room_for_a_prefix(shapes: Press) -> None:
    """The copy has it; what the original has until it goes is of no account."""
    other, code = await shapes.page("other"), "c" * 40
    await shapes.query(
        f"UPDATE shapes_articlepage SET code = CASE page_id WHEN {other} THEN '{code}' "
        "ELSE page_id::text END"
    )
    await shapes.query("ALTER TABLE shapes_articlepage ALTER code SET NOT NULL")
    code_field = "code = models.CharField(max_length=40, unique=True"
    shapes.edit(old=f"{code_field}, null=True, blank=True)", new=f"{code_field})", app="shapes")
    async with shapes.site() as site:
        done = await site.ask("convert", **{**TO_CHILD, "ids": "new"}, pages=[other])
    new = done["map"][str(other)]
    assert code == await shapes.value(f"SELECT code FROM shapes_articlepage WHERE page_id = {new}")
