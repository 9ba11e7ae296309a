"""Cases from the field, from the look at the project to the delivery.

What is right is asserted by SQL and HTTP that share no code with the product.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import yaml

from tests.cases.site import CASES, Case, Lay
from tests.support.consenting_operator import Consenting
from wizard.base.errors import RemodelError
from wizard.base.events import Event, Finding, Planned
from wizard.engine.operators import Verdict
from wizard.postgres.address import connect

pytestmark = [pytest.mark.xdist_group("cases"), pytest.mark.slow]

CONVERTED = (
    "SELECT p.slug, d.keywords FROM blog_podcast d JOIN wagtailcore_page p ON p.id = d.blog_ptr_id"
)
LEFT = (
    "SELECT column_name FROM information_schema.columns WHERE table_name = 'blog_blog' "
    "AND column_name IN ('{}')"
)
FETCH = """
import django; django.setup()
from django.test import Client
from wagtail.models import Page
seen = {}
for page in Page.objects.filter(depth__gt=1, live=True).order_by("path"):
    path = page.get_url_parts()[2] if page.get_url_parts() else None
    if path:
        seen[path] = Client().get(path, HTTP_HOST="t.example", secure=True).status_code
import json; print(json.dumps(seen))
"""
SOUND = """
import io
import django; django.setup()
from django.core.management import call_command
call_command("makemigrations", check_changes=True, dry_run=True, verbosity=0)
call_command("migrate", check_unapplied=True, verbosity=0)
call_command("check", databases=["default"], stdout=io.StringIO())
"""
API = """
import django; django.setup()
from django.test import Client
answers = {}
for label in ("blog.Blog", "blog.Podcast", "blog.Magazine"):
    answer = Client().get(f"/api/v2/pages/?type={label}&fields=*", HTTP_HOST="t.example")
    answers[label] = answer.status_code
import json; print(json.dumps(answers))
"""
SAID = """
import django; django.setup()
from blog.models import Podcast
field = Podcast._meta.get_field("keywords")
print(ascii(field.verbose_name), ascii(field.help_text))
"""
CREATABLE = """
import django; django.setup()
from blog.models import Podcast
print(Podcast.is_creatable, Podcast.max_count_per_parent)
"""


async def urls(case: Case) -> dict[str, int]:
    """The status of every live page's URL in production, asked over HTTP."""
    return await _answers(case, FETCH)


async def _answers(case: Case, code: str) -> dict[str, int]:
    (case.project / "templates" / "blog").mkdir(parents=True, exist_ok=True)
    for name in ("home_page", "blog", "post", "magazine"):
        (case.project / "templates" / "blog" / f"{name}.html").write_text("{{ page.title }}")
    seen: dict[str, int] = json.loads(await case.django("-c", code, at="production"))
    return seen


async def delivered(case: Case) -> dict[str, int]:
    """The status of every URL, as `urls` gives it, after a delivery.

    What holds after each: values moved, columns gone, nothing left to migrate.
    """
    moved = yaml.safe_load((case.project / "conv.yml").read_text())["move"]
    assert await case.query(LEFT.format("', '".join(moved))) == []
    return await _answers(case, SOUND + FETCH)


