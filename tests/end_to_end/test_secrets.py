"""Planted secrets: after a crash and a traceback, ours or the project's, they are nowhere.

The whole run is looked through in test_headless.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import yaml

from tests.support import planted_secrets
from tests.support.sandbox import Demo
from wizard.base.redaction import MASK

TELL = """
import os, signal
try:
    from wizard.steps import project
except ImportError:  # in the project's own Python
    project = None

async def apply(self, run, plan):
    password = run.config.local.address.password.reveal()
    told = " ".join([password, os.environ["DATABASE_URL"], os.environ["DEPLOY_KEY_PASSPHRASE"]])
    run.report.line("django", told)
    run.report.finding(told, told, "warn", told)
    if os.environ["HOW"] == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    try:
        raise KeyError(password)
    except KeyError:
        raise RuntimeError(told)

if project is not None:
    project.Preflight.apply = apply
"""
"""What Python runs before anything of ours: the first operation tells every secret, and fails."""


@pytest.mark.parametrize("how", ["raised", "killed"])
def test_a_crash_of_ours_shows_no_secret(demo: Demo, tmp_path: Path, how: str) -> None:
    (tmp_path / "sitecustomize.py").write_text(TELL)
    with planted_secrets.planted(demo) as known:
        ran = planted_secrets.remodel(
            demo, known, "replay", "answers.yml", PYTHONPATH=str(tmp_path), HOW=how
        )
        assert f"{MASK} postgres://dev:{MASK}@db.example.org/site {MASK}" in ran.stdout
        if how == "raised":
            assert ran.returncode == 1
            assert "fault in remodel" in ran.stderr
            assert f"KeyError: '{MASK}'" in ran.stderr
        else:
            assert ran.returncode == -9
        assert planted_secrets.leaks(demo, known, ran) == []


def test_a_traceback_of_the_project_shows_no_secret(demo: Demo) -> None:
    settings = demo.root / "site" / "config" / "settings" / "telling.py"
    settings.write_text(
        "import os\n\nraise ValueError(os.environ['DATABASE_URL'] + "
        "os.environ['DEPLOY_KEY_PASSPHRASE'])\n"
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
            assert f"ValueError: postgres://dev:{MASK}@db.example.org/site{MASK}" in ran.stderr
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
