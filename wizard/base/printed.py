"""What others print, as much of it as is kept.

A command may print without end, on one line or on many. So there is a most for a line, for the
lines of one command, and for an output that is read as a whole. What is cut is counted and told;
all of it is read, so that the command ends as it would, and none of it is held.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable

from wizard.base.errors import OperationFailed
from wizard.base.redaction import redact

LINE = 1 << 16  # characters of a line that are passed on
LINES = 16 << 20  # characters of all lines of a command that are passed on
SHORTEST = 80  # characters that a line counts for at least: each is an event of its own
OUTPUT = 16 << 20  # bytes of an output that is read as a whole
TAIL = 8_000  # characters of the end that are kept for error messages
SPARE = 4_096  # characters beyond a cut, so that it leaves no half of a secret unmasked


def cut(size: int) -> str:
    """Return the note of how much is missing: `… 399 MB cut`."""
    for unit, many in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= many:
            return f"… {size / many:.0f} {unit} cut"
    return f"… {size} bytes cut"


def clipped(text: str, most: int = LINE) -> str:
    """Return `text`, of a long one its beginning and its end with a note of what is missing."""
    if len(text) <= most:
        return text
    half = most // 2
    return f"{_beginning(text, half)}\n{cut(len(text) - 2 * half)}\n{_end(text, half)}"


def _beginning(text: str, size: int) -> str:
    return redact(text[: size + SPARE])[:size]


def _end(text: str, size: int) -> str:
    return redact(text[-size - SPARE :])[-size:]


class Lines:
    """Bytes in, lines out; each up to `LINE`, all up to `LINES`. Their end is kept, too."""

    def __init__(self, on_line: Callable[[str], None] | None = None) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._on_line = on_line
        self._line: list[str] = []
        self._room = LINE + SPARE  # of the line that has begun
        self._missing = 0  # of the line that has begun
        self._left = LINES
        self._unheard = 0
        self._tail = ""

    def feed(self, data: bytes, *, final: bool = False) -> None:
        """Take the next bytes; `final` also hands out a last line without an end."""
        text = self._decoder.decode(data, final)
        self._tail = (self._tail + text)[-TAIL - SPARE :]
        if self._on_line is None:
            return
        if self._left > 0:
            *complete, rest = text.split("\n")
            for line in complete:
                self._take(line)
                self._hand_on()
            self._take(rest)
        else:
            self._unheard += len(text)
        if final:
            if self._line:
                self._hand_on()
            self.settle()

    def settle(self) -> None:
        """Tell what was cut, and its end; from here on as much is passed on again."""
        unheard, self._unheard, self._left = self._unheard, 0, LINES
        if unheard and self._on_line is not None:
            # The first of these lines has lost its beginning, or was cut.
            last = _end(self._tail, min(unheard, TAIL)).split("\n")[1:]
            self._on_line(cut(unheard))
            for line in last:
                if line:
                    self._on_line(line.rstrip("\r"))

    def _take(self, part: str) -> None:
        taken = part[: self._room]
        if taken:
            self._line.append(taken)
            self._room -= len(taken)
        self._missing += len(part) - len(taken)

    def _hand_on(self) -> None:
        line, missing = "".join(self._line).rstrip("\r"), self._missing
        self._line, self._room, self._missing = [], LINE + SPARE, 0
        if missing:
            line, missing = _beginning(line, LINE), missing + len(line) - LINE
        if self._left <= 0:
            self._unheard += len(line) + missing + 1
            return
        self._left -= max(len(line), SHORTEST)
        assert self._on_line is not None
        self._on_line(f"{line} {cut(missing)}" if missing else line)

    @property
    def tail(self) -> str:
        """The end of what was fed, without known secrets."""
        return _end(self._tail, TAIL).strip()


class Output:
    """The output of a command that is read as a whole, up to `most` bytes."""

    def __init__(self, command: str, most: int = OUTPUT) -> None:
        self._command = command
        self._most = most
        self._data = bytearray()
        self._missing = 0

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        taken = data[: self._most - len(self._data)]
        self._data += taken
        self._missing += len(data) - len(taken)

    def whole(self) -> str:
        """Return all of it. Raise OperationFailed where some is missing: half an output is none."""
        if self._missing:
            start = self._data[:200].decode(errors="replace")
            raise OperationFailed(
                f"{self._command} printed more than can be read, {cut(self._missing)}.",
                found=f"It begins: {redact(start)}",
                hint="Run it by hand: something there prints without end, such as a login script.",
            )
        return self._data.decode(errors="replace")
