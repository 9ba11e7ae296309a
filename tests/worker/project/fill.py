"""Fill the site: three blogs, of which one is referred to in every way there is."""

import datetime
import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()

from django.contrib.auth.models import Group, Permission, User  # noqa: E402
from django.utils import timezone  # noqa: E402
from press.models import Award, Banner, Blog, BlogLink, Entry, Like, Playlist  # noqa: E402
from wagtail.admin.models import EditingSession  # noqa: E402
from wagtail.contrib.forms.models import FormSubmission  # noqa: E402
from wagtail.contrib.redirects.models import Redirect  # noqa: E402
from wagtail.contrib.search_promotions.models import Query, SearchPromotion  # noqa: E402
from wagtail.images.models import Image  # noqa: E402
from wagtail.models import (  # noqa: E402
    Comment,
    CommentReply,
    GroupPagePermission,
    Page,
    PageSubscription,
    PageViewRestriction,
    Site,
    Workflow,
    WorkflowPage,
)

home = Page.objects.get(depth=2)
user = User.objects.create_superuser("ana", "ana@example.org", "x")
image = Image.objects.create(title="Mast", file="mast.png", width=1, height=1)

blogs = [
    home.add_child(instance=Blog(title=title, slug=slug, owner=user))
    for title, slug in [("Notes", "notes"), ("The Show", "show"), ("Diary", "diary")]
]
show = blogs[1]
show.artwork = image
show.keywords = "sea, harbour"
show.explicit = 2
show.description = f'<p>See <a linktype="page" id="{show.pk}">us</a></p>'
show.tags.add("sound", "sea")
show.links.add(BlogLink(page=blogs[0]), BlogLink(page=show))
show.save()
show.save_revision(user=user).publish()

for blog in blogs:
    for number in range(4):
        entry = blog.add_child(
            instance=Entry(
                title=f"{blog.title} {number}",
                slug=f"entry-{number}",
                home=show,
                body=[
                    ("text", f'<p><a id="{show.pk}" linktype="page">the show</a></p>'),
                    ("see", [{"page": show}, {"page": blogs[0]}]),
                    ("number", show.pk),
                ],
            )
        )
        entry.save_revision().publish()

show.refresh_from_db()
show.keywords = "sea, harbour, draft"
draft = show.save_revision(user=user, approved_go_live_at=timezone.now() + datetime.timedelta(9))
comment = Comment.objects.create(
    page=show, user=user, text="Hm", contentpath="keywords", revision_created=draft
)
CommentReply.objects.create(comment=comment, user=user, text="Yes")
PageSubscription.objects.create(page=show, user=user, comment_notifications=True)
group = Group.objects.create(name="Show editors")
GroupPagePermission.objects.create(
    group=group, page=show, permission=Permission.objects.get(codename="change_page")
)
PageViewRestriction.objects.create(page=show, restriction_type="login")
workflow = Workflow.objects.first()
WorkflowPage.objects.create(workflow=workflow, page=show)
workflow.start(Blog.objects.get(pk=show.pk), user)
Redirect.objects.create(old_path="/old-show", redirect_page=show)
FormSubmission.objects.create(form_data={"name": "Rui"}, page=show)
SearchPromotion.objects.create(query=Query.get("show"), page=show, sort_order=0)
EditingSession.objects.create(user=user, content_object=show, last_seen_at=timezone.now())
Award.objects.create(page=show)
Banner.objects.create(
    blog=show,
    text=f'<a linktype="page" id="{show.pk}">listen</a>',
    note=f'<a linktype="page" id="{show.pk}">by hand</a>',
)
Playlist.objects.create().blogs.add(show, blogs[2])
Like.objects.create(content_object=show)
Site.objects.create(hostname="show.example.org", root_page=show)
