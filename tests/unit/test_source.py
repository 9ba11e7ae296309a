"""Editing a models file: what changes, what must not, and what Django makes of the result."""

from __future__ import annotations

import ast
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wizard.project.source import (
    Mention,
    SourceError,
    class_source,
    derived_class,
    final_models,
    insert_class,
    mentions,
    remove_fields,
    unified_diff,
    unprefix_fields,
)

# A blog that is also a podcast, in the shape django-cast's had at 0.2.3: an abstract base, an
# image key, choices kept in the class, comments for groups of fields, fields in three lists.
MODELS = '''\
import json
import uuid

from django.db import models
from django.utils.translation import gettext_lazy as _
from wagtail import blocks
from wagtail.admin.panels import FieldPanel, FieldRowPanel, MultiFieldPanel
from wagtail.api import APIField
from wagtail.fields import RichTextField, StreamField
from wagtail.models import Page
from wagtail.search import index


class TimeStampedModel(models.Model):
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        abstract = True


class Blog(TimeStampedModel, Page):
    """Posts hang below it."""

    uuid = models.UUIDField(default=uuid.uuid4, editable=False)
    email = models.EmailField(null=True, default=None, blank=True)

    # podcast stuff

    # the cover that podcast clients show
    itunes_artwork = models.ForeignKey(
        "wagtailimages.Image",
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="artwork_of",
    )
    itunes_categories = models.CharField(
        _("itunes_categories"), max_length=512, blank=True, default=""
    )  # json
    EXPLICIT_CHOICES = ((1, _("yes")), (2, _("no")), (3, _("clean")))
    keywords: str = models.CharField(
        max_length=255,
        blank=True,
        default="",
        help_text=_(
            """Up to 12 words,
            # separated by commas."""
        ),
    )
    explicit = models.PositiveSmallIntegerField(default=1, choices=EXPLICIT_CHOICES)

    # wagtail
    description = RichTextField(blank=True)
    content_panels = Page.content_panels + [
        FieldPanel("description"),
        # shown in clients
        FieldPanel("itunes_artwork"),
        MultiFieldPanel(
            [FieldRowPanel([FieldPanel("keywords", classname="full")]), "itunes_categories"],
            heading="Podcast",
        ),
        FieldPanel("email"),
    ]
    promote_panels = Page.promote_panels + [FieldPanel("explicit")]
    search_fields = Page.search_fields + [
        index.SearchField("description"),
        index.SearchField("keywords"),
    ]
    api_fields = [APIField("keywords"), APIField("email")]

    subpage_types = ["source_site.Post"]

    class Meta:
        verbose_name = _("Blog")

    @property
    def itunes_categories_parsed(self):
        return json.loads(self.itunes_categories)


class Post(Page):
    body = StreamField([("text", blocks.RichTextBlock())], use_json_field=True)
    keywords = models.CharField(max_length=255, blank=True)
    content_panels = [*Page.content_panels, FieldPanel("keywords")]

    def words(self):
        return self.keywords.split()

    def blog_words(self):
        return self.get_parent().specific.keywords.split()


def clean_blogs():
    return Blog.objects.filter(explicit=3).exclude(keywords__icontains="x")
'''
FIELDS = ["itunes_artwork", "itunes_categories", "keywords", "explicit"]


def structured(module: str = MODELS, fields: list[str] = FIELDS) -> str:
    text = derived_class(module, source="Blog", target="Podcast", fields=fields, prefix="new_")
    return insert_class(module, after="Blog", text=text)


def final(module: str = MODELS, fields: list[str] = FIELDS) -> str:
    return final_models(
        structured(module, fields), source="Blog", target="Podcast", fields=fields, prefix="new_"
    )


def blog(body: str) -> str:
    """A file with one class of that body."""
    return "class Blog(Page):\n" + textwrap.indent(textwrap.dedent(body), "    ")


# The new class


