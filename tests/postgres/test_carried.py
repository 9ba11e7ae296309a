"""What hangs on moved columns alone is made anew on the new table, word for word."""

from __future__ import annotations

import re

import pytest

from tests.support.dependants import Connection, as_app, drop
from wizard.base.errors import OperationFailed, VerificationFailed
from wizard.postgres import dependants
from wizard.postgres.dependants import Carried

NEW_TABLE = """
    CREATE TABLE blog_podcast (
        blog_ptr_id integer NOT NULL PRIMARY KEY,
        new_keywords varchar(255) NOT NULL,
        new_explicit smallint NOT NULL CHECK (new_explicit >= 0),
        new_code varchar(20) NOT NULL UNIQUE);
"""
COLUMNS = ["keywords", "explicit", "code"]
RENAMED = [f"ALTER TABLE blog_podcast RENAME new_{name} TO {name}" for name in COLUMNS]
CARRIED = """
    CREATE INDEX by_hand ON blog_blog (keywords DESC, explicit) INCLUDE (code)
        WITH (fillfactor = 70) WHERE explicit > 1;
    CREATE UNIQUE INDEX "By lower" ON blog_blog (lower(keywords), "length"(code));
    COMMENT ON INDEX "By lower" IS 'it''s \\ theirs';
    CREATE INDEX words ON blog_blog USING gin (to_tsvector('english', keywords));
    CREATE INDEX blog_blog_more ON blog_blog USING hash (explicit);
    ALTER TABLE blog_blog
        ADD CONSTRAINT "Not both" CHECK (keywords <> '' OR explicit < 3) NOT VALID;
    COMMENT ON CONSTRAINT "Not both" ON blog_blog IS 'one of them';
    ALTER TABLE blog_blog ADD CONSTRAINT pair UNIQUE (keywords, code) DEFERRABLE;
    ALTER TABLE blog_blog ADD CONSTRAINT apart
        EXCLUDE USING gist (int4range(explicit, explicit + 1) WITH &&) WHERE (code <> '');
    CREATE STATISTICS blog_blog_stats (dependencies, ndistinct)
        ON keywords, explicit FROM blog_blog;
    CREATE STATISTICS of_words ON lower(keywords), code FROM blog_blog;
    COMMENT ON STATISTICS of_words IS 'for the report';
    COMMENT ON COLUMN blog_blog.keywords IS 'for blog_blog and public.blog_blog, or iTunes';
    ALTER TABLE blog_blog ALTER keywords SET STATISTICS 500, ALTER keywords SET STORAGE EXTERNAL;
    ALTER TABLE blog_blog ALTER explicit SET STATISTICS 0;
"""
LOST = """
    CREATE INDEX mixed ON blog_blog (keywords, body);
    CREATE INDEX mixed_condition ON blog_blog (keywords) WHERE body <> '';
    CREATE INDEX whole_row ON blog_blog (keywords) WHERE blog_blog IS NOT NULL;
    CREATE INDEX clustered ON blog_blog (keywords DESC);
    ALTER TABLE blog_blog CLUSTER ON clustered;
    CREATE INDEX measured ON blog_blog (lower(keywords));
    ALTER INDEX measured ALTER COLUMN 1 SET STATISTICS 900;
    CREATE UNIQUE INDEX identity ON blog_blog (code DESC);
    ALTER TABLE blog_blog REPLICA IDENTITY USING INDEX identity;
    ALTER TABLE blog_blog ADD CONSTRAINT mixed_check CHECK (keywords <> body);
    ALTER TABLE blog_blog ADD CONSTRAINT whole_check CHECK (keywords <> '' OR blog_blog IS NULL);
    ALTER TABLE blog_blog ADD CONSTRAINT taken CHECK (keywords <> 'taken');
    ALTER TABLE blog_podcast ADD CONSTRAINT taken CHECK (new_keywords <> 'other');
    CREATE STATISTICS mixed_stats ON keywords, body FROM blog_blog;
    CREATE STATISTICS measured_stats ON keywords, code FROM blog_blog;
    ALTER STATISTICS measured_stats SET STATISTICS 9;
    ALTER TABLE blog_blog ALTER code SET (n_distinct = 7), ALTER code SET STATISTICS 9;
    COMMENT ON COLUMN blog_blog.code IS 'theirs';
    COMMENT ON COLUMN blog_podcast.new_code IS 'another';
    CREATE VIEW report_of AS SELECT keywords FROM blog_blog;
"""


async def carried(connection: Connection, new: str | None = "blog_podcast") -> list[Carried]:
    objects = await dependants.of_columns(connection, "blog_blog", COLUMNS)
    return await dependants.carried(connection, objects, "blog_blog", COLUMNS, new, "new_")


