"""A blog that is to become a podcast, and one of each thing that can refer to a page."""

import uuid

from django.contrib.contenttypes.fields import GenericForeignKey
from django.contrib.contenttypes.models import ContentType
from django.db import models
from modelcluster.contrib.taggit import ClusterTaggableManager
from modelcluster.fields import ParentalKey
from taggit.models import TaggedItemBase
from wagtail import blocks
from wagtail.fields import RichTextField, StreamField
from wagtail.models import Orderable, Page


class BlogTag(TaggedItemBase):
    content_object = ParentalKey("press.Blog", on_delete=models.CASCADE, related_name="tagged")


class Blog(Page):
    code = models.UUIDField(default=uuid.uuid4, unique=True)
    description = RichTextField(blank=True)
    artwork = models.ForeignKey(
        "wagtailimages.Image", null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    keywords = models.CharField(max_length=255, blank=True, default="")
    explicit = models.PositiveSmallIntegerField(choices=[(1, "yes"), (2, "no")], default=1)
    tags = ClusterTaggableManager(through=BlogTag, blank=True)


# new type


class BlogLink(Orderable):
    blog = ParentalKey("press.Blog", on_delete=models.CASCADE, related_name="links")
    page = models.ForeignKey(Page, on_delete=models.CASCADE, related_name="+")


class Entry(Page):
    body = StreamField(
        [
            ("text", blocks.RichTextBlock()),
            ("see", blocks.ListBlock(blocks.StructBlock([("page", blocks.PageChooserBlock())]))),
            ("number", blocks.IntegerBlock()),
        ],
        blank=True,
    )
    home = models.ForeignKey(
        Page, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )


class Award(models.Model):
    """Would go with its page."""

    page = models.ForeignKey(Page, on_delete=models.CASCADE, related_name="+")


class Banner(models.Model):
    """Would stand in the way of its blog's deletion."""

    blog = models.ForeignKey(Blog, on_delete=models.PROTECT, related_name="+")
    text = RichTextField(blank=True)
    note = models.TextField(blank=True)


class Playlist(models.Model):
    blogs = models.ManyToManyField(Blog)


class Like(models.Model):
    """Refers to anything."""

    content_type = models.ForeignKey(ContentType, on_delete=models.CASCADE)
    object_id = models.PositiveIntegerField()
    content_object = GenericForeignKey()
