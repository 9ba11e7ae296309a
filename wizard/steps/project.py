"""Step 1: look at the project, the databases and the tools; name every fault before any change."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from dataclasses import replace

from wizard.base.errors import ConfigError, IdentityMismatch, OperationFailed, RemodelError
from wizard.base.yamlfile import nearest
from wizard.config.config import Conversion
from wizard.config.databases import Target
from wizard.delivery import kinds
from wizard.delivery.verify import objects
from wizard.engine.context import Context
from wizard.engine.operation import Observation, Operation, Repeatable, Seen, Step
from wizard.engine.result import Result
from wizard.engine.results import LookedAt
from wizard.postgres import identity, server
from wizard.postgres.dumps import exclusion
from wizard.postgres.identity import Identity
from wizard.project.pagetree import PageTree
from wizard.session.plan import CHANGES_NOTHING, Gate, Plan
from wizard.ssh import connection, hostkeys
from wizard.ssh.login import Login, way
from wizard.steps import behind, selection
from wizard.steps.copy import judge_fields
from wizard.steps.trial import Trial

COPIES = (
    "A copy of a server's files (pg_basebackup, a snapshot of its disk) cannot be told from what "
    "it was copied from: make a database there by restoring a dump."
)


class Trust(Operation):
    """Show the key of an SSH host on its first use; accept it when its name is typed.

    That is the name of the target, or of the jump host on the way to one.
    """

    about = "show the SSH host key of a host that is new here"
    observed_before_undo = False

    def __init__(self, login: Login, name: str, *, jump: bool = False) -> None:
        self.login = login
        self.name = name
        self.host = login.destination
        self.key = f"project.{'jump' if jump else 'trust'}:{name}"
        self.title = f"Trust the {'jump host' if jump else 'host of'} {name}"

    async def plan(self, context: Context) -> Plan:
        presented = await connection.host_key(self.login)
        if presented.standing in ("changed", "revoked"):
            raise IdentityMismatch(
                f"The SSH host key of {self.host} is {presented.standing}.",
                found=f"it presents {presented.fingerprint}",
                hint="Find out why before you go on. If the host was set up anew, delete its old "
                f"line from {context.far.known_hosts} or your own known_hosts.",
            )
        known = presented.standing == "known"
        return Plan(
            operation=self.key,
            title=f"Trust the SSH host key of {self.host}",
            does=(
                f"{self.host} presents the {presented.algorithm} key",
                presented.fingerprint,
                "Compare it with what `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` prints "
                "on that host.",
            ),
            undo=f"delete its line from {context.far.known_hosts}",
            gate=Gate(self.name),
            facts={"host": self.host, "key": presented.fingerprint},
            skip=f"{presented.fingerprint} is known" if known else "",
        )

    async def observe(self, context: Context, plan: Plan) -> Observation:
        presented = await connection.host_key(self.login)
        if presented.standing == "known" and presented.fingerprint == plan.facts["key"]:
            return Observation(Seen.DONE, "its key is among those accepted")
        return Observation(Seen.NOT_DONE, "its key is not among those accepted")

    async def apply(self, context: Context, plan: Plan) -> Result:
        presented = await connection.host_key(self.login)
        if presented.fingerprint != plan.facts["key"]:
            raise OperationFailed(
                f"{self.host} presents another key than a moment ago.",
                found=f"{presented.fingerprint}, was {plan.facts['key']}",
                hint="Somebody may be between you and that host. Stop, and find out.",
            )
        hostkeys.trust(context.far.known_hosts, presented)
        return Result(message=f"accepted {presented.fingerprint}")


class Preflight(Repeatable):
    """Check everything that can be checked before anything is changed."""

    key = "project.preflight"
    title = "Look at the project, the databases and the tools"
    about = "versions, connections, models and pages; changes nothing"

    async def plan(self, context: Context) -> Plan:
        conversion = context.config.conversion
        return Plan(
            operation=self.key,
            title=self.title,
            does=(
                f"start Python in {context.config.project.path} and ask Django for its models",
                f"connect to {context.config.local.address}",
                *(f"connect to {target.where}" for target in context.config.reached),
                f"look for {conversion.old_type} pages to become {conversion.new_type}",
            ),
            undo=CHANGES_NOTHING,
        )

    async def apply(self, context: Context, plan: Plan) -> LookedAt:
        await context.worker.stop()  # the operator may have changed the models since
        faults: list[RemodelError] = []
        for check in (_python, _tools):
            await _collect(faults, context, check(context))
        for target in context.config.reached:
            await _collect(faults, context, _target(context, target))
        await _collect(faults, context, _local(context))
        looked = LookedAt()
        if not faults and await behind.has_final_models(context):
            looked = await behind.look(context)
        await context.worker.stop()  # the next one gets the list of targets to refuse
        if faults:
            raise faults[0] if len(faults) == 1 else _all(faults)
        return replace(looked, message="everything that is needed is here")


async def _collect(faults: list[RemodelError], context: Context, check: Awaitable[None]) -> None:
    """Await a check; report its fault and add it to `faults`."""
    try:
        await check
    except RemodelError as fault:
        context.report.finding(type(fault).__name__, fault.message, "fail", fault.hint)
        faults.append(fault)


def _all(faults: Sequence[RemodelError]) -> RemodelError:
    """Return several faults as one error, of the type of the first."""
    return type(faults[0])(
        f"{len(faults)} problems; nothing was changed.",
        found="\n\n".join(str(fault) for fault in faults),
        hint="Fix them, then try again.",
    )


async def _python(context: Context) -> None:
    report, conversion = context.report, context.config.conversion
    hello = (await context.worker.client()).hello
    report.finding("Python", f"{hello.python} at {context.config.project.python}")
    report.finding("Django", hello.django)
    report.finding("Wagtail", hello.wagtail)
    report.finding("settings", hello.settings)
    if await behind.has_final_models(context):
        report.finding("conversion", f"{conversion.new_type} has the moved fields already")
        return
    if conversion.old_type not in hello.page_models:
        raise ConfigError(
            f"{conversion.old_type} is not a page model of this project.",
            found=f"remodel.yml: conversion.from ({context.config.origin.get('conversion.from')})",
            hint=nearest(conversion.old_type, list(hello.page_models)),
        )
    model = await (await context.worker.client()).describe(conversion.old_type)
    own = [field["name"] for field in model["fields"] if field["prefixable"]]
    kinds_of_field = {field["name"]: field["type"] for field in model["fields"]}
    for name in conversion.move:
        _require_movable(conversion, name, kinds_of_field.get(name, ""))
        if name not in own:
            raise ConfigError(
                f"{conversion.old_type} has no field of its own named {name!r} that could move.",
                found="its own fields: " + ", ".join(own),
                hint=nearest(name, own) + " Correct conversion.move in remodel.yml.",
            )
    report.finding("model", f"{conversion.old_type} in {model['file']}")
    await _conversion(context, hello.page_models)
    if context.config.project.package is None and not context.config.project.install:
        report.finding("package", "the app belongs to the project itself", "info")


def _require_movable(conversion: Conversion, name: str, kind: str) -> None:
    """Raise ConfigError for a field that is no plain column of values."""
    if "ManyToMany" in kind:
        raise ConfigError(
            f"{conversion.old_type}.{name} is a many-to-many field, which cannot move.",
            found="its rows are in a table of their own, which refers to the old type",
            hint=f"Take {name} off conversion.move in remodel.yml: it stays on "
            f"{conversion.old_type}, and {conversion.new_type} inherits it with its rows.",
        )
    if kind.endswith(".GeneratedField"):
        raise ConfigError(
            f"{conversion.old_type}.{name} is a generated field, which cannot move.",
            found="the database computes it, from columns that would be renamed beneath it",
            hint=f"Take {name} out of the model with a migration of its own, deploy it, convert, "
            f"and add it to {conversion.new_type} afterwards; or leave it and its inputs off "
            "conversion.move.",
        )


async def _local(context: Context) -> None:
    address = context.config.local.address
    database = (await context.worker.client()).hello.database
    if database.name != address.database:
        raise ConfigError(
            f"Django's settings use the database {database.name!r}, "
            f"remodel.yml says {address.database!r}.",
            found=f"settings: {context.config.project.settings}",
            hint="Make local.database and the settings agree; the worker writes where Django does.",
        )
    if await server.database(address) is None:
        context.report.finding("local database", f"{address.database} is not there yet", "info")
    else:
        ours = await identity.read(address, "local")
        if database.identity not in (None, (ours.system_identifier, ours.oid)):
            raise IdentityMismatch(
                f"Django and remodel.yml reach two databases named {address.database}.",
                found=f"Django's is on {database.host or 'the default socket'}, ours at {address}",
                hint="Give host, port and user in remodel.yml as the settings have them.",
            )
        refuse_target(context, ours)
    about = await server.about(address.at("postgres"))
    context.report.finding("local PostgreSQL", f"{about.version}, {address}")
    if about.is_superuser:
        context.report.finding(
            "local role",
            f"{about.user} is a superuser: restoring runs what production's database contains, "
            "check functions and event triggers, with its rights",
            "warn",
            "Better an ordinary role: CREATE ROLE remodel LOGIN CREATEDB, named as local.user and "
            "in the settings.",
        )
    if not about.can_create_db:
        raise ConfigError(
            f"The local user may not create databases on {address}.",
            hint="ALTER ROLE … CREATEDB; restoring and checkpoints need it.",
        )


def refuse_target(context: Context, ours: Identity) -> None:
    """Raise IdentityMismatch when the local database is a target, or a copy of its files."""
    if role := context.far.pins.role_of(ours):
        raise IdentityMismatch(
            f"The local database has the identity of {role}: it is that database, or a copy of "
            "its server's files.",
            found=str(ours),
            hint="Nothing may be worked on there. Point local and the settings elsewhere. "
            + COPIES,
        )


async def _tools(context: Context) -> None:
    major = await context.tools.local_major()
    context.report.finding("pg_dump", str(await context.tools.pg_dump()))
    context.report.finding("pg_restore", str(await context.tools.pg_restore(major, major)))


async def _target(context: Context, target: Target) -> None:
    report = context.report
    far = await context.far.checked(target)
    theirs = await context.far.identify(target)
    if role := context.far.pins.role_of(theirs, but=target.name):
        raise IdentityMismatch(
            f"{target.name} and {role} have one identity: they are the same database, or one is a "
            "copy of the other's server's files.",
            found=f"{target.name}: {theirs}\n{role}: {context.far.pins.all()[role]}",
            hint=f"Give each target a database of its own in remodel.yml. {COPIES}",
        )
    about = await server.about(far.address)
    report.finding(f"{target.name} PostgreSQL", f"{about.version}, {target.address.database}")
    if target is context.config.backup_source:
        route = await context.far.route(target, await context.tools.local_major())
        report.finding(f"{target.name} backup", route.why)
        await exclusion.resolve(far.address, context.config.backup.exclude_table_data)
        await selection.look_up(context, PageTree(far.address))
    report.finding(*kinds.kind_of(target).preflight(target, about))
    await objects.tell_lacking(context, target, far.address)


async def _conversion(context: Context, page_models: Sequence[str]) -> None:
    """Report the direction of the conversion, and every fault of the field map known by now."""
    conversion, report = context.config.conversion, context.report
    ids = "ids are kept" if conversion.kept else "new ids"
    if conversion.new_type not in page_models:
        if len(conversion.apps) > 1:
            raise ConfigError(
                f"There is no {conversion.new_type}, and it is in another app than "
                f"{conversion.old_type}.",
                found=f"remodel.yml: conversion.to ({context.config.origin.get('conversion.to')})",
                hint="A class is written only into the file of the old one: name the new model "
                "in its app, or one that exists. "
                + nearest(conversion.new_type, list(page_models)),
            )
        report.finding("conversion", f"to a child type that is written here; {ids}")
        return
    judgement = await judge_fields(context, conversion.fields)
    report.finding("conversion", f"to a {judgement['direction']} type that is there; {ids}")
    carried = sum(1 for row in judgement["rows"] if row["target"])
    gone = judgement["dropped"]
    report.finding(
        "field map",
        f"{carried} fields of {conversion.new_type} filled"
        + (f"; dropped: {', '.join(gone)}" if gone else ""),
        "warn" if gone else "ok",
        "Their values are named as losses before the gate." if gone else "",
    )


def _operations(context: Context) -> list[Operation]:
    hosts: dict[Login, Trust] = {}
    for target in context.config.reached:
        if target.ssh:
            *jumps, last = _way(context.far.login(target))
            for jump in jumps:
                hosts.setdefault(jump, Trust(jump, jump.destination, jump=True))
            hosts.setdefault(last, Trust(last, target.name))
    return [*hosts.values(), Preflight(), Trial()]


def _way(login: Login) -> tuple[Login, ...]:
    """Return the hosts that are logged in to. A fault on the way is left to the last one's plan."""
    try:
        return way(login)
    except ConfigError:
        return (login,)


STEP = Step(
    name="project",
    title="Project",
    purpose="Find the project, its databases, hosts and tools, and say what is missing.",
    touches="Nothing is changed. The host key of a server that is new here is kept once accepted.",
    undo="There is nothing to undo.",
    operations=_operations,
)
