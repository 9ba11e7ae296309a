"""Models of the blog, which is searched by what a method says of it."""
from django.db import models
from wagtail.admin.panels import FieldPanel
from wagtail.fields import RichTextField
from wagtail.models import Page
from wagtail.search import index


class HomePage(Page):
    pass


class Blog(Page):
    body = RichTextField(blank=True)
    keywords = models.CharField(max_length=255, blank=True, default="")
    explicit = models.PositiveSmallIntegerField(default=1)

    search_fields = Page.search_fields + [index.SearchField("get_words")]
    content_panels = Page.content_panels + [FieldPanel("body"), FieldPanel("keywords")]

    def get_words(self):
        return " ".join([self.title, self.keywords])


class Post(Page):
    body = RichTextField(blank=True)
    content_panels = Page.content_panels + [FieldPanel("body")]
