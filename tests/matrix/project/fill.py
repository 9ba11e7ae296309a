"""Fill the site: three trees that are referred to in every way there is, and one that refers.

Works with every Wagtail from 4.2: what an older one does not have is left out.
"""

import datetime
import importlib
import json
import os
import uuid

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()

from django.contrib.auth import get_user_model  # noqa: E402
from django.contrib.auth.models import Group, Permission  # noqa: E402
from django.contrib.contenttypes.models import ContentType  # noqa: E402
from django.utils import timezone  # noqa: E402
from every import models as every  # noqa: E402
from taggit.models import Tag, TaggedItem  # noqa: E402
from wagtail.contrib.forms.models import FormSubmission  # noqa: E402
from wagtail.contrib.redirects.models import Redirect  # noqa: E402
from wagtail.log_actions import log  # noqa: E402
from wagtail.models import (  # noqa: E402
    Comment,
    CommentReply,
    GroupApprovalTask,
    GroupPagePermission,
    Locale,
    Page,
    PageSubscription,
    PageViewRestriction,
    Site,
    Workflow,
    WorkflowPage,
    WorkflowTask,
)

NOW = timezone.now()


def attribute(module, name):
    """`module.name`, or None where this Wagtail does not have it."""
    try:
        return getattr(importlib.import_module(module), name, None)
    except ImportError:
        return None


Query = attribute("wagtail.contrib.search_promotions.models", "Query") or attribute(
    "wagtail.search.models", "Query"
)
SearchPromotion = attribute("wagtail.contrib.search_promotions.models", "SearchPromotion")
EditingSession = attribute("wagtail.admin.models", "EditingSession")
FormState = attribute("wagtail.admin.models", "FormState")


def link(page, text="a link"):
    return f'<a linktype="page" id="{page.pk}">{text}</a>'


def back(page):
    """The attributes the other way round, as older editors wrote them."""
    return f'<a id="{page.pk}" linktype="page">back</a>'


def stream(page, other):
    """A stream's value with the page at every depth, and with its id where it is only a number."""
    number = iter(range(100))

    def block(kind, value):
        return {
            "type": kind,
            "value": value,
            "id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{page.pk}-{next(number)}")),
        }

    card = {"title": "Card", "page": page.pk, "text": f"<p>{link(page)}</p>"}
    return [
        block("text", f"<p>{link(page)} {back(page)} {link(other)}</p>"),
        block("number", page.pk),
        block("page", page.pk),
        block("page", other.pk),
        block("card", card),
        block("card", {"title": "None", "page": None, "text": ""}),
        block("pages", [block("item", page.pk), block("item", other.pk)]),
        block("inner", [block("page", page.pk), block("card", card)]),
        block("deep", [block("item", {"rows": [block("page", page.pk)]})]),
        block(
            "table",
            {
                "columns": [
                    {"type": "page", "heading": "Page"},
                    {"type": "text", "heading": "Text"},
                    {"type": "number", "heading": "Number"},
                ],
                "rows": [
                    {"values": [page.pk, f"<p>{link(page)}</p>", page.pk]},
                    {"values": [other.pk, f"<p>{link(other)}</p>", 1]},
                ],
                "caption": "",
            },
        ),
    ]


def write(page, about):
    """Give the page values of which most are links to `about`."""
    page.intro = f"About {about.title} in so many words"
    page.kicker = page.new_kicker = f"{page.title} kicker"
    page.body = f"<p>{link(about)} and {back(about)} and {link(home)}</p>"
    page.content = json.dumps(stream(about, home))
    page.text = json.dumps(stream(about, home)[:4])
    page.hero = picture
    page.see = about
    page.minutes = 12
    page.raw = {"page": about.pk, "list": [about.pk, "x"]}
    page.note = f"see page {about.pk}, {link(about)}"
    page.owner = editor
    page.seo_title = "Seo"
    page.search_description = "Described"
    page.tags.set(["sea", "harbour"])
    page.categories.set(categories)
    page.links.set(
        [
            every.StandardLink(page=about, title="about", sort_order=0),
            every.StandardLink(page=home, title="home", sort_order=1),
        ]
    )


