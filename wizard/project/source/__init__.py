"""Editing the operator's models file: pure functions from text to text.

    parsed    the file as text and as a tree, and where every node stands
    editing   taking fields out, giving names back, putting a class in
    entries   the lists of a page class that name its fields: panels, search_fields, api_fields
    scope     which names an expression looks up in the class around it
    derive    the new class, from the definitions in the old one
    mentions  the code that still speaks of a field, for the operator to look at

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

__all__ = [
    "Mention",
    "SourceError",
    "class_source",
    "derived_class",
    "final_models",
    "insert_class",
    "mentions",
    "remove_fields",
    "unified_diff",
    "unprefix_fields",
]
