"""The recorded answers: read, check, change, write.

remodel: 1                      the version of this format
recorded: {...}                 by whom and when; for people. `changed`: keys set by --set
project: {...}                  what the answers were given for
answers: {backup.source: fetch} by the key of each question
consents:                       by the key of each gated operation
  backup.restore: {fingerprint: 0a1b..., plan: {...}}
interactive: [structure]        steps to open for a person even when replaying
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from wizard.base import files, opening, redaction, yamlfile
from wizard.base.errors import AnswersError, UsageError
from wizard.session.plan import Plan
from wizard.session.questions import Question

VERSION = 1
"""The only one so far. One that changes what is written brings a function from each older one."""
FINGERPRINT = "^[0-9a-f]{16}$"
_KEYS = ("remodel", "recorded", "project", "answers", "consents", "interactive")
_COMMENT = re.compile(r"  # ?(.*)")
_REFERENCE = re.compile(r"env:[A-Za-z_]\w*|file:\S+")


@dataclass
class Answers:
    """What was answered and consented to, so far."""

    answers: dict[str, Any] = field(default_factory=dict)
    consents: dict[str, dict[str, Any]] = field(default_factory=dict)
    project: dict[str, Any] = field(default_factory=dict)
    interactive: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    """Keys whose answers `--set` gave, other than those that were recorded."""
    lines: Mapping[str, int] = field(default_factory=dict, repr=False, compare=False)
    """Where each dotted key stands in the file it was read from."""
    comments: Mapping[str, Sequence[str]] = field(default_factory=dict, repr=False, compare=False)
    """What stood above each answer there, without the #."""

    def consent(self, plan: Plan) -> None:
        """Record consent to `plan`, with what it was about, for a readable difference later."""
        self.consents[plan.operation] = {
            "fingerprint": plan.fingerprint,
            "plan": plan.consented(),
        }

    def with_changes(self, changes: Mapping[str, Any]) -> Answers:
        """Return these answers, some of them set otherwise."""
        return replace(
            self,
            answers={**self.answers, **changes},
            changed=list(dict.fromkeys((*self.changed, *changes))),
            lines={key: line for key, line in self.lines.items() if _answer(key) not in changes},
        )

    def at(self, key: str) -> str:
        """Return a dotted key as messages name it, with its line where that is known."""
        if key in self.lines:
            return f"line {self.lines[key]}: {key}"
        return f"--set {_answer(key)}" if _answer(key) in self.changed else key


def read(path: Path) -> Answers:
    """Read answers.yml. Raise AnswersError with every fault of its form, secrets in the clear
    among them; `check` judges its content."""
    data, lines = yamlfile.load(path, AnswersError)
    if not isinstance(data, dict) or "remodel" not in data:
        raise AnswersError(
            f"{path} is not a file of recorded answers.",
            found="its first key should be `remodel: 1`",
            hint="Take the answers.yml that a session wrote into its folder.",
        )
    _check_version(data["remodel"], path)
    given = Answers(lines=lines, comments=_comments(path, lines))
    faults = [
        f"{given.at(str(key))}: this key is not known. {yamlfile.nearest(str(key), list(_KEYS))}"
        for key in data
        if key not in _KEYS
    ]
    faults += _take(given, data)
    if faults:
        raise faulty(path.name, faults)
    return given


def _comments(path: Path, lines: Mapping[str, int]) -> dict[str, list[str]]:
    """Return the comment above each answer of the file."""
    text = opening.whole(path, AnswersError).decode("utf-8-sig").splitlines()
    comments: dict[str, list[str]] = {}
    for key, line in lines.items():
        above = line - 2  # lines count from 1
        while above >= 0 and (comment := _COMMENT.fullmatch(text[above])):
            comments.setdefault(_answer(key), []).insert(0, comment[1])
            above -= 1
    return comments


def _check_version(version: Any, path: Path) -> None:
    if isinstance(version, int) and not isinstance(version, bool) and version > VERSION:
        raise AnswersError(
            f"{path} was written by a newer version of wagtail-remodel.",
            found=f"its format is {version}; this version reads {VERSION}",
            hint="Install that version: pip install --upgrade wagtail-remodel",
        )
    if version is True or version != VERSION:
        raise AnswersError(
            f"{path} has format {yamlfile.brief(version)}, which was never written.",
            found=f"the format is {VERSION}: `remodel: {VERSION}`",
            hint="Take the answers.yml that a session wrote into its folder.",
        )


def _take(given: Answers, data: Mapping[str, Any]) -> list[str]:
    """Fill `given` from the file's data; return the faults of its form."""
    faults: list[str] = []

    def mapping(key: str) -> dict[str, Any]:
        value = data.get(key)
        if value is None or isinstance(value, dict):
            return {str(name): item for name, item in (value or {}).items()}
        faults.append(f"{given.at(key)}: a mapping of keys is needed here.")
        return {}

    def words(value: Any, key: str) -> list[str]:
        if value is None or (isinstance(value, list) and all(isinstance(w, str) for w in value)):
            return list(value or ())
        faults.append(f"{given.at(key)}: a list of words is needed here.")
        return []

    given.answers, given.project = mapping("answers"), mapping("project")
    for key, consent in mapping("consents").items():
        if _is_consent(consent):
            given.consents[key] = consent
        else:
            faults.append(
                f"{given.at(f'consents.{key}')}: a consent is {{fingerprint: 16 hex digits in "
                "quotes, plan: {...}}, as a session records it."
            )
    given.interactive = words(data.get("interactive"), "interactive")
    given.changed = words(mapping("recorded").get("changed"), "recorded.changed")
    return faults + [
        f"{given.at(key)}: a secret in the clear. Take it out; secrets come by name, from .env or "
        "the environment."
        for key in _exposed(given.answers, data)
    ]


