"""The recorded answers: read, check, write.

remodel: 1                      the version of this format
recorded: {...}                 by whom and when; for people
project: {...}                  what the answers were given for
answers: {backup.source: fetch} by the key of each question
consents:                       by the key of each gated operation
  backup.restore: {fingerprint: 0a1b..., plan: {...}}
interactive: [structure]        steps to open for a person even when replaying
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from wizard import yamlfile
from wizard.errors import AnswersError
from wizard.operation import Plan
from wizard.questions import Question
from wizard.redaction import MASK, redact

VERSION = 1
_KEYS = ("remodel", "recorded", "project", "answers", "consents", "interactive")
_SECRET_KEY = re.compile(r"passw|secret|token|passphrase|api_?key|dsn", re.IGNORECASE)
_SECRET_VALUE = re.compile(r"://[^/\s:@]+:[^/\s@]+@|-----BEGIN [A-Z ]*PRIVATE KEY")


@dataclass
class Answers:
    """What was answered and consented to, so far."""

    answers: dict[str, Any] = field(default_factory=dict)
    consents: dict[str, dict[str, Any]] = field(default_factory=dict)
    project: dict[str, Any] = field(default_factory=dict)
    interactive: list[str] = field(default_factory=list)

    def consent(self, plan: Plan) -> None:
        """Record consent to `plan`, with what it was about, for a readable difference later."""
        self.consents[plan.operation] = {
            "fingerprint": plan.fingerprint,
            "plan": plan.consented(),
        }


def read(path: Path) -> Answers:
    """Read answers.yml. Raises AnswersError for its form; `check` judges its content."""
    data, lines = yamlfile.load(path, AnswersError)
    if not isinstance(data, dict) or "remodel" not in data:
        raise AnswersError(
            f"{path} is not a file of recorded answers.",
            found="its first key should be `remodel: 1`",
            hint="Take the answers.yml that a session wrote into its folder.",
        )
    if data["remodel"] != VERSION:
        raise AnswersError(
            f"{path} has format {data['remodel']!r}, and this version reads {VERSION}.",
            hint="Record the session again with this version.",
        )
    for key in data:
        if key not in _KEYS:
            raise AnswersError(
                f"{path.name} line {lines.get(str(key), 1)}: the key {key!r} is not known.",
                hint=yamlfile.nearest(str(key), list(_KEYS)),
            )
    parts = {key: _mapping(data, key, path, lines) for key in ("answers", "consents", "project")}
    for key, consent in parts["consents"].items():
        if not isinstance(consent, dict) or not isinstance(consent.get("fingerprint"), str):
            raise AnswersError(
                f"{path.name} line {lines.get(f'consents.{key}', 1)}: "
                f"the consent {key!r} has no fingerprint.",
                hint="A consent is {fingerprint: ..., plan: {...}}, as a session records it.",
            )
    interactive = data.get("interactive") or []
    if not isinstance(interactive, list):
        raise AnswersError(f"{path.name}: `interactive` is a list of steps.")
    _no_secrets(parts["answers"], path, lines)
    return Answers(parts["answers"], parts["consents"], parts["project"], interactive)


def check(
    answers: Answers,
    questions: Sequence[Question],
    gated: Sequence[str],
    gates: Sequence[str],
    steps: Sequence[str],
    *,
    partial: bool = False,
) -> list[str]:
    """Every fault of the answers, as sentences; all at once, before anything runs.

    `gated` are the operations that always need consent, `gates` those that may. With
    `partial`, what is missing is no fault.
    """
    faults: list[str] = []
    known = {question.key: question for question in questions}
    for key, value in answers.answers.items():
        if key not in known:
            faults.append(f"answers.{key}: not a question. {yamlfile.nearest(key, list(known))}")
            continue
        try:
            known[key].accept(value)
        except ValueError as problem:
            faults.append(f"answers.{key}: {problem}")
    for key in answers.consents:
        if key not in gates:
            hint = yamlfile.nearest(key, list(gates))
            faults.append(f"consents.{key}: no operation with a gate has this name. {hint}")
    for name in answers.interactive:
        if name not in steps:
            faults.append(f"interactive: no step is named {name!r}. {', '.join(steps)}")
    if not partial:
        faults += [
            f"answers.{key}: missing. {question.text}"
            for key, question in known.items()
            if key not in answers.answers
            and question.key.partition(".")[0] not in answers.interactive
        ]
        faults += [
            f"consents.{key}: missing; this operation runs only with consent."
            for key in gated
            if key not in answers.consents and key.partition(".")[0] not in answers.interactive
        ]
    return faults


def write(
    path: Path, answers: Answers, questions: Mapping[str, Question], recorded: Mapping[str, str]
) -> None:
    """Write answers.yml (0600, atomically), each answer under its question's help."""
    lines = [
        "# Recorded answers of wagtail-remodel. Replay with:",
        "#   remodel replay answers.yml --allow TARGET",
        "# Consents hold the fingerprint of the plan that was consented to; a plan that has",
        "# changed since stops the replay. Secrets never belong in here.",
        _dump({"remodel": VERSION, "recorded": dict(recorded), "project": answers.project}),
        "answers:" if answers.answers else "answers: {}",
    ]
    for key, value in answers.answers.items():
        question = questions.get(key)
        if question is not None:
            lines += [f"  # {line}" for line in (question.text, *question.help.splitlines())]
        lines.append(_indented(_dump({key: value})))
    lines.append(_dump({"consents": answers.consents, "interactive": answers.interactive}))
    temporary = path.with_suffix(".part")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def _no_secrets(answers: Mapping[str, Any], path: Path, lines: Mapping[str, int]) -> None:
    for key, value in answers.items():
        text = str(value)
        plain = not text.startswith(("env:", "file:"))
        if plain and (
            _SECRET_KEY.search(key) or _SECRET_VALUE.search(text) or MASK in redact(text)
        ):
            raise AnswersError(
                f"{path.name} line {lines.get(f'answers.{key}', 1)}: "
                f"answers.{key} holds a secret in the clear.",
                hint="Take it out of the file; secrets come from .env or the environment by name.",
            )


def _mapping(
    data: Mapping[str, Any], key: str, path: Path, lines: Mapping[str, int]
) -> dict[str, Any]:
    value = data.get(key) or {}
    if not isinstance(value, dict):
        raise AnswersError(f"{path.name} line {lines.get(key, 1)}: {key} is a mapping of keys.")
    return {str(name): item for name, item in value.items()}


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
