"""The app: owns the engine, folds its events into the model, and shows the step worked on.

The engine's work is a task of the app, never of a screen: Textual cancels what a screen
started when that screen goes.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import ClassVar

from textual import events
from textual.app import SystemCommand
from textual.binding import Binding, BindingType
from textual.screen import Screen

from screens import palette
from screens.backup import BackupScreen
from screens.copy import CopyScreen
from screens.ending import EndingApp
from screens.help import HelpScreen
from screens.ledger import EntryScreen, LedgerScreen
from screens.log import LogScreen
from screens.model import Model
from screens.operator import ScreenOperator
from screens.production import ProductionScreen
from screens.project import ProjectScreen
from screens.prompt_text import PromptState, doing, prompt_text
from screens.slugs import SlugsScreen
from screens.step import StepScreen
from screens.stop import Choice, StopScreen
from screens.structure import StructureScreen
from screens.summary import SummaryScreen
from screens.theme import HEIGHTS, REMODEL, WIDTHS
from screens.widgets.prompt import PromptText
from wizard.base.errors import Declined, ExitCode, RemodelError
from wizard.base.events import Answered, Event, StepEntered
from wizard.base.redaction import shown
from wizard.engine.context import Context
from wizard.engine.engine import Engine
from wizard.engine.operation import Step
from wizard.engine.operators import Operator
from wizard.reports import report
from wizard.session import ledger

SCREENS: dict[str, type[StepScreen]] = {
    "project": ProjectScreen,
    "backup": BackupScreen,
    "structure": StructureScreen,
    "copy": CopyScreen,
    "slugs": SlugsScreen,
    "production": ProductionScreen,
}
OperatorWrapper = Callable[[Operator], Operator]
REFRESH = 0.1  # seconds; a flood of events is drawn ten times a second


async def run_app(
    context: Context,
    steps: Sequence[Step],
    wrap_operator: OperatorWrapper = lambda operator: operator,
) -> int:
    """Walk through `steps` on the terminal. Return the process's exit code.

    `wrap_operator` is given the operator at the screens, and returns the one that the engine asks.
    """
    app = RemodelApp(context, steps, wrap_operator)
    await app.run_async()
    return app.return_code if app.return_code is not None else int(ExitCode.FAILED)


class RemodelApp(EndingApp):
    """The wizard on a terminal."""

    TITLE = "remodel"
    CSS_PATH = "remodel.tcss"
    HORIZONTAL_BREAKPOINTS = WIDTHS
    VERTICAL_BREAKPOINTS = HEIGHTS
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f1", "help", "Help", priority=True, id="app.help"),
        Binding("f2", "ledger", "Ledger", priority=True, id="app.ledger"),
        Binding("ctrl+l", "log", "Log", priority=True, id="app.log"),
        Binding("ctrl+p", "command_palette", "All actions", priority=True, id="app.palette"),
        Binding("ctrl+c", "stop", "Stop", priority=True, id="app.stop"),
        Binding("ctrl+q", "stop", "Stop", priority=True, show=False, id="app.quit"),
    ]

    def __init__(
        self,
        context: Context,
        steps: Sequence[Step],
        wrap_operator: OperatorWrapper = lambda operator: operator,
    ) -> None:
        super().__init__()
        self.register_theme(REMODEL)
        self.theme = "remodel"
        self.context = context
        self.steps = {step.name: step for step in steps}
        self.engine = Engine(context, steps, wrap_operator(ScreenOperator(self)))
        self.model = Model(steps)
        for step in steps:
            self.model.outline(step.name, step.operations(context))
        self.model.seed(context.session.journal)
        self.shown_step = self._worked_on = self.model.current
        self._began = ""  # the step that was begun last at this screen
        self.finished = False
        self._begin: asyncio.Future[None] | None = None
        self._open_dialogs = 0
        self._drawn = 0.0
        self._drawing = False
        self._unsubscribe = context.events.subscribe(self._tell, "the screens")

    # The engine's work

    def on_mount(self) -> None:
        """Show the first step and begin to work."""
        self._catch_signals()
        self.push_screen(self._screen_of(self.shown_step))
        self.work = asyncio.create_task(self._work(), name="remodel engine")

    async def _work(self) -> None:
        """Run the engine until it is done or stopped, then end the app."""
        try:
            while not await self._go():
                pass
        except asyncio.CancelledError:
            self._leave()
        except RemodelError as error:
            self._end(error.exit_code, str(error))
        except Exception as error:
            self._handle_exception(error)
        else:
            self.finished = True
            self._report()
            if self._signal is not None or self._closing:  # nobody is there to read a summary
                self._leave()
                return
            await self.push_screen(SummaryScreen(self.context, self.model, self.steps))

    def _report(self) -> None:
        """Write the session's report; where that fails, only notify."""
        try:
            report.write(self.context)
        except (RemodelError, OSError) as error:
            self.notify(f"No report: {shown(str(error))}", severity="error", markup=False)

    async def _go(self) -> bool:
        """Run the engine. Return False when a gate was declined, so that it runs again."""
        try:
            await self.engine.go()
        except Declined as declined:
            if self.stopping:
                raise
            self.notify(
                "Nothing was done. Begin opens the gate again.",
                title=declined.message,
                markup=False,
            )
            return False
        return True

    # What the operator's answers need

    async def wait_to_begin(self, step: Step) -> None:
        """Show a step, tell what it will do, and wait for Enter or ctrl+n."""
        self.model.outline(step.name, step.operations(self.context))
        self._begin = asyncio.get_running_loop().create_future()
        try:
            self._follow(step.name)
            self.draw()
            await self._begin
            self._began = step.name
        finally:
            self._begin = None
            self.draw()

    def _follow(self, name: str) -> None:
        """Show the step that is now worked on, unless the operator looks at another one, or has
        warnings to read on this one."""
        follow, self._worked_on = self.shown_step == self._worked_on, name
        unread = self.shown_step == self._began and self.model.steps[self._began].warnings
        if follow and not unread:
            self.shown_step = name
            self.catch_up()

    @contextmanager
    def dialog_open(self) -> Iterator[None]:
        """Count a dialog of the engine's as open: nothing is being worked on meanwhile."""
        self._open_dialogs += 1
        try:
            yield
        finally:
            self._open_dialogs -= 1

    @property
    def busy(self) -> bool:
        """Whether the engine is at work and not waiting for a person."""
        at_work = self.work is not None and not self.work.done()
        return at_work and self._begin is None and not self._open_dialogs and not self.finished

    # Drawing

    def _tell(self, event: Event) -> None:
        """Take an event; where that fails, end the app as any fault of the screens does."""
        try:
            self._on_event(event)
        except Exception as error:
            self._handle_exception(error)
            raise

    def _on_event(self, event: Event) -> None:
        step = self.model.fold(event)
        if isinstance(event, StepEntered):  # which nobody has to begin, where answers are replayed
            self._follow(event.step)
        if isinstance(event, Answered) and step is not None:
            self.model.outline(step.name, self.steps[step.name].operations(self.context))
        if not self._drawing:
            self._drawing = True
            wait = REFRESH - (time.monotonic() - self._drawn)
            if wait > 0:
                self.set_timer(wait, self.draw)
            else:
                self.call_later(self.draw)

    def draw(self) -> None:
        """Draw the model on every screen that shows it."""
        self._drawing = False
        self._drawn = time.monotonic()
        for step in self.model.steps.values():
            left = step.left if self.busy and step.name == self.model.current else []
            step.planning = left[0].key if left and step.active is None else ""
        for screen in self.screen_stack:
            if isinstance(screen, StepScreen):
                screen.show()
        if self.screen_stack:  # the work may end after the last screen is gone
            self.refresh_bindings()

    def catch_up(self) -> None:
        """Bring up the step that is looked at, once no dialog is in front."""
        if isinstance(self.screen, StepScreen) and self.screen.step.name != self.shown_step:
            self.switch_screen(self._screen_of(self.shown_step))

    def _screen_of(self, name: str) -> StepScreen:
        return SCREENS.get(name, StepScreen)(self.context, self.steps[name])

    def on_resize(self, event: events.Resize) -> None:
        """Draw again: the prompt tells when the terminal is too small for a gate."""
        self.call_later(self.draw)

    def prompt_text(self, name: str) -> PromptText:
        """Return what the prompt of a step's screen says."""
        return prompt_text(self.model, name, self._prompt_state())

    def _prompt_state(self) -> PromptState:
        answered = self.context.session.answers.answers
        questions = self.steps[self.model.current].questions(self.context)
        return PromptState(
            size=(self.size.width, self.size.height),
            waits=self._begin is not None,
            asks=bool(self._open_dialogs),
            stops=self.stopping,
            finished=self.finished,
            questions=sum(question.key not in answered for question in questions),
        )

    # Actions

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Dim `go_on` while there is nothing to begin or to go to; hide `ledger` until the pages
        are converted."""
        if action == "go_on":
            waits = self._begin is not None or self.shown_step != self.model.current
            return True if waits and not self.finished else None
        if action == "ledger":
            return self.has_ledger
        return super().check_action(action, parameters)

    def action_go_on(self) -> None:
        """Go to the step that is worked on; there, begin it."""
        if self.shown_step != self.model.current:
            self.shown_step = self.model.current
            self.catch_up()
        elif self._begin is not None and not self._begin.done():
            self._begin.set_result(None)

    def action_look(self, number: int) -> None:
        """Look at the step with this number, without disturbing the work."""
        names = list(self.model.steps)
        if 1 <= number <= len(names):
            self.shown_step = names[number - 1]
            self.catch_up()

    def action_look_by(self, by: int) -> None:
        """Look at the step `by` steps further on, or back."""
        self.action_look(list(self.model.steps).index(self.shown_step) + 1 + by)

    def action_help(self) -> None:
        """Show what the step touches and how to undo it."""
        if not isinstance(self.screen, HelpScreen):
            name = self.shown_step if isinstance(self.screen, StepScreen) else self.model.current
            self.push_screen(HelpScreen(self.steps[name]))

    def action_log(self) -> None:
        """Show the session's log."""
        if not isinstance(self.screen, LogScreen):
            self.push_screen(LogScreen(self.context.session))

    @property
    def has_ledger(self) -> bool:
        """Whether the pages are converted, so that there is an account of it."""
        return self.context.artefact(ledger.REFERENCES.file).exists()

    def action_ledger(self) -> None:
        """Show the ledgers, or go back from them."""
        if isinstance(self.screen, LedgerScreen | EntryScreen):
            self.pop_screen()
            return
        try:
            ledgers = ledger.read_all(self.context.session.folder, self.context.config.targets)
        except RemodelError as error:
            self.notify(str(error), severity="error", markup=False)
            return
        if ledgers:
            self.push_screen(LedgerScreen(ledgers))

    def action_stop(self) -> None:
        """Ask how to stop, or whether to leave."""
        if self.finished:
            self._end(ExitCode.DONE)
        elif not isinstance(self.screen, StopScreen):
            running = doing(self.model.steps[self.model.current]) if self.busy else ""
            self.push_screen(StopScreen(running, running=self.busy), self._stop)

    def _stop(self, choice: Choice | None) -> None:
        if choice is None or choice == "stay":
            return
        self.stopping = True
        self.engine.stop_after_this()
        if self.work is None or self.work.done():
            self._leave()
        elif choice == "now" or not self.busy:
            self.work.cancel()
        self.draw()

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Return what the palette offers."""
        return palette.commands(self, screen)
