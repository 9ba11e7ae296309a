"""A recorded session on a fresh copy of production, and not a trace of it afterwards."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from typing import Any

import pytest
import yaml

from tests.support.sandbox import Demo
from tests.support.sql_check import table_digests

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]  # the demo is walked again and again
ALLOW = ("--allow", "staging", "--allow", "production")


def world(demo: Demo) -> dict[str, Any]:
    """All that a rehearsal must leave as it was."""
    package = demo.root / "package" / "src"
    seen: dict[str, Any] = {place: demo.databases(place) for place in ("local", "production")}
    seen["files"] = {
        str(path): path.read_bytes() for path in sorted(package.rglob("*.py")) if path.is_file()
    }
    seen["backups"] = sorted(path.name for path in (demo.root / "backups").glob("*"))
    seen["home"] = sorted(path.name for path in (demo.root / "production" / "home").iterdir())
    for place, name in (
        ("local", "harbour"),
        ("production", "harbour"),
        ("production", "harbour_staging"),
    ):
        with demo.connect(place, name) as connection:
            seen[f"{place} {name}"] = table_digests(connection)
            seen[f"{place} {name} mark"] = connection.execute(
                "SELECT oid, shobj_description(oid, 'pg_database') FROM pg_database "
                "WHERE datname = current_database()"
            ).fetchone()
    return seen


def ended(done: subprocess.CompletedProcess[str]) -> dict[str, dict[str, Any]]:
    """The last event of each kind."""
    return {event["kind"]: event for event in map(json.loads, done.stdout.splitlines())}


def started(demo: Demo, operation: str, *arguments: str) -> subprocess.Popen[str]:
    """The command, in the middle of an operation."""
    running = demo.start(*arguments)
    assert running.stdout is not None
    for line in running.stdout:
        event = json.loads(line)
        if (event["kind"], event.get("operation")) == ("started", operation):
            return running
    raise AssertionError(f"{operation} was not started")


def test_an_interrupted_rehearsal_takes_everything_back(demo: Demo) -> None:
    """The answers alone, with no session that they are from."""
    before = world(demo)
    assert "class Podcast" not in demo.models.read_text()
    running = started(demo, "structure.migrate", "rehearse", "--answers", "answers.yml", "--json")
    running.send_signal(signal.SIGINT)
    told, _ = running.communicate(timeout=120)
    assert running.returncode == 130
    undone = [event for event in map(json.loads, told.splitlines()) if "outcome" in event]
    assert (undone[-1]["operation"], undone[-1]["outcome"]) == ("rehearsal.source", "undone")
    assert world(demo) == before
    assert demo.remodel("rehearse", "--back").returncode == 0


def test_a_rehearsal_reports_changes_and_takes_everything_back(demo: Demo) -> None:
    """Recorded up to staging. Then production is edited, and a consent is to another plan."""
    assert demo.remodel("replay", "answers.yml", "--allow", "staging").returncode == 4
    (folder,) = (demo.root / ".remodel" / "sessions").iterdir()
    with demo.connect("production") as connection:
        connection.execute(
            "UPDATE wagtailcore_page SET title = 'Edited since' "
            "WHERE id = (SELECT max(id) FROM wagtailcore_page)"
        )
    path = folder / "answers.yml"
    recorded = yaml.safe_load(path.read_text())
    consent = recorded["consents"]["copy.delete"]
    consent["plan"]["facts"]["pages"]["names"] = ["/elsewhere/"]
    consent["fingerprint"] = "0" * 16
    path.write_text(yaml.safe_dump(recorded))
    before = world(demo)

    cut = started(demo, "copy.convert", "rehearse", "--json")
    cut.kill()
    cut.wait(60)
    refused = demo.remodel("resume", folder.name, "--answers", "answers.yml", *ALLOW)
    assert refused.returncode == 1
    assert "remodel rehearse --back" in refused.stderr

    done = demo.remodel("rehearse", "--json")  # takes back what was cut off, first

    assert done.returncode == 5, done.stderr
    assert "Taken back" in done.stderr
    told = ended(done)
    assert told["rehearsal"]["stale"] == [
        "copy.delete: facts.pages.names: was ['/elsewhere/'], is now ['/harbour-street/show/']"
    ]
    assert [line.partition(" ")[0] for line in told["rehearsal"]["open"]] == [
        "production.deliver:production:"
    ]
    assert "wagtailcore_page: 1 changed" in "\n".join(told["rehearsal"]["written"])
    assert told["rehearsal"]["changed"] == []
    assert told["error"]["error"] == "PlanStale"
    assert world(demo) == before
    assert list((demo.root / ".remodel" / "rehearsals").iterdir()) == []


def test_a_failed_rehearsal_takes_everything_back_and_a_kept_one_is_purged(demo: Demo) -> None:
    """Delivered everywhere: production has no page of the old type any more. Then the purge."""
    assert demo.remodel("replay", "answers.yml", *ALLOW).returncode == 0
    (folder,) = (demo.root / ".remodel" / "sessions").iterdir()
    before = world(demo)
    assert any(name.endswith("_old") for name in before["production"])

    done = demo.remodel("rehearse", "--json")
    assert done.returncode == 2, done.stderr
    message = ended(done)["error"]["message"]
    assert message == "No page that has the slug 'show' is a cast.Blog."
    assert world(demo) == before

    listed = demo.remodel("purge")
    assert listed.returncode == 0
    assert "on production, by the journal: harbour__" in listed.stdout
    given: list[str] = []
    for _ in range(3):  # this machine, staging, production: each refuses until it is consented to
        refused = demo.remodel("purge", folder.name, *ALLOW, *given)
        assert refused.returncode in (4, 5), refused.stderr
        match = re.search(r"(?:the plan is|  plan) ([0-9a-f]{16})", refused.stderr)
        assert match, refused.stderr
        given += ["--consent", match[1]]
    done = demo.remodel("purge", folder.name, *ALLOW, *given)
    assert done.returncode == 0, done.stderr
    assert demo.databases("local") == ["harbour"]
    assert demo.databases("production") == ["harbour", "harbour_staging"]
    assert list((demo.root / "backups").iterdir()) == []
    with demo.connect("production") as connection:
        assert table_digests(connection) == before["production harbour"]
    rolled = demo.remodel("rollback", "--target", "production", "--consent", "0" * 16)
    assert rolled.returncode == 1
    assert "is not on" in rolled.stderr
    undone = demo.remodel("undo", folder.name, "--to", "slugs")
    assert undone.returncode == 1
