"""Where pages may be as another type, what is to be known of them, and whose code is not called."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.worker.press import Press

JUDGE = """
import json
from django.db import transaction
from wagtail.models import Page
from wizard.worker.plan import placement
from wizard.worker.references import idmap
from wizard.worker.site import signals
from wizard.worker.site.database import page_connection
from wizard.worker.site.models import page_model

def judge(old_type, new_type, pages, ids="new", prefix="new_"):
    old, new = page_model(old_type), page_model(new_type)
    chosen = Page.objects.filter(**pages).values_list("pk", flat=True)
    with transaction.atomic(), page_connection().cursor() as cursor:
        idmap.load(cursor, {page: page if ids == "kept" else None for page in chosen})
        told = {
            "faults": placement.faults(cursor, old, new, ids=ids, prefix=prefix),
            "warnings": {
                one["name"]: one["detail"]
                for one in placement.warnings(cursor, old, new, ids=ids)
            },
            "fires": signals.fires(old, new, ids),
        }
        transaction.set_rollback(True)
    print(json.dumps(told))
"""
ENTRIES = {"url_path__startswith": "/home/show/entry"}


async def judged(press: Press, *cases: str, first: str = "") -> list[Any]:
    """What is told of each case, the arguments of `judge` above, after the code `first`."""
    calls = "\n".join(f"judge({case})" for case in cases)
    lines = (await press.shell(f"{JUDGE}\n{first}\n{calls}")).splitlines()
    return [json.loads(line) for line in lines]


def rule(press: Press, model: str, *lines: str) -> None:
    """Add lines to the class of a model."""
    head = f"class {model}(Page):\n"
    press.edit(old=head, new=head + "".join(f"    {line}\n" for line in lines))


async def ids_of(press: Press, pattern: str) -> list[int]:
    rows = await press.query(
        f"SELECT id FROM wagtailcore_page WHERE url_path LIKE '{pattern}' ORDER BY path"
    )
    return [row[0] for row in rows]


async def test_nothing_stands_in_the_way_where_there_are_no_rules(press: Press) -> None:
    new, kept = await judged(
        press,
        f"'press.Entry', 'press.Blog', {ENTRIES}",
        f"'press.Entry', 'press.Blog', {ENTRIES}, ids='kept', prefix=''",
    )
    assert new["faults"] == kept["faults"] == []
    assert new["warnings"] == kept["warnings"] == {}


async def test_types_of_parents_and_children(press: Press) -> None:
    rule(press, "Blog", 'parent_page_types = ["wagtailcore.Page"]')
    rule(press, "Entry", 'subpage_types = ["press.Blog"]')
    entries, shows = await judged(
        press,
        f"'press.Entry', 'press.Blog', {ENTRIES}",
        "'press.Blog', 'press.Entry', {'slug__in': ['show', 'diary']}",
    )
    ids = ", ".join(map(str, await ids_of(press, "/home/show/entry%")))
    assert entries["faults"] == [
        f"Pages {ids} cannot be press.Blog below press.Blog: Blog is not in Blog.parent_page_types."
    ]
    show, diary = await press.page("show"), await press.page("diary")
    assert shows["faults"] == [
        f"Pages {show}, {diary} cannot keep 8 children of the type press.Entry as press.Entry: "
        "Entry is not in Entry.subpage_types."
    ]


async def test_a_rule_that_is_broken_already_is_only_warned_of(press: Press) -> None:
    rule(press, "Blog", 'parent_page_types = ["wagtailcore.Page"]')
    rule(press, "Entry", 'parent_page_types = ["wagtailcore.Page"]')
    (entries,) = await judged(press, f"'press.Entry', 'press.Blog', {ENTRIES}")
    assert entries["faults"] == []
    assert "cannot be press.Blog below press.Blog" in entries["warnings"]["placement"]


async def test_a_converted_parent_counts_as_what_it_will_be(press: Press) -> None:
    rule(press, "Blog", 'subpage_types = ["press.Entry"]')
    (nested,) = await judged(
        press,
        "'press.Entry', 'press.Blog', {'pk__in': [outer.pk, inner.pk]}",
        first="""
