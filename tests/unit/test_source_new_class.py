"""The new class, made of the fields' own definitions and put below the old one."""

from __future__ import annotations

import pytest

from tests.unit.blog_models import FIELDS, MODELS, blog, structured
from wizard.project.source import (
    class_source,
    derived_class,
    insert_class,
)


def test_the_new_class_is_made_of_the_fields_own_definitions() -> None:
    text = derived_class(
        MODELS, old_class="Blog", new_class="Podcast", fields=FIELDS, prefix="new_"
    )
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
    text = derived_class(blog(body), old_class="Blog", new_class="P", fields=["x"], prefix="new_")
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
        search_fields = Page.search_fields + (SearchField("x"),)
    """)
    text = derived_class(module, old_class="Blog", new_class="P", fields=["x"], prefix="new_")
    assert text.endswith("""
    template = Blog.template
    content_panels = Blog.content_panels + [
        FieldPanel(
          "new_x",
            widget=W,
        ),
    ]
    search_fields = Blog.search_fields + (
        SearchField("new_x"),
    )
""")


def test_an_edit_handler_is_copied_with_the_lists_that_it_shows() -> None:
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
    text = derived_class(module, old_class="Blog", new_class="P", fields=["x"], prefix="new_")
    assert text.endswith("""
    template = Blog.template
    podcast_panels = Blog.podcast_panels + [
        FieldPanel(
          "new_x",
            widget=W,
        ),
    ]
    search_fields = Blog.search_fields + (
        SearchField("new_x"),
    )
    edit_handler = TabbedInterface([ObjectList(podcast_panels), ObjectList([FieldPanel("new_x")])])
""")


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
