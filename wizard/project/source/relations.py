"""Relations of a class with itself: in the copy they point from the new class to the old one."""

from __future__ import annotations

import re
from collections.abc import Mapping

import libcst as cst

from wizard.project.source.expressions import function
from wizard.project.source.parsed import Assignment, Edit, Module
from wizard.project.source.words import refused

_RELATION = re.compile(r"(?:Key|OneToOneField|ManyToManyField|ForeignObject)\Z")


def to_old_class(
    module: Module, owner: cst.ClassDef, assignment: Assignment, prefix: str
) -> list[Edit]:
    """Edits that make a relation of the old class with itself one of the new class with the old.

    Where Django named the reverse side after the old class, the copy says so: the name that it
    would get by default is that of the link from the old class to the new one (fields.E305), and
    code that uses the old one goes on to work.
    Raise SourceError for a relation that has no such copy.
    """
    call, cls = assignment.value, owner.name.value
    if not isinstance(call, cst.Call) or not call.args:
        return []
    given = {arg.keyword.value: arg.value for arg in call.args if arg.keyword}
    if _RELATION.search(function(call)) and not call.args[0].keyword and not call.args[0].star:
        given["to"] = call.args[0].value
    if function(call).endswith("ManyToManyField"):
        _check_table(module, cls, assignment, given)
    to = given.get("to")
    target = str(to.evaluated_value) if isinstance(to, cst.SimpleString) else ""
    if not isinstance(to, cst.SimpleString) or target.rpartition(".")[2] not in ("self", cls):
        return []
    _check_direction(module, cls, assignment, to, given)
    edits = []
    if target == "self":
        start = module.inside(to)
        edits.append(Edit(start, start + len(to.raw_value), cls))
    one = function(call).endswith("OneToOneField")
    names = {"related_name": cls.lower() + ("" if one else "_set")}
    if not one:
        names["related_query_name"] = cls.lower()
    if "related_name" in given:
        return edits
    missing = [
        f', {keyword}="{prefix}{name}"' for keyword, name in names.items() if keyword not in given
    ]
    end = module.span(call.args[-1].value)[1]
    return [*edits, Edit(end, end, "".join(missing))]


def _check_table(
    module: Module, cls: str, assignment: Assignment, given: Mapping[str, cst.BaseExpression]
) -> None:
    for keyword in ("through", "db_table"):
        if keyword in given:
            raise refused(
                module,
                given[keyword],
                f"The field {assignment.name} of {cls} has a table of its own choice for its rows "
                f"({keyword}), which points to {cls}, and the copy needs one that points to the "
                "new class.",
                _take_off(assignment),
            )


def _check_direction(
    module: Module,
    cls: str,
    assignment: Assignment,
    to: cst.SimpleString,
    given: Mapping[str, cst.BaseExpression],
) -> None:
    kind = function(assignment.value)
    symmetrical = given.get("symmetrical")
    one_way = isinstance(symmetrical, cst.Name) and symmetrical.value == "False"
    if to.evaluated_value == "self" and kind.endswith("ManyToManyField") and not one_way:
        raise refused(
            module,
            to,
            f"The field {assignment.name} relates {cls} with itself in both directions, and from "
            f"the new class to {cls} there is only one.",
            f"Write symmetrical=False if one direction is meant; otherwise: "
            f"{_take_off(assignment)}",
        )


def _take_off(assignment: Assignment) -> str:
    return f"Take {assignment.name} off `conversion.move`."
