"""The project `press`: its folder, its database and its worker, as a test meets them."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wizard.postgres.address import Address, connect
from wizard.project.worker_client import WorkerClient

PROJECT = Path(__file__).parent / "project"
CONSOLE = Path(__file__).with_name("console.py")
PYTHON = Path(sys.executable)
SETUP = "import django; django.setup()\n"
REBUILD = """
from django.core.management import call_command
call_command("rebuild_references_index", verbosity=0)
call_command("update_index", verbosity=0)
"""
NEW_TYPE = """\
class Podcast(Blog):
    {prefix}artwork = models.ForeignKey(
        "wagtailimages.Image", null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    {prefix}keywords = models.CharField(max_length=255, blank=True, default="")
    {prefix}explicit = models.PositiveSmallIntegerField(
        choices=[(1, "yes"), (2, "no")], default=1
    )
"""


class Staying(WorkerClient):
    """A worker that stays for the next test: most of a short test would be its start."""

    async def __aexit__(self, kind: Any, error: BaseException | None, traceback: Any) -> None:
        if error is not None:
            await self.stop()


class Console:
    """The project's own Python, which stays as well; see console.py."""

    def __init__(self, project: Path, environment: dict[str, str]) -> None:
        self._project = project
        self._environment = environment
        self._process: asyncio.subprocess.Process | None = None

    async def run(self, code: str) -> str:
        """What the snippet prints."""
        if self._process is None:
            self._process = await asyncio.create_subprocess_exec(
                *(str(PYTHON), str(CONSOLE)),
                cwd=self._project,
                env=_django_environment(self._environment),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                limit=1 << 26,
            )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(code).encode() + b"\n")
        answer = json.loads(await self._process.stdout.readline())
        assert "raised" not in answer, answer["raised"]
        return str(answer["printed"])

    async def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            await self._process.wait()


@dataclass
class Press:
    """The project's folder and database, and ways to look at both that share no code with us."""

    project: Path
    database: Address
    environment: dict[str, str]
    superuser: Address  # of the cluster, on another database
    staying: Staying | None = None
    console: Console | None = None
    own: Path | None = None  # where a folder of its own will be

    def apart(self) -> None:
        """Go on in a folder of its own, with workers of its own: its files are to be changed."""
        if self.staying is not None:
            assert self.own is not None, "its worker is taken: say so before"
            shutil.copytree(self.project, self.own)
            self.project, self.own = self.own, None
            self.staying = self.console = None

    def site(self, **options: Any) -> WorkerClient:
        """The project's worker; one that stays may run already."""
        if self.staying is not None and not options:
            self.own = None
            return self.staying
        environment = self.environment | options.pop("environment", {})
        return WorkerClient(
            PYTHON, self.project, "config.settings", environment=environment, **options
        )

    async def django(self, *args: str) -> str:
        """What a script of the project prints: `manage.py migrate`, `-c 'code'`."""
        return await run_python(self.project, self.environment, *args)

    async def shell(self, code: str) -> str:
        """What a snippet prints with Django set up."""
        if self.console is not None:
            return await self.console.run(code)
        return await self.django("-c", SETUP + code)

    async def query(self, query: str) -> list[tuple[Any, ...]]:
        """Rows of a query, without Django."""
        async with await connect(self.database) as connection:
            cursor = await connection.execute(query.encode())
            return await cursor.fetchall() if cursor.description else []

    async def value(self, query: str) -> Any:
        """The one value of a query."""
        return (await self.query(query))[0][0]

    async def everything(self) -> dict[str, list[tuple[Any, ...]]]:
        """Every row of every table, as text, in an order of its own."""
        tables = await self.query(
            "SELECT quote_ident(relname) FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace "
            "WHERE relkind = 'r' AND nspname = 'public' ORDER BY 1"
        )
        return {
            table: await self.query(f"SELECT t::text FROM {table} t ORDER BY 1")
            for (table,) in tables
        }

    def edit(self, *, old: str, new: str, app: str = "press") -> None:
        """Replace text in an app's models file."""
        self.apart()
        models = self.project / app / "models.py"
        text = models.read_text()
        assert old in text
        models.write_text(text.replace(old, new))

    def add(self, code: str, app: str = "press") -> None:
        """Write more models to the end of an app's models file."""
        self.apart()
        models = self.project / app / "models.py"
        models.write_text(f"{models.read_text()}\n\n{code}")

    def add_new_type(self) -> None:
        """The models between the two phases: the moved fields on both, prefixed on the new one."""
        self.edit(old="# new type\n", new=NEW_TYPE.format(prefix="new_"))

    def finish_models(self) -> None:
        """The models of the end: the moved fields on the new type only, under their own names."""
        self.apart()
        models = self.project / "press" / "models.py"
        text = (PROJECT / "press" / "models.py").read_text()
        start, end = text.index("    artwork ="), text.index("    tags = Cluster")
        text = text[:start] + text[end:]
        models.write_text(text.replace("# new type\n", NEW_TYPE.format(prefix="")))

    def write(self, migrations: list[dict[str, str]]) -> None:
        """Put migrations where they say."""
        assert self.staying is None
        for migration in migrations:
            Path(migration["path"]).write_text(migration["text"])

    async def rebuild_indexes(self) -> None:
        """Have Wagtail make its reference and search indexes anew."""
        await self.shell(REBUILD)

    async def page(self, slug: str) -> int:
        """The id of the page with this slug."""
        return int(await self.value(f"SELECT id FROM wagtailcore_page WHERE slug = '{slug}'"))


async def run_python(project: Path, environment: dict[str, str], *args: str) -> str:
    process = await asyncio.create_subprocess_exec(
        str(PYTHON),
        *args,
        cwd=project,
        env=_django_environment(environment),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return out.decode()


def _django_environment(environment: dict[str, str]) -> dict[str, str]:
    return os.environ | {"DJANGO_SETTINGS_MODULE": "config.settings"} | environment


MOVE: dict[str, Any] = {
    "old_type": "press.Blog",
    "new_type": "press.Podcast",
    "prefix": "new_",
    "move": ["artwork", "keywords", "explicit"],
    "fields": {},
}
MIGRATION: dict[str, Any] = {
    **{name: MOVE[name] for name in ("old_type", "new_type", "prefix")},
    "fields": MOVE["move"],
}


async def migrations(site: Any, kind: str) -> list[dict[str, str]]:
    """The files of the migrations of a kind, unwritten."""
    made: list[dict[str, str]] = await site.ask(
        "make_migration", app="press", kind=kind, **MIGRATION
    )
    return made


@asynccontextmanager
async def looking(press: Press, models: str) -> AsyncIterator[WorkerClient]:
    """A worker that looks at the project's database, with other models than those on disk."""
    database, path = press.database, press.project / "press" / "models.py"
    assert database.password is not None
    target = {
        "NAME": database.database,
        "HOST": database.host,
        "PORT": str(database.port),
        "USER": database.user,
        "PASSWORD": database.password.reveal(),
        "sslmode": "",
    }
    elsewhere = {"PRESS_DATABASE": "postgres", "PRESS_PASSWORD": "wrong"}
    with tempfile.TemporaryFile("w") as brief:
        laid = base64.b64encode(models.encode()).decode()
        json.dump({"overlay": {str(path.resolve()): laid}, "look_at": target}, brief)
        brief.flush()
        async with press.site(environment=elsewhere, brief=brief.fileno()) as site:
            yield site
