"""A blog in the middle of its conversion, and posts of which some are to become episodes."""

from django.db import models
from wagtail import blocks
from wagtail.fields import RichTextField, StreamField
from wagtail.models import Page
from wagtail.search import index


class Blog(Page):
    description = RichTextField(blank=True)
    itunes_artwork = models.ForeignKey(
        "wagtailimages.Image", null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    itunes_categories = models.CharField(max_length=512, blank=True, default="")
    keywords = models.CharField(max_length=255, blank=True, default="")
    explicit = models.PositiveSmallIntegerField(choices=[(1, "yes"), (2, "no")], default=1)


class Podcast(Blog):
    new_itunes_artwork = models.ForeignKey(
        "wagtailimages.Image", null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    new_itunes_categories = models.CharField(max_length=512, blank=True, default="")
    new_keywords = models.CharField(max_length=255, blank=True, default="")
    new_explicit = models.PositiveSmallIntegerField(choices=[(1, "yes"), (2, "no")], default=1)


class Post(Page):
    intro = RichTextField(blank=True)
    body = StreamField([("text", blocks.RichTextBlock()), ("see", blocks.PageChooserBlock())])

    search_fields = (
        *Page.search_fields,
        index.SearchField("intro"),
        index.SearchField("body"),
    )


class Episode(Post):
    number = models.PositiveIntegerField(null=True, blank=True)
    keywords = models.CharField(max_length=255, blank=True, default="")
    block = models.BooleanField(default=False)
