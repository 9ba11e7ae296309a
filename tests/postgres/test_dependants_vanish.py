"""What DROP ... CASCADE takes is named before: nothing else, and nothing less."""

from __future__ import annotations

import contextlib
import os
from collections import Counter

import psycopg
import pytest

from tests.postgres.dependants_at_random import NOTED, Schema
from tests.postgres.dependants_ddl import (
    EVERY_KIND,
    INHERITED,
    LARGE_SCHEMA,
    PUBLISHED,
)
from tests.support.dependants import (
    Connection,
    as_app,
    by_identity,
    drop,
    kinds,
    named,
    there,
    vanishing,
)
from wizard.postgres import dependants

SEEDS = int(os.environ.get("REMODEL_SEEDS", "2"))
TABLES = """
    SELECT c.relname::text, array_agg(a.attname::text ORDER BY a.attnum)
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
    WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace
      AND a.attnum > 0 AND c.relname ~ '^(x|base_)'
    GROUP BY 1 ORDER BY 1
"""


async def test_what_vanishes_is_exactly_what_was_named(superuser: Connection) -> None:
    await as_app(superuser, EVERY_KIND)
    await superuser.execute(PUBLISHED.encode())
    for columns in (
        ["keywords"],
        ["explicit"],
        ["keywords", "explicit", "code"],
        ["cover_id"],
        ["key_length"],
        ["key_length", "keywords"],
    ):
        listed = await dependants.of_columns(superuser, "blog_blog", columns)
        assert named(listed) == await vanishing(superuser, "blog_blog", *columns), columns
        for each in listed:
            assert each.because and each.identity, each
    listed = await dependants.of_columns(superuser, "blog_blog", ["keywords", "explicit", "code"])
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


async def test_definitions_make_everything_anew(superuser: Connection) -> None:
    await as_app(superuser, EVERY_KIND)
    await superuser.execute(PUBLISHED.encode())
    listed = await dependants.of_columns(superuser, "blog_blog", ["keywords"])
    before = await there(superuser)
    await superuser.execute(drop("blog_blog", "keywords").encode())
    await superuser.execute("ALTER TABLE blog_blog ADD COLUMN keywords varchar(255) DEFAULT 'none'")
    again = {"aggregate", "operator", "table"}  # and what hangs on these
    unmade = {each.name for each in listed if each.kind in again}
    for each in listed:
        if not each.certain or not each.definition:
            continue
        if unmade & set(each.because) or each.name in unmade:
            unmade.add(each.name)
            continue
        await superuser.execute(each.definition.encode())
    lost = {each.identity for each in listed if each.name in unmade}
    kept = {each for each in before if each.rpartition(".")[0] not in lost} - lost
    assert sorted(kept) == sorted(set(await there(superuser)))
    anew = await dependants.of_columns(superuser, "blog_blog", ["keywords"])
    assert {each.name: each.definition for each in anew if each.name not in unmade} == {
        each.name: each.definition for each in listed if each.definition and each.name not in unmade
    }


async def test_a_column_goes_from_the_tables_that_inherit_it(superuser: Connection) -> None:
    await as_app(superuser, INHERITED)
    listed = await dependants.of_columns(superuser, "parent", ["keywords"])
    assert named(listed) == await vanishing(superuser, "parent", "keywords")
    assert by_identity(listed)["public.of_child"].because == ("child.keywords",)
    assert "public.of_of_both" in by_identity(listed)
    assert not {"public.of_own", "public.of_of_two"} & set(by_identity(listed))
    listed = await dependants.of_columns(superuser, "parted", ["keywords"])
    assert named(listed) == await vanishing(superuser, "parted", "keywords")
    assert "public.of_part" in by_identity(listed)


@pytest.mark.parametrize(
    ("table", "column", "kind", "words"),
    [
        ("parted", "id", "partition key", "part of the partition key"),
        ("parted_by_expression", "word", "partition key", "part of the partition key"),
        ("child", "keywords", "parent table", "inherited column"),
    ],
)
async def test_says_what_postgresql_refuses(
    superuser: Connection, table: str, column: str, kind: str, words: str
) -> None:
    await as_app(superuser, INHERITED)
    (refusing,) = (
        each for each in await dependants.of_columns(superuser, table, [column]) if each.refuses
    )
    assert refusing.kind == kind
    assert str(refusing).endswith(f"{table}.{column}: PostgreSQL refuses the drop")
    with pytest.raises(psycopg.Error, match=words):
        await vanishing(superuser, table, column)


async def test_a_member_takes_its_extension_along(superuser: Connection) -> None:
    await as_app(
        superuser,
        "CREATE VIEW seen AS SELECT keywords FROM blog_blog",
        "CREATE FUNCTION one() RETURNS integer LANGUAGE plpgsql AS 'BEGIN RETURN 1; END'",
        "CREATE VIEW of_one AS SELECT one()",
    )
    await superuser.execute("ALTER EXTENSION plpgsql ADD VIEW seen")
    listed = await dependants.of_columns(superuser, "blog_blog", ["keywords"])
    assert named(listed) == await vanishing(superuser, "blog_blog", "keywords")
    assert [str(each) for each in listed if not each.django_own] == [
        "view public.seen (owner app) reads blog_blog.keywords",
        "extension plpgsql depends on view public.seen",
        "function public.one() (owner app) reads extension plpgsql",
        "view public.of_one (owner app) reads function public.one()",
    ]
    await superuser.execute("ALTER EXTENSION plpgsql ADD TABLE blog_blog")
    (refusing,) = (
        each for each in await dependants.of_table(superuser, "blog_blog") if each.refuses
    )
    assert str(refusing) == ("extension plpgsql depends on blog_blog: PostgreSQL refuses the drop")
    with pytest.raises(psycopg.Error, match="because extension plpgsql requires it"):
        await vanishing(superuser, "blog_blog")


async def test_a_long_chain_of_views_is_followed_to_its_end(superuser: Connection) -> None:
    await as_app(superuser, LARGE_SCHEMA)
    listed = await dependants.of_columns(superuser, "blog_blog", ["keywords"])
    views = [each.identity for each in listed if each.kind == "view"]
    assert views == [f"public.view_{number}" for number in range(200)]
    assert named(listed) == await vanishing(superuser, "blog_blog", "keywords")


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(SEEDS))
async def test_of_any_schema_is_named_what_vanishes(superuser: Connection, seed: int) -> None:
    schema = Schema(seed)
    await superuser.execute(NOTED)
    made = 0
    for statement in schema.statements:
        with contextlib.suppress(psycopg.Error):
            await superuser.execute(statement.encode())
            made += 1
    assert made > len(schema.statements) // 3
    rows = await (await superuser.execute(TABLES)).fetchall()
    for table, columns in rows:
        drops: list[list[str]] = [[], *([each] for each in columns), columns[:2]]
        for some in drops:
            listed = (
                await dependants.of_columns(superuser, table, some)
                if some
                else await dependants.of_table(superuser, table)
            )
            refused = [each for each in listed if each.refuses]
            try:
                gone = await vanishing(superuser, table, *some)
            except (
                psycopg.errors.InvalidTableDefinition,
                psycopg.errors.DependentObjectsStillExist,
            ):
                assert refused, (table, some)
                continue
            assert not refused, (table, some)
            more, fewer = Counter(named(listed)) - Counter(gone), Counter(gone)
            assert (list(more), list(fewer - Counter(named(listed)))) == ([], []), (table, some)
