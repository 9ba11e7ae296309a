"""Questions: declared once, asked anywhere.

A form field, a prompt line and a key of answers.yml are made from the same `Question`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from wizard.base import redaction
from wizard.base.yamlfile import brief
from wizard.config import fieldmap
from wizard.config.fieldmap import FieldTable

Kind = Literal["text", "number", "choice", "many", "path", "source", "fields"]


@dataclass(frozen=True)
class Question:
    """Something the operator decides.

    `kind` is the shape of the answer: `text`, `path` and `source` (program text, several
    lines) are strings, `number` an int, `choice` one of `choices`, `many` a list of them,
    `fields` a field map as in remodel.yml, whose default is a FieldTable.
    `default` of None means that there is none. `check` may raise ValueError with a reason.
    """

    key: str
    text: str
    help: str = ""
    kind: Kind = "text"
    choices: tuple[str, ...] = ()
    default: Any = None
    check: Callable[[Any], None] | None = None
    optional: bool = False
    """Whether an empty answer is one."""

    def accept(self, raw: Any) -> Any:
        """Return the answer in its proper type, from a typed line or from YAML.

        Raise ValueError with a sentence about what is wrong.
        """
        value = self._shaped(raw)
        if redaction.exposed(self.key, str(value)):
            raise ValueError(
                "this is a secret in the clear; secrets come by name, from .env or the environment"
            )
        if value in ("", []) and not self.optional:
            raise ValueError("an answer is needed here")
        if self.check is not None and value not in ("", []):
            self.check(value)
        return value

    def schema(self) -> dict[str, Any]:
        """Return the JSON schema of an answer as answers.yml has it. What it allows, `accept`
        takes, but for what only `check` and the project know."""
        return {"description": "\n".join(filter(None, (self.text, self.help))), **self._form()}

    def _form(self) -> dict[str, Any]:
        among = {"enum": list(self.choices)} if self.choices else {}
        match self.kind:
            case "number":
                return {"type": "integer", "minimum": 0, "maximum": 10**18 - 1}
            case "fields":
                return fieldmap.SCHEMA
            case "many":
                items = {"type": "string", **among}
                return {"type": "array", "items": items, "minItems": 0 if self.optional else 1}
        return {"type": "string", **among, **({} if self.optional else {"pattern": r"\S"})}

    def _shaped(self, raw: Any) -> Any:
        if self.kind == "number":
            if isinstance(raw, bool) or not re.fullmatch(r"\s*[0-9]{1,18}\s*", str(raw)):
                raise ValueError(f"a whole number is needed, not {brief(raw)}")
            return int(raw)
        if self.kind == "fields":
            return fieldmap.entries(raw.entries if isinstance(raw, FieldTable) else raw)
        if self.kind == "many":
            if not isinstance(raw, list | str):
                raise ValueError(f"a list is needed, not {brief(raw)}")
            items = raw if isinstance(raw, list) else raw.replace(",", " ").split()
            for item in items:
                self._among(item)
            return list(items)
        if not isinstance(raw, str):
            raise ValueError(f"a text is needed, not {brief(raw)}")
        value = raw if self.kind == "source" else raw.strip()
        if self.kind == "choice":
            self._among(value)
        return value

    def _among(self, value: Any) -> None:
        if self.choices and value not in self.choices:
            raise ValueError(f"{brief(value)} is not one of {', '.join(self.choices)}")
