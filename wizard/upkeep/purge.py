"""`remodel purge`: what a session holds is dropped and deleted, place by place, each behind a gate.

The live database is never among it, nor one that the session's journal does not name. What was
dropped stands in the journal.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from wizard.base.errors import IdentityMismatch
from wizard.config.config import Config
from wizard.config.databases import Target
from wizard.delivery import kinds
from wizard.delivery.results import Dumped
from wizard.engine.context import Context
from wizard.engine.operation import Repeatable, Step
from wizard.engine.operators import Replay
from wizard.engine.result import Result
from wizard.postgres import server
from wizard.postgres.address import Address
from wizard.postgres.admin.delivery_lock import DeliveryLock, alone
from wizard.postgres.dumps import restore
from wizard.postgres.dumps.archive import checksum, delete
from wizard.postgres.identity import Identity
from wizard.session import session as sessions
from wizard.session.answers import Answers
from wizard.session.plan import Gate, Loss, Plan
from wizard.session.session import Session
from wizard.upkeep import artifacts
from wizard.upkeep.artifacts import HeldDatabase, megabytes

LOCAL = "purge.local"


@dataclass(frozen=True, kw_only=True)
class Purged(Result):
    """The databases that were dropped and the files that were deleted, by name."""

    dropped: list[str]
    deleted: list[str]


class Purge(Repeatable):
    """Drop and delete what this session holds here, or on one target."""

    about = "databases that were kept, checkpoints, dumps; none of it comes back"
    gated = True

    def __init__(self, target: Target | None = None) -> None:
        self.target = target
        self.key = f"purge.target:{target.name}" if target else LOCAL
        self.title = f"Purge what is kept on {target.name}" if target else "Purge what is kept here"

    async def plan(self, context: Context) -> Plan:
        session, where = context.session.id, self.target.where if self.target else "this machine"
        held = await self._held(context)
        paths = []
        if not self.target:
            paths = [*artifacts.files(context.config, session), *await _scripts(context)]
        does = [f"drop {database}" for database in held]
        does += [f"delete {path.name}, {megabytes(artifacts.sized([path]))}" for path in paths]
        if not self.target and not context.session.journal.noted("finished"):
            does.append("NOTE: this session has work left; after this it cannot go on or be undone")
        return Plan(
            operation=self.key,
            title=f"Purge what session {session} holds on {where}",
            does=tuple(does),
            destroys=(
                *(Loss(f"the database {database.name}: {database.what}") for database in held),
                *(Loss(f"the {_kind(path)} {path.name}{_only_one(path)}") for path in paths),
            ),
            undo="there is no way back",
            gate=Gate(self.target.name, self.target.name) if self.target else Gate(session),
            facts={
                "session": session,
                "where": where,
                "databases": [database.name for database in held],
                "files": [path.name for path in paths],
            },
            details={
                "oids": {database.name: database.oid for database in held},
                "files": [str(path) for path in paths],
                "bytes": artifacts.sized(paths) + sum(database.bytes or 0 for database in held),
            },
            skip="" if held or paths else f"session {session} holds nothing on {where}",
        )

    async def apply(self, context: Context, plan: Plan) -> Result:
        dropped, deleted = [], []
        async with self._alone(context) as lock:
            for name, oid in plan.details["oids"].items():
                address = await self._address(context)
                there = await server.database(address.at(name))
                if there is None:
                    continue
                if there.oid != oid:
                    raise IdentityMismatch(
                        f"{name} is another database than when its purge was consented to.",
                        found=f"OID {there.oid}, was {oid}",
                        hint="Find out who made it. It was left as it is.",
                    )
                if lock is not None:
                    await lock.require()
                await restore.drop(address, name)
                dropped.append(name)
                context.report.finding(name, "dropped")
        for text in plan.details["files"]:
            delete(Path(text))
            deleted.append(Path(text).name)
            context.report.finding(Path(text).name, "deleted")
        return Purged(
            dropped=dropped,
            deleted=deleted,
            message=f"{len(dropped)} databases and {len(deleted)} files are gone, "
            f"{megabytes(plan.details['bytes'])}",
        )

    async def _held(self, context: Context) -> list[HeldDatabase]:
        """Return the databases that the journal names and that exist. Raise IdentityMismatch for a
        live one."""
        journal, session = context.session.journal, context.session.id
        names = (
            artifacts.far_names(context.config, session, journal, self.target.name)
            if self.target
            else artifacts.local_names(context.config, session, journal)
        )
        if not names:
            return []
        address = await self._address(context)
        held = artifacts.among(await server.databases(address), names)
        system = await _system(address) if held else ""
        for database in held:
            role = context.far.pins.role_of(Identity("", database.name, system, database.oid))
            if role:
                raise IdentityMismatch(
                    f"{database.name} is the database that this session knows as {role}.",
                    found=f"system identifier {system}, OID {database.oid}",
                    hint="Somebody renamed it. Nothing is dropped before it has its name again.",
                )
        return held

    async def _address(self, context: Context) -> Address:
        """Return the server, which for a target has to be the one that the session delivered to.

        Not its live database: a later session may have replaced that, and what this one kept is
        there all the same.
        """
        if self.target is None:
            return context.config.local.address
        far = await context.far.reach(self.target)
        pinned = context.far.pins.all().get(self.target.name)
        system = await _system(far.address)
        if pinned is None or (pinned.system_identifier, pinned.host) != (system, far.where):
            raise IdentityMismatch(
                f"The server of {self.target.name} is not the one this session delivered to.",
                found=f"pinned: {pinned}\nfound:  system identifier {system} on {far.where}",
                hint="Nothing was dropped. Correct remodel.yml, or drop by hand what is left.",
            )
        return far.address

    @asynccontextmanager
    async def _alone(self, context: Context) -> AsyncIterator[DeliveryLock | None]:
        """Hold the target's lock: no delivery or rollback runs meanwhile."""
        if self.target is None:
            yield None
            return
        address = await context.far.address(self.target)
        async with alone(address, f"purge of session {context.session.id}") as lock:
            yield lock