def publish(page, day):
    revision = page.save_revision(user=editor)
    revision.publish(user=editor)
    at = NOW - datetime.timedelta(days=day)
    type(revision).objects.filter(pk=revision.pk).update(created_at=at)


def tree(parent, model, slug, **values):
    """A page with two children, of which one is of its own type and has a child too."""
    page = parent.add_child(instance=model(title=slug.title(), slug=slug, **values))
    write(page, page)
    page.save()
    publish(page, 3)
    for name, kind in (("a", every.StandardPage), ("b", model), ("c", every.StandardPage)):
        child = page.add_child(instance=kind(title=f"{slug.title()} {name}", slug=f"{slug}-{name}"))
        write(child, page)
        child.save()
        publish(child, 2)
        if name == "b":
            child.code = uuid.uuid5(uuid.NAMESPACE_URL, child.slug)  # an alias could not have it
            child.save()
            leaf = child.add_child(instance=every.StandardPage(title="Leaf", slug=f"{slug}-leaf"))
            write(leaf, child)
            leaf.save()
    page = type(page).objects.get(pk=page.pk)
    page.intro = "The second edition has an introduction"
    publish(page, 1)
    return type(page).objects.get(pk=page.pk)


def refer(page):
    """Everything of Wagtail's and the project's that can refer to any page."""
    other = Page.objects.get(slug="other")
    group = Group.objects.create(name=f"{page.slug} editors")
    change = (
        Permission.objects.get(content_type__app_label="wagtailcore", codename="change_page")
        if hasattr(GroupPagePermission, "permission")
        else None
    )
    GroupPagePermission.objects.create(
        group=group,
        page=page,
        **({"permission": change} if change else {"permission_type": "edit"}),
    )
    PageViewRestriction.objects.create(page=page, restriction_type="groups").groups.add(group)
    PageSubscription.objects.create(page=page, user=editor, comment_notifications=True)
    site = Site.objects.create(hostname=f"{page.slug}.example.org", root_page=page)
    every.Look.objects.create(site=site, landing=page, motto=f"<p>{link(page)}</p>")
    Redirect.objects.create(old_path=f"/old-{page.slug}", redirect_page=page)
    Redirect.objects.create(old_path=f"/on-{page.slug}", redirect_page=page, site=site)
    FormSubmission.objects.create(form_data={"name": "Rui"}, page=page)
    every.Answer.objects.create(form_data={"page": page.pk}, page=page, member=editor)
    SearchPromotion.objects.create(query=Query.get(page.slug), page=page, sort_order=0)
    every.PageCascade.objects.create(page=page)
    every.PageSetNull.objects.create(page=page)
    every.PageSetDefault.objects.create(page=page)
    every.PageProtect.objects.create(page=page)
    every.PageRestrict.objects.create(page=page)
    every.PageDoNothing.objects.create(page=page)
    every.PageUnique.objects.create(page=page)
    every.PageKeyed.objects.create(page=page)
    every.PageMany.objects.create().pages.add(page.pk, other.pk)
    every.Like.objects.create(content_object=page)
    every.Mark.objects.create(content_object=page)
    every.Remark.objects.create(
        content_type=ContentType.objects.get_for_model(page), object_pk=str(page.pk), comment="Ah"
    )
    # As one does who asks for the type of `Page`: under the base type's.
    every.Remark.objects.create(
        content_type=ContentType.objects.get_for_model(Page), object_pk=str(page.pk), comment="Oh"
    )
    TaggedItem.objects.create(
        tag=Tag.objects.get(name="sea"),
        content_type=ContentType.objects.get_for_model(page),
        object_id=page.pk,
    )
    every.Teaser.objects.create(
        text=f"<p>{link(page)} {back(page)}</p>",
        content=json.dumps(stream(page, other)),
        raw={"page": page.pk},
        note=f"by hand: {link(page)} of /pages/{page.pk}/",
    )
    log(instance=page, action="wagtail.edit", user=editor)
    alias = page.create_alias(parent=home, update_slug=f"{page.slug}-alias")
    # On another page than the first: which of a page's two is asked for first, nobody says.
    PageViewRestriction.objects.create(
        page=alias, restriction_type="password", password="open sesame"
    )
    page.copy_for_translation(german, copy_parents=True)
    history(page)


