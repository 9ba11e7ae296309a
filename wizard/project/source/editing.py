"""Taking fields out of a class, and giving them their names back."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from difflib import unified_diff as _unified_diff

import libcst as cst

from wizard.project.source.fields import defined_here, definition, definitions, reverse_names
from wizard.project.source.lists import Lists
from wizard.project.source.meta import moving_parts
from wizard.project.source.new_meta import original_names, restored_names
from wizard.project.source.parsed import Edit, Module, SourceError, edited, find_class, parse
from wizard.project.source.removing import removal

_LINE_END = re.compile(r"\r\n?|\n")


def remove_fields(module: str, *, cls: str, fields: Sequence[str]) -> str:
    """Return the file without the fields in class `cls`, nor in what speaks of them: statements
    about them, its Meta, and the lists of panels, search and API fields of the class and its
    children, wherever in the file they are written.

    Comment lines directly above what is removed go with it.
    Raise SourceError when a field has no definition in the class, or is spoken of in a way that
    cannot be edited.
    """
    parsed = parse(module)
    return edited(module, removal(parsed, find_class(parsed, cls), fields))


def unprefix_fields(
    module: str,
    *,
    cls: str,
    fields: Sequence[str],
    prefix: str,
    names: Mapping[str, str] | None = None,
) -> str:
    """Return the file with PREFIX_FIELD called FIELD again throughout class `cls`.

    Within the class that covers definitions, attributes, keywords, and strings that are the
    name or a lookup on it (`-new_keywords`, `new_keywords__icontains`); in the definitions
    also a related_name that begins with the prefix, and the names of constraints and indexes
    of such fields. `names` has the true names of constraints and indexes whose names had to be
    shortened for the prefix.
    Raise SourceError when a prefixed field is not there, or its old name is still taken.
    """
    parsed = parse(module)
    node = find_class(parsed, cls)
    definitions_ = definitions(parsed, node, [prefix + field for field in fields])
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
    restored = restored_names(parsed, node, fields, prefix, names or {})
    edits = [
        *restored,
        *(
            one
            for one in renamer.edits
            if not any(true.start <= one.start < true.end for true in restored)
        ),
    ]
    for assignment in definitions_:
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
    parsed = parse(module)
    lists, node = Lists(parsed), find_class(parsed, old_class)
    names = original_names(lists, moving_parts(lists, node, fields), prefix)
    without = remove_fields(module, cls=old_class, fields=fields)
    return unprefix_fields(without, cls=new_class, fields=fields, prefix=prefix, names=names)


def unified_diff(old: str, new: str, path: str) -> str:
    """Return the change as a unified diff for reading; line endings are shown as newlines."""
    lines = _unified_diff(
        _LINE_END.split(old), _LINE_END.split(new), f"a/{path}", f"b/{path}", lineterm=""
    )
    return "".join(f"{line}\n" for line in lines)


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
