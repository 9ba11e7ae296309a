"""The worker as a process: what it says, what cannot disturb it, and how it fails."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.worker.press import Press
from wizard.base.errors import ConfigError, ConnectionFailed, IdentityMismatch, WorkerFailed
from wizard.base.events import Events, Line, Report
from wizard.postgres.address import connect
from wizard.project.django_project import find_project
from wizard.project.worker_client import WorkerClient

SETTINGS = "config/settings.py"


@pytest.fixture(autouse=True)
def apart(press: Press) -> None:
    """Each test has workers of its own."""
    press.apart()


def add_settings(press: Press, text: str) -> None:
    path = press.project / SETTINGS
    path.write_text(path.read_text() + text)


async def test_hello_tells_the_project_and_its_database(press: Press) -> None:
    async with press.site() as site:
        hello = site.hello
    assert (hello.wagtail, hello.settings) == ("8.0.1", "config.settings")
    assert hello.page_models[:2] == ("press.Blog", "press.Entry")
    assert hello.apps["press"].models == press.project / "press" / "models.py"
    assert not hello.apps["press"].installed
    assert hello.apps["wagtailcore"].installed
    assert hello.pending == ()
    oid = await press.value("SELECT oid FROM pg_database WHERE datname = current_database()")
    system = await press.value("SELECT system_identifier::text FROM pg_control_system()")
    assert hello.database.identity == (system, oid)


async def test_what_the_settings_print_and_ask_cannot_disturb(press: Press) -> None:
    add_settings(
        press,
        """
import subprocess
print('{"id": 1, "result": "forged"}')
os.write(1, b"written\\n")
subprocess.run(["echo", "from a child"], check=True)
try:
    input("Really? ")
except EOFError:
    print("nobody answered")
