"""A source with the final models, and a database that was not converted: what its guard says."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from typing import Any

import pytest
import yaml
from psycopg import sql

from tests.cases.site import Case, Lay
from tests.support.postgres import OWNER
from wizard.postgres.address import connect
from wizard.sandbox.cluster import Cluster

pytestmark = [pytest.mark.xdist_group("cases"), pytest.mark.slow]

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
MOVED = (
    "SELECT p.slug, d.keywords, d.explicit FROM blog_podcast d "
    "JOIN wagtailcore_page p ON p.id = d.blog_ptr_id"
)
COLUMN = "SELECT 1 FROM information_schema.columns WHERE (table_name, column_name) = ({}, {})"
REST = "SELECT i.title, d.parts FROM blog_podcast d JOIN wagtailimages_image i ON i.id = d.cover_id"


async def urls(case: Case) -> dict[str, int]:
    (case.project / "templates" / "blog").mkdir(parents=True, exist_ok=True)
    for name in ("home_page", "blog", "podcast", "post", "magazine"):
        (case.project / "templates" / "blog" / f"{name}.html").write_text("{{ page.title }}")
    seen: dict[str, int] = json.loads(await case.django("-c", FETCH, at="production"))
    return seen


async def second_copy(case: Case, far_cluster: Cluster) -> Case:
    """Another unconverted database like the case's production."""
    name = f"{case.production.database}_second"
    await far_cluster.drop_database(name)
    async with await connect(far_cluster.address("postgres")) as connection:
        await connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER {}").format(
                *map(sql.Identifier, (name, case.production.database, OWNER))
            )
        )
    return replace(case, production=case.production.at(name))


async def refusal(case: Case) -> str:
    """What the guard says when the release is migrated on the case's production."""
    with pytest.raises(AssertionError) as caught:
        await case.django("manage.py", "migrate", "-v0", at="production")
    return str(caught.value)


def follow(case: Case, message: str, **conversion: Any) -> None:
    """Have remodel.yml say what the message says, and nothing else."""
    said = SAID.search(message)
    assert said is not None, message
    (case.project / "conv.yml").write_text(
        yaml.safe_dump(
            {
                "from": said[1],
                "to": said[2],
                "move": yaml.safe_load(said[3]),
                "prefix": said[4],
                "pages": [{"slug": "show"}],
            }
        )
    )
    case.configure(**conversion)


@pytest.mark.parametrize(
    ("name", "kept", "ids"),
    [
        ("database-behind", False, "new"),
        ("database-behind", False, "kept"),
        ("database-behind", True, "new"),
        ("statement-on-field", False, "kept"),
    ],
)
async def test_following_the_guard_converts_the_database(
    lay: Lay, far_cluster: Cluster, name: str, *, kept: bool, ids: str
) -> None:
    first = await lay(name)
    case = await second_copy(first, far_cluster)
    try:
        before = await urls(case)
        await first.run()
        if not kept:
            shutil.rmtree(first.project / ".remodel" / "sessions")
        source = case.source()
        message = await refusal(case)
        assert "would drop what 3 rows" in message
        follow(case, message, ids=ids)
        events = await case.run()
        how = "as a session kept them" if kept else "rebuilt from the migrations"
        assert any(how in str(event) for event in events)
        assert case.source() == source
        assert await case.query(MOVED) == await first.query(MOVED) == [("show", "kw-show", 2)]
        if name == "database-behind":
            ((image, parts),) = await case.query(REST)
            assert image == "Sea"
            ((new,),) = await case.query("SELECT blog_ptr_id FROM blog_podcast")
            assert parts[0]["value"]["link"] == new if isinstance(parts, list) else True
        await case.django("manage.py", "migrate", "-v0", at="production")
        await case.django("manage.py", "migrate", "--check", at="production")
        await case.django("manage.py", "makemigrations", "--check", "--dry-run", at="production")
        assert await urls(case) == before
        assert set(before.values()) == {200}
    finally:
        await far_cluster.drop_database(case.production.database)
