"""A show and a notebook of django-cast, with what readers and editors leave on them."""

import json
import uuid

import django

django.setup()  # before anything that has models

import traces
from cast import devdata
from cast.models import Blog, HomePage, ItunesArtWork, Post, PostCategory
from django.contrib.contenttypes.models import ContentType
from django.contrib.sites.models import Site as DjangoSite
from django_comments import get_model as comment_model
from wagtail.models import Page, Site

admin, editor = traces.editors()
site = Site.objects.get()
root = site.root_page
DjangoSite.objects.get_or_create(pk=1, defaults={"domain": "localhost", "name": "cast"})
image = devdata.create_image()
audio = devdata.create_audio(user=admin, m4a_file=devdata.create_mp3_file())
artwork = ItunesArtWork.objects.create(original=image.file.name)


def block(kind, value):
    return {"type": kind, "value": value, "id": str(uuid.uuid4())}


def body(*links):
    paragraphs = "".join(f'<p><a linktype="page" id="{p.pk}">{p.title}</a></p>' for p in links)
    return json.dumps(
        [
            block(
                "overview",
                [
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
    subtitle="On the air",
    noindex=True,
    cover_image=image,
    cover_alt_text="A dot",
)
notes = add(root, Blog, "Notes", author="Ben", description="<p>Ben's notes</p>")
add(root, HomePage, "Front", alias_for_page=show, body="[]")
category = PostCategory.objects.create(name="Sea", slug="sea")
for number in range(1, 7):
    post = add(
        show,
        Post,
        f"Part {number}",
        cover_alt_text=f"Part {number}'s cover",
        body=body(notes, show),
    )
    post.tags.add("sea", f"part-{number}")
    post.categories.add(category)
    post.save(sync_media=True)
    traces.drafts(post, editor, cover_alt_text="changed in a draft", body=body(show))
parts = list(Post.objects.child_of(show).order_by("path"))
for number in range(1, 4):
    add(notes, Post, f"Note {number}", body=body(show, *parts[:number]))
traces.drafts(show, editor, subtitle="changed in a draft")
for page in (show, parts[0], parts[1]):
    traces.around(page, editor)
traces.private(parts[2])
traces.scheduled(parts[3], editor)
Page.objects.get(pk=parts[4].pk).specific.unpublish(user=admin)
show = Blog.objects.get(pk=show.pk)
show.description = f'<p>Listen to <a linktype="page" id="{parts[0].pk}">part 1</a></p>'
show.save()
for page in parts[:2]:
    comment = comment_model().objects.create(
        content_type=ContentType.objects.get_for_model(Post),
        object_pk=str(page.pk),
        site_id=1,
        user_name="Reader",
        comment="First!",
    )
    comment_model().objects.create(
        content_type=comment.content_type,
        object_pk=comment.object_pk,
        site_id=1,
        user_name="Another",
        comment="Second.",
        parent=comment,
    )
