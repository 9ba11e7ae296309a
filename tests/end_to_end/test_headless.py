"""The whole procedure as a command without a terminal: replay, stop, resume, roll back."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import stat
import subprocess
from dataclasses import dataclass

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from tests.support import planted_secrets, sql_check
from tests.support.sandbox import Demo
from wizard.base.errors import VerificationFailed
from wizard.base.events import Events
from wizard.config.config import read
from wizard.delivery.drill import Drill
from wizard.engine.context import Context
from wizard.session import session as sessions

ALLOW = ("--allow", "staging", "--allow", "production")


@dataclass(frozen=True)
class Replayed:
    """A sandbox whose answers were replayed to the end, with secrets planted in it."""

    demo: Demo
    before: sql_check.Before
    command: planted_secrets.Ran
    leaks: list[str]


@pytest.fixture(scope="module")
def replayed(served: Demo) -> Replayed:
    """Replay once; the first tests of this file look at the result, the last of them undoes it."""
    served.put_back()
    with served.connect("production") as connection:
        before = sql_check.look(connection)
    with planted_secrets.planted(served) as known:
        done = planted_secrets.remodel(served, known, "replay", "answers.yml", *ALLOW, "--json")
        leaks = planted_secrets.leaks(served, known, done)
    return Replayed(served, before, done, leaks)


def test_replay_converts_staging_and_production(replayed: Replayed) -> None:
    demo, before, done = replayed.demo, replayed.before, replayed.command
    assert replayed.leaks == []
    assert done.returncode == 0, done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    described = Draft202012Validator(json.loads(demo.remodel("schema", "events").stdout))
    for event in events:
        described.validate(event)
    assert len({event["kind"] for event in events}) > 10
    assert events[-1]["kind"] == "summary"
    assert set(events[-1]["delivered"]) == {"staging", "production"}
    beside_the_gate = {
        event["name"]: event["value"]
        for event in events
        if event["kind"] == "finding" and event["operation"] == "production.deliver:production"
    }
    assert beside_the_gate["staging"].startswith("delivered and checked")
    assert beside_the_gate["staging: closed for"].endswith(" ms")
    with demo.connect("production") as connection:
        sql_check.judge(connection, before, "harbour.example")
    with demo.connect("production", "harbour_staging") as connection:
        sql_check.judge(connection, before, "staging.harbour.example")
    kept = [name for name in demo.databases("production") if name.endswith("_old")]
    assert len(kept) == 2
    home = demo.root / "production" / "home"
    assert (home / "podcast-stopped").exists()
    assert (home / "podcast-started").exists()


def test_what_a_session_writes_is_the_operators_alone(replayed: Replayed) -> None:
    """Whatever the umask, which is 022 here; the project's own files keep theirs."""
    root = replayed.demo.root
    written = [root / ".remodel", root / "backups"]
    written += [path for folder in tuple(written) for path in folder.rglob("*")]
    assert len(written) > 10
    wrong = [
        f"{path} {oct(mode)}"
        for path in written
        if not path.is_symlink()
        and (mode := stat.S_IMODE(path.stat().st_mode)) != (0o700 if path.is_dir() else 0o600)
    ]
    assert wrong == []


def test_drill_refuses_a_copy_that_lacks_a_migration_and_a_url(replayed: Replayed) -> None:
    found = asyncio.run(drilled_wrong(replayed.demo))
    assert re.search(r"migrate --check: cast\.\S+ has not been applied", found)
    assert "is gone; it led to" in found


def test_rollback_needs_two_keys_and_takes_production_back(replayed: Replayed) -> None:
    demo = replayed.demo
    shown = demo.remodel("rollback", "--target", "production")
    assert shown.returncode == 4
    assert "Nobody has consented" in shown.stderr
    refused = demo.remodel(
        "rollback", "--target", "production", "--allow", "production", "--consent", "0" * 16
    )
    assert refused.returncode == 5
    match = re.search(r"the plan is ([0-9a-f]{16})", refused.stderr)
    assert match, refused.stderr
    back = demo.remodel(
        "rollback", "--target", "production", "--allow", "production", "--consent", match[1]
    )
    assert back.returncode == 0, back.stderr
    with demo.connect("production") as connection:
        assert sql_check.look(connection) == replayed.before


