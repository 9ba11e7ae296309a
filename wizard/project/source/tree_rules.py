"""Where the old type is allowed in the page tree, the new type is allowed beside it.

Wagtail's rules are lists of a page class: `subpage_types` and `parent_page_types`. They name a
type as "app.Model", as "Model" for one of the same app, or as the class itself.
"""

from __future__ import annotations

from collections.abc import Iterator

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
                edits += _beside(parsed, display, app, old_class, new_class)
    return edited(module, edits)


def _displays(value: cst.BaseExpression) -> Iterator[cst.List | cst.Tuple]:
    """Yield the lists and tuples that a rule consists of, alone or in a sum."""
    match value:
        case cst.List() | cst.Tuple():
            yield value
        case cst.BinaryOperation(operator=cst.Add()):
            yield from _displays(value.left)
            yield from _displays(value.right)


def _beside(
    module: Module, display: cst.List | cst.Tuple, app: str, old_class: str, new_class: str
) -> list[Edit]:
    values = [element.value for element in display.elements]
    if any(_names(value, app, new_class) for value in values):
        return []
    for value in values:
        if _names(value, app, old_class):
            start, end = module.span(value)
            quote = value.quote if isinstance(value, cst.SimpleString) else '"'
            label = f"{quote}{app}.{new_class}{quote}"
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
