"""A person at a terminal: the sandbox walked by keys in tmux, and what was recorded replayed."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.support import sql_check
from tests.support.sandbox import REMODEL, Demo
from tests.support.sql_check import table_digests
from wizard.session.journal import Journal
from wizard.session.plan import Plan

needs_tmux = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")
PATIENCE = 240.0  # seconds for the whole walk


class Terminal:
    """A terminal of 80x24 in a tmux of its own."""

    def __init__(self, socket: str) -> None:
        self._socket = socket

    def tmux(self, *arguments: str) -> str:
        done = subprocess.run(
            ["tmux", "-L", self._socket, "-f", "/dev/null", *arguments],
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    def open(self, command: str, folder: Path) -> None:
        self.tmux("new-session", "-d", "-x", "80", "-y", "24", "-c", str(folder), "sh")
        self.tmux("set-option", "-g", "remain-on-exit", "on")
        self.type(f"{command}; echo ended with $?.")
        self.press("Enter")

    def type(self, text: str) -> None:
        self.tmux("send-keys", "-l", text)

    def press(self, key: str) -> None:
        self.tmux("send-keys", key)

    def text(self) -> str:
        return self.tmux("capture-pane", "-p")

    def wait_for(self, pattern: str, seconds: float = 60.0) -> str:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            text = self.text()
            if re.search(pattern, text):
                return text
            time.sleep(0.1)
        raise AssertionError(f"{pattern!r} was not seen in {seconds} s:\n{self.text()}")

    def close(self) -> None:
        subprocess.run(["tmux", "-L", self._socket, "kill-server"], capture_output=True)


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    opened = Terminal(f"remodel-{hashlib.sha256(str(tmp_path).encode()).hexdigest()[:8]}")
    yield opened
    opened.close()


def walk(terminal: Terminal) -> list[str]:
    """Answer what is on the screen until the command has ended; returns the gates passed."""
    gates: list[str] = []
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        text = terminal.text()
        if match := re.search(r"ended with (\d+)\.", text):
            assert match[1] == "0", text
            return gates
        if match := re.search(r"Type (\S+) to go on", text):
            title = re.search(r"GATE\s+(.+?)\s*│", text)
            gates.append(title[1] if title else "?")
            terminal.type(match[1])
            terminal.press("Enter")
            _until_gone(terminal, "Type " + match[1])
        elif "A question before this step" in text:
            terminal.press("C-n")
            _until_gone(terminal, "A question before this step")
        elif re.search(r"Enter\s+begins", text):
            terminal.press("Enter")
            _until_gone(terminal, "Enter   begins")
        elif "on this step first" in text:
            terminal.press("C-n")
            _until_gone(terminal, "on this step first")
        elif "any key" in text.lower() or "Enter  leaves" in text:
            terminal.press("Enter")
        elif "What to do" in text:
            raise AssertionError(text)
        time.sleep(0.2)
    raise AssertionError(f"not through after {PATIENCE} s:\n{terminal.text()}")


def _until_gone(terminal: Terminal, words: str) -> None:
    deadline = time.monotonic() + 20
    while words in terminal.text() and time.monotonic() < deadline:
        time.sleep(0.1)


def acts(session: Path) -> list[tuple[str, str, object]]:
    """The journal, row by row: the operation, what became of it, and of a plan what it was about.

    Left out is what tells the time of the run (paths, sizes, the databases' OIDs), and the host
    key, which is accepted only once.
    """
    journal = Journal(session / "journal.sqlite", read_only=True)
    told: list[tuple[str, str, object]] = []
    for entry in journal.entries():
        if entry.operation.startswith("project.trust"):
            continue
        about: object = None
        if entry.kind in ("consent", "intent"):
            about = Plan.from_dict(entry.data).consented()
        elif entry.kind == "answer":
            about = entry.data
        told.append((entry.operation, entry.kind, about))
    journal.close()
    return told


@needs_tmux
def test_a_session_walked_by_keys_replays_to_the_same_end(demo: Demo, terminal: Terminal) -> None:
    with demo.connect("production") as connection:
        before = sql_check.look(connection)
    known = demo.root / ".remodel" / "known_hosts"
    accepted = known.read_text()
    known.unlink()  # so that the host key is shown

    terminal.open(str(REMODEL), demo.root)
    try:
        gates = walk(terminal)
    finally:
        known.write_text(accepted)
    assert len(gates) == 9, gates
    assert terminal.tmux("display", "-p", "#{alternate_on} #{mouse_any_flag}").strip() == "0 0"
    with demo.connect("production") as connection:
        sql_check.judge(connection, before, "harbour.example")
        walked = table_digests(connection)

    (session,) = (demo.root / ".remodel" / "sessions").iterdir()
    recorded = demo.root / "walked.yml"
    shutil.copyfile(session / "answers.yml", recorded)
    by_hand, given = acts(session), yaml.safe_load(recorded.read_text())
    demo.put_back()
    done = demo.remodel("replay", "walked.yml", "--allow", "staging", "--allow", "production")
    assert done.returncode == 0, done.stderr
    with demo.connect("production") as connection:
        assert table_digests(connection) == walked
    (session,) = (demo.root / ".remodel" / "sessions").iterdir()
    replayed = yaml.safe_load((session / "answers.yml").read_text())
    assert replayed["answers"] == given["answers"]
    del given["consents"]["project.trust:staging"]
    assert replayed["consents"] == given["consents"]
    assert len(by_hand) > 40 and acts(session) == by_hand


@needs_tmux
def test_a_signal_restores_the_terminal(demo: Demo, terminal: Terminal) -> None:
    terminal.open(str(REMODEL), demo.root)
    terminal.wait_for(r"Enter\s+begins")
    assert terminal.tmux("display", "-p", "#{alternate_on}").strip() == "1"
    subprocess.run(["pkill", "-TERM", "-f", f"^{REMODEL.parent}/python.* {REMODEL}$"], check=True)
    terminal.wait_for(r"ended with 143\.")
    assert terminal.tmux("display", "-p", "#{alternate_on} #{mouse_any_flag}").strip() == "0 0"


@needs_tmux
def test_leaving_with_work_left_says_how_to_go_on(demo: Demo, terminal: Terminal) -> None:
    terminal.open(str(REMODEL), demo.root)
    terminal.wait_for(r"Enter\s+begins")
    terminal.press("Escape")  # cancels nothing
    terminal.press("C-c")
    terminal.wait_for(r"Leave\?")
    terminal.press("l")
    text = terminal.wait_for(r"ended with \d+\.")
    assert "ended with 4." in text
    assert "remodel resume" in text


@needs_tmux
def test_a_step_of_recorded_answers_is_opened_on_the_screens(
    demo: Demo, terminal: Terminal
) -> None:
    given = yaml.safe_load((demo.root / "answers.yml").read_text())
    given["interactive"] = ["project"]
    (demo.root / "reopened.yml").write_text(yaml.safe_dump(given))
    terminal.open(f"{REMODEL} replay reopened.yml", demo.root)
    terminal.wait_for(r"Enter\s+begins Project")
    terminal.press("Enter")
    # The next steps begin by themselves and pass their gates by what was recorded, while Project's
    # warning stands to be read; then it is stopped.
    terminal.wait_for(r"goes to (Structure|Copy|Slugs), which")
    terminal.press("C-n")
    terminal.wait_for(r"Working: ")
    terminal.press("C-c")
    terminal.wait_for(r"Running: ")
    terminal.press("n")
    assert "ended with 4." in terminal.wait_for(r"ended with \d+\.")
    (session,) = (demo.root / ".remodel" / "sessions").iterdir()
    recorded = yaml.safe_load((session / "answers.yml").read_text())
    assert recorded["consents"]["backup.restore"] == given["consents"]["backup.restore"]
