"""What the worker's operations return, as their JSON has it.

The names of keys are the worker's: `source` and `target` of a field map are fields of the old and
the new type. A page id that is a key is text, as JSON has it. Ledger entries stay mappings here:
`wizard.session.ledger` reads them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypedDict

PageMap = dict[str, int]
"""New page ids by old ones, which are text."""


class NamedDetail(TypedDict):
    """A warning or a proof, in words."""

    name: str
    detail: str


class PageModel(TypedDict):
    """A page model of the project. `count` is the number of pages of exactly this type."""

    label: str
    verbose_name: str
    table: str
    count: int
    parents: list[str]


class FieldDescription(TypedDict):
    """The part of a model field's description that is used here.

    `type` is the class in full. `local` fields are the model's own, `prefixable` are those that can
    get a prefixed copy.
    """

    name: str
    column: str
    type: str
    internal_type: str
    local: bool
    prefixable: bool


class ModelDescription(TypedDict):
    """The part of a model's description that is used here.

    `file` is its source, `migrations` the `__init__.py` of its app's migrations; None for none.
    `declared` are the names of the constraints and indexes of its Meta.
    """

    label: str
    file: str
    table: str
    migrations: str | None
    declared: list[str]
    fields: list[FieldDescription]


class EarlierClasses(TypedDict):
    """How both models are rebuilt as they were before the fields moved.

    `removal` is the migration that removes the fields, as `app.name`; `old` and `new` are the
    classes' modules and names. `fields` has, by field, what the migrations say of it.
    """

    removal: str
    old: list[str]
    new: list[str]
    fields: dict[str, Any]


class ModelCheck(NamedDetail):
    """One thing that was checked of the two models."""

    ok: bool


class Interface(TypedDict):
    """A part of what a page type shows: `[fields that it is about, name, text]` an entry.

    `error` is what was raised in its stead.
    """

    entries: list[tuple[list[str], str, str]]
    error: str | None


class PageInterfaces(TypedDict):
    """What a page type shows, by section; the types that it is a child of; where it is imported."""

    file: str
    modules: list[str]
    parents: list[str]
    sections: dict[str, Interface]


class SelectedPage(TypedDict):
    """A page to convert. `alias_of` is the id of the page that it is an alias of."""

    id: int
    title: str
    slug: str
    path: str
    depth: int
    url_path: str
    live: bool
    locked: bool
    has_unpublished_changes: bool
    alias_of: int | None
    locale: str | None
    parent_id: int | None
    parent_title: str | None
    children: int


class SiteRow(TypedDict):
    """A row of Wagtail's Site."""

    id: int
    hostname: str
    port: int
    site_name: str
    root_page_id: int
    is_default_site: bool


class SiteChange(TypedDict):
    """A Site's row before and after it was placed."""

    before: SiteRow
    after: SiteRow


class UrlRow(TypedDict):
    """A URL, relative to its Site (by id), and the page that it leads to."""

    page_id: int
    site: int
    url: str
    title: str
    live: bool
    restricted: bool
    type: str


class CheckMessage(TypedDict):
    """A message of Django's system checks; `level` as in django.core.checks."""

    id: str | None
    level: int
    text: str
    hint: str


class SystemChecks(TypedDict):
    """Django's system checks: the number of errors and all messages."""

    errors: int
    messages: list[CheckMessage]


class SchemaDifference(TypedDict):
    """A column, constraint or index that only the database or only the models have.

    `kind` is one of these or `table`, `only_in` is `database` or `models`.
    """

    table: str
    kind: str
    name: str
    definition: str
    only_in: str


class ValuesLeft(TypedDict):
    """Pages that would lose values with the moved fields: by field, and in all."""

    fields: dict[str, int]
    pages: int


class StayingPages(TypedDict):
    """Pages of a type that stay and lose what they hold in moved fields; `slugs` of the first."""

    type: str
    count: int
    slugs: list[str]


