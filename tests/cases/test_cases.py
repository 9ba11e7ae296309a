"""Cases from the field, from the look at the project to the delivery.

What is right is asserted by SQL and HTTP that share no code with the product.
"""

from __future__ import annotations

import json

import pytest

from tests.cases.conftest import Lay
from tests.cases.site import Case
from wizard.base.errors import RemodelError

pytestmark = [pytest.mark.xdist_group("cases"), pytest.mark.slow]

CONVERTED = (
    "SELECT p.slug, d.keywords FROM blog_podcast d JOIN wagtailcore_page p ON p.id = d.blog_ptr_id"
)
COLUMNS = (
    "SELECT column_name FROM information_schema.columns WHERE table_name = '{}' "
    "AND column_name IN ('keywords', 'explicit')"
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


async def urls(case: Case) -> dict[str, int]:
    """The status of every live page's URL in production, asked over HTTP."""
    (case.project / "templates" / "blog").mkdir(parents=True, exist_ok=True)
    for name in ("home_page", "blog", "post", "magazine"):
        (case.project / "templates" / "blog" / f"{name}.html").write_text("{{ page.title }}")
    seen: dict[str, int] = json.loads(await case.django("-c", FETCH, at="production"))
    return seen


async def delivered(case: Case) -> None:
    """What holds after every delivery: values moved, columns gone, nothing left to migrate."""
    assert await case.query(COLUMNS.format("blog_blog")) == []
    await case.django("manage.py", "makemigrations", "--check", "--dry-run", at="production")
    await case.django("manage.py", "migrate", "--check", at="production")
    await case.django("manage.py", "check", "--database", "default", at="production")


REFUSED = {
    "unique-constraint": ("blog_code_once", "ids: kept"),
    "clashing-name": ("podcast",),
    "field-of-mixin": ("robots", "base class"),
    "generated-field": ("total", "generated field"),
    "many-to-many": ("cats", "many-to-many"),
    "class-exists": ("Podcast", "models.py"),
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


@pytest.mark.parametrize(
    "name",
    [
        *("tree-rules", "migration-modules", "self-foreign-key", "lists-elsewhere"),
        *("statement-on-field", "check-constraint", "view-on-column"),
    ],
)
async def test_delivered(lay: Lay, name: str) -> None:
    case = await lay(name)
    before = await urls(case)
    await case.run()
    assert await case.query(CONVERTED) == [("show", "kw-show")]
    await delivered(case)
    assert await urls(case) == before
