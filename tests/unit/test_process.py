"""Children are fed, heard, and never left behind."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import sys

import pytest

from wizard.base.errors import OperationFailed
from wizard.base.process import run, start


async def test_output_errors_and_exit_status() -> None:
    done = await run(["sh", "-c", "echo out; echo err >&2; exit 3"])
    assert (done.returncode, done.stdout, done.stderr_tail) == (3, "out\n", "err")


async def test_standard_input_is_empty_unless_given() -> None:
    assert (await run(["cat"])).stdout == ""
    assert (await run(["cat"], stdin=b"fed")).stdout == "fed"


async def test_a_child_that_ignores_its_input_is_judged_by_its_status() -> None:
    assert (await run(["true"], stdin=b"x" * 1_000_000)).returncode == 0


async def test_lines_arrive_whole() -> None:
    script = "import sys; print('é' * 60_000); sys.stdout.write('one\\r\\ntwo')"
    heard: list[str] = []
    await run([sys.executable, "-c", script], env={"PYTHONUTF8": "1"}, on_line=heard.append)
    assert heard == ["é" * 60_000, "one", "two"]


async def test_lines_arrive_while_the_child_still_runs() -> None:
    first = asyncio.Event()
    task = asyncio.create_task(
        run(["sh", "-c", "echo early; exec sleep 60"], on_line=lambda line: first.set())
    )
    await asyncio.wait_for(first.wait(), 10)
    assert not task.done()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_cancelling_ends_the_whole_group_and_reaps_it() -> None:
    pids: list[int] = []
    heard = asyncio.Event()

    def on_line(line: str) -> None:
        pids.extend(int(word) for word in line.split())
        heard.set()

    script = "trap '' TERM; sleep 60 & echo $$ $!; wait; sleep 60"
    task = asyncio.create_task(run(["sh", "-c", script], on_line=on_line))
    await asyncio.wait_for(heard.wait(), 10)
    leader, grandchild = pids
    process = os.pidfd_open(grandchild)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(ProcessLookupError):
        os.kill(leader, 0)  # reaped, too
    ended, *_ = await asyncio.to_thread(select.select, [process], [], [], 10)  # pidfd_open(2)
    os.close(process)
    assert ended


async def test_does_not_wait_for_a_daemon_left_behind() -> None:
    done = await run(["sh", "-c", "sleep 60 & echo $!"])
    daemon = int(done.stdout)
    process = os.pidfd_open(daemon)
    ended, *_ = select.select([process], [], [], 0)  # pidfd_open(2): it still has our pipes
    os.close(process)
    os.kill(daemon, signal.SIGKILL)
    assert not ended


async def test_a_child_has_its_own_session() -> None:
    script = "import os; print(os.getsid(0) == os.getpid())"
    assert (await run([sys.executable, "-c", script])).stdout == "True\n"


async def test_an_unknown_command_is_named() -> None:
    with pytest.raises(OperationFailed, match="no-such-command"):
        await run(["no-such-command"])


async def test_leaving_early_ends_the_child() -> None:
    async with start(["sh", "-c", "echo ready; exec sleep 60"]) as child:
        async for chunk in child:
            assert chunk == b"ready\n"
            break
    assert child.returncode == -15
