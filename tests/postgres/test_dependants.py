"""What DROP ... CASCADE takes is named before, object by object: nothing else, and nothing less."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.postgres.dependants_at_random import NOTED, Schema
from tests.postgres.dependants_ddl import (
    DJANGO,
    EVERY_KIND,
    INHERITED,
    LARGE_SCHEMA,
    MANY_TO_MANY,
    OBJECTS,
    PUBLISHED,
)
from wizard.base.errors import OperationFailed
from wizard.postgres import dependants
from wizard.postgres.address import Address, connect
from wizard.postgres.dependants import Dependant
from wizard.sandbox.cluster import Cluster

NO_OBJECTS = {
    "column privileges",
    "column comment",
    "column settings",
    "security label",
    "privileges",
    "comment",
    "replica identity",
}
SEEDS = int(os.environ.get("REMODEL_SEEDS", "3"))
TABLES = """
    SELECT c.relname::text, array_agg(a.attname::text ORDER BY a.attnum)
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
    WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace
      AND a.attnum > 0 AND c.relname ~ '^(x|base_)'
    GROUP BY 1 ORDER BY 1
"""
INHERITING = """
    WITH RECURSIVE below (relid) AS (
        SELECT inhrelid FROM pg_inherits WHERE inhparent = %s::regclass
        UNION SELECT i.inhrelid FROM pg_inherits i JOIN below b ON b.relid = i.inhparent
    )
    SELECT relid::regclass::text FROM below
"""
Connection = psycopg.AsyncConnection[Any]


@pytest.fixture(params=[16, 18])
async def site(
    request: pytest.FixtureRequest,
    cluster: Cluster,
    database: Address,
    cluster_16: Cluster,
    database_16: Address,
) -> AsyncIterator[Connection]:
    """A superuser in a database of `app` with Django's tables, and another role `report`."""
    on, address = (cluster, database) if request.param == 18 else (cluster_16, database_16)
    async with await connect(on.address(address.database)) as superuser:
        await superuser.execute("CREATE ROLE report")
        await as_app(superuser, DJANGO)
        yield superuser
        await superuser.execute("RESET ROLE; DROP OWNED BY report CASCADE; DROP ROLE report")


async def as_app(connection: Connection, *statements: str) -> None:
    await connection.execute("SET ROLE app; GRANT ALL ON SCHEMA public TO app")
    for statement in statements:
        await connection.execute(statement.encode())
    await connection.execute("RESET ROLE")


async def there(connection: Connection) -> list[str]:
    """Every object of ours that is no part of another, by PostgreSQL's name for it."""
    rows = await (await connection.execute(OBJECTS)).fetchall()
    return [identity.removeprefix("for ") for (identity,) in rows]


async def vanishing(connection: Connection, table: str, *columns: str) -> list[str]:
    """What a drop takes along besides, by doing it and taking it back."""
    before = await there(connection)
    async with connection.transaction(force_rollback=True):
        await connection.execute(drop(table, *columns).encode())
        after = await there(connection)
    gone = list((Counter(before) - Counter(after)).elements())
    assert not Counter(after) - Counter(before)
    for name in columns:
        gone.remove(f"public.{table}.{name}")
        for (below,) in await (await connection.execute(INHERITING, [table])).fetchall():
            if f"public.{below}.{name}" in gone and f"public.{below}" not in gone:
                gone.remove(f"public.{below}.{name}")
    if not columns:
        gone = [each for each in gone if each != f"public.{table}"]
        gone = [each for each in gone if not each.startswith(f"public.{table}.")]
    return sorted(each for each in gone if each.rpartition(".")[0] not in gone)


def drop(table: str, *columns: str) -> str:
    """The statement of Django's migration."""
    actions = ", ".join(f"DROP COLUMN {name} CASCADE" for name in columns)
    return f"ALTER TABLE {table} {actions}" if columns else f"DROP TABLE {table} CASCADE"


def named(listed: list[Dependant]) -> list[str]:
    return sorted(each.identity for each in listed if each.certain and each.kind not in NO_OBJECTS)


def by_identity(listed: list[Dependant]) -> dict[str, Dependant]:
    return {each.identity: each for each in listed}


def kinds(listed: list[Dependant]) -> set[str]:
    return {each.kind for each in listed}