""",
    )
    async with press.site() as site:
        assert (await site.ask("sites"))[0]["hostname"] == "localhost"


async def test_settings_that_raise_show_the_projects_traceback_only(press: Press) -> None:
    add_settings(press, "\nMODE = os.environ['PRESS_MODE']\n")
    with pytest.raises(ConfigError) as caught:
        await press.site().start()
    found = caught.value.found
    assert "MODE = os.environ['PRESS_MODE']" in found
    assert found.endswith("KeyError: 'PRESS_MODE'")
    assert "wizard/worker" not in found
    assert "config.settings" in caught.value.message


async def test_settings_that_exit_are_an_error_not_a_silence(press: Press) -> None:
    add_settings(press, "\nraise SystemExit('No licence')\n")
    with pytest.raises(ConfigError, match="Importing the project's settings") as caught:
        await press.site().start()
    assert "No licence" in caught.value.found


async def test_models_that_do_not_import_show_the_projects_traceback(press: Press) -> None:
    press.edit(old="class BlogTag", new="from press import nothing\n\n\nclass BlogTag")
    with pytest.raises(ConfigError, match="apps cannot be loaded") as caught:
        await press.site().start()
    assert "cannot import name 'nothing'" in caught.value.found
    assert "wizard/worker" not in caught.value.found


async def test_an_interpreter_without_django_says_so(press: Press) -> None:
    site = WorkerClient(Path("/usr/bin/python3"), press.project, "config.settings")
    with pytest.raises(ConfigError, match="Django cannot be imported"):
        await site.start()


async def test_missing_interpreter_and_project_are_named(press: Press, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nowhere does not exist"):
        await WorkerClient(Path("/nowhere"), press.project, "config.settings").start()
    with pytest.raises(ConfigError, match=r"no manage\.py"):
        await WorkerClient(Path("/usr/bin/python3"), tmp_path, "config.settings").start()


@pytest.mark.slow
async def test_a_pinned_target_is_refused(press: Press) -> None:
    async with press.site() as site:
        identity = site.hello.database.identity
    with pytest.raises(IdentityMismatch, match="delivery target"):
        await press.site(pinned=[identity]).start()


@pytest.mark.slow
async def test_a_pinned_target_is_refused_when_it_appears_later(press: Press) -> None:
    """The worker started while there was no database; then a target took the name."""
    name = press.database.database
    async with press.site() as site:
        identity = site.hello.database.identity
    missing = press.site(pinned=[identity], environment={"PRESS_DATABASE": "not_there"})
    async with missing as site:
        assert "not_there" in (site.hello.database.error or "")
        assert site.hello.pending is None
        with pytest.raises(ConnectionFailed):
            await site.ask("sites")
        async with _superuser(press) as connection:
            await connection.execute(f'ALTER DATABASE "{name}" RENAME TO not_there')
            try:
                with pytest.raises(IdentityMismatch):
                    await site.ask("sites")
            finally:
                await connection.execute(f'ALTER DATABASE not_there RENAME TO "{name}"')


async def test_an_idle_worker_holds_no_connection(press: Press) -> None:
    async with press.site() as site:
        await site.ask("sites")
        others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        assert await press.value(others) == 1


@pytest.mark.slow
async def test_a_killed_worker_is_an_error_with_its_last_words(press: Press) -> None:
    add_settings(press, "\nprint('so far so good')\n")
    async with press.site() as site:
        assert site._process is not None
        os.kill(site._process.pid, signal.SIGKILL)
        with pytest.raises(WorkerFailed, match="killed by SIGKILL") as caught:
            await site.ask("page_models")
        assert "so far so good" in caught.value.found
        with pytest.raises(WorkerFailed, match="not running"):
            await site.ask("page_models")
        await site.restart()
        assert site.generation == 2
        assert await site.ask("page_models")


async def test_a_cancelled_question_ends_the_worker_and_its_statement(press: Press) -> None:
    """Waiting for a lock when it is cancelled: the process and the session must both go."""
    async with press.site() as site, _superuser(press, database=press.database.database) as blocker:
        assert site._process is not None
        pid = site._process.pid
        await blocker.execute("BEGIN")
        await blocker.execute("LOCK TABLE wagtailcore_site IN ACCESS EXCLUSIVE MODE")
        asking = asyncio.create_task(site.ask("sites"))
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        while not await press.value(waiting):
            await asyncio.sleep(0.02)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
        while await press.value(waiting):
            await asyncio.sleep(0.02)


async def test_nothing_of_the_wizard_is_needed_and_no_file_is_deleted(press: Press) -> None:
    """The project's interpreter need not have us; an image that goes leaves its file."""
    add_settings(
        press, "\nimport sys\nsys.modules['wizard'] = sys.modules['psycopg_pool'] = None\n"
    )
    press.edit(
        old="class BlogTag",
        new="""from django.core import checks


@checks.register
def storage_is_asked_to_delete(app_configs, **kwargs):
    from django.core.files.storage import default_storage

    default_storage.delete("mast.png")
    return []


class BlogTag""",
    )
    media = press.project / "media" / "mast.png"
    media.parent.mkdir()
    media.write_bytes(b"x")
    events = Events()
    lines: list[str] = []
    events.subscribe(lambda event: lines.append(event.text) if isinstance(event, Line) else None)
    async with press.site() as site:
        assert (await site.ask("check", Report(events, "test")))["errors"] == 0
    assert media.exists()
    assert lines == ["Left the media file mast.png where it is."]


async def test_results_and_output_of_any_length(press: Press) -> None:
    await press.query(
        "UPDATE wagtailcore_site SET site_name = repeat('ö', 255);"
        "INSERT INTO wagtailcore_site (hostname, port, site_name, root_page_id, is_default_site)"
        " SELECT 'h' || n, 80, repeat('x', 255), 1, false FROM generate_series(1, 2000) n"
    )
    async with press.site() as site:
        assert len(await site.ask("sites")) == 2002


async def test_migrations_speak_while_they_run(press: Press) -> None:
    events = Events()
    lines: list[str] = []
    events.subscribe(lambda event: lines.append(event.text) if isinstance(event, Line) else None)
    async with press.site() as site:
        assert await site.ask("migrate", Report(events, "test")) == []
    assert "  No migrations to apply." in lines


def test_find_project(tmp_path: Path) -> None:
    root = tmp_path / "site"
    inner = root / "app" / "deep"
    inner.mkdir(parents=True)
    with pytest.raises(ConfigError, match=r"manage\.py"):
        find_project(inner)
    manage = Path(__file__).parent / "project" / "manage.py"
    (root / "manage.py").write_text(manage.read_text())
    (root / "venv" / "bin").mkdir(parents=True)
    (root / "venv" / "pyvenv.cfg").touch()
    (root / "venv" / "bin" / "python").touch()
    found = find_project(inner)
    assert (found.root, found.settings) == (root, "config.settings")
    assert found.python == root / "venv" / "bin" / "python"


@contextlib.asynccontextmanager
async def _superuser(press: Press, *, database: str = "postgres") -> AsyncIterator[Any]:
    async with await connect(press.superuser.at(database)) as connection:
        yield connection
