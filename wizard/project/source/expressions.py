"""The fields that a Django expression speaks of: `F("price") * 2`, `Q(price__gt=1)`, `Lower("a")`.

As Django reads them: a string given by position to anything but Value is a field's name, and so
is what Q and When take as keywords.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import libcst as cst

from wizard.project.source.parsed import Edit, Module

_LITERALS = ("Value", "V")
_CONDITIONS = ("Q", "When")
_NOT_LOOKUPS = ("then", "condition", "_connector", "_negated")
_NAMED = (
    "fields",
    "include",
    "expression",
    "expressions",
    "condition",
    "check",
    "filter",
    "order_by",
    "partition_by",
)
_FIELD = re.compile(r"[-+]?(?P<field>[A-Za-z_]\w*?)(?:__\w+)?\Z")


@dataclass(frozen=True)
class FieldName:
    """A place where a field is named: the string or keyword, and where in it the name begins."""

    field: str
    node: cst.CSTNode
    at: int
    sure: bool = True  # False where it may be something else: `Collate("title", "C")`

    def prefixed(self, prefix: str) -> Edit:
        return Edit(self.at, self.at, prefix)


def field_names(module: Module, value: cst.BaseExpression) -> list[FieldName]:
    """Return the fields that an expression, constraint or index names, in order."""
    finder = _FieldNames(module)
    value.visit(finder)
    return finder.names


def string_names(module: Module, value: cst.BaseExpression) -> list[FieldName]:
    """Return the fields that strings and lists of strings name, and expressions among them."""
    finder = _FieldNames(module)
    finder.named(value)
    return finder.names


def unread(module: Module, value: cst.BaseExpression) -> list[cst.BaseExpression]:
    """Return what stands where a field may be named, and is neither a string nor an expression:
    variables, strings with unknown parts.
    """
    finder = _FieldNames(module)
    finder.named(value)
    return finder.unread


def function(node: cst.BaseExpression) -> str:
    """Return the last part of what is called: `models.F("a")` calls F; "" if nothing is."""
    func = node.func if isinstance(node, cst.Call) else None
    match func:
        case cst.Attribute(attr=cst.Name(value=name)) | cst.Name(value=name):
            return name
    return ""


def raw_sql(value: cst.BaseExpression) -> list[str]:
    """Return the text of the raw SQL below an expression, where columns are named as well."""
    finder = _Raw()
    value.visit(finder)
    return finder.texts


class _Raw(cst.CSTVisitor):
    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def visit_Call(self, node: cst.Call) -> None:
        if function(node) == "RawSQL" and node.args:
            sql = node.args[0].value
            self.texts.append(cst.Module(()).code_for_node(sql))


class _FieldNames(cst.CSTVisitor):
    def __init__(self, module: Module) -> None:
        super().__init__()
        self.module = module
        self.names: list[FieldName] = []
        self.unread: list[cst.BaseExpression] = []

    def visit_Call(self, node: cst.Call) -> bool:
        name = function(node)
        if name in _LITERALS or name == "RawSQL":
            return False
        if not isinstance(node.func, cst.Attribute) or isinstance(node.func.value, cst.Call):
            node.func.visit(self)
        for position, arg in enumerate(node.args):
            keyword = arg.keyword.value if arg.keyword else ""
            if arg.star:
                self.unread.append(arg.value)
            elif not keyword:
                self.named(arg.value, sure=position == 0)
            elif name in _CONDITIONS and keyword not in _NOT_LOOKUPS:
                assert arg.keyword is not None
                self._add(arg.keyword, keyword, 0)
                if isinstance(arg.value, cst.Call | cst.BinaryOperation):
                    arg.value.visit(self)
            elif keyword in _NAMED:
                self.named(arg.value)
            elif isinstance(arg.value, cst.Call | cst.BinaryOperation):
                arg.value.visit(self)
        return False

    def visit_Attribute(self, node: cst.Attribute) -> bool:
        if isinstance(node.value, cst.Name):
            self.unread.append(node)
            return False
        return True

    def visit_Name(self, node: cst.Name) -> None:
        self.unread.append(node)

    def visit_FormattedString(self, node: cst.FormattedString) -> bool:
        self.unread.append(node)
        return False

    def visit_ConcatenatedString(self, node: cst.ConcatenatedString) -> bool:
        self.unread.append(node)
        return False

    def visit_ListComp(self, node: cst.ListComp) -> bool:
        self.unread.append(node)
        return False

    def visit_GeneratorExp(self, node: cst.GeneratorExp) -> bool:
        self.unread.append(node)
        return False

    def visit_SimpleString(self, node: cst.SimpleString) -> None:
        """Pass by a string that is no argument: a value."""

    def named(self, value: cst.BaseExpression, *, sure: bool = True) -> None:
        match value:
            case cst.SimpleString():
                text = value.raw_value
                self._add(value, text, len(value.prefix) + len(value.quote), sure)
            case cst.Tuple(elements=[first, second]) if not isinstance(
                second.value, cst.SimpleString
            ) or not _FIELD.match(second.value.raw_value):
                # A lookup with its value, or an expression with its operator.
                self.named(first.value)
                second.value.visit(self)
            case cst.List(elements=elements) | cst.Tuple(elements=elements):
                for element in elements:
                    self.named(element.value)
            case _:
                value.visit(self)

    def _add(self, node: cst.CSTNode, text: str, before: int, sure: bool = True) -> None:
        match = _FIELD.match(text)
        if match is not None:
            at = self.module.inner_span(node)[0] + before + match.start("field")
            self.names.append(FieldName(match["field"], node, at, sure))
