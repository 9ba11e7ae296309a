"""The models as they would be, tried in a Python of their own before a file is written."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from wizard.base.errors import OperationFailed, RemodelError
from wizard.config.config import Conversion
from wizard.engine.context import Context
from wizard.engine.results import Tried
from wizard.project import encoding, package, source
from wizard.project.worker_client import WorkerClient
from wizard.project.worker_results import SystemChecks
from wizard.steps import proof
from wizard.steps.sources import describe

ERROR = 40  # django.core.checks.ERROR
Phase = Literal["added", "final"]


@dataclass(frozen=True)
class Proposal:
    """The models file with the new class, and as it ends.

    `path` is the operator's file, `imported` the one that the project imports, which may be an
    installed copy. `final` is None where no field moves. `widened` says whether a rule of the page
    tree gets the new type, `by_hand` whether the class is not the one that is generated.
    """

    path: Path
    imported: Path
    before: str
    added: str
    final: str | None
    widened: bool
    by_hand: bool

    @property
    def digest(self) -> str:
        """Return the SHA-256 of the file with the new class."""
        return hashlib.sha256(self.added.encode()).hexdigest()

    def texts(self, phase: Phase) -> Mapping[Path, str]:
        """Return the text for a worker to import instead of the file, in a phase."""
        text = self.added if phase == "added" else self.final
        return {} if text is None else {self.imported: text}


async def propose(context: Context, text: str) -> Proposal:
    """Return what the models file becomes with this class.

    Raise SourceError where it cannot, and OperationFailed where its encoding cannot hold it.
    """
    conversion = context.config.conversion
    imported = Path((await describe(context))["file"])
    path = package.source_of(context.config.project, imported)
    before = package.read(path)
    old, new = (label.partition(".")[2] for label in (conversion.old_type, conversion.new_type))
    inserted = source.insert_class(before, after=old, text=text)
    allowed = source.allow_beside(inserted, app=conversion.app, old_class=old, new_class=new)
    added = source.export_beside(allowed, old_class=old, new_class=new)
    final = source.final_models(
        added, old_class=old, new_class=new, fields=conversion.move, prefix=conversion.prefix
    )
    for each in (added, final):
        encoding.encoded(each, path)
    return Proposal(
        path=path,
        imported=imported,
        before=before,
        added=added,
        final=final if conversion.move else None,
        widened=allowed != inserted,
        by_hand=text.split() != (await generated(context)).split(),
    )


async def generated(context: Context) -> str:
    """Return the class to propose, made from the moved fields' own definitions."""
    conversion = context.config.conversion
    imported = Path((await describe(context))["file"])
    return source.derived_class(
        package.read(package.source_of(context.config.project, imported)),
        old_class=conversion.old_type.partition(".")[2],
        new_class=conversion.new_type.partition(".")[2],
        fields=conversion.move,
        prefix=conversion.prefix,
    )


async def require_sound(context: Context, proposal: Proposal) -> None:
    """Raise OperationFailed unless Django takes the models as they would be, added and final, and
    every page type then shows what it shows now, but for what moves.

    Errors that the project has already do not count. What the trial has tried is not tried again.
    """
    if context.facts.settled(Tried.KEY) and context.facts.of(Tried).models == proposal.digest:
        return
    here = await context.worker.client()
    known, before = set(system_errors(await here.check())), await here.interfaces()
    phases: list[Phase] = ["added"] if proposal.final is None else ["added", "final"]
    for phase in phases:
        after = None
        try:
            async with context.worker.client_over(proposal.texts(phase)) as worker:
                faults = await _faults(worker, context.config.conversion, phase, known)
                if not faults:
                    after = await worker.interfaces()
        except RemodelError as error:
            faults = [f"{error.message} {error.found}".strip()]
        if faults or after is None:
            when = "with the new class" if phase == "added" else "once the fields have moved"
            raise OperationFailed(
                f"The models would not be right {when}; {proposal.path.name} was not changed.",
                found="\n".join(faults),
                hint=f"Change {proposal.path.name} so that this holds. Or change the conversion in "
                "remodel.yml: another name for the new type (`to`), or other fields (`move`).",
            )
        await proof.require_shown(
            context,
            before,
            after,
            moved=context.config.conversion.move if phase == "final" else (),
            path=proposal.path,
            new_type=phase == phases[-1],
            by_hand=proposal.by_hand,
        )


async def _faults(
    worker: WorkerClient, conversion: Conversion, phase: Phase, known: set[str]
) -> list[str]:
    faults = [error for error in system_errors(await worker.check()) if error not in known]
    checks = await worker.check_models(conversion, phase)
    return faults + [f"{check['name']}: {check['detail']}" for check in checks if not check["ok"]]


def system_errors(checked: SystemChecks) -> list[str]:
    """Return the errors among Django's system checks, each with its id."""
    return [
        f"{message['text']} ({message['id']})"
        for message in checked["messages"]
        if message["level"] >= ERROR
    ]
