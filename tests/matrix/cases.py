"""What is converted into what, and what of the project refers to pages: written down by hand."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Direction:
    """A conversion in the tree below `/<tree>/`: its top, and the nested page of its type.

    The top's alias is taken along, and its translation is named: wagtail-localize's editor ends
    in an IndexError (views/edit_translation.py) for a page whose source is of another type.
    """

    name: str
    old_type: str
    new_type: str
    tree: str
    move: tuple[str, ...] = ()
    fields: dict[str, Any] = field(default_factory=dict)
    losses: tuple[str, ...] = ()  # fields whose values are let go
    renamed: dict[str, str] = field(default_factory=dict)  # in revisions and content paths

    @property
    def selectors(self) -> list[dict[str, Any]]:
        return [
            {"path": f"/{self.tree}/"},
            {"slug": f"{self.tree}-b"},
            {"where": {"slug": self.tree, "locale__language_code": "de"}},
        ]

    @property
    def places(self) -> list[str]:
        """Where in the tree the pages are, the alias too."""
        home, tree = "/home/", self.tree
        own = [f"{home}{tree}/", f"{home}{tree}/{tree}-b/", f"{home}{tree}-alias/"]
        return sorted([*own, f"/home-de/{tree}/"])

    @property
    def let_go(self) -> set[str]:
        """Names of the old type's fields whose values are let go."""
        return {name.rpartition(".")[2] for name in self.losses}


DIRECTIONS = (
    Direction(
        "child",
        "every.StandardPage",
        "every.FeaturePage",
        "show",
        move=("kicker",),
        fields={"strapline": {"value": "Converted"}, "length": {"call": "every.conversion.length"}},
    ),
    Direction(
        "sibling",
        "every.StandardPage",
        "every.ArticlePage",
        "plain",
        fields={
            "summary": {"from": "intro"},
            "reading_minutes": {"from": "minutes"},
            "layout": {"value": "wide"},
            "teaser": {"call": "every.conversion.teaser"},
            "kicker": "drop",
        },
        losses=("every.StandardPage.kicker",),
        renamed={"intro": "summary", "minutes": "reading_minutes"},
    ),
    Direction(
        "parent",
        "every.FeaturePage",
        "every.StandardPage",
        "feature",
        losses=(
            "every.FeaturePage.length",
            "every.FeaturePage.new_kicker",
            "every.FeaturePage.notes",
            "every.FeaturePage.strapline",
        ),
    ),
)

# Columns that hold a page's id, by table.
KEYS: dict[str, tuple[str, ...]] = {
    "wagtailcore_comment": ("page_id",),
    "wagtailcore_grouppagepermission": ("page_id",),
    "wagtailcore_page": ("alias_of_id",),
    "wagtailcore_pagelogentry": ("page_id",),
    "wagtailcore_pagesubscription": ("page_id",),
    "wagtailcore_pageviewrestriction": ("page_id",),
    "wagtailcore_site": ("root_page_id",),
    "wagtailcore_workflowpage": ("page_id",),
    "wagtailforms_formsubmission": ("page_id",),
    "wagtailredirects_redirect": ("redirect_page_id",),
    "wagtailsearchpromotions_searchpromotion": ("page_id",),
    "every_answer": ("page_id",),
    "every_articlepage": ("see_id",),
    "every_articlelink": ("owner_id", "page_id"),
    "every_articletag": ("content_object_id",),
    "every_articlepage_categories": ("articlepage_id",),
    "every_everywhere": ("landing_id",),
    "every_featurenote": ("owner_id",),
    "every_look": ("landing_id",),
    "every_pagecascade": ("page_id",),
    "every_pagedonothing": ("page_id",),
    "every_pagekeyed": ("page_id",),
    "every_pagemany_pages": ("page_id",),
    "every_pageprotect": ("page_id",),
    "every_pagerestrict": ("page_id",),
    "every_pagesetdefault": ("page_id",),
    "every_pagesetnull": ("page_id",),
    "every_pageunique": ("page_id",),
    "every_standardcascade": ("page_id",),
    "every_standarddonothing": ("page_id",),
    "every_standardlink": ("owner_id", "page_id"),
    "every_standardmany_pages": ("standardpage_id",),
    "every_standardpage": ("see_id",),
    "every_standardpage_categories": ("standardpage_id",),
    "every_standardprotect": ("page_id",),
    "every_standardsetnull": ("page_id",),
    "every_standardtag": ("content_object_id",),
    "every_standardunique": ("page_id",),
}

