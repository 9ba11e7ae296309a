"""The end: what was done, what was verified, and the way back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from screens.model import Model
from screens.theme import BLUE, FINDINGS, MUTED, STATES, TEXT
from wizard.reports.summary import lines, summary

if TYPE_CHECKING:
    from wizard.engine.context import Context
    from wizard.engine.operation import Step

_SCROLLING = frozenset({"up", "down", "pageup", "pagedown", "home", "end"})
_OTHER = frozenset({"f1", "f2", "ctrl+l", "ctrl+p"})


class SummaryScreen(ModalScreen[None]):
    """Any key but those that scroll leaves, with exit code 0."""

    AUTO_FOCUS = "VerticalScroll"

    def __init__(self, context: Context, model: Model, steps: Mapping[str, Step]) -> None:
        super().__init__()
        self.context = context
        self.model = model
        self.steps = steps

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog", id="summary"):
            yield Static("✓ Done", classes="dialog-title", markup=False)
            with VerticalScroll():
                yield Static(self._text())
            yield Static("Any key leaves; ↑ ↓ PgUp PgDn scroll.", id="leave", markup=False)

    def on_key(self, event: events.Key) -> None:
        """Leave, unless the key scrolls."""
        if event.key not in _SCROLLING | _OTHER:
            event.stop()
            self.app.exit(return_code=0)

    def _text(self) -> Text:
        text = Text("\n".join(lines(summary(self.context))).strip(), TEXT)
        text.append("\n")
        last = list(self.steps)[-1]
        checked = [f for f in self.model.steps[last].findings.values() if f.status != "info"]
        if checked:
            text.append("\nVerified\n", f"bold {BLUE}")
            for finding in checked:
                mark = FINDINGS[finding.status]
                text.append(f"  {mark} ", mark.colour)
                text.append(f"{finding.name}: {finding.value}\n", TEXT)
        text.append("\nWay back\n", f"bold {BLUE}")
        text.append(f"  {self.steps[last].undo}\n", TEXT)
        text.append(f"  Answers to replay: {self.context.session.folder / 'answers.yml'}\n", MUTED)
        text.append(f"  Report: {self.context.session.folder / 'report.html'}\n", MUTED)
        for step in self.model.steps.values():
            text.append(f"\n{step.title}\n", f"bold {BLUE}")
            for operation in step.operations.values():
                mark = STATES[operation.state]
                text.append(f"  {mark.glyph} {mark.word:<8} ", mark.colour)
                text.append(operation.title, TEXT)
                text.append(f" ({operation.target})" if operation.target else "", MUTED)
                text.append(f"  {operation.message}\n" if operation.message else "\n", MUTED)
        return text