REFUSED = {
    "unique-constraint": ("blog_code_once", "ids: kept"),
    "clashing-name": ("podcast",),
    "field-of-mixin": ("robots", "base class"),
    "generated-field": ("total", "generated field"),
    "many-to-many": ("cats", "many-to-many"),
    "class-exists": ("Podcast", "no child of Blog"),
    "search-method": ("blog.Blog, search value: SearchField get_words", "AttributeError"),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_refused_in_project(lay: Lay, name: str) -> None:
    case = await lay(name)
    before = case.source()
    with pytest.raises(RemodelError) as caught:
        await case.run()
    for word in REFUSED[name]:
        assert word in str(caught.value), str(caught.value)
    assert case.source() == before
    assert await case.databases() == [], "the local database was made before the refusal"


async def deliver(lay: Lay, name: str) -> tuple[Case, list[Event]]:
    """A case after its delivery, which every page has survived."""
    case = await lay(name)
    before = await urls(case)
    events = await case.run()
    assert await case.query(CONVERTED) == [("show", "kw-show")]
    assert await delivered(case) == before
    return case, events


@pytest.mark.parametrize("name", ["migration-modules", "self-foreign-key"])
async def test_delivered(lay: Lay, name: str) -> None:
    await deliver(lay, name)


async def test_a_statement_moves_with_its_field_in_a_package_of_models(lay: Lay) -> None:
    case, events = await deliver(lay, "statement-on-field")
    assert (
        '__all__ = ["Blog", "Podcast"]'
        in (case.project / "blog" / "models" / "blog.py").read_text()
    )
    # The package above imports Blog by its name.
    assert any("from blog.models import Podcast" in str(event) for event in events)


async def test_a_file_keeps_the_encoding_that_it_declares(lay: Lay) -> None:
    case, _ = await deliver(lay, "declared-encoding")
    data = (case.project / "blog" / "models.py").read_bytes()
    assert data.count(b"\n") == data.count(b"\r\n")
    line = '"", verbose_name="Schlüssel", help_text="größer"\r\n'.encode("latin-1")
    assert data.count(line) == 1
    assert data.endswith((CASES / "declared-encoding/blog/models.py").read_bytes()[-180:])
    said = await case.django("-c", SAID, at="production")
    assert said.split() == ["'Schl\\xfcssel'", "'gr\\xf6\\xdfer'"]


async def test_the_new_type_is_allowed_where_the_old_one_is(lay: Lay) -> None:
    case, _ = await deliver(lay, "tree-rules")
    text = (case.project / "blog" / "models.py").read_text()
    assert 'subpage_types = ["blog.Blog", "blog.Podcast"]' in text
    assert 'parent_page_types = ["blog.Blog", "blog.Podcast"]' in text


async def test_a_constraint_moves_with_its_field(lay: Lay) -> None:
    case, _ = await deliver(lay, "check-constraint")
    constraints = await case.query(
        "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint "
        "WHERE conname LIKE '%explicit_max'"
    )
    assert constraints == [("blog_podcast", "blog_explicit_max", "CHECK ((explicit <= 3))")]


async def test_a_view_is_named_before_anything_runs_and_consented_to(lay: Lay) -> None:
    _, events = await deliver(lay, "view-on-column")
    named = [event for event in events if "keyword_report" in str(event)]
    assert named[0].operation == "project.trial"
    assert "slugs.migrate" in {event.operation for event in named}


async def test_lists_below_the_class_and_of_a_child(lay: Lay) -> None:
    case, events = await deliver(lay, "lists-elsewhere")
    answers = json.loads(await case.django("-c", API, at="production"))
    assert answers == {"blog.Blog": 200, "blog.Podcast": 200, "blog.Magazine": 200}
    named = [str(event) for event in events if event.operation == "project.trial"]
    assert any("blog.Magazine" in line and "vogue" in line for line in named), named


async def test_pages_in_every_state_and_a_type_that_is_not_creatable(lay: Lay) -> None:
    case = await lay("state-of-pages")
    before = await urls(case)
    keywords = await case.query("SELECT count(*), count(keywords) FROM blog_blog")
    await case.run()
    assert await delivered(case) == before
    assert await case.query("SELECT count(*), count(keywords) FROM blog_podcast") == keywords
    answer = await case.django("-c", CREATABLE, at="production")
    assert answer.split() == ["False", "9"]


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("unique-constraint", {"ids": "kept"}),
        ("clashing-name", {"to": "blog.Show"}),
        ("many-to-many", {"move": ["keywords"]}),
        ("class-exists", {"to": "blog.Show"}),
        ("generated-field", {"move": ["keywords"]}),
    ],
)
async def test_what_the_refusal_says_gets_past_it(
    lay: Lay, name: str, change: dict[str, Any]
) -> None:
    case = await lay(name)
    case.configure(**change)
    await case.run()
    table = f"blog_{change.get('to', 'blog.Podcast').partition('.')[2].lower()}"
    assert await case.query(CONVERTED.replace("blog_podcast", table)) == [("show", "kw-show")]
    await case.django("manage.py", "makemigrations", "--check", "--dry-run", at="production")


async def test_a_definition_that_is_moved_out_of_the_base_class_gets_past_its_refusal(
    lay: Lay,
) -> None:
    case = await lay("field-of-mixin")
    mixins, models = (case.project / "blog" / f"{name}.py" for name in ("mixins", "models"))
    line = '    robots = models.CharField(max_length=20, blank=True, default="")\n'
    assert line in mixins.read_text()
    mixins.write_text(mixins.read_text().replace(line, ""))
    models.write_text(
        models.read_text().replace("class Blog(SEO, Page):\n", "class Blog(SEO, Page):\n" + line)
    )
    await case.run()
    assert await case.query(CONVERTED) == [("show", "kw-show")]


