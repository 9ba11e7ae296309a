"""A plain SQL script as pg_dump writes it, taken apart into statements and rows.

psql is a shell: a script may make it run commands of this machine (CVE-2026-18408), and when the
script is cut off in the middle of a COPY it takes what there is and ends with status 0. Here a
script is only a sequence of statements and rows. It begins as pg_dump begins, ends as pg_dump
ends, and commands for psql are refused, but for the pair that newer pg_dumps put around
everything, which means nothing to us.
"""

from __future__ import annotations

import asyncio
import gzip
import re
import zlib
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from wizard.base import opening
from wizard.base.errors import VerificationFailed
from wizard.base.events import Report
from wizard.postgres.dumps import statements

Chunks = AsyncGenerator[bytes, None]
READ = 1 << 20  # bytes
GZIP = b"\x1f\x8b"

HEAD = b"--\n-- PostgreSQL database dump\n"
TRAILER = b"-- PostgreSQL database dump complete"
RESTRICT = re.compile(rb"\\(?:un)?restrict [A-Za-z0-9]+\n")
END_OF_ROWS = b"\\.\n"
SPACE = re.compile(rb"\s*")

# In some tokens a semicolon or a backslash is none (src/fe_utils/psqlscan.l). `open` is one whose
# end is not here yet.
TOKEN = re.compile(
    rb"""
      (?P<comment>  --[^\n]*\n )
    | (?P<block>    /\* )
    | (?P<quoted>   [Ee]'(?:[^'\\]|\\.|'')*+' | '(?:[^']|'')*+' | "(?:[^"]|"")*+" )
    | (?P<open>     [Ee]?' | " | --[^\n]*\Z | [/-]\Z | \\[^\n]*\Z | \$[\w\x80-\xff]*\Z )
    | (?P<dollar>   \$(?:[A-Za-z_\x80-\xff][A-Za-z0-9_\x80-\xff]*)?\$ )
    | (?P<word>     [A-Za-z0-9_\x80-\xff][A-Za-z0-9_$\x80-\xff]*+ )
    | (?P<end>      ; )
    | (?P<bracket>  [()] )
    | (?P<command>  \\[^\n]*\n )
    """,
    re.VERBOSE | re.DOTALL,
)
BLOCK = re.compile(rb"/\*|\*/")
ROUTINE = {b"FUNCTION", b"PROCEDURE"}
VERSION = re.compile(rb"-- Dumped (from database|by pg_dump) version (\S+)")


@dataclass(frozen=True)
class Piece:
    """A part of a script: a `statement`, a `copy` statement, `rows` for it, or their `end`."""

    kind: Literal["statement", "copy", "rows", "end"]
    data: bytes
    line: int


