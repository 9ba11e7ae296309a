"""Where a headless run tells what happens, and how it ends."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from wizard.base.events import Events
from wizard.base.terminal import say
from wizard.engine.context import Context
from wizard.reports import report, summary
from wizard.reports.narration import JsonLines, Narrator


@dataclass(frozen=True)
class Output:
    """Where a headless run tells what happens. With `json`, stdout carries events alone."""

    json: bool = False

    def listen(self, events: Events) -> None:
        """Subscribe the printer that was asked for."""
        events.subscribe(JsonLines(sys.stdout) if self.json else Narrator(sys.stdout))

    def end(self, context: Context) -> None:
        """Write the report into the session's folder, and the summary at the end of stdout."""
        report.write(context)
        data = summary.summary(context)
        if self.json:
            JsonLines(sys.stdout).write(data)
        else:
            say("\n".join(summary.lines(data)))
