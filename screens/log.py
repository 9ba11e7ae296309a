"""The log: a view of the session's journal that follows what is added to it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from textwrap import indent
from typing import TYPE_CHECKING, Any, ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen
from textual.widgets import Footer, RichLog, Static

from screens.theme import BLUE, FINDINGS, MUTED, STATES, TEXT, YELLOW

if TYPE_CHECKING:
    from wizard.session.session import Session

POLL = 0.5  # seconds
KEPT = 20_000  # lines; the journal has every one


class LogScreen(ModalScreen[None]):
    """The newest lines that the journal has, oldest first."""

    AUTO_FOCUS = "RichLog"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,ctrl+l,q", "app.pop_screen", "Back", priority=True),
        Binding("c", "copy", "Copy path"),
    ]

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session
        self._last = 0

    def compose(self) -> ComposeResult:
        yield Static(f" Log of session {self.session.id}", id="log-title", markup=False)
        yield RichLog(wrap=True, markup=False, max_lines=KEPT, id="log")
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        """Read the newest lines, then look for more."""
        self._last = self.session.journal.before_newest(KEPT)
        if self._last:
            title = f" Log of session {self.session.id}, {KEPT:,} of {self._last + KEPT:,} lines"
            self.query_one("#log-title", Static).update(title)
        self.follow()
        self.set_interval(POLL, self.follow)

    def follow(self) -> None:
        """Read on where the last look ended."""
        log = self.query_one(RichLog)
        at_end = log.scroll_y >= log.max_scroll_y - 1
        for number, data in self.session.journal.events(after=self._last):
            self._last = number
            log.write(log_line(data), scroll_end=at_end)

    def action_copy(self) -> None:
        """Copy the journal's path into the clipboard."""
        self.app.copy_to_clipboard(str(self.session.folder / "journal.sqlite"))
        self.notify("The journal's path is in the clipboard.")


def log_line(data: Mapping[str, Any]) -> Text:
    """Return an event as a line: `15:22:42 backup.fetch  ✓ done 12.4 MB`."""
    at = time.strftime("%H:%M:%S", time.localtime(float(data.get("at", 0))))
    text = Text.assemble((f"{at} ", MUTED), (f"{data.get('operation') or '-':<22} ", BLUE))
    match data.get("kind"):
        case "finished":
            mark = STATES.get(str(data["outcome"]), STATES["waiting"])
            return text.append(f"{mark.glyph} {data['outcome']} ", mark.colour).append(
                str(data["message"]), TEXT
            )
        case "finding":
            mark = FINDINGS[data["status"]]
            return text.append(f"{mark} ", mark.colour).append(
                f"{data['name']}: {data['value']}", TEXT
            )
        case "line":
            return text.append(f"{data['source']}: ", MUTED).append(str(data["text"]), TEXT)
        case "document":
            text.append(f"document {data['title']}\n", TEXT)
            return text.append(indent(str(data["text"]).rstrip(), " " * 9), MUTED)
        case "planned":
            return text.append(f"plan: {data['plan']['title']}", TEXT)
        case "consented":
            return text.append(f"◆ consent to plan {data['fingerprint']}", YELLOW)
        case "started":
            return text.append(f"▶ {data['title']}", STATES["running"].colour)
        case "step_entered" | "step_done":
            word = "entered" if data["kind"] == "step_entered" else "done"
            return text.append(f"step {data['step']} {word}", f"bold {TEXT}")
        case "answered":
            return text.append(f"{data['key']} = {data['value']!r}", TEXT)
        case kind:
            return text.append(str(kind), MUTED)