async def test_names_a_view_on_a_moved_column_with_its_owner_and_grants(site: Connection) -> None:
    await as_app(
        site,
        "CREATE VIEW keyword_report AS SELECT p.title, b.keywords FROM blog_blog b"
        " JOIN wagtailcore_page p ON p.id = b.page_ptr_id",
        "CREATE MATERIALIZED VIEW mv AS SELECT id, title FROM wagtailcore_page",
        "CREATE VIEW on_top AS SELECT keywords AS words FROM keyword_report",
        "GRANT SELECT ON keyword_report TO report; GRANT UPDATE (words) ON on_top TO PUBLIC",
        "COMMENT ON VIEW on_top IS 'for the newsletter'",
    )
    listed = await dependants.of_columns(site, "blog_blog", ["keywords"])
    assert named(listed) == await vanishing(site, "blog_blog", "keywords")
    lost = [each for each in listed if not each.django_own]
    assert [str(each) for each in lost] == [
        "view public.keyword_report (owner app, SELECT granted to report) reads blog_blog.keywords",
        "view public.on_top (owner app, UPDATE (words) granted to PUBLIC)"
        " reads view public.keyword_report",
    ]
    assert lost[1].comment == "for the newsletter"
    await site.execute(drop("blog_blog", "keywords").encode())
    await as_app(site, "ALTER TABLE blog_blog ADD COLUMN keywords varchar(255)")
    for each in lost:  # in an order in which it can be made anew
        await site.execute(each.definition.encode())


async def test_what_vanishes_is_exactly_what_was_named(site: Connection) -> None:
    await as_app(site, EVERY_KIND)
    await site.execute(PUBLISHED.encode())
    for columns in (["keywords"], ["explicit"], ["keywords", "explicit", "code"], ["cover_id"]):
        listed = await dependants.of_columns(site, "blog_blog", columns)
        assert named(listed) == await vanishing(site, "blog_blog", *columns), columns
        for each in listed:
            assert each.because and each.identity, each
    listed = await dependants.of_columns(site, "blog_blog", ["keywords", "explicit", "code"])
    assert kinds(listed) >= {
        "view",
        "materialized view",
        "function",
        "procedure",
        "generated column",
        "policy",
        "statistics",
        "index",
        "trigger",
        "check constraint",
        "unique constraint",
        "foreign key",
        "exclusion constraint",
        "rule",
        "default",
        "publication column list",
        "publication row filter",
        "column privileges",
        "column comment",
        "column settings",
        "replica identity",
        "aggregate",
        "operator",
        "table",
    }
    for each in listed:
        if each.kind not in {"column privileges", "aggregate", "operator", "type", "table"}:
            assert each.definition, each
    assert "SECURITY LABEL" not in " ".join(each.definition for each in listed)


async def test_definitions_make_everything_anew(site: Connection) -> None:
    await as_app(site, EVERY_KIND)
    await site.execute(PUBLISHED.encode())
    listed = await dependants.of_columns(site, "blog_blog", ["keywords"])
    before = await there(site)
    await site.execute(drop("blog_blog", "keywords").encode())
    await site.execute("ALTER TABLE blog_blog ADD COLUMN keywords varchar(255) DEFAULT 'none'")
    again = {"aggregate", "operator", "table"}  # and what hangs on these
    unmade = {each.name for each in listed if each.kind in again}
    for each in listed:
        if not each.certain or not each.definition:
            continue
        if unmade & set(each.because) or each.name in unmade:
            unmade.add(each.name)
            continue
        await site.execute(each.definition.encode())
    lost = {each.identity for each in listed if each.name in unmade}
    kept = {each for each in before if each.rpartition(".")[0] not in lost} - lost
    assert sorted(kept) == sorted(set(await there(site)))
    anew = await dependants.of_columns(site, "blog_blog", ["keywords"])
    assert {each.name: each.definition for each in anew if each.name not in unmade} == {
        each.name: each.definition for each in listed if each.definition and each.name not in unmade
    }


