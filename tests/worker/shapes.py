"""Pages of many shapes with references to them, and the conversions that are tried on them."""

from __future__ import annotations

from typing import Any

FAR = 900_001  # an id whose digits stand for nothing else

FILL = """
import datetime
from django.contrib.auth.models import User
from django.utils import timezone
from shapes.models import *
from wagtail.admin.models import EditingSession
from wagtail.contrib.forms.models import FormSubmission
from wagtail.contrib.redirects.models import Redirect
from wagtail.images.models import Image
from wagtail.models import Comment, CommentReply, Page, PageViewRestriction, Site
from press.models import Like

home = Page.objects.get(depth=2)
user = User.objects.get(username="ana")
image = Image.objects.create(title="Sail", file="sail.png", width=1, height=1)
category = Category.objects.create(name="Sea")
# A row that has the number in the articles' table which the guide's link has in its own.
other = home.add_child(instance=ArticlePage(title="Other", slug="other"))
other.links.add(ArticleLink(label="other's"))
other.save()
guide = home.add_child(instance=StandardPage(
    title="Guide", slug="guide", summary="Short", intro="<p>x</p>", image=image, code="G1",
    rating=3, note="let go", owner=user))
guide.intro = f'<p><a linktype="page" id="{guide.pk}">me</a></p>'
guide.body = [("text", f'<a linktype="page" id="{guide.pk}">me</a>'), ("see", guide)]
guide.links.add(StandardLink(label="one", to=guide), StandardLink(label="two", to=home))
guide.facts.add(StandardFact(text="salt"))
guide.categories.add(category)
guide.tags.add("sea", "sail")
guide.save()
guide.related.add(home)
guide.save_revision(user=user).publish()
below = guide.add_child(instance=StandardPage(title="Below", slug="below", code="G2"))
# Another standard page, which stays one, and refers to the one that will not.
stays = home.add_child(instance=StandardPage(title="Stays", slug="stays"))
stays.intro = f'<a linktype="page" id="{guide.pk}">guide</a>'
stays.links.add(StandardLink(label="s", to=guide))
stays.save()
stays.related.add(guide)
below.body = [("see", guide), ("text", f'<a id="{below.pk}" linktype="page">b</a>')]
below.save()
below.save_revision().publish()
guide.refresh_from_db()
guide.intro = "<p>draft</p>"
guide.links.add(StandardLink(label="draft only", to=below))
draft = guide.save_revision(user=user)
comment = Comment.objects.create(
    page=guide, user=user, text="Hm", contentpath="intro", revision_created=draft)
CommentReply.objects.create(comment=comment, user=user, text="Yes")
Comment.objects.create(page=guide, user=user, text="Hm", contentpath="summary")
PageViewRestriction.objects.create(page=below, restriction_type="login")
Redirect.objects.create(old_path="/old-guide", redirect_page=guide)
FormSubmission.objects.create(form_data={"name": "Rui"}, page=guide)
EditingSession.objects.create(user=user, content_object=guide, last_seen_at=timezone.now())
Like.objects.create(content_object=guide)
Pin.objects.create(page=guide)
Badge.objects.create(page=guide)
Site.objects.create(hostname="guide.example.org", root_page=guide)
news = home.add_child(instance=NewsPage(
    title="News", slug="news", summary="Today", agency="dpa", urgent=True, figures={"a": 1}))
news.links.add(ArticleLink(label="n", to=guide))
news.save()
news.save_revision().publish()
from django.core.management import call_command
call_command("rebuild_references_index", verbosity=0)
call_command("update_index", verbosity=0)
"""

SIBLING: dict[str, Any] = {
    "old_type": "shapes.StandardPage",
    "new_type": "shapes.ArticlePage",
    "prefix": "new_",
    "move": [],
    "fields": {"byline": {"from": "summary"}, "summary": "drop", "rating": {"value": 9}},
}
TO_CHILD: dict[str, Any] = {
    "old_type": "shapes.ArticlePage",
    "new_type": "shapes.NewsPage",
    "prefix": "new_",
    "move": [],
    "fields": {},
}
TO_PARENT: dict[str, Any] = {
    **TO_CHILD,
    "old_type": "shapes.NewsPage",
    "new_type": "shapes.ArticlePage",
}
