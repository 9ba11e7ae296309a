"""Links in rich text: what Wagtail reads of a tag is what is followed, and nothing else of it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wagtail.rich_text.rewriters import LinkRewriter

from tests.worker.press import Press
from wizard.postgres.address import connect
from wizard.worker.references.anchors import page_ids
from wizard.worker.references.content import in_rich_text
from wizard.worker.references.scan import mentions, numbers

from .shapes import FAR, SIBLING

NEAR = 800_001  # the id of a page that is converted as well, and that no link is to

# What is in a tag, with {far} and {near} for the ids; every one is a link to far for a reader.
RENDERED = {
    "as Wagtail writes it": '<a linktype="page" id="{far}">',
    "linktype after id": '<a id="{far}" linktype="page">',
    "data-id before": '<a linktype="page" data-id="{near}" id="{far}">',
    "data-id after": '<a linktype="page" id="{far}" data-id="{near}">',
    "data-linktype besides": '<a data-linktype="document" linktype="page" id="{far}">',
    "id twice, the last is read": '<a id="{near}" linktype="page" id="{far}">',
    "linktype twice": '<a linktype="document" id="{far}" linktype="page">',
    "lines": '<a\n  linktype="page"\n  data-id="{near}"\n  id="{far}"\n>',
    "another name in front of it": '<a parentid="{near}" linktype="page" id="{far}">',
    "upper-case other": '<a linktype="page" id="{far}" ID="near">',
    "an id in an escaped value": '<a title=" id=&quot;{near}&quot;" linktype="page" id="{far}">',
    "entities": '<a href="?a=1&amp;id={near}" linktype="page" id="{far}">',
    "an id in a single-quoted value": """<a title='an id="{near}"' linktype="page" id="{far}">""",
    "nothing between attributes": '<a linktype="page"id="{far}">',
}
EDITED = {
    "single quotes": "<a linktype='page' data-id='{near}' id='{far}'>",
    "no quotes": "<a linktype=page data-id={near} id={far}>",
    "upper case": '<A LINKTYPE="page" DATA-ID="{near}" ID="{far}">',
    "space around =": '<a linktype = "page" data-id = "{near}" id\n=\n"{far}">',
    "an entity in the linktype": '<a linktype="p&#97;ge" id="{far}">',
    "a > in a value": '<a title="1 > 0" linktype="page" id="{far}">',
    "zeros": '<a linktype="page" id="000{far}">',
    "an apostrophe": """<a linktype=page title=don't id='{far}'>""",
}
NEITHER = {
    "no linktype": '<a id="{far}">',
    "another linktype": '<a linktype="document" id="{far}">',
    "data-linktype": '<a data-linktype="page" id="{far}">',
    "data-id only": '<a linktype="page" data-id="{far}">',
    "an embed": '<embed embedtype="page" linktype="page" id="{far}"/>',
    "another tag": '<article linktype="page" id="{far}">',
    "not closed": '<a linktype="page" id="{far}"',
    "closed too early": '<a linktype="page"> id="{far}">',
    "escaped": '&lt;a linktype="page" id="{far}"&gt;',
    "no number": '<a linktype="page" id="x{far}">',
    "the last linktype is another": '<a linktype="page" id="{far}" linktype="document">',
    "the last id is another": '<a linktype="page" id="{far}" id="-">',
    "backslashes": r"<a linktype=\"page\" data-id=\"{far}\">",
}
# Those that Wagtail's own code does not fail on.
HARMLESS = ["no linktype", "data-linktype", "an embed", "another tag", "escaped"]


def filled(text: str, far: int = FAR) -> str:
    return text.replace("{far}", str(far)).replace("{near}", str(NEAR))


def read_by_wagtail(html: str) -> list[str]:
    """What the site's own reader takes for links to pages."""
    rewriter = LinkRewriter(reference_extractors={"page": lambda attrs: [attrs.get("id", "")]})
    return list(rewriter.extract_references(html))


@pytest.mark.parametrize("tag", [*RENDERED.values(), *EDITED.values()])
def test_the_id_of_a_link_is_followed_and_nothing_else(tag: str) -> None:
    text = filled(f"Tel. {FAR} <p>{tag}far</a> {FAR}</p>")
    followed = in_rich_text(text, {FAR: 77, NEAR: 78})
    assert followed == f"Tel. {FAR} <p>{filled(tag, 77)}far</a> {FAR}</p>"


@pytest.mark.parametrize("tag", RENDERED.values())
def test_the_site_reads_the_same(tag: str) -> None:
    assert list(map(int, read_by_wagtail(filled(tag)))) == [FAR]


@pytest.mark.parametrize("tag", NEITHER.values())
def test_what_is_no_link_stays(tag: str) -> None:
    assert in_rich_text(filled(tag), {FAR: 77, NEAR: 78}) == filled(tag)


