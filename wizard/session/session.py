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
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wizard import __version__
from wizard.base import files
from wizard.base.errors import IdentityMismatch, OperationFailed, UsageError
from wizard.base.yamlfile import nearest
from wizard.config.config import Config
from wizard.session import answers, lock
from wizard.session.answers import Answers
from wizard.session.journal import Journal
from wizard.session.plan import Plan, difference
from wizard.session.questions import Question

UNSETTLED = ("intent", "failed", "undoing")


@dataclass(frozen=True)
class Summary:
    """A session as `remodel sessions` lists it."""

    id: str
    begun: float
    conversion: str
    done: list[str]
    interrupted: list[str]
    finished: bool


class Session:
    """An open session. Make one with `begin` or `resume`; use it as a context manager."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.id = folder.name
        self.lock = lock.hold(folder.parents[1] / "lock")
        self._questions: dict[str, Question] = {}
        path = folder / "answers.yml"
        try:
            self.answers = answers.read(path) if path.exists() else Answers()
            self.journal = Journal(folder / "journal.sqlite")
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
    for number in range(100):
        folder = sessions / (stamp if not number else f"{stamp}-{number}")
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
    known = summaries(config)
    if not identifier:
        unfinished = [summary.id for summary in known if not summary.finished]
        if not unfinished:
            raise UsageError(
                "There is no session with work left.",
                found=f"{len(known)} sessions in {config.state / 'sessions'}",
                hint="Begin one with `remodel`.",
            )
        identifier = unfinished[-1]
    names = [summary.id for summary in known]
    if identifier not in names:
        raise UsageError(f"There is no session {identifier!r}.", hint=nearest(identifier, names))
    _require_no_rehearsal(config)
    session = Session(config.state / "sessions" / identifier)
    changed = difference(session.journal.noted("identity", {}), config.identity())
    if changed:
        session.close()
        raise IdentityMismatch(
            f"remodel.yml is no longer what session {identifier} was begun with.",
            found="\n".join(changed),
            hint="Put those values back, or begin a new session with `remodel`.",
        )
    return session


def folder_of(config: Config, identifier: str = "") -> Path:
    """Return the folder of the session with this id, or of the newest, which may be at work
    meanwhile.

    Raise UsageError when there is none.
    """
    names = [one.id for one in summaries(config)]
    if not names or (identifier and identifier not in names):
        raise UsageError(
            f"There is no session {identifier}".rstrip() + ".",
            hint=nearest(identifier, names) or "Begin one with `remodel`.",
        )
    return config.state / "sessions" / (identifier or names[-1])


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
    """Return every session on disk, oldest first. Reads only; no lock is taken.

    A session that was cut off before it had begun is left out.
    """
    folder = config.state / "sessions"
    listed = []
    for path in sorted(folder.glob("*/journal.sqlite")):
        journal = Journal(path.resolve(), read_only=True)
        if journal.noted("begun") is None:
            journal.close()
            continue
        states: dict[str, str] = {}
        for entry in journal.entries():
            if entry.kind not in ("answer", "consent", "kept"):
                states[entry.operation] = entry.kind
        conversion = journal.noted("identity", {}).get("conversion", {})
        listed.append(
            Summary(
                id=path.parent.name,
                begun=journal.noted("begun", 0.0),
                conversion=f"{conversion.get('from')} to {conversion.get('to')}",
                done=[key for key, kind in states.items() if kind in ("done", "skipped")],
                interrupted=[key for key, kind in states.items() if kind in UNSETTLED],
                finished=bool(journal.noted("finished")),
            )
        )
        journal.close()
    return listed
