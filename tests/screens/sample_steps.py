"""Six steps as the real ones report them, for pictures: what is seen, without the doing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from tests.support.scripted_app import Act, Scripted, step
from wizard.base.events import Progress
from wizard.engine.context import Context
from wizard.engine.operation import Step
from wizard.session.plan import Gate, Loss

DIFF = """--- src/cast/models.py
+++ src/cast/models.py
@@ -61,6 +61,20 @@
 class Blog(Page):
     keywords = models.CharField(max_length=255, blank=True)
     explicit = models.PositiveSmallIntegerField(choices=EXPLICIT, default=1)
+
+
+class Podcast(Blog):
+    new_keywords = models.CharField(max_length=255, blank=True)
+    new_explicit = models.PositiveSmallIntegerField(choices=EXPLICIT, default=1)
"""
SQL = """BEGIN;
--
-- Create model Podcast
--
CREATE TABLE "cast_podcast" ("blog_ptr_id" integer NOT NULL PRIMARY KEY);
COMMIT;
"""
MODELS = """cast.Blog	cast.Podcast
description  RichTextField	(inherited)
keywords  CharField(255)	new_keywords  CharField(255)
explicit  PositiveSmallInteger	new_explicit  PositiveSmallInteger
"""
URLS = "url\ttype\ttitle\n" + "\n".join(
    f"/show/episode-{number}/\tcast.Post\tEpisode {number}" for number in range(1, 13)
)


def tells(*say: Callable[[Context], object], hold: asyncio.Event | None = None) -> Act:
    """An act that reports and, if told to, waits."""

    async def act(context: Context) -> None:
        for one in say:
            one(context)
        if hold is not None:
            await hold.wait()

    return act


def finding(name: str, value: str, status: str = "ok", hint: str = "") -> Callable[[Context], None]:
    return lambda context: context.report.finding(name, value, status, hint)  # type: ignore[arg-type]


def document(title: str, form: str, text: str) -> Callable[[Context], None]:
    return lambda context: context.report.document(title, form, text)  # type: ignore[arg-type]


def line(source: str, text: str) -> Callable[[Context], None]:
    return lambda context: context.report.line(source, text)


def sample_steps(hold: asyncio.Event | None = None) -> list[Step]:
    """The six steps; the last operation of each waits for `hold`, when it is given."""

    def fetching(context: Context) -> None:
        context.events.emit(
            Progress("backup.fetch", 7_900_000, 12_400_000, "bytes", "pages", eta=4.0)
        )

    return [
        step(
            "project",
            Scripted(
                "project.trust:production",
                "Trust the host of production",
                about="show the SSH host key of a host that is new here",
            ),
            Scripted(
                "project.preflight",
                "Look at the project, the databases and the tools",
                about="versions, connections, models and pages; changes nothing",
                act=tells(
                    finding("Python", "3.11.7 at /srv/harbour/.venv/bin/python"),
                    finding("Django, Wagtail", "5.2.8, 8.0.1"),
                    finding("local PostgreSQL", "18.1, harbour"),
                    finding(
                        "production rights",
                        "deploy may not create databases",
                        "warn",
                        "Delivery by swap needs CREATEDB on the target; a playbook does not.",
                    ),
                    finding("page", "bad [/admin] (cast.Blog), 31 pages below it", "info"),
                    hold=hold,
                ),
            ),
        ),
        step(
            "backup",
            Scripted(
                "backup.fetch",
                "Fetch a backup of production",
                about="pg_dump over SSH into backups/, checksummed and read whole",
                act=tells(
                    finding("pg_dump", "18.1 on deploy@example.org"),
                    line("pg_dump", 'dumping contents of table "public.wagtailcore_page"'),
                    fetching,
                    hold=hold,
                ),
            ),
            Scripted(
                "backup.restore",
                "Restore the backup into the local database",
                about="the old local content is kept as a checkpoint",
                gate=Gate("harbour"),
                does=("restore db.production.20261122.dump beside harbour", "swap the names"),
                destroys=(Loss("the pages now in harbour leave that name", 1204),),
                undo="`remodel undo` brings the checkpoint back",
                facts={"database": "harbour", "archive": "db.production.20261122.dump"},
                details={"backup_age": "3 minutes", "kept": "harbour__20261122_150405_old"},
            ),
            Scripted("backup.site", "Put the Site on localhost", about="remembering what it was"),
        ),
        step(
            "structure",
            Scripted(
                "structure.model",
                "Write the new model into the models file",
                act=tells(
                    document("The two models", "table", MODELS),
                    document("Change to models.py", "diff", DIFF),
                ),
                message="src/cast/models.py",
            ),
            Scripted(
                "structure.migration",
                "Write the migration",
                act=tells(document("SQL of 0002_podcast", "sql", SQL)),
            ),
            Scripted(
                "structure.migrate",
                "Migrate the local database",
                act=tells(
                    line("django", "Operations to perform:"),
                    line("django", "  Apply all migrations: cast [/x]"),
                    line("django", "  Applying cast.0002_podcast... OK"),
                    hold=hold,
                ),
            ),
        ),
        step(
            "copy",
            Scripted(
                "copy.convert",
                "Copy the pages to the new type",
                act=tells(
                    lambda context: context.report.tree({11: "moved", 12: "going"}, planned=True),
                    document("What follows the page", "table", "what\trows\nrevisions\t12"),
                    hold=hold,
                ),
            ),
            Scripted("copy.delete", "Delete the original pages", about="behind a gate of its own"),
        ),
        step(
            "slugs",
            Scripted("slugs.pages", "Give the pages their slugs back"),
            Scripted(
                "slugs.urls",
                "Compare every URL with what it was",
                act=tells(
                    document("URLs", "table", URLS),
                    document("Change to models.py", "diff", DIFF),
                    finding("URLs", "12 compared, each leads to what it led to"),
                    hold=hold,
                ),
            ),
        ),
        step(
            "production",
            Scripted("production.site:staging", "Put the Site on the target's hostname"),
            Scripted("production.dump:staging", "Dump the converted database", message="12.6 MB"),
            Scripted(
                "production.drill:staging",
                "Drill: restore the dump into a scratch database",
                act=tells(finding("drill", "every table as in the local database")),
                message="31 tables alike",
            ),
            Scripted(
                "production.check:staging", "Check the result on the target", act=tells(hold=hold)
            ),
            Scripted("production.dump:production", "Dump the converted database"),
            Scripted("production.deliver:production", "Deliver to the target", about="gate"),
        ),
    ]
