"""Pages of many shapes: siblings with all sorts of fields and rows, a child, shared levels."""

import uuid

from django.conf import settings
from django.db import models
from modelcluster.contrib.taggit import ClusterTaggableManager
from modelcluster.fields import ParentalKey, ParentalManyToManyField
from taggit.models import TaggedItemBase
from wagtail import blocks
from wagtail.fields import RichTextField, StreamField
from wagtail.models import Orderable, Page
from wagtail.snippets.models import register_snippet


@register_snippet
class Category(models.Model):
    name = models.CharField(max_length=50)

    def __str__(self) -> str:
        return self.name


class Summed(models.Model):
    """An abstract level: its field is a column of each page that has it."""

    summary = models.CharField(max_length=100, blank=True)

    class Meta:
        abstract = True


class StandardTag(TaggedItemBase):
    content_object = ParentalKey(
        "shapes.StandardPage", on_delete=models.CASCADE, related_name="tagged"
    )


class ArticleTag(TaggedItemBase):
    content_object = ParentalKey(
        "shapes.ArticlePage", on_delete=models.CASCADE, related_name="tagged"
    )


class StandardPage(Summed, Page):
    intro = RichTextField(blank=True)
    body = StreamField(
        [
            ("text", blocks.RichTextBlock()),
            ("see", blocks.PageChooserBlock()),
            ("quote", blocks.CharBlock()),
        ],
        blank=True,
    )
    image = models.ForeignKey(
        "wagtailimages.Image", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    code = models.CharField(max_length=50, unique=True, null=True, blank=True)
    rating = models.SmallIntegerField(null=True, blank=True, default=0)
    layout = models.CharField(
        max_length=10,
        choices=[("wide", "Wide"), ("narrow", "Narrow"), ("full", "Full")],
        default="wide",
    )
    note = models.TextField(blank=True)
    minutes = models.PositiveIntegerField(null=True, blank=True)
    contact = models.CharField(max_length=60, blank=True)
    categories = ParentalManyToManyField(Category, blank=True, related_name="+")
    related = models.ManyToManyField(Page, blank=True, related_name="+")
    tags = ClusterTaggableManager(through=StandardTag, blank=True)


class StandardLink(Orderable):
    page = ParentalKey(StandardPage, on_delete=models.CASCADE, related_name="links")
    label = models.CharField(max_length=100, blank=True)
    to = models.ForeignKey(Page, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")


class StandardPicture(Orderable):
    """Rows that articles have under another name, and without the credit."""

    page = ParentalKey(StandardPage, on_delete=models.CASCADE, related_name="pictures")
    caption = models.CharField(max_length=50, blank=True)
    credit = models.CharField(max_length=50, blank=True)


class StandardFact(Orderable):
    """Rows that articles have nothing for."""

    page = ParentalKey(StandardPage, on_delete=models.CASCADE, related_name="facts")
    text = models.CharField(max_length=50)


class ArticlePage(Summed, Page):
    page = models.OneToOneField(
        Page, on_delete=models.CASCADE, parent_link=True, primary_key=True, related_name="article"
    )
    intro = RichTextField(blank=True)
    body = StreamField(
        [
            ("text", blocks.RichTextBlock()),
            ("see", blocks.PageChooserBlock()),
            ("heading", blocks.CharBlock()),
        ],
        blank=True,
    )
    image = models.ForeignKey(
        "wagtailimages.Image", null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    code = models.CharField(max_length=40, unique=True, null=True, blank=True)
    rating = models.IntegerField(default=0)
    layout = models.CharField(
        max_length=10, choices=[("wide", "Wide"), ("narrow", "Narrow")], default="wide"
    )
    byline = models.CharField(max_length=20, default="the staff")
    contact = models.EmailField(max_length=60, blank=True)
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    categories = ParentalManyToManyField(Category, blank=True, related_name="+")
    related = models.ManyToManyField(Page, blank=True, related_name="+")
    tags = ClusterTaggableManager(through=ArticleTag, blank=True)


class ArticleLink(Orderable):
    article = ParentalKey(ArticlePage, on_delete=models.CASCADE, related_name="links")
    label = models.CharField(max_length=80, blank=True)
    to = models.ForeignKey(Page, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")


class ArticleImage(Orderable):
    article = ParentalKey(ArticlePage, on_delete=models.CASCADE, related_name="gallery")
    caption = models.CharField(max_length=50, blank=True)
    wide = models.BooleanField(default=False)


class NewsPage(ArticlePage):
    """A child of a child: one more level, with columns of its own."""

    agency = models.CharField(max_length=30, blank=True)
    published = models.DateField(null=True, blank=True)
    urgent = models.BooleanField(default=False)
    figures = models.JSONField(default=dict, blank=True)


class SectionPage(Page):
    """A level with a table that two siblings share."""

    colour = models.CharField(max_length=20, blank=True)


class SectionLink(Orderable):
    section = ParentalKey(SectionPage, on_delete=models.CASCADE, related_name="links")
    label = models.CharField(max_length=100, blank=True)


class GuidePage(SectionPage):
    steps = models.PositiveSmallIntegerField(default=1)
    hint = models.CharField(max_length=40, blank=True)


class ManualPage(SectionPage):
    steps = models.PositiveIntegerField(default=1)
    edition = models.CharField(max_length=40)
    token = models.UUIDField(default=uuid.uuid4, unique=True)
    printed = models.DateTimeField(auto_now_add=True)
    price = models.DecimalField(max_digits=3, decimal_places=1, null=True, blank=True)


class Pin(models.Model):
    """Goes with its page."""

    page = models.ForeignKey(StandardPage, on_delete=models.CASCADE, related_name="pins")


class Badge(models.Model):
    """Is emptied when its page goes."""

    page = models.ForeignKey(
        StandardPage, null=True, blank=True, on_delete=models.SET_NULL, related_name="badges"
    )


class Seal(models.Model):
    """Stands in the way of its page's end."""

    page = models.ForeignKey(StandardPage, on_delete=models.PROTECT, related_name="seals")
