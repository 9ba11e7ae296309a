"""What else names the old type or a moved field: in the project's code, and in its templates.

For the operator to read: a listing page that queries the old type is empty after a conversion, and
a template that shows a moved field shows nothing. Nothing is imported or run; Python is looked
through as a syntax tree, so that comments and docstrings count for nothing, and templates by
their tags. Migrations and what is not the project's own (environments, caches, node_modules) are
left out.
"""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from wizard.project.encoding import declared
from wizard.project.source.usage_names import Names
from wizard.project.source.usages_in_python import (
    is_migration,
    loose_lines,
    python_lines,
    reverse_names,
)
from wizard.project.source.usages_in_templates import template_lines

LEFT_OUT = {
    *("migrations", "node_modules", "bower_components", "site-packages", "__pycache__"),
    *("venv", "dist", "build"),
}
TEMPLATES = {".html", ".htm", ".txt", ".xml", ".jinja", ".jinja2", ".j2", ".djhtml"}
LARGEST = 2_000_000  # bytes of a file that somebody wrote


@dataclass(frozen=True, order=True)
class Usage:
    """A line that names the old type or a moved field, without its indentation."""

    path: Path
    line: int
    text: str


def usages(roots: Iterable[Path], old_class: str, app: str, fields: Sequence[str]) -> list[Usage]:
    """Return the lines below the folders `roots` that name the class, or one of its `fields`.

    `app` is the class's app label. In Python: the class where it is imported or named,
    "app.Class" and the table in strings, attributes and lookups of the fields' names, the class's
    own accessor (`page.blog`), and the accessors that a field has on what it refers to. In
    templates the same inside of tags. Neither knows what type a variable has: `form.keywords` is
    listed like `page.keywords`. The class's own definition and `self` in a class that defines the
    attribute are not.
    """
    python, templates = _files(roots)
    trees = {path: _parsed(path) for path in python}
    trees = {path: tree for path, tree in trees.items() if tree is None or not is_migration(tree)}
    accessors = {
        name
        for tree in trees.values()
        if tree is not None
        for name in reverse_names(tree, old_class, app, fields)
    }
    names = Names(old_class, app, frozenset(fields), frozenset(accessors))
    return sorted(
        [
            *_usages(trees, lambda path, text: _python_lines(trees[path], text, names)),
            *_usages(templates, lambda path, text: template_lines(text, names)),
        ]
    )


def _python_lines(tree: ast.Module | None, text: str, names: Names) -> list[int]:
    return loose_lines(text, names) if tree is None else python_lines(tree, text, names)


def _usages(
    paths: Iterable[Path], lines_of: Callable[[Path, str], Iterable[int]]
) -> Iterator[Usage]:
    for path in paths:
        text = _read(path)
        lines = text.split("\n")
        for line in sorted(set(lines_of(path, text))):
            yield Usage(path, line, lines[line - 1].strip())


def _files(roots: Iterable[Path]) -> tuple[list[Path], list[Path]]:
    """Return the Python files and the templates below the roots, each once."""
    python: list[Path] = []
    templates: list[Path] = []
    seen: set[Path] = set()
    for root in roots:
        for folder, below, names in os.walk(root):
            below[:] = sorted(name for name in below if _is_own(Path(folder, name)))
            for path in (Path(folder, name) for name in sorted(names)):
                kind = path.suffix.lower()
                if kind != ".py" and kind not in TEMPLATES:
                    continue
                real = path.resolve()
                if real in seen or not path.is_file() or path.stat().st_size > LARGEST:
                    continue
                seen.add(real)
                (python if kind == ".py" else templates).append(path)
    return python, templates


def _is_own(folder: Path) -> bool:
    return not (
        folder.name in LEFT_OUT
        or folder.name.startswith(".")
        or folder.name.endswith((".egg-info", ".dist-info"))
        or (folder / "pyvenv.cfg").exists()
    )


def _parsed(path: Path) -> ast.Module | None:
    """Return a file's syntax tree; None for Python of another version than the one here."""
    try:
        return ast.parse(_read(path))
    except (SyntaxError, ValueError, RecursionError):
        return None


def _read(path: Path) -> str:
    """Return a file's text, Python in the encoding that it declares, with lines that end alike."""
    data = path.read_bytes()
    encoding = "utf-8"
    if path.suffix == ".py":
        try:
            encoding = declared(data)
        except SyntaxError:
            encoding = "utf-8"
    return re.sub("\r\n?", "\n", data.decode(encoding, "replace").removeprefix("\ufeff"))
