"""From every stage of the local steps, whatever is broken by then, an undo leads back.

A session is taken to each stage once; its folder and databases are copied for each way to break
something. The project is never loaded by an undo, so that it need not load.
"""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from psycopg import sql

from tests.cases.site import PYTHON, TO_PRODUCTION, Case, Lay, clone, lay_out
from tests.support.consenting_operator import Consenting
from tests.support.postgres import APP_PASSWORD, OWNER
from wizard.base.errors import Declined, ExitCode, RemodelError
from wizard.base.events import Event, Events, Finished
from wizard.commands import runner
from wizard.config import config
from wizard.engine.context import Context
from wizard.engine.engine import Engine
from wizard.postgres.address import Address, connect
from wizard.sandbox.cluster import Cluster
from wizard.session import session as sessions
from wizard.session.plan import Plan
from wizard.steps import STEPS

pytestmark = [
    pytest.mark.xdist_group("cases"),
    pytest.mark.crash,
    pytest.mark.timeout(900),  # the first one waits for the session at each stage
]

NAME = "undo_site"
STAGES = (
    *("structure.model", "structure.migrate", "copy.convert", "copy.delete", "slugs.fields"),
    *("slugs.migrations", "slugs.migrate", "production.site:production"),
)
FEW = ("structure.migrate", "slugs.fields", "production.site:production")


async def statement(address: Address, query: str, *values: str) -> list[tuple[Any, ...]]:
    """Rows of a statement whose names are put in; as the superuser of the server."""
    async with await connect(address) as connection:
        names = map(sql.Identifier, values)
        cursor = await connection.execute(sql.SQL(query).format(*names))
        return await cursor.fetchall() if cursor.description else []


@dataclass(frozen=True)
class Copies:
    """The databases of one server that belong to a case: kept, and put back as they were."""

    server: Address

    async def named(self, beginning: str) -> list[tuple[Any, ...]]:
        async with await connect(self.server) as connection:
            cursor = await connection.execute(
                "SELECT datname, datallowconn, shobj_description(oid, 'pg_database') "
                "FROM pg_database WHERE starts_with(datname, %s) ORDER BY 1",
                [beginning],
            )
            return await cursor.fetchall()

    async def drop(self, beginning: str) -> None:
        for name, _, _ in await self.named(beginning):
            await statement(self.server, "DROP DATABASE {} WITH (FORCE)", name)

    async def copy(self, there: list[tuple[Any, ...]], names: list[str]) -> None:
        """Copy databases, with what no copy has: whether they let somebody in, and whose."""
        for (name, _, _), new in zip(there, names, strict=True):
            await statement(
                self.server,
                "CREATE DATABASE {} TEMPLATE {} OWNER app STRATEGY file_copy",
                *(new, name),
            )

    async def restore(self, there: list[tuple[Any, ...]], kept: list[str]) -> None:
        await self.drop(NAME)
        await self.copy([(name, None, None) for name in kept], [name for name, _, _ in there])
        for name, admits, comment in there:
            await statement(
                self.server,
                f"ALTER DATABASE {{}} ALLOW_CONNECTIONS {'true' if admits else 'false'}",
                name,
            )
            async with await connect(self.server) as connection:
                await connection.execute(
                    sql.SQL("COMMENT ON DATABASE {} IS {}").format(
                        sql.Identifier(name), sql.Literal(comment)
                    )
                )


@dataclass(frozen=True)
class Stages:
    """The case, what it was before the session, and what it was at each stage."""

    case: Case
    cluster: Cluster
    source: dict[str, bytes]
    folders: Path
    there: dict[str, list[tuple[Any, ...]]]

    @property
    def copies(self) -> Copies:
        return Copies(self.cluster.address("postgres"))

    async def put_back(self, stage: str) -> None:
        shutil.rmtree(self.case.project)
        shutil.copytree(self.folders / stage.replace(":", "_"), self.case.project)
        there = self.there[stage]
        kept = [_copy_of(stage, number) for number, _ in enumerate(there)]
        await self.copies.restore(there, kept)

    async def undo(self, to: str = "backup") -> list[str]:
        configured = config.read(self.case.project / "remodel.yml")
        return await runner.undo(configured, "", to)

    async def mine(self) -> list[tuple[Any, ...]]:
        """What the local database held before the session."""
        return await self.case.query("SELECT what FROM mine", at="local")

    async def is_back(self) -> None:
        assert self.case.source() == self.source
        assert await self.mine() == [("this",)]


def _copy_of(stage: str, number: int) -> str:
    return f"kept_{STAGES.index(stage)}_{number}"