def test_the_new_class_is_made_of_the_fields_own_definitions() -> None:
    text = derived_class(MODELS, source="Blog", target="Podcast", fields=FIELDS, prefix="new_")
    assert (
        text
        == '''\
class Podcast(Blog):
    # the cover that podcast clients show
    new_itunes_artwork = models.ForeignKey(
        "wagtailimages.Image",
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="new_artwork_of",
    )
    new_itunes_categories = models.CharField(
        _("itunes_categories"), max_length=512, blank=True, default=""
    )  # json
    new_keywords: str = models.CharField(
        max_length=255,
        blank=True,
        default="",
        help_text=_(
            """Up to 12 words,
            # separated by commas."""
        ),
    )
    new_explicit = models.PositiveSmallIntegerField(default=1, choices=Blog.EXPLICIT_CHOICES)

    template = Blog.template
    content_panels = Blog.content_panels + [
        FieldPanel("new_itunes_artwork"),
        FieldPanel("new_keywords", classname="full"),
        "new_itunes_categories",
    ]
    promote_panels = Blog.promote_panels + [
        FieldPanel("new_explicit"),
    ]
    search_fields = Blog.search_fields + [
        index.SearchField("new_keywords"),
    ]
    api_fields = Blog.api_fields + [
        APIField("new_keywords"),
    ]

    class Meta:
        verbose_name = _("Podcast")
'''
    )


@pytest.mark.parametrize(
    ("body", "copy"),
    [
        # A name of the class body is reached through the class ...
        ("A = 1\nx = Int(choices=A, default=A.b)", "Int(choices=Blog.A, default=Blog.A.b)"),
        ("class Kind(E):\n    a = 1\nx = Int(choices=Kind.c())", "Int(choices=Blog.Kind.c())"),
        ("def check(v):\n    pass\nx = Int(validators=[check])", "Int(validators=[Blog.check])"),
        ("A, B = 1, 2\nx = Int((A), A=B)", "Int((Blog.A), A=Blog.B)"),
        ("A = 1\nx = Int([a for a in A if A])", "Int([a for a in Blog.A if A])"),
        ("A = 1\nx = Int(f'{A}')", "Int(f'{Blog.A}')"),
        # ... but not one that the class does not define yet, or that is not looked up there.
        ("x = Int(default=x.y)", "Int(default=x.y)"),
        ("x = Int(choices=A)\nA = 1", "Int(choices=A)"),
        ("A = 1\nx = Int(default=lambda: A)", "Int(default=lambda: A)"),
        ("A = 1\nx = Int(default=o.A)", "Int(default=o.A)"),
        # The other side of a relation cannot have one name for two fields.
        ('x = Key("b", related_name="blogs")', 'Key("b", related_name="new_blogs")'),
        ('x = Key("b", related_query_name=r"b")', 'Key("b", related_query_name=r"new_b")'),
        ('x = Key("b", related_name="+")', 'Key("b", related_name="+")'),
        ('x = Key("b", related_name="%(class)s_b")', 'Key("b", related_name="%(class)s_b")'),
        ("x = Key('b', related_name=None)", "Key('b', related_name=None)"),
        # Any expression may define a field.
        ("x = short_text(30)", "short_text(30)"),
        ("x = Int(  1 ,2 );  # odd", "Int(  1 ,2 );  # odd"),
    ],
)
def test_prefixes_the_related_names_in_the_copy_of_a_field(body: str, copy: str) -> None:
    text = derived_class(blog(body), source="Blog", target="P", fields=["x"], prefix="new_")
    assert text == f"class P(Blog):\n    new_x = {copy}\n\n    template = Blog.template\n"


def test_carries_panel_lists_to_one_that_wagtail_reads() -> None:
    module = blog("""
        x = Int()
        podcast_panels = [
                FieldPanel(
                  "x",
                    widget=W,
                ),
        ]
        edit_handler = TabbedInterface([ObjectList(podcast_panels), ObjectList([FieldPanel("x")])])
        search_fields = Page.search_fields + (SearchField("x"),)
    """)
    text = derived_class(module, source="Blog", target="P", fields=["x"], prefix="new_")
    assert text.endswith("""
    template = Blog.template
    # The editor shows Blog.edit_handler: give this class its own, with the new fields.
    content_panels = Blog.content_panels + [
        FieldPanel(
          "new_x",
            widget=W,
        ),
        FieldPanel("new_x"),
    ]
    search_fields = Blog.search_fields + (
        SearchField("new_x"),
    )
""")


