"""Unique rules that a page and its copy would both break, whoever made them."""

from __future__ import annotations

import pytest

from tests.worker.press import MOVE, Press

INDEX = "CREATE UNIQUE INDEX rule ON press_blog "
HELD = "description <> ''"  # the show's alone


@pytest.mark.parametrize(
    ("rule", "broken"),
    [
        (INDEX + f"(description) WHERE {HELD}", True),
        (INDEX + f"(left(description, 9), md5(description)) WHERE {HELD}", True),
        (INDEX + "(description) WHERE description LIKE '%nothing like it%'", False),
        (INDEX + "(page_ptr_id, description)", False),
        (INDEX + "(nullif(description, description))", False),
        ("ALTER TABLE press_blog ADD CONSTRAINT rule UNIQUE (keywords, artwork_id)", False),
        ("CREATE UNIQUE INDEX rule ON wagtailcore_page (title, depth)", True),
        ("CREATE UNIQUE INDEX rule ON wagtailcore_page (lower(url_path))", False),
        (
            "ALTER TABLE press_blog ADD CONSTRAINT rule EXCLUDE (description WITH =) "
            f"WHERE ({HELD})",
            True,
        ),
    ],
)
async def test_names_the_rule_before_anything_is_done(
    added: Press, rule: str, broken: bool
) -> None:
    await added.query("UPDATE press_blog SET artwork_id = NULL, description = ''")
    show = await added.page("show")
    await added.query(f"UPDATE press_blog SET description = 'salt' WHERE page_ptr_id = {show}")
    await added.query(rule)
    async with added.site() as site:
        new = await site.ask("convert_plan", **MOVE, pages=[show], ids="new")
        kept = await site.ask("convert_plan", **MOVE, pages=[show], ids="kept")
        if not broken:
            await site.ask("convert", **MOVE, pages=[show], ids="new")
    assert kept["faults"] == []
    assert len(new["faults"]) == broken
    if broken:
        (fault,) = new["faults"]
        assert "(rule)" in fault
        assert f"{show}" in fault
        assert "Keep the ids" in fault
