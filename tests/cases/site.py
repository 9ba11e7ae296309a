"""A case from the field as a running site: the plain project with the case's files over it."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml
from psycopg import sql

from tests.support.consenting_operator import Consenting
from tests.support.postgres import APP_PASSWORD, OWNER
from wizard.base.events import Event, Events, Listener
from wizard.commands import runner
from wizard.config import config
from wizard.engine.context import Context
from wizard.engine.operators import Operator
from wizard.postgres.address import Address, connect
from wizard.reports import report
from wizard.reports.output import Output
from wizard.sandbox.cluster import Cluster
from wizard.session import session as sessions

HERE = Path(__file__).parent
CASES = HERE / "django"
PYTHON = Path(sys.executable)
FILLED = """
import django; django.setup()
import runpy
from django.core.management import call_command
call_command("makemigrations", "blog", verbosity=0)
call_command("migrate", verbosity=0)
runpy.run_path("fill.py")
"""
TO_PRODUCTION = {"production.targets": ["production"]}


@dataclass(frozen=True)
class Recorded(Output):
    """What is reported, for a test to look at."""

    events: list[Event] = field(default_factory=list)
    listener: Listener | None = None

    def listen(self, events: Events) -> None:
        events.subscribe(self.events.append)
        if self.listener is not None:
            events.subscribe(self.listener)

    def end(self, context: Context) -> None:
        report.write(context)


@dataclass(frozen=True)
class Case:
    """A case's project, its two databases, and ways to look at them that share no code with us."""

    project: Path
    local: Address
    production: Address

    def configure(self, **conversion: Any) -> None:
        """Write remodel.yml, the case's conversion changed by what is given."""
        told = yaml.safe_load((self.project / "conv.yml").read_text()) | conversion
        (self.project / "remodel.yml").write_text(
            yaml.safe_dump(
                {
                    "project": {
                        "path": ".",
                        "python": str(PYTHON),
                        "settings": "config.settings",
                    },
                    "local": {
                        **_section(self.local),
                        "site": {"hostname": "localhost", "port": 8000},
                    },
                    "source": "production",
                    "targets": {
                        "production": {
                            **_section(self.production),
                            "site": {"hostname": "t.example", "port": 443},
                        }
                    },
                    "conversion": told,
                }
            )
        )
        password = APP_PASSWORD.reveal()
        (self.project / ".env").write_text(
            f"REMODEL_LOCAL_PASSWORD={password}\nREMODEL_PRODUCTION_PASSWORD={password}\n"
        )
        (self.project / ".env").chmod(0o600)

    async def run(
        self,
        answers: Mapping[str, Any] | None = None,
        operator: Operator | None = None,
        listener: Listener | None = None,
    ) -> list[Event]:
        """Go through every step; returns what was reported. Raises what stopped it."""
        configured = config.read(self.project / "remodel.yml")
        output = Recorded(listener=listener)
        operator = operator or Consenting(TO_PRODUCTION | dict(answers or {}))
        with sessions.begin(configured) as session:
            await runner.headless(configured, session, operator, output)
        return output.events

    async def django(self, *arguments: str, at: str = "local") -> str:
        """What a command of the project prints, on one of the two databases."""
        self.point(self.local if at == "local" else self.production)
        process = await asyncio.create_subprocess_exec(
            str(PYTHON),
            *arguments,
            cwd=self.project,
            env=os.environ | {"DJANGO_SETTINGS_MODULE": "config.settings"},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        self.point(self.local)
        assert process.returncode == 0, err.decode()[-4000:]
        return out.decode()

    def point(self, address: Address) -> None:
        """Have the settings lead to a database."""
        assert address.password is not None
        (self.project / "database.json").write_text(
            json.dumps(
                {
                    "ENGINE": "django.db.backends.postgresql",
                    "NAME": address.database,
                    "HOST": address.host,
                    "PORT": address.port,
                    "USER": address.user,
                    "PASSWORD": address.password.reveal(),
                }
            )
        )

    async def query(self, query: str, at: str = "production") -> list[tuple[Any, ...]]:
        """Rows of a query, without Django."""
        async with await connect(self.local if at == "local" else self.production) as connection:
            cursor = await connection.execute(query.encode())
            return await cursor.fetchall() if cursor.description else []

    async def databases(self) -> list[str]:
        """The databases of the local server that are this case's."""
        async with await connect(self.local.at("postgres")) as connection:
            cursor = await connection.execute(
                "SELECT datname FROM pg_database WHERE starts_with(datname, %s)",
                [self.local.database],
            )
            return [str(name) for (name,) in await cursor.fetchall()]

    def source(self) -> dict[str, bytes]:
        """Every Python file of the project."""
        return {
            str(path.relative_to(self.project)): path.read_bytes()
            for path in sorted(self.project.rglob("*.py"))
        }


Lay = Callable[[str], Awaitable[Case]]


async def lay_out(name: str, folder: Path, local: Address, production: Address) -> Case:
    """Lay the case over the plain project, make its migrations, and fill production.

    `production` has the tables of every app but the case's own.
    """
    shutil.copytree(HERE / "project", folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(CASES / name, folder, dirs_exist_ok=True)
    extra = folder / "settings_extra.py"
    if extra.exists():
        settings = folder / "config" / "settings.py"
        settings.write_text(settings.read_text() + extra.read_text())
    case = Case(folder, local, production)
    fill = folder / "fill.py"
    if not fill.exists():
        shutil.copy(CASES / "fill.py", fill)
    case.configure()
    await case.django("-c", FILLED, at="production")
    return case


async def plain_database(cluster: Cluster, folder: Path) -> Address:
    """A database with the tables of the plain project and no app `blog`."""
    shutil.copytree(HERE / "project", folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "blog" / "models.py").touch()
    await cluster.create_database("cases_plain", owner=OWNER)
    address = _as_owner(cluster.address("cases_plain"))
    case = Case(folder, address, address)
    await case.django("manage.py", "migrate", "-v0")
    return address


async def clone(cluster: Cluster, plain: Address, name: str) -> Address:
    """Another database like the plain one."""
    async with await connect(cluster.address("postgres")) as connection:
        await connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER {}").format(
                sql.Identifier(name), sql.Identifier(plain.database), sql.Identifier(OWNER)
            )
        )
    return plain.at(name)


def _as_owner(address: Address) -> Address:
    return replace(address, user=OWNER, password=APP_PASSWORD)


def _section(address: Address) -> dict[str, Any]:
    return {
        "database": address.database,
        "host": address.host,
        "port": address.port,
        "user": address.user,
    }
