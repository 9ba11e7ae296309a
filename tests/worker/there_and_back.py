"""Properties of a conversion over random sites; run in the project, by its own Python.

Each example gets a copy of the filled database (its name is the first argument, a superuser's
connection string the second), random pages below the home page with random references to each
other, and a random selection of them.
"""

import os
import sys
from pathlib import Path
from typing import Any

import django
import psycopg
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path.cwd()))
django.setup()

from django.contrib.auth.models import User  # noqa: E402
from django.db import connection, transaction  # noqa: E402
from shapes.models import (  # noqa: E402
    ArticleImage,
    ArticleLink,
    ArticlePage,
    Category,
    NewsPage,
    StandardPage,
)
from wagtail.contrib.forms.models import FormSubmission  # noqa: E402
from wagtail.contrib.redirects.models import Redirect  # noqa: E402
from wagtail.models import (  # noqa: E402
    Comment,
    Page,
    PageViewRestriction,
    Site,
    Workflow,
)

from wizard.worker.convert import conversion, originals, slugs  # noqa: E402
from wizard.worker.protocol import Reply  # noqa: E402
from wizard.worker.site import tree  # noqa: E402

TYPES = {"article": ArticlePage, "news": NewsPage, "standard": StandardPage}
EXAMPLE = "there_and_back"
LINK = '<a id="{}" linktype="page">x</a>'
number = st.integers(0, 99)  # taken modulo what there is

pages = st.fixed_dictionaries(
    {
        "type": st.sampled_from(["article", "article", "news", "standard"]),
        "parent": number,
        "intro": st.none() | number,
        "body": st.lists(st.tuples(st.sampled_from(["text", "see"]), number), max_size=3),
        "links": st.lists(st.none() | number, max_size=3),
        "tags": st.sets(st.sampled_from(["sea", "land", "air"])),
        "related": st.sets(number, max_size=2),
        "extras": st.sets(
            st.sampled_from(["comment", "private", "redirect", "form", "site", "workflow", "alias"])
        ),
        "revisions": st.integers(0, 2),
        "draft": st.booleans(),
        "live": st.booleans(),
    }
)
sites = st.tuples(st.lists(pages, min_size=1, max_size=7), st.sets(number, min_size=1, max_size=4))


class Silent(Reply):
    """A reply to nobody."""

    def __init__(self) -> None: ...

    def _event(self, event: str, **values: Any) -> None: ...


def fresh() -> None:
    """Another copy of the filled database, behind Django's connection."""
    connection.close()
    template, server = sys.argv[1:]
    owner = connection.settings_dict["USER"]
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(f"DROP DATABASE IF EXISTS {EXAMPLE}")
        admin.execute(f"CREATE DATABASE {EXAMPLE} TEMPLATE {template} OWNER {owner}")
    connection.settings_dict["NAME"] = EXAMPLE


def build(wanted: list[dict[str, Any]]) -> list[Any]:
    """The random site; every page refers to pages that were made before it, or to itself."""
    user = User.objects.get(username="ana")
    category = Category.objects.create(name="Sea")
    home = Page.objects.get(depth=2)
    made: list[Any] = [home]
    for index, want in enumerate(wanted):
        parent = Page.objects.get(pk=made[want["parent"] % len(made)].pk)
        model = TYPES[want["type"]]
        page = model(title=f"Page {index}", slug=f"page-{index}", owner=user, live=want["live"])
        if isinstance(page, NewsPage):
            page.agency = "wire"
        parent.add_child(instance=page)
        made.append(page)
        some = [other.pk for other in made]

        def pick(at: int, some: list[int] = some) -> int:
            return some[at % len(some)]

        if want["intro"] is not None:
            page.intro = LINK.format(pick(want["intro"]))
        page.body = [
            (kind, made[at % len(made)] if kind == "see" else LINK.format(pick(at)))
            for kind, at in want["body"]
        ]
        if isinstance(page, ArticlePage):
            for at in want["links"]:
                page.links.add(ArticleLink(label="l", to_id=None if at is None else pick(at)))
            page.gallery.add(ArticleImage(caption="c"))
        page.tags.add(*sorted(want["tags"]))
        page.categories.add(category)
        page.save()
        page.related.set([pick(at) for at in want["related"]])
        refer(page, want, user)
    return made[1:]


