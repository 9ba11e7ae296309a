"""The Meta of the new class: what moves from that of the old one, and what it is called.

While both classes have the field, a constraint's or index's name is taken by the old class; so
the copy's gets the prefix, and loses it with the field.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping

import libcst as cst

from wizard.project.source.expressions import field_names, function
from wizard.project.source.lists import Lists
from wizard.project.source.meta import NAMED, TOGETHER, Part, moving_parts, own_meta
from wizard.project.source.parsed import Edit, Module, assignments, edited
from wizard.project.source.words import refused

# Django's check models.E034, and PostgreSQL's names.
_INDEX_NAME, _NAME = 30, 63


def new_meta(
    lists: Lists,
    owner: cst.ClassDef,
    new_class: str,
    fields: Collection[str],
    prefix: str,
    indent: str,
) -> str:
    """Return the class Meta that the new class needs; "" if it needs none."""
    module, newline = lists.module, lists.module.newline
    lines = _verbose_name(module, owner, new_class)
    groups: dict[str, list[str]] = {}
    for part in moving_parts(lists, owner, fields):
        name = part.assignment.name
        edits = [one.prefixed(prefix) for one in part.names]
        if part.whole:
            text = reindented(module, part.assignment.value, edits, indent * 2)
            lines.append(f"{name} = {text}")
            continue
        for element in part.elements:
            named = [
                Edit(module.inside(one), module.inside(one) + len(one.raw_value), copy)
                for one, copy in _names(lists, element, name, prefix)
            ]
            text = reindented(module, element, [*edits, *named], indent * 3)
            groups.setdefault(name, []).append(text)
    for name, texts in groups.items():
        inside = "".join(f"{indent * 3}{text},{newline}" for text in texts)
        lines.append(f"{name} = [{newline}{inside}{indent * 2}]")
    body = "".join(f"{indent * 2}{line}{newline}" for line in lines)
    return f"{indent}class Meta:{newline}{body}" if lines else ""


def original_names(lists: Lists, parts: Collection[Part], prefix: str) -> dict[str, str]:
    """Return the names of constraints and indexes that the copies have, with the true ones."""
    return {
        copy: str(name.evaluated_value)
        for part in parts
        for element in part.elements
        for name, copy in _names(lists, element, part.assignment.name, prefix)
    }


def restored_names(
    module: Module,
    node: cst.ClassDef,
    fields: Collection[str],
    prefix: str,
    names: Mapping[str, str],
) -> list[Edit]:
    """Edits that give constraints and indexes of prefixed fields their true names."""
    meta = own_meta(node)
    prefixed = {prefix + field for field in fields}
    edits = []
    for assignment in assignments(meta) if meta is not None else ():
        if assignment.name not in NAMED:
            continue
        calls = _Calls()
        assignment.value.visit(calls)
        for call in calls.named:
            name = _name(call)
            if not isinstance(name, cst.SimpleString):
                continue
            value = name.raw_value
            about = {one.field for one in field_names(module, call)}
            if value in names:
                true = names[value]
            elif about & prefixed and value.startswith(prefix):
                true = value[len(prefix) :].lstrip("_0123456789")
            else:
                continue
            start = module.inside(name)
            edits.append(Edit(start, start + len(value), true))
    return edits


def reindented(
    module: Module, value: cst.BaseExpression, edits: Collection[Edit], indent: str
) -> str:
    """Return an expression as it is written, with edits made, its lines moved to `indent`."""
    start, end = module.span(value)
    text = edited(module.text, edits, start, end)
    if '"""' in text or "'''" in text:
        return text
    line = module.text[module.line_start(start) : start]
    old = line[: len(line) - len(line.lstrip())]
    return re.sub(rf"(\r\n?|\n){re.escape(old)}", lambda match: match[1] + indent, text)


def _names(
    lists: Lists, element: cst.BaseExpression, attribute: str, prefix: str
) -> Iterator[tuple[cst.SimpleString, str]]:
    """Yield the name of a constraint or index, with the one that its copy has."""
    name = _name(element) if isinstance(element, cst.Call) else None
    if name is None or attribute in TOGETHER:
        return
    if not isinstance(name, cst.SimpleString):
        raise refused(
            lists.module,
            name,
            f"The name of one of the {attribute} that move is no plain string, so its copy "
            "cannot be given another one.",
            "Write the name as one string literal.",
        )
    value = name.raw_value
    if "%(class)s" in value:
        return
    limit = _INDEX_NAME if function(element).endswith("Index") else _NAME
    yield name, prefix + value[-max(1, limit - len(prefix)) :]


def _name(call: cst.Call) -> cst.BaseExpression | None:
    for arg in call.args:
        if arg.keyword is not None and arg.keyword.value == "name":
            return arg.value
    return None


class _Calls(cst.CSTVisitor):
    def __init__(self) -> None:
        super().__init__()
        self.named: list[cst.Call] = []

    def visit_Call(self, node: cst.Call) -> bool:
        if _name(node) is None:
            return True
        self.named.append(node)
        return False


def _verbose_name(module: Module, node: cst.ClassDef, new_class: str) -> list[str]:
    """Return a verbose_name in the manner of the old class's, but saying what this class is.

    The old class's own name would put two types of one name into Wagtail's menus.
    """
    meta = own_meta(node)
    for assignment in assignments(meta) if meta is not None else ():
        if assignment.name != "verbose_name":
            continue
        value = assignment.value
        call = value if isinstance(value, cst.Call) else None
        if call is not None and len(call.args) == 1:
            value = call.args[0].value
        if not isinstance(value, cst.SimpleString):
            continue
        words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", new_class).lower()
        if str(value.evaluated_value)[:1].isupper():
            words = words[:1].upper() + words[1:]
        text = f'"{words}"' if call is None else f'{module.slice(call.func)}("{words}")'
        return [f"verbose_name = {text}"]
    return []
