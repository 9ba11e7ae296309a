"""Taking fields out of a class, giving them their names back, putting a class in."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from difflib import unified_diff as _unified_diff

import libcst as cst

from wizard.project.source.entries import removals
from wizard.project.source.fields import defined_here, definition, definitions, reverse_names
from wizard.project.source.parsed import (
    Assignment,
    Edit,
    Module,
    SourceError,
    assigned_lines,
    class_lines,
    classes,
    edited,
    find_class,
    indentation,
    statements,
)

_LINE_END = re.compile(r"\r\n?|\n")


def insert_class(module: str, *, after: str, text: str) -> str:
    """Return the file with the class `text` put right below the class `after`, two blank lines
    between.

    A class of the same name that is there already is replaced where it stands.
    """
    new = Module(text)
    match new.tree.body:
        case [cst.ClassDef() as node]:
            name = node.name.value
        case _:
            raise SourceError(
                "The text to put into the models file is not one class.",
                found=text,
                hint="Give one class definition and nothing else.",
            )
    parsed = Module(module)
    newline = parsed.newline
    text = _LINE_END.sub(newline, text.strip("\r\n")) + newline
    if any(one.name.value == name for one in classes(parsed)):
        return edited(module, [Edit(*class_lines(parsed, find_class(parsed, name)), text)])
    end = class_lines(parsed, find_class(parsed, after))[1]
    head, tail = module[:end], module[end:]
    if not head.endswith(("\n", "\r")):
        head += newline
    blank = len(_blanks_below(parsed, end) or [end]) - 1
    gap = newline * max(0, 2 - blank) if tail.strip() else ""
    return head + newline * 2 + text + gap + tail


def remove_fields(module: str, *, cls: str, fields: Sequence[str]) -> str:
    """Return the file without the fields in class `cls`, nor in its panels, search and API fields.

    Comment lines directly above a removed definition or entry go with it.
    Raise SourceError when a field has no definition in the class.
    """
    parsed = Module(module)
    node = find_class(parsed, cls)
    field_definitions = definitions(parsed, node, fields)
    edits = [*_without(parsed, node, field_definitions), *removals(parsed, node, set(fields))]
    return edited(module, edits)


def unprefix_fields(module: str, *, cls: str, fields: Sequence[str], prefix: str) -> str:
    """Return the file with PREFIX_FIELD called FIELD again throughout class `cls`.

    Within the class that covers definitions, attributes, keywords, and strings that are the
    name or a lookup on it (`-new_keywords`, `new_keywords__icontains`); in the definitions
    also a related_name that begins with the prefix.
    Raise SourceError when a prefixed field is not there, or its old name is still taken.
    """
    parsed = Module(module)
    node = find_class(parsed, cls)
    field_definitions = definitions(parsed, node, [prefix + field for field in fields])
    for field in fields:
        if defined_here(node, field):
            taken = parsed.line_number(parsed.span(definition(parsed, node, field).target)[0])
            raise SourceError(
                f"Wanted to call {prefix}{field} of {cls} {field} again, and that name is taken.",
                found=f"line {taken} defines {field}",
                hint=f"Keep one of the two in {cls}.",
            )
    renamer = _Prefixed(parsed, fields, prefix)
    node.visit(renamer)
    edits = [*renamer.edits]
    for assignment in field_definitions:
        for arg in reverse_names(assignment.value):
            name = arg.value
            if isinstance(name, cst.SimpleString) and name.raw_value.startswith(prefix):
                start = parsed.inside(name)
                edits.append(Edit(start, start + len(prefix)))
    return edited(module, edits)


def final_models(
    module: str, *, old_class: str, new_class: str, fields: Sequence[str], prefix: str
) -> str:
    """Return the file as it is when all is done: fields only in the new class, unprefixed."""
    without = remove_fields(module, cls=old_class, fields=fields)
    return unprefix_fields(without, cls=new_class, fields=fields, prefix=prefix)


def unified_diff(old: str, new: str, path: str) -> str:
    """Return the change as a unified diff for reading; line endings are shown as newlines."""
    lines = _unified_diff(
        _LINE_END.split(old), _LINE_END.split(new), f"a/{path}", f"b/{path}", lineterm=""
    )
    return "".join(f"{line}\n" for line in lines)


def _without(module: Module, node: cst.ClassDef, gone: Collection[Assignment]) -> list[Edit]:
    """Edits that take the lines of assignments out of a class.

    Of the blank lines above and below what was cut, the longer run stays.
    """
    text = module.text
    cuts: list[tuple[int, int]] = []
    for start, end in sorted(assigned_lines(module, one) for one in gone):
        if cuts and not text[cuts[-1][1] : start].strip():
            start = cuts.pop()[0]
        cuts.append((start, end))
    if len(gone) == len(statements(node)):
        start, end = cuts[0]
        return [
            Edit(start, end, f"{indentation(module, node)}pass{module.newline}"),
            *(Edit(*cut) for cut in cuts[1:]),
        ]
    header = module.line_number(module.span(node.body)[0])
    edits = []
    for start, end in cuts:
        above, below = _blanks_above(module, start), _blanks_below(module, end)
        top = module.line_number(start) - len(above) - 1 == header
        if below is None:
            start = above[-1] if above else start
        else:
            end = below[len(below) - 1 if top else min(len(above), len(below) - 1)]
        edits.append(Edit(start, end))
    return edits


def _blanks_above(module: Module, start: int) -> list[int]:
    """Return the beginnings of the blank lines directly above, the nearest first."""
    beginnings: list[int] = []
    above = module.line_before(start)
    while above is not None and not module.text[above:start].strip():
        beginnings.append(above)
        start, above = above, module.line_before(above)
    return beginnings


def _blanks_below(module: Module, end: int) -> list[int] | None:
    """`end`, then the ends of the blank lines directly below; None if the file ends there."""
    ends = [end]
    while end < len(module.text):
        after = module.line_end(end)
        if module.text[end:after].strip():
            return ends
        end = after
        ends.append(end)
    return None


class _Prefixed(cst.CSTVisitor):
    """Edits that take the prefix off every name and string that is a prefixed field."""

    def __init__(self, module: Module, fields: Sequence[str], prefix: str) -> None:
        super().__init__()
        names = "|".join(re.escape(field) for field in fields)
        self.pattern = re.compile(rf"-?{re.escape(prefix)}(?=(?:{names})(?:__\w+)?\Z)")
        self.prefix = prefix
        self.module = module
        self.edits: list[Edit] = []

    def visit_Name(self, node: cst.Name) -> None:
        self._look(node, node.value, 0)

    def visit_SimpleString(self, node: cst.SimpleString) -> None:
        self._look(node, node.raw_value, len(node.prefix) + len(node.quote))

    def _look(self, node: cst.CSTNode, text: str, before: int) -> None:
        match = self.pattern.match(text)
        if match is not None:
            end = self.module.inner_span(node)[0] + before + match.end()
            self.edits.append(Edit(end - len(self.prefix), end))