# Putting the class in


def test_the_new_class_stands_right_below_the_old_one() -> None:
    with_class = structured()
    added = class_source(with_class, "Podcast")
    assert with_class.count(added) == 1
    assert with_class.replace(added + "\n\n", "") == MODELS
    assert with_class.index("class Blog") < with_class.index(added) < with_class.index("class Post")


def test_inserting_again_replaces_the_class_and_nothing_else() -> None:
    once = structured()
    text = class_source(once, "Podcast")
    assert insert_class(once, after="Blog", text=text) == once
    shorter = insert_class(once, after="Blog", text="class Podcast(Blog):\n    pass\n")
    assert shorter == once.replace(text, "class Podcast(Blog):\n    pass\n")


@pytest.mark.parametrize(
    ("module", "result"),
    [
        ("class Blog:\n    a = 1", "class Blog:\n    a = 1\n\n\nclass P:\n    pass\n"),
        ("class Blog: pass\nb = 1\n", "class Blog: pass\n\n\nclass P:\n    pass\n\n\nb = 1\n"),
        (
            "class Blog:\n    a = 1\n    # end\n\n# next\n",
            "class Blog:\n    a = 1\n    # end\n\n\nclass P:\n    pass\n\n\n# next\n",
        ),
        (
            "class Blog:\r\n    a = 1\r\n\r\n\r\nb = 1\r\n",
            "class Blog:\r\n    a = 1\r\n\r\n\r\nclass P:\r\n    pass\r\n\r\n\r\nb = 1\r\n",
        ),
    ],
)
def test_a_class_is_set_off_by_two_blank_lines(module: str, result: str) -> None:
    assert insert_class(module, after="Blog", text="class P:\n    pass\n") == result


def test_keeps_a_byte_order_mark_in_front() -> None:
    assert class_source("\ufeffclass Blog: pass\n", "Blog") == "class Blog: pass\n"


# Taking the fields out


def test_removing_the_fields_leaves_the_rest_as_it_was() -> None:
    removed = remove_fields(MODELS, cls="Blog", fields=FIELDS)
    diff = unified_diff(MODELS, removed, "models.py")
    added = [line for line in diff.splitlines() if line.startswith("+") and line[1:2] != "+"]
    assert added == [
        "+    promote_panels = Page.promote_panels",
        '+    api_fields = [APIField("email")]',
    ]
    assert (
        class_source(removed, "Blog")
        == '''\
class Blog(TimeStampedModel, Page):
    """Posts hang below it."""

    uuid = models.UUIDField(default=uuid.uuid4, editable=False)
    email = models.EmailField(null=True, default=None, blank=True)

    # podcast stuff

    EXPLICIT_CHOICES = ((1, _("yes")), (2, _("no")), (3, _("clean")))

    # wagtail
    description = RichTextField(blank=True)
    content_panels = Page.content_panels + [
        FieldPanel("description"),
        FieldPanel("email"),
    ]
    promote_panels = Page.promote_panels
    search_fields = Page.search_fields + [
        index.SearchField("description"),
    ]
    api_fields = [APIField("email")]

    subpage_types = ["source_site.Post"]

    class Meta:
        verbose_name = _("Blog")

    @property
    def itunes_categories_parsed(self):
        return json.loads(self.itunes_categories)
'''
    )


