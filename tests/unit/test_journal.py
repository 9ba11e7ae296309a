"""What is read of a journal: the rows that are asked for, by what is in them."""

from __future__ import annotations

import random
import tracemalloc
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, get_args

import pytest

from wizard.session.journal import Journal, Kind
from wizard.session.plan import CHANGES_NOTHING

NO_STATE = ("answer", "consent", "kept")


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with closing(Journal(tmp_path / "journal.sqlite")) as journal:
        yield journal


@pytest.mark.parametrize("seed", range(5))
def test_states_and_attempts_are_those_of_reading_every_row(journal: Journal, seed: int) -> None:
    chance = random.Random(seed)
    written: list[tuple[str, Kind, dict[str, Any]]] = []
    for number in range(60):
        row = (chance.choice("abc"), chance.choice(get_args(Kind)), {"number": number})
        journal.write(*row)
        written.append(row)
        states = {key: (kind, data) for key, kind, data in written if kind not in NO_STATE}
        read = {key: (entry.kind, entry.data) for key, entry in journal.states().items()}
        assert read == states
        assert list(read) == list(states)
        for key in "abcd":
            state = journal.state(key)
            assert (state and (state.kind, state.data)) == states.get(key)
            assert journal.kind(key) == (states[key][0] if key in states else None)
            for wanted, of_this in (("intent", journal.intent(key)), ("kept", journal.kept(key))):
                last = None
                for other, kind, data in written:
                    if other == key and kind in (wanted, "undone", "cleared"):
                        last = data if kind == wanted else None
                assert (of_this or None) == last
    assert [(x.operation, x.kind, x.data) for x in journal.entries()] == written


def test_how_far_an_operation_is_is_read_without_its_facts(journal: Journal) -> None:
    facts = {"map": {str(number): number for number in range(200_000)}}
    journal.write("copy.convert", "done", facts)
    tracemalloc.start()
    try:
        assert journal.kind("copy.convert") == "done"
        assert tracemalloc.get_traced_memory()[1] < 100_000
        state = journal.state("copy.convert")
        assert state is not None and state.kind == "done"
        assert tracemalloc.get_traced_memory()[1] < 20_000_000  # its text, and not the facts
        assert state.data == facts
    finally:
        tracemalloc.stop()


def test_the_log_is_read_line_by_line(journal: Journal) -> None:
    for number in range(30_000):
        kind = "finding" if number % 10_000 == 7 else "line"
        journal._unwritten.append((0.0, f'{{"kind": "{kind}", "text": "{number:0200}"}}'))
    journal._flush()
    tracemalloc.start()
    try:
        assert sum(1 for _ in journal.events()) == 30_000
        assert [number for number, _ in journal.events(kind="finding")] == [8, 10_008, 20_008]
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()
    assert journal.before_newest(30_000) == 0
    assert journal.before_newest(30_001) == 0
    assert journal.before_newest(10) == 29_990
    assert len(list(journal.events(after=29_990))) == 10


def test_a_reader_that_writes_comes_to_an_end(journal: Journal) -> None:
    for _ in range(3):
        journal.event({"kind": "line"})
        journal.write("a", "done", {})
    for _ in journal.events():
        journal.event({"kind": "line"})
        journal.events()
    for entry in journal.entries():
        journal.write(entry.operation, "done", {})
    assert len(list(journal.events())) == len(list(journal.entries())) == 6


def test_a_session_that_only_looked_has_not_acted(journal: Journal) -> None:
    assert not journal.acted() and journal.first() == 0.0
    journal.write("project.preflight", "intent", {"undo": CHANGES_NOTHING})
    journal.write("project.preflight", "done", {"undo": "not an intent's"})
    journal.write("backup.fetch", "failed", {"message": "no plan"})
    assert not journal.acted() and journal.first() > 0
    journal.write("backup.fetch", "intent", {"undo": "delete it"})
    assert journal.acted()
