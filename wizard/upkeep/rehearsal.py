"""`remodel rehearse`: a recorded session on a fresh copy of production, and then all taken back.

It is a session of its own, under `.remodel/rehearsals/`, with the same steps up to the drill. The
deliveries are planned and not done: no target is written to. Source files that the recorded
session wrote are put aside first, so that it begins as that one began. In the end the local
database and the source files are what they were, and nothing of the rehearsal is left.
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from wizard.base.errors import OperationFailed, PlanStale, RemodelError
from wizard.base.events import Event, Events, Finding, Planned
from wizard.base.terminal import say
from wizard.config.config import Config
from wizard.delivery.drift import authors, policy
from wizard.delivery.drift import since_backup as written
from wizard.engine.context import Context
from wizard.engine.engine import Engine
from wizard.engine.operation import Operation, Repeatable, Step
from wizard.engine.operators import Replay
from wizard.engine.result import Result
from wizard.postgres import server
from wizard.postgres.drift import drift
from wizard.postgres.drift.baseline import DriftBaseline
from wizard.postgres.dumps import restore
from wizard.reports.narration import JsonLines
from wizard.reports.output import Output
from wizard.session import answers
from wizard.session import session as sessions
from wizard.session.answers import Answers
from wizard.session.journal import Journal
from wizard.session.plan import CHANGES_NOTHING, Plan, difference
from wizard.session.session import Session
from wizard.steps import STEPS, production
from wizard.steps.fetch import FETCH
from wizard.upkeep import artifacts
from wizard.upkeep.source_stash import SetAside

ARCHIVE = "backup.archive"


@dataclass(frozen=True)
class Recorded:
    """What is rehearsed: the answers, and the session that they are from, where there is one."""

    answers: Answers
    session: str = ""
    journal: Journal | None = None
    differs: tuple[str, ...] = ()
    """Where remodel.yml is another than the session was begun with."""

    def plan(self, operation: str) -> Plan | None:
        """Return what was done then; None for what was not, or was skipped."""
        intent = self.journal.intent(operation) if self.journal else None
        return Plan.from_dict(intent) if intent else None


@contextmanager
def recorded(config: Config, identifier: str, path: Path | None) -> Iterator[Recorded]:
    """Yield the named session, or the newest; `path` has other answers than its own.

    With `path` alone there is no session to compare with, only its consents. Raise UsageError
    when there is no such session.
    """
    if path is not None and not identifier:
        yield Recorded(answers.read(path))
        return
    folder = sessions.folder_of(config, identifier)
    journal = Journal((folder / "journal.sqlite").resolve(), read_only=True)
    try:
        given = answers.read(path or folder / "answers.yml")
        differs = difference(journal.noted("identity", {}), config.identity())
        name = str(journal.noted("id", folder.name))
        yield Recorded(given, name, journal, tuple(differs))
    finally:
        journal.close()


@dataclass
class RehearsalAccount:
    """What is otherwise than it was recorded, as sentences."""

    stale: list[str] = field(default_factory=list)
    """Consents that a replay would stop at, with how their plans differ."""
    open: list[str] = field(default_factory=list)
    """Gates that nobody has consented to yet."""
    changed: list[str] = field(default_factory=list)
    written: list[str] = field(default_factory=list)
    warned: list[str] = field(default_factory=list)

    def as_dict(self, of: str) -> dict[str, Any]:
        """JSON-ready, as the last line but the error of `--json`."""
        return {"kind": "rehearsal", "session": of, **vars(self)}

    def lines(self, of: str) -> list[str]:
        """For a person."""
        sections = [
            ("a replay would stop here, its consent is to another plan", self.stale),
            ("not consented to yet", self.open),
            ("planned otherwise", self.changed),
            ("written to production since", self.written),
            ("found now and not then", self.warned),
        ]
        lines = ["", f"Rehearsal of {f'session {of}' if of else 'the recorded answers'}"]
        for title, sentences in sections:
            if sentences:
                lines += [f"  {title}:", *(f"    {sentence}" for sentence in sentences)]
        if len(lines) == 2:
            lines.append("  nothing has changed since it was recorded")
        return [*lines, "  Everything was taken back; no target was written to."]


class Since(Repeatable):
    """What was written to production since the recorded session's backup; reads only."""

    key = "rehearsal.written"
    title = "Look at what was written to production since"
    about = "by table and by person, from the recorded backup's baseline"

    def __init__(self, journal: Journal | None, account: RehearsalAccount) -> None:
        self.journal = journal
        self.account = account

    async def plan(self, context: Context) -> Plan:
        return Plan(
            operation=self.key,
            title=self.title,
            undo=CHANGES_NOTHING,
            skip="" if self._baseline() else "no baseline was recorded",
        )

    async def apply(self, context: Context, plan: Plan) -> Result:
        baseline = self._baseline()
        assert baseline is not None
        far = await context.far.checked(context.config.backup_source)
        try:
            judged = policy.judge(await drift.find(far.address, baseline), context.config.drift)
            doings = await authors.since(far.address, baseline)
        except OperationFailed as error:
            self.account.written.append(f"it is not known: {error.message}")
            return Result(message=error.message)
        changes = [*judged.block, *judged.warn]
        self.account.written += [*map(str, changes), *(doings.told() if changes else ())]
        return Result(message=f"{len(changes)} tables")

    def _baseline(self) -> DriftBaseline | None:
        return written.of_backup(self.journal) if self.journal else None


