"""What the session's journal and answers know by now."""

from __future__ import annotations

from typing import Any, TypeVar

from wizard.base.errors import NotYet
from wizard.engine.result import Result
from wizard.session.session import Session

SETTLED = ("done", "skipped")
R = TypeVar("R", bound=Result)


class Facts:
    """What was done and answered in a session, read from its journal."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def settled(self, operation: str) -> bool:
        """Return whether the operation is done, or was skipped for a reason."""
        return self._session.journal.kind(operation) in SETTLED

    def require(self, operation: str) -> None:
        """Raise NotYet unless the operation is settled; a plan that needs it is made later."""
        self._data(operation)

    def of(self, result: type[R], target: str = "") -> R:
        """Return what a finished operation returned. Raise NotYet before it is finished.

        `target` is the target's name, for an operation on one.
        """
        return result.from_json(self._data(result.KEY + target))

    def message(self, operation: str) -> str:
        """Return a finished operation's message. Raise NotYet before it is finished."""
        return str(self._data(operation)["message"])

    def unchanged(self, operation: str) -> bool:
        """Return whether a settled operation had nothing to change. Raise NotYet before that."""
        return bool(self._data(operation).get("unchanged"))

    def _data(self, operation: str) -> dict[str, Any]:
        state = self._session.journal.state(operation)
        if state is None or state.kind not in SETTLED:
            raise NotYet(f"This can be told once {operation} is done.")
        return state.data

    def answer(self, key: str) -> Any:
        """Return the operator's answer. Raise NotYet before it was given."""
        if key not in self._session.answers.answers:
            raise NotYet(f"This can be told once {key} is answered.")
        return self._session.answers.answers[key]
