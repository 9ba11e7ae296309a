"""A session that an older version wrote, and how it is put into a sandbox of today.

session_0_1_0/
  remodel.yml                the configuration that it was begun with
  backups/                   the dumps that its journal names by their SHA-256
  after_copy/                the session's folder, and the local database beside it, when it was
    session/  local.dump.xz  stopped after copy.convert
  before_delivery/session/   when it was stopped at the gate of the first delivery; the local
                             database then is what its second dump holds
  finished/session/          at its end, with its answers and all consents
  journal.sql.xz             its journal then. Rows are only ever added to it, so what it was at a
  about.json                 stop is its beginning; up to which row is told here

Made by `tests.support.make_older_session`. Nothing of the product is imported here: what is put
together is what the older version left, as text and as dumps. Only what names the machine and
the sandbox is replaced; `values` has all of it. Checkpoints of the local database are left out:
only an undo needs them.
"""

from __future__ import annotations

import base64
import hashlib
import json
import lzma
import os
import re
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, LiteralString

import psycopg
import yaml
from dotenv import dotenv_values
from psycopg import sql

from tests.support.sandbox import Demo

HERE = Path(__file__).parents[1] / "fixtures"
CONFIG = "older-remodel.yml"  # in the sandbox's folder, as paths in it are relative
ANSWERS = "older-answers.yml"
SNAPSHOT: LiteralString = "SELECT txid_current_snapshot()::text"
PLACEHOLDER = re.compile(r"\{\{([a-z ]+)\}\}")
OWNERS = {"local": ("dev", "LOCAL"), "production": ("deploy", "PRODUCTION")}


@dataclass(frozen=True)
class Row:
    """A row of a journal, read without the product."""

    operation: str
    kind: str
    data: dict[str, Any]


@dataclass(frozen=True)
class Older:
    """A recorded session of an older version, in a folder of this one."""

    folder: Path

    @property
    def about(self) -> dict[str, Any]:
        """The session's id, its version, and for each stage the last row of each table."""
        noted: dict[str, Any] = json.loads((self.folder / "about.json").read_text())
        return noted

    @property
    def id(self) -> str:
        """The session's id, which is a part of its databases' and dumps' names."""
        return str(self.about["session"])

    @property
    def answers(self) -> dict[str, Any]:
        """The answers of the whole run, with every consent."""
        text = (self.folder / "finished" / "session" / "answers.yml").read_text()
        read: dict[str, Any] = yaml.safe_load(text)
        return read

    def journal(self, demo: Demo) -> list[Row]:
        """The rows of the whole run, as if it had been made in this sandbox."""
        with closing(sqlite3.connect(":memory:")) as database:
            database.executescript(self._journal(values(demo)))
            return rows_of(database)

    def put_given(self, demo: Demo) -> None:
        """Write what it was run with into the sandbox's folder: CONFIG, and whole ANSWERS."""
        known = values(demo)
        (demo.root / CONFIG).write_text(rendered((self.folder / "remodel.yml").read_text(), known))
        shutil.copyfile(self.folder / "finished" / "session" / "answers.yml", demo.root / ANSWERS)

    def put_session(self, demo: Demo, stage: str) -> Path:
        """Put the session's folder into the sandbox, and nothing beside it; returns it."""
        known = values(demo)
        session = demo.root / ".remodel" / "sessions" / self.id
        for path in (session.parent, session):
            path.mkdir(mode=0o700, exist_ok=True)
        with closing(sqlite3.connect(session / "journal.sqlite")) as database:
            database.executescript(self._journal(known))
            for table, last in self.about["stages"][stage].items():
                database.execute(f"DELETE FROM {table} WHERE rowid > ?", (last,))
            database.commit()
        for path in (self.folder / stage / "session").iterdir():
            (session / path.name).write_text(rendered(path.read_text(), known))
        for path in session.iterdir():
            path.chmod(0o600)
        return session

    def _journal(self, known: Mapping[str, str]) -> str:
        text = lzma.decompress((self.folder / "journal.sql.xz").read_bytes()).decode()
        return rendered(text, known)

    def put_world(self, demo: Demo, stage: str) -> None:
        """Bring databases and dumps to where they were when the session was stopped."""
        backups = demo.root / "backups"
        backups.mkdir(exist_ok=True)
        for path in (self.folder / "backups").iterdir():
            if stage != "after_copy" or "converted" not in path.name:
                unpacked(path, backups / path.name.removesuffix(".xz"))
        with demo.connect("production", "postgres") as connection:
            connection.execute("DROP DATABASE harbour WITH (FORCE)")
        restore(demo, "production", backups / f"db.production.{self.id}.dump")
        stamp = self.id.replace("-", "_")
        with demo.connect("local", "postgres") as connection:
            before = sql.Identifier(f"harbour__{stamp}_before")
            connection.execute(sql.SQL("ALTER DATABASE harbour RENAME TO {}").format(before))
        if stage == "after_copy":
            dump = demo.root / "local.dump"
            unpacked(self.folder / stage / "local.dump.xz", dump)
            restore(demo, "local", dump)
            dump.unlink()
        else:
            restore(demo, "local", backups / f"db.staging.{self.id}.converted.dump")
        with demo.connect("local", "postgres") as connection:
            mark = sql.Literal(f"remodel session {self.id}")
            connection.execute(sql.SQL("COMMENT ON DATABASE harbour IS {}").format(mark))

    def put_source(self, demo: Demo, session: Path) -> None:
        """Write into the package what the session has written, by its journal; install it."""
        done = {row.operation for row in rows(session) if row.kind == "done"}
        for row in rows(session):
            if row.kind != "intent" or row.operation not in done:
                continue
            details = row.data["details"]
            files = details.get("files", {})
            if "after" in details:
                files = {details["path"]: details["after"], **files}
            for name, text in files.items():
                Path(name).write_text(text)
        config = yaml.safe_load((demo.root / "remodel.yml").read_text())
        subprocess.run(config["project"]["install"], check=True, capture_output=True)

    def put_all(self, demo: Demo, stage: str) -> Path:
        """The session as it was when it was stopped, with its world; returns its folder."""
        self.put_world(demo, stage)
        session = self.put_session(demo, stage)
        self.put_source(demo, session)
        return session


