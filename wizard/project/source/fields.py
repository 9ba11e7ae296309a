"""Finding a field's definition in the body of a class, or saying why it cannot be used."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

import libcst as cst

from wizard.project.source.parsed import Assignment, Module, SourceError, assignments, classes

_REVERSE_NAMES = ("related_name", "related_query_name")


def definition(module: Module, node: cst.ClassDef, field: str) -> Assignment:
    """Return the one assignment that defines `field` in the body of the class.

    Raise SourceError when there is none, or it is written in a way that cannot be moved.
    """
    assignments = [one for one in _plain(node) if one.name == field]
    if len(assignments) == 1:
        return assignments[0]
    if assignments:
        lines = ", ".join(
            str(module.line_number(module.span(one.target)[0])) for one in assignments
        )
        raise SourceError(
            f"Looked for the field {field} in {node.name.value}: "
            f"it is defined {len(assignments)} times.",
            found=f"on lines {lines}",
            hint="Leave one definition of it in the class.",
        )
    raise _why_not(module, node, field)


def definitions(module: Module, node: cst.ClassDef, fields: Iterable[str]) -> list[Assignment]:
    """Return the definitions of the fields, in the order of the file."""
    assignments = [definition(module, node, field) for field in dict.fromkeys(fields)]
    return sorted(assignments, key=lambda one: module.span(one.target)[0])


def defined_here(node: cst.ClassDef, field: str) -> bool:
    """Whether the body of the class has a plain definition of the field."""
    return any(one.name == field for one in _plain(node))


def reverse_names(value: cst.BaseExpression) -> list[cst.Arg]:
    """Return the arguments of a field that name it on the other model, where no two may be the
    same.

    (Django's checks fields.E302 to E305.)
    """
    return [
        arg
        for arg in (value.args if isinstance(value, cst.Call) else ())
        if arg.keyword is not None and arg.keyword.value in _REVERSE_NAMES
    ]


def _plain(node: cst.ClassDef) -> list[Assignment]:
    return [one for one in assignments(node) if not isinstance(one.statement, cst.AugAssign)]


def _why_not(module: Module, node: cst.ClassDef, field: str) -> SourceError:
    name = node.name.value
    awkward = _find_awkward(node, field)
    if awkward is not None:
        start = module.span(awkward)[0]
        line = module.text[module.line_start(start) : module.line_end(start)]
        return SourceError(
            f"The field {field} is defined in {name}, but not as a statement of its own.",
            found=f"line {module.line_number(start)}: {line.strip()}",
            hint=f"Write it as `{field} = ...` on a line of its own, directly in the body of "
            f"{name}: no semicolon, no second name, no `if` around it.",
        )
    bases = [module.slice(base.value) for base in node.bases if base.keyword is None]
    start = module.inner_span(node)[0]
    own = [one.name for one in _plain(node)]
    near = get_close_matches(field, own, n=3) or own
    evidence = [
        f"line {module.line_number(start)}: class {name}({', '.join(bases)})",
        f"it assigns: {', '.join(near) or 'nothing'}",
    ]
    for base in classes(module):
        if base.name.value in bases and defined_here(base, field):
            where = module.line_number(module.span(definition(module, base, field).target)[0])
            evidence.append(f"{base.name.value} defines {field} on line {where}")
    return SourceError(
        f"Looked for the definition of the field {field} in {name}, and it is not there.",
        found="\n".join(evidence),
        hint=f"If a base class of {name} brings {field}, move its definition into {name} first; "
        "otherwise correct the name, or take it off `conversion.move`.",
    )


def _find_awkward(node: cst.ClassDef, field: str) -> cst.Name | None:
    finder = _Targets(field)
    node.body.visit(finder)
    return finder.found


class _Targets(cst.CSTVisitor):
    """An assignment to the name anywhere in a class body but inside functions and classes."""

    def __init__(self, field: str) -> None:
        super().__init__()
        self.field = field
        self.found: cst.Name | None = None

    def visit_FunctionDef(self, node: cst.FunctionDef) -> bool:
        return False

    def visit_ClassDef(self, node: cst.ClassDef) -> bool:
        return False

    def visit_AssignTarget(self, node: cst.AssignTarget) -> None:
        self._look(node.target)

    def visit_AnnAssign(self, node: cst.AnnAssign) -> None:
        if node.value is not None:
            self._look(node.target)

    def _look(self, target: cst.BaseExpression) -> None:
        match target:
            case cst.Name(value=self.field):
                self.found = self.found or target
            case cst.Tuple() | cst.List():
                for element in target.elements:
                    self._look(element.value)
