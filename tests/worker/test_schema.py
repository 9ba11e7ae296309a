"""The database beside the models, by what each column, constraint and index is."""

from __future__ import annotations

from typing import Any

import pytest

from tests.worker.press import Press
from wizard.base.errors import WorkerFailed
from wizard.project.worker_client import WorkerClient

TYPES = ["press.Blog", "press.Podcast"]
OF_OURS = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY 1"
EVERYTHING = '''
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import ArrayField, IntegerRangeField
from django.contrib.postgres.indexes import BrinIndex, GinIndex, HashIndex
from django.db.models import F, Q
from django.db.models.functions import Lower


class Kept(models.Model):
    """An abstract page beside `Page`, with rules of its own."""

    mark = models.SlugField(db_index=True)
    seat = models.CharField(max_length=20, unique=True, db_column="Seat No", db_collation="C")

    class Meta:
        abstract = True
        constraints = [models.CheckConstraint(name="%(class)s_mark", **{RULE: ~Q(mark="")})]


class Magazine(Kept, Blog):
    hours = IntegerRangeField(null=True)
    names = ArrayField(models.CharField(max_length=9), default=list)
    data = models.JSONField(default=dict)
    price = models.DecimalField(max_digits=6, decimal_places=2, db_index=True)
    double = models.GeneratedField(
        expression=F("price") * 2,
        output_field=models.DecimalField(max_digits=7, decimal_places=2),
        db_persist=True,
    )
    state = models.CharField(max_length=9, db_default="new")
    peer = models.OneToOneField("self", null=True, on_delete=models.SET_NULL, related_name="+")
    loose = models.ForeignKey(
        "wagtailimages.Image", null=True, on_delete=models.SET_NULL, related_name="+",
        db_constraint=False, db_index=False,
    )
    others = models.ManyToManyField(Award, related_name="+")

    class Meta(Kept.Meta):
        db_table = 'press_house"."Magazine Ü'
        unique_together = [("price", "state")]
        indexes = [
            GinIndex(fields=["names", "data"], name="mag_gin"),
            BrinIndex(fields=["price"], name="mag_brin"),
            HashIndex(fields=["state"], name="mag_hash"),
            models.Index(Lower("state").desc(), name="mag_lower"),
            models.Index(fields=["state"], include=["price"], condition=Q(price__gt=1),
                         opclasses=["varchar_pattern_ops"], name="mag_like"),
        ]
        constraints = [
            *Kept.Meta.constraints,
            ExclusionConstraint(
                name="mag_hours", expressions=[("hours", "&&")], condition=Q(price__gt=0),
                deferrable=models.Deferrable.DEFERRED,
            ),
            models.UniqueConstraint(fields=["mark"], condition=Q(price=0), name="mag_free"),
            models.UniqueConstraint(Lower("mark"), name="mag_lower_mark"),
            models.UniqueConstraint(
                fields=["price"], deferrable=models.Deferrable.IMMEDIATE, name="mag_price"
            ),
        ]


class Elsewhere(Blog):
    note = models.TextField()

    class Meta:
        managed = False


class Nothing(Blog):
    class Meta:
        proxy = True
'''


async def differences(site: WorkerClient, *types: str, **options: Any) -> list[tuple[str, str]]:
    """What differs, in short."""
    found = await site.ask("schema_differences", models=list(types or TYPES), **options)
    return [(each["only_in"], each["definition"] or each["table"]) for each in found]


async def test_what_django_made_is_as_declared(added: Press) -> None:
    before = await added.query(OF_OURS)
    async with added.site() as site:
        for applied in (False, True):
            assert await differences(site, applied=applied) == []
        assert await differences(site, "shapes.StandardPage", "shapes.ArticlePage") == []
        assert await differences(site, "press.Blog", "press.Missing") == []
    assert await added.query(OF_OURS) == before
    assert await added.query("SELECT 1 FROM pg_namespace WHERE nspname LIKE 'remodel%'") == []


FOREIGN_KEY = "FOREIGN KEY (artwork_id) REFERENCES public.wagtailimages_image(id)"
DRIFTS = {
    "CREATE INDEX by_hand ON press_blog (keywords)": [
        ("database", "CREATE INDEX ON public.press_blog USING btree (keywords)")
    ],
    "CREATE INDEX again ON press_blog (artwork_id)": [
        ("database", "CREATE INDEX ON public.press_blog USING btree (artwork_id)")
    ],
    "ALTER TABLE press_podcast ALTER new_keywords TYPE text": [
        ("database", "new_keywords text NOT NULL"),
        ("models", "new_keywords character varying(255) NOT NULL"),
    ],
    "ALTER TABLE press_podcast ALTER new_keywords DROP NOT NULL": [
        ("database", "new_keywords character varying(255)"),
        ("models", "new_keywords character varying(255) NOT NULL"),
    ],
    "ALTER TABLE press_podcast ALTER new_explicit SET DEFAULT 1": [
        ("database", "new_explicit smallint NOT NULL DEFAULT 1"),
        ("models", "new_explicit smallint NOT NULL"),
    ],
    "ALTER TABLE press_blog DROP COLUMN keywords CASCADE": [
        ("models", "keywords character varying(255) NOT NULL")
    ],
    "ALTER TABLE press_blog DROP CONSTRAINT press_blog_code_key": [("models", "UNIQUE (code)")],
    "ALTER TABLE press_blog DROP CONSTRAINT press_blog_explicit_check": [
        ("models", "CHECK ((explicit >= 0))")
    ],
    "DROP TABLE press_podcast": [("models", "press_podcast")],
}


