"""The values that a field map fills in, and what does not fit."""

from __future__ import annotations

import json

from tests.worker.field_map_code import FITTING, _told
from tests.worker.press import Press


async def test_faults_name_the_pages_whose_values_do_not_fit(press: Press) -> None:
    told = await _told(
        press,
        """
load("plain", "rich", "long")
models.StandardPage.objects.filter(slug="plain").update(code="taken")
models.StandardPage.objects.filter(slug="long").update(contact="nobody")
models.StandardPage.objects.filter(slug="rich").update(contact="ana@example.org")
models.StandardLink.objects.filter(label="a").update(label="n" * 90)
found = resolve(*SIBLINGS, {"byline": {"from": "title"}})
told["faults"] = checks.faults(cursor, found)
models.StandardLink.objects.all().delete()
models.StandardPage.objects.update(contact="")
told["renamed"] = checks.faults(cursor, resolve(*SIBLINGS, {"byline": {"from": "note"},
    "code": "drop", "rating": "drop", "body": "drop", "layout": {"from": "summary"}}))
told["unique"] = checks.faults(cursor, resolve(*SIBLINGS, {"code": {"value": "one"},
    "rating": {"from": "minutes"}, "body": "drop", "layout": "drop"}))
told["ids"] = ids
""",
    )
    ids = told["ids"]
    body, code, rating, layout, contact, clash, label = told["faults"]
    assert contact == (
        "shapes.StandardPage.contact is refused by shapes.ArticlePage.contact: "
        f"Enter a valid email address. (page {ids['long']})"
    )
    assert label == (
        "shapes.StandardLink.label is longer than the 80 of shapes.ArticleLink.label "
        f"(page {ids['rich']})."
    )
    assert body.endswith(
        f"has blocks quote, which shapes.ArticlePage.body has not (page {ids['rich']})."
    )
    assert code == (
        "shapes.StandardPage.code is longer than the 40 of shapes.ArticlePage.code "
        f"(page {ids['long']})."
    )
    assert rating.startswith("shapes.StandardPage.rating is NULL")
    assert layout.startswith("shapes.StandardPage.layout is not among")
    assert layout.endswith(f"(page {ids['rich']}).")
    assert clash == (
        "shapes.ArticlePage.code must be unique, and another row has the value "
        f"(page {ids['plain']})."
    )
    choices, note = sorted(told["renamed"])
    assert note.startswith("shapes.StandardPage.summary is not among")
    assert "note is longer than the 20" in choices
    assert [line.split(",")[0] for line in told["unique"]] == [
        "shapes.StandardPage.minutes is NULL",
        "shapes.ArticlePage.code must be unique",
    ]
    assert told["unique"][1].endswith(
        f"would be equal on (3 pages: {ids['plain']}, {ids['rich']}, {ids['long']})."
    )


async def test_what_fits_is_filled_and_compared(press: Press) -> None:
    told = await _told(
        press,
        FITTING
        + """
load("plain", "rich", "long")
from shapes import computing
found = resolve(*SIBLINGS, {"byline": {"call": "shapes.computing.byline"},
    "author": {"value": None}, "image": {"call": "shapes.computing.picture"}})
told["faults"] = checks.faults(cursor, found)
told["inserted"] = values.fill(cursor, found)
told["calls"] = len(computing.calls)
told["same"] = values.differences(cursor, found)
cursor.execute("SELECT p.slug, a.intro, a.body::text, a.code, a.rating, a.layout, a.byline, "
    "a.image_id IS NOT NULL FROM shapes_articlepage a JOIN wagtailcore_page p ON p.id = a.page_id "
    "JOIN remodel_map ON old = p.id ORDER BY p.id")
told["rows"] = cursor.fetchall()
cursor.execute("UPDATE shapes_articlepage SET rating = 9, byline = 'x', layout = 'x' "
    "WHERE page_id = %s", [ids["rich"]])
cursor.execute("DELETE FROM shapes_articlepage WHERE page_id = %s", [ids["long"]])
told["changed"] = values.differences(cursor, found)
told["ids"] = ids
transaction.set_rollback(True)
""",
    )
    ids = told["ids"]
    assert told["faults"] == []
    assert told["inserted"] == {"shapes_articlepage": 3}
    assert told["calls"] == 3  # once a page, for the check and the rows together
    assert told["same"] == {}
    plain, rich, long = told["rows"]
    assert [*plain[3:]] == [None, 3, "wide", "plain 3", True]
    assert f'id="{ids["plain"]}"' in rich[1]
    assert "100% text" in rich[2]
    assert [*rich[3:]] == ["rich-1", 4, "narrow", "rich 4", False]
    assert long[3] == "long"
    assert told["changed"] == {
        "shapes_articlepage.page_id": [ids["long"]],
        "shapes_articlepage.rating": [ids["rich"]],
        "shapes_articlepage.layout": [ids["rich"]],
        "shapes_articlepage.byline": [ids["rich"]],
    }


