"""A models file as text and as a tree, with the place of every node in the text."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache

import libcst as cst
from libcst.metadata import (
    CodeRange,
    MetadataWrapper,
    PositionProvider,
    WhitespaceInclusivePositionProvider,
)

from wizard.base.errors import OperationFailed

_NEWLINE = re.compile(r"\r\n?|\n")
_BOM = "\ufeff"


class SourceError(OperationFailed):
    """The models file is not written in a way that can be edited safely. Nothing was changed."""


@dataclass(frozen=True, order=True)
class Edit:
    """Put `text` in the place of the characters from `start` up to `end`."""

    start: int
    end: int
    text: str = ""


def edited(text: str, edits: Iterable[Edit], start: int = 0, end: int | None = None) -> str:
    """`text[start:end]` with those of the edits made that lie within. Edits must not overlap."""
    end = len(text) if end is None else end
    parts: list[str] = []
    at = start
    for edit in sorted(set(edits)):
        if edit.start < start or edit.end > end:
            continue
        if edit.start < at:
            raise ValueError(f"overlapping edits at {edit.start}")
        parts += [text[at : edit.start], edit.text]
        at = edit.end
    parts.append(text[at:end])
    return "".join(parts)


@dataclass(frozen=True)
class Assignment:
    """`name = value`, `name: annotation = value` or `name += value` on a line of its own."""

    name: str
    target: cst.Name
    line: cst.SimpleStatementLine
    value: cst.BaseExpression
    statement: cst.Assign | cst.AnnAssign | cst.AugAssign


class Module:
    """A parsed file. Offsets count characters of `text`.

    Raises SourceError when the text is not Python.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        # libcst drops a byte order mark, so the positions it gives are counted without it.
        self._skipped = len(_BOM) if text.startswith(_BOM) else 0
        code = text[self._skipped :]
        try:
            wrapper = MetadataWrapper(cst.parse_module(code))
        except cst.ParserSyntaxError as error:
            lines = _NEWLINE.split(code)
            line = lines[min(error.raw_line, len(lines)) - 1]
            raise SourceError(
                f"The models file is not valid Python: syntax error near line {error.raw_line}.",
                found=line,
                hint="Correct the file, then try again.",
            ) from None
        self.tree = wrapper.module
        self.newline = self.tree.default_newline
        self._inner = wrapper.resolve(PositionProvider)
        self._outer = wrapper.resolve(WhitespaceInclusivePositionProvider)
        self._starts = [self._skipped] + [
            match.end() + self._skipped for match in _NEWLINE.finditer(code)
        ]

    def _offsets(self, place: CodeRange) -> tuple[int, int]:
        def offset(line: int, column: int) -> int:
            # A file without a newline at its end: libcst counts the one it would have.
            if line > len(self._starts):
                return len(self.text)
            return min(self._starts[line - 1] + column, len(self.text))

        return offset(place.start.line, place.start.column), offset(
            place.end.line, place.end.column
        )

    def span(self, node: cst.CSTNode) -> tuple[int, int]:
        """Where an expression stands, its own parentheses included."""
        return self._offsets(self._outer[node])

    def inner_span(self, node: cst.CSTNode) -> tuple[int, int]:
        """Where a node stands without the white space and comments it owns."""
        return self._offsets(self._inner[node])

    def inside(self, string: cst.SimpleString) -> int:
        """Where the content of a string literal begins, behind its prefix and quote."""
        return self.inner_span(string)[0] + len(string.prefix) + len(string.quote)

    def slice(self, node: cst.CSTNode) -> str:
        """Return an expression as it is written."""
        start, end = self.span(node)
        return self.text[start:end]

    def says(self, node: cst.CSTNode, words: Iterable[str]) -> bool:
        """Whether one of the words is anywhere in the text of a node: looked at before the node
        is, which takes far longer.
        """
        start, end = self.inner_span(node)
        text = self.text[start:end]
        return any(word in text for word in words)

    def line_number(self, offset: int) -> int:
        """1 for the first line."""
        return bisect_right(self._starts, offset)

    def line_start(self, offset: int) -> int:
        """Return the beginning of the line that holds `offset`."""
        return self._starts[max(self.line_number(offset), 1) - 1]

    def line_end(self, offset: int) -> int:
        """Return the end of the line that holds `offset`, its newline included."""
        following = self.line_number(offset)
        return self._starts[following] if following < len(self._starts) else len(self.text)

    def line_before(self, start: int) -> int | None:
        """Return the beginning of the line above that which begins at `start`; None at the top."""
        return None if start <= self._skipped else self.line_start(start - 1)

    def comments_above(self, start: int, floor: int) -> int:
        """Return the beginning of the comment lines directly above the line at `start`.

        `floor` is the end of what stands before; nothing above it is looked at, so that a
        string whose last line looks like a comment is not mistaken for one.
        """
        above = self.line_before(start)
        while above is not None and above >= floor:
            if not self.text[above:start].lstrip().startswith("#"):
                break
            start, above = above, self.line_before(above)
        return start


