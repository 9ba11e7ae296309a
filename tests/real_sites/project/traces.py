"""What editors leave around a page on any Wagtail site: put there for the fill scripts."""

from datetime import timedelta

from django.apps import apps
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.utils import timezone
from wagtail import models as wagtail


def editors():
    """A superuser `admin`, whom the site is driven as, and an editor."""
    users = get_user_model()._default_manager
    admin = users.create_superuser(username="admin", email="admin@example.com", password="admin")
    editor = users.create_user(username="editor", email="editor@example.com", password="editor")
    editor.groups.add(Group.objects.get(name="Editors"))
    return admin, editor


def drafts(page, user, **values):
    """Two more drafts of a page: an old one, and a newer one with these values."""
    page = page.specific_class._base_manager.get(pk=page.pk)
    page.save_revision(user=user, log_action=True)
    for name, value in values.items():
        setattr(page, name, value)
    page.save_revision(user=user, log_action=True)


def around(page, user, *, field="title"):
    """Everything of Wagtail's own that can hold on to a page, once each and more than once."""
    page = wagtail.Page.objects.get(pk=page.pk)
    revision = page.latest_revision
    comment = wagtail.Comment.objects.create(
        page=page, user=user, text="Is that so?", contentpath=field, revision_created=revision
    )
    wagtail.CommentReply.objects.create(comment=comment, user=user, text="It is.")
    wagtail.PageSubscription.objects.create(page=page, user=user, comment_notifications=True)
    moderators = Group.objects.get(name="Moderators")
    given = {"group": moderators, "page": page}
    if hasattr(wagtail.GroupPagePermission, "permission_type") and "permission_type" in {
        field.name for field in wagtail.GroupPagePermission._meta.fields
    }:
        wagtail.GroupPagePermission.objects.create(**given, permission_type="bulk_delete")
    else:
        from django.contrib.auth.models import Permission

        permission = Permission.objects.get(
            content_type__app_label="wagtailcore", codename="bulk_delete_page"
        )
        wagtail.GroupPagePermission.objects.create(**given, permission=permission)
    workflow = wagtail.Workflow.objects.create(name=f"Workflow of {page.pk}", active=True)
    task = wagtail.GroupApprovalTask.objects.create(name=f"Task of {page.pk}", active=True)
    task.groups.add(moderators)
    wagtail.WorkflowTask.objects.create(workflow=workflow, task=task, sort_order=0)
    wagtail.WorkflowPage.objects.create(page=page, workflow=workflow)
    state = workflow.start(page.specific, user)
    state.cancel(user=user)
    if apps.is_installed("wagtail.contrib.redirects"):
        apps.get_model("wagtailredirects.Redirect").objects.create(
            old_path=f"/old/{page.pk}", redirect_page=page
        )
    if apps.is_installed("wagtail.contrib.search_promotions"):
        query = apps.get_model("wagtailsearchpromotions.Query").objects.create(
            query_string=f"find {page.pk}"
        )
        apps.get_model("wagtailsearchpromotions.SearchPromotion").objects.create(
            query=query, page=page
        )


def private(page):
    """Only for those who are logged in."""
    wagtail.PageViewRestriction.objects.create(
        page=page, restriction_type=wagtail.PageViewRestriction.LOGIN
    )


def scheduled(page, user):
    """A draft that goes live next year."""
    page = page.specific_class._base_manager.get(pk=page.pk)
    page.go_live_at = timezone.now() + timedelta(days=365)
    page.save_revision(user=user, approved_go_live_at=page.go_live_at)


def alias(page, user, slug):
    """A page that mirrors another one."""
    return page.specific.create_alias(update_slug=slug, user=user)
