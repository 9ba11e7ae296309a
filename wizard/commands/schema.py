"""JSON schemas (draft 2020-12) of what others read and write: answers.yml, and the lines of --json.

Made from the questions' and the events' own declarations; the objects at the end of a run, which
are no events, are described here.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from wizard.base.events import Event
from wizard.commands import outline
from wizard.config.config import Config
from wizard.session.answers import FINGERPRINT, VERSION
from wizard.steps import STEPS
from wizard.upkeep.rehearsal import RehearsalAccount

DRAFT = "https://json-schema.org/draft/2020-12/schema"
_WORDS = {"type": "array", "items": {"type": "string"}}
_NUMBERS = {"type": "object", "additionalProperties": {"type": "integer"}}


def answers(config: Config) -> dict[str, Any]:
    """Return the schema of answers.yml, with the questions, gates and targets of this config.

    Whether something is missing depends on what is replayed: that, `remodel check` tells.
    """
    consent = {
        "type": "object",
        "description": "Given to exactly this plan; a session records it.",
        "required": ["fingerprint"],
        "properties": {
            "fingerprint": {"type": "string", "pattern": FINGERPRINT},
            "plan": {"type": "object"},
        },
    }
    steps = [step.name for step in STEPS]
    return {
        "$schema": DRAFT,
        "title": "Recorded answers of wagtail-remodel",
        **_object(
            {
                "remodel": {"const": VERSION, "description": "The version of this format."},
                "recorded": {
                    "type": "object",
                    "description": "By whom and when.",
                    "properties": {"changed": _WORDS},
                },
                "project": {"type": "object", "description": "What the answers were given for."},
                "answers": _object({q.key: q.schema() for q in outline.questions(config)}),
                "consents": _object(dict.fromkeys(outline.gates(config), consent)),
                "interactive": {
                    "description": "Steps that a person goes through, also when replaying.",
                    "type": "array",
                    "items": {"enum": steps},
                },
            },
            required=["remodel"],
        ),
    }


def events() -> dict[str, Any]:
    """Return the schema of each line of `--json`."""
    return {
        "$schema": DRAFT,
        "title": "A line of remodel --json",
        "oneOf": [*map(_event, Event.__subclasses__()), _SUMMARY, _rehearsal(), _ERROR],
    }


def _object(properties: Mapping[str, Any], required: list[str] | None = None) -> dict[str, Any]:
    schema = {"type": "object", "additionalProperties": False, "properties": dict(properties)}
    return {**schema, "required": required} if required else schema


def _line(kind: str, about: str, properties: Mapping[str, Any]) -> dict[str, Any]:
    """Return an object of this kind, which has all of these."""
    whole = {"kind": {"const": kind}, **properties}
    return {"title": kind, "description": about, **_object(whole, list(whole))}


def _event(kind: type[Event]) -> dict[str, Any]:
    hints = get_type_hints(kind)
    about = " ".join((kind.__doc__ or "").split())
    return _line(kind.kind, about, {field.name: _of(hints[field.name]) for field in fields(kind)})


def _of(hint: Any) -> dict[str, Any]:
    """Return the schema of a type, as JSON has it."""
    if get_origin(hint) in (Union, types.UnionType):
        return {"anyOf": [_of(alternative) for alternative in get_args(hint)]}
    if get_origin(hint) is Literal:
        return {"enum": list(get_args(hint))}
    if get_origin(hint) is list:
        return {"type": "array", "items": _of(get_args(hint)[0])}
    if get_origin(hint) is dict:  # JSON's keys are texts, whatever they were
        return {"type": "object", "additionalProperties": _of(get_args(hint)[1])}
    return dict(_SIMPLE[hint])


_SIMPLE: dict[Any, dict[str, Any]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    type(None): {"type": "null"},
    Any: {},
}

_SUMMARY = _line(
    "summary",
    "The end of a run that has done everything.",
    {
        "session": {"type": "string"},
        "converted": {
            "type": "array",
            "items": _object(
                {
                    **{name: {"type": "string"} for name in ("title", "url", "from", "to")},
                    **{name: {"type": "integer"} for name in ("old_id", "new_id")},
                },
                ["title", "url", "from", "to", "old_id", "new_id"],
            ),
        },
        "ledger": _NUMBERS,
        "objects": {
            "type": "object",
            "description": "By target: the objects of its database, and what became of them.",
            "additionalProperties": _NUMBERS,
        },
        "urls_before": {"type": "integer"},
        "urls_same_after": {"type": "integer"},
        "verified": _WORDS,
        "delivered": {
            "type": "object",
            "description": "By target: the database that a rollback swaps back in, or empty.",
            "additionalProperties": {"type": "string"},
        },
        "deploy": _object(
            {"folder": {"type": "string"}, "files": _WORDS, "failures": _WORDS},
            ["folder", "files", "failures"],
        ),
        "report": {"type": "string"},
    },
)


def _rehearsal() -> dict[str, Any]:
    properties = {field.name: _WORDS for field in fields(RehearsalAccount)}
    return _line(
        "rehearsal",
        "What a rehearsal found otherwise than it was recorded, as sentences.",
        {"session": {"type": "string"}, **properties},
    )


_ERROR = _line(
    "error",
    "What ended the run; always the last line.",
    {
        **{name: {"type": "string"} for name in ("error", "message", "found", "hint")},
        "exit_code": {"type": "integer"},
    },
)
