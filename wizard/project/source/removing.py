"""What a file loses when fields leave a class: definitions, what is said of them, list entries."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

import libcst as cst

from wizard.project.source.dependent import check_dependents
from wizard.project.source.entries import named
from wizard.project.source.field_statements import field_statements
from wizard.project.source.fields import definitions
from wizard.project.source.guards import check_file
from wizard.project.source.lists import Lists
from wizard.project.source.meta import Part, moving_parts, own_meta
from wizard.project.source.parsed import (
    Edit,
    Module,
    class_lines,
    indentation,
    own_lines,
    statements,
)
from wizard.project.source.pruning import emptied, pruned

Cut = tuple[int, int]


def removal(module: Module, node: cst.ClassDef, fields: Collection[str]) -> list[Edit]:
    """Edits that take the fields out of the class, and out of all that speaks of them.

    Raise SourceError where something would be left that speaks of them when it is imported, or
    that Wagtail reads.
    """
    lists = Lists(module)
    check_dependents(lists, node, fields)
    check_file(lists, node, fields)
    lines = {one.line for one in definitions(module, node, sorted(fields))}
    lines.update(field_statements(module, node, fields))
    gone: dict[cst.ClassDef | None, list[Cut]] = {node: [own_lines(module, line) for line in lines]}
    edits = list_removal(lists, node.name.value, fields, gone)
    parts = moving_parts(lists, node, fields)
    edits += _meta_removal(module, node, parts, gone)
    for owner, cuts in gone.items():
        edits += without(module, owner, cuts)
    return merged(edits)


def list_removal(
    lists: Lists,
    cls: str,
    fields: Collection[str],
    gone: dict[cst.ClassDef | None, list[Cut]],
) -> list[Edit]:
    """Edits that take entries out of the lists of a class and of its children.

    A statement that did nothing but add such entries is added to `gone`.
    """
    module = lists.module
    edits: list[Edit] = []
    for source in lists.family(cls, fields):
        whole = source.element and named(source.value, fields) is not None
        within = (
            None
            if whole
            else pruned(module, source.value, lambda one: named(one, fields) is not None)
        )
        if within is not None:
            edits += within
        elif source.extends:
            gone.setdefault(source.owner, []).append(own_lines(module, source.line))
        else:
            edits.append(emptied(module, source.value))
    return edits


def _meta_removal(
    module: Module,
    node: cst.ClassDef,
    parts: Sequence[Part],
    gone: dict[cst.ClassDef | None, list[Cut]],
) -> list[Edit]:
    meta = own_meta(node)
    if meta is None or not parts:
        return []
    edits: list[Edit] = []
    cuts = []
    for part in parts:
        assignment = part.assignment
        elements = part.elements
        within = (
            None
            if part.whole
            else pruned(module, assignment.value, lambda one, out=elements: one in out)  # type: ignore[misc]
        )
        if within is None:
            cuts.append(own_lines(module, assignment.line))
        else:
            edits += within
    if len(cuts) == len(statements(meta)) and not meta.bases:
        start, end = class_lines(module, meta)
        floor = module.span(meta)[0]
        gone.setdefault(node, []).append((module.comments_above(start, floor), end))
    else:
        gone[meta] = cuts
    return edits


def without(
    module: Module, node: cst.ClassDef | None, gone: Iterable[tuple[int, int]]
) -> list[Edit]:
    """Edits that take the lines of statements out of a class, or of the file itself.

    Of the blank lines above and below what was cut, the longer run stays.
    """
    text = module.text
    lines = sorted(set(gone))
    cuts: list[tuple[int, int]] = []
    for start, end in lines:
        if cuts and not text[cuts[-1][1] : start].strip():
            start = cuts.pop()[0]
        cuts.append((start, end))
    if node is not None and lines and len(lines) == len(statements(node)):
        start, end = cuts[0]
        return [
            Edit(start, end, f"{indentation_within(module, node)}pass{module.newline}"),
            *(Edit(*cut) for cut in cuts[1:]),
        ]
    header = module.line_number(module.span(node.body)[0]) if node is not None else 0
    edits = []
    for start, end in cuts:
        above, below = blanks_above(module, start), blanks_below(module, end)
        top = module.line_number(start) - len(above) - 1 == header
        if below is None:
            start = above[-1] if above else start
        else:
            end = below[len(below) - 1 if top else min(len(above), len(below) - 1)]
        edits.append(Edit(start, end))
    return edits


def indentation_within(module: Module, node: cst.ClassDef) -> str:
    """Return the white space that the statements of a class begin their lines with."""
    body = statements(node)
    if not body:
        return indentation(module, node)
    start = module.inner_span(body[0])[0]
    line = module.text[module.line_start(start) : start]
    return line[: len(line) - len(line.lstrip())]


def merged(edits: Iterable[Edit]) -> list[Edit]:
    """Return the edits, overlapping deletions made into one and what they delete left out."""
    result: list[Edit] = []
    for edit in sorted(set(edits)):
        last = result[-1] if result else None
        if last is not None and edit.start < last.end and not last.text:
            end = max(last.end, edit.end)
            result[-1] = Edit(last.start, end, edit.text if edit.end > last.end else "")
        else:
            result.append(edit)
    return result


def blanks_above(module: Module, start: int) -> list[int]:
    """Return the beginnings of the blank lines directly above, the nearest first."""
    beginnings: list[int] = []
    above = module.line_before(start)
    while above is not None and not module.text[above:start].strip():
        beginnings.append(above)
        start, above = above, module.line_before(above)
    return beginnings


def blanks_below(module: Module, end: int) -> list[int] | None:
    """`end`, then the ends of the blank lines directly below; None if the file ends there."""
    ends = [end]
    while end < len(module.text):
        after = module.line_end(end)
        if module.text[end:after].strip():
            return ends
        end = after
        ends.append(end)
    return None
