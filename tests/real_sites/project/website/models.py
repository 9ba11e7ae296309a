"""Pages of a site made of Wagtail CRX, as its own project template has them."""

from coderedcms.models import CoderedArticleIndexPage, CoderedArticlePage
from django.db import models


class ArticlePage(CoderedArticlePage):
    """An article."""

    template = "coderedcms/pages/article_page.html"
    search_template = "coderedcms/pages/article_page.search.html"


class FeaturePage(ArticlePage):
    """A child of it, with a field of its own."""

    kicker = models.CharField(max_length=80, blank=True)
    template = "coderedcms/pages/article_page.html"


class NewsPage(CoderedArticlePage):
    """A sibling of it, with a field of its own."""

    wire = models.CharField(max_length=80, blank=True)
    template = "coderedcms/pages/article_page.html"


class ArticleIndexPage(CoderedArticleIndexPage):
    """A page that lists those below it."""

    template = "coderedcms/pages/article_index_page.html"
