"""Direction x ids x everything that refers to a page, on every Wagtail from 4.2 to 8.0.

`make matrix` runs it: each Wagtail in an environment of its own. A test is one account: a
column that refers to pages, which has to be right in every row of the database afterwards.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.matrix import observer
from tests.matrix.case_run import Played, Stage, conversion
from tests.matrix.cases import ACCOUNTS, DIRECTIONS, GENERIC, INDEXES, KEYS, Direction
from tests.matrix.versions import VERSIONS
from tests.support.environments import Version
from wizard.base.errors import OperationFailed

IDS = ("new", "kept")


def tried(version: Version) -> list[tuple[Direction, str]]:
    """Each direction with ids new and kept on the oldest Wagtail and the newest; those between
    share these among them."""
    every = [(direction, ids) for direction in DIRECTIONS for ids in IDS]
    if version in (VERSIONS[0], VERSIONS[-1]):
        return every
    between = VERSIONS[1:-1]
    return every[between.index(version) :: len(between)]


CASES = [
    pytest.param(
        version,
        direction,
        ids,
        id=f"{version.name}-{direction.name}-{ids}",
        marks=pytest.mark.xdist_group(version.name),
    )
    for version in VERSIONS
    for direction, ids in tried(version)
]
WITH_VERSION = [
    pytest.param(version, id=version.name, marks=pytest.mark.xdist_group(version.name))
    for version in VERSIONS
]
pytestmark = [pytest.mark.matrix, pytest.mark.timeout(1200)]

cases = pytest.mark.parametrize(("version", "direction", "ids"), CASES)
versions = pytest.mark.parametrize("version", WITH_VERSION)


async def played(stage: Stage, version: Version, direction: Direction, ids: str) -> Played:
    """The case, if it could be converted: that is a test of its own."""
    case = await stage.play(version, direction, ids)
    if case.failed:
        pytest.skip("the conversion failed")
    return case


@versions
async def test_the_site_runs_this_wagtail_without_faults(stage: Stage, version: Version) -> None:
    home = await stage.home(version)
    async with home.site() as site:
        assert site.hello.wagtail.startswith(f"{version.name}.")
        assert site.hello.treebeard.startswith("5." if version.name == "8.0" else "4.")
        assert site.hello.pending == ()
        assert (await site.ask("check"))["errors"] == 0
        assert await site.ask("tree_problems") == {}
        described = await site.ask("describe", model="every.FeaturePage")
        urls = await site.ask("urls")
        models = await site.ask("page_models")
    assert described["parent_link"] == "standard"
    assert described["chain"] == ["wagtailcore.Page", "every.StandardPage", "every.FeaturePage"]
    assert {row["label"] for row in models} >= {"every.StandardPage", "every.ArticlePage"}
    answers = (await stage.answers(version))["pages"]
    assert {row["page_id"]: row["url"] for row in urls} == {
        page["id"]: page["url"] for page in answers if page["url"]
    }


@cases
async def test_converts_in_this_direction(
    stage: Stage, version: Version, direction: Direction, ids: str
) -> None:
    case = await stage.play(version, direction, ids)
    assert not case.failed, case.failed
    pages = {row["id"]: row["url_path"] for row in case.before[observer.PAGE]}
    assert sorted(pages[page] for page in case.page_ids) == direction.places
    same = [old for old, new in case.page_ids.items() if old == new]
    assert len(same) == (0 if ids == "new" else len(case.page_ids))
    assert case.plan["direction"] == direction.name
    assert case.plan["faults"] == []
    assert case.check["errors"] == 0
    lost = {name for name in case.plan["losses"] if name.startswith("every.")}
    assert lost == set(direction.losses)


@pytest.mark.parametrize("account", ACCOUNTS)
@cases
async def test_each_reference_is_carried(
    stage: Stage, version: Version, direction: Direction, ids: str, account: str
) -> None:
    table, _, column = account.partition(".")
    case = await played(stage, version, direction, ids)
    if table not in case.before:
        pytest.skip(f"Wagtail {version.name}: no {table}")
    assert case.differences.get(account, []) == []
    rows_of_pages = table in KEYS and column in KEYS[table]
    if rows_of_pages or (table in GENERIC and column == GENERIC[table][1]):
        count = observer.referred(case.before, account, direction, case.page_ids)
        ledger = {entry["name"]: entry for entry in case.result["ledger"]}
        assert (ledger[account]["before"] if account in ledger else 0) == count


@cases
async def test_changes_nothing_else(
    stage: Stage, version: Version, direction: Direction, ids: str
) -> None:
    case = await played(stage, version, direction, ids)
    others = {name: rows for name, rows in case.differences.items() if name not in ACCOUNTS}
    assert others == {}


@cases
async def test_ledger_balances(
    stage: Stage, version: Version, direction: Direction, ids: str
) -> None:
    case = await played(stage, version, direction, ids)
    accounts = ("kept", "followed", "rewritten", "rebuilt", "dropped")
    for entry in case.result["ledger"]:
        assert entry["before"] == sum(entry[name] for name in accounts), entry
    told = {entry["name"]: entry["before"] for entry in case.result["ledger"]}
    assert told == {entry["name"]: entry["before"] for entry in case.plan["ledger"]}


@cases
async def test_reports_references_that_it_does_not_follow(
    stage: Stage, version: Version, direction: Direction, ids: str
) -> None:
    """An id in the project's own JSON or text is told of, where it goes stale."""
    case = await played(stage, version, direction, ids)
    left = {entry["name"] for entry in case.plan["left"]}
    if ids == "new":
        assert {"every_teaser.raw", "every_teaser.note"} <= left


