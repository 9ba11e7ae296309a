"""The notes' procedure, as their author ran it in a notebook; prints its seconds as JSON.

Written as in the notes, with what it takes not to crash: `path`, `depth`, `numchild`,
`latest_revision` and `live_revision` are excluded from the copy. `notes.py 300` moves only as
many children, a third of them at the beginning, in the middle and at the end, and the others
between by a statement that is not counted, so that what comes once is measured in full.
"""

import contextlib
import json
import os
import sys
import time

began = time.perf_counter()

import django  # noqa: E402

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()

from bench.models import Blog, Podcast  # noqa: E402
from django.contrib.contenttypes.models import ContentType  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402
from wagtail.actions.move_page import MovePageAction  # noqa: E402
from wagtail.models import Page, Site  # noqa: E402

sample = int(sys.argv[1]) if len(sys.argv) > 1 else None
seconds = {"start": time.perf_counter() - began}


@contextlib.contextmanager
def taking(name):
    began = time.perf_counter()
    yield
    seconds[name] = seconds.get(name, 0) + time.perf_counter() - began


def blog_to_podcast(blog, content_type):
    exclude = {"id", "page_ptr_id", "page_ptr", "translation_key"}
    exclude |= {"path", "depth", "numchild", "latest_revision", "live_revision"}
    kwargs = {
        field.name: getattr(blog, field.name)
        for field in Blog._meta.fields
        if field.name not in exclude
    }
    kwargs["slug"] = f"new_{blog.slug}"
    kwargs["content_type"] = content_type
    kwargs["new_itunes_artwork"] = blog.itunes_artwork
    kwargs["new_itunes_categories"] = blog.itunes_categories
    kwargs["new_keywords"] = blog.keywords
    kwargs["new_explicit"] = blog.explicit
    return Podcast(**kwargs)


def move(children, podcast):
    with taking("move"):
        for child in children:
            mpa = MovePageAction(child, podcast, pos="last-child")
            mpa.execute()
    return len(children)


def move_the_others(children, podcast):
    """What the loop does, in one statement, for the children that are not in the sample."""
    ids = [child.pk for child in children]
    table = Page._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            UPDATE {table} c
               SET path = n.path || right(c.path, 4), url_path = n.url_path || c.slug || '/'
              FROM {table} n WHERE n.id = %s AND c.id = ANY(%s)
            """,
            [podcast.pk, ids],
        )
        for page, sign in ((podcast, 1), (blog, -1)):
            cursor.execute(
                f"UPDATE {table} SET numchild = numchild + %s WHERE id = %s",
                [sign * len(ids), page.pk],
            )


original_slug = "show"
with taking("copy"):
    blog = Blog.objects.get(slug=original_slug)
    blog_parent = Page.objects.parent_of(blog).first()

    # fix hostname and port
    site = Site.objects.first()
    site.hostname = "localhost"
    site.port = 8000
    site.save()

    # create new page
    podcast_content_type = ContentType.objects.get(app_label="bench", model="podcast")
    podcast = blog_to_podcast(blog, podcast_content_type)
    podcast = blog_parent.add_child(instance=podcast)

with taking("fixtree"), contextlib.redirect_stdout(sys.stderr):
    call_command("fixtree")
with taking("copy"):
    podcast = Podcast.objects.get(slug=f"new_{original_slug}")  # super important!

# move children
with taking("move"):
    children = list(blog.get_children())
if sample is None:
    moved = move(children, podcast)
else:
    listing, third, moved = seconds.pop("move"), sample // 3, 0
    middle = len(children) // 2
    moved += move(children[:third], podcast)
    move_the_others(children[third:middle], podcast)
    moved += move(children[middle : middle + third], podcast)
    move_the_others(children[middle + third : -third], podcast)
    moved += move(children[-third:], podcast)
    seconds["move"] = listing + seconds["move"] * len(children) / moved

# delete old page
with taking("delete"):
    blog = Blog.objects.get(pk=blog.pk)
    blog.delete()

# restore slug
with taking("slug"):
    podcast = Podcast.objects.get(pk=podcast.pk)
    podcast.slug = original_slug
    podcast.save()

below = Page.objects.filter(url_path__startswith=podcast.url_path).count() - 1
assert (below, podcast.get_children_count()) == (len(children), len(children)), below
print(json.dumps({"seconds": seconds, "moved": moved, "children": len(children)}))
