"""URLs of the site made of django-cast alone."""

from cast.cast_and_wagtail_urls import urlpatterns

__all__ = ["urlpatterns"]
