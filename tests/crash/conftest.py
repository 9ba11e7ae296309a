"""The ground, and the undisturbed run that every crash is held against; one of each a worker."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.crash.crash_points import END, OPERATIONS, counted
from tests.crash.crash_sandbox import ALLOW, Ground, laid_out
from tests.crash.crashing_process import BEGIN, Order
from tests.crash.sandbox_state import State, Undisturbed


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def ground(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Ground]:
    """A sandbox whose servers run in here, put back in a second."""
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # of connections that were cut off
    folder = tmp_path_factory.mktemp("crash")
    async with laid_out(folder) as made:
        yield made
    shutil.rmtree(folder)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def undisturbed(ground: Ground) -> Undisturbed:
    """Kept before each operation, under the operation's key, and at the end."""
    states: dict[str, State] = {}
    last = ""

    async def keep(operation: str) -> None:
        nonlocal last
        await ground.keep(operation, last)
        states[operation] = ground.state()
        last = operation

    trail = ground.root / "trail"
    await ground.keep("pristine")
    done = await ground.remodel(
        "replay",
        "answers.yml",
        *ALLOW,
        orders=[Order("*", BEGIN, how="pause")],
        trail=trail,
        paused=keep,
    )
    assert done.code == 0, done.said
    await keep(END)
    assert list(states) == [*OPERATIONS, END]
    passed = [json.loads(line) for line in trail.read_text().splitlines()]
    return Undisturbed(states, counted(passed))
