"""The demo's whole procedure, cut off anywhere, resumed, and held against the undisturbed run.

Each crash begins where the undisturbed run was before the operation, and ends before the next
one: when everything is by then as it was in the undisturbed run (every table of every database on
both servers, the source, the project's environment, the session), so is what follows. A sample
goes on to the very end, and shows it. Run by `make crash`.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
from dataclasses import replace

import pytest

from tests.crash.commands import Ended
from tests.crash.crash_points import END, Point, after, points, sample
from tests.crash.crash_sandbox import Ground
from tests.crash.crashing_process import ACT, BEGIN, PLAN, Order
from tests.crash.resumed import CLEAN, RESUME, RESUMES, no_process, same
from tests.crash.sandbox_state import Undisturbed

pytestmark = [
    pytest.mark.crash,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.timeout(900),  # the first one waits for the sandbox and the undisturbed run
]

RESTARTS = {"restart fast": signal.SIGINT, "restart immediate": signal.SIGQUIT}


@pytest.mark.parametrize("point", points(), ids=str)
async def test_a_resume_reaches_the_undisturbed_state(
    ground: Ground, undisturbed: Undisturbed, point: Point
) -> None:
    following = after(point.operation)
    stop = [Order(following, BEGIN, how="end")] if following != END else []
    await cut_off(ground, undisturbed, point, stop)
    await same(ground, undisturbed.states[following])


@pytest.mark.parametrize("point", [*sample(70), *sample(12, "children")], ids=str)
async def test_a_resume_reaches_the_undisturbed_end(
    ground: Ground, undisturbed: Undisturbed, point: Point
) -> None:
    """What the others leave out is true: what follows is as in the undisturbed run."""
    await cut_off(ground, undisturbed, point, [])
    await same(ground, undisturbed.states[END])


@pytest.mark.parametrize("operation", ["structure.install", "slugs.install_migrations"])
async def test_resumes_between_the_old_and_the_new_package(
    ground: Ground, undisturbed: Undisturbed, operation: str
) -> None:
    """pip takes the one out before it puts the other in; without either no project starts."""
    await ground.put_back(operation)
    following = after(operation)
    ended = await ground.remodel(*RESUME, orders=[Order(operation, ACT, detail="child")])
    assert ended.code == -signal.SIGKILL, ended.said
    await no_process(ground)
    for path in ground.site_packages.glob("harbour_cast*"):
        shutil.rmtree(path)
    ended = await ground.remodel(*RESUME, orders=[Order(following, BEGIN, how="end")])
    assert ended.code == 128 + signal.SIGTERM, ended.said
    await same(ground, undisturbed.states[following])


async def test_names_a_frozen_worker_and_does_nothing_beside_it(
    ground: Ground, undisturbed: Undisturbed
) -> None:
    operation = "copy.convert"
    following = after(operation)
    await ground.put_back(operation)
    ended = await ground.remodel(
        *RESUME, orders=[Order(operation, ACT, how="frozen", detail="ask convert")]
    )
    assert ended.code == -signal.SIGKILL, ended.said
    ended = await ground.remodel(*RESUME)
    assert ended.code == 1
    assert "has left something running" in ended.said
    (worker,) = re.findall(r"pid (\d+): .*worker/__main__\.py", ended.said)
    os.kill(int(worker), signal.SIGCONT)
    ended = await ground.remodel(*RESUME, orders=[Order(following, BEGIN, how="end")])
    assert ended.code == 128 + signal.SIGTERM, ended.said
    await same(ground, undisturbed.states[following])


async def cut_off(
    ground: Ground, undisturbed: Undisturbed, point: Point, stop: list[Order]
) -> None:
    """Crash at the point, then resume until the order to stop, or the end."""
    await ground.put_back(point.operation)
    order = point.order(undisturbed.passages)
    if point.how in (*RESTARTS, "backends"):
        order = replace(order, how="pause")

    async def to_the_servers(_: str) -> None:
        if point.how in RESTARTS:
            await ground.restart(RESTARTS[point.how])
        else:
            ground.end_sessions()

    ended = await ground.remodel(*RESUME, orders=[order, *stop], paused=to_the_servers)
    while point.how == "self" and not point.delay and ended.code != -signal.SIGKILL:
        # Progress is told by the clock: a run may pass the point fewer times than another.
        assert point.where == ACT, ended.said
        assert order.number > 1, ended.said
        order = replace(order, number=order.number - 1)
        await ground.put_back(point.operation)
        ended = await ground.remodel(*RESUME, orders=[order, *stop], paused=to_the_servers)
    again = [Order(point.operation, PLAN, point.again)] if point.again else []
    for _ in range(RESUMES):
        if not _left_undone(ended, stop):
            break
        ended = await ground.remodel(*RESUME, orders=[*again, *stop])
        again = []
    assert not _left_undone(ended, stop), ended.said


def _left_undone(ended: Ended, stop: list[Order]) -> bool:
    """Whether it did not come to where it was to stop; a failure has to be one in good order."""
    assert "fault in remodel" not in ended.said, ended.said
    if ended.code == (128 + signal.SIGTERM if stop else 0):
        return False
    if not stop and "There is no session with work left" in ended.said:
        return False  # it was killed on its way out
    assert ended.code in (-signal.SIGKILL, *CLEAN), ended.said
    return True
