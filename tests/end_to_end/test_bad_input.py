"""Bad input: one clear message, the documented exit code, and nothing half done."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.sandbox import REMODEL, Demo, dump_of_production

ALLOW = ("--allow", "staging", "--allow", "production")


def with_config(demo: Demo, **changes: object) -> Path:
    """A copy of remodel.yml beside it, with dotted keys (`__` for the dot) set otherwise."""
    data = yaml.safe_load((demo.root / "remodel.yml").read_text())
    for dotted, value in changes.items():
        *above, last = dotted.split("__")
        section = data
        for key in above:
            section = section[key]
        section[last] = value
    path = demo.root / "bad.yml"
    path.write_text(yaml.safe_dump(data))
    return path


def replay(demo: Demo, *more: str) -> tuple[int, dict[str, Any]]:
    """The exit code and the error of a replay that has to fail."""
    done = demo.remodel("replay", "answers.yml", *ALLOW, "--json", *more)
    assert "fault in remodel" not in done.stderr
    last = json.loads(done.stdout.splitlines()[-1])
    assert last["kind"] == "error", last
    return done.returncode, last


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"project__path": "package"}, 2, "no manage.py"),
        ({"project__python": "nowhere/bin/python"}, 2, "does not exist"),
        ({"project__settings": "config.settings.broken"}, 2, "ModuleNotFoundError"),
        ({"conversion__from": "cast.Blogg"}, 2, "Did you mean cast.Blog"),
        ({"conversion__pages": [{"slug": "shows"}]}, 2, "Did you mean show"),
        ({"conversion__move": ["keyword"]}, 2, "Did you mean keywords"),
        ({"local__database": "nothere"}, 2, "Make local.database and the settings agree"),
        ({"targets__production__ssh": "nobody@harbour-production"}, 3, "refused"),
        ({"targets__production__database": "nothere"}, 3, "nothere"),
    ],
)
def test_refuses_a_config_that_does_not_fit(
    demo: Demo, changes: dict[str, Any], code: int, words: str
) -> None:
    before = demo.databases("local"), demo.databases("production"), demo.models.read_text()
    path = with_config(demo, **changes)
    found, error = replay(demo, "--config", str(path))
    text = f"{error['message']}\n{error['found']}\n{error['hint']}"
    assert words in text
    assert found == code
    assert error["hint"]
    after = demo.databases("production"), demo.models.read_text()
    assert after == before[1:]


def test_shows_the_traceback_of_settings_that_do_not_import(demo: Demo) -> None:
    broken = demo.root / "site" / "config" / "settings" / "broken.py"
    broken.write_text("from .local import *\n\nSECRET = undefined_name\n")
    try:
        path = with_config(demo, project__settings="config.settings.broken")
        code, error = replay(demo, "--config", str(path))
    finally:
        broken.unlink()
    assert code == 2
    assert "config/settings/broken.py" in error["found"]
    assert "NameError: name 'undefined_name' is not defined" in error["found"]
    assert "wizard/worker" not in error["found"]


def test_refuses_a_slug_that_two_pages_have(demo: Demo) -> None:
    with demo.connect("production") as connection:
        connection.execute(
            "UPDATE wagtailcore_page p SET slug = 'show' FROM cast_blog b "
            "WHERE b.page_ptr_id = p.id AND p.slug <> 'show'"
        )
    code, error = replay(demo)
    assert code == 2
    assert "2 pages have the slug 'show'" in error["found"] + error["message"]
    assert "conversion.pages" in error["hint"] + error["found"]


def test_refuses_an_unknown_host_key_without_a_person(demo: Demo) -> None:
    known = demo.root / ".remodel" / "known_hosts"
    aside = known.rename(known.with_suffix(".aside"))
    try:
        code, error = replay(demo)
    finally:
        aside.replace(known)
    assert code == 4
    assert "SHA256:" in error["found"]
    assert "consents.project.trust:" in error["hint"]


def test_refuses_a_changed_host_key(demo: Demo, tmp_path: Path) -> None:
    known = demo.root / ".remodel" / "known_hosts"
    text = known.read_text()
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "key"], check=True
    )
    key = (tmp_path / "key.pub").read_text().split()
    known.write_text(f"{text.split()[0]} {key[0]} {key[1]}\n")
    try:
        code, error = replay(demo)
    finally:
        known.write_text(text)
    assert code == 5
    assert "changed" in error["message"]


def test_leaves_a_local_database_in_use_alone(demo: Demo) -> None:
    with demo.connect("local") as connection:
        connection.execute("SET application_name = 'a shell that was forgotten'")
        code, error = replay(demo)
        assert code == 1
        assert "a shell that was forgotten" in error["found"]
        assert connection.execute("SELECT 1").fetchone() == (1,)
    assert demo.databases("local") == ["harbour"]


@pytest.mark.parametrize("fault", ["flipped", "missing"])
def test_refuses_a_dump_that_is_not_whole(demo: Demo, fault: str) -> None:
    data = dump_of_production(demo)
    path = demo.root / "taken.dump"
    if fault == "flipped":
        middle = len(data) // 2
        path.write_bytes(data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :])
        # What a dump of ours has beside it: the flip alone may pass for content.
        noted = f"{hashlib.sha256(data).hexdigest()}  taken.dump\n"
        path.with_name("taken.dump.sha256").write_text(noted)
    answers = demo.root / "taken.yml"
    text = (demo.root / "answers.yml").read_text()
    answers.write_text(text.replace("backup.archive: fetch", "backup.archive: taken.dump"))
    done = demo.remodel("replay", "taken.yml", *ALLOW, "--json")
    for left in demo.root.glob("taken.dump*"):
        left.unlink()
    assert done.returncode in (1, 6), done.stdout.splitlines()[-1]
    assert "taken.dump" in json.loads(done.stdout.splitlines()[-1])["message"]
    assert demo.databases("local") == ["harbour"]


def test_says_what_to_do_without_a_project_or_config(tmp_path: Path) -> None:
    done = subprocess.run(
        [REMODEL, "plan"], cwd=tmp_path, capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    assert done.returncode == 2
    assert "no remodel.yml" in done.stderr
