"""The lists of a page class that name its fields: panels, search_fields, api_fields.

A list is found wherever the value of such an attribute has one: alone, in a sum
(`Page.content_panels + [...]`), or as the children of a panel
(`MultiFieldPanel([...])`, `TabbedInterface([ObjectList(children=[...])])`).
An entry names a field as a plain string, or as the first argument of a call:
`FieldPanel("keywords")`, `index.SearchField("keywords")`, `APIField(name="keywords")`.
What is nested deeper belongs to another model: `index.RelatedFields("author", [...])`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import libcst as cst

from wizard.project.source.parsed import Assignment, Edit, Module, assignments

# How Wagtail calls the parameter that FieldPanel, SearchField and APIField take first.
_NAME_KEYWORDS = ("field_name", "name")


@dataclass(frozen=True)
class SourceEntry:
    """An entry of a list that names a field of the class."""

    field: str
    value: cst.BaseExpression
    name: cst.SimpleString


def listings(node: cst.ClassDef) -> Iterator[Assignment]:
    """Yield the attributes of a page class whose lists may name fields."""
    for assignment in assignments(node):
        if assignment.name.endswith(("panels", "_fields")) or assignment.name == "edit_handler":
            yield assignment


def entries(value: cst.BaseExpression, fields: Collection[str]) -> Iterator[SourceEntry]:
    """Yield the entries in the lists of `value` that name one of the fields, in their order."""
    match value:
        case cst.BinaryOperation(operator=cst.Add()):
            yield from entries(value.left, fields)
            yield from entries(value.right, fields)
        case cst.List() | cst.Tuple():
            for element in value.elements:
                named = _named(element, fields)
                if named is not None:
                    yield SourceEntry(str(named.evaluated_value), element.value, named)
                else:
                    yield from entries(element.value, fields)
        case cst.Call():
            children = _children(value)
            if children is not None:
                yield from entries(children, fields)


def removals(module: Module, node: cst.ClassDef, fields: Collection[str]) -> list[Edit]:
    """Edits that take the entries of the fields out of every list of the class.

    A panel whose children are all gone goes too, and so does an emptied list in a sum.
    Comment lines directly above an entry on lines of its own go with it.
    """
    edits: list[Edit] = []
    for assignment in listings(node):
        pruned = _pruned(module, assignment.value, fields)
        edits += pruned if pruned is not None else [_emptied(module, assignment.value)]
    return edits


def _named(element: cst.BaseElement, fields: Collection[str]) -> cst.SimpleString | None:
    value = element.value
    if isinstance(element, cst.StarredElement):
        return None
    if isinstance(value, cst.Call):
        names = [arg.value for arg in value.args[:1] if arg.keyword is None and not arg.star]
        names += [
            arg.value
            for arg in value.args
            if arg.keyword is not None and arg.keyword.value in _NAME_KEYWORDS
        ]
        value = names[0] if names else value
    if isinstance(value, cst.SimpleString) and value.evaluated_value in fields:
        return value
    return None


def _children(call: cst.Call) -> cst.BaseExpression | None:
    for position, arg in enumerate(call.args):
        first = position == 0 and arg.keyword is None and not arg.star
        if first or (arg.keyword is not None and arg.keyword.value == "children"):
            return arg.value
    return None


def _pruned(
    module: Module, value: cst.BaseExpression, fields: Collection[str]
) -> list[Edit] | None:
    """Edits that take the fields out of `value`; None when nothing would be left of it."""
    match value:
        case cst.BinaryOperation(operator=cst.Add()):
            left = _pruned(module, value.left, fields)
            right = _pruned(module, value.right, fields)
            left_start, left_end = module.span(value.left)
            right_start, right_end = module.span(value.right)
            if left is None:
                return None if right is None else [Edit(left_start, right_start), *right]
            return left + ([Edit(left_end, right_end)] if right is None else right)
        case cst.List() | cst.Tuple():
            return _pruned_elements(module, value, fields)
        case cst.Call():
            children = _children(value)
            return [] if children is None else _pruned(module, children, fields)
    return []


def _pruned_elements(
    module: Module, display: cst.List | cst.Tuple, fields: Collection[str]
) -> list[Edit] | None:
    edits: list[Edit] = []
    gone: list[bool] = []
    for element in display.elements:
        pruned = None if _named(element, fields) else _pruned(module, element.value, fields)
        gone.append(pruned is None)
        edits += pruned or []
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


def _emptied(module: Module, value: cst.BaseExpression) -> Edit:
    """Return a value of nothing but removed entries: its list stays, with nothing in it."""
    match value:
        case cst.Call():
            children = _children(value)
            assert children is not None
            return _emptied(module, children)
        case cst.Tuple():
            return Edit(*module.span(value), "()")
    return Edit(*module.span(value), "[]")
