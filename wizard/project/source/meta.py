"""What `class Meta` says of moved fields: constraints, indexes, ordering and the like.

What speaks of moved fields alone moves with them. What speaks of moved and staying fields can
be in neither table, and is refused.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

import libcst as cst

from wizard.project.source.dependent import hides
from wizard.project.source.expressions import FieldName, field_names, string_names
from wizard.project.source.lists import Lists
from wizard.project.source.parsed import Assignment, SourceError, assignments, statements
from wizard.project.source.words import refused

NAMED = ("constraints", "indexes")
TOGETHER = ("unique_together", "index_together")
WHOLE = ("ordering", "get_latest_by", "order_with_respect_to")
_SPEAKING = (*NAMED, *TOGETHER, *WHOLE)


@dataclass(frozen=True, eq=False)
class Part:
    """An attribute of Meta, as far as it moves: some of its elements, or all of it."""

    assignment: Assignment
    elements: list[cst.BaseExpression] = field(default_factory=list)
    names: list[FieldName] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        return not self.elements


def own_meta(node: cst.ClassDef) -> cst.ClassDef | None:
    """Return the `class Meta` in the body of a class."""
    for statement in statements(node):
        if isinstance(statement, cst.ClassDef) and statement.name.value == "Meta":
            return statement
    return None


def moving_parts(lists: Lists, owner: cst.ClassDef, fields: Collection[str]) -> list[Part]:
    """Return what moves from the Meta of the class.

    Raise SourceError where something speaks of moved and staying fields, or may speak of a moved
    one in a way that cannot be read.
    """
    if not fields:
        return []
    _check_others(lists, owner, fields)
    meta = own_meta(owner)
    if meta is None:
        return []
    read = {one.line for one in assignments(meta)}
    for statement in statements(meta) or [meta]:
        odd = statement not in read and not isinstance(statement, cst.FunctionDef)
        if odd and lists.speaks(None, statement, fields):
            raise _unread(lists, owner, statement)
    parts = [
        part
        for one in assignments(meta)
        if one.name in _SPEAKING
        for part in _parts(lists, owner, one, fields)
    ]
    for part in parts:
        if part.assignment.name == "order_with_respect_to":
            raise refused(
                lists.module,
                part.assignment.value,
                f"The pages of {owner.name.value} are kept in order within the field "
                f"{part.names[0].field}, which moves; the order itself would stay behind.",
                "Take the field off `conversion.move`, or order_with_respect_to out of Meta.",
            )
    return parts


def _parts(
    lists: Lists, owner: cst.ClassDef, assignment: Assignment, fields: Collection[str]
) -> Iterator[Part]:
    module, value = lists.module, assignment.value
    if assignment.name in WHOLE or (assignment.name in TOGETHER and _is_one(value)):
        names = string_names(module, value)
        if not isinstance(value, cst.BaseString | cst.List | cst.Tuple):
            _refuse_elsewhere(lists, owner, value, fields)
        elif _moves(lists, owner, assignment, value, names, fields):
            yield Part(assignment, [], names)
        return
    part = Part(assignment)
    for element in _elements(value):
        if isinstance(element, cst.Call) and assignment.name in NAMED:
            names = field_names(module, element)
        elif isinstance(element, cst.List | cst.Tuple) and assignment.name in TOGETHER:
            names = string_names(module, element)
        else:
            _refuse_elsewhere(lists, owner, element, fields)
            continue
        if _moves(lists, owner, assignment, element, names, fields):
            part.elements.append(element)
            part.names.extend(names)
    if part.elements:
        yield part


def _is_one(value: cst.BaseExpression) -> bool:
    """Whether unique_together is one group of fields, and not a list of groups."""
    return isinstance(value, cst.List | cst.Tuple) and any(
        isinstance(element.value, cst.BaseString) for element in value.elements
    )


def _elements(value: cst.BaseExpression) -> Iterator[cst.BaseExpression]:
    match value:
        case cst.BinaryOperation(operator=cst.Add()):
            yield from _elements(value.left)
            yield from _elements(value.right)
        case cst.List() | cst.Tuple():
            for element in value.elements:
                if isinstance(element, cst.StarredElement):
                    yield from _elements(element.value)
                else:
                    yield element.value
        case _:
            yield value


def _moves(
    lists: Lists,
    owner: cst.ClassDef,
    assignment: Assignment,
    value: cst.BaseExpression,
    names: list[FieldName],
    fields: Collection[str],
) -> bool:
    """Whether all of it moves. Raise SourceError when only a part of it would."""
    own = {one.name for one in assignments(owner)}
    moved = [one for one in names if one.field in fields]
    staying = [one for one in names if one.field not in fields and (one.sure or one.field in own)]
    if moved and staying:
        raise refused(
            lists.module,
            value,
            f"{assignment.name} of {owner.name.value} speaks of {moved[0].field}, which moves, and "
            f"of {staying[0].field}, which stays: no one table has both.",
            f"First write it without {staying[0].field} or without {moved[0].field} and make a "
            f"migration of that, or move {staying[0].field} as well (`conversion.move`), if it is "
            f"a field of {owner.name.value}.",
        )
    if hides(lists, None, value, fields):
        raise _unread(lists, owner, value)
    return bool(moved)


def _refuse_elsewhere(
    lists: Lists, owner: cst.ClassDef, value: cst.BaseExpression, fields: Collection[str]
) -> None:
    """Raise SourceError for a list that is written elsewhere, unless it is certain that it does
    not speak of the fields. What another class has speaks of that class.
    """
    base = value.func if isinstance(value, cst.Call) else value
    known = isinstance(base, cst.Attribute) or lists.defines(base)
    if not known or lists.speaks(None, value, fields):
        raise _unread(lists, owner, value)


def _unread(lists: Lists, owner: cst.ClassDef, node: cst.CSTNode) -> SourceError:
    return refused(
        lists.module,
        node,
        f"The Meta of {owner.name.value} may speak here of a field that moves, in a way that "
        "cannot be edited.",
        "Write it out in the Meta itself, in a list literal, with the names of constraints, "
        "indexes and fields as plain strings.",
    )


def _check_others(lists: Lists, owner: cst.ClassDef, fields: Collection[str]) -> None:
    """Refuse moved fields in the Meta of a base or child, where Django would miss them."""
    cls = owner.name.value
    outer = [lists.classes[one] for one in (*lists.ancestors(cls), *lists.descendants(cls))]
    metas = [meta for meta in map(own_meta, outer) if meta is not None]
    mine = own_meta(owner)
    for base in mine.bases if mine is not None else ():
        match base.value:
            case cst.Name(value=name) if name in lists.classes:
                metas.append(lists.classes[name])
            case cst.Attribute(value=cst.Name(value=name), attr=cst.Name(value="Meta")):
                inner = own_meta(lists.classes[name]) if name in lists.classes else None
                metas += [inner] if inner is not None else []
    for assignment in assignments(owner):
        if assignment.name == "Meta":
            _refuse_elsewhere(lists, owner, assignment.value, fields)
    for meta in metas:
        for one in assignments(meta):
            if one.name not in _SPEAKING:
                continue
            names = [name.field for name in string_names(lists.module, one.value)]
            if not set(names).isdisjoint(fields) or hides(lists, None, one.value, fields):
                raise refused(
                    lists.module,
                    one.value,
                    f"The Meta of another class speaks of a field that moves from {cls}.",
                    f"Take it out there first, and make a migration of that; a Meta of {cls} "
                    "itself moves with the field.",
                )
