"""The code that still speaks of fields which a class loses: for the operator to look at.

It cannot be moved for them. A method that reads `self.keywords` may belong to the old class,
to the new one, or have to tell the two apart.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import libcst as cst

from wizard.project.source.fields import defined_here, definition
from wizard.project.source.lists import Lists
from wizard.project.source.parsed import (
    Edit,
    Module,
    SourceError,
    assigned_lines,
    find_class,
    parse,
)
from wizard.project.source.removing import list_removal, removal
from wizard.project.source.scope import scope_names


@dataclass(frozen=True, order=True)
class Mention:
    """A line of the file that speaks of a field: its number, and its text without indentation."""

    line: int
    text: str


def mentions(module: str, cls: str, fields: Sequence[str]) -> list[Mention]:
    """Return the lines that speak of the fields of `cls` and stay when the fields are removed
    from it.

    Looked for: attributes of the fields' names anywhere in the file; in the class also strings,
    keywords and bare names; outside it strings and keywords in calls on the class
    (`Blog.objects.filter(keywords__icontains="x")`). In another class, `self.keywords` counts
    only when that class inherits from `cls` and does not define the field. Code in other files
    and in templates is not seen. The fields may be removed from the class already.
    """
    if not fields:
        return []
    parsed = parse(module)
    node = find_class(parsed, cls)
    present = [field for field in fields if defined_here(node, field)]
    gone = [assigned_lines(parsed, definition(parsed, node, field)) for field in present]
    gone += [(edit.start, edit.end) for edit in _removed(parsed, node, present, fields)]
    finder = _Finder(cls, fields)
    parsed.tree.visit(finder)
    lines = set()
    for mention in finder.found:
        at = parsed.inner_span(mention)[0]
        if not any(start <= at < end for start, end in gone):
            line = parsed.text[parsed.line_start(at) : parsed.line_end(at)]
            lines.add(Mention(parsed.line_number(at), line.strip()))
    return sorted(lines)


def _removed(
    module: Module, node: cst.ClassDef, present: Sequence[str], fields: Sequence[str]
) -> list[Edit]:
    """Return what is taken out with the fields, as far as it can be."""
    lists = Lists(module)
    lines: dict[cst.ClassDef | None, list[tuple[int, int]]] = {}
    try:
        edits = removal(module, node, present) if present else []
    except SourceError:
        edits = []  # then they are not removed at all
    edits += list_removal(lists, node.name.value, fields, lines)
    return edits + [Edit(*cut) for cuts in lines.values() for cut in cuts]


class _Finder(cst.CSTVisitor):
    def __init__(self, cls: str, fields: Sequence[str]) -> None:
        super().__init__()
        self.cls = cls
        self.fields = set(fields)
        self.pattern = re.compile(rf"-?(?:{'|'.join(map(re.escape, fields))})(?:__\w+)?")
        self.classes: list[cst.ClassDef] = []
        self.calls: list[cst.Call] = []  # around this node, on the class itself
        self.found: list[cst.CSTNode] = []

    def visit_ClassDef(self, node: cst.ClassDef) -> None:
        if not self.classes and node.name.value == self.cls:
            for statement in node.body.body:
                if not isinstance(statement, cst.FunctionDef | cst.ClassDef):
                    names = scope_names(statement)
                    self.found += [name for name in names if name.value in self.fields]
        self.classes.append(node)

    def leave_ClassDef(self, original_node: cst.ClassDef) -> None:
        self.classes.pop()

    def visit_Call(self, node: cst.Call) -> None:
        if _leftmost(node) == self.cls:
            self.calls.append(node)

    def leave_Call(self, original_node: cst.Call) -> None:
        if self.calls and self.calls[-1] is original_node:
            self.calls.pop()

    def visit_Attribute(self, node: cst.Attribute) -> None:
        name = node.attr.value
        if name not in self.fields:
            return
        own = isinstance(node.value, cst.Name) and node.value.value in ("self", "cls")
        if not own or self._about(name):
            self.found.append(node.attr)

    def visit_Arg(self, node: cst.Arg) -> None:
        if node.keyword is not None and self._close() and self._names(node.keyword.value):
            self.found.append(node.keyword)

    def visit_SimpleString(self, node: cst.SimpleString) -> None:
        if self._close() and self._names(node.raw_value):
            self.found.append(node)

    def _names(self, text: str) -> bool:
        return self.pattern.fullmatch(text) is not None

    def _close(self) -> bool:
        """In the class, or in a call on it."""
        return bool(self.calls) or bool(self.classes and self.classes[0].name.value == self.cls)

    def _about(self, field: str) -> bool:
        """Whether `self` is an instance of the class with the field that it loses."""
        if not self.classes:
            return True
        outer = self.classes[0]
        if outer.name.value == self.cls:
            return True
        bases = [arg.value.value for arg in outer.bases if isinstance(arg.value, cst.Name)]
        return self.cls in bases and not defined_here(outer, field)


def _leftmost(node: cst.BaseExpression) -> str | None:
    while True:
        match node:
            case cst.Call(func=inner) | cst.Attribute(value=inner):
                node = inner
            case cst.Name(value=name):
                return name
            case _:
                return None