def history(page):
    """Drafts, one of them scheduled, comments on them, a workflow, and editors at work."""
    page = type(page).objects.get(pk=page.pk)
    page.intro = "Next month's introduction"
    page.go_live_at = NOW + datetime.timedelta(days=30)
    scheduled = page.save_revision(user=editor)
    scheduled.publish(user=editor)
    page = type(page).objects.get(pk=page.pk)
    page.go_live_at = None
    page.intro = "An introduction to come"
    page.minutes = 34
    page.note = f"draft of page {page.pk}"
    page.links.add(every.StandardLink(page=page, title="unpublished", sort_order=2))
    draft = page.save_revision(user=editor)
    block = json.loads(draft.content["content"])[0]["id"]
    link_id = page.links.first().pk
    for path in ("intro", f"content.{block}", f"links.{link_id}.title", "minutes", "kicker"):
        comment = Comment.objects.create(
            page=page, user=editor, text=path, contentpath=path, revision_created=draft
        )
        CommentReply.objects.create(comment=comment, user=editor, text="Yes")
    workflow = Workflow.objects.create(name=f"{page.slug} workflow")
    task = GroupApprovalTask.objects.create(name=f"{page.slug} task")
    task.groups.add(Group.objects.get(name="Moderators"))
    WorkflowTask.objects.create(workflow=workflow, task=task, sort_order=0)
    WorkflowPage.objects.create(workflow=workflow, page=page)
    workflow.start(page, editor)
    kind = ContentType.objects.get_for_model(page)
    if EditingSession:
        EditingSession.objects.create(user=editor, content_object=page, last_seen_at=NOW)
    if FormState:
        FormState.objects.create(
            user=editor, content_type=kind, object_id=str(page.pk), last_updated_at=NOW, data="a=b"
        )
        FormState.objects.create(
            user=editor,
            content_type=kind,
            object_id="",
            parent_object_id=str(page.pk),
            last_updated_at=NOW,
            data="c=d",
        )
    translate = attribute("wagtail_localize.models", "TranslationSource")
    if translate:
        source, _ = translate.update_or_create_from_instance(page)
        translation = attribute("wagtail_localize.models", "Translation")
        translation.objects.get_or_create(source=source, target_locale=german)


def refer_as_standard(page):
    """What refers to the type of the page, not to pages in general."""
    page = every.StandardPage.objects.get(pk=page.pk)
    every.StandardCascade.objects.create(page=page)
    every.StandardSetNull.objects.create(page=page)
    every.StandardProtect.objects.create(page=page)
    every.StandardDoNothing.objects.create(page=page)
    every.StandardUnique.objects.create(page=page)
    every.StandardMany.objects.create().pages.add(page)


home = Page.objects.get(depth=2)
german = Locale.objects.get_or_create(language_code="de")[0]
editor = get_user_model().objects.create_superuser("ana", "ana@example.org", "x")
picture = every.Picture.objects.create(title="Mast", file="mast.png", width=1, height=1)
categories = [every.Category.objects.create(name=name) for name in ("Sea", "Land")]
german_home = home.copy_for_translation(german)
german_home.save_revision().publish()

show = tree(home, every.StandardPage, "show")
plain = tree(home, every.StandardPage, "plain")
feature = tree(home, every.FeaturePage, "feature", strapline="Under the line", length="long")
feature.notes.add(every.FeatureNote(text="a note"))
feature.save()

other = home.add_child(instance=every.StandardPage(title="Other", slug="other"))
write(other, show)
for about in (plain, feature, show):
    write(other, about)
    other.save()
    publish(other, 4)
every.Everywhere.objects.create(landing=show, motto=f"<p>{link(show)}</p>")

for page in (show, plain, feature):
    refer(page)
for page in (show, feature):
    refer_as_standard(page)
# What stands in the way, and is tested apart.
blocked = home.add_child(instance=every.FeaturePage(title="Blocked", slug="blocked"))
every.FeatureProtect.objects.create(page=blocked)
Page.objects.filter(slug__endswith="-b").update(locked=True, locked_by=editor, locked_at=NOW)
