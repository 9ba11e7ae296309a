"""Before there is a remodel.yml: what is found, what is asked, and what is written reads back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.sandbox import Demo
from wizard.base.errors import ConfigError
from wizard.commands import discover
from wizard.config import config
from wizard.config.databases import SiteAddress
from wizard.engine.operators import Plain
from wizard.project.django_project import find_project

TYPED = [
    "Blog",  # not taken: no such model
    "cast.Blog",
    "Podcast",  # not taken: no label
    "cast.Podcast",
    "show",
    "itunes_artwork itunes_categories keywords explicit",
    "../package",
    "flit install -s",
    "deploy@harbour.example",
    "",
    "harbour.example",
    "",
]


async def test_a_project_is_found_asked_about_and_written(demo: Demo) -> None:
    project = find_project(demo.root / "site" / "config")
    assert discover.missing(project) == ()
    discovery = await discover.discover(project, {})
    found = dict(discovery.detected)
    assert found["database"] == "harbour"
    assert "cast.Blog" in found["page models"]
    typed = iter(TYPED)
    told: list[str] = []
    given = await Plain(read=lambda prompt: next(typed), write=told.append).ask(
        discovery.questions, {}
    )
    assert sum("Not taken" in line for line in told) == 2
    path = discover.write(discovery, given)
    try:
        written = config.read(path)
        with pytest.raises(ConfigError, match="is there already"):
            discover.write(discovery, given)
    finally:
        path.unlink()
    assert written.project.python == demo.root / "site" / ".venv" / "bin" / "python"
    assert written.project.settings == "config.settings.local"
    assert written.project.package == demo.root / "package"
    assert written.local.address.user == "dev"
    assert written.backup_source.site == SiteAddress("harbour.example", 443)
    assert written.backup_source.address.database == "harbour"
    assert written.conversion.pages == ({"slug": "show"},)
    assert written.conversion.move[0] == "itunes_artwork"


async def test_asks_for_what_it_cannot_find(demo: Demo) -> None:
    project = replace(find_project(demo.root / "site"), settings=None, python=None)
    assert [question.key for question in discover.missing(project)] == [
        "project.settings",
        "project.python",
    ]
    given = {"project.settings": "config.settings.local", "project.python": ".venv/bin/python"}
    discovery = await discover.discover(project, given)
    assert discovery.fixed["project"]["settings"] == "config.settings.local"


async def test_refuses_a_folder_without_manage_py(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"No manage\.py"):
        find_project(tmp_path)
