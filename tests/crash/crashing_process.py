"""The command, as a process that dies where it is told to.

The product knows nothing of it: what is counted is wrapped from outside, before the command
begins. A passage is a place where the process may be cut off: before and after each row of the
journal, each SQL statement and each question to the worker; after the start of each child;
before each file that is written, renamed or removed; at each event.
"""

from __future__ import annotations

import asyncio
import functools
import json
import os
import signal
import socket
import sys
import tempfile
import threading
import traceback
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wizard.engine.engine import Engine
    from wizard.engine.operation import Operation
    from wizard.session.journal import Journal, Kind

    Method = Callable[[Engine, Operation], Awaitable[object]]

START = "start"
OUTCOMES = ("done", "failed", "skipped", "undone", "cleared")
BEGIN, PLAN, ACT = "begin", "plan", "act"


@dataclass(frozen=True)
class Order:
    """Where to die, and how.

    `point` is `start` (before the first operation, whose name is empty then), `begin` (the engine
    has come to the operation), `before KIND` and `after KIND` of the journal's row; or by `number`
    a passage while it is planned, which includes looking at and clearing away what an earlier
    attempt left (`plan`), or carried out (`act`). `detail` is a part of what is told of it; they
    are counted from one on whose detail has `since` in it.

    `how` is `self`, by SIGKILL; `end`, by SIGTERM, in good order; `children` kills what the
    command has started, not the command; `frozen` stops those so that they cannot end, then kills
    the command; `pause` waits until whoever runs it lets it go on: at every operation, when
    `operation` is a star. After `delay` seconds, in which it works on.
    """

    operation: str
    point: str
    number: int = 1
    how: str = "self"
    delay: float = 0.0
    detail: str = ""
    since: str = ""