async def go_until(case: Case, stage: str) -> None:
    """Begin or go on, and stop in good order once `stage` is done."""
    configured = config.read(case.project / "remodel.yml")
    begun = sessions.summaries(configured)
    events = Events()
    with sessions.resume(configured) if begun else sessions.begin(configured) as session:
        async with Context(configured, session, events) as context:
            engine = Engine(context, STEPS, Consenting(TO_PRODUCTION))

            def listen(event: Event) -> None:
                if isinstance(event, Finished) and event.operation == stage:
                    engine.stop_after_this()

            events.subscribe(listen)
            with suppress(Declined):
                await engine.go()
            assert context.facts.settled(stage)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def stages(
    cluster: Cluster,
    far_cluster: Cluster,
    plain: Address,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Stages]:
    """The session at each stage, copied."""
    root = tmp_path_factory.mktemp("undo")
    production = await clone(far_cluster, plain, NAME)
    local = replace(cluster.address(NAME), user=OWNER, password=APP_PASSWORD)
    case = await lay_out("statement-on-field", root / "project", local, production)
    python = case.project / "python"  # one that can be deleted
    python.write_text(f'#!/bin/sh\nexec {PYTHON} "$@"\n')
    python.chmod(0o755)
    told = case.project / "remodel.yml"
    told.write_text(told.read_text().replace(f"python: {_python(told)}", "python: ./python"))
    await cluster.create_database(NAME, owner=OWNER)
    await case.query("CREATE TABLE mine AS SELECT 'this'::text AS what", at="local")
    shutil.rmtree(case.project / "__pycache__", ignore_errors=True)
    found = Stages(case, cluster, case.source(), root / "stages", {})
    for stage in STAGES:
        await go_until(case, stage)
        shutil.copytree(case.project, found.folders / stage.replace(":", "_"))
        found.there[stage] = there = await found.copies.named(NAME)
        await found.copies.copy(there, [_copy_of(stage, n) for n, _ in enumerate(there)])
    yield found
    for server in (found.copies, Copies(far_cluster.address("postgres"))):
        await server.drop(NAME)
        await server.drop("kept_")


def _python(told: Path) -> str:
    (line,) = [line for line in told.read_text().splitlines() if "python:" in line]
    return line.partition("python: ")[2]


Break = Callable[[Stages], Awaitable[None]]


async def project_broken(stages: Stages) -> None:
    """No settings, no interpreter, and the session's migrations are gone."""
    project = stages.case.project
    (project / "config" / "settings.py").write_text("raise RuntimeError('no settings')\n")
    (project / "python").unlink()
    for path in migrations(stages):
        path.unlink()


async def tables_dropped(stages: Stages) -> None:
    for table in ("blog_blog", "wagtailcore_site", "wagtailcore_page", "django_migrations"):
        await stages.case.query(f"DROP TABLE {table} CASCADE", at="local")


async def database_dropped(stages: Stages) -> None:
    await statement(stages.copies.server, "DROP DATABASE {} WITH (FORCE)", NAME)


async def models_deleted(stages: Stages) -> None:
    models(stages).unlink()


def models(stages: Stages) -> Path:
    return stages.case.project / "blog" / "models" / "blog.py"


def migrations(stages: Stages) -> list[Path]:
    """The migrations that the session wrote."""
    folder = stages.case.project / "blog" / "migrations"
    known = {Path(name) for name in stages.source}
    return [
        path for path in folder.glob("*.py") if path.relative_to(stages.case.project) not in known
    ]


HARM: tuple[Break, ...] = (project_broken, tables_dropped, database_dropped, models_deleted)


