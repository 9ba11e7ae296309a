"""A person at a dumb terminal: line prompts, gates included, on the same engine."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import time
from pathlib import Path

import yaml

from tests.support.sandbox import REMODEL, Demo


class Teletype:
    """A terminal that can show lines and nothing else; what it printed is `text`."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        ours, theirs = pty.openpty()
        self._end = ours
        self.text = ""
        self._seen = 0  # characters, up to where the last pattern was found
        self.process = subprocess.Popen(
            [REMODEL, *arguments],
            cwd=folder,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**os.environ, "TERM": "dumb"},
            start_new_session=True,
        )
        os.close(theirs)

    def until(self, pattern: str, seconds: float = 120.0) -> re.Match[str]:
        """Read on until the pattern comes, behind where the one before it was found."""
        deadline = time.monotonic() + seconds
        while not (found := re.compile(pattern).search(self.text, self._seen)):
            assert time.monotonic() < deadline, self.text
            assert self._read() or self.process.poll() is None, self.text
        self._seen = found.end()
        return found

    def type(self, line: str) -> None:
        os.write(self._end, f"{line}\n".encode())

    def ended(self) -> int:
        """Its exit code, once it has ended and all is read."""
        while self._read() or self.process.poll() is None:
            pass
        os.close(self._end)
        return self.process.wait(30)

    def _read(self) -> bool:
        if not select.select([self._end], [], [], 0.2)[0]:
            return False
        try:
            data = os.read(self._end, 65536)
        except OSError:  # Linux: the other end is closed
            return False
        self.text += data.decode(errors="replace")
        return bool(data)


def test_opens_steps_at_line_prompts(demo: Demo) -> None:
    """Two steps of the recorded answers are opened again; nothing asked for --plain."""
    data = yaml.safe_load((demo.root / "answers.yml").read_text())
    data["interactive"] = ["project", "backup"]
    (demo.root / "reopened.yml").write_text(yaml.safe_dump(data))
    known = demo.root / ".remodel" / "known_hosts"
    accepted = known.read_text()
    known.unlink()  # so that there is a gate
    try:
        terminal = Teletype(demo.root, "replay", "reopened.yml")
        terminal.until("Enter begins this step")
        terminal.type("")
        phrase = terminal.until(r"Type (\S+) to go on")[1]
        terminal.type(phrase)
        terminal.until("done: project.preflight")
        terminal.until("Enter begins this step")
        terminal.type("")
        terminal.until(r"Fetch a new backup.* \[fetch\]: ")  # as it was recorded
        terminal.type("q")
        assert terminal.ended() == 4
        assert known.read_text().split() == accepted.split()
    finally:
        known.write_text(accepted)
    assert "GATE: " in terminal.text and "SHA256:" in terminal.text
    assert "remodel resume" in terminal.text
    assert not re.search(r"[\x00-\x09\x0b\x0c\x0e-\x1f\x7f-\x9f]", terminal.text)
    (session,) = (demo.root / ".remodel" / "sessions").iterdir()
    recorded = yaml.safe_load((session / "answers.yml").read_text())
    assert [key.partition(":")[0] for key in recorded["consents"]] == ["project.trust"]
    assert recorded["answers"] == {}
