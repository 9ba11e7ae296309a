"""The tables beside the models, and Django's own checks, from the look to the delivery."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cases.site import TO_PRODUCTION, Case, Lay
from tests.support.consenting_operator import Consenting
from wizard.base.errors import RemodelError, VerificationFailed
from wizard.base.events import Event, Finished
from wizard.engine.operators import Verdict

pytestmark = [pytest.mark.xdist_group("cases"), pytest.mark.slow]

CONVERTED = (
    "SELECT p.slug, d.keywords FROM blog_podcast d JOIN wagtailcore_page p ON p.id = d.blog_ptr_id"
)
EXTRA = 'migrations.RunSQL("CREATE INDEX slipped_in ON blog_podcast (new_explicit)"),\n'
CHECK = """
from django.core import checks

@checks.register(checks.Tags.database)
def ours(app_configs, databases=None, **kwargs):
    return [checks.Error("as ever", id="site.E001")] if databases else []
"""


class Spoiling(Consenting):
    """Changes a migration once it is written; takes that back when it failed, and tries again."""

    def __init__(self, case: Case) -> None:
        super().__init__(TO_PRODUCTION)
        self.folder = case.project / "blog" / "migrations"
        self.text = ""
        self.errors: list[RemodelError] = []

    @property
    def path(self) -> Path:
        (path,) = self.folder.glob("*_unprefixed.py")
        return path

    def listen(self, event: Event) -> None:
        if isinstance(event, Finished) and event.operation == "slugs.migrations":
            self.text = self.path.read_text()
            self.path.write_text(self.text.replace("operations = [\n", f"operations = [\n{EXTRA}"))

    async def failed(self, error: RemodelError, operation: str) -> Verdict:
        self.errors.append(error)
        self.path.write_text(self.text)
        return "retry" if operation == "slugs.migrate" and len(self.errors) == 1 else "stop"


async def test_a_migration_that_changes_something_else_is_an_error_and_can_be_corrected(
    lay: Lay,
) -> None:
    case = await lay("check-constraint")
    operator = Spoiling(case)
    await case.run(operator=operator, listener=operator.listen)
    (error,) = operator.errors
    assert isinstance(error, VerificationFailed)
    assert error.found == (
        "blog_podcast: index slipped_in, CREATE INDEX ON public.blog_podcast USING btree "
        "(explicit): in the database, and not declared by the models"
    )
    assert await case.query(CONVERTED) == [("show", "kw-show")]
    assert await case.query("SELECT 1 FROM pg_class WHERE relname = 'slipped_in'") == []


async def test_what_was_so_before_is_no_fault(lay: Lay) -> None:
    case = await lay("lists-elsewhere")
    (case.project / "extra" / "migrations").mkdir(parents=True)
    (case.project / "extra" / "migrations" / "__init__.py").touch()
    (case.project / "extra" / "__init__.py").write_text(CHECK)
    (case.project / "extra" / "models.py").write_text(
        "from django.db import models\n\n\nclass Unmigrated(models.Model):\n    pass\n"
    )
    settings = case.project / "config" / "settings.py"
    settings.write_text(settings.read_text() + '\nINSTALLED_APPS = [*INSTALLED_APPS, "extra"]\n')
    await case.query("CREATE INDEX by_hand ON blog_blog (page_ptr_id DESC)")
    await case.query("ALTER TABLE blog_magazine ADD COLUMN old_note text DEFAULT 'x'")
    events = [str(event) for event in await case.run()]
    assert any("Django would" in line or "site.E001" in line for line in events) is False
    assert any("2 were there before the conversion" in line for line in events)
    assert await case.query(CONVERTED) == [("show", "kw-show")]
    assert await case.query("SELECT 1 FROM pg_class WHERE relname = 'by_hand'") == [(1,)]
