"""How the app ends: done, stopped with work left, by a signal, or by a crash of ours."""

from __future__ import annotations

import asyncio
import signal
import traceback
from collections.abc import Callable

from rich.text import Text

from screens.host import Host
from wizard.base.errors import ExitCode
from wizard.base.redaction import shown
from wizard.engine.engine import Engine

PATIENCE = 5.0  # seconds that work gets to clean up after a signal
SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


class EndingApp(Host):
    """An app that ends with the right exit code, whatever its work is at."""

    _unsubscribe: Callable[[], None]
    """Ends the app's listening to the engine's events."""
    engine: Engine

    def __init__(self) -> None:
        super().__init__()
        self.work: asyncio.Task[None] | None = None
        self.stopping = False
        self._signal: int | None = None
        self._closing = False

    def _end(self, code: int, message: str = "") -> None:
        if self._closing:
            return
        if self._signal is not None:
            code = 128 + self._signal
        text = Text(shown(message).strip()) if message else None
        self.exit(return_code=code, message=text)

    def _leave(self) -> None:
        """End the app with work left, or because of a signal."""
        if self._signal is not None:
            self._end(128 + self._signal)
            return
        left = [step.title for step in self.model.steps.values() if not step.finished]
        self._end(
            ExitCode.STOPPED,
            f"Stopped with work left: {', '.join(left)}.\n"
            f"remodel resume {self.context.session.id} goes on from here.",
        )

    def _catch_signals(self) -> None:
        """Restore the terminal before a signal ends the process: Textual by itself does not."""
        for number in SIGNALS:
            if number == signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN:
                continue  # under nohup
            try:
                asyncio.get_running_loop().add_signal_handler(number, self._on_signal, number)
            except (RuntimeError, ValueError):  # not in the main thread
                return

    def _on_signal(self, number: int) -> None:
        again, self._signal, self.stopping = self._signal is not None, number, True
        if number == signal.SIGHUP and not self.engine.stop_when_safe():
            return  # the work ends by itself, and the app with it
        if again or self.work is None or self.work.done():
            self._leave()
        else:
            self.work.cancel()
            self.set_timer(PATIENCE, self._leave)

    async def on_unmount(self) -> None:
        """Remove the listeners, and end the work that a crash of the screens left running: at
        once, or when the target's service runs again."""
        self._unsubscribe()
        if self.work is not None and not self.work.done():
            self.stopping = self._closing = True
            if self.engine.stop_when_safe():
                self.work.cancel()
                await asyncio.wait([self.work], timeout=PATIENCE)
            else:
                await asyncio.wait([self.work])
        for number in SIGNALS:
            try:
                asyncio.get_running_loop().remove_signal_handler(number)
            except (RuntimeError, ValueError):
                break

    def _fatal_error(self) -> None:
        """Show a crash of ours: its traceback, redacted, without the values of variables."""
        self.bell()
        session = self.context.session.id
        text = f"{shown(traceback.format_exc())}\nThis is a fault in remodel. The session is "
        self._exit_renderables.append(Text(f"{text}kept: remodel resume {session}"))
        self._close_messages_no_wait()
