"""Editing a models file: what changes, what must not, and what Django makes of the result."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.blog_models import FIELDS, MODELS, assigned, blog, final, structured
from wizard.project.source import (
    Mention,
    SourceError,
    class_source,
    derived_class,
    insert_class,
    mentions,
    remove_fields,
    unified_diff,
    unprefix_fields,
)


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
        ('[F(field_name="x"), F(n, "x"), F(*z)]', '[F(n, "x"), F(*z)]'),
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
        .replace("new_y_idx", "y_idx")
    )
    result = unprefix_fields(module, cls="Podcast", fields=["x", "y"], prefix="new_")
    assert result == f"{expected}\n\n\n{tail}"


def test_in_the_end_the_new_class_has_the_definitions_the_old_one_had() -> None:
    finished = final()
    assert "new_" not in finished
    before, after = assigned(MODELS, "Blog"), assigned(finished, "Podcast")
    for field in FIELDS:
        expected = before[field].replace("EXPLICIT_CHOICES", "Blog.EXPLICIT_CHOICES")
        assert after[field] == expected
        assert field not in assigned(finished, "Blog")


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
        (blog("x = Int()\nclass Meta:\n    ordering = ['-x']"), []),
        (
            blog("x = Int()\nclass Meta:\n    ordering = ['-x', 'y']"),
            [Mention(4, "ordering = ['-x', 'y']")],
        ),
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
        derived_class(module, old_class="Blog", new_class="P", fields=[field], prefix="new_")
    assert caught.value.hint
    assert [word for word in words if word not in str(caught.value)] == []


def test_refuses_to_restore_a_name_that_is_taken() -> None:
    with pytest.raises(SourceError, match="name is taken"):
        unprefix_fields(blog("x = 1\nnew_x = 1"), cls="Blog", fields=["x"], prefix="new_")


def test_refuses_to_insert_what_is_not_one_class() -> None:
    with pytest.raises(SourceError, match="not one class"):
        insert_class(MODELS, after="Blog", text="x = 1")