async def drilled_wrong(demo: Demo) -> str:
    """What the drill's look by the project finds in a copy that lacks a migration and a URL."""
    config = read(demo.root / "remodel.yml")
    wrong = config.local.address.at("harbour_wrong")
    with demo.connect("local", "postgres") as connection:
        connection.execute("CREATE DATABASE harbour_wrong TEMPLATE harbour OWNER dev")
    with demo.connect("local", wrong.database) as connection:
        connection.execute(
            "DELETE FROM django_migrations WHERE id = "
            "(SELECT max(id) FROM django_migrations WHERE app = 'cast')"
        )
        connection.execute(
            "UPDATE wagtailcore_page SET slug = 'elsewhere', url_path = '/home/elsewhere/' "
            "WHERE path = (SELECT max(path) FROM wagtailcore_page)"
        )
    session = sessions.summaries(config)[-1]
    with sessions.resume(config, session.id) as opened:
        async with Context(config, opened, Events()) as context:
            with pytest.raises(VerificationFailed) as caught:
                await Drill(config.targets["production"]).serve(context, wrong)
    with demo.connect("local", "postgres") as connection:
        connection.execute("DROP DATABASE harbour_wrong")
    return str(caught.value.found)


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (signal.SIGINT, 130),
        (signal.SIGTERM, 143),
        (signal.SIGHUP, 129),
    ],
)
def test_a_signal_stops_in_good_order_and_resume_goes_on(
    demo: Demo, number: signal.Signals, code: int
) -> None:
    """Stopped in the middle of three different operations; the last one goes on to the end."""
    stop_at = {
        signal.SIGINT: "structure.install",
        signal.SIGTERM: "copy.convert",
        signal.SIGHUP: "slugs.migrate",
    }[number]
    with demo.connect("production") as connection:
        before = sql_check.look(connection)
    running = demo.start("replay", "answers.yml", *ALLOW, "--json")
    _until(running, "started", stop_at)
    running.send_signal(number)
    assert running.wait(60) == code
    listed = demo.remodel("sessions").stdout
    assert stop_at in listed
    assert "interrupted" in listed
    if number is not signal.SIGHUP:
        return
    resumed = demo.remodel("resume", "--answers", "answers.yml", *ALLOW, "--json")
    assert resumed.returncode == 0, resumed.stderr
    with demo.connect("production") as connection:
        sql_check.judge(connection, before, "harbour.example")


def test_a_second_session_after_a_kill_and_an_undo(demo: Demo) -> None:
    """SIGKILL in the middle of a migrate, undo, then a second session: never each other's work."""
    models = demo.models.read_text()
    running = demo.start("replay", "answers.yml", "--json")
    _until(running, "started", "structure.migrate")
    running.kill()
    running.wait(60)
    (first,) = (path.name for path in (demo.root / ".remodel" / "sessions").iterdir())

    undone = demo.remodel("undo", "--to", "structure")
    assert undone.returncode == 0, undone.stderr
    assert demo.models.read_text() == models
    assert [path.name for path in (demo.models.parent / "migrations").glob("0*.py")] == [
        "0001_initial.py"
    ]
    with demo.connect("local") as connection:
        there = connection.execute("SELECT to_regclass('cast_podcast')").fetchone()
    assert there == (None,)

    second = demo.start("replay", "answers.yml", "--json")
    _until(second, "finished", "backup.restore")
    second.kill()
    second.wait(60)
    foreign = demo.remodel("resume", first, "--answers", "answers.yml", *ALLOW, "--json")
    assert foreign.returncode == 5
    error = json.loads(foreign.stdout.splitlines()[-1])
    assert error["message"] == f"The project is not as session {first} left it."
    assert f"not 'remodel session {first}'" in error["found"]
    back = demo.remodel("undo", first, "--to", "backup")
    assert back.returncode == 5


