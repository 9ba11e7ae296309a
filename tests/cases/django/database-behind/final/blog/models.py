"""Models of the blog, with fields whose definitions need the module."""
from django.db import models
from wagtail import blocks
from wagtail.admin.panels import FieldPanel
from wagtail.fields import RichTextField, StreamField
from wagtail.images.blocks import ImageChooserBlock
from wagtail.models import Page
from wagtail.search import index

RATINGS = [(number, str(number)) for number in range(1, 4)]


def rating():
    return RATINGS[0][0]


class Part(blocks.StructBlock):
    words = blocks.RichTextBlock()
    image = ImageChooserBlock(required=False)
    link = blocks.PageChooserBlock(required=False)


class HomePage(Page):
    pass


class Blog(Page):
    body = RichTextField(blank=True)

    search_fields = Page.search_fields + [index.SearchField("body")]
    content_panels = Page.content_panels + [
        FieldPanel("body"),
    ]


class Podcast(Blog):
    keywords = models.CharField(max_length=255, blank=True, default="")
    explicit = models.PositiveSmallIntegerField(choices=RATINGS, default=rating)
    cover = models.ForeignKey(
        "wagtailimages.Image", null=True, blank=True, on_delete=models.SET_NULL, related_name="covered"
    )
    parts = StreamField([("part", Part()), ("note", blocks.CharBlock())], blank=True)

    template = Blog.template
    search_fields = Blog.search_fields + [
        index.SearchField("keywords"),
    ]
    content_panels = Blog.content_panels + [
        FieldPanel("keywords"),
        FieldPanel("explicit"),
        FieldPanel("cover"),
        FieldPanel("parts"),
    ]


class Magazine(Blog):
    issue = models.CharField(max_length=9, blank=True)


class Post(Page):
    body = RichTextField(blank=True)
    content_panels = Page.content_panels + [FieldPanel("body")]
