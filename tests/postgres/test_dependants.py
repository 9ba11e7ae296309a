"""What goes with a dropped column: a line for each object, its owner, and what Django makes."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.postgres.dependants_ddl import DJANGO, MANY_TO_MANY
from tests.support.dependants import (
    Connection,
    as_app,
    by_identity,
    drop,
    kinds,
    named,
    vanishing,
)
from wizard.base.errors import OperationFailed
from wizard.postgres import dependants
from wizard.postgres.address import Address, connect
from wizard.sandbox.cluster import Cluster


async def test_names_a_view_on_a_moved_column_with_owner_and_grants(
    superuser: Connection,
) -> None:
    await as_app(
        superuser,
        "CREATE VIEW keyword_report AS SELECT p.title, b.keywords FROM blog_blog b"
        " JOIN wagtailcore_page p ON p.id = b.page_ptr_id",
        "CREATE MATERIALIZED VIEW mv AS SELECT id, title FROM wagtailcore_page",
        "CREATE VIEW on_top AS SELECT keywords AS words FROM keyword_report",
        "GRANT SELECT ON keyword_report TO report; GRANT UPDATE (words) ON on_top TO PUBLIC",
        "COMMENT ON VIEW on_top IS 'for the newsletter'",
    )
    listed = await dependants.of_columns(superuser, "blog_blog", ["keywords"])
    assert named(listed) == await vanishing(superuser, "blog_blog", "keywords")
    lost = [each for each in listed if not each.django_own]
    assert [str(each) for each in lost] == [
        "view public.keyword_report (owner app, SELECT granted to report) reads blog_blog.keywords",
        "view public.on_top (owner app, UPDATE (words) granted to PUBLIC)"
        " reads view public.keyword_report",
    ]
    assert lost[1].comment == "for the newsletter"
    await superuser.execute(drop("blog_blog", "keywords").encode())
    await as_app(superuser, "ALTER TABLE blog_blog ADD COLUMN keywords varchar(255)")
    for each in lost:  # in an order in which it can be made anew
        await superuser.execute(each.definition.encode())


async def test_tells_what_django_makes_from_what_somebody_made(superuser: Connection) -> None:
    await as_app(
        superuser,
        "CREATE INDEX by_hand ON blog_blog (keywords)",
        "CREATE INDEX blog_blog_keywords_abcdef01 ON blog_blog (lower(keywords))",
        "ALTER TABLE blog_blog ADD CONSTRAINT blog_blog_explicit_abcdef01_check"
        " CHECK (explicit < 9), ADD CONSTRAINT code_and_title UNIQUE (code, body)",
    )
    columns = ["keywords", "explicit", "code", "cover_id"]
    listed = await dependants.of_columns(superuser, "blog_blog", columns)
    assert sorted(each.name for each in listed if not each.django_own) == [
        "check constraint blog_blog_explicit_abcdef01_check on public.blog_blog",
        "index public.blog_blog_keywords_abcdef01",
        "index public.by_hand",
        "unique constraint code_and_title on public.blog_blog",
    ]
    own = kinds([each for each in listed if each.django_own])
    assert own >= {"index", "foreign key", "unique constraint", "check constraint"}
    declared = ["code_and_title"]
    listed = await dependants.of_columns(superuser, "blog_blog", columns, declared=declared)
    assert by_identity(listed)["code_and_title on public.blog_blog"].django_own
    assert named(listed) == await vanishing(superuser, "blog_blog", *columns)


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


async def test_says_what_is_lost_of_the_column_itself(superuser: Connection) -> None:
    await as_app(
        superuser,
        "GRANT SELECT (keywords), UPDATE (keywords) ON blog_blog TO report WITH GRANT OPTION",
        "COMMENT ON COLUMN blog_blog.keywords IS 'it''s for search'",
        "ALTER TABLE blog_blog ALTER keywords SET STATISTICS 500, ALTER keywords SET STORAGE MAIN,"
        " ALTER keywords SET (n_distinct = 7), ALTER keywords SET DEFAULT 'none'",
    )
    await superuser.execute(
        "SET allow_system_table_mods = on; INSERT INTO pg_seclabel VALUES ("
        " 'blog_blog'::regclass, 'pg_class'::regclass, 3, 'selinux', 'secret');"
        "RESET allow_system_table_mods"
    )
    listed = await dependants.of_columns(superuser, "blog_blog", ["keywords"])
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
    await superuser.execute(settings.encode())
    assert set(lost) == {
        "column privileges",
        "column comment",
        "column settings",
        "security label",
        "default",
    }


async def test_names_what_may_read_by_its_text(superuser: Connection) -> None:
    await as_app(
        superuser,
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
    await superuser.execute(
        "CREATE SCHEMA cron; CREATE TABLE cron.job (jobid int, command text, username text);"
        "INSERT INTO cron.job VALUES (1, 'REFRESH VIEW keyword_report', 'app'), (2, 'VACUUM', '')"
    )
    listed = await dependants.of_columns(superuser, "blog_blog", ["keywords"])
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
    assert named(listed) == await vanishing(superuser, "blog_blog", "keywords")


async def test_names_what_goes_with_a_table(superuser: Connection) -> None:
    await as_app(superuser, MANY_TO_MANY)
    listed = await dependants.of_table(superuser, "blog_blog_tags")
    assert named(listed) == await vanishing(superuser, "blog_blog_tags")
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


async def test_names_each_once_of_all_that_a_migration_drops(superuser: Connection) -> None:
    await as_app(
        superuser,
        MANY_TO_MANY,
        "CREATE VIEW of_two AS SELECT keywords, tag_id FROM blog_blog, blog_blog_tags",
        "CREATE FUNCTION of_both() RETURNS text LANGUAGE sql AS"
        " 'SELECT max(b.keywords) FROM blog_blog b, blog_blog_tags t'",
    )
    listed = await dependants.of_drops(superuser, {"blog_blog": ["keywords"]}, ["blog_blog_tags"])
    lines = [str(each) for each in listed]
    assert len(lines) == len(set(lines))
    assert "view public.of_two (owner app) reads blog_blog.keywords, blog_blog_tags" in lines
    assert (
        "function text public.of_both() (owner app) may read blog_blog.keywords, blog_blog_tags"
        in lines
    )
    assert {each.identity for each in listed} >= {
        each.identity for each in await dependants.of_table(superuser, "blog_blog_tags")
    }


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


async def test_tells_what_our_role_may_not_use(cluster: Cluster, database: Address) -> None:
    async with await connect(database) as connection:
        await connection.execute(DJANGO.encode())
        await connection.execute("GRANT SELECT ON blog_blog TO PUBLIC")
    async with await connect(cluster.address(database.database)) as superuser:
        await superuser.execute(
            "CREATE SCHEMA cron; CREATE TABLE cron.job (jobid int, command text);"
            "CREATE VIEW cron.seen AS SELECT keywords FROM blog_blog;"
            "CREATE INDEX hidden ON blog_blog (lower(keywords));"
            "CREATE FUNCTION cron.read() RETURNS text SECURITY DEFINER LANGUAGE sql AS"
            " 'SELECT max(keywords) FROM blog_blog'; REVOKE ALL ON FUNCTION cron.read FROM PUBLIC"
        )
    listed = await dependants.of_columns(database, "blog_blog", ["keywords"])
    assert [str(each) for each in listed if not each.django_own] == [
        "view cron.seen (owner developer) reads blog_blog.keywords",
        "index public.hidden is on blog_blog.keywords",
        "function text cron.read() (owner developer, EXECUTE revoked from PUBLIC)"
        " may read blog_blog.keywords",
    ]


async def test_leaves_the_callers_transaction_as_it_was(superuser: Connection) -> None:
    await as_app(superuser, "CREATE VIEW seen AS SELECT keywords FROM blog_blog")
    await superuser.execute("SET search_path = public, pg_catalog")
    async with superuser.transaction(), superuser.transaction(force_rollback=True):
        await dependants.of_columns(superuser, "blog_blog", ["keywords"])
        row = await (await superuser.execute("SHOW search_path")).fetchone()
        assert row == ("public, pg_catalog",)