@lru_cache(maxsize=4)
def parse(text: str) -> Module:
    """Return the parsed file; parsing is what takes long, and the same text is asked for again."""
    return Module(text)


def classes(module: Module) -> Iterator[cst.ClassDef]:
    """Yield the classes at the top level of the file."""
    return (node for node in module.tree.body if isinstance(node, cst.ClassDef))


def find_class(module: Module, name: str) -> cst.ClassDef:
    """Return the class of that name at the top level of the file."""
    nodes = [node for node in classes(module) if node.name.value == name]
    if len(nodes) == 1:
        return nodes[0]
    if nodes:
        where = ", ".join(str(module.line_number(module.inner_span(node)[0])) for node in nodes)
        raise SourceError(
            f"Looked for the class {name}: the models file defines it {len(nodes)} times.",
            found=f"on lines {where}",
            hint=f"Leave one definition of {name} in the file.",
        )
    names = [node.name.value for node in classes(module)]
    near = get_close_matches(name, names, n=3) or names
    raise SourceError(
        f"Looked for the class {name} at the top level of the models file, and it is not there.",
        found=f"classes of this file: {', '.join(near)}" if near else "the file has no classes",
        hint=f"Point to the file that defines {name}; a class inside an `if` or a function, "
        "or one that is only imported here, cannot be edited.",
    )


def statements(node: cst.ClassDef) -> Sequence[cst.BaseStatement]:
    """Return what the body of a class consists of; nothing for `class A(B): pass` on one line."""
    return node.body.body if isinstance(node.body, cst.IndentedBlock) else ()


def indentation(module: Module, node: cst.ClassDef) -> str:
    """Return what the body of the class is indented with."""
    own = node.body.indent if isinstance(node.body, cst.IndentedBlock) else None
    return own if own is not None else module.tree.default_indent


def class_lines(module: Module, node: cst.ClassDef) -> tuple[int, int]:
    """Return the lines of a class from its first decorator, newline at the end included."""
    first = node.decorators[0] if node.decorators else node
    start = module.line_start(module.inner_span(first)[0])
    # The tree counts blank lines below an indented class to it; they belong to no one.
    end = start + len(module.text[start : module.span(node)[1]].rstrip())
    return start, module.line_end(end - 1)


def assignments(node: cst.ClassDef) -> Iterator[Assignment]:
    """Yield the assignments to one name on a line of their own in the body of a class."""
    for line in statements(node):
        if not isinstance(line, cst.SimpleStatementLine) or len(line.body) != 1:
            continue
        match line.body[0]:
            case cst.Assign(targets=[cst.AssignTarget(target=cst.Name() as target)]) as statement:
                yield Assignment(target.value, target, line, statement.value, statement)
            case cst.AnnAssign(target=cst.Name() as target, value=cst.BaseExpression()) as noted:
                assert noted.value is not None
                yield Assignment(target.value, target, line, noted.value, noted)
            case cst.AugAssign(target=cst.Name() as target) as augmented:
                yield Assignment(target.value, target, line, augmented.value, augmented)


def assigned_lines(module: Module, assignment: Assignment) -> tuple[int, int]:
    """Return the lines of an assignment with the comment lines directly above it, newline
    included."""
    return own_lines(module, assignment.line)


def own_lines(module: Module, line: cst.BaseStatement) -> tuple[int, int]:
    """Return the lines of a statement with the comment lines directly above it, newline
    included."""
    start, end = module.inner_span(line)
    start = module.line_start(start)
    # The tree counts blank lines below a block to it; they belong to no one.
    end = start + len(module.text[start:end].rstrip())
    floor = module.span(line)[0]
    return module.comments_above(start, floor), module.line_end(max(start, end - 1))


def class_source(module: str, name: str) -> str:
    """Return the text of a class as it stands in the file, from its first decorator to its last
    line."""
    parsed = parse(module)
    start, end = class_lines(parsed, find_class(parsed, name))
    return module[start:end]