async def test_several_levels_defaults_of_their_own_and_wider_types(press: Press) -> None:
    told = await _told(
        press,
        """
load("guide")
found = resolve(models.GuidePage, models.NewsPage, {"byline": {"from": "hint"},
    "rating": {"from": "steps"}, "agency": {"from": "colour"}, "figures": {"value": {"a": 1}}})
told["faults"] = checks.faults(cursor, found)
told["inserted"] = values.fill(cursor, found)
told["same"] = values.differences(cursor, found)
cursor.execute("SELECT a.byline, a.rating, n.agency, n.figures::text, n.urgent FROM "
    "shapes_newspage n JOIN shapes_articlepage a ON a.page_id = n.articlepage_ptr_id "
    "WHERE a.page_id = %s", [ids["guide"]])
told["row"] = cursor.fetchone()
told["losses"] = values.losses(cursor, found)
""",
    )
    assert told["faults"] == []
    assert told["inserted"] == {"shapes_articlepage": 1, "shapes_newspage": 1}
    assert told["same"] == {}
    assert told["row"] == ["mind", 3, "red", '{"a": 1}', False]
    assert told["losses"] == {}


async def test_defaults_of_each_page_times_and_decimals(press: Press) -> None:
    told = await _told(
        press,
        """
second = models.GuidePage(title="Second", slug="second", steps=4)
models.Page.objects.get(depth=2).add_child(instance=second)
ids["second"] = second.pk
load("guide", "second")
found = resolve(models.GuidePage, models.ManualPage,
    {"edition": {"value": "first"}, "price": {"from": "steps"}})
stream = {"body": {"value": [{"type": "text", "value": "<p>a</p>"}]}}
told["stream"] = [row["value"] for row in field_table.rows(resolve(*SIBLINGS, stream))
    if row["target"] == "body"]
told["notes"] = {row["target"]: [row["value"], row["note"]] for row in field_table.rows(found)}
told["faults"] = checks.faults(cursor, found)
told["inserted"] = values.fill(cursor, found)
told["same"] = values.differences(cursor, found)
cursor.execute("SELECT count(DISTINCT token), count(DISTINCT printed), array_agg(price::text "
    "ORDER BY price) FROM shapes_manualpage")
told["row"] = cursor.fetchone()
models.GuidePage.objects.filter(slug="guide").update(steps=123)
told["wrong"] = checks.faults(cursor, found)
told["ids"] = ids
transaction.set_rollback(True)
""",
    )
    assert told["notes"]["token"] == [None, "another one for each page"]
    assert told["notes"]["printed"] == [None, "the time of the conversion"]
    (stream,) = told["stream"]
    assert json.loads(stream) == [{"type": "text", "value": "<p>a</p>"}]
    assert told["notes"]["edition"] == ["first", ""]
    assert told["faults"] == []
    assert told["inserted"] == {"shapes_manualpage": 2}
    assert told["same"] == {}
    assert told["row"] == [2, 1, ["3.0", "4.0"]]
    assert told["wrong"][0] == (
        "shapes.GuidePage.steps does not fit DecimalField(3, 1) shapes.ManualPage.price "
        f"(page {told['ids']['guide']})."
    )


