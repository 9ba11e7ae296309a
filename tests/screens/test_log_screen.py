"""The log: the newest lines of the journal, and how many there are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from textual.app import App
from textual.widgets import RichLog, Static

from screens import log
from wizard.session.session import Session


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    folder = tmp_path / "sessions" / "20261122-150405"
    folder.mkdir(parents=True)
    with Session(folder) as session:
        yield session


@pytest.mark.parametrize("number", [3, 10, 11, 500])
async def test_shows_the_newest_lines_with_their_number(
    session: Session, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    monkeypatch.setattr(log, "KEPT", 10)
    for line in range(number):
        session.journal.event({"kind": "line", "source": "x", "text": f"line {line}."})
    app = App[None]()
    async with app.run_test(size=(120, 30)) as pilot:
        await app.push_screen(log.LogScreen(session))
        await pilot.pause()
        shown = [line.text for line in app.screen.query_one(RichLog).lines]
        title = str(app.screen.query_one("#log-title", Static).render())
        assert len(shown) == min(number, 10)
        assert shown[-1].rstrip().endswith(f"line {number - 1}.")
        if number > 10:
            assert title == f" Log of session {session.id}, 10 of {number} lines"
        else:
            assert title == f" Log of session {session.id}"
        session.journal.event({"kind": "line", "source": "x", "text": "one more."})
        assert isinstance(app.screen, log.LogScreen)
        app.screen.follow()
        await pilot.pause()
        (last,) = [line.text for line in app.screen.query_one(RichLog).lines][-1:]
        assert last.rstrip().endswith("one more.")
