"""What the lists of a page class consist of: entries that name a field, and other lists.

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

from wizard.project.source.words import names_field

# How Wagtail calls the parameter that FieldPanel, SearchField and APIField take first.
_NAME_KEYWORDS = ("field_name", "name")
# What a panel is given to show, and names no field.
_TEXTS = ("heading", "content", "help_text", "classname", "icon", "label", "template")
_OTHER_LISTS = ("edit_handler", "exclude_fields_in_copy", "default_exclude_fields_in_copy")


@dataclass(frozen=True)
class SourceEntry:
    """An entry of a list that names a field of the class."""

    field: str
    value: cst.BaseExpression
    name: cst.SimpleString


@dataclass(frozen=True)
class Reference:
    """A name or attribute that stands for a list which is written somewhere else."""

    node: cst.Name | cst.Attribute


@dataclass(frozen=True)
class Unclear:
    """A part whose entries cannot be read off the text: a comprehension, a function's result."""

    node: cst.CSTNode


Item = SourceEntry | Reference | Unclear


def is_listing(name: str) -> bool:
    """Whether an attribute of that name of a page class holds a list that may name fields."""
    return name.endswith(("panels", "_fields")) or name in _OTHER_LISTS


def items(value: cst.BaseExpression, fields: Collection[str]) -> Iterator[Item]:
    """Yield what the list `value` is made of, as far as it may concern the fields, in order."""
    match value:
        case cst.BinaryOperation(operator=cst.Add()):
            yield from items(value.left, fields)
            yield from items(value.right, fields)
        case cst.List() | cst.Tuple():
            for element in value.elements:
                if isinstance(element, cst.StarredElement):
                    yield from items(element.value, fields)
                else:
                    yield from element_items(element.value, fields)
        case cst.Name() | cst.Attribute():
            yield Reference(value)
        case cst.Call() if first_name(value) is None and children(value) is not None:
            yield from _call_items(value, fields)
        case _:
            yield Unclear(value)


def element_items(value: cst.BaseExpression, fields: Collection[str]) -> Iterator[Item]:
    """Yield what one element of a list is made of."""
    name = named(value, fields)
    if name is not None:
        yield SourceEntry(str(name.evaluated_value), value, name)
        return
    match value:
        case cst.SimpleString():
            return
        case cst.Call() if (first := first_name(value)) is not None:
            if names_field(first, fields, computed=True):
                yield Unclear(first)
            yield Unclear(value.with_changes(args=()))
        case cst.Call() if children(value) is not None:
            yield from _call_items(value, fields)
        case cst.List() | cst.Tuple() | cst.BinaryOperation(operator=cst.Add()):
            yield from items(value, fields)
        case cst.Name() | cst.Attribute():
            yield Reference(value)
        case cst.Call():
            yield Unclear(value.with_changes(args=()))
            yield from _given(value)
        case _:
            yield Unclear(value)


def direct(value: cst.BaseExpression) -> Iterator[cst.BaseExpression]:
    """Yield the elements of a list that are in it themselves, not as a panel's children."""
    match value:
        case cst.BinaryOperation(operator=cst.Add()):
            yield from direct(value.left)
            yield from direct(value.right)
        case cst.List() | cst.Tuple():
            for element in value.elements:
                if isinstance(element, cst.StarredElement):
                    yield from direct(element.value)
                else:
                    yield element.value
        case _:
            yield value


def _given(call: cst.Call, but: cst.BaseExpression | None = None) -> Iterator[Item]:
    """Yield the arguments of a call in which fields may be named."""
    for arg in call.args:
        if arg.value is not but and (arg.keyword is None or arg.keyword.value not in _TEXTS):
            yield Unclear(arg.value)


def _call_items(call: cst.Call, fields: Collection[str]) -> Iterator[Item]:
    inner = children(call)
    assert inner is not None
    yield from items(inner, fields)
    yield Unclear(call.with_changes(args=()))
    if not isinstance(inner, cst.BaseString):
        # Of plain strings, a panel with children takes its heading.
        rest = call.with_changes(
            args=[arg for arg in call.args if not isinstance(arg.value, cst.BaseString)]
        )
        yield from _given(rest, but=inner)


def first_name(call: cst.Call) -> cst.BaseString | None:
    """Return the string by which a panel or an index entry names what it is about."""
    given = [arg.value for arg in call.args[:1] if arg.keyword is None and not arg.star]
    given += [
        arg.value
        for arg in call.args
        if arg.keyword is not None and arg.keyword.value in _NAME_KEYWORDS
    ]
    return given[0] if given and isinstance(given[0], cst.BaseString) else None


def named(value: cst.BaseExpression, fields: Collection[str]) -> cst.SimpleString | None:
    """Return the string by which an element names one of the fields; None if it names none."""
    name = first_name(value) if isinstance(value, cst.Call) else value
    if isinstance(name, cst.SimpleString) and name.evaluated_value in fields:
        return name
    return None


def children(call: cst.Call) -> cst.BaseExpression | None:
    """Return the argument that holds the children of a panel."""
    for position, arg in enumerate(call.args):
        first = position == 0 and arg.keyword is None and not arg.star
        if first or (arg.keyword is not None and arg.keyword.value == "children"):
            return arg.value
    return None
