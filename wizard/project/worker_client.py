"""The worker's client: a typed method for each of its operations.

Each runs in the operator's project, on its default database. Errors are documented at the
worker's functions of the same names, in `wizard/worker`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from wizard.base.events import Report
from wizard.config.config import Conversion
from wizard.project.worker_process import WorkerProcess
from wizard.project.worker_results import (
    ConversionPlan,
    ConversionResult,
    ConversionState,
    DeletionPlan,
    DeletionResult,
    EarlierClasses,
    FieldMapJudgement,
    IndexChanges,
    ModelCheck,
    ModelDescription,
    NewMigration,
    Outlook,
    PageInterfaces,
    PageMap,
    PageModel,
    RevisionChanges,
    SchemaDifference,
    SelectedPage,
    SiteChange,
    SiteRow,
    SlugChanges,
    SystemChecks,
    UrlRow,
    ValuesLeft,
)


class WorkerClient(WorkerProcess):
    """The operator's Wagtail project, running; `async with WorkerClient(...) as worker`."""

    # Models and the field map

    async def page_models(self) -> list[PageModel]:
        """Return every page model of the project."""
        models: list[PageModel] = await self.ask("page_models")
        return models

    async def describe(self, model: str) -> ModelDescription:
        """Return a page model as Django sees it: its file, its tables and its fields."""
        description: ModelDescription = await self.ask("describe", model=model)
        return description

    async def check_models(
        self, conversion: Conversion, phase: Literal["added", "final"]
    ) -> list[ModelCheck]:
        """Check both models: the new one `added`, or as they are in the end (`final`)."""
        checks: list[ModelCheck] = await self.ask(
            "check_models",
            old_type=conversion.old_type,
            new_type=conversion.new_type,
            fields=list(conversion.move),
            prefix=conversion.prefix,
            phase=phase,
        )
        return checks

    async def interfaces(self) -> dict[str, PageInterfaces]:
        """Return, by label, what every page type shows: edit form, search fields, API."""
        types: dict[str, PageInterfaces] = await self.ask("interfaces")
        return types

    async def field_map(
        self, conversion: Conversion, fields: Mapping[str, Any]
    ) -> FieldMapJudgement:
        """Return what these entries of the field map come to, faults included."""
        judgement: FieldMapJudgement = await self.ask(
            "field_map",
            old_type=conversion.old_type,
            new_type=conversion.new_type,
            prefix=conversion.prefix,
            move=list(conversion.move),
            fields=dict(fields),
        )
        return judgement

    # Pages, Sites and URLs

    async def find_pages(self, conversion: Conversion) -> list[SelectedPage]:
        """Return the pages that the conversion selects and their aliases, in the tree's order."""
        pages: list[SelectedPage] = await self.ask(
            "find_pages",
            model=conversion.old_type,
            selectors=[dict(selector) for selector in conversion.pages],
        )
        return pages

    async def tree_problems(self) -> dict[str, list[int]]:
        """Return the ids of pages that are wrong in the tree, by kind of fault."""
        problems: dict[str, list[int]] = await self.ask("tree_problems")
        return problems

    async def sites(self) -> list[SiteRow]:
        """Return every Site, the default one first."""
        rows: list[SiteRow] = await self.ask("sites")
        return rows

    async def place_site(self, hostname: str, port: int) -> SiteChange:
        """Put the default Site on a hostname and port."""
        change: SiteChange = await self.ask("place_site", hostname=hostname, port=port)
        return change

    async def urls(self, report: Report | None = None) -> list[UrlRow]:
        """Return the URL of every page below a Site."""
        rows: list[UrlRow] = await self.ask("urls", report)
        return rows

    # Migrations

    async def check(self, *, database: bool = False) -> SystemChecks:
        """Run Django's system checks; with `database` those of `check --database` too."""
        checks: SystemChecks = await self.ask("check", database=database)
        return checks

    async def pending_changes(self, app: str) -> list[str]:
        """Return what the app's models have and its migrations do not, a line an operation."""
        changes: list[str] = await self.ask("pending_changes", app=app)
        return changes

    async def all_pending_changes(self) -> dict[str, list[str]]:
        """Return, by app, what models have and migrations do not, a line an operation."""
        changes: dict[str, list[str]] = await self.ask("all_pending_changes")
        return changes

    async def make_migration(
        self, conversion: Conversion, kind: Literal["add", "finish"], directory: str
    ) -> list[NewMigration]:
        """Generate the migrations of one kind, to stand in `directory`; nothing is written.

        The module of their guards is the last of the files, without SQL, if it is not there yet.

        `add` creates the new model; `finish` removes the moved fields from the old model and
        renames them on the new one.
        """
        migrations: list[NewMigration] = await self.ask(
            "make_migration",
            kind=kind,
            app=conversion.app,
            old_type=conversion.old_type,
            new_type=conversion.new_type,
            fields=list(conversion.move),
            prefix=conversion.prefix,
            directory=directory,
        )
        return migrations

    async def migration_plan(self, until: str = "") -> list[str]:
        """Return the pending migrations, as `app.name`, in order.

        With `until` only those that do not need that migration.
        """
        names: list[str] = await self.ask("migration_plan", until=until)
        return names

    async def earlier(self, conversion: Conversion) -> EarlierClasses:
        """Return how to rebuild both models as they were before the fields moved."""
        classes: EarlierClasses = await self.ask(
            "earlier",
            app=conversion.app,
            old_type=conversion.old_type,
            new_type=conversion.new_type,
            fields=list(conversion.move),
            prefix=conversion.prefix,
        )
        return classes

    async def earlier_differences(self, removal: str) -> list[str]:
        """Return how the models differ from the migrations before `removal`."""
        lines: list[str] = await self.ask("earlier_differences", removal=removal)
        return lines

    async def migrate(
        self,
        report: Report | None = None,
        discard: Mapping[str, int] | None = None,
        until: str = "",
    ) -> list[str]:
        """Run the pending migrations, Django's output going to `report`; return their names.

        `discard` is how many rows may lose values, by the key of the guard that counts them. With
        `until` only those run that do not need that migration.
        """
        names: list[str] = await self.ask(
            "migrate", report, discard=dict(discard or {}), until=until
        )
        return names

    async def schema_differences(
        self, conversion: Conversion, *, applied: bool = False
    ) -> list[SchemaDifference]:
        """Return how both types' tables, and their children's, differ from what is declared.

        By the models; with `applied`, by the migrations that the database has had.
        """
        differences: list[SchemaDifference] = await self.ask(
            "schema_differences",
            models=[conversion.old_type, conversion.new_type],
            applied=applied,
        )
        return differences

    # The conversion

    async def convert_plan(
        self, conversion: Conversion, fields: Mapping[str, Any], pages: Sequence[int]
    ) -> ConversionPlan:
        """Return what `convert` would do with the same arguments."""
        plan: ConversionPlan = await self.ask(
            "convert_plan", None, **_arguments(conversion), fields=fields, pages=list(pages)
        )
        return plan

    async def look(self, conversion: Conversion) -> Outlook:
        """Return what the conversion would come upon in a database that is only looked at."""
        outlook: Outlook = await self.ask(
            "look",
            None,
            **_arguments(conversion),
            fields=dict(conversion.fields),
            selectors=[dict(selector) for selector in conversion.pages],
        )
        return outlook

    async def convert(
        self,
        conversion: Conversion,
        fields: Mapping[str, Any],
        pages: Sequence[int],
        report: Report | None = None,
    ) -> ConversionResult:
        """Convert the pages with these ids, in one transaction."""
        result: ConversionResult = await self.ask(
            "convert", report, **_arguments(conversion), fields=fields, pages=list(pages)
        )
        return result

    async def observe_conversion(
        self, conversion: Conversion, pages: Sequence[int]
    ) -> ConversionState:
        """Look in the database how far the conversion of these pages is."""
        state: ConversionState = await self.ask(
            "observe_conversion",
            old_type=conversion.old_type,
            new_type=conversion.new_type,
            pages=list(pages),
            prefix=conversion.prefix,
            ids=conversion.ids,
        )
        return state

    async def delete_plan(self, id_map: PageMap) -> DeletionPlan:
        """Return what `delete_originals` would delete, and what prevents it."""
        plan: DeletionPlan = await self.ask("delete_plan", id_map=id_map)
        return plan

    async def delete_originals(
        self, id_map: PageMap, report: Report | None = None
    ) -> DeletionResult:
        """Delete the original pages."""
        result: DeletionResult = await self.ask("delete_originals", report, id_map=id_map)
        return result

    # Prefixes

    async def restore_slugs(
        self, id_map: PageMap, prefix: str, report: Report | None = None
    ) -> SlugChanges:
        """Take the prefix from the new pages' slugs, and from the url_paths below them."""
        changes: SlugChanges = await self.ask("restore_slugs", report, id_map=id_map, prefix=prefix)
        return changes

    async def rename_revision_fields(
        self, id_map: PageMap, renames: Mapping[str, str], report: Report | None = None
    ) -> RevisionChanges:
        """Rename fields, old name to new, in the revisions of the new pages."""
        changes: RevisionChanges = await self.ask(
            "rename_revision_fields", report, id_map=id_map, renames=renames
        )
        return changes

    async def unprefix_names(self, conversion: Conversion) -> dict[str, str]:
        """Rename indexes and constraints that have the prefix; return new names by old ones."""
        renamed: dict[str, str] = await self.ask(
            "unprefix_names",
            new_type=conversion.new_type,
            fields=list(conversion.move),
            prefix=conversion.prefix,
        )
        return renamed

    async def reindex(self, conversion: Conversion, report: Report | None = None) -> IndexChanges:
        """Write what the moved fields put into the indexes, now that they are where they end."""
        changes: IndexChanges = await self.ask(
            "reindex",
            report,
            old_type=conversion.old_type,
            new_type=conversion.new_type,
            fields=list(conversion.move),
            prefix=conversion.prefix,
        )
        return changes

    async def values_left(self, conversion: Conversion) -> ValuesLeft:
        """Count the pages without a row of the new type that hold something in a moved field."""
        counts: ValuesLeft = await self.ask(
            "values_left",
            old_type=conversion.old_type,
            new_type=conversion.new_type,
            fields=list(conversion.move),
        )
        return counts


def _arguments(conversion: Conversion) -> dict[str, object]:
    """Return the arguments that a conversion and its plan have in common."""
    return {
        "old_type": conversion.old_type,
        "new_type": conversion.new_type,
        "ids": conversion.ids,
        "prefix": conversion.prefix,
        "move": list(conversion.move),
    }
