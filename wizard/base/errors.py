"""Everything that can go wrong, as one tree. Each error has an exit code and a hint.

RemodelError                    1
├── OperationFailed             1   an operation could not do its work
│   ├── DiskFailed              1   ... since a disk is full, read-only or failing
│   └── WorkerFailed            1   ... inside the project's own Python process
├── UsageError                  2   the command line, or no terminal where one is needed
├── ConfigError                 2   remodel.yml, .env, or the project they point to
├── AnswersError                2   answers.yml
├── ConnectionFailed            3   worth a retry
├── Stopped                     4   work is left
│   ├── InputMissing            4   ... because nobody answered a question
│   ├── ConsentMissing          4   ... because nobody consented to a plan
│   ├── Declined                4   ... because the operator said no, or stopped
│   └── StartOver               4   ... because the operator wants all since a step done anew
├── PlanStale                   5   consent was given to another plan
├── IdentityMismatch            5   this is not the database, host or project it was
└── VerificationFailed          6   the work was done, and looking at it found a fault
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum


class ExitCode(IntEnum):
    """What the process ends with. 128+n is added for a signal n."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    CONNECTION = 3
    STOPPED = 4
    STALE = 5
    VERIFICATION = 6


def some(lines: Sequence[str], most: int, between: str = "\n") -> str:
    """Return the first of what was found, and how many there are where that is more."""
    more = [f"and {len(lines) - most:,} more"] if len(lines) > most else []
    return between.join([*lines[:most], *more])


class RemodelError(Exception):
    """An error for the operator: what was tried, what was found, what to do next.

    `message` says what was tried and how it failed, in one sentence. `found` holds the
    evidence, possibly several lines (a traceback of the project's, a tool's own output).
    `hint` says what to do next.
    """

    exit_code: ExitCode = ExitCode.FAILED

    def __init__(self, message: str, *, found: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.found = found.rstrip()
        self.hint = hint

    def __str__(self) -> str:
        parts = [self.message]
        if self.found:
            parts.append("\n".join(f"    {line}" for line in self.found.splitlines()))
        if self.hint:
            parts.append(f"What to do: {self.hint}")
        return "\n".join(parts)


class OperationFailed(RemodelError):
    """An operation could not do its work; what it had begun was taken back or can be resumed."""


class DiskFailed(OperationFailed):
    """A file could not be written: the disk is full, read-only or failing, or a limit is met."""


class WorkerFailed(OperationFailed):
    """The project's own Python process failed; `found` holds the project's traceback."""


class UsageError(RemodelError):
    """The command line cannot be followed, or a terminal is needed and there is none."""

    exit_code = ExitCode.USAGE


class ConfigError(RemodelError):
    """remodel.yml, .env or the project they point to cannot be used."""

    exit_code = ExitCode.USAGE


class AnswersError(RemodelError):
    """answers.yml cannot be used: unknown or missing keys, wrong types, a secret in the clear."""

    exit_code = ExitCode.USAGE


class ConnectionFailed(RemodelError):
    """SSH or PostgreSQL could not be reached, refused us, or went away. Worth a retry."""

    exit_code = ExitCode.CONNECTION


class Stopped(RemodelError):
    """The run stopped in good order with work left."""

    exit_code = ExitCode.STOPPED


class InputMissing(Stopped):
    """A question has no recorded answer and nobody is there to ask."""


class ConsentMissing(Stopped):
    """A plan needs consent, and the recorded answers or `--allow` do not give it."""


class Declined(Stopped):
    """The operator did not consent, or asked to stop."""


class StartOver(Stopped):
    """At the gate of `operation` the operator chose its other way: back to the step of
    `question`, have it answered otherwise, and do all since then anew."""

    def __init__(self, operation: str, question: str, answer: str) -> None:
        super().__init__(f"{operation} waits for {question} to be {answer}.")
        self.operation = operation
        self.question = question
        self.answer = answer


class PlanStale(RemodelError):
    """Consent was given to a plan that is no longer what would be done."""

    exit_code = ExitCode.STALE


class IdentityMismatch(RemodelError):
    """A database, host or project is not the one this session is pinned to."""

    exit_code = ExitCode.STALE


class VerificationFailed(RemodelError):
    """The work was done, and looking at the result found a fault."""

    exit_code = ExitCode.VERIFICATION


class NotYet(RemodelError):
    """A plan cannot be computed before another operation is done. Only `remodel plan` meets it."""