@pytest.mark.parametrize(
    ("panels", "left"),
    [
        ('[F("x")]', "[]"),
        ('["x"]', "[]"),
        ('[F("a"), F("x")]', '[F("a")]'),
        ('[F("x"), F("a")]', '[F("a")]'),
        ('[F("a"), F("x"), F("x"), F("b"), F("x"),]', '[F("a"), F("b"),]'),
        ('[F(field_name="x"), F(n, "x"), F(*x)]', '[F(n, "x"), F(*x)]'),
        ('Page.p + [F("x")] + [F("a")]', 'Page.p + [F("a")]'),
        ('[F("x")] + Page.p', "Page.p"),
        ('[F("x")] + ["x"]', "[]"),
        ('(Page.p + [F("x")])', "(Page.p)"),
        ('[M([F("x")], "H"), M([F("a"), "x"])]', '[M([F("a")])]'),
        ('[M(heading="H", children=[F("x")]), *Page.p]', "[*Page.p]"),
        ('[*Page.p, M([R(["x"]), R(["x"])])]', "[*Page.p]"),
        ('Tabs([O(p, "x"), O([F("x")])])', 'Tabs([O(p, "x")])'),
        ('Tabs([O([F("x")])])', "Tabs([])"),
        ('[Related("a", [F("x")])]', '[Related("a", [F("x")])]'),
        ('(F("a"), F("x"))', '(F("a"),)'),
        ('(F("a"), F("x"),)', '(F("a"),)'),
        ('(F("x"), F("a"))', '(F("a"),)'),
        ('(F("x"),)', "()"),
        ('[\n  F("a"),\n  # on x\n  F("x"),  # x\n  # on b\n  F("b")\n]',
         '[\n  F("a"),\n  # on b\n  F("b")\n]'),
        ('[\n  F("a"),  # on a\n\n  F("x")\n]', '[\n  F("a"),  # on a\n\n]'),
        ('(\n  F("x"),\n  F("a")\n)', '(\n  F("a"),\n)'),
        ('[F("a"),\n F("x")]', '[F("a")]'),
        ('[F("x"),\n F("a")]', '[F("a")]'),
    ],
)  # fmt: skip
def test_entries_of_a_removed_field_go_from_the_lists(panels: str, left: str) -> None:
    module = f"class Blog(Page):\n    x = Int()\n    a_panels = {panels}\n"
    removed = remove_fields(module, cls="Blog", fields=["x"])
    assert removed == f"class Blog(Page):\n    a_panels = {left}\n"


@pytest.mark.parametrize(
    ("module", "left"),
    [
        ("class Blog:\n    x = 1\n", "class Blog:\n    pass\n"),
        ("class Blog:\n    x = 1\n\n    # y\n    y = 2", "class Blog:\n    pass\n"),
        ("class Blog:\n\n    x = 1\n\n    a = 1\n", "class Blog:\n\n    a = 1\n"),
        ("class Blog:\n    x = 1\n\n    a = 1\n", "class Blog:\n    a = 1\n"),
        ("class Blog:\n    a = 1\n\n    x = 1\n", "class Blog:\n    a = 1\n"),
        (
            "class Blog:\n    a = 1\n    x = 1\n\n    b = 1\n",
            "class Blog:\n    a = 1\n\n    b = 1\n",
        ),
        (
            "class Blog:\n    a = 1\n\n    x = 1\n\n    y: T = (\n1)\n\n    b = 1\n",
            "class Blog:\n    a = 1\n\n    b = 1\n",
        ),
        ("class Blog:\n    a = 1\n\n    x = 1\n\n\nb = 1\n", "class Blog:\n    a = 1\n\n\nb = 1\n"),
        (
            'class Blog:\n    a = """\n# a"""\n    x = 1\n',
            'class Blog:\n    a = """\n# a"""\n',
        ),
        (
            "\ufeffclass Blog:\r\n\ta = 1\r\n"
            "\t# on x\r\n# too\r\n\tx = (\r\n\t  1)  # x\r\n\tb = '\t'\r\n",
            "\ufeffclass Blog:\r\n\ta = 1\r\n\tb = '\t'\r\n",
        ),
    ],
)
def test_a_removed_field_takes_its_lines_with_it(module: str, left: str) -> None:
    fields = [field for field in ("x", "y") if f"    {field}" in module or f"\t{field}" in module]
    assert remove_fields(module, cls="Blog", fields=fields) == left


# Giving the names back


