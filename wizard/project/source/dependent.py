"""Fields that name other fields in their definition: generated ones, image sizes, generic keys.

The columns of a generated field are of its own table; so it moves with all of its inputs, or not
at all.
"""

from __future__ import annotations

import re
from collections.abc import Collection

import libcst as cst

from wizard.project.source.expressions import (
    FieldName,
    field_names,
    function,
    raw_sql,
    string_names,
    unread,
)
from wizard.project.source.lists import Lists
from wizard.project.source.parsed import Assignment, Module, assignments
from wizard.project.source.words import refused

_KEYWORDS = ("width_field", "height_field", "populate_from", "ct_field", "fk_field", "from_fields")


def dependencies(
    lists: Lists, owner: cst.ClassDef, assignment: Assignment, fields: Collection[str]
) -> list[FieldName]:
    """Return where the definition of a moved field names moved fields.

    Raise SourceError for a generated field one of whose inputs stays.
    """
    cls = owner.name.value
    names = _names(lists.module, assignment)
    for generated in _generated(assignment):
        own = {one.name for one in assignments(owner)}
        inputs = [one for one in names if one.field in own]
        staying = [one for one in inputs if one.field not in fields]
        if staying:
            raise refused(
                lists.module,
                staying[0].node,
                f"The generated field {assignment.name} of {cls} is computed from "
                f"{staying[0].field}, which stays in the table of {cls}; a database computes a "
                "column from those of its own table alone.",
                f"Move {staying[0].field} as well (`conversion.move`), or leave "
                f"{assignment.name} in {cls}.",
            )
        if not inputs or hides(lists, owner, generated, own):
            raise refused(
                lists.module,
                generated,
                f"What the generated field {assignment.name} of {cls} is computed from cannot be "
                "read off its definition, so its copy cannot be written.",
                'Write the expression out in the definition: `F("...")`, `Q(...=...)`.',
            )
    return [one for one in names if one.field in fields]


def check_dependents(lists: Lists, owner: cst.ClassDef, fields: Collection[str]) -> None:
    """Raise SourceError for a field that stays and needs one that moves."""
    cls = owner.name.value
    for assignment in assignments(owner):
        if assignment.name in fields:
            continue
        needed = [one for one in _names(lists.module, assignment) if one.field in fields]
        node = needed[0].node if needed else None
        for generated in _generated(assignment):
            if node is None and hides(lists, owner, generated, fields):
                node = generated
        if node is not None:
            field = needed[0].field if needed else "one of " + ", ".join(sorted(fields))
            raise refused(
                lists.module,
                node,
                f"The field {assignment.name} of {cls}, which stays, needs {field}, which moves.",
                f"Move {assignment.name} as well (`conversion.move`), or leave {field} in {cls}.",
            )


def _generated(assignment: Assignment) -> list[cst.BaseExpression]:
    """Return the expression of a generated field; nothing for any other."""
    value = assignment.value
    if not isinstance(value, cst.Call) or not function(value).endswith("GeneratedField"):
        return []
    return [arg.value for arg in value.args if arg.keyword and arg.keyword.value == "expression"]


def _names(module: Module, assignment: Assignment) -> list[FieldName]:
    names = [one for each in _generated(assignment) for one in field_names(module, each)]
    call = assignment.value
    if not isinstance(call, cst.Call):
        return names
    for arg in call.args:
        keyword = arg.keyword.value if arg.keyword else ""
        generic = not keyword and function(call) == "GenericForeignKey"
        if generic or keyword in _KEYWORDS or keyword.startswith("unique_for_"):
            names += string_names(module, arg.value)
    return names


def hides(
    lists: Lists, owner: cst.ClassDef | None, value: cst.BaseExpression, fields: Collection[str]
) -> bool:
    """Whether an expression may name one of the fields in a way that is not written out in it:
    by a variable or function of this file, in a string with unknown parts, in raw SQL.
    """
    if any(lists.speaks(owner, one, fields) for one in unread(lists.module, value)):
        return True
    texts = raw_sql(value)
    return any(re.search(rf"\b{re.escape(field)}\b", text) for text in texts for field in fields)
