"""What a sandbox is filled with: the sample's files, its environment, its databases' content."""

from __future__ import annotations

import json
import shutil
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from string import Template

from psycopg import sql

from wizard.base import process
from wizard.base.errors import ConfigError, OperationFailed
from wizard.base.events import Report
from wizard.postgres.address import Address, connect
from wizard.postgres.dumps import tools

SAMPLE = Path(__file__).with_name("sample")
SETTINGS = "config.settings.local"
BORROWED = ("django", "wagtail", "flit_core", "psycopg", "PIL")

CONFIG = Template("""\
# The sandbox's configuration. Relative paths are relative to this file; passwords are in .env.
project:
  path: site
  python: site/.venv/bin/python
  settings: config.settings.local
  package: package
  install: $install
local:
  database: harbour
  host: $local
  port: 5432
  user: dev
  site: {hostname: localhost, port: 8000}
postgres: {bin: $bin}
source: production
targets:
  staging:
    ssh: harbour-production
    ssh_config: ssh/config
    database: harbour_staging
    host: $remote
    port: 5432
    user: deploy
    site: {hostname: staging.harbour.example, port: 443}
    before: [[touch, staging-stopped]]
    after: [[touch, staging-started]]
  production:
    ssh: harbour-production
    ssh_config: ssh/config
    database: harbour
    host: $remote
    port: 5432
    user: deploy
    site: {hostname: harbour.example, port: 443}
    before: [[touch, podcast-stopped]]
    after: [[touch, podcast-started]]
conversion:
  from: cast.Blog
  to: cast.Podcast
  pages: [{slug: show}]
  prefix: new_
  move: [itunes_artwork, itunes_categories, keywords, explicit]
""")


# Files and environment


def copy_templates(site: Path, package: Path) -> None:
    """Copy the sample project and the sample package."""
    leftovers = shutil.ignore_patterns("__pycache__", "*.pyc")
    shutil.copytree(SAMPLE / "site", site, ignore=leftovers)
    shutil.copytree(SAMPLE / "package", package, ignore=leftovers)


def installer(site: Path) -> list[str]:
    """Return the command that, with a source folder added, installs it into the site's environment.

    Offline: the build backend is borrowed from this interpreter, as Django and Wagtail are.
    """
    python = str(site / ".venv" / "bin" / "python")
    pip = [sys.executable, "-m", "pip", "--python", python]
    if find_spec("pip") is None:  # installed by uv or pipx: the site has a pip of its own
        pip = [python, "-m", "pip"]
    options = (
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
        "--force-reinstall",
    )
    return [*pip, "install", *options]


async def make_environment(site: Path, package: Path, report: Report) -> None:
    """Make the site's own virtual environment, with the package installed in it, not editable.

    Django, Wagtail and the rest are this interpreter's, so that nothing is downloaded.
    """
    places = _borrowed()
    venv = site / ".venv"
    without = [] if find_spec("pip") is None else ["--without-pip"]
    await _run([sys.executable, "-m", "venv", *without, venv], report=report)
    base = {"base": str(venv), "platbase": str(venv)}
    own = Path(sysconfig.get_path("purelib", "venv", base))
    (own / "sandbox.pth").write_text("".join(f"{place}\n" for place in places))
    quiet = {"PIP_ROOT_USER_ACTION": "ignore", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    await _run([*installer(site), package], env=quiet, report=report)


def _borrowed() -> list[Path]:
    """Return the folders that this interpreter has the sample's dependencies in."""
    places = set()
    for name in BORROWED:
        spec = find_spec(name)
        if spec is None or spec.origin is None:
            raise ConfigError(
                f"The sample site needs {name}, which is not installed.",
                hint="Install it with: pip install 'wagtail-remodel[demo]'",
            )
        places.add(Path(spec.origin).resolve().parents[1])
    return sorted(places)


def write_database_settings(site: Path, address: Address) -> None:
    """Tell the site's settings where the developer's database is: a file of its own, 0600."""
    path = site / "config" / "settings" / "database.json"
    path.touch(mode=0o600)
    path.write_text(json.dumps(_settings(address), indent=2) + "\n")


def _settings(address: Address) -> dict[str, str]:
    return {
        "database": address.database,
        "user": address.user,
        "password": address.password.reveal() if address.password else "",
        "host": address.host,
        "port": str(address.port),
    }


# Databases


class Harbour:
    """The sample project's management commands, run against any database."""

    def __init__(self, site: Path, python: Path, report: Report) -> None:
        self._site = site
        self._python = python
        self._report = report

    async def migrate(self, database: Address) -> None:
        """Make the tables."""
        await self._manage(database, "migrate", "--no-color")

    async def fill(
        self,
        database: Address,
        posts: int,
        hostname: str,
        port: int,
        media: Path | None = None,
    ) -> None:
        """Fill the tables with the harbour's pages; images go to `media`, or to the site's own."""
        arguments = ("--posts", str(posts), "--hostname", hostname, "--port", str(port))
        env = {"HARBOUR_MEDIA": str(media)} if media else {}
        await self._manage(database, "fill_harbour", *arguments, env=env)

    async def _manage(
        self, database: Address, *arguments: str, env: Mapping[str, str] | None = None
    ) -> None:
        settings = {f"HARBOUR_{name.upper()}": value for name, value in _settings(database).items()}
        await _run(
            [self._python, "manage.py", *arguments],
            env={"DJANGO_SETTINGS_MODULE": SETTINGS, **settings, **(env or {})},
            cwd=self._site,
            report=self._report,
        )


async def copy_database(
    source: Address, target: Address, binaries: Path, scratch: Path, report: Report
) -> None:
    """Copy tables and rows into the empty database `target` on another server.

    `scratch` is the dump's path for a moment.
    """
    bare = ("--no-owner", "--no-privileges")
    try:
        await _run(
            [
                *(binaries / "pg_dump", "--format=custom", f"--file={scratch}"),
                *(*bare, *tools.reach(source)),
            ],
            env=tools.environment(source),
            report=report,
        )
        await _run(
            [
                *(binaries / "pg_restore", "--exit-on-error", scratch),
                *(*bare, *tools.reach(target)),
            ],
            env=tools.environment(target),
            report=report,
        )
    finally:
        scratch.unlink(missing_ok=True)


async def clone_site(source: Address, name: str, hostname: str) -> None:
    """Copy `source` to a new database `name` on the same server, as the site `hostname`."""
    statement = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY").format(
        sql.Identifier(name), sql.Identifier(source.database)
    )
    async with await connect(source.at("postgres")) as connection:
        await connection.execute(statement)
    async with await connect(source.at(name)) as connection:
        await connection.execute("UPDATE wagtailcore_site SET hostname = %s", [hostname])


async def _run(
    argv: Sequence[str | Path],
    *,
    report: Report,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> None:
    ended = await process.run(
        argv, env=env, cwd=cwd, on_line=lambda line: report.line("sandbox", line)
    )
    if ended.returncode != 0:
        raise OperationFailed(
            f"Laying out the sandbox failed: {' '.join(map(str, argv[:4]))} …",
            found="\n".join((ended.stdout + ended.stderr_tail).splitlines()[-20:]),
            hint="Check that the disk has space, then run it again.",
        )
