"""One of everything that a Wagtail project can have around its pages.

`StandardPage` becomes its child `FeaturePage`, or its sibling `ArticlePage`; a `FeaturePage`
becomes its parent. Below them stands one model for each way to refer to a page.
"""

import wagtail
from django.conf import settings
from django.contrib.contenttypes.fields import GenericForeignKey, GenericRelation
from django.contrib.contenttypes.models import ContentType
from django.db import models
from modelcluster.contrib.taggit import ClusterTaggableManager
from modelcluster.fields import ParentalKey, ParentalManyToManyField
from taggit.models import TaggedItemBase
from wagtail import blocks
from wagtail.admin.panels import FieldPanel, InlinePanel
from wagtail.contrib.forms.models import AbstractFormSubmission
from wagtail.contrib.settings.models import (
    BaseGenericSetting,
    BaseSiteSetting,
    register_setting,
)
from wagtail.contrib.typed_table_block.blocks import TypedTableBlock
from wagtail.fields import RichTextField, StreamField
from wagtail.images.models import AbstractImage, AbstractRendition, Image
from wagtail.models import Orderable, Page
from wagtail.snippets.models import register_snippet

TEMPLATE = "every/page.html"


class Picture(AbstractImage):
    credit = models.CharField(max_length=80, blank=True)
    admin_form_fields = (*Image.admin_form_fields, "credit")


class PictureRendition(AbstractRendition):
    image = models.ForeignKey(Picture, on_delete=models.CASCADE, related_name="renditions")

    class Meta:
        unique_together = (("image", "filter_spec", "focal_point_key"),)


def card():
    return blocks.StructBlock(
        [
            ("title", blocks.CharBlock(required=False)),
            ("page", blocks.PageChooserBlock(required=False)),
            ("text", blocks.RichTextBlock(required=False)),
        ]
    )


def stream():
    """Choosers and rich text at every depth."""
    return [
        ("text", blocks.RichTextBlock()),
        ("number", blocks.IntegerBlock()),
        ("page", blocks.PageChooserBlock()),
        ("card", card()),
        ("pages", blocks.ListBlock(blocks.PageChooserBlock())),
        ("inner", blocks.StreamBlock([("page", blocks.PageChooserBlock()), ("card", card())])),
        (
            "deep",
            blocks.ListBlock(
                blocks.StructBlock(
                    [("rows", blocks.StreamBlock([("page", blocks.PageChooserBlock())]))]
                )
            ),
        ),
        (
            "table",
            TypedTableBlock(
                [
                    ("page", blocks.PageChooserBlock()),
                    ("text", blocks.RichTextBlock()),
                    ("number", blocks.IntegerBlock()),
                ]
            ),
        ),
    ]


def content():
    return StreamField(stream(), blank=True, use_json_field=True)


def text():
    """Before Wagtail 5, a StreamField could be a column of text."""
    return StreamField(stream(), blank=True, use_json_field=wagtail.VERSION >= (5,))


@register_snippet
class Category(models.Model):
    name = models.CharField(max_length=80)

    def __str__(self):
        return self.name


# The page types


class StandardTag(TaggedItemBase):
    content_object = ParentalKey(
        "every.StandardPage", on_delete=models.CASCADE, related_name="tagged_items"
    )


class StandardLink(Orderable):
    owner = ParentalKey("every.StandardPage", on_delete=models.CASCADE, related_name="links")
    page = models.ForeignKey(Page, on_delete=models.CASCADE, related_name="+")
    title = models.CharField(max_length=80)

    panels = [FieldPanel("page"), FieldPanel("title")]


