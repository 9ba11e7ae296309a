"""Page types show what they showed, but for what moves; anything else is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.page_types import page_types
from wizard.config.config import Conversion
from wizard.project.source import derived_class, final_models, insert_class
from wizard.steps.proof import in_the_new_type, in_what_stays, steady

MODELS = """\
import random

from django.db import models
from wagtail.admin.panels import FieldPanel, MultiFieldPanel, ObjectList, TabbedInterface
from wagtail.api import APIField
from wagtail.images.api.fields import ImageRenditionField
from wagtail.models import Page
from wagtail.search import index


class Blog({base}):
    email = models.EmailField(blank=True)
    keywords = models.CharField(max_length=255, blank=True)
    cover = models.ForeignKey(
        "wagtailimages.Image", null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )

    content_panels = Page.content_panels + [
        FieldPanel("email"),
        MultiFieldPanel([FieldPanel("keywords"), FieldPanel("cover", classname="x")], heading="H"),
    ]
    {blog}


class Magazine(Blog):
    issue = models.IntegerField(default=1)


class Post(Page):
    home = models.ForeignKey(Blog, null=True, on_delete=models.SET_NULL, related_name="posts")
    {post}


{below}
"""
MOVED = ("keywords", "cover")
PLAN = Conversion(
    old_type="kinds.Blog",
    new_type="kinds.Podcast",
    pages=(),
    move=MOVED,
    prefix="new_",
)
EVERYTHING = {
    "blog": """
    is_creatable = False
    max_count = 3
    template = "kinds/some.html"
    password_required_template = "kinds/password.html"
    page_description = "One of several"
    subpage_types = ["Post"]
    parent_page_types = ["wagtailcore.Page", "Blog"]
    exclude_fields_in_copy = ["keywords", "email"]
    search_fields = Page.search_fields + [
        index.SearchField("keywords", boost=3),
        index.FilterField("cover"),
        index.SearchField("get_words"),
        index.SearchField("posts_of"),
    ]
    api_fields = ["email", APIField("keywords"), "cover", APIField("words"), APIField("posts")]
    edit_handler = TabbedInterface([
        ObjectList(content_panels, heading="Content"),
        ObjectList(Page.promote_panels, heading="Promote"),
    ])

    def get_words(self):
        return getattr(self, "keywords", "")

    def posts_of(self):
        return [post.title for post in self.posts.all()]

    @property
    def words(self):
        return self.get_words().split()
