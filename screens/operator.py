"""The operator at the screens: the engine asks, a screen is shown, its answer comes back."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from textual.screen import ModalScreen

from screens.failed import FailedScreen
from screens.form import FormScreen
from screens.gate import GateScreen
from screens.host import Host
from wizard.base.errors import Declined, RemodelError, StartOver
from wizard.engine.operation import Step
from wizard.engine.operators import Verdict
from wizard.session.plan import Plan
from wizard.session.questions import Question

T = TypeVar("T")


class ScreenOperator:
    """Implements wizard.engine.operators.Operator."""

    interactive = True

    def __init__(self, app: Host) -> None:
        self._app = app

    async def begin(self, step: Step) -> None:
        """Bring up the step's screen and wait until the operator begins it."""
        self._unless_stopping()
        await self._app.wait_to_begin(step)
        self._unless_stopping()

    async def ask(
        self, questions: Sequence[Question], recorded: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Ask the questions as a form."""
        self._unless_stopping()
        return await self._answer(FormScreen(questions, recorded))

    async def consent(self, plan: Plan, changed: Sequence[str]) -> None:
        """Open the gate. Raise Declined when it was not passed."""
        self._unless_stopping()
        shown = GateScreen(plan, changed, self._app.model.to_read(plan.operation))
        answer = await self._answer(shown)
        if answer == "again" and plan.gate is not None and plan.gate.again is not None:
            raise StartOver(plan.operation, *plan.gate.again)
        if answer != "go":
            raise Declined(
                f"Stopped at the gate of {plan.operation}.",
                hint="Nothing was done. `remodel resume` comes back to this gate.",
            )

    async def failed(self, error: RemodelError, operation: str) -> Verdict:
        """Show the error, and the choice between another attempt and the end."""
        if self._app.stopping:
            return "stop"
        return await self._answer(FailedScreen(error, operation))

    def _unless_stopping(self) -> None:
        if self._app.stopping:
            raise Declined(
                "Stopped as asked.",
                hint=f"remodel resume {self._app.context.session.id} goes on from here.",
            )

    async def _answer(self, screen: ModalScreen[T]) -> T:
        """Show a dialog and wait for its result: push_screen_wait() is for Textual's workers."""
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()

        def settle(result: T | None) -> None:
            if not answer.done():
                answer.set_result(result)  # type: ignore[arg-type]

        with self._app.dialog_open():
            await self._drawn()
            await self._app.push_screen(screen, settle)
            return await answer

    async def _drawn(self) -> None:
        """Wait until the model is drawn: Textual lays out nothing that is behind a dialog."""
        drawn = asyncio.Event()
        self._app.draw()
        if self._app.screen.call_after_refresh(drawn.set):
            await drawn.wait()
