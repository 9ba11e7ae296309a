"""The most memory that each process took: ours, the worker's, and every one of PostgreSQL's.

Ours and the worker's is resident memory, which Linux keeps the peak of. PostgreSQL's processes
share 64 MB of buffers, so that of them only what is private counts, looked at ten times a
second. (proc(5): VmHWM in /proc/PID/status, Private_* in /proc/PID/smaps_rollup.)
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

INTERVAL = 0.1  # seconds
MB = 1024  # the kernel's kB


@asynccontextmanager
async def peaks() -> AsyncIterator[dict[str, float]]:
    """While inside, watch every process below this one; afterwards the peaks in MB by name.

    The names are `wizard` (this process), `worker` and what PostgreSQL calls its processes.
    """
    found: dict[str, float] = {}
    watching = asyncio.create_task(_watch(found))
    try:
        yield found
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        _look(found)


async def _watch(found: dict[str, float]) -> None:
    while True:
        await asyncio.to_thread(_look, found)
        await asyncio.sleep(INTERVAL)


def _look(found: dict[str, float]) -> None:
    for process in _below(os.getpid()):
        # A process may be gone at any moment.
        with contextlib.suppress(OSError):
            command = Path(f"/proc/{process}/cmdline").read_text().replace("\0", " ")
            if process == os.getpid():
                name, size = "wizard", _field(process, "status", r"VmHWM")
            elif command.startswith("postgres:"):
                # `postgres: bench measured_1 [local] SELECT`, `postgres: checkpointer`
                name = "backend" if "[local]" in command else command[10:].strip()
                size = _field(process, "smaps_rollup", r"Private_\w+")
            elif "worker/__main__.py" in command:
                name, size = "worker", _field(process, "status", r"VmHWM")
            else:
                continue
            found[name] = max(found.get(name, 0), round(size / MB, 1))


def _field(process: int, file: str, name: str) -> int:
    text = Path(f"/proc/{process}/{file}").read_text()
    return sum(int(size) for size in re.findall(rf"(?m)^{name}:\s+(\d+) kB", text))


def _below(process: int) -> list[int]:
    """The process and all that it started, at any depth."""
    found = [process]
    for one in found:
        with contextlib.suppress(OSError):
            for thread in Path(f"/proc/{one}/task").iterdir():
                found += [int(child) for child in (thread / "children").read_text().split()]
    return found
