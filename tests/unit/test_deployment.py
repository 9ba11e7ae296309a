"""What has to be deployed with a delivery, from the journal of a session."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.remodel_yml import write
from wizard.config import config
from wizard.delivery.base import commands_around
from wizard.engine.deployment import Deployment, deployment
from wizard.session.journal import Journal

PACKAGE = "/home/ana/package/src/cast"


def done(journal: Journal, key: str, **details: object) -> None:
    journal.write(key, "intent", {"details": details})
    journal.write(key, "done", {})


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "journal.db")


def test_names_the_files_and_what_fails_without_them(journal: Journal) -> None:
    done(journal, "structure.model", path=f"{PACKAGE}/models.py")
    migrations = {f"{PACKAGE}/migrations/{name}.py": "" for name in ("0002_podcast", "_guard")}
    done(journal, "structure.migration", files=migrations)
    done(journal, "slugs.fields", path=f"{PACKAGE}/models.py")
    assert deployment(journal, "cast.Blog", "cast.Podcast", ["keywords"]) == Deployment(
        PACKAGE,
        ("models.py", "migrations/0002_podcast.py", "migrations/_guard.py"),
        ("every converted page (it has no cast.Podcast)",),
    )
    done(journal, "slugs.migrate")
    deployed = deployment(journal, "cast.Blog", "cast.Podcast", ["keywords"])
    assert deployed.failures[0] == "every cast.Blog page (keywords gone from its table)"
    assert deployed.lines()[0].startswith(f"DEPLOY with it, from {PACKAGE}: models.py, migrations/")


def test_names_nothing_where_no_file_was_written_or_all_was_undone(journal: Journal) -> None:
    assert deployment(journal, "cast.Blog", "cast.Note", []).lines() == []
    done(journal, "structure.model", path=f"{PACKAGE}/models.py")
    journal.write("structure.model", "undone", {})
    assert deployment(journal, "cast.Blog", "cast.Podcast", []).lines() == []


def test_says_what_the_commands_of_the_target_have_to_do(tmp_path: Path) -> None:
    production = config.read(write(tmp_path)).targets["production"]
    assert commands_around(production) == (
        "`before` runs systemctl stop podcast, `after` runs systemctl start podcast: make sure "
        "that they stop the old code and start the new"
    )
    assert "the old code goes on" in commands_around(replace(production, before=(), after=()))
    assert "`before` runs nothing" in commands_around(replace(production, before=()))
