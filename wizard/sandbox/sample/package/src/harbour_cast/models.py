"""The pages of a site made of blogs.

A `HomePage` at the top, `Blog`s below it, and `Post`s in the blogs. A blog whose posts have
sound is a podcast: then Apple's and Spotify's directories want to know a little more about it.
"""

from django.db import models
from modelcluster.contrib.taggit import ClusterTaggableManager
from modelcluster.fields import ParentalKey
from taggit.models import TaggedItemBase
from wagtail.admin.panels import FieldPanel, MultiFieldPanel
from wagtail.fields import RichTextField, StreamField
from wagtail.images import get_image_model_string
from wagtail.models import Page
from wagtail.search import index

from harbour_cast.blocks import BodyBlock


class HomePage(Page):
    """The front page."""

    intro = RichTextField(blank=True)
    # Any page may be featured, so this points to the base model and not to a blog.
    featured = models.ForeignKey(
        "wagtailcore.Page",
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        help_text="Shown large at the top of the front page.",
    )

    content_panels = [
        *Page.content_panels,
        FieldPanel("intro"),
        FieldPanel("featured"),
    ]

    max_count = 1

    class Meta:
        verbose_name = "home page"

    def get_context(self, request, *args, **kwargs):
        context = super().get_context(request, *args, **kwargs)
        context["blogs"] = Blog.objects.child_of(self).live().order_by("path")
        return context


class Blog(Page):
    """A stream of posts, newest first.

    This is the index page for its posts, and what the feeds are made from.
    """

    author = models.CharField(
        max_length=255,
        blank=True,
        default="",
        help_text="Freeform text that will be used in the feed.",
    )
    email = models.EmailField(
        blank=True,
        default="",
        help_text="Where listeners and readers can write to.",
    )
    description = RichTextField(blank=True)
    comments_enabled = models.BooleanField(
        "comments enabled",
        default=True,
        help_text="Whether comments are enabled for this blog.",
    )

    # --- podcast only -----------------------------------------------------------------

    # Square, at least 1400 by 1400 pixels, or Apple refuses the feed.
    itunes_artwork = models.ForeignKey(
        get_image_model_string(),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        verbose_name="iTunes artwork",
    )
    itunes_categories = models.CharField(
        "iTunes categories",
        max_length=512,
        blank=True,
        default="",
        help_text="A json dict of itunes categories pointing to lists of subcategories. "
        'For example: {"Society & Culture": ["Places & Travel"]}',
    )
    keywords = models.CharField(
        max_length=255,
        blank=True,
        default="",
        help_text="""A comma-delimited list of up to 12 words for iTunes searches. Perhaps
                     include misspellings of the title.""",
    )

    EXPLICIT_CHOICES = ((1, "yes"), (2, "no"), (3, "clean"))
    explicit = models.PositiveSmallIntegerField(
        choices=EXPLICIT_CHOICES,
        help_text="``Clean`` will put the clean iTunes graphic by it.",
        default=1,  # the directories treat a missing value as "yes"
    )

    # wagtail
    content_panels = [
        *Page.content_panels,
        FieldPanel("author"),
        FieldPanel("email"),
        FieldPanel("description"),
        MultiFieldPanel(
            [
                FieldPanel("itunes_artwork"),
                FieldPanel("itunes_categories"),
                FieldPanel("keywords"),
                FieldPanel("explicit"),
            ],
            heading="Podcast",
            classname="collapsed",
        ),
    ]
    settings_panels = [*Page.settings_panels, FieldPanel("comments_enabled")]

    search_fields = [*Page.search_fields, index.SearchField("description")]

    subpage_types = ["cast.Post"]
    parent_page_types = ["cast.HomePage"]

    class Meta:
        verbose_name = "blog"
        verbose_name_plural = "blogs"

    @property
    def posts(self):
        """Live posts of this blog, newest first."""
        return Post.objects.child_of(self).live().order_by("-date", "-pk")

    def get_context(self, request, *args, **kwargs):
        context = super().get_context(request, *args, **kwargs)
        context["posts"] = self.posts.prefetch_related("tagged_items__tag")[:100]
        return context


class PostTag(TaggedItemBase):
    """A tag on a post."""

    content_object = ParentalKey("cast.Post", on_delete=models.CASCADE, related_name="tagged_items")


class Post(Page):
    """One post of a blog. Which kinds of blog may hold it is left to their `subpage_types`."""

    date = models.DateField("post date")
    body = StreamField(BodyBlock(), blank=True)
    tags = ClusterTaggableManager(through=PostTag, blank=True)

    content_panels = [
        *Page.content_panels,
        FieldPanel("date"),
        FieldPanel("body"),
    ]
    promote_panels = [*Page.promote_panels, FieldPanel("tags")]

    search_fields = [
        *Page.search_fields,
        index.SearchField("body"),
        index.FilterField("date"),
    ]

    subpage_types = []

    class Meta:
        verbose_name = "post"
        ordering = ["-date"]

    @property
    def blog(self):
        """The blog this post is in, as its own type."""
        return self.get_parent().specific
