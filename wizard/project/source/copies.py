"""The prefixed copies of the moved fields, with what has to differ on another class."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

import libcst as cst

from wizard.project.source.dependent import check_dependents, dependencies
from wizard.project.source.expressions import function
from wizard.project.source.field_statements import field_statements
from wizard.project.source.fields import defined_here, definitions, reverse_names
from wizard.project.source.lists import Lists
from wizard.project.source.parsed import (
    Assignment,
    Edit,
    Module,
    SourceError,
    assigned_lines,
    assignments,
    edited,
    own_lines,
)
from wizard.project.source.relations import to_old_class
from wizard.project.source.scope import qualified, scope_names
from wizard.project.source.words import refused


def copies(module: Module, owner: cst.ClassDef, fields: Sequence[str], prefix: str) -> str:
    """Return the fields' definitions under their prefixed names, and the statements about them,
    in the order of the file.
    """
    for field in fields:
        if defined_here(owner, prefix + field):
            raise SourceError(
                f"The copy of {field} would be called {prefix}{field}, and {owner.name.value} has "
                "that already.",
                found=f"{owner.name.value} defines {prefix}{field}",
                hint="Choose another `conversion.prefix`.",
            )
    lists = Lists(module)
    check_dependents(lists, owner, fields)
    parts = {
        module.inner_span(one.line)[0]: _copy(module, lists, owner, one, fields, prefix)
        for one in definitions(module, owner, fields)
    }
    for line in field_statements(module, owner, fields):
        edits = [
            *_renamed(module, owner, line, [line], fields, prefix),
            *qualified(module, owner, line, [line], but=fields),
        ]
        _lasting(module, owner, [line], fields)
        start, end = own_lines(module, line)
        text = edited(module.text, edits, start, end).rstrip("\r\n") + module.newline
        parts[module.inner_span(line)[0]] = text
    return "".join(parts[at] for at in sorted(parts))


def _copy(
    module: Module,
    lists: Lists,
    owner: cst.ClassDef,
    assignment: Assignment,
    fields: Collection[str],
    prefix: str,
) -> str:
    """Return a definition with its comments under the prefixed name, newline at the end."""
    start, end = assigned_lines(module, assignment)
    at = module.inner_span(assignment.target)[0]
    expressions: list[cst.CSTNode] = [assignment.value]
    if isinstance(assignment.statement, cst.AnnAssign):
        expressions.append(assignment.statement.annotation)
    _lasting(module, owner, expressions, fields)
    edits = [
        Edit(at, at, prefix),
        *qualified(module, owner, assignment.line, expressions, but=fields),
        *_renamed(module, owner, assignment.line, expressions, fields, prefix),
        *_reverse(module, owner, assignment, prefix),
        *to_old_class(module, owner, assignment, prefix),
        *(one.prefixed(prefix) for one in dependencies(lists, owner, assignment, fields)),
    ]
    return edited(module.text, edits, start, end).rstrip("\r\n") + module.newline


def _renamed(
    module: Module,
    owner: cst.ClassDef,
    line: cst.SimpleStatementLine,
    nodes: Sequence[cst.CSTNode],
    fields: Collection[str],
    prefix: str,
) -> list[Edit]:
    """Prefixes for the bare names of moved fields that are defined above the line."""
    above = {
        one.name
        for one in definitions(module, owner, sorted(fields))
        if module.span(one.line)[1] <= module.span(line)[0]
    }
    places = [
        module.inner_span(name)[0]
        for node in nodes
        for name in scope_names(node)
        if name.value in above
    ]
    return [Edit(at, at, prefix) for at in places]


def _lasting(
    module: Module, owner: cst.ClassDef, nodes: Sequence[cst.CSTNode], fields: Collection[str]
) -> None:
    """Refuse the bare name of a field that stays: outside of the class's body it is no field."""
    staying = {
        one.name
        for one in assignments(owner)
        if one.name not in fields and re.search(r"(?:Field|Key)\Z", function(one.value))
    }
    for name in (name for node in nodes for name in scope_names(node)):
        if name.value in staying:
            raise refused(
                module,
                name,
                f"What is to move from {owner.name.value} uses its field {name.value}, which "
                "stays there.",
                f"Write it without {name.value}, or move {name.value} as well (`conversion.move`).",
            )


def _reverse(
    module: Module, owner: cst.ClassDef, assignment: Assignment, prefix: str
) -> list[Edit]:
    """Prefixes for the names on the other side, which two fields may not share.

    None for a hidden one ("+") or one that Django fills in with the class's name.
    """
    edits = []
    for arg in reverse_names(assignment.value):
        match arg.value:
            case cst.Name(value="None"):
                continue
            case cst.SimpleString() as name:
                if not name.raw_value.endswith("+") and "%(class)s" not in name.raw_value:
                    start = module.inside(name)
                    edits.append(Edit(start, start, prefix))
            case value:
                keyword = arg.keyword.value if arg.keyword else ""
                raise SourceError(
                    f"The {keyword} of {assignment.name} in {owner.name.value} is no plain "
                    "string, so the copy of the field cannot be given another one.",
                    found=module.slice(value),
                    hint=f"Write the {keyword} as one string literal.",
                )
    return edits
