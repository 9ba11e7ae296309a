"""The window in which a swap has closed the live database: cut off at every passage of it.

While it is closed, the site cannot connect. After each cut the database has to be open again: the
old one where the command itself could open it, the new one after a resume.
"""

from __future__ import annotations

import signal
from collections.abc import Awaitable, Callable

import pytest

from tests.crash.commands import Ended
from tests.crash.crash_points import TARGETS, after
from tests.crash.crash_sandbox import Ground
from tests.crash.crashing_process import ACT, BEGIN, Order
from tests.crash.resumed import CLEAN, RESUME, same
from tests.crash.sandbox_state import Undisturbed
from wizard.sandbox.layout import DATABASE, STAGING

pytestmark = [
    pytest.mark.crash,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.timeout(900),  # the first one waits for the sandbox and the undisturbed run
]

CLOSING = "ALLOW_CONNECTIONS false"
LIVE = {"staging": STAGING, "production": DATABASE}
PASSAGES = range(2, 8)  # before them it is not closed, after them all may be committed


@pytest.mark.parametrize("number", PASSAGES)
@pytest.mark.parametrize("target", TARGETS)
async def test_a_killed_swap_leaves_a_closed_database_that_a_resume_opens(
    ground: Ground, undisturbed: Undisturbed, target: str, number: int
) -> None:
    ended = await cut_off(ground, target, number, "self")
    assert ended.code == -signal.SIGKILL, ended.said
    assert not ground.lets_in(LIVE[target])
    await goes_on(ground, undisturbed, target)


@pytest.mark.parametrize("number", PASSAGES)
@pytest.mark.parametrize("target", TARGETS)
async def test_a_swap_without_its_sessions_opens_the_database_by_itself(
    ground: Ground, undisturbed: Undisturbed, target: str, number: int
) -> None:
    seen: list[bool] = []

    async def end_sessions(_: str) -> None:
        seen.append(ground.lets_in(LIVE[target]))
        ground.end_sessions()

    ended = await cut_off(ground, target, number, "pause", end_sessions)
    assert seen == [False]
    assert ended.code in CLEAN, ended.said
    assert "fault in remodel" not in ended.said, ended.said
    assert ground.lets_in(LIVE[target])
    await goes_on(ground, undisturbed, target)


async def cut_off(
    ground: Ground,
    target: str,
    number: int,
    how: str,
    paused: Callable[[str], Awaitable[None]] | None = None,
) -> Ended:
    """Deliver, disturbed at a passage since the live database was being closed."""
    operation = f"production.deliver:{target}"
    await ground.put_back(operation)
    order = Order(operation, ACT, number, how, since=CLOSING)
    return await ground.remodel(*RESUME, orders=[order], paused=paused)


async def goes_on(ground: Ground, undisturbed: Undisturbed, target: str) -> None:
    """A resume comes to what the undisturbed run had before its next operation."""
    following = after(f"production.deliver:{target}")
    ended = await ground.remodel(*RESUME, orders=[Order(following, BEGIN, how="end")])
    assert ended.code == 128 + signal.SIGTERM, ended.said
    await same(ground, undisturbed.states[following])
