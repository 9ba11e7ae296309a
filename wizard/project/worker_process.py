"""The worker as a process: start it, exchange JSON lines with it, stop it.

The worker runs under the project's own interpreter, in a session of its own. Each start is a
new generation: model edits change what a Python process knows, so nothing is ever reloaded.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
from collections import deque
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from wizard.base import process
from wizard.base.errors import (
    ConfigError,
    ConnectionFailed,
    IdentityMismatch,
    OperationFailed,
    RemodelError,
    VerificationFailed,
    WorkerFailed,
)
from wizard.base.events import Report
from wizard.base.printed import Lines, clipped
from wizard.base.redaction import without_secrets
from wizard.project.handshake import Hello, parse

PROTOCOL = 1
DATABASE = "REMODEL_DATABASE"  # names another database to the worker than the settings do
BRIEF = "REMODEL_BRIEF"  # an open file with what the environment is not the place for
WORKER = Path(__file__).parents[1] / "worker" / "__main__.py"
START_TIMEOUT = 120.0  # seconds; a large project imports for a while
STOP_TIMEOUT = 5.0
CHUNK = 1 << 16
MESSAGE = 256 << 20  # bytes of a message; what is longer is none
KINDS = {"hello", "error", "result", "event"}  # a message has one of these

# Errors of the worker by type; every other is a WorkerFailed.
ERRORS: dict[str, type[RemodelError]] = {
    **dict.fromkeys(
        ("startup", "settings", "setup", "no_django", "no_wagtail", "unknown_model", "no_page"),
        ConfigError,
    ),
    **dict.fromkeys(("ambiguous", "wrong_type", "no_site", "no_migrations"), ConfigError),
    "field_map": ConfigError,
    **dict.fromkeys(("unsupported", "clash", "tree", "referenced", "no_value"), OperationFailed),
    **dict.fromkeys(("placement", "values"), OperationFailed),
    "pinned": IdentityMismatch,
    "database": ConnectionFailed,
    **dict.fromkeys(("verification", "ledger"), VerificationFailed),
}


class WorkerProcess:
    """The operator's Wagtail project, running in a process of its own.

    `environment` is added to ours for the project. `pinned` are the identities of delivery
    targets, `(system identifier, database OID)`, which the worker refuses to connect to. The
    process inherits the open files `lock` and `brief` (see wizard/worker/site/brief.py), and the
    kernel ends it when we are killed.
    """

    def __init__(
        self,
        python: Path,
        project: Path,
        settings: str,
        *,
        environment: Mapping[str, str] | None = None,
        pinned: Iterable[tuple[str, int]] = (),
        lock: int | None = None,
        brief: int | None = None,
    ) -> None:
        self.python = python
        self.project = project
        self.settings = settings
        self.generation = 0
        self._environment = dict(environment or {})
        self._pinned = [list(identity) for identity in pinned]
        self._inherited = [number for number in (lock, brief) if number is not None]
        if brief is not None:
            self._environment[BRIEF] = str(brief)
        self._hello: Hello | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._rest = bytearray()
        self._lines: deque[bytes] = deque()
        self._printed = Lines(self._tell)
        self._listening: asyncio.Task[None] | None = None
        self._report: Report | None = None
        self._busy = asyncio.Lock()
        self._id = 0

    @property
    def running(self) -> bool:
        """Return whether the process runs."""
        return self._process is not None and self._process.returncode is None

    @property
    def hello(self) -> Hello:
        """Return the running worker's greeting. Raise WorkerFailed when none runs."""
        if self._hello is None:
            raise WorkerFailed("The project's Python process is not running.")
        return self._hello

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.stop()

    async def start(self) -> Hello:
        """Start the worker and return its greeting.

        Raise ConfigError when the interpreter, the folder or the settings cannot be used, with
        the project's own traceback in `found`, and IdentityMismatch for a pinned target.
        """
        if self.running:
            return self.hello
        await self.stop()
        self._check_paths()
        try:
            self._process = await asyncio.create_subprocess_exec(
                str(self.python),
                "-u",
                str(WORKER),
                cwd=self.project,
                env=self._child_environment(),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,
                pass_fds=self._inherited,
                preexec_fn=process.DIE_WITH_US,
            )
        except OSError as error:
            raise ConfigError(
                f"The project's interpreter {self.python} cannot be started.",
                found=str(error),
                hint="Name the interpreter of the project's virtual environment as project.python.",
            ) from None
        self.generation += 1
        self._rest.clear()
        self._lines.clear()
        self._printed = Lines(self._tell)
        self._listening = asyncio.create_task(self._listen())
        try:
            async with asyncio.timeout(START_TIMEOUT):
                message = await self._receive()
        except TimeoutError:
            await self.stop()
            raise ConfigError(
                f"The project did not start within {START_TIMEOUT:.0f} seconds.",
                found=self._printed.tail,
                hint=f"Does `{self.python} manage.py check` end?",
            ) from None
        except BaseException:
            await self.stop()
            raise
        if "error" in message:
            await self.stop()
            raise _as_exception(message["error"])
        self._hello = parse(message["hello"])
        if self._hello.protocol != PROTOCOL:
            await self.stop()
            raise WorkerFailed(f"The worker speaks protocol {message['hello']['protocol']}.")
        return self._hello

    async def ask(self, op: str, report: Report | None = None, **args: object) -> Any:
        """Run an operation in the worker, pass its events to `report`, and return its result.

        Operations run one at a time. Cancelling the awaiting task stops the worker, which rolls
        the operation back; `restart` starts it again. `WorkerClient` has a typed method for each
        operation.
        """
        async with self._busy:
            if self._process is None or self._process.stdin is None:
                raise WorkerFailed(
                    f"The project's Python process is not running, so {op} was not asked of it."
                )
            self._id += 1
            self._report = report
            try:
                request = json.dumps({"id": self._id, "op": op, "args": args}) + "\n"
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    self._process.stdin.write(request.encode())
                    await self._process.stdin.drain()
                return await self._answer(report)
            except (asyncio.CancelledError, _Gone):
                await self.stop()
                raise
            finally:
                self._printed.settle()
                self._report = None

    async def restart(self) -> Hello:
        """Stop the worker and start another, which sees the models as they are now."""
        await self.stop()
        return await self.start()

    async def stop(self) -> None:
        """End the worker and whatever it started; a running operation is rolled back."""
        worker, self._process, self._hello = self._process, None, None
        if worker is None:
            return
        try:
            if worker.stdin is not None:
                worker.stdin.close()  # the worker's sign to roll back and leave
            async with asyncio.timeout(STOP_TIMEOUT):
                await worker.wait()
        except TimeoutError:
            pass
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(worker.pid, signal.SIGKILL)
            await asyncio.shield(worker.wait())
            if self._listening is not None:
                self._listening.cancel()
                await asyncio.gather(self._listening, return_exceptions=True)

    def _check_paths(self) -> None:
        if not (self.project / "manage.py").is_file():
            raise ConfigError(
                f"There is no manage.py in {self.project}.",
                hint="Name the folder that has it as project.path.",
            )
        if not self.python.is_file():
            raise ConfigError(
                f"The project's interpreter {self.python} does not exist.",
                hint="Name the interpreter of the project's virtual environment as project.python.",
            )
        if not self.settings:
            raise ConfigError(
                "The project's settings module is not known.",
                hint="Name it as project.settings, for instance config.settings.local.",
            )

    def _child_environment(self) -> dict[str, str]:
        ours = {"PYTHONHOME", "PYTHONSAFEPATH", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__"}
        kept = {
            name: value for name, value in without_secrets(os.environ).items() if name not in ours
        }
        return {
            **kept,
            **self._environment,
            "DJANGO_SETTINGS_MODULE": self.settings,
            # A model edit may leave a file's size and second of change as they were, which is all
            # that compiled code is checked by.
            "PYTHONDONTWRITEBYTECODE": "1",
            "REMODEL_PINNED_TARGETS": json.dumps(self._pinned),
        }

    async def _answer(self, report: Report | None) -> Any:
        rows: list[Any] | None = None
        while True:
            message = await self._receive()
            if message.get("id") != self._id:
                continue
            if "error" in message:
                raise _as_exception(message["error"])
            if "result" in message:
                return message["result"] if rows is None else rows
            if message["event"] == "rows":
                rows = rows or []
                rows += message["rows"]
            elif report is not None:
                _report_event(report, message)

    async def _receive(self) -> dict[str, Any]:
        """Read the worker's next message. Raise WorkerFailed where something else is among them."""
        assert self._process is not None
        assert self._process.stdout is not None
        while not self._lines:
            chunk = await self._process.stdout.read(CHUNK)
            if not chunk:
                raise await self._gone()
            first, *others = chunk.split(b"\n")
            self._rest += first
            for part in others:
                self._lines.append(bytes(self._rest))
                self._rest = bytearray(part)
            if len(self._rest) > MESSAGE or (self._rest and not self._rest.startswith(b"{")):
                raise _garbled(self._rest)
        line = self._lines.popleft()
        try:
            message = json.loads(line)
        except (ValueError, RecursionError):
            raise _garbled(line) from None
        if not isinstance(message, dict) or not KINDS & message.keys():
            raise _garbled(line)
        return message

    async def _gone(self) -> _Gone:
        """Return the error for a worker that ended unasked."""
        assert self._process is not None
        code = await self._process.wait()
        if self._listening is not None:
            await asyncio.wait([self._listening], timeout=1.0)
        how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"
        return _Gone(
            f"The project's Python process went away: it was {how}."
            if code < 0
            else f"The project's Python process went away: it {how}.",
            found=self._printed.tail,
            hint="Its transaction was rolled back. The lines above are the last that it printed.",
        )

    async def _listen(self) -> None:
        """Keep what the project prints for an error message, and report it during an operation."""
        assert self._process is not None
        assert self._process.stderr is not None
        while chunk := await self._process.stderr.read(CHUNK):
            self._printed.feed(chunk)
        self._printed.feed(b"", final=True)

    def _tell(self, line: str) -> None:
        if self._report is not None:
            self._report.line("project", line.rstrip())


class _Gone(WorkerFailed):
    """The worker's process ended, or cannot be understood any more."""


def _garbled(data: bytes | bytearray) -> _Gone:
    """Return the error for bytes that are no message of the worker's."""
    return _Gone(
        "Code of the project wrote into the connection between its Python process and remodel.",
        found=f"It wrote: {bytes(data[:200])!r}",
        hint="It writes to a file descriptor that it did not open. Look for os.write, os.fdopen or "
        "a library in C that prints this, and have it write to sys.stdout. Its transaction was "
        "rolled back.",
    )


def _report_event(report: Report, message: dict[str, Any]) -> None:
    if message["event"] == "progress":
        report.progress(message["done"], message["total"], message["unit"], message["note"])
    elif message["event"] == "line":
        report.line(message["source"], clipped(message["text"]))


def _as_exception(error: dict[str, str]) -> RemodelError:
    """Convert the worker's error into one of ours, with the project's traceback in `found`."""
    evidence = [error.get("found", ""), error.get("traceback", "")]
    return ERRORS.get(error["type"], WorkerFailed)(
        clipped(error["message"]),
        found="\n".join(clipped(part).rstrip() for part in evidence if part),
        hint=error.get("hint", ""),
    )
