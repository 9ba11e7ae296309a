"""Where a list names the old type, the new type is named beside it.

Wagtail's rules for the page tree are lists of a page class: `subpage_types` and
`parent_page_types`. They name a type as "app.Model", as "Model" for one of the same app, or as the
class itself. `__all__` of the module names what `from ... import *` gives to the package above.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import libcst as cst

from wizard.project.source.parsed import Edit, Module, assignments, classes, edited

RULES = ("subpage_types", "parent_page_types")


def allow_beside(module: str, *, app: str, old_class: str, new_class: str) -> str:
    """Return the file with the new type in every rule of its classes that names the old type.

    A rule that is no plain list or tuple stays as it is, and so does one that names both.
    """
    parsed = Module(module)
    edits = []
    for node in classes(parsed):
        for assignment in assignments(node):
            if assignment.name not in RULES:
                continue
            for display in _displays(assignment.value):
                edits += _beside(
                    parsed,
                    display,
                    lambda value: _names(value, app, old_class),
                    lambda value: _names(value, app, new_class),
                    f"{app}.{new_class}",
                )
    return edited(module, edits)


def export_beside(module: str, *, old_class: str, new_class: str) -> str:
    """Return the file with the new class in `__all__`, where that names the old one."""
    parsed = Module(module)
    edits = []
    for line in parsed.tree.body:
        match line:
            case cst.SimpleStatementLine(body=[cst.Assign(targets=[target]) as given]):
                value: cst.BaseExpression = given.value
                name = target.target
            case cst.SimpleStatementLine(body=[cst.AugAssign(target=name, value=value)]):
                pass
            case cst.SimpleStatementLine(
                body=[cst.AnnAssign(target=name, value=cst.BaseExpression() as value)]
            ):
                pass
            case _:
                continue
        if isinstance(name, cst.Name) and name.value == "__all__":
            for display in _displays(value):
                edits += _beside(
                    parsed,
                    display,
                    lambda value: _is_string(value, old_class),
                    lambda value: _is_string(value, new_class),
                    new_class,
                )
    return edited(module, edits)


def _is_string(value: cst.BaseExpression, text: str) -> bool:
    return isinstance(value, cst.SimpleString) and value.evaluated_value == text


def _displays(value: cst.BaseExpression) -> Iterator[cst.List | cst.Tuple]:
    """Yield the lists and tuples that a rule consists of, alone or in a sum."""
    match value:
        case cst.List() | cst.Tuple():
            yield value
        case cst.BinaryOperation(operator=cst.Add()):
            yield from _displays(value.left)
            yield from _displays(value.right)


def _beside(
    module: Module,
    display: cst.List | cst.Tuple,
    is_old: Callable[[cst.BaseExpression], bool],
    is_new: Callable[[cst.BaseExpression], bool],
    new: str,
) -> list[Edit]:
    values = [element.value for element in display.elements]
    if any(map(is_new, values)):
        return []
    for value in values:
        if is_old(value):
            start, end = module.span(value)
            quote = value.quote if isinstance(value, cst.SimpleString) else '"'
            label = f"{quote}{new}{quote}"
            line = module.line_start(start)
            indent = module.text[line:start]
            between = "," + module.newline + indent if not indent.strip() else ", "
            return [Edit(end, end, between + label)]
    return []


def _names(value: cst.BaseExpression, app: str, name: str) -> bool:
    match value:
        case cst.SimpleString():
            label = str(value.evaluated_value).lower()
            return label in (f"{app}.{name}".lower(), name.lower())
        case cst.Name():
            return value.value == name
    return False
