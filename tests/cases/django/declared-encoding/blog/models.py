# -*- coding: latin-1 -*-
"""Modelle für das Blog."""
from django.db import models
from wagtail.admin.panels import FieldPanel
from wagtail.fields import RichTextField
from wagtail.models import Page


class HomePage(Page):
    pass


class Blog(Page):
    body = RichTextField(blank=True)
    # Für iTunes
    keywords = models.CharField(
        max_length=255, blank=True, default="", verbose_name="Schlüssel", help_text="größer"
    )
    explicit = models.PositiveSmallIntegerField(default=1)

    content_panels = Page.content_panels + [
        FieldPanel("body"),
        FieldPanel("keywords", heading="Wörter"),
    ]


class Post(Page):
    """Ein Beitrag für später."""

    body = RichTextField(blank=True)
    content_panels = Page.content_panels + [FieldPanel("body")]
