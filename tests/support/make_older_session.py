"""Make the fixture of a session anew, by really running a version on a sandbox.

    OLD/.venv/bin/python -m tests.support.make_older_session session_0_1_0

in this repository's folder, OLD being a clone of the version whose session it is to be, after
`make .venv/dev.stamp` there: the `remodel` beside that interpreter does the work, and nothing of
the product is imported here. The folder is written anew, in about a minute.

One session is stopped twice and gone on with: after copy.convert by a consent to copy.delete that
is another plan's, then before the first delivery, which is not allowed. At each stop, and at the
end, its folder is taken.
"""

from __future__ import annotations

import json
import lzma
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml
from dotenv import dotenv_values

from tests.support.older_session import HERE, masked, rows, values
from tests.support.sandbox import REMODEL, Demo

POSTS = "12"  # the fewest that a sandbox has
ALLOW = ("--allow", "staging", "--allow", "production")
FETCHED = ("backup.fetch", "done")
TABLES = ("session", "entry", "event")  # rows are added to them, and numbered without a gap
LEFT_OUT = ("report.md", "report.html")  # written anew from the rest


def make(folder: Path, demo: Demo) -> None:
    """Walk the procedure in a fresh sandbox, and keep what it writes in `folder`."""
    known = values(demo)
    stale = yaml.safe_load((demo.root / "answers.yml").read_text())
    stale["consents"]["copy.delete"]["fingerprint"] = "0" * 16
    (demo.root / "stale.yml").write_text(yaml.safe_dump(stale))
    stopped = demo.remodel("replay", "stale.yml")
    assert stopped.returncode == 5, stopped.stderr
    (session,) = (demo.root / ".remodel" / "sessions").iterdir()
    (fetched,) = (row for row in rows(session) if (row.operation, row.kind) == FETCHED)
    known["snapshot"] = fetched.data["baseline"]["snapshot"]
    assert fetched.data["baseline"]["seen"] == []  # else these are the sandbox's own, too

    stages = {"after_copy": keep(session, folder / "after_copy", known)}
    dump_local(demo, folder / "after_copy" / "local.dump.xz")
    go_on = ("resume", "--answers", "answers.yml")
    stopped = demo.remodel(*go_on)
    assert stopped.returncode == 4, stopped.stderr
    stages["before_delivery"] = keep(session, folder / "before_delivery", known)
    (folder / "backups").mkdir()
    for path in (demo.root / "backups").iterdir():
        if path.suffix == ".dump":
            (folder / "backups" / f"{path.name}.xz").write_bytes(packed(path.read_bytes()))
        else:
            shutil.copyfile(path, folder / "backups" / path.name)
    ended = demo.remodel(*go_on, *ALLOW)
    assert ended.returncode == 0, ended.stderr
    stages["finished"] = keep(session, folder / "finished", known)
    whole = stages["finished"]
    (folder / "journal.sql.xz").write_bytes(packed(masked("\n".join(whole), known).encode()))
    (folder / "remodel.yml").write_text(masked((demo.root / "remodel.yml").read_text(), known))
    version = demo.remodel("--version").stdout.split()[-1]
    stopped_at: dict[str, dict[str, int]] = {}
    for stage, statements in stages.items():
        stopped_at[stage] = last = lasts(statements)
        # Else the beginning of the whole journal is not what it was at the stop.
        assert sorted(statements) == sorted(beginning(whole, last))
    about = {"session": session.name, "version": version, "stages": stopped_at}
    (folder / "about.json").write_text(json.dumps(about, indent=2) + "\n")


def keep(session: Path, stage: Path, known: dict[str, str]) -> list[str]:
    """Take the session's folder as it is; returns the statements that make its journal."""
    kept = stage / "session"
    kept.mkdir(parents=True)
    for path in session.iterdir():
        if path.name not in LEFT_OUT and not path.name.startswith("journal.sqlite"):
            (kept / path.name).write_text(masked(path.read_text(), known))
    database = sqlite3.connect(session / "journal.sqlite")
    statements = list(database.iterdump())
    database.close()
    return statements


def lasts(statements: list[str]) -> dict[str, int]:
    """The number of the last row of each table."""
    return {table: len(of(table, statements)) for table in TABLES}


def beginning(statements: list[str], last: dict[str, int]) -> list[str]:
    """The statements without the rows after the last ones."""
    late = {row for table in TABLES for row in of(table, statements)[last[table] :]}
    return [statement for statement in statements if statement not in late]


def of(table: str, statements: list[str]) -> list[str]:
    """The statements that fill a table, in the order of its rows."""
    return [each for each in statements if each.startswith(f'INSERT INTO "{table}" ')]


def dump_local(demo: Demo, to: Path) -> None:
    """The local database as it is, in pg_dump's own format."""
    config = yaml.safe_load((demo.root / "remodel.yml").read_text())
    password = dotenv_values(demo.root / ".env")["REMODEL_LOCAL_PASSWORD"]
    dumped = subprocess.run(
        [
            Path(config["postgres"]["bin"]) / "pg_dump",
            *("--format=custom", "--compress=0", "--host", config["local"]["host"]),
            *("--username", "dev", "harbour"),
        ],
        env={**os.environ, "PGPASSWORD": password or ""},
        check=True,
        capture_output=True,
    )
    to.write_bytes(packed(dumped.stdout))


def packed(data: bytes) -> bytes:
    """As small as it gets."""
    return lzma.compress(data, preset=9 | lzma.PRESET_EXTREME)


@contextmanager
def served(root: Path) -> Iterator[Demo]:
    """A sandbox of its own in `root`, its servers running."""
    server = subprocess.Popen(
        [REMODEL, "demo", "--serve", "--dir", str(root), "--posts", POSTS],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert server.stdout is not None
    try:
        assert any(line.startswith("Serving") for line in server.stdout)
        yield Demo(root)
    finally:
        server.terminate()
        server.wait(60)


if __name__ == "__main__":
    target = HERE / sys.argv[1]
    with tempfile.TemporaryDirectory(prefix="remodel-session-") as temporary:
        made = Path(temporary) / "made"
        made.mkdir()
        with served(Path(temporary) / "sandbox") as laid_out:
            make(made, laid_out)
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(made, target)
    print(f"Wrote {target}.")
