"""The results of the operations up to the delivery, as later operations read them.

A field is optional where `observe` cannot recover it after a crash.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

from wizard.engine.result import Result
from wizard.postgres.dumps.archive import Archive
from wizard.project.worker_results import (
    LeftBehind,
    NamedDetail,
    PageMap,
    SiteRow,
    SlugChanges,
)


@dataclass(frozen=True, kw_only=True)
class LookedAt(Result):
    """What was looked at before anything was changed.

    Of a source that has the final models, with a database behind it: `removal`, the migration
    that removes the moved fields, as `app.name`; and the models as they were before it. Those are
    `texts` of source files, kept by the session that edited them, or `classes`, to be rebuilt.
    """

    KEY: ClassVar[str] = "project.preflight"
    removal: str = ""
    texts: Mapping[str, str] = field(default_factory=dict)
    classes: Mapping[str, Any] | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the fields that are not None, JSON-ready; fewer where no database is behind."""
        data = super().to_json()
        return data if self.removal else {"message": data.get("message", "")}


@dataclass(frozen=True, kw_only=True)
class Fetched(Result):
    """The dump of production.

    `baseline` is a drift baseline as `Baseline.as_dict` has it; None for a dump that was there
    already. `without` are the tables whose rows were left out; None where that is not known.
    """

    KEY: ClassVar[str] = "backup.fetch"
    archive: Archive
    baseline: dict[str, Any] | None = None
    without: Sequence[str] | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the fields that are not None, JSON-ready."""
        return {**super().to_json(), "archive": self.archive.as_dict()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Return the result as it stands in the journal."""
        return super().from_json({**data, "archive": Archive.from_dict(data["archive"])})


@dataclass(frozen=True, kw_only=True)
class Restored(Result):
    """The local database that was replaced.

    `kept` is the name of the old one; '' where there was none. `baseline` is that of the
    restored copy, where the dump came without one.
    """

    KEY: ClassVar[str] = "backup.restore"
    kept: str
    baseline: dict[str, Any] | None = None


@dataclass(frozen=True, kw_only=True)
class SequencesSet(Result):
    """The sequences that were set past their data: a line for a plan, by sequence."""

    KEY: ClassVar[str] = "backup.sequences"
    sequences: Mapping[str, str] = field(default_factory=dict)

    @property
    def facts(self) -> dict[str, list[str]]:
        """What the facts of a later plan say of them; nothing where there is none."""
        return {"sequences": list(self.sequences)} if self.sequences else {}


@dataclass(frozen=True, kw_only=True)
class SitePlaced(Result):
    """The default Site's row before it was put on localhost."""

    KEY: ClassVar[str] = "backup.site"
    before: SiteRow


@dataclass(frozen=True, kw_only=True)
class UrlsRecorded(Result):
    """The number of URLs before anything was changed."""

    KEY: ClassVar[str] = "backup.urls"
    count: int


@dataclass(frozen=True, kw_only=True)
class ModelWritten(Result):
    """The models file that got the new class."""

    KEY: ClassVar[str] = "structure.model"
    path: str


@dataclass(frozen=True, kw_only=True)
class Migrated(Result):
    """The migrations that were applied, as `app.name`; of `slugs.migrate` as well."""

    KEY: ClassVar[str] = "structure.migrate"
    applied: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class Converted(Result):
    """The conversion.

    `page_map` leads from each old page's id, as text, to the new one. `left` are rows that stay
    behind, `verified` what was proven in the transaction, `seconds` its stages, and `ledger` the
    totals of the ledger; None where they were lost in a crash.
    """

    KEY: ClassVar[str] = "copy.convert"
    page_map: PageMap
    left: Sequence[LeftBehind] = ()
    verified: Sequence[NamedDetail] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)
    ledger: Mapping[str, int] | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the fields that are not None, JSON-ready; `page_map` is called `map` there."""
        data = super().to_json()
        return {"map": data.pop("page_map"), **data}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Return the result as it stands in the journal."""
        return super().from_json({**data, "page_map": data["map"]})


@dataclass(frozen=True, kw_only=True)
class OriginalsDeleted(Result):
    """The number of rows, by table, that were deleted with the original pages."""

    KEY: ClassVar[str] = "copy.delete"
    deleted: Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class SlugsRestored(Result):
    """The slugs of the new pages without the prefix, and what changed with them."""

    KEY: ClassVar[str] = "slugs.pages"
    changed: SlugChanges


@dataclass(frozen=True, kw_only=True)
class FieldsMoved(Result):
    """The number of other pages, by moved field, that have a value in that field.

    `pages` is how many they are in all, `columns` what the fields are called in the old type's
    table, and `declared` its Meta's constraints and indexes. An older session has none of these.
    `unchanged` says that the source had the final models already.
    """

    KEY: ClassVar[str] = "slugs.fields"
    values: Mapping[str, int]
    pages: int | None = None
    table: str | None = None
    columns: Sequence[str] | None = None
    declared: Sequence[str] | None = None
    unchanged: bool | None = None


@dataclass(frozen=True, kw_only=True)
class Tried(Result):
    """What was tried without writing.

    `dependants` are what production loses with the columns of the moved fields, a line by object;
    `carried` is what is made anew on the new table. None where it was not looked at. `models` is
    the SHA-256 of the models file that Django took.
    """

    KEY: ClassVar[str] = "project.trial"
    dependants: Mapping[str, str] | None = None
    carried: Mapping[str, str] | None = None
    models: str | None = None


@dataclass(frozen=True, kw_only=True)
class UrlsCompared(Result):
    """The number of URLs that lead to what they led to."""

    KEY: ClassVar[str] = "slugs.urls"
    count: int
