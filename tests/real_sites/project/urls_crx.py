"""URLs of the site made of Wagtail CRX."""

from coderedcms import admin_urls, search_urls, urls
from django.urls import include, path
from wagtail.documents import urls as documents

urlpatterns = [
    path("admin/", include(admin_urls)),
    path("docs/", include(documents)),
    path("search/", include(search_urls)),
    path("", include(urls)),
]