@cases
async def test_indexes_are_what_wagtail_makes(
    stage: Stage, version: Version, direction: Direction, ids: str
) -> None:
    case = await played(stage, version, direction, ids)
    for table in INDEXES:
        made = _entries(case.rebuilt, table)
        left = _entries(case.after, table)
        assert left - made == set(), table
        assert made - left == set(), table
    # Under a type that the page is of: rows under another are never cleaned up by Wagtail.
    base = observer.content_type(case.after, "wagtailcore.Page")
    kinds = {
        observer.content_type(case.after, label) for label in observer.CHAINS[direction.new_type]
    }
    pages = {str(page) for page in case.page_ids.values()}
    for row in case.after["wagtailcore_referenceindex"]:
        if row["base_content_type_id"] == base and row["object_id"] in pages:
            assert row["content_type_id"] in kinds


@cases
async def test_urls_answer_as_before(
    stage: Stage, version: Version, direction: Direction, ids: str
) -> None:
    case = await played(stage, version, direction, ids)
    before = _answers(await stage.answers(version))
    after = _answers(case.seen)
    assert after.keys() == before.keys()
    for place, answers in before.items():
        assert after[place] == answers, place


@cases
async def test_editors_can_work(
    stage: Stage, version: Version, direction: Direction, ids: str
) -> None:
    case = await played(stage, version, direction, ids)
    assert (await stage.answers(version))["faults"] == []
    assert case.seen["faults"] == []
    converted = {page["id"]: page["type"] for page in case.seen["pages"]}
    assert {converted[page] for page in case.page_ids.values()} == {direction.new_type}


@cases
async def test_old_drafts_publish_with_nothing_blanked(
    stage: Stage, version: Version, direction: Direction, ids: str
) -> None:
    case = await played(stage, version, direction, ids)
    assert case.expected is not None
    assert case.seen["published"]
    revisions = {row["id"]: row for row in case.expected.tables["wagtailcore_revision"]}
    for page, published in case.seen["published"].items():
        draft = revisions[published["revision"]]["content"]
        names = draft.keys() & published["values"].keys() - KEPT_BY_PUBLISHING
        assert len(names) > 20
        assert _values(published["values"], names) == _values(draft, names), page
        if direction.name == "child":
            assert published["values"]["strapline"] == "Converted"
            assert published["values"]["length"]
        if direction.name == "sibling":
            assert published["values"]["teaser"]


@versions
@pytest.mark.parametrize("ids", IDS)
async def test_a_refused_conversion_leaves_the_database_unchanged(
    stage: Stage, version: Version, ids: str
) -> None:
    """A PROTECT to a type that the page would no longer be of: refused, and nothing happened."""
    home = await stage.clone(version)
    before = await observer.snapshot(home.database)
    by_name = {direction.name: direction for direction in DIRECTIONS}
    slugs = {row["slug"]: row["id"] for row in before[observer.PAGE] if row["locale_id"] == 1}
    async with home.site() as site:
        for name, slug in (("sibling", "show"), ("parent", "blocked")):
            given = conversion(by_name[name], ids, [slugs[slug]])
            plan = await site.ask("convert_plan", **given)
            assert plan["faults"], name
            with pytest.raises(OperationFailed):
                await site.ask("convert", **given)
    assert await observer.snapshot(home.database) == before


# What publishing sets itself, and the copy of comments that it never reads.
KEPT_BY_PUBLISHING = {
    "content_type",
    "draft_title",
    "expired",
    "first_published_at",
    "go_live_at",
    "has_unpublished_changes",
    "last_published_at",
    "latest_revision",
    "latest_revision_created_at",
    "live",
    "live_revision",
    "locked",
    "locked_at",
    "locked_by",
    "wagtail_admin_comments",
    "teaser",
    "length",
    "strapline",
}


def _values(content: dict[str, Any], names: set[str]) -> dict[str, Any]:
    """Values of a draft to be compared; rows without a key get one when they are published."""
    found = {}
    for name in sorted(names):
        value = content[name]
        if name in ("content", "text"):
            value = json.loads(value)
        if name in ("links", "tagged_items", "notes"):
            value = [{key: item for key, item in row.items() if key != "pk"} for row in value]
        found[name] = value
    return found


def _entries(tables: observer.Tables, table: str) -> set[str]:
    """An index's rows, to be compared.

    `rebuild_references_index` writes a page's references under the type of its own or of a
    parent of it, whichever model comes first (wagtail/models/reference_index.py). Wagtail 4.2
    also notes there to which content type a generic key leads, and nobody asks for that.
    """
    types = observer.content_type(tables, "contenttypes.ContentType")
    passed = {"id", "content_type_id"} if table == "wagtailcore_referenceindex" else {"id"}
    return {
        json.dumps({name: row[name] for name in row.keys() - passed}, sort_keys=True)
        for row in tables.get(table, [])
        if row.get("to_content_type_id") != types
    }


def _answers(seen: dict[str, Any]) -> dict[str, Any]:
    """What each place in the tree answers to whom."""
    return {
        page["url_path"]: {
            who: (page[who]["status"], page[who]["location"], page[who]["digest"])
            for who in ("visitor", "superuser")
            if who in page
        }
        for page in seen["pages"]
    }