# Columns of a content type, and the column of the object's id, by table.
GENERIC: dict[str, tuple[tuple[str, ...], str]] = {
    "every_like": (("content_type_id",), "object_id"),
    "every_mark": (("content_type_id",), "object_id"),
    "every_remark": (("content_type_id",), "object_pk"),
    "taggit_taggeditem": (("content_type_id",), "object_id"),
    "wagtailcore_revision": (("content_type_id", "base_content_type_id"), "object_id"),
    "wagtailcore_workflowstate": (("content_type_id", "base_content_type_id"), "object_id"),
}

# Columns with links inside of their values.
RICH: dict[str, tuple[str, ...]] = {
    "every_articlepage": ("body",),
    "every_everywhere": ("motto",),
    "every_look": ("motto",),
    "every_standardpage": ("body",),
    "every_teaser": ("text",),
}
STREAMS: dict[str, tuple[str, ...]] = {
    "every_articlepage": ("content", "text"),
    "every_standardpage": ("content", "text"),
    "every_teaser": ("content",),
}

# An editor's open windows, which a conversion lets go.
PASSING = ("wagtailadmin_editingsession", "wagtailadmin_formstate")
# What Wagtail makes of the rest, and can make again.
INDEXES = (
    "wagtailcore_referenceindex",
    "wagtailsearch_indexentry",
    "modelsearch_indexentry",
)
# What only drives the site, or counts.
PASSED_OVER = ("django_migrations", "django_session")

# Beside the columns above: what else must be right, by table and column.
OTHERS = (
    "wagtailcore_comment.contentpath",
    "wagtailcore_page",
    "wagtailcore_page.content_type_id",
    "wagtailcore_page.latest_revision_id",
    "wagtailcore_page.live_revision_id",
    "wagtailcore_page.locked",
    "wagtailcore_page.path",
    "wagtailcore_page.slug",
    "wagtailcore_page.translation_key",
    "wagtailcore_page.url_path",
    "wagtailcore_pagelogentry.content_type_id",
    "wagtailcore_pageviewrestriction_groups",
    "wagtailcore_revision.approved_go_live_at",
    "wagtailcore_revision.content",
    "wagtailcore_revision.content_type_id",
    "wagtailcore_commentreply",
    "wagtailcore_taskstate",
    "wagtailcore_workflowstate.content_type_id",
    "every_articlepage",
    "every_featurepage",
    "every_like.content_type_id",
    "every_mark.content_type_id",
    "every_remark.content_type_id",
    "every_standardpage",
    "every_standardpage.raw",
    "every_standardpage.note",
    "every_teaser.raw",
    "every_teaser.note",
    "taggit_taggeditem.content_type_id",
    "wagtail_localize_overridablesegment.data_json",
    "wagtail_localize_stringsegment",
    "wagtail_localize_stringsegment.attrs",
    "wagtail_localize_translationcontext.path",
    "wagtail_localize_translationsource",
    "wagtail_localize_translationsource.content_json",
    "wagtail_localize_translationsource.specific_content_type_id",
    "wagtailadmin_formstate.parent_object_id",
    *PASSING,
)

ACCOUNTS = sorted(
    {
        *(f"{table}.{column}" for table, columns in KEYS.items() for column in columns),
        *(f"{table}.{column}" for table, (_, column) in GENERIC.items()),
        *(f"{table}.{column}" for table, columns in RICH.items() for column in columns),
        *(f"{table}.{column}" for table, columns in STREAMS.items() for column in columns),
        *OTHERS,
    }
)