class Rehearsing(Replay):
    """Passes every gate of what will be taken back; a host key is not, and needs its consent."""

    async def consent(self, plan: Plan, changed: Sequence[str]) -> None:
        """Pass the gate; the account says afterwards whether a replay would have."""
        if plan.operation.startswith("project."):
            await super().consent(plan, changed)


def steps(of: Recorded, account: RehearsalAccount) -> tuple[Step, ...]:
    """Return the recorded session's steps, without what touches a target."""
    first, *others = STEPS
    begin = _step("rehearsal", "Rehearsal", [SetAside(of.journal)])
    look = _step("since", "Since then", [Since(of.journal, account)])
    last = replace(production.STEP, operations=_rehearsed)
    return (begin, first, look, *(last if step is production.STEP else step for step in others))


def _step(name: str, title: str, operations: Sequence[Operation]) -> Step:
    undo = "All is taken back in the end."
    return Step(name, title, operations[0].title, "No target.", undo, lambda context: operations)


def _rehearsed(context: Context) -> list[Operation]:
    """Return the operations that a rehearsal runs in place of those on a target."""
    return [
        rehearsed
        for operation in production.operations(context)
        if (rehearsed := operation.rehearsed()) is not None
    ]


async def rehearse(config: Config, of: Recorded, output: Output) -> None:
    """Rehearse, take everything back, and tell on stdout what has changed.

    Raise what stopped it, after all was taken back; PlanStale when it went through and a replay
    would not; OperationFailed when something could not be taken back.
    """
    account, planned, findings = RehearsalAccount(), dict[str, Plan](), list[Finding]()
    account.changed += [f"remodel.yml: {line}" for line in of.differs]

    def hear(event: Event) -> None:
        if isinstance(event, Planned):
            planned[event.operation] = Plan.from_dict(event.plan)
        elif isinstance(event, Finding):
            findings.append(event)

    with _begin(config) as session:
        events = Events()
        output.listen(events)
        stop = events.subscribe(hear)
        given = replace(of.answers, answers={**of.answers.answers, ARCHIVE: FETCH})
        operator = Rehearsing(given, (), "remodel, then rehearse what it recorded")
        async with Context(config, session, events) as context:
            engine = Engine(context, steps(of, account), operator)
            try:
                await engine.go()
            except BaseException as error:
                stop()
                await _take_back(context, engine, error)
                raise
            stop()
            await _take_back(context, engine)
    _compare(of, planned, account)
    account.warned += _warnings(of.journal, findings)
    if output.json:
        JsonLines(sys.stdout).write(account.as_dict(of.session))
    else:
        say("\n".join(account.lines(of.session)))
    if account.stale:
        raise PlanStale(
            "The rehearsal went through; a replay would stop, since plans have changed.",
            found="\n".join(account.stale),
            hint="Go through those gates by hand, or record the session anew.",
        )


