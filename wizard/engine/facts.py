"""What the session's journal and answers know by now."""

from __future__ import annotations

from typing import Any

from wizard.base.errors import NotYet
from wizard.session.session import Session

SETTLED = ("done", "skipped")


class Facts:
    """What was done and answered in a session, read from its journal."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def settled(self, operation: str) -> bool:
        """Return whether the operation is done, or was skipped for a reason."""
        state = self._session.journal.state(operation)
        return state is not None and state.kind in SETTLED

    def of(self, operation: str) -> dict[str, Any]:
        """Return what a finished operation returned. Raise NotYet before it is finished."""
        state = self._session.journal.state(operation)
        if state is None or state.kind not in SETTLED:
            raise NotYet(f"This can be told once {operation} is done.")
        return state.data

    def answer(self, key: str) -> Any:
        """Return the operator's answer. Raise NotYet before it was given."""
        if key not in self._session.answers.answers:
            raise NotYet(f"This can be told once {key} is answered.")
        return self._session.answers.answers[key]
