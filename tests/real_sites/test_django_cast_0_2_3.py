"""The conversion that the notes are about: django-cast 0.2.3 in January 2023, on Wagtail 4.2.

Its author split Blog into Blog and Podcast by hand, and released the result as 0.2.4. Here
remodel does it; then 0.2.4 itself has to run on what came out, and to find its own schema.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.real_sites import environments, page_views
from tests.real_sites.environments import Pinned
from tests.real_sites.judge import Change, Row, faults, sound
from tests.real_sites.sites import RealSite, Recipe, Seen, Take
from wizard.project import source

pytestmark = [
    pytest.mark.matrix,
    pytest.mark.timeout(1200),
    pytest.mark.xdist_group("django_cast_0_2_3"),  # one environment, one filled database
]

ENVIRONMENT = Pinned("django_cast_0_2_3", ("3.11", "3.10", "3.9"))
HISTORIC = Recipe(ENVIRONMENT, "settings_cast_0_2_3", "fill_cast_0_2_3.py")
FIELDS = ["itunes_artwork", "itunes_categories", "keywords", "explicit"]
COLUMNS = ["itunes_artwork_id", *FIELDS[1:]]
MOVE: dict[str, Any] = {
    "old_type": "cast.Blog",
    "new_type": "cast.Podcast",
    "fields": FIELDS,
    "prefix": "new_",
}
# What the author had taken out already when he began, in migrations 0030 to 0032.
EARLIER = {"pub_date", "created", "modified"}
EARLIER_EDITS = {
    "class Blog(TimeStampedModel, Page):": "class Blog(Page):",
    "class Post(TimeStampedModel, Page):": "class Post(Page):",
    "    pub_date = models.DateTimeField(null=True, blank=True)\n": "",
}
PARENTS = {'parent_page_types = ["cast.Blog"]': 'parent_page_types = ["cast.Blog", "cast.Podcast"]'}


async def test_splits_the_blog_as_the_release_notes_describe(take: Take, seen: Seen) -> None:
    before = await seen(HISTORIC)
    site = await take(HISTORIC)
    release = await environments.add(ENVIRONMENT, "cast-0.2.4", "django-cast==0.2.4")
    package = with_source(site)
    models = package / "models" / "pages.py"
    edit(models, EARLIER_EDITS)
    for migration in sorted((release / "cast" / "migrations").glob("003[012]_*.py")):
        shutil.copy(migration, package / "migrations")
    await site.run("manage.py", "migrate", "-v0")

    # Structure.
    text = models.read_text()
    derived = source.derived_class(
        text, old_class="Blog", new_class="Podcast", fields=FIELDS, prefix="new_"
    )
    models.write_text(source.insert_class(text, after="Blog", text=derived))
    async with site.worker() as worker:
        for migration in await worker.ask("make_migration", app="cast", kind="add", **MOVE):
            Path(migration["path"]).write_text(migration["text"])
        await worker.restart()
        await worker.ask("migrate")
        checked = await worker.ask("check_models", phase="added", **MOVE)
        assert [finding for finding in checked if not finding["ok"]] == []

        # Posts are allowed below blogs alone, and the plan says so before anything is done.
        asked = {**MOVE, "fields": {}, "move": FIELDS, "ids": "new"}
        plan = await worker.ask("convert_plan", pages=[site.pages["show"]], **asked)
        assert any("parent_page_types" in fault for fault in plan["faults"]), plan["faults"]
    edit(models, PARENTS)

    # Copy and slugs.
    first = await site.snapshot()
    page_ids = await site.convert(
        "cast.Blog", "cast.Podcast", [site.pages["show"]], ids="new", move=tuple(FIELDS)
    )
    models.write_text(
        source.final_models(
            models.read_text(), old_class="Blog", new_class="Podcast", fields=FIELDS, prefix="new_"
        )
    )
    async with site.worker() as worker:
        for migration in await worker.ask("make_migration", app="cast", kind="finish", **MOVE):
            Path(migration["path"]).write_text(migration["text"])
        await worker.restart()
        await worker.ask("migrate")
        renames = {f"new_{field}": field for field in FIELDS}
        await worker.ask("rename_revision_fields", id_map=page_ids, renames=renames)
        await worker.ask("unprefix_names", new_type="cast.Podcast", fields=FIELDS, prefix="new_")
        assert await worker.ask("pending_changes", app="cast") == []
        assert (await worker.ask("check"))["errors"] == 0

    split = Change(
        page_ids,
        "cast.blog",
        "cast.podcast",
        joined={"cast_podcast": moved},
        without={"cast_blog": tuple(COLUMNS)},
    )
    after = await site.snapshot()
    found = faults(first, after, split)
    assert not found, "\n".join(line[:1000] for line in found)
    assert list(sound(after)) == []
    # Wagtail 4 indexes what every model of every app refers to, permissions and content types
    # among it, and nobody looks there. What pages refer to, and what refers to pages, is used.
    used = ("'wagtailcore.page'", "'search'")
    stale = [line for line in await site.stale_indexes() if any(name in line for name in used)]
    assert not stale, "\n".join(stale)

    # The release that the author made of it, with its own migrations from there on.
    await upgrade(site, release)
    reference = await take(HISTORIC)
    shutil.copytree(release / "cast", reference.project / "cast")
    await reference.run("manage.py", "migrate", "-v0")
    assert await site.schema() == await reference.schema()
    for page in before["pages"]:
        # A blog that stays one has no fields of a podcast any more.
        gone = EARLIER | (set(FIELDS) if page["url_path"] == "/home/notes/" else set())
        page["draft"] = page["draft"] and {
            key: value for key, value in page["draft"].items() if key not in gone
        }
    driven = await site.drive("after", publish=True)
    found = page_views.faults(before, driven, first, [split])
    assert not found, "\n".join(found)


def with_source(site: RealSite) -> Path:
    """The package's source into the project, as `flit install -s` would link it."""
    (installed,) = ENVIRONMENT.place.glob("lib/python3.*/site-packages/cast")
    shutil.copytree(installed, site.project / "cast", ignore=shutil.ignore_patterns("__pycache__"))
    return site.project / "cast"


def edit(path: Path, changes: dict[str, str]) -> None:
    text = path.read_text()
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    path.write_text(text)


def moved(page: Row) -> Row:
    return {column: page[f"cast_blog.{column}"] for column in COLUMNS}


async def upgrade(site: RealSite, release: Path) -> None:
    """0.2.4 in place of the edited source; its 0033 to 0035 are what remodel has done."""
    shutil.rmtree(site.project / "cast")
    shutil.copytree(release / "cast", site.project / "cast")
    await site.query("DELETE FROM django_migrations WHERE app = 'cast' AND name ~ '^00(3[3-9])'")
    await site.run(
        "manage.py", "migrate", "-v0", "--fake", "cast", "0035_remove_new_prefix_podcast_fields"
    )
    await site.run("manage.py", "migrate", "-v0")
