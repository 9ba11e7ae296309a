"""What else names the old type or a moved field: each line that does, and no other."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from wizard.project.source import Usage, usages

FIELDS = ["keywords", "artwork"]

MODELS = '''\
"""Blog.objects and keywords in a docstring."""
class Blog(Page):
    """A Blog."""
    artwork = models.ForeignKey("images.Image", on_delete=models.PROTECT, related_name="covers")
    keywords = models.CharField(max_length=10)
    title_length = models.IntegerField()
'''


def listed(root: Path) -> list[tuple[str, int]]:
    return [
        (usage.path.relative_to(root).as_posix(), usage.line)
        for usage in usages([root], "Blog", "cast", FIELDS)
    ]


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def lines_of(root: Path, name: str, text: str) -> list[int]:
    write(root, {name: text})
    return [line for path, line in listed(root) if path == name]


def marked(text: str) -> list[int]:
    """The lines that a sample says are listed."""
    return [number for number, line in enumerate(text.splitlines(), 1) if "<--" in line]


PYTHON = {
    "the class": """
        from cast.models import Blog  # <--
        from cast.models import (
            Post,
            Blog as Weblog,  # <--
        )
        import cast.models
        latest = Blog.objects.live()  # <--
        Weblog.objects.all()  # <--
        cast.models.Blog.objects.all()  # <--
        (
            cast.models
            .Blog  # <--
            .objects
        )
        isinstance(page, Blog)  # <--
        Blogger, MyBlog, blogs = 1, 2, 3
        # Blog.objects in a comment
        """,
    "its name in strings": '''
        parent_page_types = ["cast.Blog"]  # <--
        subpage_types = ["Blog"]  # <--
        apps.get_model("cast", "blog")  # <--
        ContentType.objects.get(app_label="cast", model="blog")  # <--
        WAGTAILADMIN = "cast.blog"  # <--
        "forecast.Blog", "cast.Blogger", "cast.Blog2", "a Blog for all", "blog"
        template = "cast/blog.html"  # <--
        other = "cast/blog_list.html"
        """No usage: cast.Post
        """
        query = """
            SELECT *
              FROM cast_blog  -- <--
              JOIN cast_blog_tags
        """
        f"{x} cast.Blog"  # <--
        ''',
    "attributes": """
        page.keywords  # <--
        page.blog.title  # <--
        page.specific.artwork.url  # <--
        image.covers.all()  # <--
        page.keywords()
        page.keyword, page.keywords_list, page.my_keywords, keywords
        keywords = request.GET.get("keywords")
        del page.keywords  # <--
        page.keywords = ""  # <--
        """,
    "lookups": """
        Page.objects.filter(blog__title="x")  # <--
        Post.objects.filter(parent__keywords__icontains="x")  # <--
        Blog.objects.filter(  # <--
            keywords="x",  # <--
            title="y",
        )
        Q(artwork=None)  # <--
        Blog(keywords="x")  # <--
        make_form(keywords="x")
        pages.order_by("-keywords")  # <--
        pages.values_list("title", "keywords")  # <--
        pages.order_by("blog__title_length")  # <--
        Page.objects.select_related("blog")  # <--
        hasattr(page, "blog")  # <--
        Image.objects.filter(covers__live=True)  # <--
        Image.objects.prefetch_related("covers")  # <--
        api_fields = [
            APIField("title"),
            APIField("artwork"),  # <--
        ]
        fields = ("title", "keywords")  # <--
        {"keywords": 1}["keywords"]
        """,
    "self": """
        class Mixin:
            def names(self):
                return self.keywords  # <--

        class Form(forms.Form):
            keywords = forms.CharField()
            def names(self):
                return self.keywords

        class Search:
            def __init__(self):
                self.keywords = 1
            def names(self):
                return self.keywords + page.keywords  # <--

        class Magazine(Blog):  # <--
            def names(self):
                return self.artwork  # <--
        """,
    "a class of the same name": """
        class Blog(blocks.StructBlock):
            pass

        class Body(blocks.StreamBlock):
            blog = Blog()
        """,
}

TEMPLATES = {
    "variables": """
        <p>page.keywords and Blog</p>
        {{ page.keywords }} <!-- <-- -->
        {{ page.keywords|upper }} <!-- <-- -->
        {% if page.keywords %} <!-- <-- -->
        {% for word in page.blog.title.split %} <!-- <-- -->
        {% with words=self.keywords %} <!-- <-- -->
        {% image page.specific.artwork width-400 %} <!-- <-- -->
        {{ page.keyword }} {{ page.keywords_list }} {{ keywords }} {{ page.my_keywords }}
        {{ page.keywords() }} {{ "page.keywords" }}
        {% for blog in image.covers.all %} <!-- <-- -->
        {{
            (pages[0]).keywords <!-- <-- -->
        }}
        """,
    "strings": """
        {% include "cast/blog.html" %} <!-- <-- -->
        {% if page.content_type.model == 'blog' %} <!-- <-- -->
        {% if name == "Blog" or label == "cast.Blog" %} <!-- <-- -->
        {% include "cast/blog_list.html" %} {% include "podcast/blog.html" %}
        """,
    "comments": """
        {# {{ page.keywords }} #}
        {% comment "why" %}
        {{ page.keywords }}
        {% endcomment %}
        {% verbatim %}{{ page.keywords }}{% endverbatim %}
        {{ page.keywords }} <!-- <-- -->
        """,
}


@pytest.mark.parametrize("sample", PYTHON)
def test_python(tmp_path: Path, sample: str) -> None:
    write(tmp_path, {"cast/models.py": MODELS})
    text = dedent(PYTHON[sample])
    assert lines_of(tmp_path, "site/views.py", text) == marked(text)


@pytest.mark.parametrize("sample", TEMPLATES)
def test_templates(tmp_path: Path, sample: str) -> None:
    write(tmp_path, {"cast/models.py": MODELS})
    text = dedent(TEMPLATES[sample])
    assert lines_of(tmp_path, "templates/home.html", text) == marked(text)


def test_the_class_s_own_module(tmp_path: Path) -> None:
    """Neither its definition nor those of the fields are usages; what names them there is."""
    text = MODELS + dedent(
        """
            content_panels = [FieldPanel("keywords")]
            def words(self):
                return self.keywords.split()

        class Post(Page):
            blog = models.ForeignKey(Blog, related_name="posts")
        """
    )
    write(tmp_path, {"cast/models.py": text})
    assert [usage.text for usage in usages([tmp_path], "Blog", "cast", FIELDS)] == [
        'content_panels = [FieldPanel("keywords")]',
        "return self.keywords.split()",
        'blog = models.ForeignKey(Blog, related_name="posts")',
    ]


def test_what_is_not_the_project_s_own(tmp_path: Path) -> None:
    line = "Blog.objects.all()\n"
    left_out = [
        *("cast/migrations/0001_initial.py", "node_modules/a/b.py", ".venv/lib/a.py"),
        *(".git/hooks/a.py", "lib/python3/site-packages/a/b.py", ".pytest_cache/a.py"),
        *("cast/__pycache__/a.py", "its own/lib/a.py", "notes.md"),
    ]
    write(tmp_path, dict.fromkeys(left_out, line))
    write(tmp_path, {"its own/pyvenv.cfg": ""})
    write(tmp_path, {"old/0001_x.py": f"{line}class Migration(migrations.Migration):\n    pass\n"})
    write(tmp_path, {"cast/a.py": line})
    assert listed(tmp_path) == [("cast/a.py", 1)]


def test_roots_within_each_other_and_installed_ones(tmp_path: Path) -> None:
    """A root may lie in an environment: the package whose models they are."""
    package = tmp_path / ".venv" / "site-packages" / "cast"
    write(package, {"views.py": "x = 1\r\n\r\n  \r\npage.blog.keywords\r\n"})
    write(tmp_path, {"site/a.py": "Blog\n", "site/nested/b.py": "Blog\n"})
    roots = [tmp_path / "site", tmp_path / "site" / "nested", package, tmp_path / "missing"]
    assert usages(roots, "Blog", "cast", FIELDS) == [
        Usage(package / "views.py", 4, "page.blog.keywords"),
        Usage(tmp_path / "site/a.py", 1, "Blog"),
        Usage(tmp_path / "site/nested/b.py", 1, "Blog"),
    ]


def test_encodings(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_bytes(b"# coding: latin-1\nname = '\xe9'\npage.keywords  # \xe9\n")
    (tmp_path / "b.py").write_bytes(b"\xef\xbb\xbfpage.keywords\n")
    (tmp_path / "c.html").write_bytes(b"\xff {{ page.keywords }}")
    assert listed(tmp_path) == [("a.py", 3), ("b.py", 1), ("c.html", 1)]


def test_python_of_another_version(tmp_path: Path) -> None:
    """What cannot be parsed is looked through line by line, without its comments."""
    text = """
        print "x"  # Blog
        from cast.models import Blog  # <--
        x = f"{page.blog.keywords}"  # <--
        y = "cast.Blog", "#"  # <--
        Page.objects.filter(blog__title="#1", a="b")  # <--
        Blogger.keyword, keywords, "parent.keywords", x.keywords_list  # Blog
        """
    text = dedent(text)
    wanted = [*marked(text), 7]  # inside of a string, which is not told from code
    assert lines_of(tmp_path, "site/views.py", text) == sorted(wanted)