async def test_tells_what_django_makes_from_what_somebody_made(site: Connection) -> None:
    await as_app(
        site,
        "CREATE INDEX by_hand ON blog_blog (keywords)",
        "CREATE INDEX blog_blog_keywords_abcdef01 ON blog_blog (lower(keywords))",
        "ALTER TABLE blog_blog ADD CONSTRAINT blog_blog_explicit_abcdef01_check"
        " CHECK (explicit < 9), ADD CONSTRAINT code_and_title UNIQUE (code, body)",
    )
    columns = ["keywords", "explicit", "code", "cover_id"]
    listed = await dependants.of_columns(site, "blog_blog", columns)
    assert sorted(each.name for each in listed if not each.django_own) == [
        "check constraint blog_blog_explicit_abcdef01_check on public.blog_blog",
        "index public.blog_blog_keywords_abcdef01",
        "index public.by_hand",
        "unique constraint code_and_title on public.blog_blog",
    ]
    own = kinds([each for each in listed if each.django_own])
    assert own >= {"index", "foreign key", "unique constraint", "check constraint"}
    declared = ["code_and_title"]
    listed = await dependants.of_columns(site, "blog_blog", columns, declared=declared)
    assert by_identity(listed)["code_and_title on public.blog_blog"].django_own
    assert named(listed) == await vanishing(site, "blog_blog", *columns)


async def test_all_that_django_makes_is_its_own(database: Address) -> None:
    script = Path(__file__).parent / "project" / "django_tables.py"
    given = json.dumps(database.parameters())
    process = await asyncio.create_subprocess_exec(
        sys.executable, script, given, stdout=subprocess.PIPE
    )
    names = json.loads((await process.communicate())[0])
    assert process.returncode == 0
    for column in names["columns"]:
        listed = await dependants.of_columns(database, names["table"], [column])
        assert [str(each) for each in listed if not each.django_own] == [] or column == "id"
    columns = [each for each in names["columns"] if each != "id"]
    listed = await dependants.of_columns(database, names["table"], columns)
    assert [str(each) for each in listed if not each.django_own] == []
    assert Counter(each.kind for each in listed) >= Counter(
        {"index": 12, "unique constraint": 7, "check constraint": 6, "foreign key": 5}
    )
    listed = await dependants.of_table(database, names["through"])
    assert [str(each) for each in listed if not each.django_own] == []
    assert kinds(listed) >= {"index", "unique constraint", "primary key", "foreign key"}


async def test_says_what_is_lost_of_the_column_itself(site: Connection) -> None:
    await as_app(
        site,
        "GRANT SELECT (keywords), UPDATE (keywords) ON blog_blog TO report WITH GRANT OPTION",
        "COMMENT ON COLUMN blog_blog.keywords IS 'it''s for search'",
        "ALTER TABLE blog_blog ALTER keywords SET STATISTICS 500, ALTER keywords SET STORAGE MAIN,"
        " ALTER keywords SET (n_distinct = 7), ALTER keywords SET DEFAULT 'none'",
    )
    await site.execute(
        "SET allow_system_table_mods = on; INSERT INTO pg_seclabel VALUES ("
        " 'blog_blog'::regclass, 'pg_class'::regclass, 3, 'selinux', 'secret');"
        "RESET allow_system_table_mods"
    )
    listed = await dependants.of_columns(site, "blog_blog", ["keywords"])
    lost = {each.kind: each for each in listed if not each.django_own}
    assert {each.identity for each in lost.values()} == {"public.blog_blog.keywords"}
    assert lost["column privileges"].privileges == (
        "SELECT (keywords) granted to report with grant option",
        "UPDATE (keywords) granted to report with grant option",
    )
    assert str(lost["column privileges"]) == (
        "column privileges public.blog_blog.keywords (SELECT (keywords) granted to report with"
        " grant option, UPDATE (keywords) granted to report with grant option) are on"
        " blog_blog.keywords"
    )
    assert lost["column comment"].comment == "it's for search"
    assert lost["security label"].definition == (
        "SECURITY LABEL FOR selinux ON COLUMN public.blog_blog.keywords IS 'secret'"
    )
    assert lost["default"].definition.endswith("SET DEFAULT 'none'::character varying")
    settings = lost["column settings"].definition
    assert "SET STATISTICS 500" in settings and "SET STORAGE MAIN" in settings
    await site.execute(settings.encode())
    assert set(lost) == {
        "column privileges",
        "column comment",
        "column settings",
        "security label",
        "default",
    }


