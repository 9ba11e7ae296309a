"""One run of the wizard over one conversion, on disk: journal, answers, artefacts, lock.

.remodel/
  known_hosts                host keys that the operator accepted
  lock                       held while a process works on any session, or the worker that it
                             started: they share the local database and the source files
  sessions/20261122-150405/  0700
    journal.sqlite           intents, outcomes, consents, the log
    answers.yml              what was answered, ready to be replayed
    identities.json          databases as they were when first used
    urls-before.json         what each URL led to
    reserve.0 ...            room for files that must be written though the disk is full
    ledger.json              the account of everything that refers to the converted pages
    report.md, report.html   for people, written at the end and by `remodel report`
  rehearsals/                likewise, while one is at work; removed once all is taken back
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from wizard import __version__
from wizard.base import files
from wizard.base.errors import IdentityMismatch, OperationFailed, UsageError
from wizard.base.yamlfile import nearest
from wizard.config.config import Config
from wizard.session import answers, listed, lock
from wizard.session.answers import Answers
from wizard.session.journal import Journal
from wizard.session.listed import Summary
from wizard.session.plan import Plan, difference
from wizard.session.questions import Question


class Session:
    """An open session. Make one with `begin` or `resume`; use it as a context manager."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lock = lock.hold(folder.parents[1] / "lock")
        self._questions: dict[str, Question] = {}
        path = folder / "answers.yml"
        try:
            self.answers = answers.read(path) if path.exists() else Answers()
            self.journal = Journal(folder / "journal.sqlite")
            self.id = str(self.journal.noted("id", folder.name))
        except BaseException:
            os.close(self.lock)
            raise

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the journal and let the lock go."""
        self.journal.close()
        os.close(self.lock)

    def reserve(self) -> None:
        """Have the room that the records of an operation need, before it begins.

        A delivery can then write its outcome though the disk is full by then. Raise DiskFailed
        where there is no room.
        """
        files.reserve(self.folder)
        self.journal.reserve()

    def answer(self, question: Question, value: Any) -> None:
        """Record an answer, in the journal and in answers.yml."""
        self.answers.answers[question.key] = value
        self._questions[question.key] = question
        self.journal.write(question.key, "answer", {"value": value})
        self._write_answers()

    def forget(self, question: Question) -> None:
        """Take an answer back, so that it is asked anew."""
        if self.answers.answers.pop(question.key, None) is not None:
            self._write_answers()

    def consent(self, plan: Plan) -> None:
        """Record consent to a plan, in the journal and in answers.yml."""
        self.answers.consent(plan)
        self.journal.write(plan.operation, "consent", plan.as_dict())
        self._write_answers()

    def _write_answers(self) -> None:
        recorded = {
            "by": f"wagtail-remodel {__version__}",
            "at": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
            "session": self.id,
        }
        answers.write(self.folder / "answers.yml", self.answers, self._questions, recorded)


def rehearsals(config: Config) -> list[Path]:
    """Return the folders of rehearsals that are at work, or were cut off."""
    return [path.parent for path in (config.state / "rehearsals").glob("*/journal.sqlite")]


def _require_no_rehearsal(config: Config) -> None:
    """Raise OperationFailed while a rehearsal has the local database and the source files."""
    if folders := rehearsals(config):
        raise OperationFailed(
            "A rehearsal is at work, or was cut off: it has the local database.",
            found="\n".join(str(path) for path in folders),
            hint="Let it end; if it does not run any more: remodel rehearse --back",
        )


def begin(config: Config) -> Session:
    """Begin a session for `config`, locked."""
    _require_no_rehearsal(config)
    sessions = config.state / "sessions"
    with files.writing(sessions):
        config.state.mkdir(mode=0o700, exist_ok=True)
        sessions.mkdir(mode=0o700, exist_ok=True)
    stamp = time.strftime("%Y%m%d-%H%M%S")
    taken = [one.id for one in summaries(config)]  # of folders with other names, too
    for number in range(100):
        folder = sessions / (stamp if not number else f"{stamp}-{number}")
        if folder.name in taken:
            continue
        try:
            folder.mkdir(mode=0o700)
        except FileExistsError:
            continue
        except OSError as error:
            raise files.failure(error, folder) from None
        try:
            session = Session(folder)
            try:
                session.reserve()
                session.journal.note("id", folder.name)
                session.journal.note("place", listed.next_place(sessions).as_dict())
                listed.take_turn(sessions, session.journal)
                session.journal.note("identity", config.identity())
                session.journal.note("begun", time.time())  # last: from here on it is a session
            except OperationFailed:
                session.close()
                raise
        except OperationFailed:
            shutil.rmtree(folder)
            raise
        session.answers.project = config.identity()["conversion"]
        return session
    raise OperationFailed(f"No free name for a session in {sessions}.")


def resume(config: Config, identifier: str = "") -> Session:
    """Open the session with this id, or the newest with work left.

    Raise UsageError when there is none, IdentityMismatch when remodel.yml is about
    something else by now.
    """
    wanted = find(config, identifier, lambda one: not one.finished)
    if wanted is None:
        raise UsageError(
            "There is no session with work left.",
            found=f"{len(summaries(config))} sessions in {config.state / 'sessions'}",
            hint="Begin one with `remodel`.",
        )
    _require_no_rehearsal(config)
    session = Session(wanted.folder)
    changed = difference(session.journal.noted("identity", {}), config.identity())
    if changed:
        session.close()
        raise IdentityMismatch(
            f"remodel.yml is no longer what session {wanted.id} was begun with.",
            found="\n".join(changed),
            hint="Put those values back, or begin a new session with `remodel`.",
        )
    listed.take_turn(wanted.folder.parent, session.journal)
    return session


def find(
    config: Config,
    identifier: str = "",
    fits: Callable[[Summary], bool] = lambda one: True,
    did: str = "",
) -> Summary | None:
    """Return the session with this id, or the newest that fits; None when none does.

    Those that did something go before those that did not. With `did` the newest is the one whose
    operation of this key came to its state last, whichever was begun first. Raise UsageError when
    there is no session with this id; OperationFailed when it cannot be read, or without an id, when
    another that cannot may be the newest.
    """
    known = summaries(config)
    if identifier:
        named = [one for one in known if one.id == identifier]
        if not named:
            ids = [one.id for one in known]
            raise UsageError(
                f"There is no session {identifier}.",
                hint=nearest(identifier, ids) or "`remodel sessions` lists them.",
            )
        _require_usable(named[-1])
        return named[-1]
    if hidden := [one for one in known if one.hides]:
        raise OperationFailed(
            "Which session is the newest is not known.",
            found="\n".join(f"{one.id}: {one.trouble}" for one in hidden),
            hint="Name the session that you mean (`remodel sessions` lists them), or move what "
            f"cannot be used out of {config.state / 'sessions'}.",
        )
    fitting = [one for one in known if not one.trouble and fits(one)]
    if did:
        fitting.sort(key=lambda one: one.at[did])
    acted = [one for one in fitting if one.acted]
    return next(reversed(acted or fitting), None)


def _require_usable(named: Summary) -> None:
    """Raise OperationFailed for a folder that is no session to work on."""
    if named.trouble:
        raise OperationFailed(
            f"Session {named.id} cannot be used.",
            found=f"{named.folder}: {named.trouble}",
            hint="Take a copy out of that folder, or name the session that it is of. One whose "
            "journal is broken cannot go on: move its folder away and begin a new one.",
        )


def folder_of(config: Config, identifier: str = "") -> Path:
    """Return the folder of the session with this id, or of the newest, which may be at work
    meanwhile.

    Raise UsageError when there is none.
    """
    wanted = find(config, identifier)
    if wanted is None:
        raise UsageError("There is no session.", hint="Begin one with `remodel`.")
    return wanted.folder


@contextmanager
def scratch(questions: Sequence[Question]) -> Iterator[Session]:
    """Yield a session that leaves nothing behind, the questions answered by their defaults."""
    with tempfile.TemporaryDirectory(prefix="remodel-") as temporary:
        folder = Path(temporary) / "sessions" / "plan"
        folder.mkdir(mode=0o700, parents=True)
        with Session(folder) as session:
            for question in questions:
                if question.default is not None:
                    session.answers.answers[question.key] = question.default
            yield session


def summaries(config: Config) -> list[Summary]:
    """Return every session on disk, oldest first. Reads only; no lock is taken."""
    return listed.listed(config.state / "sessions")