def _exposed(answers: Mapping[str, Any], data: Mapping[str, Any]) -> list[str]:
    """Return the dotted keys of secrets in the clear, in the file's order."""
    exposed = [at for at, text in yamlfile.texts(data) if redaction.shows_secret(text)]
    exposed += [
        f"answers.{key}"
        for key, value in answers.items()
        if not any(one.startswith(f"answers.{key}") for one in exposed)
        and not _refers(value)
        and redaction.exposed(key, str(value))
    ]
    return exposed


def _is_consent(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and re.fullmatch(FINGERPRINT, str(value.get("fingerprint"))) is not None
        and isinstance(value.get("plan") or {}, dict)
    )


def _refers(value: Any) -> bool:
    return isinstance(value, str) and _REFERENCE.fullmatch(value) is not None


def _answer(key: str) -> str:
    """Return the key of the answer that a dotted key of the file is about, or empty."""
    return key.partition("[")[0].removeprefix("answers.") if key.startswith("answers.") else ""


def faulty(name: str, faults: Sequence[str]) -> AnswersError:
    """Return all faults as one error."""
    count = "is a fault" if len(faults) == 1 else f"are {len(faults)} faults"
    return AnswersError(
        f"There {count} in {name}.", found="\n".join(faults), hint="Mend it; nothing was touched."
    )


def settings(given: Iterable[str]) -> dict[str, Any]:
    """Return what `--set KEY=VALUE` says, by key. A value is YAML, as in the file. Raise
    UsageError."""
    changes: dict[str, Any] = {}
    for one in given:
        key, equals, text = one.partition("=")
        if not equals or not key:
            raise UsageError(
                "--set takes KEY=VALUE.",
                hint="For example --set backup.archive=fetch, or "
                "--set 'production.targets=[staging]'.",
            )
        changes[key] = yamlfile.parse(text, f"--set {key}", UsageError)[0]
    return changes


def accepted(answers: Answers, questions: Sequence[Question]) -> dict[str, Any]:
    """Return those answers that their questions accept, in their proper types."""
    good: dict[str, Any] = {}
    for question in questions:
        with suppress(ValueError, KeyError):
            good[question.key] = question.accept(answers.answers[question.key])
    return good


def check(
    answers: Answers,
    questions: Sequence[Question],
    gated: Sequence[str],
    gates: Sequence[str],
    steps: Sequence[str],
    *,
    partial: bool = False,
) -> list[str]:
    """Return every fault of the answers, as sentences; all at once, before anything runs.

    `gated` are the operations that always need consent, `gates` those that may. With
    `partial`, what is missing is no fault.
    """
    faults: list[str] = []
    known = {question.key: question for question in questions}
    for key, value in answers.answers.items():
        at = answers.at(f"answers.{key}")
        if key not in known:
            faults.append(f"{at}: not a question. {yamlfile.nearest(key, list(known))}")
            continue
        try:
            known[key].accept(value)
        except ValueError as problem:
            faults.append(f"{at}: {problem}")
    for key in answers.consents:
        if key not in gates:
            at, hint = answers.at(f"consents.{key}"), yamlfile.nearest(key, list(gates))
            faults.append(f"{at}: no operation with a gate has this name. {hint}")
    for number, name in enumerate(answers.interactive):
        if name not in steps:
            at, hint = answers.at(f"interactive[{number}]"), yamlfile.nearest(name, list(steps))
            faults.append(f"{at}: no step is named {name!r}. {hint}")
    if not partial:
        faults += [
            f"answers.{key}: missing. {question.text}"
            for key, question in known.items()
            if key not in answers.answers and not reopened(answers, key)
        ]
        faults += [
            f"consents.{key}: missing; this operation runs only with consent."
            for key in gated
            if key not in answers.consents and not reopened(answers, key)
        ]
    return faults


def reopened(answers: Answers, key: str) -> bool:
    """Whether a question or an operation is of a step that a person is to go through again."""
    return key.partition(".")[0] in answers.interactive


def write(
    path: Path, answers: Answers, questions: Mapping[str, Question], recorded: Mapping[str, str]
) -> None:
    """Write answers.yml (0600, atomically), each answer under its question's help."""
    changed = {"changed": answers.changed} if answers.changed else {}
    lines = [
        "# Recorded answers of wagtail-remodel. Replay with:",
        "#   remodel replay answers.yml --allow TARGET",
        "# Consents hold the fingerprint of the plan that was consented to; a plan that has",
        "# changed since stops the replay. Secrets never belong in here.",
        _dump({"remodel": VERSION, "recorded": {**recorded, **changed}}),
        _dump({"project": answers.project}),
        "answers:" if answers.answers else "answers: {}",
    ]
    for key, value in answers.answers.items():
        question = questions.get(key)
        about = [*answers.comments.get(key, ())]
        if question is not None:
            about = redaction.shown(f"{question.text}\n{question.help}").splitlines()
        lines += [f"  # {line}".rstrip() for line in about]
        lines.append(_indented(_dump({key: value})))
    lines.append(_dump({"consents": answers.consents, "interactive": answers.interactive}))
    files.write(path, "\n".join(lines) + "\n")


class _Dumper(yaml.SafeDumper):
    """Never writes aliases, which the reader refuses, and shows program text as a block."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.Node:
    style = "|" if "\n" in value else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)


def _dump(data: Any) -> str:
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100).rstrip()


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" if line else line for line in text.splitlines())
