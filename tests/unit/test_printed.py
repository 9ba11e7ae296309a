"""What others print without end is read to its end, cut with a note, and never held."""

from __future__ import annotations

import sys
import time
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.memory import at_most
from tests.unit.accepted_host import accept
from wizard.base.errors import OperationFailed
from wizard.base.printed import LINE, LINES, TAIL, Lines, clipped, cut
from wizard.base.process import Completed, run
from wizard.base.redaction import MASK, Secret
from wizard.ssh.connection import Login, connect

MOST = 96 << 20  # bytes of memory that a flood may add
FLOOD = "head -c 400000000 /dev/zero | tr '\\0' x; echo; echo last; echo complaint >&2; exit 3"
"""400 MB on one line."""


async def measured(running: Callable[[Callable[[str], None]], Awaitable[Completed]]) -> list[str]:
    """Return the lines that a command's flood came to, and check what it cost."""
    heard: list[str] = []
    with at_most(MOST):
        done = await running(heard.append)
    assert (done.returncode, done.told) == (3, "complaint")
    with pytest.raises(OperationFailed, match="MB cut") as caught:
        _ = done.stdout
    assert "It begins: xxx" in caught.value.found and len(str(caught.value)) < 1000
    return [line for line in heard if line != "complaint"]


async def test_a_flood_on_one_line() -> None:
    line, last = await measured(lambda tell: run(["sh", "-c", FLOOD], on_line=tell))
    assert line.startswith("x" * LINE) and line.endswith(" … 400 MB cut")
    assert (len(line), last) == (LINE + 13, "last")


async def test_a_flood_of_a_host(login: Login) -> None:
    await accept(login)
    async with connect(login) as connection:
        line, last = await measured(
            lambda tell: connection.run(["sh", "-c", FLOOD.replace("400", "200")], on_line=tell)
        )
    assert line.endswith(" … 200 MB cut") and last == "last"


async def test_a_flood_of_lines_ends_with_its_end() -> None:
    script = "yes 'the same again' | head -n 10000000; echo the last words"
    heard: list[str] = []
    done = await run(["sh", "-c", script], on_line=heard.append)
    assert done.returncode == 0 and done.told.endswith("the last words")
    (at,) = [number for number, line in enumerate(heard) if line.startswith("… ")]
    assert heard[at] == "… 147 MB cut" and heard[-1] == "the last words"
    assert at <= LINES / 80 + 1 and len(heard) - at < TAIL


async def test_reading_takes_as_long_as_there_is_to_read() -> None:
    """Ten times as much on a line takes ten times as long, not a hundred times."""

    async def seconds(size: int) -> float:
        began = time.perf_counter()
        lines = Lines(lambda line: None)
        for _ in range(size):
            lines.feed(b"x" * 65_536)
        lines.feed(b"", final=True)
        return time.perf_counter() - began

    await seconds(50)
    assert await seconds(1000) < 40 * max(await seconds(100), 0.002)


@given(st.lists(st.binary(max_size=40)), st.integers(1, 7))
@settings(deadline=None)
def test_hands_on_the_same_lines_in_any_portions(lines: list[bytes], size: int) -> None:
    data = b"\n".join(lines)
    heard: list[str] = []
    reader = Lines(heard.append)
    for at in range(0, len(data), size):
        reader.feed(data[at : at + size])
    reader.feed(b"", final=True)
    expected = data.decode(errors="replace").split("\n")
    assert heard == [line.rstrip("\r") for line in (expected if expected[-1] else expected[:-1])]


@pytest.mark.parametrize("before", [LINE - 7, LINE - 1, LINE, LINE + 5])
def test_no_cut_goes_through_a_secret(before: int) -> None:
    secret = Secret("planted-and-cut-in-two").reveal()
    text = "y" * before + secret + "z" * 20_000
    heard: list[str] = []
    reader = Lines(heard.append)
    reader.feed(text.encode(), final=True)
    reader.feed(b"\n" + secret.encode() + b"v" * (TAIL - 8))
    shown = "".join((*heard, reader.tail, clipped(text), clipped(text[::-1] + text)))
    assert "plan" not in shown and "two" not in shown and MASK in shown


def test_tells_how_much_is_missing() -> None:
    assert [cut(n) for n in (7, 12_345, 399_000_000, 2_000_000_000)] == [
        "… 7 bytes cut",
        "… 12 kB cut",
        "… 399 MB cut",
        "… 2 GB cut",
    ]


async def test_what_is_kept_of_an_output_is_whole() -> None:
    done = await run([sys.executable, "-c", "print('é' * 1000)"], env={"PYTHONUTF8": "1"})
    assert done.stdout == "é" * 1000 + "\n" and done.told == "é" * 1000
