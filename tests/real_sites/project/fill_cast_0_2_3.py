"""python-podcast as it was in January 2023: a show and a notebook, both of the type Blog."""

import base64
import json
import uuid

import django

django.setup()  # before anything that has models

import traces
from cast.models import Audio, Blog, Episode, HomePage, ItunesArtWork, Post
from django.contrib.contenttypes.models import ContentType
from django.contrib.sites.models import Site as DjangoSite
from django.core.files.base import ContentFile
from django_comments import get_model as comment_model
from wagtail.images.models import Image
from wagtail.models import Page, Site

PIXEL = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")

admin, editor = traces.editors()
root = Site.objects.get().root_page
DjangoSite.objects.get_or_create(pk=1, defaults={"domain": "localhost", "name": "cast"})
image = Image.objects.create(title="A dot", file=ContentFile(PIXEL, name="dot.gif"))
audio = Audio(user=admin, title="Sound", mp3=ContentFile(b"", name="sound.mp3"))
audio.save(duration=False)
artwork = ItunesArtWork.objects.create(original=ContentFile(PIXEL, name="artwork.gif"))


def block(kind, value):
    return {"type": kind, "value": value, "id": str(uuid.uuid4())}


def body(*links):
    paragraphs = "".join(f'<p><a linktype="page" id="{p.pk}">{p.title}</a></p>' for p in links)
    return json.dumps(
        [
            block(
                "overview",
                [
                    block("heading", "A heading"),
                    block("paragraph", f"<p>Overview</p>{paragraphs}"),
                    block("image", image.pk),
                ],
            ),
            block("detail", [block("paragraph", "<p>Detail</p>")]),
        ]
    )


def add(parent, cls, title, **values):
    page = cls(title=title, slug=title.lower().replace(" ", "-"), owner=editor, **values)
    parent.add_child(instance=page)
    page.save_revision(user=editor, log_action=True).publish(user=admin)
    return page


show = add(
    root,
    Blog,
    "Show",
    author="Ada",
    email="ada@example.com",
    itunes_artwork=artwork,
    itunes_categories=json.dumps({"Technology": []}),
    keywords="sea, harbour",
    explicit=2,
)
notes = add(root, Blog, "Notes", author="Ben", description="<p>Ben's notes</p>")
add(root, HomePage, "Front", alias_for_page=show, body="[]")
for number in range(1, 5):
    episode = add(
        show,
        Episode,
        f"Part {number}",
        podcast_audio=audio,
        keywords=f"part-{number}",
        body=body(notes, show),
    )
    traces.drafts(episode, editor, keywords="changed in a draft")
add(show, Post, "News", body=body(show))
parts = list(Page.objects.child_of(show).order_by("path"))
for number in range(1, 4):
    add(notes, Post, f"Note {number}", body=body(show, *parts[:number]))
traces.drafts(show, editor, keywords="changed in a draft", explicit=3)
for page in (show, parts[0]):
    traces.around(page, editor)
traces.private(parts[2])
traces.scheduled(show, editor)
show = Blog.objects.get(pk=show.pk)
show.description = f'<p>Listen to <a linktype="page" id="{show.pk}">all of it</a></p>'
show.save()
for page in (show, parts[0].specific):
    comment_model().objects.create(
        content_type=ContentType.objects.get_for_model(page),
        object_pk=str(page.pk),
        site_id=1,
        user_name="Reader",
        comment="First!",
    )
