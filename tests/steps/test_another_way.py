"""The same steps on a project set up otherwise: an editable install, a plain dump that is here and
is anonymised, a delivery by the operator's own command, no local database yet."""

from __future__ import annotations

import gzip
import subprocess
from pathlib import Path

import yaml

from tests.support import sql_check
from tests.support.consenting_operator import Consenting
from tests.support.sandbox import Demo, dump_of_production
from wizard.commands import runner
from wizard.config import config
from wizard.reports.output import Output
from wizard.session import session as sessions

RESTORE = """#!/bin/sh
# What the notes' playbook does: drop, create, restore; it keeps nothing.
set -e
export PGHOST={host} PGUSER={user} PGPASSWORD={password}
{bin}/psql -q -d postgres -c 'DROP DATABASE harbour_staging WITH (FORCE)'
{bin}/psql -q -d postgres -c 'CREATE DATABASE harbour_staging OWNER deploy'
zcat {script} | {bin}/psql -q -v ON_ERROR_STOP=1 -d harbour_staging -f - > /dev/null
{bin}/psql -q -d harbour_staging -c 'REASSIGN OWNED BY postgres TO deploy' || true
echo restored
"""

ANONYMISE = """
test "$DJANGO_SETTINGS_MODULE" = config.settings.local && test -f manage.py &&
echo "$PGDATABASE $PGUSER" > ../anonymised
"""


def set_up(demo: Demo) -> Path:
    """A remodel.yml for all of that, and what it needs."""
    data = yaml.safe_load((demo.root / "remodel.yml").read_text())
    binaries = data["postgres"]["bin"]
    plain = [f"{binaries}/pg_restore", "--file=-"]  # with owners and grants of production's
    text = subprocess.run(plain, input=dump_of_production(demo), check=True, capture_output=True)
    (demo.root / "taken.sql.gz").write_bytes(gzip.compress(text.stdout))
    data["backup"] = {"anonymise": [["sh", "-c", ANONYMISE]]}
    with demo.connect("production") as connection:
        address = connection.info
        script = demo.root / "restore.sh"
        script.write_text(
            RESTORE.format(
                host=address.host,
                user="deploy",
                password=_password(demo),
                bin=binaries,
                script=demo.root / "backups" / "db.staging.psql.gz",
            )
        )
        script.chmod(0o700)
    data["targets"]["staging"]["playbook"] = [str(script)]
    install = data["project"].pop("install")
    editable = [*install[: install.index("install") + 1], "--no-deps", "--no-build-isolation"]
    subprocess.run(
        [*editable, "--no-index", "--editable", str(demo.root / "package")],
        check=True,
        capture_output=True,
    )
    with demo.connect("local", "postgres") as connection:
        connection.execute("DROP DATABASE harbour WITH (FORCE)")
    path = demo.root / "other.yml"
    path.write_text(yaml.safe_dump(data))
    return path


def _password(demo: Demo) -> str:
    lines = (demo.root / ".env").read_text().splitlines()
    line = next(line for line in lines if line.startswith("REMODEL_PRODUCTION_PASSWORD"))
    return line.partition("=")[2].strip("'\"")


async def test_converts_an_editable_package_from_an_existing_dump_by_playbook(demo: Demo) -> None:
    with demo.connect("production") as connection:
        before = sql_check.look(connection)
    reinstall = yaml.safe_load((demo.root / "remodel.yml").read_text())["project"]["install"]
    try:
        found = config.read(set_up(demo))
        answers = {"backup.archive": "taken.sql.gz", "production.targets": ["staging"]}
        with sessions.begin(found) as session:
            await runner.headless(found, session, Consenting(answers), Output())
            journal = session.journal
            installs = [
                journal.state(key)
                for key in ("structure.install", "slugs.install", "slugs.install_migrations")
            ]
            assert all(state is not None and state.kind == "skipped" for state in installs)
            assert (demo.root / "anonymised").read_text() == "harbour dev\n"
            delivered = journal.state("production.deliver:staging")
            assert delivered is not None
            safety = Path(delivered.data["safety"])
            assert safety.read_bytes()[:5] == b"PGDMP"
    finally:
        subprocess.run(reinstall, check=True, capture_output=True)
    with demo.connect("production", "harbour_staging") as connection:
        sql_check.judge(connection, before, "staging.harbour.example")
    assert "harbour" in demo.databases("local")