class Victim:
    """Counts passages; there is one in a process."""

    def __init__(self, orders: Sequence[Order], trail: str, pause: int) -> None:
        self.orders = orders
        self.due = {order: order.number for order in orders}
        self.waiting = {order for order in orders if order.since}
        self.pause = pause
        self.operation = ""
        self.phase = START
        self.ending = False
        self.counts: Counter[tuple[str, str]] = Counter()
        self.trail = -1
        if trail:
            self.trail = os.open(trail, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def passage(self, point: str, detail: str = "") -> None:
        """The process comes by here; perhaps for the last time."""
        where = (self.operation, point)
        self.counts[where] += 1
        number = self.counts[where]
        if self.trail >= 0:
            told = json.dumps([self.operation, point, number, detail])
            os.write(self.trail, f"{told}\n".encode())
        for order in self.orders:
            if order.operation in (self.operation, "*") and order.point == point:
                self._obey(order, detail)

    def by(self, detail: str) -> None:
        """A passage that is no row of the journal."""
        if self.phase:
            self.passage(self.phase, detail)

    def _obey(self, order: Order, detail: str) -> None:
        """Count down the passages that the order means; at the last, do as it says."""
        if order in self.waiting and order.since in detail:
            self.waiting.discard(order)
        if order in self.waiting or order.detail not in detail:
            return
        self.due[order] -= 1
        if self.due[order] and order.operation != "*":
            return
        if order.delay:
            waiting = threading.Timer(order.delay, self._die, [order.how])
            waiting.daemon = True
            waiting.start()
        else:
            self._die(order.how)

    def _die(self, how: str) -> None:
        if how == "self":
            os.kill(os.getpid(), signal.SIGKILL)
        elif how == "end":
            self.ending = True
            os.kill(os.getpid(), signal.SIGTERM)
        elif how == "children":
            for child in children():
                os.kill(child, signal.SIGKILL)
        elif how == "frozen":
            for child in children():
                os.kill(child, signal.SIGSTOP)
            os.kill(os.getpid(), signal.SIGKILL)
        elif how == "pause":
            with socket.socket(fileno=os.dup(self.pause)) as told:
                told.sendall(f"{self.operation}\n".encode())
                told.recv(1)


def children() -> list[int]:
    """The pids of what this process has started and not reaped."""
    return [
        int(pid)
        for task in Path("/proc/self/task").iterdir()
        for pid in (task / "children").read_text().split()
    ]


def install(victim: Victim) -> None:
    """Wrap what is counted."""
    import psycopg

    from wizard.base import events
    from wizard.engine import engine
    from wizard.project import worker_client
    from wizard.session import journal

    _around_rows(victim, journal.Journal)
    _around_notes(victim, journal.Journal)
    _around_operations(victim, engine.Engine)
    _around(victim, psycopg.AsyncCursor, "execute", lambda *a, **k: "sql " + _shown(a[1]))
    _around(victim, worker_client.WorkerClient, "ask", lambda *a, **k: f"ask {a[1]}")
    _around(victim, psycopg.AsyncTransaction, "__aexit__", lambda *a, **k: "sql end of transaction")
    _after_starting(victim, asyncio)
    emit = events.Events.emit

    def emitting(self: events.Events, event: events.Event) -> None:
        victim.by(f"event {event.kind}")
        emit(self, event)

    events.Events.emit = emitting  # type: ignore[method-assign]
    sys.addaudithook(functools.partial(_files, victim))


def _around_rows(victim: Victim, cls: type[Journal]) -> None:
    write = cls.write

    def writing(self: Journal, operation: str, kind: Kind, data: Mapping[str, object]) -> None:
        if kind in OUTCOMES:
            victim.phase = ""
        victim.passage(f"before {kind}", operation)
        write(self, operation, kind, data)
        victim.passage(f"after {kind}", operation)
        if kind in ("intent", "undoing"):
            victim.phase = ACT
        elif kind == "cleared":
            victim.phase = PLAN

    cls.write = writing  # type: ignore[method-assign]


def _around_notes(victim: Victim, cls: type[Journal]) -> None:
    note = cls.note

    def noting(self: Journal, key: str, value: object) -> None:
        victim.by(f"note {key}")
        note(self, key, value)
        victim.by(f"note {key}: done")

    cls.note = noting  # type: ignore[method-assign]


def _around_operations(victim: Victim, cls: type[Engine]) -> None:
    for name in ("_perform", "_undo"):
        method = getattr(cls, name)

        async def going(self: Engine, operation: Operation, method: Method = method) -> object:
            victim.operation = operation.key
            if not self.context.facts.settled(operation.key):
                victim.passage(BEGIN)
                while victim.ending:  # until the signal has cancelled us
                    await asyncio.sleep(0.01)
                victim.phase = PLAN
            try:
                return await method(self, operation)
            finally:
                victim.operation, victim.phase = "", ""

        setattr(cls, name, going)


def _around(victim: Victim, cls: type, name: str, told: Callable[..., str]) -> None:
    method = getattr(cls, name)

    async def between(*args: object, **kwargs: object) -> object:
        detail = told(*args, **kwargs)
        victim.by(detail)
        result = await method(*args, **kwargs)
        victim.by(f"{detail}: done")
        return result

    setattr(cls, name, between)


def _after_starting(victim: Victim, module: ModuleType) -> None:
    start = module.create_subprocess_exec

    async def starting(*argv: object, **options: object) -> object:
        child = await start(*argv, **options)
        victim.by(f"child {Path(str(argv[0])).name}")
        return child

    setattr(module, "create_subprocess_exec", starting)  # noqa: B010


def _files(victim: Victim, event: str, args: tuple[Any, ...]) -> None:
    if event not in ("open", "os.rename", "os.remove", "os.mkdir") or not victim.phase:
        return
    if event == "open" and not (isinstance(args[2], int) and args[2] & (os.O_WRONLY | os.O_RDWR)):
        return
    name = args[0]
    if isinstance(name, int) or "/dev/" in str(name):
        return
    victim.by(f"file {event} {Path(os.fsdecode(name)).name}")


def _shown(query: object) -> str:
    text = query if isinstance(query, str) else getattr(query, "as_string", lambda: str(query))()
    return " ".join(str(text).split())[:60]


def serve(asked: socket.socket) -> None:
    """Fork for each request, which saves each command its imports; tell how the child ended."""
    import wizard.commands.cli

    assert wizard.commands.cli
    while True:
        data, descriptors, *_ = socket.recv_fds(asked, 1 << 20, 2)
        if not data:
            return
        pid = os.fork()
        if not pid:
            asked.close()
            _become(json.loads(data), descriptors)
        for descriptor in descriptors:
            os.close(descriptor)
        asked.send(str(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])).encode())


def _become(request: dict[str, Any], descriptors: list[int]) -> None:
    """Be the command that was asked for, in a session of its own; never returns."""
    code = 1
    try:
        os.setsid()
        output, pause = descriptors
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.chdir(request["folder"])
        os.environ.update(request["environment"])
        tempfile.tempdir = None
        sys.argv = ["remodel", *request["arguments"]]
        orders = [Order(**order) for order in request["orders"]]
        install(Victim(orders, request["trail"], pause))
        from wizard.commands.cli import main as command

        command()
        code = 0
    except SystemExit as ended:
        code = int(ended.code or 0)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
