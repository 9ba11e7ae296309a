"""Taking elements out of the lists in an expression, and nothing else."""

from __future__ import annotations

from collections.abc import Callable

import libcst as cst

from wizard.project.source.entries import children, first_name
from wizard.project.source.parsed import Edit, Module

Goes = Callable[[cst.BaseExpression], bool]
"""Whether an element of a list is one that goes."""


def pruned(module: Module, value: cst.BaseExpression, goes: Goes) -> list[Edit] | None:
    """Edits that take elements out of `value`; None when nothing would be left of it.

    A panel whose children are all gone goes too, and so does an emptied list in a sum.
    Comment lines directly above an element on lines of its own go with it.
    """
    match value:
        case cst.BinaryOperation(operator=cst.Add()):
            left = pruned(module, value.left, goes)
            right = pruned(module, value.right, goes)
            left_start, left_end = module.span(value.left)
            right_start, right_end = module.span(value.right)
            if left is None:
                return None if right is None else [Edit(left_start, right_start), *right]
            return left + ([Edit(left_end, right_end)] if right is None else right)
        case cst.List() | cst.Tuple():
            return _pruned_elements(module, value, goes)
        case cst.Call() if first_name(value) is None:
            inner = children(value)
            return [] if inner is None else pruned(module, inner, goes)
    return []


def _pruned_elements(
    module: Module, display: cst.List | cst.Tuple, goes: Goes
) -> list[Edit] | None:
    edits: list[Edit] = []
    gone: list[bool] = []
    for element in display.elements:
        starred = isinstance(element, cst.StarredElement)
        out = not starred and goes(element.value)
        within = None if out else pruned(module, element.value, goes)
        gone.append(within is None)
        edits += within or []
    if gone and all(gone):
        return None
    position = 0
    while position < len(gone):
        last = position
        while gone[position] and last + 1 < len(gone) and gone[last + 1]:
            last += 1
        if gone[position]:
            edits += _cut(module, display, gone, position, last)
        position = last + 1
    if _lonely(display, gone) and not gone[-1] and not _comma(display.elements[-1]):
        end = _span(module, display.elements[-1])[1]
        edits.append(Edit(end, end, ","))
    return edits


def _cut(
    module: Module, display: cst.List | cst.Tuple, gone: list[bool], first: int, last: int
) -> list[Edit]:
    """Take the elements from `first` to `last` out; at least one other element stays."""
    elements = display.elements
    lines = [_own_lines(module, display, index) for index in range(first, last + 1)]
    if all(line is not None for line in lines):
        return [Edit(*line) for line in lines if line is not None]
    if last + 1 < len(elements):
        start = _span(module, elements[first])[0]
        return [Edit(start, _span(module, elements[last + 1])[0])]
    start, end = _span(module, elements[first - 1])[1], _span(module, elements[last])[1]
    return [Edit(start, end, "," if _lonely(display, gone) and not _comma(elements[last]) else "")]


def _span(module: Module, element: cst.BaseElement) -> tuple[int, int]:
    """Where an element stands without its comma; a starred one with its star."""
    start, end = module.span(element.value)
    starred = isinstance(element, cst.StarredElement)
    return module.inner_span(element)[0] if starred else start, end


def _lonely(display: cst.List | cst.Tuple, gone: list[bool]) -> bool:
    """Whether a tuple of one is left, which is no tuple without a comma."""
    return isinstance(display, cst.Tuple) and gone.count(False) == 1


def _comma(element: cst.BaseElement) -> bool:
    return isinstance(element.comma, cst.Comma)


def _own_lines(module: Module, display: cst.List | cst.Tuple, index: int) -> tuple[int, int] | None:
    """Return the lines of an element and of its comments above, if nothing else is on them."""
    element = display.elements[index]
    start, end = _span(module, element)
    if isinstance(element.comma, cst.Comma):
        end = module.inner_span(element.comma)[1]
    first, after = module.line_start(start), module.line_end(end)
    rest = module.text[end:after].strip()
    if module.text[first:start].strip() or (rest and not rest.startswith("#")):
        return None
    floor = _span(module, display.elements[index - 1])[1] if index else module.span(display)[0]
    return module.comments_above(first, floor), after


def emptied(module: Module, value: cst.BaseExpression) -> Edit:
    """Return a value of nothing but removed entries: its list stays, with nothing in it."""
    match value:
        case cst.Call():
            inner = children(value)
            assert inner is not None
            return emptied(module, inner)
        case cst.Tuple():
            return Edit(*module.span(value), "()")
    return Edit(*module.span(value), "[]")
