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
from wizard.project.source.scope import qualified, scope_names
from wizard.project.source.words import refused

_RELATION = re.compile(r"(?:Key|OneToOneField|ManyToManyField|ForeignObject)\Z")


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
        *_itself(module, owner, assignment),
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


def _itself(module: Module, owner: cst.ClassDef, assignment: Assignment) -> list[Edit]:
    """Name the old class where a relation says "self", which would be the new one."""
    call, cls = assignment.value, owner.name.value
    if not isinstance(call, cst.Call):
        return []
    given = {arg.keyword.value: arg.value for arg in call.args if arg.keyword}
    if _RELATION.search(function(call)) and call.args and not call.args[0].keyword:
        given["to"] = call.args[0].value
    many = function(call).endswith("ManyToManyField")
    if many and "through" in given:
        raise refused(
            module,
            given["through"],
            f"The field {assignment.name} of {cls} has a model of its own for its rows, "
            f"which points to {cls} and would have to point to the new class.",
            f"Take {assignment.name} off `conversion.move`.",
        )
    to = given.get("to")
    if not isinstance(to, cst.SimpleString) or to.evaluated_value != "self":
        return []
    symmetrical = given.get("symmetrical")
    if many and not (isinstance(symmetrical, cst.Name) and symmetrical.value == "False"):
        raise refused(
            module,
            to,
            f"The field {assignment.name} relates {cls} with itself in both directions, and from "
            f"the new class to {cls} there is only one.",
            f"Write symmetrical=False if one direction is meant, or take {assignment.name} off "
            "`conversion.move`.",
        )
    start = module.inside(to)
    return [Edit(start, start + len(to.raw_value), cls)]