async def _scripts(context: Context) -> list[Path]:
    """Return the plain scripts that this session wrote. A later session writes over them."""
    scripts = []
    for name in context.config.targets:
        state = context.session.journal.state(Dumped.KEY + name)
        if state is None or state.kind != "done":
            continue
        dumped = Dumped.from_json(state.data)
        path = Path(dumped.script) if dumped.script else None
        if path is None or not path.exists():
            continue
        if await checksum(path, context.report) == dumped.script_sha256:
            scripts.append(path)
    return scripts


def _kind(path: Path) -> str:
    return "folder" if path.is_dir() else "file"


def _only_one(path: Path) -> str:
    """Return what the file is the only copy of, as its kind of delivery says; '' for others."""
    files = {end: what for kind in kinds.known() for end, what in kind.files.items()}
    return next((f", {what}" for end, what in files.items() if path.name.endswith(end)), "")


async def _system(address: Address) -> str:
    """Return the identifier of a server, asked beside the database of `address`, which may be
    gone."""
    async with server.operations(address) as connection:
        cursor = await connection.execute("SELECT system_identifier::text FROM pg_control_system()")
        row = await cursor.fetchone()
    return str(row[0]) if row else ""


def step(config: Config, session: Session) -> Step:
    """Return the step: this machine first, then each target that the journal names databases on."""
    journal = session.journal
    operations: list[Purge] = [Purge()]
    for target in config.targets.values():
        if artifacts.far_names(config, session.id, journal, target.name):
            operations.append(Purge(target))
    for operation in operations:  # a session may hold more since it was purged last
        state = journal.state(operation.key)
        if state is not None and state.kind in ("done", "skipped"):
            journal.write(operation.key, "cleared", {"why": "looked at anew"})
    return Step(
        "purge",
        "Purge",
        "Drop and delete what a session holds.",
        "Databases that were kept, checkpoints and dumps of this session; no live database.",
        "There is no way back.",
        lambda context: operations,
    )


async def listed(config: Config) -> list[str]:
    """Return what each session holds, as lines. Reads the local server; targets only by the
    journals."""
    databases = await artifacts.local(config.local.address)
    lines: list[str] = []
    for one in sessions.summaries(config):
        if one.trouble:
            lines.append(f"{one.id}  CANNOT BE USED: {one.trouble}")
            continue
        use = artifacts.use(config, one, databases)
        lines.append(f"{one.id}  {use}")
        lines += [f"    database {database}" for database in use.databases or ()]
        lines += [
            f"    file {path.name}, {megabytes(artifacts.sized([path]))}" for path in use.files
        ]
        lines += [
            f"    on {target}, by the journal: {', '.join(names)}"
            for target, names in use.far.items()
        ]
    if not lines:
        return ["No session yet, so nothing is held."]
    return [*lines, "", "`remodel purge ID` shows what would be dropped and deleted, and asks."]


def keys(config: Config) -> list[str]:
    """Return the keys under which a consent to a purge is recorded."""
    return [LOCAL, *(f"purge.target:{name}" for name in config.targets)]


class Fingerprints(Replay):
    """Consents by the fingerprints on the command line, each to whichever gate it fits."""

    def __init__(self, given: Sequence[str], allowed: Sequence[str], by_hand: str) -> None:
        super().__init__(Answers(), allowed, by_hand)
        self._unused = list(given)

    async def consent(self, plan: Plan, changed: Sequence[str]) -> None:
        """Consent as a replay does, with the fingerprint that fits; each is used for one gate."""
        if plan.fingerprint in self._unused:
            self._unused.remove(plan.fingerprint)
            self._answers.consents[plan.operation] = {"fingerprint": plan.fingerprint}
        elif self._unused:
            given = " or ".join(self._unused)
            self._answers.consents[plan.operation] = {"fingerprint": given}
        await super().consent(plan, changed)
