"""A source with the final models, and a database that was not converted: what its guard says.

The release is ready-made, in the case's folder `final`; its guard is the product's.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Sequence
from typing import Any

import pytest
import yaml

from tests.cases.site import TO_PRODUCTION, Case, Lay, Recorded
from tests.support.consenting_operator import Consenting
from wizard.base.errors import Declined, RemodelError
from wizard.base.events import Event, Finding
from wizard.commands import runner
from wizard.config import config
from wizard.session import session as sessions
from wizard.session.plan import Plan
from wizard.worker.site import migration_guard

pytestmark = [
    pytest.mark.xdist_group("cases"),
    pytest.mark.slow,
    pytest.mark.timeout(600),  # one goes through the last two steps twice
]

SAID = re.compile(r"from: (\S+), to: (\S+), move: (\[.*?\]), prefix: (\S+), and the `pages`")
FETCH = """
import django; django.setup()
from django.test import Client
from wagtail.models import Page
seen = {}
for page in Page.objects.filter(depth__gt=1, live=True).order_by("path"):
    path = page.get_url_parts()[2]
    seen[path] = Client().get(path, HTTP_HOST="t.example", secure=True).status_code
import json; print(json.dumps(seen))
"""
MOVED = """
SELECT p.id, p.slug, d.keywords, d.explicit, i.title, i.id, d.parts::text FROM blog_podcast d
JOIN wagtailcore_page p ON p.id = d.blog_ptr_id JOIN wagtailimages_image i ON i.id = d.cover_id
"""
SHOW = "SELECT id FROM wagtailcore_page WHERE slug = 'show'"
LEFT = """
SELECT column_name FROM information_schema.columns WHERE table_name = 'blog_blog'
AND column_name IN ('keywords', 'explicit', 'cover_id', 'parts')
"""

NEW_TYPE = """\
class Podcast(Blog):
    new_keywords = models.CharField(max_length=255, blank=True, default="")
    new_explicit = models.PositiveSmallIntegerField(choices=RATINGS, default=rating)
    new_cover = models.ForeignKey(
        "wagtailimages.Image",
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="new_covered",
    )
    new_parts = StreamField([("part", Part()), ("note", blocks.CharBlock())], blank=True)


"""  # as it is between the two phases


async def urls(case: Case) -> dict[str, int]:
    """The status of every live page's URL in production, asked over HTTP."""
    (case.project / "templates" / "blog").mkdir(parents=True, exist_ok=True)
    for name in ("home_page", "blog", "podcast", "post", "magazine"):
        (case.project / "templates" / "blog" / f"{name}.html").write_text("{{ page.title }}")
    seen: dict[str, int] = json.loads(await case.django("-c", FETCH, at="production"))
    return seen


def release(case: Case) -> None:
    """Lay the release with the final models over the project: its database is behind it."""
    final = case.project / "final"
    shutil.copytree(final, case.project, dirs_exist_ok=True)
    shutil.rmtree(final)
    shutil.copy(str(migration_guard.__file__), case.project / "blog" / "migrations" / "_guard.py")


def keep(case: Case, first: str) -> None:
    """Leave the session that made the release of `first`, with what its edit kept of the models."""
    before = first.replace("class Magazine", f"{NEW_TYPE}class Magazine")
    models = case.project / "blog" / "models.py"
    edit = Plan("slugs.fields", "", details={"path": str(models), "after": models.read_text()})
    with sessions.begin(config.read(case.project / "remodel.yml")) as session:
        session.journal.write(edit.operation, "intent", edit.as_dict())
        session.journal.write(edit.operation, "kept", {"before": before})
        session.journal.write(edit.operation, "done", {})
        session.journal.note("finished", True)


async def follow_the_guard(case: Case, **conversion: Any) -> None:
    """Migrate production as a deployment would, and have remodel.yml say what the refusal says."""
    with pytest.raises(AssertionError) as caught:
        await case.django("manage.py", "migrate", "-v0", at="production")
    message = str(caught.value)
    assert "would drop what 3 rows" in message
    said = SAID.search(message)
    assert said is not None, message
    names = zip(("from", "to", "move", "prefix"), map(yaml.safe_load, said.groups()), strict=True)
    told = {**dict(names), "pages": [{"slug": "show"}]}
    (case.project / "conv.yml").write_text(yaml.safe_dump(told))
    case.configure(**conversion)


async def converted(case: Case, page: int) -> None:
    """What holds after the delivery: the release's migrate has nothing left to do or to refuse."""
    ((new, slug, keywords, explicit, title, image, parts),) = await case.query(MOVED)
    assert (new, slug, keywords, explicit, title) == (page, "show", "kw-show", 2, "Sea")
    words = f'<a linktype="page" id="{new}">here</a>'
    assert [(block["type"], block["value"]) for block in json.loads(parts)] == [
        ("part", {"words": words, "image": image, "link": new}),
        ("note", "n"),
    ]
    assert await case.query(LEFT) == []
    await case.django("manage.py", "migrate", "--check", at="production")
    await case.django("manage.py", "makemigrations", "--check", "--dry-run", at="production")


def how(events: Sequence[Event]) -> list[str]:
    """What was found of the database and of the models before the removal."""
    return [
        event.value
        for event in events
        if isinstance(event, Finding) and event.name == "database behind the code"
    ]


REBUILT = (
    "production has not had blog.0003_remove_moved_fields_from_blog; the models before it are "
    "rebuilt from the migrations"
)
KEPT = REBUILT.replace("rebuilt from the migrations", "as a session kept them")


async def test_models_are_rebuilt_and_the_source_is_not_written(lay: Lay) -> None:
    case = await lay("database-behind")
    before = await urls(case)
    release(case)
    await follow_the_guard(case, ids="new")
    source = case.source()
    ((old,),) = await case.query(SHOW)
    assert how(await case.run()) == [REBUILT]
    assert case.source() == source
    ((new,),) = await case.query(SHOW)
    assert new != old
    await converted(case, new)
    assert await urls(case) == before
    assert set(before.values()) == {200}


class Stopping(Consenting):
    """Goes through everything but the gate of a delivery."""

    async def consent(self, plan: Plan, changed: Sequence[str]) -> None:
        if plan.operation.startswith("production.deliver"):
            raise Declined("no")
        await super().consent(plan, changed)


async def test_models_that_a_session_kept_are_laid_again_after_an_undo(lay: Lay) -> None:
    case = await lay("database-behind")
    models = (case.project / "blog" / "models.py").read_text()
    release(case)
    await follow_the_guard(case, ids="kept")
    keep(case, models)
    source = case.source()
    ((page,),) = await case.query(SHOW)
    events = Recorded()
    told = config.read(case.project / "remodel.yml")
    with sessions.begin(told) as session, pytest.raises(Declined):
        await runner.headless(told, session, Stopping(TO_PRODUCTION), events)
    assert how(events.events) == [KEPT]
    await runner.undo(told, "", "slugs")
    assert case.source() == source
    with sessions.resume(told) as session:
        await runner.headless(told, session, Consenting(TO_PRODUCTION), Recorded())
    assert case.source() == source
    await converted(case, page)


async def test_another_prefix_is_refused_before_anything_is_touched(lay: Lay) -> None:
    case = await lay("database-behind")
    release(case)
    case.configure(prefix="other_")
    source = case.source()
    with pytest.raises(RemodelError, match="side by side") as caught:
        await case.run()
    assert "blog.Podcast.other_keywords" in str(caught.value)
    assert case.source() == source
    assert await case.databases() == []