class Splitter:
    """Takes a script's bytes in any portions, and gives its pieces.

    Raises VerificationFailed when the script is no dump, or not a whole one.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.dump_version = ""
        self.server_version = ""
        self._buffer = b""
        self._line = 1
        self._begun = False
        self._ended = False
        self._in_rows = False
        self._at_line = True  # whether the rows that come begin a line
        self._counted = 0  # bytes of the buffer whose lines are counted
        self._words: list[bytes] = []
        self._brackets = 0
        self._depth = 0  # of BEGIN ... END in a function's body that is SQL

    def feed(self, data: bytes) -> Iterator[Piece]:
        """Take the next bytes; yield the pieces that are complete."""
        self._buffer += data
        if not self._begun and not self._begin(final=False):
            return
        while True:
            before = len(self._buffer)
            yield from self._rows() if self._in_rows else self._statements()
            if len(self._buffer) == before or not self._buffer:
                return

    def close(self) -> None:
        """End the script. Raise VerificationFailed unless it ends as pg_dump ends."""
        if not self._begun:
            self._begin(final=True)
        if self._in_rows:
            raise self.broken("it is cut off in the middle of a table's rows")
        rest = self._buffer.strip()
        if rest and not (rest.startswith(b"--") and b"\n" not in rest):
            raise self.broken("it is cut off in the middle of a statement", _shown(rest))
        if not self._ended:
            raise self.broken(
                "its closing line is missing", f"It should end with {TRAILER.decode()!r}."
            )

    def broken(self, how: str, found: str = "") -> VerificationFailed:
        """Return the error for a broken script, with the number of the line."""
        return VerificationFailed(
            f"The script {self.name} cannot be trusted: {how} (line {self._line:,}).",
            found=found,
            hint="Make a new dump with pg_dump. Nothing of this one was kept.",
        )

    def strange(self, piece: Piece) -> VerificationFailed:
        """Return the error for a statement that pg_dump does not write."""
        return VerificationFailed(
            f"The script {self.name} cannot be trusted: pg_dump does not write what stands in line "
            f"{piece.line:,}.",
            found=_shown(piece.data),
            hint="Make a new dump with pg_dump, without psql's or your own additions. Nothing of "
            "this one was kept.",
        )

    def _begin(self, *, final: bool) -> bool:
        if len(self._buffer) < len(HEAD) and not final:
            return False
        if not self._buffer.startswith(HEAD):
            shown = _shown(self._buffer) or "It is empty."
            raise self.broken("it does not begin as a dump of pg_dump", shown)
        self._begun = True
        return True

    def _rows(self) -> Iterator[Piece]:
        """Yield rows up to their end marker, or to what may be the beginning of it."""
        if self._at_line and self._buffer.startswith(END_OF_ROWS):
            yield self._take("end", len(END_OF_ROWS))
            self._in_rows = False
            return
        end = self._buffer.find(b"\n" + END_OF_ROWS)
        size = end + 1 if end >= 0 else len(self._buffer) - len(END_OF_ROWS)
        if size > 0:
            yield self._take("rows", size)

    def _statements(self) -> Iterator[Piece]:
        """Yield statements up to a COPY, or to one that is not complete yet."""
        buffer, start, at = self._buffer, 0, 0
        self._words, self._depth, self._brackets = [], 0, 0
        while match := TOKEN.search(buffer, at):
            past = _past(match, buffer)
            if past is None:
                break
            kind, at = match.lastgroup, past
            if kind == "word":
                self._word(match[0].upper())
            elif kind == "bracket":  # a rule may have several statements in them
                self._brackets += 1 if match[0] == b"(" else -1
            elif kind == "end" and self._depth == self._brackets == 0:
                if self._words[:1] == [b"COPY"] and at == len(buffer):
                    break  # the rows begin on the next line
                piece = self._statement(buffer, start, at)
                yield piece
                start = at
                self._words = []
                if piece.kind == "copy":
                    start += 1
                    self._in_rows = self._at_line = True
                    break
            elif SPACE.match(buffer, start).end() == match.start():  # type: ignore[union-attr]
                if kind == "command" and not RESTRICT.fullmatch(match[0]):
                    raise self._commanding(buffer, match)
                if kind == "comment":
                    self._remark(match[0].rstrip())
                if kind in ("command", "comment", "block"):
                    start = at
            elif kind == "command":
                raise self._commanding(buffer, match)
        self._line += buffer.count(b"\n", self._counted, start)
        self._counted = 0
        self._buffer = buffer[start:]

    def _statement(self, buffer: bytes, start: int, end: int) -> Piece:
        start = SPACE.match(buffer, start).end()  # type: ignore[union-attr]
        self._line += buffer.count(b"\n", self._counted, start)
        self._counted = start
        data = buffer[start:end]
        if self._ended:
            raise self.broken("something comes after its closing line", _shown(data))
        if self._words[:1] != [b"COPY"]:
            return Piece("statement", data, self._line)
        if not statements.COPY.fullmatch(data) or buffer[end : end + 1] != b"\n":
            raise self.broken("a COPY that is not FROM stdin", _shown(data))
        return Piece("copy", data, self._line)

    def _commanding(self, buffer: bytes, match: re.Match[bytes]) -> VerificationFailed:
        self._line += buffer.count(b"\n", self._counted, match.start())
        return self.broken("it holds a command for psql, and may run anything", _shown(match[0]))

    def _word(self, word: bytes) -> None:
        """Keep track of a function's body that is SQL: its semicolons end no statement."""
        words = self._words
        if len(words) < 4:
            words.append(word)
        replaced = words[1:3] == [b"OR", b"REPLACE"]
        if words[0] == b"CREATE" and ROUTINE.intersection(words[3:4] if replaced else words[1:2]):
            if word == b"BEGIN" or (word == b"CASE" and self._depth):
                self._depth += 1
            elif word == b"END" and self._depth:
                self._depth -= 1

    def _remark(self, comment: bytes) -> None:
        if comment == TRAILER:
            self._ended = True
        elif match := VERSION.match(comment):
            version = match[2].decode(errors="replace")
            if match[1] == b"by pg_dump":
                self.dump_version = version
            else:
                self.server_version = version

    def _take(self, kind: Literal["rows", "end"], size: int) -> Piece:
        data, self._buffer = self._buffer[:size], self._buffer[size:]
        piece = Piece(kind, data, self._line)
        self._line += data.count(b"\n")
        self._at_line = data.endswith(b"\n")
        return piece


