"""What `make demo` runs: a sandbox in a folder of its own, and the whole procedure on it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_the_demo_ends_and_leaves_nothing() -> None:
    remodel = Path(sys.executable).with_name("remodel")
    ended = subprocess.run(
        [remodel, "demo", "--posts", "12"],
        capture_output=True,
        text=True,
        timeout=300,
        stdin=subprocess.DEVNULL,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "delivered production" in ended.stdout
    (folder,) = re.findall(r"sandbox: (\S+), with 12 posts", ended.stdout)
    assert not Path(folder).exists()
