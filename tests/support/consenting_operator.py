"""An operator who takes every default and passes every gate: for tests, never for a command."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from wizard.base.errors import RemodelError
from wizard.engine.operation import Step
from wizard.engine.operators import Verdict
from wizard.session.plan import Plan
from wizard.session.questions import Question


class Consenting:
    """Answers each question with its default, or with what `answers` says for its key."""

    interactive = False

    def __init__(self, answers: Mapping[str, Any] | None = None) -> None:
        self._answers = answers or {}
        self.consented: list[str] = []

    async def begin(self, step: Step) -> None:
        """Every step may begin."""

    async def ask(
        self, questions: Sequence[Question], recorded: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Defaults, unless told otherwise."""
        return {q.key: q.accept(self._answers.get(q.key, q.default)) for q in questions}

    async def consent(self, plan: Plan, changed: Sequence[str]) -> None:
        """Yes."""
        self.consented.append(plan.operation)

    async def failed(self, error: RemodelError, operation: str) -> Verdict:
        """An error is for the test to see."""
        return "stop"
