"""Django and Wagtail accept a file in which everything speaks of the moved fields, at each stage.

What each class can do is asked of Wagtail and Django themselves, in a process of its own.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from wizard.project.source import derived_class, final_models, insert_class

MODELS = '''\
from django.db import models
from modelcluster.fields import ParentalManyToManyField
from wagtail.admin.panels import FieldPanel, MultiFieldPanel, ObjectList, TabbedInterface
from wagtail.api import APIField
from wagtail.models import Page
from wagtail.search import index

SHARED = [FieldPanel("keywords"), FieldPanel("email")]


class Listed(models.Model):
    """A base whose list names a field of the class below."""

    promote_panels = [*Page.promote_panels, FieldPanel("explicit")]

    class Meta:
        abstract = True


class Blog(Listed, Page):
    is_creatable = False
    LIMIT = 3
    email = models.EmailField(blank=True)
    keywords = models.CharField(max_length=255, blank=True)
    explicit = models.PositiveSmallIntegerField(default=1)
    price = models.IntegerField(default=2)
    total = models.GeneratedField(
        expression=models.Case(
            models.When(price__gt=1, then=models.F("price") * 2), default=models.Value(0)
        ),
        output_field=models.IntegerField(),
        db_persist=True,
    )
    related = models.ForeignKey("self", null=True, blank=True, on_delete=models.SET_NULL)
    twin = models.OneToOneField(
        "self", null=True, blank=True, on_delete=models.SET_NULL, related_name="twin_of"
    )
    cats = ParentalManyToManyField("self", symmetrical=False, blank=True, related_name="of")
    cover = models.ForeignKey(
        "wagtailimages.Image", null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    # not for the reference index
    cover.wagtail_reference_index_ignore = True

    content_panels = Page.content_panels + SHARED
    money = [FieldPanel("price")]
    edit_handler = TabbedInterface(
        [
            ObjectList(content_panels, heading="Content"),
            ObjectList([MultiFieldPanel(money), FieldPanel("related")], heading="Money"),
            ObjectList(Listed.promote_panels, heading="Promote"),
        ]
    )

    class Meta:
        ordering = ["-explicit"]
        unique_together = [("keywords", "explicit"), ("email",)]
        constraints = [
            models.CheckConstraint(condition=models.Q(explicit__lte=3), name="blog_explicit_max"),
            models.CheckConstraint(condition=~models.Q(email="no"), name="blog_email"),
        ]
        indexes = [
            models.Index(fields=["keywords", "-price"], name="site_blog_keywor_a1b2c3_idx"),
        ]


Blog.api_fields = [APIField("email"), APIField("keywords")]
Blog.api_fields += [APIField("explicit")]
Blog.search_fields = Page.search_fields + [index.SearchField("email")]
Blog.search_fields.append(index.SearchField("keywords"))


class Magazine(Blog):
    issue = models.IntegerField(default=1)
    api_fields = [APIField("issue"), APIField("keywords")]
    search_fields = Page.search_fields + [index.SearchField("keywords")]


class Post(Page):
    keywords = models.CharField(max_length=255, blank=True)
    home = models.ForeignKey(Blog, null=True, on_delete=models.SET_NULL, related_name="posts")
    content_panels = Page.content_panels + [FieldPanel("keywords")]
'''
FIELDS = ["keywords", "explicit", "price", "total", "related", "twin", "cats", "cover"]

ASK = """
import json
import django
from django.conf import settings
settings.configure(
    INSTALLED_APPS=[
        "kinds", "wagtail.images", "wagtail.search", "wagtail.documents", "wagtail.users",
        "wagtail.admin", "wagtail", "taggit", "django.contrib.auth", "django.contrib.contenttypes",
    ],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    DEFAULT_AUTO_FIELD="django.db.models.AutoField", USE_TZ=True, SECRET_KEY="x",
    STATIC_URL="/static/", WAGTAILADMIN_BASE_URL="http://localhost",
)
django.setup()
from django.core.checks import WARNING, run_checks
from django.db import connection
from kinds import models
faults = [str(m) for m in run_checks(app_configs=[django.apps.apps.get_app_config("kinds")])
          if m.level >= WARNING]
assert not faults, faults
answer = {}
for name in ("Blog", "Podcast", "Magazine", "Post"):
    model = getattr(models, name, None)
    if model is None:
        continue
    form = model.get_edit_handler().get_form_class()
    own = {f.name for f in [*model._meta.local_fields, *model._meta.local_many_to_many]}
    inherited = {f.name for f in models.Page._meta.get_fields()} | {"comment_notifications"}
    answer[name] = {
        "own": sorted(own),
        "form": [f for f in form.base_fields if f not in inherited],
        "tabs": [str(c.heading) for c in model.get_edit_handler().children],
        "search": [f.field_name for f in model.search_fields if f.field_name not in inherited],
        "api": [f.name for f in getattr(model, "api_fields", [])],
        "names": sorted(c.name for c in [*model._meta.constraints, *model._meta.indexes]),
        "together": [list(one) for one in model._meta.unique_together],
        "ordering": list(model._meta.ordering),
        "creatable": model.is_creatable,
        "template": model.template,
        "quiet": [f.name for f in model._meta.local_fields
                  if getattr(f, "wagtail_reference_index_ignore", False)],
        "to": {f.name: f.related_model.__name__ for f in
               [*model._meta.local_fields, *model._meta.local_many_to_many] if f.related_model},
        "back": sorted(r.get_accessor_name() for r in model._meta.related_objects
                       if r.related_model.__name__ in ("Blog", "Podcast")
                       and r.field.name != "blog_ptr"),
    }