def values(demo: Demo) -> dict[str, str]:
    """All that differs from one sandbox to the next, by the names of the placeholders.

    What is a part of another value comes after it.
    """
    config = yaml.safe_load((demo.root / "remodel.yml").read_text())
    known = (demo.root / ".remodel" / "known_hosts").read_text().split()
    with demo.connect("production") as connection:
        (system,) = one(connection, "SELECT system_identifier::text FROM pg_control_system()")
        (snapshot,) = one(connection, SNAPSHOT)
        while not re.fullmatch(r"(\d+):\1:", snapshot):  # else not all is there to be seen
            time.sleep(0.1)
            (snapshot,) = one(connection, SNAPSHOT)
        found = connection.execute("SELECT datname::text, oid::text FROM pg_database")
        oids = {str(name): str(oid) for name, oid in found}
    digest = hashlib.sha256(base64.b64decode(known[-1])).digest()
    return {
        "local sockets": config["local"]["host"],
        "production sockets": config["targets"]["production"]["host"],
        "sandbox": str(demo.root),
        "python": config["project"]["install"][0],
        "postgres": config["postgres"]["bin"],
        "host key": "SHA256:" + base64.b64encode(digest).decode().rstrip("="),
        "system": system,
        "oid of production": oids["harbour"],
        "oid of staging": oids["harbour_staging"],
        "snapshot": snapshot,
    }


def rendered(text: str, known: Mapping[str, str]) -> str:
    """The text with this sandbox's values in it."""
    return PLACEHOLDER.sub(lambda found: known[found[1]], text)


def masked(text: str, known: Mapping[str, str]) -> str:
    """The text with placeholders for this sandbox's values: what `rendered` takes back."""
    assert not PLACEHOLDER.search(text)
    for name, value in known.items():
        if name.startswith("oid of"):  # a number may be anything's
            text = text.replace(f'"oid": {value}', f'"oid": {{{{{name}}}}}')
        elif name == "snapshot":
            text = text.replace(f'"snapshot": "{value}"', f'"snapshot": "{{{{{name}}}}}"')
        else:
            text = text.replace(value, f"{{{{{name}}}}}")
    return text


def restore(demo: Demo, place: str, dump: Path) -> None:
    """Make the database `harbour` of `place` from a dump; there is none of that name."""
    config = yaml.safe_load((demo.root / "remodel.yml").read_text())
    owner, secret = OWNERS[place]
    with demo.connect(place, "postgres") as connection:
        statement = sql.SQL("CREATE DATABASE harbour TEMPLATE template0 OWNER {}")
        connection.execute(statement.format(sql.Identifier(owner)))
        host = connection.info.host
    password = dotenv_values(demo.root / ".env")[f"REMODEL_{secret}_PASSWORD"]
    subprocess.run(
        [
            Path(config["postgres"]["bin"]) / "pg_restore",
            *("--no-owner", "--no-acl", "--exit-on-error", "--single-transaction"),
            *("--host", host, "--username", owner, "--dbname", "harbour", dump),
        ],
        env={**os.environ, "PGPASSWORD": password or ""},
        check=True,
    )


def rows(session: Path) -> list[Row]:
    """The journal's rows in their order."""
    journal = f"{(session / 'journal.sqlite').as_uri()}?mode=ro"
    with closing(sqlite3.connect(journal, uri=True)) as database:
        return rows_of(database)


def events(session: Path) -> list[dict[str, Any]]:
    """The log's lines in their order."""
    journal = f"{(session / 'journal.sqlite').as_uri()}?mode=ro"
    with closing(sqlite3.connect(journal, uri=True)) as database:
        found = database.execute("SELECT data FROM event ORDER BY id")
        return [json.loads(data) for (data,) in found]


def rows_of(database: sqlite3.Connection) -> list[Row]:
    """The same of one that is open."""
    found = database.execute("SELECT operation, kind, data FROM entry ORDER BY id")
    return [Row(operation, kind, json.loads(data)) for operation, kind, data in found]


def unpacked(path: Path, to: Path) -> None:
    """Write what a file of the fixture holds, 0600."""
    data = path.read_bytes()
    to.touch(mode=0o600)
    to.write_bytes(lzma.decompress(data) if path.suffix == ".xz" else data)


def one(connection: psycopg.Connection[tuple[object, ...]], query: LiteralString) -> list[str]:
    """The only row there is."""
    (row,) = connection.execute(query).fetchall()
    return [str(value) for value in row]


SESSION_0_1_0 = Older(HERE / "session_0_1_0")
