"""How much memory this process takes meanwhile."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def at_most(more: int) -> Iterator[None]:
    """Fail when the process takes `more` bytes in the block than before it, at any time.

    5 in clear_refs sets the peak back to what is taken now (proc(5)).
    """
    Path("/proc/self/clear_refs").write_text("5")
    before = _peak()
    yield
    grown = _peak() - before
    assert grown < more, f"{grown:,} bytes"


def _peak() -> int:
    match = re.search(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text())
    assert match is not None
    return int(match[1]) * 1024
