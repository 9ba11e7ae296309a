"""Strings and keywords that are the name of a field, or a lookup on it, and where they stand.

What runs when the file is imported is looked at apart from what runs later: a field's name in
a function's body breaks nothing when the field moves, one in a statement may.
"""

from __future__ import annotations

import re
from collections.abc import Collection

import libcst as cst

from wizard.project.source.parsed import Module, SourceError


def pattern(fields: Collection[str], prefix: str = "") -> re.Pattern[str]:
    """Return what a string matches in full that names one of the fields: `-keywords__icontains`."""
    names = "|".join(re.escape(prefix + field) for field in sorted(fields))
    return re.compile(rf"[-+]?(?:{names})(?:__\w+)?" if fields else r"(?!)")


def names_field(node: cst.CSTNode, fields: Collection[str], *, computed: bool = False) -> bool:
    """Whether a string literal is, or with its unknown parts may be, the name of a field.

    `computed`: a string of nothing but unknown parts may be any name.
    """
    match node:
        case cst.SimpleString():
            return isinstance(node.evaluated_value, str) and bool(
                pattern(fields).fullmatch(node.evaluated_value)
            )
        case cst.ConcatenatedString() | cst.FormattedString():
            shape, literal = _shape(node)
            return (literal or computed) and any(re.fullmatch(shape, one) for one in fields)
    return False


def _shape(node: cst.BaseExpression) -> tuple[str, bool]:
    """Return the string as a regular expression, and whether any of it is written out."""
    match node:
        case cst.ConcatenatedString():
            (left, one), (right, other) = _shape(node.left), _shape(node.right)
            return left + right, one or other
        case cst.FormattedString():
            texts = [
                re.escape(part.value) if isinstance(part, cst.FormattedStringText) else ".*"
                for part in node.parts
            ]
            return "".join(texts), any(text != ".*" for text in texts)
        case cst.SimpleString():
            return re.escape(str(node.evaluated_value)), bool(node.evaluated_value)
    return ".*", False


def speaking(
    node: cst.CSTNode,
    fields: Collection[str],
    *,
    at_import: bool = False,
    keywords: bool = True,
    computed: bool = False,
) -> cst.CSTNode | None:
    """Return the first string or keyword below `node` that names one of the fields.

    `at_import` leaves out the bodies of functions; `keywords` counts `filter(keywords="x")`.
    """
    finder = _Speaking(fields, at_import, keywords, computed)
    node.visit(finder)
    return finder.first


def mentioned(node: cst.CSTNode, names: Collection[str]) -> bool:
    """Whether what `node` runs at import looks up one of the names."""
    finder = _Mentioned(names)
    node.visit(finder)
    return finder.there


def attribute_of(
    node: cst.CSTNode, classes: Collection[str], names: Collection[str]
) -> cst.Attribute | None:
    """Return the first `Class.name` that `node` looks up at import."""
    finder = _Attributes(classes, names)
    node.visit(finder)
    return finder.first


def refused(module: Module, node: cst.CSTNode, message: str, hint: str) -> SourceError:
    """Return the error that points to the line of a node."""
    at = module.inner_span(node)[0]
    line = module.text[module.line_start(at) : module.line_end(at)]
    return SourceError(message, found=f"line {module.line_number(at)}: {line.strip()}", hint=hint)


class AtImport(cst.CSTVisitor):
    """A visitor that does not enter what runs later: the bodies of functions and lambdas."""

    def visit_FunctionDef(self, node: cst.FunctionDef) -> bool:
        for decorator in node.decorators:
            decorator.visit(self)
        self._defaults(node.params)
        return False

    def visit_Lambda(self, node: cst.Lambda) -> bool:
        self._defaults(node.params)
        return False

    def _defaults(self, params: cst.Parameters) -> None:
        for param in (*params.posonly_params, *params.params, *params.kwonly_params):
            if param.default is not None:
                param.default.visit(self)


class _Speaking(AtImport):
    def __init__(
        self, fields: Collection[str], at_import: bool, keywords: bool, computed: bool
    ) -> None:
        super().__init__()
        self.fields = fields
        self.at_import = at_import
        self.keywords = keywords
        self.computed = computed
        self.first: cst.CSTNode | None = None

    def visit_FunctionDef(self, node: cst.FunctionDef) -> bool:
        return super().visit_FunctionDef(node) if self.at_import else True

    def visit_Lambda(self, node: cst.Lambda) -> bool:
        return super().visit_Lambda(node) if self.at_import else True

    def visit_SimpleString(self, node: cst.SimpleString) -> None:
        self._look(node)

    def visit_FormattedString(self, node: cst.FormattedString) -> None:
        self._look(node)

    def visit_ConcatenatedString(self, node: cst.ConcatenatedString) -> bool:
        self._look(node)
        return False

    def visit_Arg(self, node: cst.Arg) -> None:
        keyword = node.keyword
        if self.keywords and keyword and pattern(self.fields).fullmatch(keyword.value):
            self.first = self.first or keyword

    def _look(self, node: cst.CSTNode) -> None:
        if self.first is None and names_field(node, self.fields, computed=self.computed):
            self.first = node


class _Mentioned(AtImport):
    def __init__(self, names: Collection[str]) -> None:
        super().__init__()
        self.names = names
        self.there = False

    def visit_Attribute(self, node: cst.Attribute) -> bool:
        node.value.visit(self)
        return False

    def visit_Arg(self, node: cst.Arg) -> bool:
        node.value.visit(self)
        return False

    def visit_Name(self, node: cst.Name) -> None:
        self.there = self.there or node.value in self.names


class _Attributes(AtImport):
    def __init__(self, classes: Collection[str], names: Collection[str]) -> None:
        super().__init__()
        self.classes = classes
        self.names = names
        self.first: cst.Attribute | None = None

    def visit_Attribute(self, node: cst.Attribute) -> None:
        match node.value:
            case cst.Name(value=name) if name in self.classes and node.attr.value in self.names:
                self.first = self.first or node