class LostLinks(TypedDict):
    """A rich field whose links end in plain text: what it becomes, pages, the first slugs."""

    field: str
    becomes: str
    count: int
    slugs: list[str]


class Outlook(TypedDict):
    """What a conversion would come upon: number of pages, faults, losses by `table.column`.

    `untried` are functions of the field map that could not compute, since they want to write.
    """

    pages: int
    faults: list[str]
    losses: dict[str, int]
    links: list[LostLinks]
    untried: list[str]
    stay: list[StayingPages]


class NewMigration(TypedDict):
    """A file of the migrations that is not on disk yet: its path, Python text and SQL."""

    name: str
    path: str
    text: str
    sql: str


class FieldMapRow(TypedDict):
    """A field of the new type and its value's origin; `target` is None where a field is dropped."""

    target: str | None
    how: str
    source: str | None
    value: Any
    call: str
    type: str
    note: str


class FieldMapJudgement(TypedDict):
    """A field map as the models have it. `choices` are, by new field, the old ones that fit."""

    direction: str
    rows: list[FieldMapRow]
    dropped: list[str]
    choices: dict[str, list[str]]
    faults: list[str]


class PlannedPage(TypedDict):
    """A page of a conversion's plan; `old` is its id, `children` the number right below it."""

    old: int
    title: str
    slug: str
    new_slug: str
    url_path: str
    live: bool
    children: int
    parent: int | None
    parent_title: str | None
    alias_of: int | None


class NotFired(TypedDict):
    """A receiver or hook that a conversion does not call, and why."""

    signal: str
    receiver: str
    why: str


class LeftBehind(TypedDict):
    """Something that belongs to the pages and is not carried, with its number of rows."""

    name: str
    count: int
    why: str


class ConversionPlan(TypedDict):
    """What a conversion would do.

    `losses` counts what is dropped, by its description. `marks` are `going` or `moved`, by page
    id. With any `faults` it would not be done.
    """

    direction: str
    pages: list[PlannedPage]
    field_map: list[FieldMapRow]
    losses: dict[str, int]
    faults: list[str]
    warnings: list[NamedDetail]
    fires: list[NotFired]
    ledger: list[Mapping[str, Any]]
    left: list[LeftBehind]
    marks: dict[str, str]


class ConversionResult(TypedDict):
    """What a conversion did. `inserted` counts rows by table, `seconds` is by stage."""

    map: PageMap
    inserted: dict[str, int]
    moved: int
    ledger: list[Mapping[str, Any]]
    left: list[LeftBehind]
    verified: list[NamedDetail]
    seconds: dict[str, float]


class ConversionState(TypedDict):
    """How far a conversion is. `prefixed` counts new pages whose slug has the prefix."""

    state: Literal["originals", "both", "converted", "mixed"]
    map: PageMap
    prefixed: int


class OriginalPage(TypedDict):
    """An original page to delete, with its id and that of the new one."""

    old: int
    new: int
    title: str
    slug: str
    url_path: str


class DeletionPlan(TypedDict):
    """What would be deleted. `destroys` and `refers` count rows, by table and by column.

    With anything that `refers` to the pages, or any `children`, nothing is deleted.
    """

    pages: list[OriginalPage]
    destroys: dict[str, int]
    drops: dict[str, int]
    refers: dict[str, int]
    children: int
    marks: dict[str, str]


class DeletionResult(TypedDict):
    """The number of deleted rows by table."""

    deleted: dict[str, int]


class SlugChanges(TypedDict, total=False):
    """Slugs by page id, and the numbers of url_paths and of revisions that were changed."""

    slugs: dict[str, str]
    urls: int
    drafts: int


class RevisionChanges(TypedDict):
    """The number of values that were renamed in revisions."""

    changed: int


class IndexChanges(TypedDict):
    """References taken out of the index, references written, and pages indexed for search."""

    removed: int
    written: int
    searchable: int
