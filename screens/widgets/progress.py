"""Amounts, times and bars as text, in real units."""

from __future__ import annotations

from rich.text import Text

from screens.theme import MUTED, ORANGE
from wizard.base.events import Progress


def amount(number: int, unit: str) -> str:
    """Return `12.4 MB` for bytes, `1,204 rows` for anything else."""
    if unit != "bytes":
        return f"{number:,} {unit}".rstrip()
    size = float(number)
    for name in ("bytes", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:,.0f} {name}" if name == "bytes" else f"{size:,.1f} {name}"
        size /= 1000
    return f"{size:,.1f} TB"


def _bare(progress: Progress) -> str:
    """Return the amount without a unit that the total repeats right behind it."""
    return amount(progress.done, "bytes" if progress.unit == "bytes" else "")


def duration(seconds: float) -> str:
    """Return a time as `0:07`, `12:40` or `1:02:03`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def bar(progress: Progress, width: int) -> Text:
    """Draw a bar: how much is done, of how much, how long it still takes, and the note."""
    words = [amount(progress.done, progress.unit)]
    if progress.total:
        share = min(1.0, progress.done / progress.total)
        words = [
            f"{share:.0%}",
            f"{_bare(progress)} of {amount(progress.total, progress.unit)}",
        ]
        if progress.eta is not None:
            words.append(f"{duration(progress.eta)} left")
        if progress.note:
            words.append(progress.note)
        suffix = "  ".join(words)
        cells = min(24, width - len(suffix) - 4)
        if cells < 6:  # the words say it all
            return Text(suffix)
        full = round(share * cells)
        return Text.assemble(("━" * full, ORANGE), ("─" * (cells - full), MUTED), f"  {suffix}")
    if progress.note:
        words.append(progress.note)
    return Text.assemble(("━╸  ", ORANGE), "  ".join(words))
