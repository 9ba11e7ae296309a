"""Objects that production has beside the site's tables, from fetch to delivery.

Those that go were named in Project, before anything ran; the others are there, or made anew.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml

from tests.support.consenting_operator import Consenting
from tests.support.sandbox import Demo
from wizard.base.events import Event, Events
from wizard.commands import runner
from wizard.config import config
from wizard.engine.context import Context
from wizard.reports.output import Output
from wizard.session import session as sessions

pytestmark = pytest.mark.slow

CASES = Path(__file__).parents[1] / "cases" / "postgres"
# A setting of the database, not an object; what a delivery makes of it is tested with settings.
AGAIN_WRITABLE = "ALTER DATABASE harbour RESET default_transaction_read_only"
BY_HAND = """
    SET ROLE deploy;
    CREATE VIEW on_top AS SELECT keywords FROM blog_kw;
    GRANT SELECT ON on_top TO PUBLIC;
    CREATE INDEX by_hand ON cast_blog (lower(keywords)) WHERE explicit > 1;
    COMMENT ON INDEX by_hand IS 'for the search';
    CREATE INDEX mixed ON cast_blog (keywords, description);
    CREATE STATISTICS together (dependencies) ON keywords, explicit FROM cast_blog;
    ALTER TABLE cast_blog ADD CONSTRAINT short_enough CHECK (length(keywords) < 200);
    COMMENT ON COLUMN cast_blog.keywords IS 'for iTunes';
    CREATE INDEX stays ON cast_blog (description);
    RESET ROLE;
"""
OBJECTS = """
    SELECT oid::regclass::text FROM pg_class WHERE relnamespace = 'public'::regnamespace
    UNION ALL SELECT conname FROM pg_constraint WHERE connamespace = 'public'::regnamespace
    UNION ALL SELECT stxname FROM pg_statistic_ext
"""
CARRIED = """
    SELECT indexdef FROM pg_indexes WHERE indexname = 'by_hand'
    UNION ALL SELECT obj_description('by_hand'::regclass, 'pg_class')
    UNION ALL SELECT pg_get_statisticsobjdef(oid) FROM pg_statistic_ext WHERE stxname = 'together'
    UNION ALL SELECT conrelid::regclass || ' ' || pg_get_constraintdef(oid) FROM pg_constraint
        WHERE conname = 'short_enough'
    UNION ALL SELECT attrelid::regclass || ' ' || col_description(attrelid, attnum)
        FROM pg_attribute WHERE attname = 'keywords'
            AND attrelid IN ('cast_blog'::regclass, 'cast_podcast'::regclass)
"""


@dataclass(frozen=True)
class Recorded(Output):
    """What is reported."""

    events: list[Event] = field(default_factory=list)

    def listen(self, events: Events) -> None:
        events.subscribe(self.events.append)

    def end(self, context: Context) -> None:
        """Nothing is printed."""


def column(connection: psycopg.Connection[Any], query: str) -> set[str]:
    """The first column of a query's rows."""
    return {str(row[0]) for row in connection.execute(query.encode()).fetchall()}


async def run(demo: Demo) -> list[Event]:
    """Go through every step with the answers that the sandbox comes with."""
    recorded = yaml.safe_load((demo.root / "answers.yml").read_text())["answers"]
    answers = {**recorded, "production.targets": ["production"]}
    configured, output = config.read(demo.root / "remodel.yml"), Recorded()
    with sessions.begin(configured) as session:
        await runner.headless(configured, session, Consenting(answers), output)
    return output.events


@pytest.mark.timeout(900)
def test_what_goes_from_production_was_named_in_project_or_is_carried(demo: Demo) -> None:
    with demo.connect("production") as connection:
        before = column(connection, OBJECTS)
        for statement in (CASES / "view-on-moved-column.sql").read_text().split(";"):
            if statement.strip():
                connection.execute(statement.encode())
    with demo.connect("production", "postgres") as connection:
        connection.execute(AGAIN_WRITABLE)
    with demo.connect("production") as connection:
        connection.execute(BY_HAND.encode())
        by_hand = column(connection, OBJECTS) - before
    assert by_hand >= {"blog_kw", "mv", "on_top", "by_hand", "mixed", "together", "short_enough"}
    events = asyncio.run(run(demo))
    with demo.connect("production") as connection:
        gone = by_hand - column(connection, OBJECTS)
        carried = column(connection, CARRIED)
    assert gone == {"blog_kw", "on_top", "mixed"}
    named = " ".join(
        f"{getattr(event, 'value', '')}"
        for event in events
        if event.operation == "project.trial" and "goes with" in getattr(event, "hint", "")
    )
    assert [name for name in gone if f"public.{name}" not in named] == []
    assert carried == {
        "CREATE INDEX by_hand ON public.cast_podcast USING btree (lower((keywords)::text)) "
        "WHERE (explicit > 1)",
        "for the search",
        "CREATE STATISTICS public.together (dependencies) ON keywords, explicit FROM cast_podcast",
        "cast_podcast CHECK ((length((keywords)::text) < 200))",
        "cast_podcast for iTunes",
    }
