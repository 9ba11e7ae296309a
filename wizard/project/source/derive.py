"""The new class: prefixed copies of the moved fields, from their definitions in the old one."""

from __future__ import annotations

import re
from collections.abc import Sequence

import libcst as cst

from wizard.project.source.entries import SourceEntry, entries, listings
from wizard.project.source.fields import definitions, reverse_names
from wizard.project.source.parsed import (
    Assignment,
    Edit,
    Module,
    SourceError,
    assigned_lines,
    assignments,
    edited,
    find_class,
    indentation,
    statements,
)
from wizard.project.source.scope import qualified

# The panels that Wagtail itself reads; entries found in any other list of panels go to the first.
_PANELS = ("content_panels", "promote_panels", "settings_panels")


def derived_class(
    module: str, *, old_class: str, new_class: str, fields: Sequence[str], prefix: str
) -> str:
    """Return `class NEW(OLD)` with PREFIX_FIELD for each of the fields, as text for this file.

    Definitions are taken as written, with the comments directly above them, but for what has
    to differ: names of the old class's body are reached through the old class, and a
    related_name gets the prefix, because the old field still holds it. Panels, search and API
    fields that name a moved field are added to what the old class has.
    Raise SourceError when a field has no definition that can be copied.
    """
    parsed = Module(module)
    node = find_class(parsed, old_class)
    newline, indent = parsed.newline, indentation(parsed, node)
    field_definitions = definitions(parsed, node, fields)
    copies = "".join(
        _copy(parsed, node, assignment, prefix, indent) for assignment in field_definitions
    )
    attributes = [
        f"{indent}{line}{newline}"
        for line in (*_templates(node), *_lists(parsed, node, fields, prefix, indent))
    ]
    blocks = [copies, "".join(attributes), _meta(parsed, node, new_class, indent)]
    body = newline.join(block for block in blocks if block)
    return f"class {new_class}({old_class}):{newline}{body}"


def _copy(
    module: Module, owner: cst.ClassDef, assignment: Assignment, prefix: str, indent: str
) -> str:
    """Return a definition with its comments under the prefixed name, newline at the end."""
    start, end = assigned_lines(module, assignment)
    at = module.inner_span(assignment.target)[0]
    expressions: list[cst.CSTNode] = [assignment.value]
    if isinstance(assignment.statement, cst.AnnAssign):
        expressions.append(assignment.statement.annotation)
    edits = [
        Edit(at, at, prefix),
        *qualified(module, owner, assignment.line, expressions),
        *_reverse(module, owner, assignment, prefix),
    ]
    return edited(module.text, edits, start, end).rstrip("\r\n") + module.newline


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


def _templates(node: cst.ClassDef) -> list[str]:
    """Wagtail names the templates after the class, not inheriting them (wagtail.models.pages,
    PageBase.__init__); pages that change their class are to look as before.
    """
    own = {one.name for one in assignments(node)}
    names = ["template", *(["ajax_template"] if "ajax_template" in own else [])]
    return [f"{name} = {node.name.value}.{name}" for name in names]


def _lists(
    module: Module, owner: cst.ClassDef, fields: Sequence[str], prefix: str, indent: str
) -> list[str]:
    """Return the assignments that add the prefixed fields to the lists of the old class."""
    old_class, newline = owner.name.value, module.newline
    lists: dict[str, list[str]] = {}
    tuples: set[str] = set()
    lines = []
    for assignment in listings(owner):
        name = assignment.name
        if name == "edit_handler" or (name.endswith("panels") and name not in _PANELS):
            name = _PANELS[0]
        elif _is_tuple(assignment.value):
            tuples.add(name)
        for entry in entries(assignment.value, fields):
            text = _entry(module, owner, assignment, entry, prefix, indent * 2)
            if text not in lists.setdefault(name, []):
                lists[name].append(text)
        if assignment.name == "edit_handler":
            lines.append(
                f"# The editor shows {old_class}.edit_handler: give this class its own, with the "
                "new fields."
            )
    for name, texts in lists.items():
        opening, closing = "()" if name in tuples else "[]"
        inside = "".join(f"{indent * 2}{text},{newline}" for text in texts)
        lines.append(f"{name} = {old_class}.{name} + {opening}{newline}{inside}{indent}{closing}")
    return lines


def _entry(
    module: Module,
    owner: cst.ClassDef,
    assignment: Assignment,
    entry: SourceEntry,
    prefix: str,
    indent: str,
) -> str:
    at = module.inner_span(entry.name)[0] + len(entry.name.prefix) + len(entry.name.quote)
    start, end = module.span(entry.value)
    edits = [Edit(at, at, prefix), *qualified(module, owner, assignment.line, [entry.value])]
    text = edited(module.text, edits, start, end)
    if '"""' in text or "'''" in text:
        return text
    line = module.text[module.line_start(start) : start]
    old = line[: len(line) - len(line.lstrip())]
    return re.sub(rf"(\r\n?|\n){re.escape(old)}", lambda match: match[1] + indent, text)


def _is_tuple(value: cst.BaseExpression) -> bool:
    while isinstance(value, cst.BinaryOperation):
        value = value.right
    return isinstance(value, cst.Tuple)


def _meta(module: Module, node: cst.ClassDef, target: str, indent: str) -> str:
    """Return a Meta with a verbose_name in the manner of the old class's, but saying what this
    class is.

    The old class's own name would put two types of one name into Wagtail's menus.
    """
    for statement in statements(node):
        if not isinstance(statement, cst.ClassDef) or statement.name.value != "Meta":
            continue
        for assignment in assignments(statement):
            if assignment.name != "verbose_name":
                continue
            value = assignment.value
            call = value if isinstance(value, cst.Call) else None
            if call is not None and len(call.args) == 1:
                value = call.args[0].value
            if not isinstance(value, cst.SimpleString):
                continue
            words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", target).lower()
            if str(value.evaluated_value)[:1].isupper():
                words = words[:1].upper() + words[1:]
            text = f'"{words}"' if call is None else f'{module.slice(call.func)}("{words}")'
            newline = module.newline
            return f"{indent}class Meta:{newline}{indent * 2}verbose_name = {text}{newline}"
    return ""
