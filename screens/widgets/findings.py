"""Findings: what was looked at, what was found, how it is judged, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Group
from rich.table import Table
from rich.text import Text

from screens.theme import FINDINGS, MUTED, TEXT, YELLOW
from wizard.events import Finding


def findings_table(findings: Iterable[Finding]) -> Group:
    """A row a finding; a hint stands in a line of its own below what it is about."""
    table = Table.grid(padding=(0, 1), expand=True)
    table.add_column(width=6, no_wrap=True)
    table.add_column(max_width=24)
    table.add_column(ratio=1)
    for finding in findings:
        mark = FINDINGS[finding.status]
        value = Text(finding.value, TEXT, overflow="fold")
        if finding.hint:
            value.append(f"\n{finding.hint}", YELLOW if finding.status != "info" else MUTED)
        table.add_row(Text(str(mark), mark.colour), Text(finding.name, TEXT), value)
    return Group(table)


def summary_of(findings: Iterable[Finding]) -> str:
    """`14 looked at, 2 to mend, 1 to know`, for a tab's label."""
    statuses = [finding.status for finding in findings]
    words = [str(len(statuses))]
    if failed := statuses.count("fail"):
        words.append(f"✗ {failed}")
    if warned := statuses.count("warn"):
        words.append(f"▲ {warned}")
    return " ".join(words)
