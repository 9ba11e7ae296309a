"""Running the command as a victim, once or many times."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.crash.crashing_process import Order

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Ended:
    """A command that ended: `code` is negative for a signal, `said` both of its outputs."""

    code: int
    said: str


class Commands:
    """A process that has imported the product, and forks for each command."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        self._asking, asked = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with asked:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.crash.crashing_process", str(asked.fileno())],
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT), **(environment or {})},
                pass_fds=[asked.fileno()],
            )

    def run(
        self,
        folder: Path,
        *arguments: str,
        orders: Sequence[Order] = (),
        environment: Mapping[str, str] | None = None,
        trail: Path | None = None,
        pause: socket.socket | None = None,
    ) -> Ended:
        """Run the command in `folder` to its end, which may be one that was ordered.

        Where it pauses, it says so over `pause`, and goes on with the answer.
        """
        request = {
            "folder": str(folder),
            "arguments": arguments,
            "environment": dict(environment or {}),
            "orders": [asdict(order) for order in orders],
            "trail": str(trail or ""),
        }
        ours, theirs = socket.socketpair()
        with tempfile.TemporaryFile() as output, ours, theirs:
            descriptors = [output.fileno(), (pause or theirs).fileno()]
            socket.send_fds(self._asking, [json.dumps(request).encode()], descriptors)
            if pause is not None:
                pause.close()  # so that its other end is told when the command is no more
            code = self._asking.recv(100).decode()
            output.seek(0)
            return Ended(int(code), output.read().decode(errors="replace"))

    def close(self) -> None:
        """No more commands."""
        self._asking.close()
        self._process.wait(60)
