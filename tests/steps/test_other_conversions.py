"""Conversions that are not the notes': ids kept; and a type that is there already, beside the
old one, with a field map. From the backup to a delivery, nobody's answers recorded."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support import sql_check
from tests.support.consenting_operator import Consenting
from tests.support.sandbox import Demo
from wizard.base.errors import ConfigError
from wizard.commands import runner
from wizard.config import config
from wizard.reports.output import Output
from wizard.session import session as sessions
from wizard.session.journal import Journal

STAGING = {"production.targets": ["staging"]}
NOTE = '''

def words_of(post):
    return len(str(post.body).split())


class Note(Page):
    """A type that somebody has written by hand."""

    day = models.DateField()
    body = StreamField(BodyBlock(), blank=True)
    tone = models.CharField(max_length=20, default="calm")
    words = models.PositiveIntegerField()

    parent_page_types = ["cast.Blog"]
    subpage_types = []
'''


def conversion(demo: Demo, **changes: object) -> config.Config:
    """The sandbox's config with another conversion."""
    data = yaml.safe_load((demo.root / "remodel.yml").read_text())
    data["conversion"].update(changes)
    path = demo.root / "other.yml"
    path.write_text(yaml.safe_dump(data))
    return config.read(path)


async def convert(found: config.Config) -> tuple[Path, dict[str, tuple[str, dict[str, Any]]]]:
    """Do everything; returns the session's folder, and state and facts of each operation."""
    with sessions.begin(found) as session:
        await runner.headless(found, session, Consenting(STAGING), Output())
        return session.folder, states(session.journal)


def states(journal: Journal) -> dict[str, tuple[str, dict[str, Any]]]:
    keys = dict.fromkeys(entry.operation for entry in journal.entries())
    found = {key: journal.state(key) for key in keys}
    return {key: (state.kind, state.data) for key, state in found.items() if state is not None}


async def test_converts_in_place_with_ids_kept(demo: Demo) -> None:
    with demo.connect("production") as connection:
        before = sql_check.look(connection)
        ids = connection.execute("SELECT id, slug FROM wagtailcore_page ORDER BY 1").fetchall()
    _, done = await convert(conversion(demo, ids="kept", pages=[{"path": "/show/"}]))
    assert done["copy.delete"] == ("skipped", {"why": "ids are kept: nothing to delete"})
    assert done["slugs.pages"] == ("skipped", {"why": "ids are kept: no slug was prefixed"})
    assert done["slugs.migrate"][0] == "done"
    with demo.connect("production", "harbour_staging") as connection:
        sql_check.judge(connection, before, "staging.harbour.example")
        after = connection.execute("SELECT id, slug FROM wagtailcore_page ORDER BY 1").fetchall()
    assert after == ids


@pytest.fixture
def with_note(demo: Demo) -> Iterator[Demo]:
    """The sandbox's package with `Note` beside `Post`, its migration made by Django."""
    install = yaml.safe_load((demo.root / "remodel.yml").read_text())["project"]["install"]
    package = demo.root / "package"
    try:
        text = demo.models.read_text()
        assert 'subpage_types = ["cast.Post"]' in text
        text = text.replace(
            'subpage_types = ["cast.Post"]', 'subpage_types = ["cast.Post", "cast.Note"]'
        )
        demo.models.write_text(text + NOTE)
        subprocess.run(install, check=True, capture_output=True)
        make_migration(demo)
        subprocess.run(install, check=True, capture_output=True)
        yield demo
    finally:
        shutil.rmtree(package)
        shutil.copytree(demo.root / "pristine-package", package)
        subprocess.run(install, check=True, capture_output=True)


def make_migration(demo: Demo) -> None:
    """`makemigrations`, and what it wrote into the environment copied into the source."""
    site = demo.root / "site"
    python = site / ".venv" / "bin" / "python"
    where = "import harbour_cast; print(harbour_cast.__path__[0])"
    subprocess.run(
        [python, "manage.py", "makemigrations", "cast"],
        cwd=site,
        check=True,
        capture_output=True,
        env={"DJANGO_SETTINGS_MODULE": "config.settings.local", **passwords(demo)},
    )
    found = subprocess.run([python, "-c", where], cwd=site, check=True, capture_output=True)
    for path in (Path(found.stdout.decode().strip()) / "migrations").glob("0002*.py"):
        shutil.copy(path, demo.models.parent / "migrations")


