"""What a screen may ask of the app that shows it, so that no screen imports the app."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from textual.app import App

from screens.model import Model
from screens.widgets.prompt import PromptText

if TYPE_CHECKING:
    from wizard.engine.context import Context
    from wizard.engine.operation import Step


class Host(App[None]):
    """The app as its screens, its palette and its operator know it. RemodelApp implements it."""

    context: Context
    model: Model
    shown_step: str
    """The name of the step that is in front."""
    stopping: bool
    """Whether the operator, or a signal, asked to stop."""

    @property
    def has_ledger(self) -> bool:
        """Whether the pages are converted, so that there is an account of it."""
        raise NotImplementedError

    def prompt_text(self, name: str) -> PromptText:
        """Return what the prompt of a step's screen says."""
        raise NotImplementedError

    async def wait_to_begin(self, step: Step) -> None:
        """Show a step, tell what it will do, and wait for Enter or ctrl+n."""
        raise NotImplementedError

    def dialog_open(self) -> AbstractContextManager[None]:
        """Mark that a dialog of the engine's is open: nothing is being worked on."""
        raise NotImplementedError

    def draw(self) -> None:
        """Draw the model on every screen that shows it."""
        raise NotImplementedError

    def catch_up(self) -> None:
        """Bring up the step that is looked at, once no dialog is in front."""
        raise NotImplementedError

    def action_go_on(self) -> None:
        """Go to the step that is worked on; there, begin it."""
        raise NotImplementedError

    def action_look(self, number: int) -> None:
        """Look at the step with this number, without disturbing the work."""
        raise NotImplementedError

    def action_help(self) -> None:
        """Show what the step touches and how to undo it."""
        raise NotImplementedError

    def action_log(self) -> None:
        """Show the session's log."""
        raise NotImplementedError

    def action_ledger(self) -> None:
        """Show the ledgers, or go back from them."""
        raise NotImplementedError

    def action_stop(self) -> None:
        """Ask how to stop, or whether to leave."""
        raise NotImplementedError
