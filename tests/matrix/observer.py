"""The whole database as it should be after a conversion, worked out without the product's help.

Every row of every table is read before and after. What it should be afterwards is computed from
what it was, by the rules of `cases.py` and by hand; what differs is told by table and column.
"""

from __future__ import annotations

import copy
import json
import re
import uuid
from collections.abc import Iterable, Mapping
from typing import Any

from tests.matrix.cases import (
    GENERIC,
    KEYS,
    PASSED_OVER,
    PASSING,
    RICH,
    STREAMS,
    Direction,
)
from wizard.postgres.address import Address, connect

Row = dict[str, Any]
Tables = dict[str, list[Row]]
PAGE = "wagtailcore_page"
LEVELS = {
    "every.StandardPage": {"every_standardpage": "page_ptr_id"},
    "every.ArticlePage": {"every_articlepage": "base_id"},
    "every.FeaturePage": {"every_standardpage": "page_ptr_id", "every_featurepage": "standard_id"},
}
CHAINS = {
    "every.StandardPage": ("every.StandardPage", "wagtailcore.Page"),
    "every.ArticlePage": ("every.ArticlePage", "wagtailcore.Page"),
    "every.FeaturePage": ("every.FeaturePage", "every.StandardPage", "wagtailcore.Page"),
}
# Rows that belong to a page and move to another table with it: old to new, with the link's column.
MOVED = {
    "every_standardlink": ("every_articlelink", "owner_id", "owner_id"),
    "every_standardtag": ("every_articletag", "content_object_id", "content_object_id"),
    "every_standardpage_categories": (
        "every_articlepage_categories",
        "standardpage_id",
        "articlepage_id",
    ),
}
PATHS = uuid.UUID("fcab004a-2b50-11ea-978f-2e728ce88125")  # wagtail_localize/models.py
ANCHOR = re.compile(r"<a\b[^>]*>")
LINK_ID = re.compile(r'(\bid=")(\d+)(")')


async def snapshot(address: Address) -> Tables:
    """Every row of every table, its columns as JSON has them."""
    async with await connect(address) as connection:
        cursor = await connection.execute(
            "SELECT relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
            "WHERE relkind = 'r' AND nspname = 'public' ORDER BY 1"
        )
        names = [name for (name,) in await cursor.fetchall() if name not in PASSED_OVER]
        found = {}
        for name in names:
            cursor = await connection.execute(f'SELECT to_jsonb(t) FROM "{name}" t'.encode())
            found[name] = [row for (row,) in await cursor.fetchall()]
        return found


def content_type(tables: Tables, label: str) -> int:
    """The id of a model's content type."""
    app, model = label.lower().split(".")
    return next(
        int(row["id"])
        for row in tables["django_content_type"]
        if (row["app_label"], row["model"]) == (app, model)
    )


def referred(before: Tables, account: str, direction: Direction, pages: Iterable[int]) -> int:
    """How many rows refer to the pages by this column, `table.column`."""
    table, column = account.split(".")
    pages = set(pages)
    if table in GENERIC and column == GENERIC[table][1]:
        types = {content_type(before, label) for label in (*LEVELS, "wagtailcore.Page")}
        return sum(
            int(row[column]) in pages and any(row[kind] in types for kind in GENERIC[table][0])
            for row in before.get(table, [])
        )
    return sum(row[column] in pages for row in before.get(table, []))