from press.models import Entry
outer = Page.objects.get(depth=2).add_child(instance=Entry(title="Outer", slug="outer"))
inner = outer.add_child(instance=Entry(title="Inner", slug="inner"))
""",
    )
    inner = await press.page("inner")
    assert nested["faults"] == [
        f"Page {inner} cannot be press.Blog below press.Blog: Blog is not in Blog.subpage_types."
    ]


async def test_limits_hold_for_the_number_at_the_end(press: Press) -> None:
    rule(press, "Blog", "max_count = 5", "max_count_per_parent = 2")
    two, four = await judged(
        press,
        "'press.Entry', 'press.Blog', {'url_path__in': ["
        "'/home/show/entry-0/', '/home/diary/entry-0/']}",
        f"'press.Entry', 'press.Blog', {ENTRIES}",
    )
    show = await press.page("show")
    assert two["faults"] == []
    assert four["faults"] == [
        "There may be 5 press.Blog pages (Blog.max_count); 3 are there, 4 would be added: "
        "select fewer, or raise max_count.",
        f"Below page {show} ('The Show') there may be 2 press.Blog pages "
        "(Blog.max_count_per_parent); 0 are there, 4 would be added.",
    ]


async def test_a_child_type_is_counted_already(added: Press) -> None:
    rule(added, "Blog", "max_count = 4", "max_count_per_parent = 4")
    back, there = await judged(
        added,
        "'press.Podcast', 'press.Blog', {'slug': 'waves'}",
        "'press.Blog', 'press.Podcast', {'slug': 'show'}",
        first="""
from press.models import Podcast
Page.objects.get(depth=2).add_child(instance=Podcast(title="Waves", slug="waves"))
""",
    )
    assert back["faults"] == there["faults"] == []


@pytest.mark.slow
async def test_the_projects_own_rule_is_asked_without_the_limits(press: Press) -> None:
    rule(
        press,
        "Blog",
        "is_creatable = False",
        "max_count = 3",
        "@classmethod",
        "def can_create_at(cls, parent):",
        "    return super().can_create_at(parent) and parent.specific.slug != 'show'",
    )
    pages = "{'slug': 'entry-2', 'url_path__regex': 'show|diary'}"
    (told,) = await judged(press, f"'press.Entry', 'press.Blog', {pages}")
    show = await press.page("show")
    (entry,) = await ids_of(press, "/home/show/entry-2/")
    limit, refused = told["faults"]
    assert "Blog.max_count" in limit
    assert refused == (
        f"Page {entry} cannot be press.Blog: its can_create_at does not accept page {show} "
        "('The Show') as the parent."
    )
    assert "(is_creatable)" in told["warnings"]["not creatable"]
    after = await judged(
        press, f"'press.Entry', 'press.Blog', {pages}", f"'press.Entry', 'press.Blog', {pages}"
    )
    assert after == [told, told]  # the class is as it was


async def test_slugs_that_the_new_pages_cannot_have(press: Press) -> None:
    (first,), (second,) = (
        await ids_of(press, "%/show/entry-0/"),
        await ids_of(press, "%/show/entry-1/"),
    )
    await press.query(f"UPDATE wagtailcore_page SET slug = repeat('x', 252) WHERE id = {first}")
    beside = int(
        await press.shell(
            "from press.models import Blog, Entry\n"
            "show = Blog.objects.get(slug='show')\n"
            "print(show.add_child(instance=Entry(title='By', slug='new_entry-1')).pk)"
        )
    )
    new, kept, short = await judged(
        press,
        "'press.Entry', 'press.Blog', {'path__startswith': show.path, 'depth': 4}",
        "'press.Entry', 'press.Blog', {'path__startswith': show.path, 'depth': 4}, 'kept'",
        f"'press.Entry', 'press.Blog', {{'pk': {second}}}, prefix='n_'",
        first="show = Page.objects.get(slug='show')",
    )
    long, taken = new["faults"]
    assert f"Page {first} cannot have the slug 'new_xxx" in long
    assert "longer than the 255 characters" in long
    assert f"Page {second} cannot have the slug 'new_entry-1': page {beside} ('By')" in taken
    assert kept["faults"] == short["faults"] == []


async def test_the_root_and_aliases_apart_from_their_source(press: Press) -> None:
    first, alias = map(
        int,
        (
            await press.shell(
                "from press.models import Entry\n"
                "first = Entry.objects.get(url_path='/home/notes/entry-0/')\n"
                "print(first.pk, first.create_alias(update_slug='alias').pk)"
            )
        ).split(),
    )
    source, copy, both, root = await judged(
        press,
        f"'press.Entry', 'press.Blog', {{'pk': {first}}}",
        f"'press.Entry', 'press.Blog', {{'pk': {alias}}}",
        f"'press.Entry', 'press.Blog', {{'pk__in': [{first}, {alias}]}}",
        "'press.Entry', 'press.Blog', {'depth': 1}",
    )
    assert f"Page {alias} is an alias of page {first}, which is to be" in source["faults"][0]
    assert f"Page {alias} is an alias of page {first}, which is not" in copy["faults"][0]
    assert both["faults"] == []
    assert "Page 1 is the root of the tree" in root["faults"][0]


async def test_what_an_operator_should_know_of_the_pages(press: Press) -> None:
    await press.shell(
        "import datetime\n"
        "from django.contrib.auth.models import User\n"
        "from django.utils import timezone\n"
        "from press.models import Blog\n"
        "from wagtail.models import Locale\n"
        "show = Blog.objects.get(slug='show')\n"
        "german = Locale.objects.create(language_code='de')\n"
        "show.get_parent().add_child(instance=Blog(title='Die Schau', slug='schau', "
        "locale=german, translation_key=show.translation_key))\n"
        "show.locked, show.locked_by = True, User.objects.get()\n"
        "show.locked_at = datetime.datetime(2031, 5, 6, 7, 8, tzinfo=datetime.timezone.utc)\n"
        "show.expire_at = datetime.datetime(2041, 5, 6, 7, 8, tzinfo=datetime.timezone.utc)\n"
        "show.save()"
    )
    (told, quiet) = await judged(
        press,
        "'press.Blog', 'press.Entry', {'slug': 'show'}",
        "'press.Blog', 'press.Entry', {'slug': 'notes'}",
    )
    show, german = await press.page("show"), await press.page("schau")
    said = told["warnings"]
    assert said["site root"].startswith(f"page {show} is the root of the site show.example.org:80.")
    assert (
        f"page {german} ('Die Schau', de) is a translation of page {show}." in said["translations"]
    )
    assert said["locked"] == (
        f"page {show} ('The Show') by ana since 2031-05-06 07:08 UTC. The lock is carried."
    )
    assert f"page {show} is in progress in 'Moderators approval' by ana" in said["in a workflow"]
    assert f"page {show} is to be published on 20" in said["scheduled"]
    assert f"page {show} is to be unpublished on 2041-05-06 07:08 UTC." in said["scheduled"]
    assert told["faults"] == quiet["faults"] == []
    assert quiet["warnings"] == {}


RECEIVERS = """