async def hand_made(connection: Connection, table: str) -> dict[str, str]:
    """Definition and comment of what is on the columns and not Django's, the table's name aside."""
    listed = await dependants.of_columns(connection, table, COLUMNS)
    return {
        re.sub(rf"public\.{table}(?!\w)", "TABLE", one.definition, count=1): one.comment
        for one in listed
        if not one.django_own
    }


async def as_migrated(connection: Connection) -> None:
    """As after the two migrations."""
    await as_app(connection, drop("blog_blog", *COLUMNS), *RENAMED)


async def test_everything_that_is_certain_is_there_again(superuser: Connection) -> None:
    await as_app(superuser, NEW_TABLE, CARRIED)
    before = await hand_made(superuser, "blog_blog")
    assert len(before) == 12
    listed = await carried(superuser)
    await as_migrated(superuser)
    await superuser.execute("SET ROLE app")
    await dependants.make(superuser, listed)
    after = await hand_made(superuser, "blog_podcast")
    assert after == before
    dependants.require_made(listed, await dependants.of_columns(superuser, "blog_podcast", COLUMNS))


async def test_what_postgresql_words_anew_is_there_as_well(superuser: Connection) -> None:
    """A check with IN is deparsed in another way each time; columns come in the table's order."""
    await as_app(
        superuser,
        "CREATE TABLE blog_podcast (new_explicit smallint NOT NULL,"
        " new_keywords varchar(255) NOT NULL)",
        "ALTER TABLE blog_blog ADD CONSTRAINT known CHECK (keywords IN ('a', 'b'))",
        "CREATE STATISTICS together ON keywords, explicit FROM blog_blog",
    )
    objects = await dependants.of_columns(superuser, "blog_blog", COLUMNS)
    listed = await dependants.carried(
        superuser, objects, "blog_blog", COLUMNS[:2], "blog_podcast", "new_"
    )
    assert len(listed) == 2
    await as_app(superuser, drop("blog_blog", *COLUMNS), *RENAMED[:2])
    await dependants.make(superuser, listed)
    made = await dependants.of_columns(superuser, "blog_podcast", COLUMNS[:2])
    assert not {one.definition for one in made} & {one.statements[0] for one in listed}
    dependants.require_made(listed, made)


async def test_before_the_new_table_is_there_the_same_is_said(superuser: Connection) -> None:
    await as_app(superuser, NEW_TABLE, CARRIED)
    assert [one.name for one in await carried(superuser, None)] == [
        one.name for one in await carried(superuser)
    ]


async def test_what_is_not_certain_is_a_loss(superuser: Connection) -> None:
    await as_app(superuser, NEW_TABLE, LOST)
    assert await carried(superuser) == []


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE blog_podcast ALTER new_keywords TYPE varchar(99)",
        'ALTER TABLE blog_podcast ALTER new_keywords TYPE varchar(255) COLLATE "C"',
        "ALTER TABLE blog_podcast DROP COLUMN new_keywords",
        "CREATE SCHEMA other; ALTER TABLE blog_podcast SET SCHEMA other",
        "RESET ROLE; ALTER TABLE blog_podcast OWNER TO report; SET ROLE app",
    ],
)
async def test_without_an_exact_counterpart_nothing_is_carried(
    superuser: Connection, change: str
) -> None:
    await as_app(
        superuser,
        NEW_TABLE,
        "CREATE INDEX by_hand ON blog_blog (keywords DESC)",
        "COMMENT ON COLUMN blog_blog.keywords IS 'theirs'",
        change,
    )
    table = 'other"."blog_podcast' if "SCHEMA" in change else "blog_podcast"
    await superuser.execute("SET ROLE app")
    assert await carried(superuser, table) == []


async def test_what_cannot_be_made_or_is_not_the_same_is_an_error(superuser: Connection) -> None:
    await as_app(superuser, NEW_TABLE, "CREATE UNIQUE INDEX once ON blog_blog (keywords DESC)")
    (one,) = await carried(superuser)
    await as_migrated(superuser)
    with pytest.raises(VerificationFailed, match=r"index public\.once"):
        dependants.require_made([one], await dependants.of_columns(superuser, "blog_podcast", []))
    await as_app(
        superuser,
        "INSERT INTO blog_podcast VALUES (1, 'a', 1, 'x'), (2, 'a', 1, 'y')",
    )
    with pytest.raises(OperationFailed, match="undo --to slugs") as caught:
        await dependants.make(superuser, [one])
    assert "CREATE UNIQUE INDEX once ON public.blog_podcast" in caught.value.found
