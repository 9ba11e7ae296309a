"""Editing the operator's models file: pure functions from text to text.

The file:
    parsed            the file as text and as a tree, and where every node stands
    scope             which names an expression looks up in the class around it
    words             strings and keywords that name a field, and what runs at import
    expressions       the fields that a Django expression speaks of
What speaks of a field:
    fields            its definition
    field_statements  statements about it in the class body
    dependent         other fields that need it
    relations         a relation of the class with itself
    entries, lists    panels, search_fields, api_fields: what they consist of, and where from
    meta              constraints, indexes, ordering
    guards            whatever would break without it: refused
The edits:
    derive            the new class: copies, new_lists, new_meta
    placing           putting it in
    editing           taking the fields out of the old class (removing, pruning), and giving them
                      their names back
    tree_rules        the new type beside the old one: in the rules of the page tree, in __all__
For the operator to look at:
    mentions          the code of the file that still speaks of a field
    usages            what else names the type or a field, in every file of the project

libcst understands the file; the edits are made on the text itself. So what is not edited
stays as it is byte for byte: comments, odd spacing, tabs, line endings.
Nothing here imports Django or writes a file.
"""

from wizard.project.source.derive import derived_class
from wizard.project.source.editing import (
    final_models,
    remove_fields,
    unified_diff,
    unprefix_fields,
)
from wizard.project.source.mentions import Mention, mentions
from wizard.project.source.parsed import SourceError, class_source
from wizard.project.source.placing import insert_class
from wizard.project.source.tree_rules import allow_beside, export_beside
from wizard.project.source.usages import Usage, usages

__all__ = [
    "Mention",
    "SourceError",
    "Usage",
    "allow_beside",
    "class_source",
    "derived_class",
    "export_beside",
    "final_models",
    "insert_class",
    "mentions",
    "remove_fields",
    "unified_diff",
    "unprefix_fields",
    "usages",
]