from functools import partial

from django.db.models import signals
from wagtail.signals import page_published, page_slug_changed, post_page_move


class Feed:
    def __call__(self, **kwargs):
        raise RuntimeError("called")

    def tell(self, **kwargs):
        raise RuntimeError("called")


def purge(how="", **kwargs):
    raise RuntimeError("called")


FEED, PURGE = Feed(), partial(purge, "all")
signals.post_save.connect(FEED, sender=Entry)
signals.post_save.connect(FEED.tell, sender=Blog)
signals.pre_delete.connect(purge, sender=Page)
page_published.connect(PURGE)
page_slug_changed.connect(purge, sender=Blog)
post_page_move.connect(purge, sender=Blog)
"""
HOOKS = """
from wagtail import hooks


@hooks.register("after_create_page")
def greet(request, page):
    raise RuntimeError("called")


@hooks.register("after_edit_page")
def thank(request, page):
    raise RuntimeError("called")
"""


async def test_the_projects_code_that_is_not_called_is_listed(press: Press) -> None:
    press.add(RECEIVERS)
    (press.project / "press" / "wagtail_hooks.py").write_text(HOOKS)
    new, kept = await judged(
        press,
        "'press.Blog', 'press.Entry', {'slug': 'show'}",
        "'press.Blog', 'press.Entry', {'slug': 'show'}, 'kept'",
    )
    assert [(one["signal"], one["receiver"]) for one in new["fires"]] == [
        ("after_create_page", "press.wagtail_hooks.greet"),
        ("page_published", "press.models.purge"),
        ("post_page_move", "press.models.purge"),
        ("post_save", "press.models.Feed"),
        ("pre_delete", "press.models.purge"),
    ]
    assert [(one["signal"], one["receiver"]) for one in kept["fires"]] == [
        ("after_edit_page", "press.wagtail_hooks.thank"),
        ("post_save", "press.models.Feed"),
    ]
    assert new["fires"][3]["why"] == "post_save of press.Entry: one call for each page"
