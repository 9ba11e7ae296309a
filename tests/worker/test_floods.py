"""What the project's code writes without end, or where it has no business, ends nothing of ours."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.support.memory import at_most
from tests.worker.press import Press
from wizard.base.errors import ConfigError, WorkerFailed
from wizard.base.events import Event, Events, Line, Report

MOST = 96 << 20  # bytes of memory that a flood may add
# The protocol's own ends are the first descriptors that the worker makes.
GARBAGE = """
import os
for number in range(3, 64):
    try:
        os.write(number, {data})
    except OSError:
        pass
"""


@pytest.fixture(autouse=True)
def apart(press: Press) -> None:
    """Each test has workers of its own."""
    press.apart()


def add(press: Press, path: str, text: str) -> None:
    file = press.project / path
    file.write_text(f"{file.read_text()}\n{text}\n")


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
async def test_a_hundred_megabytes_without_a_newline(press: Press, stream: str) -> None:
    flood = f"import sys\nfor _ in range(100): sys.{stream}.write('x' * 1_000_000)\n"
    add(press, "config/settings.py", flood)
    began = time.perf_counter()
    with at_most(MOST):
        async with press.site() as site:
            assert site.hello.wagtail
            assert len(site._printed.tail) <= 8_000
    assert time.perf_counter() - began < 30


@pytest.mark.slow
async def test_a_flood_in_the_middle_of_an_operation(press: Press) -> None:
    """It is told with what was cut, and the next operation's lines are told again."""
    flood = "import time\nfrom django.db.backends.signals import connection_created\n"
    flood += "def chatter(**_):\n    print('x' * 20_000_000)\n    print('word ' * 5)\n"
    flood += "    time.sleep(0.5)  # the answer comes by another pipe\n"
    flood += "connection_created.connect(chatter, weak=False)\n"
    add(press, "press/models.py", flood)
    heard: list[Event] = []
    events = Events()
    events.subscribe(heard.append)
    async with press.site() as site:
        await site.ask("sites")  # on the connection that is there
        for _ in range(2):
            heard.clear()
            await site.ask("sites", Report(events, "copy.pages"))
            lines = [event.text for event in heard if isinstance(event, Line)]
            assert "… 20 MB cut" in lines[0] and len(lines[0]) < 70_000
            assert lines[1:] == ["word word word word word"]


@pytest.mark.parametrize(
    "data",
    [
        "b'garbage'",
        "b'{{}}\\n'",
        "b'{{' * 60_000 + b'\\n'",
        "b'\\0' * 60_000",
    ],
)
async def test_garbage_on_inherited_descriptors_is_the_projects(
    press: Press, data: str, tmp_path: Path
) -> None:
    add(press, "press/models.py", GARBAGE.format(data=data.replace("{{", "{").replace("}}", "}")))
    with (
        (tmp_path / "lock").open("w+b") as lock,
        pytest.raises(WorkerFailed, match="Code of the project wrote") as caught,
    ):
        async with press.site(lock=lock.fileno()):
            pass
    assert "file descriptor" in caught.value.hint and len(caught.value.found) < 1_000


async def test_descriptors_that_the_project_closes_are_the_projects_fault(press: Press) -> None:
    add(press, "press/models.py", "import os\nos.closerange(3, 64)")
    with pytest.raises(WorkerFailed, match="went away") as caught:
        async with press.site():
            pass
    assert "Bad file descriptor" in caught.value.found


async def test_an_endless_error_is_cut(press: Press) -> None:
    add(press, "config/settings.py", "raise ValueError('x' * 50_000_000 + 'its end')")
    with pytest.raises(ConfigError) as caught:
        async with press.site():
            pass
    assert "MB cut" in caught.value.found and len(str(caught.value)) < 100_000
    assert "its end" in caught.value.found
