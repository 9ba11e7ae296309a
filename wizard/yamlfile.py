"""Reading YAML that a person wrote: strict, bounded, and every value with its line."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml

from wizard.errors import RemodelError

LIMIT = 1024 * 1024  # bytes; a config or an answers file is a few kilobytes


class _Loader(yaml.SafeLoader):
    """Safe, and without aliases: nothing here needs them, and they make YAML bombs."""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()  # type: ignore[no-untyped-call]
            raise yaml.composer.ComposerError(
                None, None, "aliases (*name) are not used here", event.start_mark
            )
        return super().compose_node(parent, index)

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Refuse a key given twice, which YAML would let the second one win."""
        seen: set[Any] = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key.value!r} is given twice", key.start_mark
                )
            seen.add(key.value)
        super().flatten_mapping(node)


def load(path: Path, error: type[RemodelError]) -> tuple[Any, dict[str, int]]:
    """The data of a YAML file, and the line (from 1) of each value by its dotted key.

    Raises `error` when the file is missing, too large, or not plain YAML.
    """
    try:
        size = path.stat().st_size
        if size > LIMIT:
            raise error(
                f"{path} is too large to be read.",
                found=f"{size:,} bytes; the limit is {LIMIT:,}",
                hint="Check that this is the right file.",
            )
        text = path.read_text(encoding="utf-8")
    except OSError as problem:
        raise error(f"{path} cannot be read.", found=str(problem), hint="Check the path.") from None
    except UnicodeDecodeError as problem:
        raise error(f"{path} is not UTF-8 text.", found=str(problem)) from None
    return parse(text, str(path), error)


def parse(text: str, name: str, error: type[RemodelError]) -> tuple[Any, dict[str, int]]:
    """As `load`, from a text; `name` is what messages call it."""
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
    except (yaml.YAMLError, ValueError, RecursionError) as problem:
        raise error(
            f"{name} is not the plain YAML that is expected.",
            found=str(problem).replace("<unicode string>", name),
            hint="Mend the line that is named.",
        ) from None
    return data, lines


def _note_lines(node: yaml.Node, at: str, lines: dict[str, int]) -> None:
    lines[at] = node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            _note_lines(value, f"{at}.{key.value}" if at else str(key.value), lines)
    elif isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            _note_lines(value, f"{at}[{number}]", lines)


def nearest(word: str, words: list[str]) -> str:
    """` Did you mean X?` with the nearest of `words`, or the list of them."""
    close = get_close_matches(word, words, n=3, cutoff=0.5)
    if close:
        return f"Did you mean {' or '.join(close)}?"
    return f"Known here: {', '.join(sorted(words))}." if words else ""
