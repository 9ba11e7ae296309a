"""The Wagtail site from inside: tree, pages, URLs, models, migrations."""
