"""Statements of a class body that use one of its fields by its bare name.

What is done to the field (`cover.wagtail_reference_index_ignore = True`) moves with it. Any
other statement would be left without the name when the field goes, and the file would not
import: such a one is refused.
"""

from __future__ import annotations

from collections.abc import Collection

import libcst as cst

from wizard.project.source.fields import definitions
from wizard.project.source.parsed import Module, statements
from wizard.project.source.scope import bound_names, scope_names
from wizard.project.source.words import refused


def field_statements(
    module: Module, node: cst.ClassDef, fields: Collection[str]
) -> list[cst.SimpleStatementLine]:
    """Return the statements of the class body that are about the fields alone, in order.

    Raise SourceError for one that uses a field's name for something that stays.
    """
    defined = {one.line for one in definitions(module, node, sorted(fields))}
    first = {name: module.span(one)[0] for one in defined for name in bound_names(one)}
    about = []
    for statement in statements(node):
        if statement in defined:
            continue
        used = [
            name
            for name in scope_names(statement)
            # Above its definition the name is the module's.
            if name.value in fields and module.span(statement)[0] > first[name.value]
        ]
        if not used:
            continue
        if isinstance(statement, cst.SimpleStatementLine) and all(
            _is_about(one, fields) for one in statement.body
        ):
            about.append(statement)
            continue
        field, cls = used[0].value, node.name.value
        raise refused(
            module,
            used[0],
            f"A statement of {cls} that stays uses the field {field}, which moves.",
            f"Make it do without {field}, or write it as statements of their own that begin with "
            f"`{field}.`: those move with the field.",
        )
    return about


def _is_about(statement: cst.BaseSmallStatement, fields: Collection[str]) -> bool:
    match statement:
        case cst.Assign(targets=targets):
            return all(_root(one.target) in fields for one in targets)
        case cst.AnnAssign(target=target) | cst.AugAssign(target=target):
            return _root(target) in fields
        case cst.Del(target=target):
            return _root(target) in fields
        case cst.Expr(value=cst.Call(func=cst.Name(value="setattr" | "delattr"), args=args)):
            match args:
                case [cst.Arg(value=cst.Name(value=name)), *_]:
                    return name in fields
        case cst.Expr(value=cst.Call(func=func)):
            return _root(func) in fields
    return False


def _root(target: cst.BaseExpression) -> str:
    """Return the name that `x` is in `x.a[0].b`; "" for a bare name or anything else."""
    if isinstance(target, cst.Name):
        return ""
    while isinstance(target, cst.Attribute | cst.Subscript | cst.Call):
        target = target.func if isinstance(target, cst.Call) else target.value
    return target.value if isinstance(target, cst.Name) else ""
