"""A models file in the shape that django-cast's had, and what is made of it."""

from __future__ import annotations

import ast
import textwrap

from wizard.project.source import (
    derived_class,
    final_models,
    insert_class,
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
    text = derived_class(
        module, old_class="Blog", new_class="Podcast", fields=fields, prefix="new_"
    )
    return insert_class(module, after="Blog", text=text)


def final(module: str = MODELS, fields: list[str] = FIELDS) -> str:
    return final_models(
        structured(module, fields),
        old_class="Blog",
        new_class="Podcast",
        fields=fields,
        prefix="new_",
    )


def blog(body: str) -> str:
    """A file with one class of that body."""
    return "class Blog(Page):\n" + textwrap.indent(textwrap.dedent(body), "    ")


def assigned(module: str, cls: str) -> dict[str, str]:
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