class StandardPage(Page):
    template = TEMPLATE

    kicker = models.CharField(max_length=80, blank=True)
    intro = models.CharField(max_length=250, blank=True)
    body = RichTextField(blank=True)
    content = content()
    text = text()
    hero = models.ForeignKey(
        Picture, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    see = models.ForeignKey(
        Page, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    code = models.UUIDField(null=True, unique=True, editable=False)
    minutes = models.PositiveIntegerField(null=True, blank=True)
    raw = models.JSONField(default=dict, blank=True)
    note = models.TextField(blank=True)
    tags = ClusterTaggableManager(through=StandardTag, blank=True)
    categories = ParentalManyToManyField(Category, blank=True)
    marks = GenericRelation("every.Mark")

    content_panels = [
        *Page.content_panels,
        *(FieldPanel(name) for name in ("kicker", "intro", "body", "content", "text", "hero")),
        *(FieldPanel(name) for name in ("see", "minutes", "raw", "note", "tags", "categories")),
        InlinePanel("links"),
    ]


class FeatureNote(Orderable):
    owner = ParentalKey("every.FeaturePage", on_delete=models.CASCADE, related_name="notes")
    text = models.CharField(max_length=80)

    panels = [FieldPanel("text")]


class FeaturePage(StandardPage):
    template = TEMPLATE

    standard = models.OneToOneField(
        StandardPage, on_delete=models.CASCADE, parent_link=True, related_name="as_feature"
    )
    new_kicker = models.CharField(max_length=80, blank=True)
    strapline = models.CharField(max_length=80, blank=True, default="")
    length = models.CharField(max_length=80, blank=True, default="")

    content_panels = [
        *StandardPage.content_panels,
        *(FieldPanel(name) for name in ("new_kicker", "strapline", "length")),
        InlinePanel("notes"),
    ]


class ArticleTag(TaggedItemBase):
    content_object = ParentalKey(
        "every.ArticlePage", on_delete=models.CASCADE, related_name="tagged_items"
    )


class ArticleLink(Orderable):
    owner = ParentalKey("every.ArticlePage", on_delete=models.CASCADE, related_name="links")
    page = models.ForeignKey(Page, on_delete=models.CASCADE, related_name="+")
    title = models.CharField(max_length=80)

    panels = [FieldPanel("page"), FieldPanel("title")]


class ArticlePage(Page):
    template = TEMPLATE

    base = models.OneToOneField(
        Page, on_delete=models.CASCADE, parent_link=True, related_name="as_article"
    )
    summary = models.CharField(max_length=250, blank=True)
    body = RichTextField(blank=True)
    content = content()
    text = text()
    hero = models.ForeignKey(
        Picture, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    see = models.ForeignKey(
        Page, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    code = models.UUIDField(null=True, unique=True, editable=False)
    reading_minutes = models.PositiveIntegerField(null=True, blank=True)
    raw = models.JSONField(default=dict, blank=True)
    note = models.TextField(blank=True)
    layout = models.CharField(
        max_length=10, choices=[("narrow", "narrow"), ("wide", "wide")], default="narrow"
    )
    teaser = models.CharField(max_length=80, blank=True)
    tags = ClusterTaggableManager(through=ArticleTag, blank=True)
    categories = ParentalManyToManyField(Category, blank=True)

    content_panels = [
        *Page.content_panels,
        *(FieldPanel(name) for name in ("summary", "body", "content", "text", "hero", "see")),
        *(FieldPanel(name) for name in ("reading_minutes", "raw", "note", "layout", "teaser")),
        *(FieldPanel(name) for name in ("tags", "categories")),
        InlinePanel("links"),
    ]


# Keys to any page, one for each thing that its deletion would do


class PageCascade(models.Model):
    page = models.ForeignKey(Page, on_delete=models.CASCADE, related_name="+")


class PageSetNull(models.Model):
    page = models.ForeignKey(Page, null=True, on_delete=models.SET_NULL, related_name="+")


class PageSetDefault(models.Model):
    page = models.ForeignKey(Page, default=1, on_delete=models.SET_DEFAULT, related_name="+")


class PageProtect(models.Model):
    page = models.ForeignKey(Page, on_delete=models.PROTECT, related_name="+")


class PageRestrict(models.Model):
    page = models.ForeignKey(Page, on_delete=models.RESTRICT, related_name="+")


class PageDoNothing(models.Model):
    page = models.ForeignKey(Page, on_delete=models.DO_NOTHING, related_name="+")


class PageUnique(models.Model):
    page = models.OneToOneField(Page, on_delete=models.CASCADE, related_name="+")


class PageKeyed(models.Model):
    page = models.OneToOneField(Page, on_delete=models.CASCADE, primary_key=True, related_name="+")


class PageMany(models.Model):
    pages = models.ManyToManyField(Page)


# Keys to the type that is converted; an article has no row for them to refer to


class StandardCascade(models.Model):
    page = models.ForeignKey(StandardPage, on_delete=models.CASCADE, related_name="+")


class StandardSetNull(models.Model):
    page = models.ForeignKey(StandardPage, null=True, on_delete=models.SET_NULL, related_name="+")


class StandardProtect(models.Model):
    page = models.ForeignKey(StandardPage, on_delete=models.PROTECT, related_name="+")


class StandardDoNothing(models.Model):
    page = models.ForeignKey(StandardPage, on_delete=models.DO_NOTHING, related_name="+")


class StandardUnique(models.Model):
    page = models.OneToOneField(StandardPage, on_delete=models.CASCADE, related_name="+")


class StandardMany(models.Model):
    pages = models.ManyToManyField(StandardPage)


class FeatureProtect(models.Model):
    page = models.ForeignKey(FeaturePage, on_delete=models.PROTECT, related_name="+")


# Generic keys


class Like(models.Model):
    """Declared on this side alone."""

    content_type = models.ForeignKey(ContentType, on_delete=models.CASCADE)
    object_id = models.PositiveIntegerField()
    content_object = GenericForeignKey()


class Mark(models.Model):
    """Known to the page, which takes it along when it is deleted."""

    content_type = models.ForeignKey(ContentType, on_delete=models.CASCADE)
    object_id = models.CharField(max_length=64)
    content_object = GenericForeignKey()


class Remark(models.Model):
    """As django_comments does it: the id is text, and the name of its column another."""

    content_type = models.ForeignKey(
        ContentType, on_delete=models.CASCADE, related_name="content_type_set_for_%(class)s"
    )
    object_pk = models.TextField()
    content_object = GenericForeignKey(ct_field="content_type", fk_field="object_pk")
    comment = models.TextField()


# Values


@register_snippet
class Teaser(models.Model):
    """Rich text and a stream outside of pages, and values that nobody can know to be ids."""

    text = RichTextField(blank=True)
    content = content()
    raw = models.JSONField(default=dict, blank=True)
    note = models.TextField(blank=True)


class Answer(AbstractFormSubmission):
    member = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.CASCADE, related_name="+"
    )


@register_setting
class Look(BaseSiteSetting):
    landing = models.ForeignKey(
        Page, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    motto = RichTextField(blank=True)


@register_setting
class Everywhere(BaseGenericSetting):
    landing = models.ForeignKey(
        Page, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    motto = RichTextField(blank=True)
