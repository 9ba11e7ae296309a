"""The power fails: what was written and not synced is lost, all of it or by chance.

The databases' servers are other machines here, and keep what they have committed; so the journal
may be behind what was done, never what was done behind the journal.
"""

from __future__ import annotations

import random
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash.commands import Commands
from tests.crash.crash_points import END, OPERATIONS, Point, after
from tests.crash.crash_sandbox import Ground
from tests.crash.crashing_process import ACT, BEGIN, Order
from tests.crash.power_failure import Disk, compiled
from tests.crash.resumed import CLEAN, RESUME, RESUMES, all_ended, same
from tests.crash.sandbox_state import Undisturbed

pytestmark = [
    pytest.mark.crash,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.timeout(900),  # the first one waits for the sandbox and the undisturbed run
]

FOLDERS = (".remodel", "backups", "package")
"""The journal and what lies beside it, the dumps, and the source with the files put aside."""


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Commands]:
    """Commands whose writes are recorded."""
    try:
        library = compiled(tmp_path_factory.mktemp("recorder"))
    except FileNotFoundError:
        pytest.skip("recording what is written needs a C compiler")
    commands = Commands({"LD_PRELOAD": str(library)})
    yield commands
    commands.close()


def places() -> list[Point]:
    """In each operation: after its intent, while it acts, after its outcome."""
    chosen = random.Random("power")
    return [
        point
        for key in OPERATIONS
        for point in (Point(key, "after intent"), Point(key, ACT, chosen.random()))
    ] + [Point(key, "after done") for key in OPERATIONS[::3]]


@pytest.mark.parametrize("seed", [None, 1], ids=["all", "some"])
@pytest.mark.parametrize("point", places(), ids=str)
async def test_resumes_after_a_power_failure(
    ground: Ground,
    undisturbed: Undisturbed,
    recorded: Commands,
    tmp_path: Path,
    point: Point,
    seed: int | None,
) -> None:
    following = after(point.operation)
    stop = [Order(following, BEGIN, how="end")] if following != END else []
    order = point.order(undisturbed.passages)
    log = tmp_path / "log"
    await ground.put_back(point.operation)
    disk = Disk([ground.root / name for name in FOLDERS])
    ended = await ground.remodel(
        *RESUME,
        orders=[order, *stop],
        commands=recorded,
        environment={"RECORD_ROOT": str(ground.root), "RECORD_LOG": str(log)},
    )
    await all_ended(ground)
    # A run may pass the point fewer times than another: the power fails where it stopped, then.
    assert ended.code in (-signal.SIGKILL, 128 + signal.SIGTERM, 0), ended.said
    kept = None if seed is None else random.Random(f"{point} {seed}")
    lost = disk.fail(log.read_bytes(), kept)
    print(f"{len(disk.steps)} steps, {lost} lost")
    assert any(step.is_durable for step in disk.steps)

    for _ in range(RESUMES):
        ended = await ground.remodel(*RESUME, orders=stop)
        assert "fault in remodel" not in ended.said, ended.said
        if ended.code == (128 + signal.SIGTERM if stop else 0):
            break
        if not stop and "There is no session with work left" in ended.said:
            break
        assert ended.code in CLEAN, ended.said
    else:
        pytest.fail(ended.said)
    await same(ground, undisturbed.states[following])