""",
    "post": 'search_fields = Page.search_fields + [index.RelatedFields("home", ["x"][:0])]',
    "below": 'Magazine.api_fields = [APIField("issue"), APIField("keywords")]',
}


def differences(folder: Path, said: dict[str, str], forget: str = "", above: str = "") -> list[str]:
    """What a conversion would change otherwise than planned; `forget` is left out of the class."""
    models = above + MODELS.format(**{"base": "Page", "blog": "", "post": "", "below": "", **said})
    text = derived_class(models, old_class="Blog", new_class="Podcast", fields=MOVED, prefix="new_")
    assert forget in text
    text = text.replace(forget, "") if forget else text
    added = insert_class(models, after="Blog", text=text)
    final = final_models(added, old_class="Blog", new_class="Podcast", fields=MOVED, prefix="new_")
    texts = {"before": models, "added": added, "final": final}
    seen = {name: page_types(text, folder / name) for name, text in texts.items()}
    found = [
        *in_what_stays(seen["before"], seen["added"], (), PLAN),
        *in_what_stays(seen["before"], seen["final"], MOVED, PLAN),
        *in_the_new_type(seen["before"], seen["final"], PLAN),
    ]
    for shown in seen.values():
        for page_type in shown.values():
            for section in page_type["sections"].values():
                assert section["error"] is None
    if found:
        found = steady(found, seen["before"], page_types(models, folder / "again"))
    return [str(one) for one in found]


@pytest.mark.slow
def test_a_sound_conversion_shows_what_was_shown(tmp_path: Path) -> None:
    assert differences(tmp_path, EVERYTHING) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("said", "named"),
    [
        (
            {
                "blog": 'api_fields = [APIField("image", serializer='
                'ImageRenditionField("fill-9x9", source="cover"))]'
            },
            [
                "{}, API: image: is still there, and about cover, which moves",
                "{}, API response: image: error: AttributeError (was NoneType)",
            ],
        ),
        (
            {
                "blog": 'search_fields = Page.search_fields + [index.SearchField("words")]\n\n'
                "    def words(self):\n        return self.keywords"
            },
            ["{}, search value: SearchField words: error: AttributeError (was str)"],
        ),
        (
            {
                "blog": 'api_fields = [APIField("words")]\n\n'
                "    @property\n    def words(self):\n        return self.keywords"
            },
            ["{}, API response: words: left out (was str)"],
        ),
        (
            {"blog": 'search_fields = Page.search_fields + [index.FilterField("cover_id")]'},
            [
                "{}, search: FilterField cover_id: is still there, and about cover, which moves",
                "{}, search value: FilterField cover_id: is still there, and about cover, "
                "which moves",
            ],
        ),
    ],
    ids=["api-source", "search-method", "api-property", "search-column"],
)
def test_what_the_old_type_and_its_children_would_lose_is_named(
    tmp_path: Path, said: dict[str, str], named: list[str]
) -> None:
    wanted = [line.format(label) for label in ("kinds.Blog", "kinds.Magazine") for line in named]
    assert differences(tmp_path, said) == wanted


@pytest.mark.slow
def test_what_another_type_would_lose_is_named(tmp_path: Path) -> None:
    related = '[index.RelatedFields("home", [index.SearchField("keywords")])]'
    (line,) = differences(tmp_path, {"post": f"search_fields = Page.search_fields + {related}"})
    assert line.startswith("kinds.Post, search: RelatedFields home: ")
    assert "not_there=['keywords']" in line


@pytest.mark.slow
@pytest.mark.parametrize(
    ("forget", "named"),
    [
        ('        FieldPanel("new_keywords"),\n', "edit form: keywords is missing"),
        (', classname="x"', "panels: FieldPanel cover: (field_name='cover'"),
        ("    is_creatable = False\n", "class: is_creatable: True (was False)"),
        ("    template = Blog.template\n", "class: template: 'kinds/podcast.html' (was"),
        ('        index.SearchField("new_keywords", boost=3),\n', "search: SearchField keywords"),
        ('        APIField("new_keywords"),\n', "API response: keywords is missing"),
    ],
)
def test_what_the_new_type_would_lack_is_named(tmp_path: Path, forget: str, named: str) -> None:
    found = differences(tmp_path, EVERYTHING, forget)
    assert found and all(line.startswith("kinds.Podcast, ") for line in found)
    assert any(named in line for line in found), found


@pytest.mark.slow
def test_a_panel_that_is_called_after_the_type_is_no_difference(tmp_path: Path) -> None:
    said = {
        "base": "AbstractEmailForm",
        "blog": "content_panels += [FormSubmissionsPanel(), InlinePanel('form_fields')]",
    }
    forms = "from wagtail.contrib.forms.models import AbstractEmailForm, AbstractFormField\n"
    forms += "from wagtail.contrib.forms.panels import FormSubmissionsPanel\n"
    forms += "from modelcluster.fields import ParentalKey\n"
    forms += "from wagtail.admin.panels import InlinePanel\n"
    field = (
        "class Field(AbstractFormField):\n    page = ParentalKey(Blog, related_name='form_fields')"
    )
    assert differences(tmp_path, {**said, "below": field}, above=forms) == []


@pytest.mark.slow
def test_a_value_that_is_another_in_each_process_is_no_difference(tmp_path: Path) -> None:
    said = {"blog": 'page_description = f"No. {random.random()}"'}
    assert differences(tmp_path, said) == []