def _past(match: re.Match[bytes], buffer: bytes) -> int | None:
    """Return where the token that begins with `match` ends; None when its end has not come yet."""
    end = match.end()
    match match.lastgroup:
        case "open":
            return None
        case "word" | "quoted":  # may go on
            return end if end < len(buffer) else None
        case "dollar":
            closing = buffer.find(match[0], end)
            return closing + len(match[0]) if closing >= 0 else None
        case "block":  # they nest
            depth = 1
            for mark in BLOCK.finditer(buffer, end):
                depth += 1 if mark[0] == b"/*" else -1
                if depth == 0:
                    return mark.end()
            return None
    return end


def _shown(data: bytes) -> str:
    return data[:200].decode(errors="replace").strip()


async def chunks(path: Path, tell: Callable[[int], None] = lambda done: None) -> Chunks:
    """Return the text of a script in portions, unzipped where it is a .gz.

    `tell` is called with the number of bytes read of the file. Raise VerificationFailed when the
    file cannot be opened, or is a .gz that is cut off or broken.
    """
    try:
        with opening.opened(path, VerificationFailed) as raw:
            zipped = raw.read(2) == GZIP
            raw.seek(0)
            read = gzip.GzipFile(fileobj=raw).read if zipped else raw.read
            while data := await asyncio.to_thread(read, READ):
                tell(raw.tell())
                yield data
    except (OSError, EOFError, zlib.error) as error:  # gzip's own errors are OSErrors
        raise VerificationFailed(
            f"The script {path} cannot be read to its end.",
            found=str(error),
            hint="Check the path, or make a new dump. Nothing of this one was kept.",
        ) from None


async def pieces(portions: Chunks, splitter: Splitter) -> AsyncGenerator[Piece, None]:
    """Yield the pieces of a text; at its end, have the splitter check that it is whole."""
    async with aclosing(portions):
        async for data in portions:
            for piece in splitter.feed(data):
                yield piece
    splitter.close()


async def read_whole(path: Path, report: Report) -> Splitter:
    """Read a script from its first byte to its last, and keep nothing of it."""
    total = path.stat().st_size if path.exists() else 0
    splitter = Splitter(path.name)
    tell = partial(report.progress, total=total, unit="bytes", note="proving")
    async with aclosing(pieces(chunks(path, tell), splitter)) as parts:
        async for piece in parts:
            if piece.kind == "statement" and statements.fate(piece.data) == "refused":
                raise splitter.strange(piece)
    return splitter