def test_restores_names_in_the_whole_class_only() -> None:
    module = '''\
class Podcast(Blog):
    """new_x is new."""
    new_x = models.ForeignKey("b", related_name="new_b")  # new_x
    new_y: int = models.IntegerField(verbose_name="new_yes")
    new_z = "new_xy"
    content_panels = Blog.content_panels + [FieldPanel("new_x"), "new_y"]

    class Meta:
        ordering = ["-new_y", "new_x__title"]
        indexes = [models.Index(fields=["new_y"], name="new_y_idx")]

    def __str__(self):
        return f"{self.new_x} {self.qs.filter(new_y__gt=1)}"


new_x = "new_x"
'''
    head, tail = module.split("\n\n\n")
    expected = (
        head.replace("    new_x =", "    x =")
        .replace("new_b", "b")
        .replace("new_y:", "y:")
        .replace('"new_x"', '"x"')
        .replace('"new_y"', '"y"')
        .replace("-new_y", "-y")
        .replace("new_x__", "x__")
        .replace(".new_x", ".x")
        .replace("new_y__gt", "y__gt")
    )
    result = unprefix_fields(module, cls="Podcast", fields=["x", "y"], prefix="new_")
    assert result == f"{expected}\n\n\n{tail}"


def test_in_the_end_the_new_class_has_the_definitions_the_old_one_had() -> None:
    finished = final()
    assert "new_" not in finished
    before, after = _assigned(MODELS, "Blog"), _assigned(finished, "Podcast")
    for field in FIELDS:
        expected = before[field].replace("EXPLICIT_CHOICES", "Blog.EXPLICIT_CHOICES")
        assert after[field] == expected
        assert field not in _assigned(finished, "Blog")


def _assigned(module: str, cls: str) -> dict[str, str]:
    """What the body of a class assigns, as the standard library's own parser reads it."""
    (node,) = (n for n in ast.parse(module).body if isinstance(n, ast.ClassDef) and n.name == cls)
    found = {}
    for statement in node.body:
        if isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value is not None:
            (target,) = (
                statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            )
            found[ast.unparse(target)] = ast.get_source_segment(module, statement.value) or ""
    return found


CHECK = """
import sys
import django
from django.conf import settings
from django.db import connection, models
settings.configure(
    INSTALLED_APPS=[
        "source_site", "wagtail.images", "wagtail.search", "wagtail.documents", "wagtail.users",
        "wagtail.admin", "wagtail", "taggit", "django.contrib.auth", "django.contrib.contenttypes",
    ],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    DEFAULT_AUTO_FIELD="django.db.models.AutoField", USE_TZ=True, SECRET_KEY="x",
    STATIC_URL="/static/", WAGTAILADMIN_BASE_URL="http://localhost",
)
django.setup()
from django.core.checks import ERROR, run_checks
from source_site.models import Blog, Podcast
faults = [str(m) for m in run_checks(app_configs=[django.apps.apps.get_app_config("source_site")])
          if m.level >= ERROR]
assert not faults, faults
assert Podcast.template == Blog.template == "source_site/blog.html", Podcast.template
form = Podcast.get_edit_handler().get_form_class()
for model in (Blog, Podcast):
    own = sorted(f.name for f in model._meta.local_fields)
    print(model.__name__, *own, "/", *sorted(set(own) & set(form.base_fields)))
print(*sorted(f.field_name for f in Podcast.search_fields if "keywords" in f.field_name))
"""


