"""URLs of the site made of django-cast 0.2.3 alone."""

from django.urls import include, path
from wagtail import urls as wagtail_urls
from wagtail.admin import urls as wagtailadmin_urls
from wagtail.documents import urls as wagtaildocs_urls

urlpatterns = [
    path("cms/", include(wagtailadmin_urls)),
    path("documents/", include(wagtaildocs_urls)),
    path("cast/", include("cast.urls", namespace="cast")),
    path("posts/comments/", include("fluent_comments.urls")),
    path("", include(wagtail_urls)),
]
