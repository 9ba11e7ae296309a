"""The palette: every action by name. Nothing in it destroys: what does, waits behind its gate."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from textual.app import SystemCommand
from textual.screen import Screen

from screens.host import Host
from screens.step import StepScreen
from wizard.base import files
from wizard.base.errors import OperationFailed


def commands(app: Host, screen: Screen[object]) -> Iterator[SystemCommand]:
    """Yield what can be done while `screen` is in front."""
    yield SystemCommand("Help", "What this step touches, how to undo it", app.action_help)
    yield SystemCommand("Log", "Everything that was reported, as it comes", app.action_log)
    if app.has_ledger:
        yield SystemCommand(
            "Ledger", "What became of all that refers to the pages", app.action_ledger
        )
    yield SystemCommand("Stop", "Ask how to stop the work or leave", app.action_stop)
    yield SystemCommand("Keys", "Show or hide all keys", partial(_toggle_keys, app))
    yield SystemCommand("Screenshot", "Save this screen as SVG", partial(_take_picture, app))
    if not isinstance(screen, StepScreen):
        return
    if app.check_action("go_on", ()):
        yield SystemCommand("Begin", app.prompt_text(app.shown_step).text, app.action_go_on)
    for number, step in enumerate(app.model.steps.values(), 1):
        look = partial(app.action_look, number)
        yield SystemCommand(f"Step {number}: {step.title}", "Look at this step", look)
    if chosen := screen.get_selected_text():
        copy = partial(app.copy_to_clipboard, chosen)
        yield SystemCommand("Copy", "Copy the selected text", copy)


def _toggle_keys(app: Host) -> None:
    if app.screen.query("HelpPanel"):
        app.action_hide_help_panel()
    else:
        app.action_show_help_panel()


def _take_picture(app: Host) -> None:
    """Save a picture of the screen in the session's folder, once the palette is closed."""

    def save() -> None:
        folder = app.context.session.folder
        try:
            with files.writing(folder / "screenshot.svg"):
                app.notify(f"Saved {app.save_screenshot(path=str(folder))}", markup=False)
        except OperationFailed as error:
            app.notify(str(error), severity="error", markup=False)

    app.set_timer(0.2, save)
