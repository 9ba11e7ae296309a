"""Blogs and their posts for Wagtail sites, some of them with sound."""

__version__ = "0.2.3"
