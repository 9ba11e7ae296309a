"""A blog and its first three posts, made by Wagtail itself; the benchmarks multiply the posts.

The first post links to nothing, the second to its blog, the third to the first.
"""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()

from bench.models import Blog, Post  # noqa: E402
from django.db import connection  # noqa: E402
from wagtail.models import Page  # noqa: E402

WORDS = (
    "<p>The harbour lies still before the ferry comes, and what there is to tell of it is soon "
    "told: nets, gulls, the tide. Number NUMBER of these reports was written on the quay.</p>"
)

with connection.cursor() as cursor:
    # Ids of so many digits that SQL finds them in a text, and finds nothing else.
    cursor.execute("SELECT setval(pg_get_serial_sequence('wagtailcore_page', 'id'), 7000000)")
home = Page.objects.get(depth=2)
show = home.add_child(
    instance=Blog(
        title="The Show",
        slug="show",
        description=WORDS,
        itunes_categories="Science",
        keywords="sea, harbour",
        explicit=2,
    )
)
show.save_revision().publish()
first = None
for number, slug in enumerate(["nowhere", "blog", "post"], 1):
    page = {1: None, 2: show, 3: first}[number]
    link = f'<p>See also <a linktype="page" id="{page.pk}">this page</a>.</p>' if page else ""
    body = [("text", WORDS * 3 + link), ("text", WORDS * 2)]
    if page:
        body.append(("see", page))
    post = show.add_child(
        instance=Post(title="Report NUMBER", slug=slug, intro=WORDS + link, body=body)
    )
    post.save_revision().publish()
    first = first or post
