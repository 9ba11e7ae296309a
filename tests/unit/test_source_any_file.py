"""Editing changes only what was asked for, in any models file."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.blog_models import assigned
from wizard.project.source import (
    class_source,
    derived_class,
    insert_class,
    remove_fields,
    unprefix_fields,
)

# Any file

MANY = 200

VALUES = [
    "models.CharField(max_length=3)",
    "models.CharField(\n        max_length=3,  # three\n\n    # deep\n    )",
    'Key("b", related_name="bs")',
    '"""\n# text\n    new = 1\n"""',
    "helper(1) \\\n    + 2",
]
FILLERS = [
    "    # a comment",
    "",
    "    ",
    "# at the margin",
    "    def method(self):\n        return [\n1]",
    "    class Meta:\n        ordering = ['other']  # ü \N{PILE OF POO}",
    "    other = 'ü'; another = 2",
    "    content_panels = Page.content_panels + [\n        FieldPanel('other')]",
    "    if True:\n        pass",
]
BEFORE = ["", "import a\n\n\n", "# coding: utf-8\nx: int = 1\n", "class A: pass\n"]
AFTER = [
    "",
    "\n",
    "\n\n\nb = 1\n",
    "\n# note\n\n\n@dec\nclass B(Blog):\n\tx = 1\n",
    "b = '''\n\n'''",
]


@st.composite
def modules(draw: st.DrawFn) -> tuple[str, list[str], dict[str, str]]:
    """A file with a class Blog, the fields to move, and the definition of each."""
    names = draw(st.lists(st.sampled_from("uvwxyz"), min_size=1, unique=True))
    values = {name: draw(st.sampled_from(VALUES)) for name in names}
    body = ["    title = 1"]
    for name in names:
        body += draw(st.lists(st.sampled_from(FILLERS), max_size=3))
        body.append(f"    {name}{draw(st.sampled_from(['', ': T']))} = {values[name]}")
        body[-1] += draw(st.sampled_from(["", "  # trailing", " "]))
    body += draw(st.lists(st.sampled_from(FILLERS), max_size=2))
    decorator = draw(st.sampled_from(["", "@register(1)\n# between\n"]))
    text = draw(st.sampled_from(BEFORE)) + decorator + "class Blog(Page):\n"
    text += "\n".join(body) + "\n" + draw(st.sampled_from(AFTER))
    newline = draw(st.sampled_from(["\n", "\r\n"]))
    moved = draw(st.lists(st.sampled_from(names), min_size=1, unique=True))
    return text.replace("\n", newline), moved, values


Drawn = tuple[str, list[str], dict[str, str]]


@given(modules())
@settings(max_examples=30, deadline=None)
def test_changes_only_what_was_asked_for_in_any_file(drawn: Drawn) -> None:
    only_what_was_asked_for(drawn)


@pytest.mark.slow
@given(modules())
@settings(max_examples=MANY, deadline=None)
def test_changes_only_what_was_asked_for_in_many_files(drawn: Drawn) -> None:
    only_what_was_asked_for(drawn)


def only_what_was_asked_for(drawn: Drawn) -> None:
    """Each edit of a file changes the lines that it is about, and no others."""
    module, fields, values = drawn
    newline = "\r\n" if "\r\n" in module else "\n"
    text = derived_class(
        module, old_class="Blog", new_class="Podcast", fields=fields, prefix="new_"
    )
    inserted = insert_class(module, after="Blog", text=text)

    # The file is a beginning and an end of what it was, with the class between.
    assert class_source(inserted, "Podcast") == text
    at = inserted.index(text)
    head, tail = inserted[:at], inserted[at + len(text) :]
    assert head.endswith(newline * 2) and module.startswith(head[: -len(newline * 2)])
    assert tail.lstrip() == module[len(head) - len(newline * 2) :].lstrip()
    assert insert_class(inserted, after="Blog", text=text) == inserted

    # Every line that went was blank, a comment, or of a definition; the others keep their order.
    removed = remove_fields(inserted, cls="Blog", fields=fields)
    kept = iter(inserted.split(newline))
    assert all(line in kept for line in removed.split(newline))
    gone = len(inserted.split(newline)) - len(removed.split(newline))
    assert gone >= sum(len(values[field].split("\n")) for field in fields)
    assert not set(fields) & set(_assigned_names(removed, "Blog"))
    left = [name for name in _assigned_names(module, "Blog") if name not in fields]
    assert _assigned_names(removed, "Blog") == left

    # In the end the new class has what the old one had.
    finished = unprefix_fields(removed, cls="Podcast", fields=fields, prefix="new_")
    own = assigned(finished.replace("\r\n", "\n"), "Podcast")
    assert {field: own[field] for field in fields} == {field: values[field] for field in fields}
    assert class_source(finished, "Blog") == class_source(removed, "Blog")


def _assigned_names(module: str, cls: str) -> list[str]:
    (node,) = (n for n in ast.parse(module).body if isinstance(n, ast.ClassDef) and n.name == cls)
    return [
        name.id
        for statement in node.body
        if isinstance(statement, ast.Assign | ast.AnnAssign)
        for name in ast.walk(statement)
        if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store)
    ]