def test_a_tag_that_the_readers_do_not_agree_on() -> None:
    """The site goes to the one page and the editor to the other: each to the converted one."""
    tag = f"""<a linktype="page" id="{FAR}" title='id="{NEAR}"'>"""
    assert read_by_wagtail(tag) == [str(NEAR)]
    followed = in_rich_text(tag, {FAR: 77, NEAR: 78})
    assert followed == """<a linktype="page" id="77" title='id="78"'>"""


PIECES = ["<a", "<A", " ", "\n", ">", "/", "=", '"', "'", "id", "data-", "linktype", "page", "7"]
PIECES += ['id="7"', ' id="8"', ' linktype="page"', "&quot;", "<a ", " title='", "<embed ", "é"]


@given(st.lists(st.sampled_from(PIECES), max_size=25).map("".join))
def test_whatever_the_site_reads_is_followed(html: str) -> None:
    before = read_by_wagtail(html)
    after = read_by_wagtail(in_rich_text(html, {7: 70, 8: 80}))
    assert after == [{"7": "70", "8": "80"}.get(page, page) for page in before]
    spans = page_ids(html)
    assert all(html[start:end].isdigit() for start, end in spans)


@pytest.mark.parametrize("many", [False, True])
async def test_a_number_behind_an_escape_is_searched_for(shapes: Press, *, many: bool) -> None:
    """By SQL and by what reads its rows: either may see more than there is, and must not less."""
    texts = [r"\u00227\u0022", r"id=\"\n7\"", r"\\u00227\\u0022", "'007 '", "7", ">7<", r"\"7\""]
    pages = {7: 1, **({page: page for page in range(100, 120)} if many else {})}
    condition, given = mentions("v", pages)
    async with await connect(shapes.database) as connection:
        for text in [*texts, "17", "72", "a7b"]:
            query = f"SELECT coalesce({condition}, false) FROM (SELECT %s::text AS v OFFSET 0) t"
            # The condition's own placeholders come first.
            cursor = await connection.execute(query.encode(), [*given, text])
            row = await cursor.fetchone()
            assert row == (text in texts,)
            assert text not in texts or 7 in numbers(text, pages)


REFER = """
from shapes.models import StandardPage
from wagtail.models import Page
home = Page.objects.get(depth=2)
assert home.add_child(instance=StandardPage(title="Near", slug="near")).pk == {near}
"""
WRITE = """
import json
from shapes.models import StandardPage
stays = StandardPage.objects.get(slug="stays")
texts = json.loads({texts!r})
stays.intro = "".join(texts)
stays.body = [("text", text) for text in texts]
stays.save_revision().publish()
"""
EXPAND = """
import json
from shapes.models import StandardPage
from wagtail.rich_text import expand_db_html
stays = StandardPage.objects.get(slug="stays")
draft = stays.get_latest_revision_as_object()
print(json.dumps([
    expand_db_html(text)
    for page in (stays, draft)
    for text in [page.intro, "".join(block.value.source for block in page.body)]
]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("far", [FAR, None], ids=["long", "short"])
async def test_there_and_through_wagtail(shapes: Press, far: int | None) -> None:
    """In columns, streams and drafts: each link shows the converted page's URL afterwards."""
    await shapes.query(f"SELECT setval('wagtailcore_page_id_seq', {NEAR - 1})")
    await shapes.shell(REFER.format(near=NEAR))
    page = await shapes.page("below")
    if far is not None:
        await shapes.query(f"SELECT setval('wagtailcore_page_id_seq', {FAR - 1})")
        await shapes.shell(REFER.format(near=FAR).replace("near", "far").replace("Near", "Far"))
        page = far
    tags = [*RENDERED.values(), *EDITED.values(), *(NEITHER[name] for name in HARMLESS)]
    texts = [filled(f"<p>{tag}x</a></p>", page) for tag in tags]
    await shapes.shell(WRITE.format(texts=json.dumps(texts)))
    before = json.loads(await shapes.shell(EXPAND))
    slug = "far" if far else "below"
    assert all(shown.count(f'/{slug}/">') == len(RENDERED) for shown in before)
    async with shapes.site() as site:
        done = await site.ask("convert", **SIBLING, ids="new", pages=[page, NEAR])
        await site.ask("delete_originals", id_map=done["map"])
        await site.ask("restore_slugs", id_map=done["map"], prefix="new_")
    new = done["map"][str(page)]
    after = json.loads(await shapes.shell(EXPAND))
    for shown in after:
        assert shown.count(f'/{slug}/">') == len(RENDERED)
    assert [shown.count("/near/") for shown in after] == [shown.count("/near/") for shown in before]
    edited = [filled(tag, new) for tag in EDITED.values()]
    intro = await shapes.value(
        "SELECT intro FROM shapes_standardpage s JOIN wagtailcore_page p ON p.id = s.page_ptr_id "
        "WHERE p.slug = 'stays'"
    )
    assert [tag for tag in edited if tag not in intro] == []
