"""One process's run of a session: who answers, who listens, and how it ends."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wizard.base.errors import Declined, UsageError
from wizard.base.events import Events
from wizard.config.config import Config
from wizard.engine import resume
from wizard.engine.context import Context
from wizard.engine.engine import Engine
from wizard.engine.operation import Step
from wizard.engine.operators import Operator, Plain, Reopened, Replay
from wizard.reports import report
from wizard.reports.output import Output
from wizard.session import session as sessions
from wizard.session.answers import Answers
from wizard.session.journal import Journal
from wizard.session.session import Session
from wizard.steps import STEPS


@dataclass
class Interrupted(BaseException):
    """A signal ended the run; everything that was open has been closed in good order."""

    signal: int = field(default=signal.SIGINT)


async def replay(
    config: Config,
    session: Session,
    answers: Answers,
    allowed: Sequence[str],
    output: Output,
    plain: bool = False,
) -> int:
    """Do what is left of `session` with recorded answers; returns the exit code.

    Headless, but for the steps that the answers open again for a person: those are gone through
    on the terminal, at the screens or with `plain` at prompts.
    """
    if answers.changed:
        session.answers.changed = answers.changed
        session.journal.note("changed", answers.changed)
    operator = Replay(answers, allowed, f"remodel resume {session.id}")

    def reopened(person: Operator) -> Operator:
        return Reopened(operator, person, answers.interactive)

    if not answers.interactive:
        await headless(config, session, operator, output)
    elif plain or terminal_is_dumb():
        await headless(config, session, reopened(Plain()), output)
    else:
        return await screens(config, session, reopened)
    return 0


async def headless(config: Config, session: Session, operator: Operator, output: Output) -> None:
    """Do what is left of `session` with an operator that needs no screen."""
    events = Events()
    output.listen(events)
    async with Context(config, session, events) as context:
        await resume.require_same(context, STEPS)
        await _drive(Engine(context, STEPS, operator))
        output.end(context)


async def once(
    config: Config, session: Session, operator: Operator, output: Output, step: Step
) -> None:
    """Do one step that is not among the six, such as a rollback."""
    events = Events()
    output.listen(events)
    async with Context(config, session, events) as context:
        if all(context.facts.settled(operation.key) for operation in step.operations(context)):
            raise UsageError(f"{step.title}: this has been done in session {session.id}.")
        await _drive(Engine(context, [step], operator))


_AT_WORK: list[Engine] = []  # what a signal asks whether it may be cancelled


async def _drive(engine: Engine) -> None:
    _AT_WORK.append(engine)
    try:
        await engine.go()
    finally:
        _AT_WORK.remove(engine)


def terminal_is_dumb() -> bool:
    """Whether the terminal cannot show screens, but can take lines."""
    return os.environ.get("TERM") == "dumb"


async def interactive(config: Config, session: Session, plain: bool = False) -> int:
    """Go on with `session` at the screens or at prompts; return the exit code."""
    if not (plain or terminal_is_dumb()):
        return await screens(config, session)
    await prompts(config, session, Output())
    return 0


async def prompts(config: Config, session: Session, output: Output) -> None:
    """Line prompts on the terminal."""
    await headless(config, session, Plain(), output)


async def screens(
    config: Config,
    session: Session,
    wrap_operator: Callable[[Operator], Operator] = lambda operator: operator,
) -> int:
    """Run the Textual app; return its exit code. `wrap_operator` makes the operator
    that the engine asks of the one at the screens."""
    from screens.app import run_app  # the one way from the engine to the screens

    async with Context(config, session, Events()) as context:
        await resume.require_same(context, STEPS)
        return await run_app(context, STEPS, wrap_operator)


def run(work: Coroutine[Any, Any, Any]) -> Any:
    """Run the coroutine; SIGINT, SIGTERM and SIGHUP cancel it and raise Interrupted.

    Cancelling lets every `finally` run: children are ended, connections closed, the journal
    keeps the intent of what was interrupted. SIGHUP, by which nobody asks for anything but the
    terminal is gone, waits for a delivery until the target's service runs again; under nohup
    it is ignored.
    """
    caught: list[int] = []
    hung_up: list[int] = []

    async def main() -> Any:
        loop = asyncio.get_running_loop()
        task = asyncio.ensure_future(work)

        def stop(number: int) -> None:
            if number == signal.SIGHUP:
                hung_up.extend(number for engine in _AT_WORK if not engine.stop_when_safe())
                if hung_up:
                    return
            caught.append(number)
            if len(caught) == 1:  # a second one would cut the cleaning up short
                task.cancel()

        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
                loop.add_signal_handler(number, stop, number)
        return await task

    try:
        return asyncio.run(main())
    except asyncio.CancelledError:
        raise Interrupted(caught[0] if caught else signal.SIGINT) from None
    except Declined:
        if hung_up:
            raise Interrupted(hung_up[0]) from None
        raise


async def undo(config: Config, identifier: str, to: str) -> list[str]:
    """Take a session back to the beginning of a step; returns what was undone.

    Without an id it is the newest that did anything, finished or not, and no older one where that
    is undone already: what an older one did lies under it.
    """
    if not identifier:
        newest = sessions.find(config, fits=lambda one: one.acted)
        if newest is None:
            raise UsageError("No session has done anything that could be undone.")
        identifier = newest.id
    with sessions.resume(config, identifier) as session:
        events = Events()
        Output().listen(events)
        async with Context(config, session, events) as context:
            return await Engine(context, STEPS, Plain()).undo(to)


def report_of(config: Config, identifier: str) -> list[Path]:
    """Write the report of a session, which may be at work meanwhile; returns the files."""
    folder = sessions.folder_of(config, identifier)
    journal = Journal((folder / "journal.sqlite").resolve(), read_only=True)
    try:
        return report.write_into(folder, journal)
    finally:
        journal.close()