@pytest.mark.parametrize("drift", DRIFTS)
async def test_what_is_not_as_declared_is_found(added: Press, drift: str) -> None:
    await added.query(drift)
    async with added.site() as site:
        assert await differences(site) == DRIFTS[drift]


async def test_a_foreign_key_is_another_when_it_is_not_deferred(added: Press) -> None:
    (name,) = (
        await added.query(
            "SELECT conname FROM pg_constraint WHERE conrelid = 'press_blog'::regclass "
            "AND contype = 'f' AND pg_get_constraintdef(oid) LIKE '%artwork%'"
        )
    )[0]
    await added.query(f"ALTER TABLE press_blog ALTER CONSTRAINT {name} NOT DEFERRABLE")
    async with added.site() as site:
        assert await differences(site) == [
            ("database", FOREIGN_KEY),
            ("models", f"{FOREIGN_KEY} DEFERRABLE INITIALLY DEFERRED"),
        ]


async def test_names_do_not_matter(added: Press) -> None:
    for kind, query in {
        "ALTER TABLE press_blog RENAME CONSTRAINT": "SELECT conname FROM pg_constraint "
        "WHERE conrelid = 'press_blog'::regclass AND contype IN ('c', 'f', 'u', 'p')",
        "ALTER INDEX": "SELECT i.indexrelid::regclass::text FROM pg_index i "
        "WHERE i.indrelid = 'press_blog'::regclass",
    }.items():
        to = "TO" if "TABLE" in kind else "RENAME TO"
        for number, (name,) in enumerate(await added.query(query)):
            await added.query(f'{kind} {name} {to} "Other {kind[-3:]} {number}"')
    async with added.site() as site:
        assert await differences(site) == []


async def test_the_applied_migrations_say_what_was_declared_before(added: Press) -> None:
    """With the models as they end and the migrations that lead there not applied."""
    await added.query("CREATE INDEX by_hand ON press_blog (code DESC)")
    added.finish_models()
    drift = ("database", "CREATE INDEX ON public.press_blog USING btree (code DESC)")
    async with added.site() as site:
        assert await differences(site, applied=True) == [drift]
        now = await differences(site)
    assert ("database", "keywords character varying(255) NOT NULL") in now
    assert ("models", "keywords character varying(255) NOT NULL") in now


@pytest.mark.slow
async def test_every_kind_of_constraint_and_index(added: Press) -> None:
    """In a child's table, which a project keeps in a schema of its own."""
    import django

    rule = "condition" if django.VERSION >= (5, 1) else "check"
    added.add(EVERYTHING.replace("RULE", repr(rule)))
    await added.query("CREATE SCHEMA press_house")
    await added.django("manage.py", "makemigrations", "press", "-v0")
    await added.django("manage.py", "migrate", "-v0")
    async with added.site() as site:
        assert await differences(site) == []
        assert await differences(site, applied=True) == []
    await added.query("DROP INDEX press_house.mag_gin")
    await added.query('ALTER TABLE press_house."Magazine Ü" DROP CONSTRAINT mag_hours')
    async with added.site() as site:
        found = await site.ask("schema_differences", models=TYPES)
    assert [(each["table"], each["name"], each["only_in"]) for each in found] == [
        ("Magazine Ü", "mag_hours", "models"),
        ("Magazine Ü", "mag_gin", "models"),
    ]


async def test_a_role_that_may_create_no_schema_is_told_what_to_grant(added: Press) -> None:
    name = added.database.database
    await added.query(f"REVOKE CREATE ON DATABASE {name} FROM {added.database.user}")
    async with added.site() as site:
        with pytest.raises(WorkerFailed) as caught:
            await differences(site)
        assert caught.value.hint is not None
        await added.query(caught.value.hint.partition(";")[0])
        assert await differences(site) == []


async def test_a_database_that_the_models_are_not_in_has_nothing_to_compare(added: Press) -> None:
    added.apart()
    (added.project / "config" / "routers.py").write_text(
        "class Router:\n    def allow_migrate(self, db, app_label, **hints):\n"
        "        return app_label != 'press'\n"
    )
    settings = added.project / "config" / "settings.py"
    settings.write_text(settings.read_text() + '\nDATABASE_ROUTERS = ["config.routers.Router"]\n')
    await added.query("DROP TABLE press_podcast")
    async with added.site() as site:
        assert await differences(site) == []