class Expected:
    """What the database should be: `tables`, made from `before` by what a conversion means.

    `after` is only asked for the keys of rows that are new, which nobody can know before.
    """

    def __init__(
        self, before: Tables, after: Tables, direction: Direction, page_ids: Mapping[int, int]
    ) -> None:
        self.before = before
        self.after = after
        self.direction = direction
        self.page_ids = page_ids
        self.tables = copy.deepcopy(before)
        self.old_type = content_type(before, direction.old_type)
        self.new_type = content_type(before, direction.new_type)
        self.standard = {row["page_ptr_id"]: row for row in before["every_standardpage"]}
        self.children: dict[tuple[str, int], int] = {}  # keys of moved rows: new by old
        self._levels()
        self._moved_rows()
        self._columns()
        self._values()
        self._revisions()
        self._comments()
        self._localize()
        self._passing()

    def page(self, identifier: int | None) -> int | None:
        """The page that is there for this one."""
        return None if identifier is None else self.page_ids.get(identifier, identifier)

    def _levels(self) -> None:
        old, new = LEVELS[self.direction.old_type], LEVELS[self.direction.new_type]
        for row in self.tables[PAGE]:
            if row["id"] in self.page_ids:
                row["content_type_id"] = self.new_type
                row["id"] = self.page_ids[row["id"]]
        for table, key in old.items():
            kept = table in new
            rows = self.tables[table]
            self.tables[table] = [row for row in rows if kept or row[key] not in self.page_ids]
            for row in self.tables[table]:
                row[key] = self.page(row[key])
        for table in new:
            if table not in old:
                make = {"every_featurepage": self._feature, "every_articlepage": self._article}
                self.tables[table] += [make[table](page) for page in self.page_ids]

    def _feature(self, page: int) -> Row:
        row = self.standard[page]
        return {
            "standard_id": self.page_ids[page],
            "new_kicker": row["kicker"],
            "strapline": "Converted",
            "length": str(len(row["intro"])),
        }

    def _article(self, page: int) -> Row:
        row = self.standard[page]
        same = ("body", "content", "text", "hero_id", "see_id", "code", "raw", "note")
        return {
            "base_id": self.page_ids[page],
            **{name: row[name] for name in same},
            "summary": row["intro"],
            "reading_minutes": row["minutes"],
            "layout": "wide",
            "teaser": " ".join(row["intro"].split()[:3]),
        }

    def _moved_rows(self) -> None:
        if self.direction.name == "parent":
            notes = self.tables["every_featurenote"]
            self.tables["every_featurenote"] = [
                r for r in notes if r["owner_id"] not in self.page_ids
            ]
        if self.direction.name != "sibling":
            return
        for old, (new, old_link, new_link) in MOVED.items():
            going = [row for row in self.tables[old] if row[old_link] in self.page_ids]
            self.tables[old] = [row for row in self.tables[old] if row not in going]
            there = list(self.after[new])
            for row in going:
                made = {name: value for name, value in row.items() if name not in ("id", old_link)}
                made[new_link] = self.page_ids[row[old_link]]
                wanted = {
                    name: self.page(v) if name == "page_id" else v for name, v in made.items()
                }
                same = [other for other in there if {**other, "id": None} == {**wanted, "id": None}]
                if same:
                    there.remove(same[0])
                made["id"] = same[0]["id"] if same else -row["id"]
                self.children[old, row["id"]] = made["id"]
                self.tables[new].append(made)

    def _columns(self) -> None:
        for table, columns in KEYS.items():
            for row in self.tables.get(table, []):
                for column in columns:
                    row[column] = self.page(row[column])
        known = {content_type(self.before, label) for label in (*LEVELS, "wagtailcore.Page")}
        for table, (types, column) in GENERIC.items():
            for row in self.tables.get(table, []):
                if int(row[column]) in self.page_ids and any(row[kind] in known for kind in types):
                    row[column] = type(row[column])(self.page_ids[int(row[column])])
                    for kind in types:
                        row[kind] = self._type(row[kind])
        pages = set(self.page_ids.values())
        for row in self.tables["wagtailcore_pagelogentry"]:
            if row["page_id"] in pages:
                row["content_type_id"] = self._type(row["content_type_id"])

    def _type(self, content_type: int | None) -> int | None:
        return self.new_type if content_type == self.old_type else content_type

    def _values(self) -> None:
        for table, columns in RICH.items():
            for row in self.tables[table]:
                for column in columns:
                    row[column] = self.rich(row[column])
        for table, columns in STREAMS.items():
            for row in self.tables[table]:
                for column in columns:
                    row[column] = self.stream(row[column])

    def rich(self, html: str) -> str:
        """Rich text whose links lead to the pages that are there now."""

        def anchor(match: re.Match[str]) -> str:
            if 'linktype="page"' not in match[0]:
                return match[0]
            return LINK_ID.sub(
                lambda link: f"{link[1]}{self.page(int(link[2]))}{link[3]}", match[0]
            )

        return ANCHOR.sub(anchor, html)

    def stream(self, value: str | list[Row] | None) -> list[Row]:
        """A stream's JSON, or the same as text, with its choosers and links followed."""
        blocks = json.loads(value) if isinstance(value, str) else value
        return [self._block(block) for block in blocks or []]

    def _block(self, block: Row) -> Row:
        kind, value = block["type"], block["value"]
        if kind == "page" or (kind == "item" and isinstance(value, int)):
            value = self.page(value)
        elif kind == "text":
            value = self.rich(value)
        elif kind == "card":
            value = {**value, "page": self.page(value["page"]), "text": self.rich(value["text"])}
        elif kind in ("pages", "inner", "deep"):
            value = [self._block(inner) for inner in value]
        elif kind == "item":
            value = {"rows": [self._block(inner) for inner in value["rows"]]}
        elif kind == "table":
            kinds = [column["type"] for column in value["columns"]]
            rows = [
                {
                    "values": [
                        self._block({"type": k, "value": v})["value"]
                        for k, v in zip(kinds, c, strict=True)
                    ]
                }
                for c in (row["values"] for row in value["rows"])
            ]
            value = {**value, "rows": rows}
        return {**block, "value": value}

    def _revisions(self) -> None:
        pages = {str(page) for page in self.page_ids.values()}
        base = content_type(self.before, "wagtailcore.Page")
        for row in self.tables["wagtailcore_revision"]:
            if row["base_content_type_id"] == base:
                own = row["object_id"] in pages
                row["content"] = self.content(row["content"], own=own)

    def content(self, given: Row, *, own: bool) -> Row:
        """A revision's JSON; of a converted page's `own` with the new type's fields and keys."""
        content = copy.deepcopy(given)
        for name in ("alias_of", "see"):
            if name in content:
                content[name] = self.page(content[name])
        if "body" in content:
            content["body"] = self.rich(content["body"])
        for name in ("content", "text"):
            if name in content:
                content[name] = json.dumps(self.stream(content[name]))
        for row in content.get("links", []):
            row.update(owner=self.page(row["owner"]), page=self.page(row["page"]))
        for row in content.get("tagged_items", []):
            row["content_object"] = self.page(row["content_object"])
        for row in content.get("wagtail_admin_comments", []):
            row["page"] = self.page(row["page"])
        if not own:
            return content
        content["pk"] = self.page_ids[content["pk"]]
        content["content_type"] = self.new_type
        getattr(self, f"_as_{self.direction.name}")(content, given)
        return content

    def _as_child(self, content: Row, given: Row) -> None:
        content["new_kicker"] = given["kicker"]

    def _as_sibling(self, content: Row, given: Row) -> None:
        content["summary"] = content.pop("intro")
        content["reading_minutes"] = content.pop("minutes")
        del content["kicker"]
        content["layout"] = "wide"
        for name, table in (("links", "every_standardlink"), ("tagged_items", "every_standardtag")):
            for row in content[name]:
                # A key that no row has any more must not become another row's in the new table.
                row["pk"] = self.children.get((table, row["pk"]))

    def _as_parent(self, content: Row, given: Row) -> None:
        for name in ("new_kicker", "strapline", "length", "notes"):
            content.pop(name, None)

    def _comments(self) -> None:
        pages = set(self.page_ids.values())
        for row in self.tables["wagtailcore_comment"]:
            if row["page_id"] not in pages:
                continue
            head, *rest = row["contentpath"].split(".")
            if head == "links" and ("every_standardlink", int(rest[0])) in self.children:
                rest[0] = str(self.children["every_standardlink", int(rest[0])])
            row["contentpath"] = ".".join([self.direction.renamed.get(head, head), *rest])

    def _localize(self) -> None:
        """wagtail-localize's copy of each page to be translated, and its strings by path."""
        keys = {row["translation_key"] for row in self.before[PAGE] if row["id"] in self.page_ids}
        for row in self.tables.get("wagtail_localize_translationsource", []):
            own = (
                row["object_id"] in keys and json.loads(row["content_json"])["pk"] in self.page_ids
            )
            row["content_json"] = self.content(json.loads(row["content_json"]), own=own)
            if own:
                row["specific_content_type_id"] = self._type(row["specific_content_type_id"])

        gone = set()
        for row in self.tables.get("wagtail_localize_translationcontext", []):
            head, *rest = row["path"].split(".")
            if row["object_id"] not in keys:
                continue
            if head in self.direction.let_go:
                gone.add(row["id"])
            if head in self.direction.renamed:
                head = self.direction.renamed[head]
                row["path"] = ".".join([head, *rest])
                row["path_id"] = str(uuid.uuid5(PATHS, row["path"]))
                if row["field_path"]:
                    row["field_path"] = row["path"]
        names = ("stringsegment", "overridablesegment", "templatesegment", "relatedobjectsegment")
        for table in (f"wagtail_localize_{name}" for name in names):
            if table in self.tables:
                rows = self.tables[table]
                self.tables[table] = [row for row in rows if row["context_id"] not in gone]
        for row in self.tables.get("wagtail_localize_stringsegment", []):
            attrs = json.loads(row["attrs"]) or {}
            for link in attrs.values():
                if link.get("linktype") == "page":
                    link["id"] = str(self.page(int(link["id"])))
            row["attrs"] = json.dumps(attrs or None)
        contexts = self.tables.get("wagtail_localize_translationcontext", [])
        paths = {row["id"]: row["path"] for row in contexts}
        for row in self.tables.get("wagtail_localize_overridablesegment", []):
            if paths[row["context_id"]] != "hero":  # a picture's id
                row["data_json"] = json.dumps(self.page(json.loads(row["data_json"])))

    def _passing(self) -> None:
        """Editors' windows on the pages close; those on pages to be made below them may stay."""
        pages = {str(page) for page in self.page_ids}
        for table in PASSING:
            there = {row["id"] for row in self.after.get(table, [])}
            kept = []
            for row in self.tables.get(table, []):
                parent = row.get("parent_object_id", "")
                if row["object_id"] in pages or (parent in pages and row["id"] not in there):
                    continue
                if parent in pages:
                    row["parent_object_id"] = str(self.page_ids[int(parent)])
                kept.append(row)
            self.tables[table] = kept
