"""Reading YAML that a person wrote: strict, bounded, and every value with its line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NoReturn

import yaml

from wizard.base import opening
from wizard.base.errors import RemodelError

DEPTH = 40
DIGITS = 40
# Escapes such as "\0" put into a text what no path, name or terminal should get. A recorded class
# has the line ends of its models file, and form feeds where that has them.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


class _Loader(yaml.SafeLoader):
    """Safe, and plain: mappings of words, lists, texts, numbers, dates.

    Nothing here needs aliases, which make YAML bombs, or tags.
    """

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent):
            _refuse("aliases (*name) are not used here", event)
        if getattr(event, "tag", None) is not None:
            _refuse(f"tags ({event.tag}) are not used here", event)
        if isinstance(event, yaml.ScalarEvent) and (control := _CONTROL.search(event.value)):
            _refuse(f"a text has the control character {control[0]!r} in it", event)
        if self.depth >= DEPTH:
            _refuse(f"this is nested more than {DEPTH} levels deep", event)
        self.depth += 1
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Refuse a key given twice, of which YAML would silently take the second."""
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                _refuse("a key is a plain word here", key)
            if key.value in seen:
                _refuse(f"the key {key.value!r} is given twice", key)
            seen.add(key.value)
        super().flatten_mapping(node)

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """Refuse a malformed number or date, with its line."""
        if node.tag == "tag:yaml.org,2002:int" and len(node.value) > DIGITS:
            _refuse("a number has too many digits", node)
        try:
            return super().construct_object(node, deep)
        except (ValueError, ArithmeticError) as problem:
            _refuse(f"{node.value!r}: {problem}", node)


def _refuse(why: str, at: yaml.Event | yaml.Node) -> NoReturn:
    mark: Any = at.start_mark
    raise yaml.constructor.ConstructorError(None, None, why, mark)


def load(path: Path, error: type[RemodelError]) -> tuple[Any, dict[str, int]]:
    """Return the data of a YAML file, and the line (from 1) of each value by its dotted key.

    Raise `error` when the file is missing, too large, no file, or not plain YAML.
    """
    data = opening.whole(path, error)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        raise error(
            f"{path} is not UTF-8 text.", found=str(problem), hint="Save it as UTF-8."
        ) from None
    return parse(text, str(path), error)


def parse(text: str, name: str, error: type[RemodelError]) -> tuple[Any, dict[str, int]]:
    """Parse a text as `load` does a file; `name` is what messages call it."""
    lines: dict[str, int] = {}
    try:
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            if node is not None:
                _note_lines(node, "", lines)
            data = loader.construct_document(node) if node is not None else None
        finally:
            loader.dispose()
    except yaml.YAMLError as problem:
        # Without the snippet that PyYAML would show: there may be a secret in that line.
        mark = getattr(problem, "problem_mark", None)
        where = f" line {mark.line + 1}" if mark is not None else ""
        details = [getattr(problem, part, None) for part in ("context", "problem")]
        raise error(
            f"{name}{where} is not the plain YAML that is expected.",
            found=", ".join(part for part in details if part) or str(problem).partition("\n")[0],
            hint="Mend that line." if where else "Mend the file.",
        ) from None
    return data, lines


def _note_lines(node: yaml.Node, at: str, lines: dict[str, int]) -> None:
    lines[at] = node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            _note_lines(value, f"{at}.{key.value}" if at else str(key.value), lines)
            # A block begins below its key; the key's own line is where a person looks.
            lines[f"{at}.{key.value}" if at else str(key.value)] = key.start_mark.line + 1
    elif isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            _note_lines(value, f"{at}[{number}]", lines)


def texts(data: Any, at: str = "") -> Iterator[tuple[str, str]]:
    """Yield every text in `data` but the keys, with its dotted key as `load` names them."""
    if isinstance(data, str):
        yield at, data
    elif isinstance(data, dict):
        for key, value in data.items():
            yield from texts(value, f"{at}.{key}" if at else str(key))
    elif isinstance(data, list):
        for number, value in enumerate(data):
            yield from texts(value, f"{at}[{number}]")


def nearest(word: str, words: list[str]) -> str:
    """Return ` Did you mean X?` with the nearest of `words`, or the list of them."""
    close = get_close_matches(word, words, n=3, cutoff=0.5)
    if close:
        return f"Did you mean {' or '.join(close)}?"
    return f"Known here: {', '.join(sorted(words))}." if words else ""


def brief(value: Any) -> str:
    """Return `value` for a message: in one line, shortened where it is long."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:80]}…"