async def test_losses_count_pages_that_hold_something(press: Press) -> None:
    told = await _told(
        press,
        """
load("plain", "rich", "long", "fresh")
found = resolve(*SIBLINGS, {"gallery": {"from": "pictures"}, "tags": "drop", "rating": "drop",
    "body": "drop", "code": "drop"})
told["sibling"] = values.losses(cursor, found)
told["parent"] = values.losses(cursor, resolve(models.NewsPage, models.ArticlePage))
""",
    )
    assert told["sibling"] == {
        "shapes.StandardPage.body": 1,
        "shapes.StandardPage.code": 2,
        "shapes.StandardPage.rating": 1,  # 3; NULL, and 0 by default, are nothing
        "shapes.StandardPage.note": 1,
        "shapes.StandardPage.minutes": 2,
        "shapes.StandardPage.tags": 1,
        "shapes.StandardPage.facts": 1,
        "shapes.StandardPicture.credit": 1,
    }
    assert told["parent"] == {
        "shapes.NewsPage.agency": 1,
        "shapes.NewsPage.published": 1,
        "shapes.NewsPage.figures": 1,
    }


async def test_functions_that_fail_are_told_with_their_pages(press: Press) -> None:
    told = await _told(
        press,
        FITTING
        + """
load("plain", "rich", "long")
def computing(name):
    return resolve(*SIBLINGS, {"byline": {"call": f"shapes.computing.{name}"}})
told["long"] = checks.faults(cursor, computing("long_byline"))
told["failing"] = refused(values.fill, cursor, computing("failing"))
told["query"] = refused(checks.faults, cursor, computing("failing_query"))
told["ids"] = ids
transaction.set_rollback(True)
""",
    )
    ids = told["ids"]
    (long,) = told["long"]
    assert "at most 20 characters" in long
    assert long.endswith(f"(page {ids['rich']})")
    (failing,) = told["failing"]["found"]
    assert "shapes.computing.failing raised AttributeError" in failing
    assert failing.endswith(f"(page {ids['plain']})")
    assert told["query"]["type"] == "values"
    assert "nowhere" in told["query"]["found"][0]


async def test_moved_fields_stay_where_they_were(added: Press) -> None:
    told = await _told(
        added,
        """
from press.models import Blog, Podcast
found = resolve(Blog, Podcast, {}, ["artwork", "keywords", "explicit"])
told["carries"] = [
    [row.field.name, row.how, row.origin.name] for row in found.field_sources]
told["renames"], told["copies"] = fieldmap.renames(found), fieldmap.copies(found)
show = Blog.objects.get(slug="show").pk
idmap.load(cursor, {show: show})
told["faults"] = checks.faults(cursor, found)
told["inserted"] = values.fill(cursor, found)
told["same"] = values.differences(cursor, found)
cursor.execute("SELECT new_keywords, new_explicit FROM press_podcast")
told["row"] = cursor.fetchone()
found = resolve(Blog, Podcast, {"keywords": {"value": "none"}}, ["keywords"])
told["said"] = [row.how for row in found.field_sources]
""",
    )
    assert told["carries"] == [
        ["new_artwork", "moved", "artwork"],
        ["new_keywords", "moved", "keywords"],
        ["new_explicit", "moved", "explicit"],
    ]
    assert told["renames"] == {}
    assert ["keywords", "new_keywords"] in told["copies"]
    assert told["faults"] == []
    assert told["inserted"] == {"press_podcast": 1}
    assert told["same"] == {}
    assert told["row"] == ["sea, harbour", 2]
    assert told["said"] == ["default", "constant", "default"]


async def test_the_table_to_edit_offers_what_fits(press: Press) -> None:
    told = await _told(
        press,
        """
told = field_table.describe_field_map(
    None, old_type="shapes.StandardPage", new_type="shapes.ArticlePage",
    prefix="new_", move=[], fields={"byline": "wide"})
""",
    )
    assert told["direction"] == "sibling"
    assert len(told["faults"]) == 1
    assert told["choices"]["rating"] == ["minutes", "rating"]
    assert "title" in told["choices"]["byline"]
    assert told["choices"]["image"] == ["image"]
    assert told["choices"]["links"] == ["facts", "links", "pictures"]
    assert told["choices"]["tags"] == ["tags"]
    assert told["dropped"] == ["note", "minutes", "pictures", "facts"]
