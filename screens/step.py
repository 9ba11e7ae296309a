"""What the six step screens have in common: rail, purpose, operations, prompt, footer."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import Screen
from textual.widgets import Footer, Static

from screens.host import Host
from screens.model import StepState
from screens.theme import MUTED, ORANGE, TEXT
from screens.widgets.operations import Operations
from screens.widgets.prompt import Prompt
from screens.widgets.rail import Rail
from screens.widgets.reading import Prefers, Reading

if TYPE_CHECKING:
    from wizard.engine.context import Context
    from wizard.engine.operation import Step


class StepScreen(Screen[None], inherit_bindings=False):
    """One step. It draws the model's state and keeps none of its own."""

    AUTO_FOCUS = "Prompt"
    READING: ClassVar[Prefers] = "newest"
    """Which of the documents is open until the operator chooses one."""

    # In the footer's order; the first six stand there, the ledger once there is one.
    # Textual's own begin with ctrl+c.
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f1", "app.help", "Help"),
        Binding("ctrl+n", "app.go_on", "Begin/Next", id="step.next"),
        Binding("f2", "app.ledger", "Ledger"),
        Binding("ctrl+l", "app.log", "Log"),
        Binding("ctrl+p", "app.command_palette", "All actions"),
        Binding("ctrl+c", "app.stop", "Stop"),
        Binding("tab", "app.focus_next", "Next part", show=False),
        Binding("shift+tab", "app.focus_previous", "Part before", show=False),
        Binding("ctrl+up", "app.look_by(-1)", "Step before", show=False, id="step.before"),
        Binding("ctrl+down", "app.look_by(1)", "Step after", show=False, id="step.after"),
        *(Binding(str(n), f"app.look({n})", f"Step {n}", show=False) for n in range(1, 7)),
    ]

    def __init__(self, context: Context, step: Step) -> None:
        super().__init__()
        self.context = context
        self.step = step

    @property
    def host(self) -> Host:
        """The app that shows this screen."""
        return cast("Host", self.app)

    @property
    def state(self) -> StepState:
        """What there is to draw."""
        return self.host.model.steps[self.step.name]

    def compose(self) -> ComposeResult:
        yield Static(id="header", markup=False)
        with Horizontal(id="house"):
            yield Rail(id="rail", markup=False)
            with Vertical(id="body"):
                yield Static(self.step.purpose, id="purpose", markup=False)
                yield from self.compose_body()
        yield Prompt(id="prompt", markup=False)
        yield Footer(show_command_palette=False)

    def compose_body(self) -> ComposeResult:
        """Lay out the step's own part, between its purpose and the prompt."""
        yield Operations(widget_id="operations")
        yield Reading(self.READING, widget_id="reading")

    def on_mount(self) -> None:
        """Draw at once what is known by now."""
        self.show()

    def show(self) -> None:
        """Draw the model anew; cheap where nothing has changed."""
        if not (self.is_mounted and self.children):  # the app may be ending around it
            return
        host = self.host
        self.query_one("#header", Static).update(self._header())
        self.query_one("#rail", Rail).show(host.model, self.step.name)
        # Once there is something to read, a short screen has no room for the purpose.
        self.set_class(bool(self.state.findings or self.state.documents), "-has-reading")
        self.show_body(self.state)
        self.query_one("#prompt", Prompt).show(host.prompt_text(self.step.name))

    def show_body(self, state: StepState) -> None:
        """Draw the step's own part."""
        self.query_one("#operations", Operations).show(
            list(state.operations.values()),
            outline=self.outlined(state),
            planning=state.planning,
        )
        self.query_one("#reading", Reading).show(state)

    def outlined(self, state: StepState) -> bool:
        """Whether to tell what the operations will do: before they begin."""
        return not (state.findings or state.documents or state.lines)

    def on_prompt_pressed(self) -> None:
        """Take Enter at the prompt for ctrl+n."""
        self.host.action_go_on()

    def on_rail_step_chosen(self, event: Rail.StepChosen) -> None:
        """Look at another step."""
        self.host.action_look(event.number)

    def on_screen_resume(self) -> None:
        """Draw again: the model may have moved on under a dialog."""
        self.show()
        self.host.catch_up()

    def _header(self) -> Text:
        conversion = self.context.config.conversion
        left = Text.assemble(
            (" remodel ", f"bold {ORANGE}"),
            (f" {conversion.old_type} → {conversion.new_type}", TEXT),
            no_wrap=True,
            overflow="ellipsis",
        )
        right = f"session {self.context.session.id} "
        room = self.size.width - left.cell_len - len(right)
        if room > 0:
            left.append(" " * room + right, MUTED)
        return left
