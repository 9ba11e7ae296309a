"""Colours, glyphs and words. Blue and orange stay apart for every common colour vision.

Colour never speaks alone: each state has a glyph and a word as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from textual.theme import Theme

BLUE: Final = "#62a8f5"
ORANGE: Final = "#ff9f43"
VERMILION: Final = "#ff6b4a"
YELLOW: Final = "#f5d547"
TEXT: Final = "#dbe4f0"
MUTED: Final = "#8496ad"
NIGHT: Final = "#0e1420"

REMODEL: Final = Theme(
    name="remodel",
    primary=BLUE,
    secondary="#3b6ea5",
    accent=ORANGE,
    warning=YELLOW,
    error=VERMILION,
    success=BLUE,
    foreground=TEXT,
    background=NIGHT,
    surface="#141c2b",
    panel="#1b2538",
    dark=True,
    variables={
        "text-muted": MUTED,
        "footer-key-foreground": ORANGE,
        "footer-background": "#1b2538",
        "block-cursor-background": "#2b4a75",
        "block-cursor-foreground": "#ffffff",
        "block-cursor-text-style": "bold",
        "block-cursor-blurred-background": "#1b2538",
        "border": "#3b6ea5",
        "border-blurred": "#2a3850",
        "scrollbar": "#2a3850",
        "scrollbar-background": "#141c2b",
        "scrollbar-corner-color": "#141c2b",
        "input-selection-background": "#2b4a75",
    },
)


WIDTHS: Final[list[tuple[int, str]]] = [(0, "-narrow"), (110, "-wide")]
"""Columns from which on a screen bears this class."""

HEIGHTS: Final[list[tuple[int, str]]] = [(0, "-short"), (32, "-tall")]
"""Rows from which on a screen bears this class."""


@dataclass(frozen=True)
class Mark:
    """How one state is shown: a glyph, a word, a colour."""

    glyph: str
    word: str
    colour: str

    def __str__(self) -> str:
        return f"{self.glyph} {self.word}"


STATES: Final = {
    "waiting": Mark("·", "waiting", MUTED),
    "ready": Mark("○", "ready", ORANGE),
    "planning": Mark("▷", "planning", ORANGE),
    "running": Mark("▶", "running", ORANGE),
    "gate": Mark("◆", "gate", YELLOW),
    "done": Mark("✓", "done", BLUE),
    "skipped": Mark("\N{EN DASH}", "skipped", MUTED),
    "failed": Mark("✗", "failed", VERMILION),
    "interrupted": Mark("↺", "interrupted", YELLOW),
}

FINDINGS: Final = {
    "ok": Mark("✓", "ok", BLUE),
    "info": Mark("·", "info", MUTED),
    "warn": Mark("▲", "warn", YELLOW),
    "fail": Mark("✗", "fail", VERMILION),
}

PAGES_DONE: Final = {
    "new": Mark("+", "new", BLUE),
    "moved": Mark("→", "moved", ORANGE),
    "going": Mark("✗", "gone", VERMILION),
}

PAGES_PLANNED: Final = {
    "new": Mark("+", "will be new", BLUE),
    "moved": Mark("→", "will move", ORANGE),
    "going": Mark("✗", "will go", VERMILION),
}