@pytest.mark.parametrize(
    ("stage", "harm"),
    [  # two kinds of harm at each stage, each kind at four of them
        pytest.param(stage, harm, id=f"{stage}-{harm.__name__}")
        for number, stage in enumerate(STAGES)
        for harm in (HARM[number % 4], HARM[(number + 1 + number // 4) % 4])
    ],
)
async def test_one_undo_leads_back(stages: Stages, stage: str, harm: Break) -> None:
    await stages.put_back(stage)
    await harm(stages)
    await stages.undo()
    if harm is project_broken:
        settings = stages.case.project / "config" / "settings.py"
        settings.write_bytes(stages.source["config/settings.py"])
    await stages.is_back()
    assert await stages.undo() == []


@pytest.mark.parametrize("stage", FEW)
async def test_a_stopped_server_keeps_no_source_file_from_it(stages: Stages, stage: str) -> None:
    await stages.put_back(stage)
    await stages.cluster.stop()
    try:
        with pytest.raises(RemodelError) as stopped:
            await stages.undo()
        assert stopped.value.exit_code is ExitCode.CONNECTION
        assert "backup.restore" in stopped.value.found
        assert stages.case.source() == stages.source
    finally:
        await stages.cluster.start()
    await stages.undo()
    await stages.is_back()


@pytest.mark.parametrize("stage", ["structure.model", *FEW])
async def test_edited_models_are_left_and_named(stages: Stages, stage: str) -> None:
    """What a person wrote stays; all else is undone; what the hint says finishes it."""
    await stages.put_back(stage)
    edited = models(stages).read_bytes() + b"\nthis is no Python(\n"
    models(stages).write_bytes(edited)
    with pytest.raises(RemodelError) as stopped:
        await stages.undo()
    assert stopped.value.exit_code is ExitCode.FAILED
    assert f"{models(stages).name} was edited since remodel wrote it" in stopped.value.found
    assert models(stages).read_bytes() == edited
    assert migrations(stages) == []
    assert await stages.mine() == [("this",)]
    (as_before,) = stages.case.project.glob(".remodel/sessions/*/structure.model.blog.py.before")
    assert f"copy {as_before} over it" in " ".join(stopped.value.found.split())
    shutil.copy(as_before, models(stages))
    await stages.undo()
    await stages.is_back()


@pytest.mark.parametrize("stage", FEW)
async def test_an_edited_migration_is_left_and_named(stages: Stages, stage: str) -> None:
    await stages.put_back(stage)
    edited = [path for path in migrations(stages) if path.name.startswith("0")][-1]
    edited.write_text(edited.read_text() + "\n# a person's own\n")
    with pytest.raises(RemodelError) as stopped:
        await stages.undo()
    assert str(edited) in stopped.value.found
    assert migrations(stages) == [edited]
    assert await stages.mine() == [("this",)]
    edited.rename(stages.case.project.parent / edited.name)
    await stages.undo()
    await stages.is_back()


class Stopping(Consenting):
    """Goes through everything but the gate of a delivery."""

    async def consent(self, plan: Plan, changed: Sequence[str]) -> None:
        if plan.operation.startswith("production.deliver"):
            raise Declined("no")
        await super().consent(plan, changed)


@pytest.mark.parametrize("name", ["migration-modules", "declared-encoding", "lists-elsewhere"])
async def test_a_case_is_undone_to_the_byte(lay: Lay, name: str) -> None:
    case = await lay(name)
    before = case.source()
    with pytest.raises(Declined):
        await case.run(operator=Stopping(TO_PRODUCTION))
    assert case.source() != before
    (case.project / "manage.py").write_text("raise SystemExit('not for an undo')\n")
    (case.project / "config" / "settings.py").write_text("raise SystemExit('nor this')\n")
    await runner.undo(config.read(case.project / "remodel.yml"), "", "backup")
    left = case.source() | {name: before[name] for name in ("manage.py", "config/settings.py")}
    assert left == before


async def test_a_database_in_use_is_named_and_never_goes_forward(stages: Stages) -> None:
    await stages.put_back("slugs.migrate")
    async with await connect(stages.case.local):
        with pytest.raises(RemodelError) as stopped:
            await stages.undo()
    assert "in use" in stopped.value.found
    assert stages.case.source() == stages.source
    await stages.undo()
    await stages.is_back()


@pytest.mark.parametrize("to", ["structure", "copy", "slugs"])
async def test_a_lost_checkpoint_is_settled_by_an_earlier_one(stages: Stages, to: str) -> None:
    """The first checkpoint of the range is enough; without that, the way out goes further back."""
    await stages.put_back("slugs.migrate")
    for name, _, _ in await stages.copies.named(NAME):
        if name.endswith(("_slugs_migrate", "_copy_delete")):
            await statement(stages.copies.server, "DROP DATABASE {}", name)
    await stages.undo(to)
    await stages.undo()
    await stages.is_back()


async def test_a_lost_first_checkpoint_says_how_to_go_further_back(stages: Stages) -> None:
    await stages.put_back("slugs.migrate")
    for name, _, _ in await stages.copies.named(NAME):
        if name.endswith("_slugs_pages"):
            await statement(stages.copies.server, "DROP DATABASE {}", name)
    with pytest.raises(RemodelError, match="not undone") as stopped:
        await stages.undo("slugs")
    assert "`remodel undo --to backup`" in stopped.value.found
    await stages.undo("backup")
    await stages.is_back()
