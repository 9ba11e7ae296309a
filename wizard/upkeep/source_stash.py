"""Put the source files that a session wrote back for a rehearsal, and write them again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wizard.base.errors import OperationFailed
from wizard.engine.context import Context
from wizard.engine.operation import Observation, Operation, Seen
from wizard.engine.result import Result
from wizard.project import package
from wizard.session.journal import Journal
from wizard.session.plan import Plan
from wizard.steps.sources import install_back, reinstall, written_by


@dataclass(frozen=True, kw_only=True)
class PutAside(Result):
    """Whether the package had to be installed; not known of an attempt that was cut off."""

    installed: bool = True


class SetAside(Operation):
    """Put the source files back as they were before the recorded session wrote them."""

    key = "rehearsal.source"
    title = "Put the source files back as they were before the session"
    about = "models and migrations that the session wrote, until the rehearsal is over"

    def __init__(self, journal: Journal | None) -> None:
        self.journal = journal

    async def plan(self, context: Context) -> Plan:
        written = written_by(self.journal) if self.journal else {}
        aside: dict[str, list[str | None]] = {}
        for path, (before, after) in written.items():
            now = _text(path)
            if now == before:
                continue
            if now not in after:
                raise OperationFailed(
                    f"{path.name} was edited since the session wrote it.",
                    found=str(path),
                    hint="Rehearse with the code as the session left it, or as it was before.",
                )
            aside[str(path)] = [before, now]
        return Plan(
            operation=self.key,
            title=self.title,
            does=tuple(
                f"{'delete' if before is None else 'put back'} {path}"
                for path, (before, _) in aside.items()
            ),
            undo="they are written again, to the byte",
            details={"files": aside},
            skip="" if aside else "they are as they were",
        )

    async def apply(self, context: Context, plan: Plan) -> Result:
        for name, (before, _) in plan.details["files"].items():
            _place(Path(name), before)
        installed = await reinstall(context)
        message = f"{len(plan.details['files'])} files put aside"
        return PutAside(installed=installed, message=message)

    async def observe(self, context: Context, plan: Plan) -> Observation:
        files = plan.details["files"].items()
        aside = [_text(Path(name)) == before for name, (before, _) in files]
        if all(aside):
            return Observation(Seen.DONE, "they are as they were before the session")
        return Observation(Seen.PARTLY if any(aside) else Seen.NOT_DONE, "not all are")

    async def clear(self, context: Context, plan: Plan) -> None:
        await self.undo(context, plan, {})

    async def undo(self, context: Context, plan: Plan, facts: Mapping[str, Any]) -> None:
        files = plan.details["files"]
        for name, texts in files.items():
            if _text(Path(name)) not in texts:
                raise OperationFailed(
                    f"{Path(name).name} was edited during the rehearsal; it is left as it is.",
                    found=name,
                    hint="Take your own changes out (keep them elsewhere), then "
                    "`remodel rehearse --back`.",
                )
        for name, (_, now) in files.items():
            _place(Path(name), now)
        await install_back(context, installed=PutAside.from_json(facts).installed)


def _text(path: Path) -> str | None:
    return package.read(path) if path.exists() else None


def _place(path: Path, text: str | None) -> None:
    if text is None:
        path.unlink(missing_ok=True)
    elif _text(path) != text:
        package.write(path, text)