def passwords(demo: Demo) -> dict[str, str]:
    lines = (demo.root / ".env").read_text().splitlines()
    pairs = (line.partition("=") for line in lines if "=" in line)
    return {name: value.strip("'\"") for name, _, value in pairs}


POSTS = """
SELECT page.title, page.slug, page.url_path, page.live, post.date, post.body, page.path
FROM wagtailcore_page AS page JOIN cast_post AS post ON post.page_ptr_id = page.id
WHERE page.url_path LIKE '%/show/%' ORDER BY page.path
"""
NOTES = POSTS.replace("cast_post", "cast_note").replace("post.date", "post.day")


def with_ids(rows: list[tuple[Any, ...]], mapping: dict[str, int]) -> list[tuple[Any, ...]]:
    """Posts as they have to be afterwards: the same, but for the ids that their links hold."""

    def new(match: re.Match[str]) -> str:
        return match[1] + str(mapping.get(match[2], match[2]))

    links = re.compile(r'(id=\\"|"page": )(\d+)')
    return [(*facts, links.sub(new, json.dumps(body)), path) for *facts, body, path in rows]


async def test_converts_to_an_existing_sibling_by_a_field_map(with_note: Demo) -> None:
    demo = with_note
    with demo.connect("production") as connection:
        posts = connection.execute(POSTS).fetchall()
        tagged = connection.execute(
            "SELECT count(*) FROM cast_posttag AS tag JOIN wagtailcore_page AS page "
            "ON page.id = tag.content_object_id WHERE page.url_path LIKE '%/show/%'"
        ).fetchone()
        assert tagged is not None
        assert tagged[0]
    sibling = {
        "from": "cast.Post",
        "to": "cast.Note",
        "pages": [{"under": "/show/"}],
        "move": [],
    }
    fields = {
        "day": {"from": "date"},
        "tone": {"value": "bright"},
        "words": {"call": "harbour_cast.models.words_of"},
    }

    # What does not fit is told before anything is touched, all of it at once.
    wrong = {**fields, "day": {"from": "title"}, "tine": {"value": "x"}}
    with pytest.raises(ConfigError) as raised:
        await convert(conversion(demo, **sibling, fields=wrong))
    assert "day" in raised.value.found
    assert "tine" in raised.value.found
    assert demo.databases("local") == ["harbour"]

    folder, done = await convert(conversion(demo, **sibling, fields=fields))
    for key in ("structure.model", "structure.install", "structure.check", "structure.migration"):
        assert done[key][0] == "skipped", key
    for key in (
        "slugs.fields",
        "slugs.install",
        "slugs.check",
        "slugs.migrations",
        "slugs.migrate",
    ):
        assert done[key][0] == "skipped", key
    assert done["structure.migrate"][1]["applied"] == ["cast.0002_note"]
    assert len(done["copy.convert"][1]["map"]) == len(posts)

    journal = Journal(folder / "journal.sqlite", read_only=True)
    destroyed = dict(journal.intent("copy.convert")["destroys"])  # type: ignore[index]
    journal.close()
    assert destroyed["cast.Post.tags"] or destroyed["cast.PostTag"], destroyed

    with demo.connect("production", "harbour_staging") as connection:
        mapping = done["copy.convert"][1]["map"]
        notes = with_ids(connection.execute(NOTES).fetchall(), {})
        assert notes == with_ids(posts, mapping)
        assert notes != with_ids(posts, {})  # some of them link to each other
        left = connection.execute(POSTS).fetchall()
        assert left == []
        told = connection.execute("SELECT tone, words FROM cast_note").fetchall()
        assert {tone for tone, _ in told} == {"bright"}
        assert all(int(str(words)) > 0 for _, words in told)

    account = json.loads((folder / "ledger.json").read_text())
    assert account
    report = (folder / "report.md").read_text()
    assert "harbour_cast.models.words_of()" in report
    assert "'bright'" in report
