"""The field map: resolved, checked against every value, filled and compared."""

from __future__ import annotations

from tests.worker.field_map_code import _told
from tests.worker.press import Press


async def test_resolve_decides_field_by_field(press: Press) -> None:
    told = await _told(
        press,
        """
found = resolve(*SIBLINGS, {"byline": {"from": "title"}, "gallery": {"from": "pictures"},
    "image": "drop", "rating": {"value": "7"}, "summary": {"call": "shapes.computing.byline"}})
told["rows"] = {row["target"] or row["source"]: row for row in field_table.rows(found)}
told["direction"] = found.direction
told["renames"], told["copies"] = fieldmap.renames(found), fieldmap.copies(found)
told["value"] = next(
    row.value for row in found.field_sources if row.field.name == "rating")
pictures = next(rows for rows in found.related_rows if rows.old_relation == "pictures")
told["defaults"] = [[field.name, value] for field, value in pictures.defaults]
""",
    )
    rows = told["rows"]
    assert {name: row["how"] for name, row in rows.items()} == {
        "summary": "computed",
        "intro": "same",
        "body": "same",
        "image": "dropped",  # the new type's gets its default, the old type's is let go
        "code": "same",
        "contact": "same",
        "rating": "dropped",
        "layout": "same",
        "byline": "renamed",
        "author": "default",
        "categories": "rows",
        "related": "rows",
        "tags": "rows",
        "links": "rows",
        "gallery": "rows",
        "note": "dropped",
        "minutes": "dropped",
        "facts": "dropped",
    } | {"summary": "dropped"}
    assert told["direction"] == "sibling"
    assert told["value"] == 7
    assert rows["byline"]["source"] == "title"
    assert rows["body"]["note"] == "no blocks quote"
    assert rows["gallery"]["source"] == "pictures"
    assert rows["gallery"]["note"] == "let go: credit; default: wide"
    assert told["defaults"] == [["wide", False]]
    assert told["renames"]["pictures"] == "gallery"
    assert told["renames"]["tagged"] == "tagged"
    assert told["renames"]["image"] is None
    assert "title" not in told["renames"]
    assert told["copies"] == [["title", "byline"]]


async def test_resolve_tells_every_fault_at_once(press: Press) -> None:
    told = await _told(
        press,
        """
told["sibling"] = refused(resolve, *SIBLINGS, {
    "byline": "wide",
    "rating": {"from": "note"},
    "layout": {"value": "tall"},
    "intro": {"from": "intor"},
    "code": {"call": "shapes.computing.nothing"},
    "body": {"call": "shapes.computing.not_a_function"},
    "gallery": {"from": "facts", "value": 1},
    "links": {"from": "tags"},
    "bylines": "drop",
    "title": {"value": "x"},
    "facts": {"from": "links"},
}, move=["note"])
told["child"] = refused(resolve, models.ArticlePage, models.NewsPage, {}, ["byline", "nothing"])
told["required"] = refused(resolve, models.GuidePage, models.ManualPage)
told["itself"] = refused(resolve, models.GuidePage, models.GuidePage)
""",
    )
    assert told["sibling"]["type"] == "field_map"
    found = {line.split(":")[0]: line for line in told["sibling"]["found"]}
    assert "'wide' could be a field or a value" in found["byline"]
    assert "TextField does not become IntegerField" in found["rating"]
    assert "'tall' is not a valid choice" in found["layout"]
    assert "Did you mean intro" in found["intro"]
    assert "shapes.computing.nothing cannot be called" in found["code"]
    assert "It is a int, not a function" in found["body"]
    assert "is not one of from, value and call" in found["gallery"]
    assert "tags are not children" in found["links"]
    told_of = "\n".join(told["sibling"]["found"])
    assert "bylines is neither" in told_of
    assert "Did you mean byline" in told_of
    assert "title belongs to both types" in told_of
    assert "facts is neither" in told_of
    assert "Leave `move` empty" in told_of
    assert len(told["sibling"]["found"]) == 13
    assert [line.split(" is ")[0] for line in told["child"]["found"]] == [
        "byline",
        "nothing",
    ]
    (required,) = told["required"]["found"]
    assert required.startswith("edition: shapes.ManualPage needs a value")
    assert told["itself"]["found"] == ["They are the same."]


async def test_the_three_directions(press: Press) -> None:
    told = await _told(
        press,
        """
def labels(levels): return [level.__name__ for level in levels]
for name, old_type, new_type in [
    ("child", models.ArticlePage, models.NewsPage),
    ("parent", models.NewsPage, models.ArticlePage),
    ("sibling", models.GuidePage, models.ManualPage),
    ("uncle", models.NewsPage, models.StandardPage),
]:
    fields = {"edition": {"value": "first"}} if name == "sibling" else {}
    found = resolve(old_type, new_type, fields)
    told[name] = [found.direction, labels(found.shared), labels(found.left), labels(found.joined),
        [row.field.name for row in found.field_sources],
        [rows.old_relation for rows in found.related_rows],
        [relations.name(item) for item in found.dropped]]
""",
    )
    own = ["agency", "published", "urgent", "figures"]
    assert told["child"] == [
        "child",
        ["Page", "ArticlePage"],
        [],
        ["NewsPage"],
        own,
        [],
        [],
    ]
    assert told["parent"] == ["parent", ["Page", "ArticlePage"], ["NewsPage"], [], [], [], own]
    assert told["sibling"] == [
        "sibling",
        ["Page", "SectionPage"],
        ["GuidePage"],
        ["ManualPage"],
        ["steps", "edition", "token", "printed", "price"],
        [],
        ["hint"],
    ]
    uncle = told["uncle"]
    assert uncle[:4] == ["sibling", ["Page"], ["ArticlePage", "NewsPage"], ["StandardPage"]]
    assert sorted(uncle[5]) == ["categories", "links", "related", "tags"]
    assert sorted(uncle[6]) == sorted([*own, "byline", "author", "gallery"])
