"""Lines of a template, Django's or Jinja's, that name a page type or one of its fields."""

from __future__ import annotations

import re
from collections.abc import Iterator

from wizard.project.source.usage_names import Names

LEFT_OUT = re.compile(
    r"\{#.*?#\}"
    r"|\{%-?\s*comment\b.*?%\}.*?\{%-?\s*endcomment\s*-?%\}"
    r"|\{%-?\s*(?:verbatim|raw)\b(?P<name>[^%]*)%\}.*?\{%-?\s*end(?:verbatim|raw)\b[^%]*%\}",
    re.DOTALL,
)
TAG = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
STRING = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'", re.DOTALL)


def template_lines(text: str, names: Names) -> list[int]:
    """Return the lines whose tags name the class, or one of its fields or accessors."""
    text = LEFT_OUT.sub(lambda match: _blank(match[0]), text)
    return sorted(
        {
            text.count("\n", 0, tag.start() + position) + 1
            for tag in TAG.finditer(text)
            for position in _positions(tag[0], names)
        }
    )


def _positions(tag: str, names: Names) -> Iterator[int]:
    """Yield where in a tag something is named: after a dot outside of strings, or in a string."""
    dotted = "|".join(map(re.escape, sorted(names.attributes)))
    outside = STRING.sub(lambda match: _blank(match[0]), tag)
    for match in re.finditer(rf"(?<=[\w)\]])\.(?:{dotted})(?![\w(])", outside):
        yield match.start()
    for string in STRING.finditer(tag):
        inside = string[0][1:-1]
        if inside in (names.old_class, names.accessor) or names.labels.search(inside):
            yield string.start()


def _blank(text: str) -> str:
    """Return spaces in place of a text, and its lines."""
    return re.sub(r"[^\n]", " ", text)
