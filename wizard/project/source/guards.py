"""What would break, or silently go wrong, if fields left a class: refused before it happens.

Looked at is what runs when the file is imported. Code in functions is for the operator to look
at (`mentions`).
"""

from __future__ import annotations

from collections.abc import Collection

import libcst as cst

from wizard.project.source.entries import is_listing
from wizard.project.source.lists import Lists, label
from wizard.project.source.parsed import SourceError, assignments, statements
from wizard.project.source.words import attribute_of, mentioned, refused, speaking


def check_file(lists: Lists, node: cst.ClassDef, fields: Collection[str]) -> None:
    """Raise SourceError where the file speaks of the fields in a way that cannot be edited."""
    cls = node.name.value
    lists.unreadable(lists.roots(cls), fields)
    _check_others_lists(lists, cls, fields)
    members = (cls, *lists.descendants(cls))
    _check_functions(lists, cls, members, fields)
    handled = {source.line for source in lists.family(cls, fields)}
    for statement in lists.module.tree.body:
        member = isinstance(statement, cst.ClassDef) and statement.name.value in members
        if not member and not lists.module.says(statement, fields):
            continue
        attribute = attribute_of(statement, members, fields)
        if attribute is not None:
            raise _refused(lists, cls, attribute, attribute.attr.value)
        key = _ToField((*members, "self") if member else members, fields)
        statement.visit(key)
        if key.first is not None:
            raise _refused(lists, cls, key.first)
        match statement:
            case cst.ClassDef():
                if member:
                    _check_body(lists, statement, fields, handled)
                _check_forms(lists, cls, statement, members, fields)
            case cst.FunctionDef():
                continue
            case _ if statement not in handled and mentioned(statement, members):
                word = speaking(statement, fields, at_import=True)
                if word is not None:
                    raise _refused(lists, cls, word)
            case cst.BaseCompoundStatement():
                reached = [source.key[1] for source in lists.family(cls, fields)]
                word = speaking(statement, fields, at_import=True)
                if word is not None and mentioned(statement, reached):
                    raise _refused(lists, cls, word)


def _check_body(
    lists: Lists,
    node: cst.ClassDef,
    fields: Collection[str],
    handled: Collection[cst.BaseStatement],
) -> None:
    """Refuse what a class does to its lists under a condition, in a loop, or otherwise oddly."""
    plain = {one.line for one in assignments(node)}
    for statement in statements(node):
        if isinstance(statement, cst.ClassDef | cst.FunctionDef) or statement in handled:
            continue
        if statement in plain and statement in lists.regular:
            continue
        names = _Names()
        statement.visit(names)
        word = speaking(statement, fields, at_import=True, computed=True)
        if word is not None and any(map(is_listing, names.names)):
            raise refused(
                lists.module,
                word,
                f"A list of {node.name.value} names a field that moves, in a statement that "
                "cannot be edited.",
                "Write the list as one plain assignment in the body of the class, outside of any "
                "`if` or loop.",
            )


def _check_functions(
    lists: Lists, cls: str, members: Collection[str], fields: Collection[str]
) -> None:
    """Refuse functions that make the lists of a class: methods that are called like one, and
    statements that give one to it.
    """
    within = [*members, *(base for one in members for base in lists.ancestors(one))]
    for name in dict.fromkeys(within):
        for method in statements(lists.classes[name]):
            if isinstance(method, cst.FunctionDef) and is_listing(
                method.name.value.removeprefix("get_")
            ):
                word = speaking(method, fields, computed=True)
                if word is not None:
                    raise _refused_function(lists, cls, word)
    lines = _Lines()
    for statement in lists.module.tree.body:
        if lists.module.says(statement, fields):
            statement.visit(lines)
    for line in lines.lines:
        attributes = _ListsOf(members)
        line.visit(attributes)
        word = speaking(line, fields)
        if attributes.there and word is not None:
            raise _refused_function(lists, cls, word)


