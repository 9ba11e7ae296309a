"""The ways back, cut off: undo, rollback and purge; and a session at its very beginning.

As with the procedure itself, what comes of it in the end is what comes of it undisturbed.
"""

from __future__ import annotations

import json
import re
import signal
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from tests.crash.commands import Ended
from tests.crash.crash_points import END, LOCAL, counted
from tests.crash.crash_sandbox import ALLOW, Ground
from tests.crash.crashing_process import ACT, BEGIN, START, Order
from tests.crash.resumed import CLEAN, RESUME, RESUMES, no_process, same
from tests.crash.sandbox_state import State, Undisturbed

pytestmark = [
    pytest.mark.crash,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.timeout(900),  # the first one waits for the sandbox and the undisturbed run
]

UNDO = ("undo", "--to", "backup")
DONE_HERE = "production.site:staging"  # all that an undo takes back is done before it
UNDONE = [key for key in reversed(LOCAL) if not key.startswith("project.")]
PLACES = ("before undoing", "after undoing", "act", "before undone", "after undone")
HEAVY = {"slugs.migrate", "slugs.pages", "copy.delete", "copy.convert", "structure.migrate"} | {
    "backup.restore",
    "slugs.fields",
}
CUTS = [
    *((key, PLACES[number % len(PLACES)], 1) for number, key in enumerate(UNDONE)),
    *((key, ACT, number) for key in sorted(HEAVY) for number in (3, 12, 20, 28)),
]
ROLLBACK = ("rollback", "--target", "production", "--allow", "production")
PURGE = ("purge", *ALLOW)
PARTS = (0.02, 0.3, 0.6, 0.8, 0.9, 1.0)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def undone(ground: Ground, undisturbed: Undisturbed) -> State:
    """What an undo that nothing disturbs comes to."""
    await ground.put_back(DONE_HERE)
    ended = await ground.remodel(*UNDO)
    assert ended.code == 0, ended.said
    return ground.state()


@pytest.mark.parametrize(("key", "place", "number"), CUTS)
async def test_a_cut_off_undo_is_finished(
    ground: Ground, undone: State, key: str, place: str, number: int
) -> None:
    await ground.put_back(DONE_HERE)
    await until(ground, *UNDO, orders=[Order(key, place, number)])
    await same(ground, undone)


@pytest.mark.parametrize("key", ["slugs.urls", "slugs.migrate", "copy.convert", "backup.restore"])
async def test_a_resume_finishes_a_cut_off_undo_first(
    ground: Ground, undisturbed: Undisturbed, key: str
) -> None:
    """It is undone to its end first, and then done again with what follows."""
    await ground.put_back(DONE_HERE)
    ended = await ground.remodel(*UNDO, orders=[Order(key, "after undoing")])
    assert ended.code == -signal.SIGKILL, ended.said
    ended = await ground.remodel(*RESUME, orders=[Order(DONE_HERE, BEGIN, how="end")])
    assert "it was being undone" in ended.said
    assert ended.code == 128 + signal.SIGTERM, ended.said
    await same(ground, undisturbed.states[DONE_HERE])


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("operation", ["production.rollback:production"])
async def test_a_cut_off_rollback_is_finished(
    ground: Ground, undisturbed: Undisturbed, operation: str, part: float
) -> None:
    await same(ground, await _cut_off_at(ground, ROLLBACK, operation, part))


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("operation", ["purge.local", "purge.target:production"])
async def test_a_cut_off_purge_is_finished(
    ground: Ground, undisturbed: Undisturbed, operation: str, part: float
) -> None:
    """What is left of it is another plan, consented to anew; nothing is held where nothing is."""
    expected = await _cut_off_at(ground, (*PURGE, ground.session.name), operation, part)
    await no_process(ground)
    assert _things(ground.state()).difference(_things(expected)) == []
    assert ground.repeated() == []


def _things(state: State) -> State:
    """Without what the session says of its purge."""
    said = {key: what for key, what in state.session.items() if not key.startswith("purge.")}
    return replace(state, session=said)


async def _cut_off_at(
    ground: Ground, command: tuple[str, ...], operation: str, part: float
) -> State:
    """Undisturbed first; then cut off, and done to its end. What undisturbed it comes to."""
    await ground.put_back(END)
    trail = ground.root / "trail-back"
    trail.unlink(missing_ok=True)
    consents = await _consenting(ground, command, trail=trail)
    expected = ground.state()
    passed = [json.loads(line) for line in trail.read_text().splitlines()]
    number = max(1, round(part * _last(counted(passed), operation)))

    await ground.put_back(END)
    ended = await ground.remodel(*command, *consents, orders=[Order(operation, ACT, number)])
    assert ended.code == -signal.SIGKILL, ended.said
    await _consenting(ground, command)
    return expected


async def _consenting(
    ground: Ground, command: tuple[str, ...], trail: Path | None = None
) -> list[str]:
    """Run the command to its end, consenting to every plan that it shows; by these options."""
    consents: list[str] = []
    while True:
        ended = await ground.remodel(*command, *consents, trail=trail)
        if ended.code == 0 or "this has been done" in ended.said:
            return consents
        # 5: the consents so far fit other gates, or what has been done by now
        assert ended.code in (4, 5), ended.said
        wanted = re.findall(r"^ +plan ([0-9a-f]{16})$", ended.said, re.MULTILINE)
        assert wanted, ended.said
        assert wanted[-1] not in consents, ended.said
        consents += ["--consent", wanted[-1]]


def _last(passages: Counter[tuple[str, str]], operation: str) -> int:
    return passages[operation, ACT]


async def until(ground: Ground, *command: str, orders: list[Order]) -> None:
    """Run the command until it has done what it is for, the first time as ordered."""
    ended = Ended(-signal.SIGKILL, "")
    for _ in range(RESUMES + 1):
        ended = await ground.remodel(*command, orders=orders)
        orders = []
        if ended.code == 0 or "this has been done" in ended.said:
            return
        assert "fault in remodel" not in ended.said, ended.said
        assert ended.code in (-signal.SIGKILL, *CLEAN), ended.said
    pytest.fail(ended.said)


@pytest.mark.parametrize("number", range(1, 40, 3))
async def test_a_session_begins_after_a_cut_off_beginning(
    ground: Ground, undisturbed: Undisturbed, number: int
) -> None:
    """Nobody has to clear anything away before a session can begin."""
    await ground.put_back("pristine")
    begin = [Order("project.trust:staging", BEGIN, how="end")]
    ended = await ground.remodel(
        "replay", "answers.yml", *ALLOW, orders=[Order("", START, number), *begin]
    )
    assert ended.code in (-signal.SIGKILL, 128 + signal.SIGTERM), ended.said
    listed = await ground.remodel("sessions")
    assert listed.code == 0, listed.said
    again = RESUME if "operations done" in listed.said else ("replay", "answers.yml", *ALLOW)
    ended = await ground.remodel(*again, orders=begin)
    assert ended.code == 128 + signal.SIGTERM, ended.said
