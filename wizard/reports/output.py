"""Where a headless run tells what happens, and how it ends."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from wizard.base.errors import RemodelError
from wizard.base.events import Event, Events
from wizard.base.outlet import outlet
from wizard.base.terminal import say
from wizard.engine.context import Context
from wizard.reports import report, summary
from wizard.reports.narration import JsonLines, Narrator

PATIENCE = 60.0  # seconds; a log's reader who waits longer (`less`, ctrl+s) is one who left


@dataclass(frozen=True)
class Output:
    """Where a headless run tells what happens. With `json`, stdout carries events alone."""

    json: bool = False

    def listen(self, events: Events) -> None:
        """Subscribe the printer that was asked for, as long as somebody reads."""
        printer = JsonLines(sys.stdout) if self.json else Narrator(sys.stdout)
        under = outlet(sys.stdout)
        if under is not None:
            under.patience = PATIENCE

        def tell(event: Event) -> None:
            printer(event)
            if under is not None and under.gone is not None:
                raise under.gone

        events.subscribe(tell, "standard output")

    def end(self, context: Context) -> None:
        """Write the report into the session's folder, and the summary at the end of stdout."""
        try:
            report.write(context)
        except RemodelError as error:  # the work is done, and it can be written later
            hint = f"remodel report {context.session.id} writes it anew."
            context.report.finding("no report", error.message, "warn", hint)
        data = summary.summary(context)
        if self.json:
            JsonLines(sys.stdout).write(data)
        else:
            say("\n".join(summary.lines(data)))
