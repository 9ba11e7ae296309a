"""Wagtail's own test site on PostgreSQL, with the templates that Wagtail's tests do without."""

from pathlib import Path

from wagtail.test.settings import *  # noqa: F403
from wagtail.test.settings import TEMPLATES

BASE_DIR = Path(__file__).resolve().parent
TEMPLATES[0]["DIRS"] = [BASE_DIR / "templates"]
MEDIA_ROOT = BASE_DIR / "media"
EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
WAGTAILADMIN_BASE_URL = "http://localhost"
