"""Whatever else a models file has stays as it is, wherever the lists of the page class stand."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wizard.project.source import derived_class, final_models, insert_class

FIELDS = "uvwxyz"
MANY = 200
ENTRIES = ['F("{}")', '"{}"', 'F("{}", classname="full")', 'M([F("{}")], heading="H")']
OTHERS = [
    "# a comment",
    "def later():\n    return Blog.objects.filter(u=1)",
    "@register\n# why\nclass Block(B):\n    u = C()\n\n    class Meta:\n        icon = 'u'",
    "class Post(Page):\n    u = C()\n    blog = Key(Blog)\n    api_fields = [A('u')]",
    "if DEBUG:\n    OTHER = ['u']\nelse:\n    OTHER = []",
    "TEXT = '''\nclass Blog(Page):\n    u = 1\n'''",
    "NAMES = ('u', 'v')  # of something else",
    "try:\n    import a\nexcept ImportError:\n    a = None",
    "register(Blog)",
]
BODY = [
    "    # about what follows",
    "    CHOICES = (('u', 1),)",
    "    def words(self):\n        return self.u",
    "    @property\n    def early(self):\n        return 'u'",
    "    other = C()\n    other.quiet = True",
    "    class Kind(E):\n        u = 1",
    "    if DEBUG:\n        debug = ['n']",
    "    is_creatable = False",
]


@dataclass
class File:
    text: str
    moved: list[str]


@st.composite
def displays(draw: st.DrawFn, fields: list[str]) -> str:
    """A list or tuple of entries, on one line or on several, for some of the fields."""
    names = draw(st.lists(st.sampled_from([*fields, "title"]), max_size=4))
    entries = [draw(st.sampled_from(ENTRIES)).format(name) for name in names]
    opening, closing = draw(st.sampled_from([("[", "]"), ("(", ")")]))
    if len(entries) == 1 and opening == "(":
        return f"({entries[0]},)"
    if draw(st.booleans()):
        inside = "".join(f"    {one},  # on it\n    # above\n" for one in entries)
        return f"{opening}\n{inside}{closing}"
    return f"{opening}{', '.join(entries)}{closing}"


@st.composite
def files(draw: st.DrawFn) -> File:
    fields = draw(st.lists(st.sampled_from(FIELDS), min_size=1, unique=True))
    before = draw(st.lists(st.sampled_from(OTHERS), max_size=3))
    after = draw(st.lists(st.sampled_from(OTHERS), max_size=3))
    variable = draw(st.booleans())
    if variable:
        before.insert(0, f"PANELS = {draw(displays(fields))}")
    body = draw(st.lists(st.sampled_from(BODY), max_size=3, unique=True))
    for field in fields:
        body.append(f"    {field} = C()")
        if draw(st.booleans()):
            body.append(f"    # quiet\n    {field}.quiet = True")
    for name in draw(st.lists(st.sampled_from(["content_panels", "api_fields"]), unique=True)):
        value = draw(st.sampled_from(["PANELS" if variable else "[]", draw(displays(fields))]))
        body.append(f"    {name} = {value}".replace("\n", "\n    "))
    if draw(st.booleans()):
        field = draw(st.sampled_from(fields))
        check = f'Check(Q({field}__gt=1), name="{field}_c")'
        if draw(st.booleans()):
            check += ', Check(Q(other=1), name="o")'
        body.append(f"    class Meta:\n        constraints = [{check}]")
    for verb in draw(st.lists(st.sampled_from(["= ", "+= "]), max_size=2)):
        name = draw(st.sampled_from(["search_fields", "promote_panels"]))
        after.append(f"Blog.{name} {verb}{draw(displays(fields))}")
    if draw(st.booleans()):
        after.append(f"class Magazine(Blog):\n    search_fields = {draw(displays(fields))}")
    gap = draw(st.sampled_from(["\n", "\n\n\n"]))
    text = gap.join([*before, "class Blog(Page):\n" + "\n".join(body), *after])
    text += draw(st.sampled_from(["", "\n"]))
    if draw(st.booleans()):
        text = text.replace("\n", "\r\n")
    return File(text, draw(st.lists(st.sampled_from(fields), min_size=1, unique=True)))


@pytest.mark.slow
@given(files())
@settings(max_examples=60, deadline=None)
def test_everything_else_in_the_file_stays_as_it_is(file: File) -> None:
    everything_else_stays(file)


@pytest.mark.slow
@given(files())
@settings(max_examples=MANY, deadline=None)
def test_everything_else_in_many_files_stays_as_it_is(file: File) -> None:
    everything_else_stays(file)


def everything_else_stays(file: File) -> None:
    """What the new class gets and the others lose, and that nothing else in the file changes."""
    text = derived_class(
        file.text, old_class="Blog", new_class="Podcast", fields=file.moved, prefix="new_"
    )
    added = insert_class(file.text, after="Blog", text=text)
    final = final_models(
        added, old_class="Blog", new_class="Podcast", fields=file.moved, prefix="new_"
    )
    assert added.count("\r") == added.count("\r\n") == (added.count("\n") if "\r" in added else 0)
    before, middle, after = map(definitions, (file.text, added, final))
    assert [one for one in middle if not one.startswith("class Podcast")] == before

    used = any("PANELS" in one for one in before if one.startswith("class Blog"))
    touched = re.compile(rf"Blog\.|class (?:Blog|Magazine|Podcast)\b{'|PANELS' if used else ''}")
    assert [one for one in after if not touched.match(one)] == [
        one for one in before if not touched.match(one)
    ]

    # What the classes are left with names each field on one side only, and the new class alone.
    named = re.compile(r'["(](?:' + "|".join(file.moved) + r')(?:__gt=|")')
    for one in after:
        if touched.match(one) and not one.startswith("class Podcast"):
            assert not named.search(one), one
    (podcast,) = [one for one in after if one.startswith("class Podcast")]
    assert "new_" not in podcast
    entries = {name for one in before if touched.match(one) for name in listed(one)}
    assert listed(podcast) >= {name for name in entries & set(file.moved) if _in_old(before, name)}


def definitions(text: str) -> list[str]:
    """The statements at the top level as they are written, as Python's own parser bounds them."""
    text = text.replace("\r\n", "\n")
    lines = text.split("\n")
    starts = [
        min([node.lineno, *(one.lineno for one in getattr(node, "decorator_list", []))])
        for node in ast.parse(text).body
    ]
    ends = [node.end_lineno or 0 for node in ast.parse(text).body]
    return ["\n".join(lines[start - 1 : end]) for start, end in zip(starts, ends, strict=True)]


def listed(text: str) -> set[str]:
    """The names in the lists of a class or statement."""
    return set(re.findall(r'(?:F\(|[\[(, ]|^ *)"([u-z])"', text, re.M))


def _in_old(before: list[str], name: str) -> bool:
    """Whether the old class has the entry, and not only a child of it."""
    own = [one for one in before if re.match(r"class Blog|Blog\.", one)]
    uses = any("PANELS" in one for one in own)
    lists = own + [one for one in before if uses and one.startswith("PANELS")]
    return any(name in listed(one) for one in lists)
