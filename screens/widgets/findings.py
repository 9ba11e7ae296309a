"""Findings: what was looked at, what was found, how it is judged, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from screens.theme import FINDINGS, MUTED, TEXT, YELLOW
from wizard.base.events import Finding

WIDE = 72  # columns from which on the names of findings have one of their own


class FindingsTable:
    """A row a finding; a hint stands in a line of its own below what it is about.

    Where there is no room for a column of names, the name stands before the value.
    """

    def __init__(self, findings: Iterable[Finding]) -> None:
        self._findings = list(findings)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        wide = options.max_width >= WIDE
        table = Table.grid(padding=(0, 1), expand=True)
        table.add_column(width=6, no_wrap=True)
        if wide:
            table.add_column(max_width=24)
        table.add_column(ratio=1)
        for finding in self._findings:
            mark = FINDINGS[finding.status]
            value = Text(finding.value, TEXT, overflow="fold")
            if finding.hint:
                value.append(f"\n{finding.hint}", YELLOW if finding.status != "info" else MUTED)
            state = Text(str(mark), mark.colour)
            if wide:
                table.add_row(state, Text(finding.name, TEXT), value)
            else:
                table.add_row(state, Text.assemble((f"{finding.name}  ", MUTED), value))
        yield table


def summary_of(findings: Iterable[Finding]) -> str:
    """Return `14 ✗ 2 ▲ 1` for a tab's label: how many there are, failed, and warned."""
    statuses = [finding.status for finding in findings]
    words = [str(len(statuses))]
    if failed := statuses.count("fail"):
        words.append(f"✗ {failed}")
    if warned := statuses.count("warn"):
        words.append(f"▲ {warned}")
    return " ".join(words)