def _until(running: subprocess.Popen[str], kind: str, operation: str) -> None:
    """Read events until this one."""
    assert running.stdout is not None
    for line in running.stdout:
        event = json.loads(line)
        if (event["kind"], event.get("operation")) == (kind, operation):
            return
    raise AssertionError(f"{operation} was not {kind}")


def test_refuses_production_without_allow_or_on_another_database(demo: Demo) -> None:
    """Two keys, and the identity that was pinned on first use, are asked of every delivery."""
    done = demo.remodel("replay", "answers.yml", "--allow", "staging", "--json")
    assert done.returncode == 4
    error = json.loads(done.stdout.splitlines()[-1])
    assert error["error"] == "ConsentMissing"
    assert "--allow production" in error["hint"]
    with demo.connect("production", "postgres") as connection:
        connection.execute("ALTER DATABASE harbour RENAME TO harbour_elsewhere")
        connection.execute(
            "CREATE DATABASE harbour TEMPLATE harbour_elsewhere OWNER deploy STRATEGY file_copy"
        )
    done = demo.remodel("resume", "--answers", "answers.yml", *ALLOW, "--json")
    assert done.returncode == 5
    assert json.loads(done.stdout.splitlines()[-1])["error"] == "IdentityMismatch"
    with demo.connect("production") as connection:
        kinds = {kind for _, _, kind in sql_check.look(connection).urls.values()}
    assert "cast.podcast" not in kinds


def test_check_plan_and_sessions_touch_nothing(demo: Demo) -> None:
    before = demo.databases("local"), demo.databases("production"), demo.models.read_text()
    assert demo.remodel("check", "answers.yml").returncode == 0
    broken = demo.root / "broken.yml"
    text = (demo.root / "answers.yml").read_text()
    broken.write_text(text.replace("backup.archive: fetch", "backup.archiv: fetch"))
    faulty = demo.remodel("check", "broken.yml")
    assert faulty.returncode == 2
    assert "Did you mean backup.archive" in faulty.stderr
    planned = demo.remodel("plan")
    assert planned.returncode == 0
    assert "fetch a backup of production" in planned.stdout.lower()
    assert "pg_dump on harbour-production for harbour" in planned.stdout
    assert "production.deliver:production" in planned.stdout
    assert "GATE" in planned.stdout
    assert "No session yet" in demo.remodel("sessions").stdout
    assert demo.remodel("replay", "answers.yml", "--allow", "prod").returncode == 2
    screenless = demo.remodel()
    assert screenless.returncode == 2
    assert "remodel replay" in screenless.stderr
    assert (
        demo.databases("local"),
        demo.databases("production"),
        demo.models.read_text(),
    ) == before


def test_undo_goes_back_to_before_the_backup(demo: Demo) -> None:
    models = demo.models.read_text()
    with demo.connect("local") as connection:
        before = connection.execute("SELECT id, title FROM wagtailcore_page ORDER BY 1").fetchall()
    stopped = demo.remodel("replay", "answers.yml")
    assert stopped.returncode == 4
    assert "class Podcast" in demo.models.read_text()
    undone = demo.remodel("undo", "--to", "backup")
    assert undone.returncode == 0, undone.stderr
    assert "backup.restore" in undone.stdout
    assert demo.models.read_text() == models
    assert [path.name for path in (demo.models.parent / "migrations").glob("0*.py")] == [
        "0001_initial.py"
    ]
    with demo.connect("local") as connection:
        after = connection.execute("SELECT id, title FROM wagtailcore_page ORDER BY 1").fetchall()
    assert after == before