async def back(config: Config, output: Output) -> list[str]:
    """Take back the rehearsals that were cut off; returns their ids."""
    done = []
    nothing = Recorded(Answers())
    for folder in sorted(sessions.rehearsals(config)):
        with Session(folder) as session:
            events = Events()
            output.listen(events)
            async with Context(config, session, events) as context:
                operator = Rehearsing(nothing.answers, (), "")
                engine = Engine(context, steps(nothing, RehearsalAccount()), operator)
                await _take_back(context, engine)
        done.append(folder.name)
    return done


async def _take_back(
    context: Context, engine: Engine, stopped: BaseException | None = None
) -> None:
    """Undo the rehearsal, drop its checkpoints, and remove its folder."""
    try:
        await engine.undo("rehearsal")
        local, session = context.config.local.address, context.session
        names = artifacts.local_names(context.config, session.id, session.journal)
        for held in artifacts.among(await server.databases(local), names):
            if not held.name.endswith("_before"):  # that has the local name again by now
                await restore.drop(local, held.name)
    except RemodelError as error:
        reason = f"\n\nIt had stopped: {stopped}" if isinstance(stopped, RemodelError) else ""
        raise OperationFailed(
            "The rehearsal could not be taken back.",
            found=f"{error}{reason}",
            hint="Mend that, then `remodel rehearse --back`. No target was written to.",
        ) from None
    shutil.rmtree(context.session.folder)


def _begin(config: Config) -> Session:
    """Begin a session that `remodel sessions` does not list, locked like any other."""
    folder = config.state / "rehearsals" / time.strftime("%Y%m%d-%H%M%S-rehearsal")
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.mkdir(mode=0o700)
    try:
        session = Session(folder)
    except RemodelError:
        folder.rmdir()
        raise
    session.answers.project = config.identity()["conversion"]
    return session


def _compare(of: Recorded, planned: Mapping[str, Plan], account: RehearsalAccount) -> None:
    """Compare each plan of the rehearsal with the one that was consented to or done then."""
    for key, plan in planned.items():
        if key.startswith(("rehearsal.", "project.")):
            continue
        before = of.plan(key)
        if plan.gate and not plan.skip:
            consent = of.answers.consents.get(key)
            if consent is None:
                account.open.append(f"{key}: {plan.title}")
            elif consent["fingerprint"] != plan.fingerprint:
                known = consent.get("plan") or {}
                account.stale += [
                    f"{key}: {line}" for line in difference(known, plan.consented())
                ] or [f"{key}: {plan.title}"]
        elif before is not None and bool(before.skip) is bool(plan.skip):
            if key != "backup.fetch" or of.answers.answers.get(ARCHIVE) == FETCH:
                lines = difference(before.consented(), plan.consented())
                account.changed += [f"{key}: {line}" for line in lines]
        elif of.journal is not None and (state := of.journal.state(key)) is not None:
            if state.kind == "skipped" and not plan.skip:
                account.changed.append(f"{key}: was skipped, and is not: {plan.title}")
            elif state.kind == "done" and plan.skip:
                account.changed.append(f"{key}: was done, and is skipped: {plan.skip}")


def _warnings(journal: Journal | None, findings: Sequence[Finding]) -> list[str]:
    """Return the warnings that are new since the recorded session; all of them without one."""
    known = {
        (event.get("operation"), event.get("name"))
        for _, event in (journal.events(kind="finding") if journal else ())
        if event.get("status") in ("warn", "fail")
    }
    return [
        f"{finding.operation}: {finding.name}: {finding.value}"
        for finding in findings
        if finding.status in ("warn", "fail") and (finding.operation, finding.name) not in known
    ]
