"""Planted secrets: after a crash and a traceback, ours or the project's, they are nowhere.

The whole run is looked through in test_headless.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import yaml

from tests.support import planted_secrets
from tests.support.sandbox import Demo
from wizard.base.redaction import MASK

TELL = """
import base64, json, os, signal
from urllib.parse import quote, unquote
try:
    from wizard.steps import project
except ImportError:  # in the project's own Python
    project = None

async def apply(self, run, plan):
    password = run.config.local.address.password.reveal()
    told = " ".join([password, os.environ["DATABASE_URL"], os.environ["DEPLOY_KEY_PASSPHRASE"]])
    run.report.line("django", told)
    secrets = [password, os.environ["DATABASE_URL"], os.environ["MAIL_PWD"]]
    secrets += os.environ["SIGNING_KEY"].splitlines()[1:-1]
    secrets.append(os.environ["SIGNING_KEY"])
    spelled = [
        *secrets, repr(secrets), ascii(secrets), json.dumps(secrets), repr(json.dumps(secrets)),
        *(repr(secret.encode()) for secret in secrets), *map(quote, secrets),
        *(quote(secret, safe="") for secret in secrets), *map(unquote, secrets),
        *(base64.b64encode(secret.encode()).decode() for secret in secrets[2:]),
        "Basic " + base64.b64encode(b"dev:" + secrets[2].encode()).decode(),
        f"https://x:{secrets[2][:3]}@h/", "cut " + secrets[2][:9] + "\\x1b[1m" + secrets[2][9:],
    ]
    for number, text in enumerate(spelled):
        run.report.finding(text, text, "warn", text)
        run.report.document(text, "diff", text)
    run.report.finding(told, told, "warn", told)
    if os.environ["HOW"] == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    try:
        raise KeyError(*spelled)
    except KeyError:
        raise RuntimeError(told, spelled)

if project is not None:
    project.Preflight.apply = apply
"""
"""What Python runs before anything of ours: the first operation tells every secret, and fails."""


@pytest.mark.parametrize("how", ["raised", "killed", "json"])
def test_a_crash_of_ours_shows_no_secret(demo: Demo, tmp_path: Path, how: str) -> None:
    (tmp_path / "sitecustomize.py").write_text(TELL)
    with planted_secrets.planted(demo) as known:
        ran = planted_secrets.remodel(
            demo,
            known,
            *("replay", "answers.yml", *(["--json"] if how == "json" else [])),
            PYTHONPATH=str(tmp_path),
            HOW=how,
        )
        told = f"{MASK} postgres://dev:{MASK}@db.example.org/site {MASK}"
        assert (json.dumps(told)[1:-1] if how == "json" else told) in ran.stdout
        if how != "killed":
            assert ran.returncode == 1
            assert "fault in remodel" in ran.stderr
            assert f"KeyError: ('{MASK}'" in ran.stderr
        else:
            assert ran.returncode == -9
        assert planted_secrets.leaks(demo, known, ran) == []


def test_a_traceback_of_the_project_shows_no_secret(demo: Demo) -> None:
    settings = demo.root / "site" / "config" / "settings" / "telling.py"
    settings.write_text(
        "import os\n\nodd = [os.environ['MAIL_PWD'], os.environ['SIGNING_KEY']]\n"
        "print(odd, *odd)\n"
        "raise ValueError(os.environ['DATABASE_URL'] + os.environ['DEPLOY_KEY_PASSPHRASE'], odd)\n"
    )
    data = yaml.safe_load((demo.root / "remodel.yml").read_text())
    data["project"]["settings"] = "config.settings.telling"
    path = demo.root / "telling.yml"
    path.write_text(yaml.safe_dump(data))
    try:
        with planted_secrets.planted(demo) as known:
            ran = planted_secrets.remodel(
                demo, known, "replay", "answers.yml", "--config", str(path)
            )
            assert ran.returncode == 2
            assert f"postgres://dev:{MASK}@db.example.org/site{MASK}" in ran.stderr
            assert planted_secrets.leaks(demo, known, ran) == []
    finally:
        settings.unlink()


def test_the_search_for_secrets_finds_a_leak(demo: Demo) -> None:
    """Without this, the others might pass for looking in the wrong places."""
    folder = demo.root / ".remodel" / "sessions" / "a"
    folder.mkdir(parents=True)
    with planted_secrets.planted(demo) as known:
        secret = planted_secrets.PLANTED["DEPLOY_KEY_PASSPHRASE"]
        (folder / "log").write_text(f"it said {secret}.")
        code = "import sys; print(sys.argv[1]); sys.stdin.read()"
        ran = planted_secrets.run(
            [sys.executable, "-c", f"{code}; import time; time.sleep(0.5)", secret],
            demo.root,
            known,
        )
        found = planted_secrets.leaks(demo, known, ran)
    assert [one.partition(":")[0] for one in found] == ["arguments", "output", str(folder / "log")]
