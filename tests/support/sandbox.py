"""One sandbox, laid out once and served by `remodel demo --serve`; put back before each test."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
import yaml
from dotenv import dotenv_values
from psycopg import sql

REMODEL = Path(sys.executable).with_name("remodel")
POSTS = "14"


@dataclass(frozen=True)
class Demo:
    """The sandbox as its files describe it; nothing of the product is imported here."""

    root: Path

    def remodel(self, *arguments: str, timeout: float = 300) -> subprocess.CompletedProcess[str]:
        """Run the command in the sandbox, without a terminal."""
        return subprocess.run(
            [REMODEL, *arguments],
            cwd=self.root,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
        )

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start the command in the sandbox and go on; its output is a pipe."""
        return subprocess.Popen(
            [REMODEL, *arguments],
            cwd=self.root,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def connect(
        self, place: str, database: str = "harbour"
    ) -> psycopg.Connection[tuple[object, ...]]:
        """The superuser's connection to `local` or `production`, past SSH."""
        config = yaml.safe_load((self.root / "remodel.yml").read_text())
        section = config["local"] if place == "local" else config["targets"]["production"]
        return psycopg.connect(
            dbname=database,
            host=section["host"],
            user="postgres",
            password=dotenv_values(self.root / ".env")["REMODEL_SANDBOX_PASSWORD"],
            autocommit=True,
        )

    def databases(self, place: str) -> list[str]:
        with self.connect(place, "postgres") as connection:
            rows = connection.execute("SELECT datname FROM pg_database ORDER BY 1").fetchall()
        return [str(name) for (name,) in rows if str(name).startswith("harbour")]

    @property
    def models(self) -> Path:
        return self.root / "package" / "src" / "harbour_cast" / "models.py"

    def keep(self) -> None:
        """Remember how everything is now."""
        shutil.copytree(self.root / "package", self.root / "pristine-package")
        for place, owner in (("local", "dev"), ("production", "deploy")):
            for name in self.databases(place):
                self._copy(place, name, f"pristine_{name}", owner)

    def put_back(self) -> None:
        """As it was when `keep` was called."""
        for place, owner in (("local", "dev"), ("production", "deploy")):
            with self.connect(place, "postgres") as connection:
                for live in self.databases(place):
                    quoted = sql.Identifier(live)
                    connection.execute(
                        sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS true").format(quoted)
                    )
                    connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(quoted))
                rows = connection.execute(
                    "SELECT datname FROM pg_database WHERE datname LIKE 'pristine%'"
                ).fetchall()
            for (name,) in rows:
                self._copy(place, str(name), str(name).removeprefix("pristine_"), owner)
        for path in (self.root / ".remodel" / "sessions", self.root / "backups"):
            shutil.rmtree(path, ignore_errors=True)
        for path in (self.root / "production" / "home").glob("*-st*ed"):
            path.unlink()
        package, pristine = self.root / "package", self.root / "pristine-package"
        if "class Podcast" in self.models.read_text() or not self.models.exists():
            shutil.rmtree(package)
            shutil.copytree(pristine, package)
            config = yaml.safe_load((self.root / "remodel.yml").read_text())
            subprocess.run(config["project"]["install"], check=True, capture_output=True)

    def _copy(self, place: str, name: str, to: str, owner: str) -> None:
        with self.connect(place, "postgres") as connection:
            connection.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER {} STRATEGY file_copy").format(
                    sql.Identifier(to), sql.Identifier(name), sql.Identifier(owner)
                )
            )


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    root = tmp_path_factory.mktemp("demo") / "sandbox"
    server = subprocess.Popen(
        [REMODEL, "demo", "--serve", "--dir", str(root), "--posts", POSTS],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert server.stdout is not None
    try:
        for line in server.stdout:
            if line.startswith("Serving"):
                break
        else:
            pytest.fail(f"the sandbox did not start: {server.wait()}")
        demo = Demo(root)
        demo.keep()
        yield demo
    finally:
        server.terminate()
        server.wait(60)


@pytest.fixture
def demo(served: Demo) -> Demo:
    served.put_back()
    return served


def dump_of_production(demo: Demo) -> bytes:
    """What pg_dump makes of production, by hand."""
    config = yaml.safe_load((demo.root / "remodel.yml").read_text())
    with demo.connect("production") as connection:
        address = connection.info
        return subprocess.run(
            [
                Path(config["postgres"]["bin"]) / "pg_dump",
                "--format=custom",
                f"--host={address.host}",
                f"--username={address.user}",
                "harbour",
            ],
            env={"PGPASSWORD": address.password},
            check=True,
            capture_output=True,
        ).stdout
