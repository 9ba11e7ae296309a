"""Putting a class into the file, where every name that it uses is defined."""

from __future__ import annotations

import re

import libcst as cst

from wizard.project.source.parsed import (
    Edit,
    Module,
    SourceError,
    class_lines,
    classes,
    edited,
    find_class,
    own_lines,
    parse,
)
from wizard.project.source.removing import blanks_below, without
from wizard.project.source.scope import bound_names, scope_names
from wizard.project.source.words import AtImport, refused

_CHANGING = ("append", "extend", "insert", "remove", "pop", "clear", "update", "add", "reverse")
_LINE_END = re.compile(r"\r\n?|\n")


def insert_class(module: str, *, after: str, text: str) -> str:
    """Return the file with the class `text` put below the class `after`, two blank lines between.

    It stands right below, or further down where it uses what is only defined there, or what is
    given to `after` there. A child of `after` of the same name that is there already is replaced
    where it stands. Raise SourceError when the name is taken by anything else.
    """
    new = parse(text)
    match new.tree.body:
        case [cst.ClassDef() as node]:
            name = node.name.value
        case _:
            raise SourceError(
                "The text to put into the models file is not one class.",
                found=text,
                hint="Give one class definition and nothing else.",
            )
    parsed = parse(module)
    newline = parsed.newline
    find_class(parsed, after)
    check_name(parsed, name, after)
    text = _LINE_END.sub(newline, text.strip("\r\n")) + newline
    standing = [one for one in classes(parsed) if one.name.value == name]
    needed = _place(parsed, after, node)
    if standing:
        start, end = class_lines(parsed, standing[0])
        if start >= needed:
            return edited(module, [Edit(start, end, text)])
        module = edited(module, without(parsed, None, [own_lines(parsed, standing[0])]))
        return insert_class(module, after=after, text=text)
    head, tail = module[:needed], module[needed:]
    if not head.endswith(("\n", "\r")):
        head += newline
    blank = len(blanks_below(parsed, needed) or [needed]) - 1
    gap = newline * max(0, 2 - blank) if tail.strip() else ""
    return head + newline * 2 + text + gap + tail


def check_name(module: Module, name: str, base: str) -> None:
    """Raise SourceError when the file has the name already, for anything but a child of `base`."""
    binding = [one for one in module.tree.body if name in bound_names(one)]
    match binding:
        case []:
            if any(map(_imports_all, module.tree.body)) and _uses(module.tree, name):
                raise SourceError(
                    f"The new class would be called {name}, and the file uses that name already.",
                    found=f"{name} comes from one of the `from ... import *`",
                    hint="Give the new type another name (`conversion.to`).",
                )
            return
        case [cst.ClassDef() as node] if any(
            isinstance(arg.value, cst.Name) and arg.value.value == base for arg in node.bases
        ):
            return
    raise refused(
        module,
        binding[0],
        f"The new class would be called {name}, and the file has that name already, for something "
        f"that is no child of {base}.",
        f"Give the new type another name (`conversion.to`), or rename what is called {name} now.",
    )


def _place(module: Module, after: str, new: cst.ClassDef) -> int:
    """Return the end of the line below which the class can stand."""
    old = find_class(module, after)
    end = class_lines(module, old)[1]
    position = list(module.tree.body).index(old)
    above, below = module.tree.body[: position + 1], module.tree.body[position + 1 :]
    known = {name for statement in above for name in bound_names(statement)}
    used = {name.value for name in scope_names(new)} | {
        name.value for part in new.body.body for name in scope_names(part)
    }
    for statement in below:
        if isinstance(statement, cst.ClassDef) and statement.name.value == new.name.value:
            continue
        given = (bound_names(statement) & used) - known
        if given or _changes(statement, after):
            known |= given
            end = max(end, own_lines(module, statement)[1])
    return end


def _changes(statement: cst.BaseStatement, cls: str) -> bool:
    """Whether a statement gives a class attributes, or changes those that it has."""
    if isinstance(statement, cst.ClassDef | cst.FunctionDef):
        return False
    finder = _Changes(cls)
    statement.visit(finder)
    return finder.there


class _Changes(AtImport):
    def __init__(self, cls: str) -> None:
        super().__init__()
        self.cls = cls
        self.there = False

    def visit_AssignTarget(self, node: cst.AssignTarget) -> None:
        self._look(node.target)

    def visit_AnnAssign(self, node: cst.AnnAssign) -> None:
        self._look(node.target)

    def visit_AugAssign(self, node: cst.AugAssign) -> None:
        self._look(node.target)

    def visit_Call(self, node: cst.Call) -> None:
        match node:
            case cst.Call(
                func=cst.Attribute(value=cst.Attribute() as target, attr=cst.Name(value=verb))
            ) if verb in _CHANGING:
                self._look(target)
            case cst.Call(func=cst.Name(value="setattr"), args=[cst.Arg(value=target), *_]):
                self.there = self.there or _is(target, self.cls)

    def _look(self, target: cst.BaseExpression) -> None:
        while isinstance(target, cst.Attribute | cst.Subscript):
            target = target.value
            self.there = self.there or _is(target, self.cls)


def _is(node: cst.CSTNode, name: str) -> bool:
    return isinstance(node, cst.Name) and node.value == name


def _imports_all(statement: cst.BaseStatement) -> bool:
    return isinstance(statement, cst.SimpleStatementLine) and any(
        isinstance(one, cst.ImportFrom) and isinstance(one.names, cst.ImportStar)
        for one in statement.body
    )


def _uses(tree: cst.Module, name: str) -> bool:
    finder = _Uses(name)
    tree.visit(finder)
    return finder.there


class _Uses(cst.CSTVisitor):
    """A bare name anywhere, as in `StreamField([("podcast", Podcast())])`."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        self.there = False

    def visit_Attribute(self, node: cst.Attribute) -> bool:
        node.value.visit(self)
        return False

    def visit_Arg(self, node: cst.Arg) -> bool:
        node.value.visit(self)
        return False

    def visit_Name(self, node: cst.Name) -> None:
        self.there = self.there or node.value == self.name