@pytest.mark.parametrize("stage", ["structured", "final"])
def test_django_and_wagtail_accept_the_file_at_every_stage(stage: str, tmp_path: Path) -> None:
    package = tmp_path / "source_site"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "models.py").write_text(structured() if stage == "structured" else final())
    done = subprocess.run(
        [sys.executable, "-c", CHECK],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    podcast, keywords = done.stdout.splitlines()[-2:]
    moved = sorted(f"new_{field}" for field in FIELDS) if stage == "structured" else sorted(FIELDS)
    own = sorted([*moved, "blog_ptr"])
    assert podcast == f"Podcast {' '.join(own)} / {' '.join(moved)}"
    assert keywords == ("keywords new_keywords" if stage == "structured" else "keywords")


# What the operator is told


def test_shows_code_that_still_mentions_a_field() -> None:
    for module in (MODELS, structured(), remove_fields(MODELS, cls="Blog", fields=FIELDS), final()):
        found = mentions(module, "Blog", FIELDS)
        assert [mention.text for mention in found] == [
            "return json.loads(self.itunes_categories)",
            "return self.get_parent().specific.keywords.split()",
            'return Blog.objects.filter(explicit=3).exclude(keywords__icontains="x")',
        ]
        lines = module.splitlines()
        assert all(lines[mention.line - 1].strip() == mention.text for mention in found)


@pytest.mark.parametrize(
    ("module", "found"),
    [
        (blog("x = Int()\nAlso = x"), [Mention(3, "Also = x")]),
        (blog("x = Int()\nclass Meta:\n    ordering = ['-x']"), [Mention(4, "ordering = ['-x']")]),
        (blog("x = Int()\nclass Meta:\n    order = ['xs', '-']"), []),
        (blog("x = Int()\n@deco(x)\ndef f(x):\n    y = x"), []),
        ("class Blog(Page): pass\nclass P(Blog):\n    y = Q('x')\n", []),
        (
            "class Blog(Page): pass\nclass P(Blog):\n    def f(self):\n        self.x\n",
            [Mention(4, "self.x")],
        ),
        (
            "class Blog(Page): pass\nclass P(Blog):\n    x = 1\n    def f(self):\n        self.x\n",
            [],
        ),
    ],
)
def test_finds_mentions_that_the_class_does_not_redefine(module: str, found: list[Mention]) -> None:
    assert mentions(module, "Blog", ["x"]) == found


# What cannot be edited


@pytest.mark.parametrize(
    ("module", "field", "words"),
    [
        ("class Blgo(Page): pass\n", "x", ["Blog", "Blgo", "at the top level"]),
        ("class Blog(Page):\n  x = (\n", "x", ["syntax error", "line 2", "x = ("]),
        ("class Blog: pass\nclass Blog: pass\n", "x", ["2 times", "lines 1, 2"]),
        (blog("keyword = 1"), "keywords", ["line 1: class Blog(Page)", "keyword", "base class"]),
        (
            "class Itunes(Page):\n    x = 1\n\nclass Blog(Itunes):\n    y = 1\n",
            "x",
            ["Itunes defines x on line 2", "move its definition into Blog"],
        ),
        (blog("a = 1; x = 2"), "x", ["line 2: a = 1; x = 2", "on a line of its own"]),
        (blog("a = x = 2"), "x", ["line 2: a = x = 2", "no second name"]),
        (blog("if A:\n    x = 2"), "x", ["line 3: x = 2", "no `if`"]),
        (blog("a, x = 1, 2"), "x", ["line 2: a, x = 1, 2"]),
        ("class Blog(Page): x = 1\n", "x", ["line 1: class Blog(Page): x = 1"]),
        (blog("x = 1\nx = 2"), "x", ["2 times", "lines 2, 3"]),
        (blog("x = Key(related_name=NAME)"), "x", ["related_name of x", "NAME", "literal"]),
    ],
)
def test_errors_say_what_was_looked_for_found_and_to_do(
    module: str, field: str, words: list[str]
) -> None:
    with pytest.raises(SourceError) as caught:
        derived_class(module, source="Blog", target="P", fields=[field], prefix="new_")
    assert caught.value.hint
    assert [word for word in words if word not in str(caught.value)] == []


def test_refuses_to_restore_a_name_that_is_taken() -> None:
    with pytest.raises(SourceError, match="name is taken"):
        unprefix_fields(blog("x = 1\nnew_x = 1"), cls="Blog", fields=["x"], prefix="new_")


def test_refuses_to_insert_what_is_not_one_class() -> None:
    with pytest.raises(SourceError, match="not one class"):
        insert_class(MODELS, after="Blog", text="x = 1")


# Any file

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


@given(modules())
@settings(max_examples=30, deadline=None)
def test_changes_only_what_was_asked_for_in_any_file(
    drawn: tuple[str, list[str], dict[str, str]],
) -> None:
    module, fields, values = drawn
    newline = "\r\n" if "\r\n" in module else "\n"
    text = derived_class(module, source="Blog", target="Podcast", fields=fields, prefix="new_")
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
    own = _assigned(finished.replace("\r\n", "\n"), "Podcast")
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
