"""How a crashed session is resumed, and what must hold once it is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from tests.crash.crash_sandbox import ALLOW, Ground
from tests.crash.sandbox_state import State

RESUME = ("resume", "--answers", "answers.yml", *ALLOW)
RESUMES = 3  # at most: a server that was restarted may not be back for the first
CLEAN = {1, 2, 3, 4, 5, 6}  # the documented exit codes; -9 is the crash itself


async def same(ground: Ground, expected: State) -> None:
    """Everything is as in the undisturbed run, and nobody was left behind."""
    await no_process(ground)
    left = ground.state().difference(expected)
    assert left == [], "\n".join(map(str, left))
    assert ground.repeated() == []


async def no_process(ground: Ground) -> None:
    """Whatever was started has ended, by itself, and no socket is left."""
    await _nothing(ground.left)


async def all_ended(ground: Ground) -> None:
    """Whatever was started has ended, by itself; a killed command's sockets may be there."""
    await _nothing(ground.processes)


async def _nothing(left: Callable[[], list[str]]) -> None:
    try:
        async with asyncio.timeout(30):
            while left():
                await asyncio.sleep(0.05)
    except TimeoutError:
        pytest.fail("\n".join(left()))