def _check_forms(
    lists: Lists,
    cls: str,
    node: cst.ClassDef,
    members: Collection[str],
    fields: Collection[str],
) -> None:
    """Refuse forms, filters and admin classes for the class that list its fields: they are made
    at import, or fail when they are used.
    """
    for inner in [node, *(one for one in statements(node) if isinstance(one, cst.ClassDef))]:
        given = list(assignments(inner))
        if not any(one.name == "model" and mentioned(one.value, members) for one in given):
            continue
        for one in given:
            word = speaking(one.value, fields, at_import=True)
            if word is not None and not isinstance(one.value, cst.BaseString):
                raise _refused(lists, cls, word)


def _check_others_lists(lists: Lists, cls: str, fields: Collection[str]) -> None:
    """Refuse to take entries out of a list that a class with other fields of its own uses."""
    members = {cls, *lists.descendants(cls)}
    within = {base for one in members for base in lists.ancestors(one)} | members
    sources = lists.family(cls, fields)
    inside = {source.line for source in sources}
    for key in dict.fromkeys(source.key for source in sources):
        if not any(lists.named(key, fields)):
            continue
        users = list(lists.users(key, inside, within))
        others = [
            lists.classes[one]
            for one in (lists.descendants(key[0]) if key[0] and key[0] not in members else ())
            if one not in within
        ]
        for node in [*users, *others]:
            raise refused(
                lists.module,
                node,
                f"The list {label(key)} names a field that moves from {cls}, and is used elsewhere "
                "too, where the entry may have to stay.",
                f"Write the entries of {cls} into a list that only {cls} and its children use.",
            )


def _refused(lists: Lists, cls: str, node: cst.CSTNode, field: str = "") -> SourceError:
    return refused(
        lists.module,
        node,
        f"This line runs when the file is imported, and speaks of {field or 'a field'} of {cls}, "
        "which moves.",
        f"Write it without the field, or into the body of {cls} where it is about a list there or "
        "about the field itself; then try again.",
    )


def _refused_function(lists: Lists, cls: str, word: cst.CSTNode) -> SourceError:
    return refused(
        lists.module,
        word,
        f"A function makes a list of {cls} that names a field which moves.",
        "Write the list as a plain assignment in the body of the class.",
    )


class _Lines(cst.CSTVisitor):
    """The statements in the bodies of functions."""

    def __init__(self) -> None:
        super().__init__()
        self.depth = 0
        self.lines: list[cst.SimpleStatementLine] = []

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        self.depth += 1

    def leave_FunctionDef(self, original_node: cst.FunctionDef) -> None:
        self.depth -= 1

    def visit_SimpleStatementLine(self, node: cst.SimpleStatementLine) -> None:
        if self.depth:
            self.lines.append(node)


class _ListsOf(cst.CSTVisitor):
    def __init__(self, members: Collection[str]) -> None:
        super().__init__()
        self.members = members
        self.there = False

    def visit_Attribute(self, node: cst.Attribute) -> None:
        if isinstance(node.value, cst.Name) and node.value.value in self.members:
            self.there = self.there or is_listing(node.attr.value)


class _ToField(cst.CSTVisitor):
    """A foreign key to one of the classes by one of the fields: `to_field="keywords"`."""

    def __init__(self, classes: Collection[str], fields: Collection[str]) -> None:
        super().__init__()
        self.classes = classes
        self.fields = fields
        self.first: cst.CSTNode | None = None

    def visit_Call(self, node: cst.Call) -> None:
        to = ""
        for position, arg in enumerate(node.args):
            keyword = arg.keyword.value if arg.keyword else ""
            if keyword == "to" or (position == 0 and not keyword):
                match arg.value:
                    case cst.Name(value=name):
                        to = name
                    case cst.SimpleString() as name:
                        to = str(name.evaluated_value).rpartition(".")[2]
            if keyword == "to_field" and to in self.classes:
                match arg.value:
                    case cst.SimpleString() as name if name.evaluated_value in self.fields:
                        self.first = self.first or name


class _Names(cst.CSTVisitor):
    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def visit_Name(self, node: cst.Name) -> None:
        self.names.add(node.value)
