"""Running child processes: the one place that starts them.

A child gets an argument list (never a shell line), no standard input unless it is fed, and a
session of its own, so that ctrl+c on the terminal reaches the wizard alone. When the task that
awaits a child is cancelled, the child's whole process group is ended and reaped first.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import fcntl
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from wizard.base.errors import OperationFailed
from wizard.base.printed import OUTPUT, Lines, Output
from wizard.base.redaction import without_secrets

READ = 1 << 18  # bytes asked for at once
LITTLE = 1 << 12  # bytes that are taken in before they are asked for: each taking has its price
WIDE = 1 << 20  # bytes of a pipe: what an ordinary user may have
GRACE = 3.0  # seconds between SIGTERM and SIGKILL, and for pipes that outlive the child
T = TypeVar("T")

_libc = ctypes.CDLL(None) if sys.platform == "linux" else None
PR_SET_PDEATHSIG = 1  # linux/prctl.h


def _die_with_us() -> None:
    assert _libc is not None
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


DIE_WITH_US = _die_with_us if _libc is not None else None
"""For a child to run first: it ends when we are killed, so that a resume does not run beside it.

On Linux only (prctl(2)); elsewhere a child ends when its pipes have."""


async def to_its_end(work: Awaitable[T]) -> T:
    """Await what must not be left half done; raise a cancellation only when it is over.

    `asyncio.shield` alone lets the awaiting task go on at once, and the event loop end before
    the work does.
    """
    task = asyncio.ensure_future(work)
    cancelled = False
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            cancelled = True
        except BaseException:
            break
    if cancelled:
        with contextlib.suppress(BaseException):
            task.result()
        raise asyncio.CancelledError
    return task.result()


@dataclass(frozen=True)
class Completed:
    """A child that ended. A negative `returncode` is the signal it died of."""

    returncode: int
    output: Output
    stdout_tail: str
    stderr_tail: str

    @property
    def stdout(self) -> str:
        """The whole standard output. Raise OperationFailed where it was too long to be kept."""
        return self.output.whole()

    @property
    def told(self) -> str:
        """What it said last, for an error message."""
        return self.stderr_tail or self.stdout_tail


class OutputStream(Protocol):
    """A running command whose standard output is read by iterating, here or over SSH.

    After the last chunk `returncode` is an integer, unless the connection was lost, which
    raises out of the iteration.
    """

    @property
    def returncode(self) -> int | None: ...

    @property
    def stderr_tail(self) -> str: ...

    def __aiter__(self) -> AsyncIterator[bytes]: ...


class Child:
    """A started child. Iterate over it for its standard output; made by `start`."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        stdin: bytes | None,
        on_stderr: Callable[[str], None] | None,
    ) -> None:
        self._process = process
        self._errors = Lines(on_stderr)
        self._exited = asyncio.ensure_future(self._until_exit())
        self._reading = asyncio.ensure_future(self._read_errors())
        self._feeding = asyncio.ensure_future(self._feed(stdin))

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.returncode

    @property
    def stderr_tail(self) -> str:
        return self._errors.tail

    async def __aiter__(self) -> AsyncIterator[bytes]:
        assert self._process.stdout is not None
        while chunk := await self._next(self._process.stdout):
            yield chunk
        await asyncio.shield(self._exited)
        await asyncio.wait({self._reading}, timeout=GRACE)

    async def _next(self, stream: asyncio.StreamReader) -> bytes:
        """Return the next chunk; b'' once the child is gone and its pipe stays silent."""
        reading = asyncio.ensure_future(stream.read(READ))
        try:
            await asyncio.wait({reading, self._exited}, return_when=asyncio.FIRST_COMPLETED)
            if not reading.done():
                await asyncio.wait({reading}, timeout=GRACE)
            return reading.result() if reading.done() else b""
        finally:
            reading.cancel()

    async def _until_exit(self) -> None:
        # Process.wait() of Python 3.11 also waits for the pipes to close, which a daemon that
        # the child left behind may keep open (python/cpython issue 119710).
        while self._process.returncode is None:
            await asyncio.sleep(0.02)

    async def _read_errors(self) -> None:
        assert self._process.stderr is not None
        while chunk := await self._next(self._process.stderr):
            self._errors.feed(chunk)
        self._errors.feed(b"", final=True)

    async def _feed(self, data: bytes | None) -> None:
        pipe = self._process.stdin
        if pipe is None:
            return
        # A child may end without reading all of its input; its exit status tells the rest.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            pipe.write(data or b"")
            await pipe.drain()
        pipe.close()

    async def end(self) -> None:
        """End the process group if it still runs, and reap it."""
        try:
            if self.returncode is None:
                self._signal(signal.SIGTERM)
                await asyncio.wait({self._exited}, timeout=GRACE)
        finally:
            if self.returncode is None:
                self._signal(signal.SIGKILL)
                await asyncio.shield(self._exited)
            for task in (self._exited, self._reading, self._feeding):
                task.cancel()
            await asyncio.gather(self._exited, self._reading, self._feeding, return_exceptions=True)
            # Unread pipes would stay open: after an early end, or held by a daemon.
            self._process._transport.close()  # type: ignore[attr-defined]

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)


def _standard_input(given: bytes | int | None) -> int:
    if given is None:
        return asyncio.subprocess.DEVNULL
    return given if isinstance(given, int) else asyncio.subprocess.PIPE


@asynccontextmanager
async def start(
    argv: Sequence[str | Path],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: bytes | int | None = None,
    on_stderr: Callable[[str], None] | None = None,
) -> AsyncIterator[Child]:
    """Start a command; iterate over it to read its output. Leaving ends it.

    `env` is added to our own environment. A number for `stdin` is a file descriptor, which the
    command inherits. Raise OperationFailed when there is no such command.
    """
    command = [str(part) for part in argv]
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=_standard_input(stdin),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=cwd,
            env={**without_secrets(os.environ), **(env or {})},
            preexec_fn=DIE_WITH_US,
            start_new_session=True,
            limit=LITTLE,
        )
    except (FileNotFoundError, NotADirectoryError, PermissionError) as error:
        where = f" in {cwd}" if cwd else ""
        raise OperationFailed(
            f"The command {command[0]!r} could not be started{where}.",
            found=str(error),
            hint="Check that it is installed, executable, and named as remodel.yml has it.",
        ) from None
    pipe = process._transport.get_pipe_transport(1).get_extra_info("pipe")  # type: ignore[attr-defined]
    if not pipe.closed:  # as it is when the child has ended already
        widen(pipe.fileno())
    child = Child(process, stdin if isinstance(stdin, bytes) else None, on_stderr)
    try:
        yield child
    finally:
        await child.end()


def widen(pipe: int) -> None:
    """Enlarge a pipe's buffer, where the system can, so that its ends wait less for each other."""
    with contextlib.suppress(AttributeError, OSError):
        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, WIDE)


async def run(
    argv: Sequence[str | Path],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: bytes | None = None,
    on_line: Callable[[str], None] | None = None,
    most: int = OUTPUT,
) -> Completed:
    """Run a command to its end. `on_line` gets each line of output and errors as it comes.

    The exit status is the caller's to judge. Of the output `most` bytes are kept. Raise
    OperationFailed when there is no such command.
    """
    output = Output(str(argv[0]), most)
    lines = Lines(on_line)
    async with start(argv, env=env, cwd=cwd, stdin=stdin, on_stderr=on_line) as child:
        async for chunk in child:
            output.feed(chunk)
            lines.feed(chunk)
        lines.feed(b"", final=True)
        assert child.returncode is not None
        return Completed(child.returncode, output, lines.tail, child.stderr_tail)
