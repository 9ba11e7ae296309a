"""Building the site, page by page, the way an editor would: every page published by somebody,
with its revisions, log entries and references.
"""

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from random import Random
from uuid import UUID

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.core.files.base import ContentFile
from harbour_cast.models import Blog, HomePage, Post
from wagtail.contrib.redirects.models import Redirect
from wagtail.images import get_image_model
from wagtail.models import (
    Comment,
    CommentReply,
    GroupPagePermission,
    Page,
    PageSubscription,
    PageViewRestriction,
    Site,
)

from harbour import prose
from harbour.pictures import picture
from harbour.stories import Story

BEGINNING = datetime(2021, 1, 7, 9, tzinfo=UTC)
PHOTOS = ("wall", "slip", "lighthouse", "crane", "dinghy")
CATEGORIES = {"Society & Culture": ["Places & Travel"], "Leisure": ["Hobbies"]}


class Clock:
    """Stands in for `timezone.now`, so that two fills are alike; each look takes a second."""

    def __init__(self) -> None:
        self.time = BEGINNING

    def __call__(self) -> datetime:
        self.time += timedelta(seconds=1)
        return self.time


class Town:
    """The site under construction: people, pictures and the pages by their slug."""

    def __init__(self, clock: Clock, seed: int) -> None:
        self.clock = clock
        self.random = Random(seed)
        self.pages: dict[str, Page] = {}
        self.images: dict[str, int] = {}

    def uuid(self) -> UUID:
        """The next one of the seed's."""
        return UUID(int=self.random.getrandbits(128), version=4)

    # People and pictures

    def settle(self) -> None:
        """The editors and their group. Nobody has a password: `manage.py changepassword`."""
        people = get_user_model().objects
        joined = {"date_joined": self.clock()}
        self.admin = people.create_superuser("admin", "admin@harbour.example", None, **joined)
        self.ana = people.create_user(
            "ana", "ana@harbour.example", None, first_name="Ana", last_name="Moreira", **joined
        )
        self.bo = people.create_user(
            "bo", "bo@harbour.example", None, first_name="Bo", last_name="Lindqvist", **joined
        )
        self.show_editors = Group.objects.create(name="Show editors")
        self.show_editors.permissions.add(Permission.objects.get(codename="access_admin"))
        self.ana.groups.add(self.show_editors, Group.objects.get(name="Moderators"))
        self.bo.groups.add(Group.objects.get(name="Moderators"))

    def draw(self) -> None:
        """The show's artwork and the photos."""
        self._add_image(0, "artwork", "The Harbour Show, artwork", 1400, 1400)
        for seed, name in enumerate(PHOTOS, start=1):
            self._add_image(seed, name, f"Harbour Street: {name}", 960, 640)

    def _add_image(self, seed: int, name: str, title: str, width: int, height: int) -> None:
        content = picture(seed, width, height)
        image = get_image_model()(
            title=title,
            file=ContentFile(content, f"{name}.png"),
            width=width,
            height=height,
            file_size=len(content),
            uploaded_by_user=self.ana,
        )
        image.save()
        self.images[name] = image.pk

    # Pages

    def build(self, hostname: str, port: int) -> None:
        """The front page in place of Wagtail's welcome page, and the two blogs."""
        root = Page.get_first_root_node()
        home = HomePage(title="Harbour Street", slug="harbour-street", intro="<p>Welcome.</p>")
        self._publish(root, home, self.admin)
        self.pages["home"] = home
        site = Site.objects.get(is_default_site=True)
        site.root_page, site.hostname, site.port = home, hostname, port
        site.site_name = "Harbour Street"
        site.save()
        for welcome in root.get_children().exclude(pk=home.pk):
            welcome.delete()
        home.refresh_from_db()
        self._build_blogs(home)
        home.intro = self._rich(
            "News from the slipway in [[notes|the workshop notes]], voices from the wall on "
            "[[show|the Harbour Show]]. Both are made by volunteers of the association.",
        )
        home.featured_id = self.pages["show"].pk
        home.save_revision(user=self.admin, log_action=True).publish(user=self.admin)

    def _build_blogs(self, home: Page) -> None:
        show = Blog(
            title="The Harbour Show",
            slug="show",
            author="Ana Moreira and guests",
            email="show@harbour.example",
            description="<p>Voices from the harbour wall.</p>",
            keywords="harbour, boats",
        )
        self._publish(home, show, self.ana)
        self.pages["show"] = show
        notes = Blog(
            title="Workshop notes",
            slug="notes",
            author="The Saturday club",
            email="workshop@harbour.example",
            description=self._rich(
                "What was built, broken and mended. If you would rather listen: "
                "[[show|the Harbour Show]]."
            ),
        )
        self._publish(home, notes, self.bo)
        self.pages["notes"] = notes
        notes.author = "The Saturday club and friends"
        notes.save_revision(user=self.bo, log_action=True).publish(user=self.bo)
        show.description = self._rich(
            "Voices from the harbour wall, every other Thursday. Pictures and drawings are in "
            "[[notes|the workshop notes]].",
        )
        show.itunes_artwork_id = self.images["artwork"]
        show.itunes_categories = json.dumps(CATEGORIES)
        show.keywords = "harbour, boats, lighthouse, oral history, tide"
        show.explicit = 2
        show.save_revision(user=self.ana, log_action=True).publish(user=self.ana)

    def tell(self, stories: Iterable[Story], step: timedelta) -> None:
        """Publish the stories, `step` apart. Every fourth one is revised after publication."""
        for number, story in enumerate(stories):
            self.clock.time = BEGINNING + step * (number + 1)
            editor = self.ana if story.blog == "show" else self.bo
            post = self.post(story)
            post.live = not story.draft
            self._publish(self.pages[story.blog], post, editor)
            self.pages[story.slug] = post
            if number % 4 == 2 and post.live:
                post.search_description = story.title
                post.save_revision(user=self.ana, log_action=True).publish(user=self.ana)

    def post(self, story: Story) -> Post:
        """A post that tells the story, not saved yet."""
        body = prose.body(story, self.page_id, self.images, self.uuid)
        post = Post(
            title=story.title,
            slug=story.slug,
            date=self.clock.time.date(),
            body=json.dumps(body),
            translation_key=self.uuid(),
        )
        post.tags.add(*story.tags)
        return post

    def page_id(self, slug: str) -> int:
        """The id of the page with this name in the stories."""
        return self.pages[slug].pk

    def _publish(self, parent: Page, page: Page, editor: object) -> None:
        page.owner = editor
        page.translation_key = self.uuid()
        if not page.live:
            page.has_unpublished_changes = True
        parent.add_child(instance=page)
        revision = page.save_revision(user=editor, log_action=True)
        if page.live:
            revision.publish(user=editor)

    def _rich(self, text: str) -> str:
        return prose.rich((text,), self.page_id, self.uuid)

    # What gathers around pages in the course of time

    def live_on(self) -> None:
        """Permissions, restrictions, redirects, comments, and drafts nobody has published."""
        show = Blog.objects.get(slug="show")
        keeper = Post.objects.get(slug="the-keeper-who-never-learned-to-swim")
        for kind in ("add", "change", "publish"):
            GroupPagePermission.objects.create(
                group=self.show_editors, page=show, permission_type=kind
            )
        self._restrict()
        Redirect.objects.create(
            old_path="/podcast", site=Site.objects.get(), redirect_page=show, is_permanent=True
        )
        Redirect.objects.create(old_path="/old-light", redirect_page=keeper)
        PageSubscription.objects.create(user=self.bo, page=show, comment_notifications=True)
        self._comment(
            show,
            "keywords",
            "Nobody searches for “tide”. Could we say “sea” instead?",
            "They do, look at the statistics! But let us have both.",
        )
        paragraph = keeper.body.raw_data[0]["id"]
        self._comment(
            keeper,
            f"body.{paragraph}",
            "Was it really thirty-one years? The board in the museum says thirty.",
            "He counts the winter after he was retired. I would leave it.",
        )
        show.refresh_from_db()
        show.title = "The Harbour Show, autumn season"
        show.keywords += ", sea"
        show.save_revision(user=self.ana, log_action=True)
        keeper.refresh_from_db()
        keeper.search_description = "Thirty-one years on the north mole, told by himself."
        keeper.save_revision(user=self.bo, log_action=True)

    def _restrict(self) -> None:
        PageViewRestriction.objects.create(
            page=self.pages["what-the-tide-gauge-knows"],
            restriction_type=PageViewRestriction.PASSWORD,
            password="nineteen",
        )
        members = PageViewRestriction.objects.create(
            page=self.pages["members-evening-the-slipway-accounts"],
            restriction_type=PageViewRestriction.GROUPS,
        )
        members.groups.add(self.show_editors)

    def _comment(self, page: Page, contentpath: str, text: str, answer: str) -> None:
        comment = Comment.objects.create(
            page=page,
            user=self.bo,
            text=text,
            contentpath=contentpath,
            revision_created=page.latest_revision,
        )
        comment.log_create(user=self.bo, page_revision=page.latest_revision)
        reply = CommentReply.objects.create(comment=comment, user=self.ana, text=answer)
        reply.log_create(user=self.ana, page_revision=page.latest_revision)