async def test_code_that_does_without_a_moved_field_gets_past_its_refusal(lay: Lay) -> None:
    case = await lay("search-method")
    models = case.project / "blog" / "models.py"
    changed = models.read_text().replace("self.keywords", 'getattr(self, "keywords", "")')
    models.write_text(changed)
    await case.run()
    assert await case.query(CONVERTED) == [("show", "kw-show")]


BEHIND = (
    *("wagtailcore_page", "wagtailcore_revision", "wagtailcore_referenceindex"),
    *("django_content_type", "auth_permission", "django_migrations", "wagtailcore_pagelogentry"),
)
HASTY = (
    *("statement_timeout = '400ms'", "lock_timeout = '20ms'"),
    *("idle_in_transaction_session_timeout = '300ms'", "idle_session_timeout = '2s'"),
    "default_transaction_isolation = serializable",
)


async def test_sequences_behind_their_data_are_told_set_and_delivered(lay: Lay) -> None:
    case = await lay("statement-on-field")
    names = dict.fromkeys(BEHIND, "")
    for table in BEHIND:
        ((names[table],),) = await case.query(f"SELECT pg_get_serial_sequence('{table}', 'id')")
        await case.query(f"SELECT setval('{names[table]}', 1, false)")
        if not await case.query(f"SELECT 1 FROM {table} LIMIT 1"):
            del names[table]
    assert "wagtailcore_page" in names
    events = await case.run()
    await delivered(case)
    told = [e.name for e in events if isinstance(e, Finding) and e.operation == "project.trial"]
    plans = {e.operation: e.plan for e in events if isinstance(e, Planned)}
    for table, name in names.items():
        assert f"sequence of {table}.id" in told
        for operation in ("backup.sequences", "copy.convert", "production.deliver:production"):
            assert any(name in line for line in plans[operation]["does"]), operation
        rows = await case.query(f"SELECT last_value >= (SELECT max(id) FROM {table}) FROM {name}")
        assert rows == [(True,)]
    changed = await case.query("SELECT count(*) FROM blog_podcast")
    assert changed == [(1,)]


async def test_settings_of_the_roles_and_of_the_database_hinder_nothing(lay: Lay) -> None:
    case = await lay("check-constraint")
    try:
        for at in ("local", "production"):
            address = case.local if at == "local" else case.production
            for setting in HASTY:
                async with await connect(address.at("postgres")) as connection:
                    await connection.execute(f"ALTER ROLE app SET {setting}".encode())
        await case.query(
            f"ALTER DATABASE {case.production.database} SET default_transaction_read_only = on"
        )
        await case.run()
    finally:
        for address in (case.local, case.production):
            async with await connect(address.at("postgres")) as connection:
                await connection.execute("ALTER ROLE app RESET ALL")
    assert await case.query(CONVERTED) == [("show", "kw-show")]
    kept = await case.query(
        "SELECT unnest(setconfig) FROM pg_db_role_setting JOIN pg_database d "
        f"ON d.oid = setdatabase WHERE datname = '{case.production.database}'"
    )
    assert kept == [("default_transaction_read_only=on",)]


class FollowsTheHint(Consenting):
    """Does what the hint of a failure says, once, and tries again in the same session."""

    def __init__(self, follow: Callable[[RemodelError], Awaitable[None]]) -> None:
        super().__init__({"production.targets": ["production"]})
        self.follow = follow
        self.errors: list[RemodelError] = []

    async def failed(self, error: RemodelError, operation: str) -> Verdict:
        if self.errors:
            return "stop"
        self.errors.append(error)
        await self.follow(error)
        return "retry"


@pytest.mark.parametrize("migrated", [True, False])
async def test_models_without_their_migration_and_the_way_out(lay: Lay, *, migrated: bool) -> None:
    """Not migrating production is told: then its content is looked at after the restore."""
    case = await lay("check-constraint")
    models = case.project / "blog" / "models.py"
    more = "    more = models.TextField(blank=True)\n"
    models.write_text(re.sub(r"(class Blog\(.*\):\n)", rf"\1{more}", models.read_text()))
    assert more in models.read_text()

    async def follow(error: RemodelError) -> None:
        assert "manage.py makemigrations blog" in error.hint
        await case.django("manage.py", "makemigrations", "blog", at="production")
        if migrated:
            await case.django("manage.py", "migrate", at="production")

    operator = FollowsTheHint(follow)
    events = await case.run(operator=operator)
    assert [error.message for error in operator.errors] == [
        "The models have changes that no migration has."
    ]
    await delivered(case)
    told = [str(e) for e in events if isinstance(e, Finding) and e.operation == "project.trial"]
    assert any("content of production" in line for line in told) is not migrated