async def test_names_what_may_read_by_its_text(site: Connection) -> None:
    await as_app(
        site,
        "CREATE VIEW keyword_report AS SELECT keywords FROM blog_blog",
        "CREATE FUNCTION find(word text) RETURNS bigint LANGUAGE sql AS"
        ' $$ SELECT count(*) FROM "blog_blog" WHERE "keywords" = word $$',
        "CREATE FUNCTION refresh() RETURNS bigint LANGUAGE plpgsql AS"
        " $$ BEGIN RETURN (SELECT count(1) FROM keyword_report); END $$",
        "CREATE FUNCTION every() RETURNS SETOF blog_blog LANGUAGE sql AS"
        " $$ SELECT * FROM blog_blog $$",
        "CREATE FUNCTION other() RETURNS text LANGUAGE sql AS"
        " $$ SELECT 'keywords in my_blog_blog' $$",
        "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE NOTICE '%', NEW.Keywords; RETURN NEW; END $$",
        "CREATE TRIGGER noting AFTER INSERT ON blog_blog FOR EACH ROW EXECUTE FUNCTION note()",
        "ALTER TABLE blog_blog ADD search tsvector;"
        "CREATE TRIGGER searching BEFORE INSERT ON blog_blog FOR EACH ROW EXECUTE FUNCTION"
        " tsvector_update_trigger('search', 'pg_catalog.english', 'keywords')",
        "CREATE VIEW as_json AS SELECT to_jsonb(b) FROM blog_blog b",
        "CREATE VIEW counted AS SELECT count(*) FROM blog_blog b",
    )
    await site.execute(
        "CREATE SCHEMA cron; CREATE TABLE cron.job (jobid int, command text, username text);"
        "INSERT INTO cron.job VALUES (1, 'REFRESH VIEW keyword_report', 'app'), (2, 'VACUUM', '')"
    )
    listed = await dependants.of_columns(site, "blog_blog", ["keywords"])
    maybe = [each for each in listed if not each.certain]
    assert sorted(map(str, maybe)) == [
        "cron job 1 (owner app) may read view public.keyword_report",
        "function text public.every() (owner app) may read blog_blog.*",
        "function text public.find(text) (owner app) may read blog_blog.keywords",
        "function text public.note() (owner app) may read blog_blog.keywords",
        "function text public.refresh() (owner app) may read view public.keyword_report",
        "trigger searching on public.blog_blog may read blog_blog.keywords",
        "view public.as_json may read blog_blog.*",
    ]
    assert named(listed) == await vanishing(site, "blog_blog", "keywords")


async def test_a_column_goes_from_the_tables_that_inherit_it(site: Connection) -> None:
    await as_app(site, INHERITED)
    listed = await dependants.of_columns(site, "parent", ["keywords"])
    assert named(listed) == await vanishing(site, "parent", "keywords")
    assert by_identity(listed)["public.of_child"].because == ("child.keywords",)
    assert "public.of_own" not in by_identity(listed)
    listed = await dependants.of_columns(site, "parted", ["keywords"])
    assert named(listed) == await vanishing(site, "parted", "keywords")
    assert "public.of_part" in by_identity(listed)


@pytest.mark.parametrize(
    ("table", "column", "kind", "words"),
    [
        ("parted", "id", "partition key", "part of the partition key"),
        ("parted_by_expression", "word", "partition key", "part of the partition key"),
        ("child", "keywords", "column that is inherited", "inherited column"),
    ],
)
async def test_says_what_postgresql_refuses(
    site: Connection, table: str, column: str, kind: str, words: str
) -> None:
    await as_app(site, INHERITED)
    (refusing,) = (
        each for each in await dependants.of_columns(site, table, [column]) if each.refuses
    )
    assert refusing.kind == kind
    assert str(refusing).endswith(f"{table}.{column}: PostgreSQL refuses the drop")
    with pytest.raises(psycopg.Error, match=words):
        await vanishing(site, table, column)


async def test_names_what_goes_with_a_table(site: Connection) -> None:
    await as_app(site, MANY_TO_MANY)
    listed = await dependants.of_table(site, "blog_blog_tags")
    assert named(listed) == await vanishing(site, "blog_blog_tags")
    lost = [str(each) for each in listed if not each.django_own]
    assert lost == [
        "comment public.blog_blog_tags is on blog_blog_tags",
        "privileges public.blog_blog_tags (SELECT granted to report) are on blog_blog_tags",
        "column privileges public.blog_blog_tags.tag_id (UPDATE (tag_id) granted to report)"
        " are on blog_blog_tags",
        "index public.by_tag is on blog_blog_tags",
        "view public.tagged (owner app) reads blog_blog_tags",
        "function public.rows(public.blog_blog_tags) (owner app) reads blog_blog_tags",
        "trigger counting on public.blog_blog_tags watches blog_blog_tags",
        "function text public.count_tags() (owner app) may read blog_blog_tags",
    ]


