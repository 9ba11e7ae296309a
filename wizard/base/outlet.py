"""Standard output and error that never fail: who reads them must not stop the work.

`install` puts an `Outlet` under both. Once a write fails (the reader of a pipe died, the terminal
is gone, the disk of a log is full), what follows is thrown away; `gone` says why.
"""

from __future__ import annotations

import errno
import io
import os
import select
import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class Outlet(io.RawIOBase):
    """A descriptor that is written to as long as somebody takes it."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.gone: OSError | None = None
        self.patience: float | None = None
        """Seconds that a write waits for a reader who does not read; None waits forever."""

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        return os.isatty(self._descriptor)

    def write(self, data: ReadableBuffer, /) -> int:
        """Write all of `data`, or throw it away."""
        left = memoryview(data).cast("B")
        length = len(left)
        try:
            while left and self.gone is None:
                left = left[self._some(left[: select.PIPE_BUF]) :]
        except OSError as error:
            self.gone = error
        return length

    def _some(self, data: memoryview) -> int:
        """Write some of it, once it is taken without waiting; return how much."""
        if not select.select([], [self._descriptor], [], self.patience)[1]:
            raise TimeoutError(errno.ETIMEDOUT, f"nobody has read for {self.patience:.0f} seconds")
        try:
            return os.write(self._descriptor, data)
        except BlockingIOError:  # made non-blocking by another program that has it open
            return 0


def install() -> None:
    """Put outlets under standard output and error, and open what is closed on /dev/null.

    A closed one would be the number of the next file that is opened: a journal, say, and then a
    library's message goes into it.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
    if sys.stdin is None:
        sys.stdin = os.fdopen(0, encoding="utf-8", closefd=False)
    for name, number in (("stdout", 1), ("stderr", 2)):
        stream = getattr(sys, name)
        if stream is None or (isinstance(stream, io.TextIOWrapper) and stream.fileno() == number):
            through = _through(stream, number)
            setattr(sys, name, through)
            setattr(sys, f"__{name}__", through)  # Textual draws on this one


def _through(stream: io.TextIOWrapper | None, number: int) -> TextIO:
    """Return a stream as the interpreter's own, which an outlet is under."""
    if stream is not None and outlet(stream) is not None:
        return stream
    return io.TextIOWrapper(
        io.BufferedWriter(Outlet(number)),
        encoding=stream.encoding if stream else "utf-8",
        errors="backslashreplace",  # a page's title in a terminal of Latin-1
        line_buffering=stream.line_buffering if stream else True,
        write_through=stream.write_through if stream else False,
    )


def outlet(stream: TextIO) -> Outlet | None:
    """Return the outlet under a stream; None under one of a test's."""
    raw = getattr(getattr(stream, "buffer", None), "raw", None)
    return raw if isinstance(raw, Outlet) else None


def require_written(stream: TextIO) -> None:
    """Raise the OSError that stopped a listing, unless its reader has left, who wanted no more.

    Of work that is done only the telling of it is lost.
    """
    stream.flush()
    under = outlet(stream)
    if under and under.gone and under.gone.errno != errno.EPIPE and under.patience is None:
        raise under.gone