with connection.schema_editor(atomic=False) as editor:
    connection.disable_constraint_checking()
    editor.deferred_sql.clear()
    for model in (models.Blog, *([models.Podcast] if hasattr(models, "Podcast") else [])):
        editor.create_model(model)
print(json.dumps(answer))
"""


def ask(models: str, folder: Path) -> dict[str, Any]:
    package = folder / "kinds"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "models.py").write_text(models)
    done = subprocess.run(
        [sys.executable, "-c", ASK],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def structured() -> str:
    text = derived_class(
        MODELS, old_class="Blog", new_class="Podcast", fields=FIELDS, prefix="new_"
    )
    return insert_class(MODELS, after="Blog", text=text)


@pytest.mark.parametrize("stage", ["before", "added", "final"])
def test_each_type_has_what_it_should_at_every_stage(stage: str, tmp_path: Path) -> None:
    models = MODELS if stage == "before" else structured()
    if stage == "final":
        models = final_models(
            models, old_class="Blog", new_class="Podcast", fields=FIELDS, prefix="new_"
        )
    seen = ask(models, tmp_path)
    blog, magazine = seen["Blog"], seen["Magazine"]
    full: dict[str, Any] = {
        "own": sorted([*FIELDS, "email", "page_ptr"]),
        "form": ["keywords", "email", "price", "related", "explicit"],
        "tabs": ["Content", "Money", "Promote"],
        "search": ["email", "keywords"],
        "api": ["email", "keywords", "explicit"],
        "names": ["blog_email", "blog_explicit_max", "site_blog_keywor_a1b2c3_idx"],
        "together": [["keywords", "explicit"], ["email"]],
        "ordering": ["-explicit"],
        "creatable": False,
        "template": "kinds/blog.html",
        "quiet": ["cover"],
        "to": {
            "page_ptr": "Page",
            "related": "Blog",
            "twin": "Blog",
            "cats": "Blog",
            "cover": "Image",
        },
        "back": ["blog_set", "of", "twin_of"],
    }
    if stage != "final":
        back = full["back"] + (
            ["new_blog_set", "new_of", "new_twin_of"] if stage == "added" else []
        )
        assert blog == {**full, "back": sorted(back)}
        assert magazine["api"] == ["issue", "keywords"] and magazine["search"] == ["keywords"]
    else:
        assert blog == {
            "own": ["email", "page_ptr"],
            "form": ["email"],
            "tabs": full["tabs"],  # Wagtail doesn't show one that is empty
            "search": ["email"],
            "api": ["email"],
            "names": ["blog_email"],
            "together": [["email"]],
            "ordering": [],
            "creatable": False,
            "template": "kinds/blog.html",
            "quiet": [],
            "to": {"page_ptr": "Page"},
            "back": full["back"],
        }
        assert magazine["api"] == ["issue"] and magazine["search"] == []
    assert seen["Post"]["form"] == ["keywords"]
    if stage == "before":
        return
    new = "new_" if stage == "added" else ""
    podcast = seen["Podcast"]
    assert podcast["own"] == sorted(["blog_ptr", *(new + field for field in FIELDS)])
    assert podcast["form"] == (
        ["email", "keywords", "price", "related", "explicit"]
        if stage == "final"
        # The lists of before are in it, with what is new behind.
        else [
            *("keywords", "email", "new_keywords", "price", "new_price", "new_related"),
            *("explicit", "new_explicit"),
        ]
    )
    assert podcast["tabs"] == full["tabs"]
    assert podcast["quiet"] == [f"{new}cover"]
    assert podcast["ordering"] == [f"-{new}explicit"]
    assert podcast["together"] == [[f"{new}keywords", f"{new}explicit"]]
    assert podcast["creatable"] is False and podcast["template"] == "kinds/blog.html"
    assert podcast["to"] == {
        "blog_ptr": "Blog",
        f"{new}related": "Blog",
        f"{new}twin": "Blog",
        f"{new}cats": "Blog",
        f"{new}cover": "Image",
    }
    if stage == "added":
        assert podcast["names"] == ["new_blog_explicit_max", "new_ite_blog_keywor_a1b2c3_idx"]
    else:
        assert podcast["names"] == ["blog_explicit_max", "site_blog_keywor_a1b2c3_idx"]
        assert podcast["api"] == ["email", "keywords", "explicit"]
        assert podcast["search"] == ["email", "keywords"]