def refer(page: Any, want: dict[str, Any], user: Any) -> None:
    """Everything else that may refer to a page."""
    for _ in range(want["revisions"]):
        page.save_revision(user=user).publish()
    if want["draft"]:
        page.intro += "<p>draft</p>"
        page.save_revision(user=user)
    if "comment" in want["extras"]:
        Comment.objects.create(page=page, user=user, text="Hm", contentpath="intro")
    if "private" in want["extras"]:
        PageViewRestriction.objects.create(page=page, restriction_type="login")
    if "redirect" in want["extras"]:
        Redirect.objects.create(old_path=f"/old-{page.pk}", redirect_page=page)
    if "form" in want["extras"]:
        FormSubmission.objects.create(form_data={"a": 1}, page=page)
    if "site" in want["extras"]:
        Site.objects.create(hostname=f"s{page.pk}.example.org", root_page=page)
    if "workflow" in want["extras"] and page.latest_revision:
        Workflow.objects.first().start(type(page).objects.get(pk=page.pk), user)
    if "alias" in want["extras"]:
        Page.objects.get(pk=page.pk).specific.create_alias(
            parent=Page.objects.get(depth=2), update_slug=f"alias-{page.pk}"
        )


def everything() -> dict[str, list[str]]:
    """Every row of every table, as text."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT quote_ident(relname) FROM pg_class JOIN pg_namespace n "
            "ON n.oid = relnamespace WHERE relkind = 'r' AND nspname = 'public' ORDER BY 1"
        )
        found = {}
        for (table,) in cursor.fetchall():
            cursor.execute(f"SELECT t::text FROM {table} t ORDER BY 1")
            found[table] = [row[0] for row in cursor.fetchall()]
        return found


def convert(old_type: str, new_type: str, ids: str, pages: list[int]) -> dict[str, Any]:
    """Convert, and hold the ledger against itself."""
    done = conversion.convert(
        Silent(),
        old_type=old_type,
        new_type=new_type,
        pages=pages,
        prefix="new_",
        move=[],
        fields={},
        ids=ids,
    )
    for entry in done["ledger"]:
        accounts = ("kept", "followed", "rewritten", "rebuilt", "dropped")
        assert sum(entry[account] for account in accounts) == entry["before"], entry
        assert entry["dropped"] == 0, entry
    assert Page.find_problems() == ([], [], [], [], []), Page.find_problems()
    return done


def selected(made: list[Any], at: set[int], model: Any) -> list[int]:
    """Some pages of exactly the type, with their aliases."""
    ours = [page for page in made if type(page) is model]
    if not ours:
        return []
    chosen = {ours[index % len(ours)].pk for index in at}
    aliases = Page.objects.filter(alias_of__in=chosen).values_list("pk", flat=True)
    return sorted(chosen | set(aliases))


EXAMPLES = settings(
    max_examples=int(os.environ.get("EXAMPLES", "8")),
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.generate],  # an example takes a second: shrinking would take many minutes
    suppress_health_check=list(HealthCheck),
)


@EXAMPLES
@given(sites)
def there_and_back(site: Any) -> None:
    """In place to the child and back to the parent, every row is what it was."""
    fresh()
    made = build(site[0])
    pages = selected(made, site[1], ArticlePage)
    if not pages:
        return
    before = everything()
    convert("shapes.ArticlePage", "shapes.NewsPage", "kept", pages)
    assert NewsPage.objects.filter(pk__in=pages).count() == len(pages)
    convert("shapes.NewsPage", "shapes.ArticlePage", "kept", pages)
    after = everything()
    assert after == before, {
        table: sorted(set(after[table]) ^ set(before[table]))
        for table in before
        if after[table] != before[table]
    }


@EXAMPLES
@given(sites)
def with_new_ids(site: Any) -> None:
    """With new ids the tree and its URLs are the same, and nothing knows the old ids."""
    fresh()
    made = build(site[0])
    pages = selected(made, site[1], ArticlePage)
    if not pages:
        return
    shape = ("path", "depth", "numchild", "slug", "url_path", "live", "translation_key")
    before = list(Page.objects.order_by("path").values_list(*shape))
    counts = {table: len(rows) for table, rows in everything().items()}
    done = convert("shapes.ArticlePage", "shapes.NewsPage", "new", pages)
    id_map = {str(old): new for old, new in done["map"].items()}
    originals.delete_originals(Silent(), id_map=id_map)
    slugs.restore_slugs(Silent(), id_map=id_map, prefix="new_")
    assert list(Page.objects.order_by("path").values_list(*shape)) == before
    with transaction.atomic(), connection.cursor() as cursor:
        assert tree.problems(cursor) == {}
    now = {table: len(rows) for table, rows in everything().items()}
    grown = {table: now[table] - counts[table] for table in counts if now[table] != counts[table]}
    assert grown == {"shapes_newspage": len(pages)}, grown
    for page in NewsPage.objects.filter(pk__in=id_map.values()):
        if page.latest_revision_id:
            assert page.get_latest_revision_as_object().pk == page.pk


if __name__ == "__main__":
    there_and_back()
    with_new_ids()
    print("every example holds")