async def test_reads_as_an_ordinary_role_and_by_any_way_to_name_a_table(
    database: Address,
) -> None:
    async with await connect(database) as connection:
        await connection.execute(DJANGO.encode())
        await connection.execute(
            'CREATE SCHEMA "My.Own"; CREATE TABLE "My.Own"."T a" ("Key" int);'
            'CREATE VIEW "My.Own"."V" AS SELECT "Key" FROM "My.Own"."T a"'
        )
    (view,) = await dependants.of_columns(database, 'My.Own"."T a', ["Key"])
    assert str(view) == 'view "My.Own"."V" (owner app) reads My.Own.T a.Key'
    listed = await dependants.of_columns(database, "blog_blog", ["body"])
    assert all(each.django_own for each in listed)
    with pytest.raises(OperationFailed, match="no table nowhere"):
        await dependants.of_columns(database, "nowhere", ["a"])
    with pytest.raises(OperationFailed, match="blog_blog has no column nothing"):
        await dependants.of_columns(database, "blog_blog", ["nothing", "body"])
    with pytest.raises(OperationFailed, match="no table nowhere"):
        await dependants.of_table(database, "nowhere")


async def test_a_member_takes_its_extension_along(site: Connection) -> None:
    await as_app(
        site,
        "CREATE VIEW seen AS SELECT keywords FROM blog_blog",
        "CREATE FUNCTION one() RETURNS integer LANGUAGE plpgsql AS 'BEGIN RETURN 1; END'",
        "CREATE VIEW of_one AS SELECT one()",
    )
    await site.execute("ALTER EXTENSION plpgsql ADD VIEW seen")
    listed = await dependants.of_columns(site, "blog_blog", ["keywords"])
    assert named(listed) == await vanishing(site, "blog_blog", "keywords")
    assert [str(each) for each in listed if not each.django_own] == [
        "view public.seen (owner app) reads blog_blog.keywords",
        "extension plpgsql depends on view public.seen",
        "function public.one() (owner app) reads extension plpgsql",
        "view public.of_one (owner app) reads function public.one()",
    ]
    await site.execute("ALTER EXTENSION plpgsql ADD TABLE blog_blog")
    (refusing,) = (each for each in await dependants.of_table(site, "blog_blog") if each.refuses)
    assert str(refusing) == (
        "member of an extension public.blog_blog depends on blog_blog: PostgreSQL refuses the drop"
    )
    with pytest.raises(psycopg.Error, match="because extension plpgsql requires it"):
        await vanishing(site, "blog_blog")


async def test_leaves_the_callers_transaction_as_it_was(site: Connection) -> None:
    await as_app(site, "CREATE VIEW seen AS SELECT keywords FROM blog_blog")
    await site.execute("SET search_path = public, pg_catalog")
    async with site.transaction(), site.transaction(force_rollback=True):
        await dependants.of_columns(site, "blog_blog", ["keywords"])
        row = await (await site.execute("SHOW search_path")).fetchone()
        assert row == ("public, pg_catalog",)


async def test_a_long_chain_of_views_is_followed_to_its_end(site: Connection) -> None:
    await as_app(site, LARGE_SCHEMA)
    listed = await dependants.of_columns(site, "blog_blog", ["keywords"])
    views = [each.identity for each in listed if each.kind == "view"]
    assert views == [f"public.view_{number}" for number in range(200)]
    assert named(listed) == await vanishing(site, "blog_blog", "keywords")


@pytest.mark.parametrize("seed", range(SEEDS))
async def test_of_any_schema_is_named_what_vanishes(site: Connection, seed: int) -> None:
    schema = Schema(seed)
    await site.execute(NOTED)
    made = 0
    for statement in schema.statements:
        with contextlib.suppress(psycopg.Error):
            await site.execute(statement.encode())
            made += 1
    assert made > len(schema.statements) // 2
    rows = await (await site.execute(TABLES)).fetchall()
    for table, columns in rows:
        drops: list[list[str]] = [[], *([each] for each in columns), columns[:2]]
        for some in drops:
            listed = (
                await dependants.of_columns(site, table, some)
                if some
                else await dependants.of_table(site, table)
            )
            refused = [each for each in listed if each.refuses]
            try:
                gone = await vanishing(site, table, *some)
            except (
                psycopg.errors.InvalidTableDefinition,
                psycopg.errors.DependentObjectsStillExist,
            ):
                assert refused, (table, some)
                continue
            assert not refused, (table, some)
            more, fewer = Counter(named(listed)) - Counter(gone), Counter(gone)
            assert (list(more), list(fewer - Counter(named(listed)))) == ([], []), (table, some)
