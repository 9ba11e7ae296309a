"""The dump of production: made now, downloaded from its host, or taken from a file that is here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from wizard.base.errors import ConfigError
from wizard.engine.context import Context
from wizard.engine.operation import Observation, Operation, Seen, StepQuestion
from wizard.engine.results import Fetched
from wizard.postgres import server
from wizard.postgres.drift import baseline
from wizard.postgres.dumps import archive, exclusion, tools
from wizard.postgres.dumps.archive import Archive
from wizard.postgres.dumps.download import download
from wizard.postgres.dumps.tools import Tool
from wizard.session.plan import CHANGES_NOTHING, Plan

FETCH = "fetch"
FAR = "ssh:"

ARCHIVE = StepQuestion(
    key="backup.archive",
    text="Fetch a new backup, or take a dump that is here?",
    help="`fetch` dumps production now. A path takes an existing dump: pg_dump's custom or\n"
    "directory format, or a plain .sql or .sql.gz (relative to remodel.yml); ssh:PATH a file on\n"
    "production's host. What production wrote since then is not in it.",
    default=FETCH,
)


class Fetch(Operation):
    """Dump production, or take a dump that is there already, here or on production's host."""

    key = "backup.fetch"
    title = "Fetch a backup of production"
    about = "pg_dump over SSH into backups/, checksummed and read whole"
    observed_before_undo = False

    async def plan(self, context: Context) -> Plan:
        answer = str(context.facts.answer("backup.archive"))
        if answer == FETCH:
            return await self._dump(context)
        return (
            self._download(context, answer)
            if answer.startswith(FAR)
            else self._take(context, answer)
        )

    async def _dump(self, context: Context) -> Plan:
        production = context.config.backup_source
        far = await context.far.checked(production)
        size = (await server.contents(far.address)).bytes
        route = await context.far.route(production, await context.tools.local_major())
        without = await exclusion.resolve(far.address, context.config.backup.exclude_table_data)
        path = _place(context, ".dump" if route.pg_restore else ".sql.gz")
        where = production.ssh if route.far else "this machine"
        return Plan(
            operation=self.key,
            title=f"Fetch a backup of {production.name}",
            does=(
                f"run pg_dump on {where} for {production.address.database} "
                f"({size / 1e6:,.1f} MB of rows there)",
                f"by {route.why}",
                *(f"leave the rows of {table} there" for table in without),
                f"stream it to {path}, count and hash it, then read it whole",
            ),
            undo=f"delete {path.name}",
            facts={
                "source": production.name,
                "database": production.address.database,
                **({"without": list(without)} if without else {}),
            },
            details={"path": str(path)},
        )

    def _download(self, context: Context, answer: str) -> Plan:
        production, there = context.config.backup_source, answer.removeprefix(FAR)
        if not production.ssh:
            raise ConfigError(
                f"{answer!r} is a file on the host of {production.name}, which has no `ssh`.",
                hint="Give a file that is here, or `fetch`.",
            )
        path = _place(context, ".sql.gz" if there.endswith(".gz") else ".dump")
        return Plan(
            operation=self.key,
            title=f"Fetch the dump that is on {production.ssh}",
            does=(
                f"fetch {there} to {path}, or what an interrupted attempt left to fetch of it",
                "hash it, then read it from its first byte to its last",
                *_all_of_it(context),
            ),
            undo=f"delete {path.name}",
            facts={"source": production.name, "archive": answer},
            details={"path": str(path), "there": there},
        )

    def _take(self, context: Context, answer: str) -> Plan:
        path = (context.config.folder / answer).resolve()
        return Plan(
            operation=self.key,
            title="Take the dump that is here",
            does=(f"read {path} from its first byte to its last", *_all_of_it(context)),
            undo=CHANGES_NOTHING,
            facts={"archive": answer},
            details={"path": str(path)},
        )

    async def apply(self, context: Context, plan: Plan) -> Fetched:
        path, report = Path(plan.details["path"]), context.report
        production = context.config.backup_source
        if "source" not in plan.facts:
            return _fetched(await archive.take(path, await _prover(context), report))
        far = await context.far.checked(production)
        if "there" in plan.details:
            there, prover = plan.details["there"], await _prover(context)
            return _fetched(await download(far.connection, there, path, report, pg_restore=prover))
        route = await context.far.route(production, await context.tools.local_major())
        without = tuple(plan.facts.get("without", ()))
        async with baseline.held(far.address) as held:
            if not held.snapshot:
                since = "none is to be had: drift counts from just before the dump"
                report.finding("snapshot", since, "info")
            dump = await context.far.fetch(
                production, path, report, route, snapshot=held.snapshot, without=without
            )
            return replace(_fetched(dump), baseline=held.as_dict(), without=list(without))

    async def observe(self, context: Context, plan: Plan) -> Observation:
        path = Path(plan.details["path"])
        if "source" in plan.facts and path.exists():
            if plan.facts.get("without"):  # the copy's contents are no baseline then
                return Observation(Seen.PARTLY, "the dump is there, its baseline is not")
            dump = await archive.take(path, await _prover(context), context.report)
            return Observation(Seen.DONE, "a dump gets its name only once proven", _fetched(dump))
        return Observation(Seen.NOT_DONE, "a dump that was interrupted leaves no file")

    async def clear(self, context: Context, plan: Plan) -> None:
        if "source" in plan.facts:  # what was only taken is somebody's own
            archive.remove(Path(plan.details["path"]))

    async def undo(self, context: Context, plan: Plan, facts: Mapping[str, Any]) -> None:
        await self.clear(context, plan)


def _all_of_it(context: Context) -> tuple[str, ...]:
    """Return a note, for a dump that was made elsewhere, on tables that cannot be left out."""
    without = ", ".join(context.config.backup.exclude_table_data)
    if not without:
        return ()
    return (
        f"NOTE: the rows of {without} come along, as far as they are in it: "
        "backup.exclude_table_data is for dumps that are made now",
    )


def _place(context: Context, suffix: str) -> Path:
    return (
        context.config.backups
        / f"db.{context.config.backup_source.name}.{context.session.id}{suffix}"
    )


async def _prover(context: Context) -> Tool:
    """Return the newest pg_restore, to read a dump of whatever server."""
    return await tools.newest_restore(configured=context.config.postgres_bin)


def _fetched(dump: Archive) -> Fetched:
    return Fetched(
        archive=dump,
        message=f"{dump.path.name}: {dump.bytes:,} bytes, read whole, SHA-256 {dump.sha256[:16]}…",
    )
