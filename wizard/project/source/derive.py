"""The new class: prefixed copies of the moved fields, from their definitions in the old one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import libcst as cst

from wizard.project.source.copies import copies
from wizard.project.source.editing import final_models
from wizard.project.source.lists import Lists
from wizard.project.source.new_lists import new_lists
from wizard.project.source.new_meta import new_meta
from wizard.project.source.parsed import (
    Module,
    assignments,
    find_class,
    indentation,
    parse,
    statements,
)
from wizard.project.source.placing import check_name, insert_class
from wizard.project.source.removing import removal
from wizard.project.source.scope import bound_names


def derived_class(
    module: str, *, old_class: str, new_class: str, fields: Sequence[str], prefix: str
) -> str:
    """Return `class NEW(OLD)` with PREFIX_FIELD for each of the fields, as text for this file.

    Definitions are taken as written, with the comments directly above them, but for what has
    to differ: names of the old class's body are reached through the old class, a related_name
    gets the prefix, because the old field still holds it, and "self" becomes the old class.
    Panels, search and API fields that name a moved field are added to what the old class has;
    constraints and indexes of moved fields alone come along.
    Raise SourceError when a field has no definition that can be copied, when the new class's name
    is taken, and when the field could not be taken out of the old class later.
    """
    parsed = parse(module)
    node = find_class(parsed, old_class)
    check_name(parsed, new_class, old_class)
    newline, indent = parsed.newline, indentation(parsed, node)
    lists = Lists(parsed)
    text = copies(parsed, node, fields, prefix)
    removal(parsed, node, fields)
    attributes = [
        f"{indent}{line}{newline}"
        for line in (*_own(parsed, lists, node), *new_lists(lists, node, fields, prefix, indent))
    ]
    blocks = [text, "".join(attributes), new_meta(lists, node, new_class, fields, prefix, indent)]
    body = newline.join(block for block in blocks if block)
    text = f"class {new_class}({old_class}):{newline}{body}"
    # What is accepted now is not to be refused when the fields are taken out of the old class.
    added = insert_class(module, after=old_class, text=text)
    final_models(added, old_class=old_class, new_class=new_class, fields=fields, prefix=prefix)
    return text


# What Wagtail gives to each class that does not say it itself, whatever its parent says
# (PageBase.__init__ in wagtail/models/pages.py; the same from Wagtail 4.2 to 8.0).
_NOT_INHERITED = ("template", "ajax_template", "is_creatable")


def _own(module: Module, lists: Lists, node: cst.ClassDef) -> Iterator[str]:
    """Yield the attributes that Wagtail does not inherit, as the old class has them.

    The template always: pages that change their class are to look as before. The others where
    the old class says them; a plain value as it is written.
    """
    cls = node.name.value
    said = {name for statement in statements(node) for name in bound_names(statement)}
    plain = {one.name: one.value for one in assignments(node)}
    for name in _NOT_INHERITED:
        value = plain.get(name)
        later = len(lists.sources.get((cls, name), ())) > 1 or name not in said
        if name == "is_creatable" and isinstance(value, cst.Name) and not later:
            yield f"{name} = {module.slice(value)}"
        elif name == "template" or name in said or (cls, name) in lists.sources:
            yield f"{name} = {cls}.{name}"
