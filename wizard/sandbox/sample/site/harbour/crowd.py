"""Thousands of posts at once, for trying out a large site: rows instead of an editor's work.

Each post gets its page, its tags, its entry in the search index and one revision, as if it had
been published once. It has no log entries, and no rows in the reference index:
`manage.py rebuild_references_index` makes those.
"""

from collections.abc import Iterator, Sequence
from datetime import timedelta

from harbour_cast.models import Post, PostTag
from taggit.models import Tag
from wagtail.models import Page, Revision
from wagtail.search.backends import get_search_backend

from harbour.stories import Story
from harbour.town import BEGINNING, Town

BATCH = 500


def tell_many(
    town: Town, stories: Sequence[Story], *, first: int, step: timedelta
) -> Iterator[int]:
    """Insert the stories as posts; yields how many are there after each batch.

    `first` is the number of stories told already, from which the dates go on.
    """
    tags = {name: Tag.objects.get_or_create(name=name)[0] for name in _tag_names(stories)}
    parents = {slug: Page.objects.get(slug=slug) for slug in ("show", "notes")}
    for start in range(0, len(stories), BATCH):
        batch = stories[start : start + BATCH]
        posts = []
        for number, story in enumerate(batch, start=first + start + 1):
            town.clock.time = BEGINNING + step * number
            posts.append(_post(town, story, parents[story.blog]))
        _insert(posts, [[tags[name] for name in story.tags] for story in batch])
        for parent in parents.values():
            parent.save(update_fields=["numchild"], clean=False)
        yield start + len(batch)


def _tag_names(stories: Sequence[Story]) -> list[str]:
    return sorted({name for story in stories for name in story.tags})


def _post(town: Town, story: Story, parent: Page) -> Post:
    """The post as a new last child of `parent`, which learns of it."""
    post = town.post(story)
    now = town.clock()
    parent.numchild += 1
    post.path = Page._get_path(parent.path, parent.depth + 1, parent.numchild)
    post.depth = parent.depth + 1
    post.url_path = f"{parent.url_path}{post.slug}/"
    post.draft_title = post.title
    post.locale_id = parent.locale_id
    post.owner_id = (town.ana if story.blog == "show" else town.bo).pk
    post.first_published_at = post.last_published_at = post.latest_revision_created_at = now
    return post


def _insert(posts: list[Post], tags: list[list[Tag]]) -> None:
    """Django's bulk_create refuses models of several tables, so this goes table by table."""
    shared = [field.attname for field in Page._meta.concrete_fields if not field.primary_key]
    pages = [Page(**{name: getattr(post, name) for name in shared}) for post in posts]
    Page.objects.bulk_create(pages)
    for post, page in zip(posts, pages, strict=True):
        post.pk = post.id = page.pk
    Post._base_manager._insert(posts, fields=Post._meta.local_concrete_fields, using="default")
    links = [
        [PostTag(content_object=post, tag=tag) for tag in its]
        for post, its in zip(posts, tags, strict=True)
    ]
    PostTag.objects.bulk_create([link for its in links for link in its])
    for post, its in zip(posts, links, strict=True):
        post.tagged_items, post.wagtail_admin_comments = its, []
    revisions = Revision.objects.bulk_create([_revision(post) for post in posts])
    for page, revision in zip(pages, revisions, strict=True):
        page.latest_revision = page.live_revision = revision
    Page.objects.bulk_update(pages, ["latest_revision", "live_revision"])
    get_search_backend().add_bulk(Post, posts)


def _revision(post: Post) -> Revision:
    return Revision(
        content_object=post,
        base_content_type=post.get_base_content_type(),
        user_id=post.owner_id,
        created_at=post.latest_revision_created_at,
        content=post.serializable_data(),
        object_str=str(post),
    )
