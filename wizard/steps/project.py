"""Step 1: what is here, what is missing, and whether the rest can work at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from wizard.base.errors import ConfigError, IdentityMismatch, OperationFailed, RemodelError
from wizard.base.yamlfile import nearest
from wizard.config.config import Target
from wizard.engine.context import Run
from wizard.engine.operation import Observation, Operation, Repeatable, Seen, Step
from wizard.postgres import identity, server
from wizard.postgres.dumps import exclusion
from wizard.postgres.identity import Identity
from wizard.project.pagetree import Node, PageTree
from wizard.session.plan import Gate, Plan
from wizard.ssh import connection, hostkeys
from wizard.ssh.login import Login, way
from wizard.steps.copy import judge_fields

COPIES = (
    "A copy of a server's files (pg_basebackup, a snapshot of its disk) cannot be told from what "
    "it was copied from: make a database there by restoring a dump."
)


class Trust(Operation):
    """First use of an SSH host: its key is shown and accepted by typing the name that it has here.

    That is the name of a target, or of a jump host on the way to one.
    """

    about = "show the SSH host key of a host that is new here"

    def __init__(self, login: Login, name: str, *, jump: bool = False) -> None:
        self.login = login
        self.name = name
        self.host = login.destination
        self.key = f"project.{'jump' if jump else 'trust'}:{name}"
        self.title = f"Trust the {'jump host' if jump else 'host of'} {name}"

    async def plan(self, run: Run) -> Plan:
        presented = await connection.host_key(self.login)
        if presented.standing in ("changed", "revoked"):
            raise IdentityMismatch(
                f"The SSH host key of {self.host} is {presented.standing}.",
                found=f"it presents {presented.fingerprint}",
                hint="Find out why before you go on. If the host was set up anew, delete its old "
                f"line from {run.known_hosts} or your own known_hosts.",
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
            undo=f"delete its line from {run.known_hosts}",
            gate=Gate(self.name),
            facts={"host": self.host, "key": presented.fingerprint},
            skip=f"{presented.fingerprint} is known" if known else "",
        )

    async def observe(self, run: Run, plan: Plan) -> Observation:
        presented = await connection.host_key(self.login)
        if presented.standing == "known" and presented.fingerprint == plan.facts["key"]:
            return Observation(Seen.DONE, "its key is among those accepted")
        return Observation(Seen.NOT_DONE, "its key is not among those accepted")

    async def apply(self, run: Run, plan: Plan) -> Mapping[str, Any]:
        presented = await connection.host_key(self.login)
        if presented.fingerprint != plan.facts["key"]:
            raise OperationFailed(
                f"{self.host} presents another key than a moment ago.",
                found=f"{presented.fingerprint}, was {plan.facts['key']}",
                hint="Somebody may be between you and that host. Stop, and find out.",
            )
        hostkeys.trust(run.known_hosts, presented)
        return {"message": f"accepted {presented.fingerprint}"}


class Preflight(Repeatable):
    """Everything that can be found out before anything is touched."""

    key = "project.preflight"
    title = "Look at the project, the databases and the tools"
    about = "versions, connections, models and pages; changes nothing"

    async def plan(self, run: Run) -> Plan:
        conversion = run.config.conversion
        return Plan(
            operation=self.key,
            title=self.title,
            does=(
                f"start Python in {run.config.project.path} and ask Django for its models",
                f"connect to {run.config.local.address}",
                *(f"connect to {target.where}" for target in run.config.reached),
                f"look for {conversion.source} pages to become {conversion.target}",
            ),
            undo="nothing to undo",
        )

    async def apply(self, run: Run, plan: Plan) -> Mapping[str, Any]:
        faults: list[RemodelError] = []
        for look in (_python, _tools):
            await _collect(faults, run, look(run))
        for target in run.config.reached:
            await _collect(faults, run, _target(run, target))
        await _collect(faults, run, _local(run))
        await run.stop_site()  # the next one is told which databases are targets
        if faults:
            raise faults[0] if len(faults) == 1 else _all(faults)
        return {"message": "everything that is needed is here"}


async def _collect(faults: list[RemodelError], run: Run, looking: Any) -> None:
    try:
        await looking
    except RemodelError as fault:
        run.report.finding(type(fault).__name__, fault.message, "fail", fault.hint)
        faults.append(fault)


def _all(faults: Sequence[RemodelError]) -> RemodelError:
    """Several faults as one error, of the kind of the first."""
    return type(faults[0])(
        f"{len(faults)} things stand in the way.",
        found="\n\n".join(str(fault) for fault in faults),
        hint="Mend them, then try again.",
    )


async def _python(run: Run) -> None:
    report, conversion = run.report, run.config.conversion
    hello = (await run.site()).hello
    report.finding("Python", f"{hello.python} at {run.config.project.python}")
    report.finding("Django", hello.django)
    report.finding("Wagtail", hello.wagtail)
    report.finding("settings", hello.settings)
    if conversion.source not in hello.page_models:
        raise ConfigError(
            f"{conversion.source} is not a page model of this project.",
            found=f"remodel.yml: conversion.from ({run.config.origin.get('conversion.from')})",
            hint=nearest(conversion.source, list(hello.page_models)),
        )
    described = await (await run.site()).ask("describe", model=conversion.source)
    own = [field["name"] for field in described["fields"] if field["prefixable"]]
    for name in conversion.move:
        if name not in own:
            raise ConfigError(
                f"{conversion.source} has no field of its own named {name!r} that could move.",
                found="its own fields: " + ", ".join(own),
                hint=nearest(name, own) + " Correct conversion.move in remodel.yml.",
            )
    report.finding("model", f"{conversion.source} in {described['file']}")
    await _conversion(run, hello.page_models)
    if run.config.project.package is None and not run.config.project.install:
        report.finding("package", "the app belongs to the project itself", "info")


async def _local(run: Run) -> None:
    address = run.config.local.address
    database = (await run.site()).hello.database
    if database.name != address.database:
        raise ConfigError(
            f"Django's settings use the database {database.name!r}, "
            f"remodel.yml says {address.database!r}.",
            found=f"settings: {run.config.project.settings}",
            hint="Make local.database and the settings agree; the worker writes where Django does.",
        )
    if await server.database(address) is None:
        run.report.finding("local database", f"{address.database} is not there yet", "info")
    else:
        ours = await identity.read(address, "local")
        if database.identity not in (None, (ours.system_identifier, ours.oid)):
            raise IdentityMismatch(
                f"Django and remodel.yml reach two databases named {address.database}.",
                found=f"Django's is on {database.host or 'the default socket'}, ours at {address}",
                hint="Give host, port and user in remodel.yml as the settings have them.",
            )
        refuse_target(run, ours)
    about = await server.about(address.at("postgres"))
    run.report.finding("local PostgreSQL", f"{about.version}, {address}")
    if not about.can_create_db:
        raise ConfigError(
            f"The local user may not create databases on {address}.",
            hint="ALTER ROLE … CREATEDB; restoring and checkpoints need it.",
        )


def refuse_target(run: Run, ours: Identity) -> None:
    """Raise IdentityMismatch for a local database that is a target's, or cannot be told from it."""
    if role := run.pins.role_of(ours):
        raise IdentityMismatch(
            f"The local database has the identity of {role}: it is that database, or a copy of "
            "its server's files.",
            found=str(ours),
            hint="Nothing may be worked on there. Point local and the settings elsewhere. "
            + COPIES,
        )


async def _tools(run: Run) -> None:
    major = await run.local_major()
    run.report.finding("pg_dump", str(await run.pg_dump()))
    run.report.finding("pg_restore", str(await run.pg_restore(major, major)))


async def _target(run: Run, target: Target) -> None:
    report = run.report
    far = await run.far(target)
    found = await run.identify(target)
    if role := run.pins.role_of(found, but=target.name):
        raise IdentityMismatch(
            f"{target.name} and {role} have one identity: they are the same database, or one is a "
            "copy of the other's server's files.",
            found=f"{target.name}: {found}\n{role}: {run.pins.all()[role]}",
            hint=f"Give each target a database of its own in remodel.yml. {COPIES}",
        )
    about = await server.about(far.address)
    report.finding(f"{target.name} PostgreSQL", f"{about.version}, {target.address.database}")
    if target is run.config.source:
        route = await run.route(target, await run.local_major())
        report.finding(f"{target.name} backup", route.why)
        await exclusion.resolve(far.address, run.config.backup.exclude_table_data)
        await _pages(run, PageTree(far.address))
    if target.delivery == "swap" and not about.can_create_db:
        report.finding(
            f"{target.name} rights",
            f"{target.address.user or 'the user'} may not create databases",
            "warn",
            "A swap needs CREATEDB on the target; `in place` and a playbook do not.",
        )
    else:
        report.finding(f"{target.name} delivery", target.delivery)


async def _conversion(run: Run, page_models: Sequence[str]) -> None:
    """In which direction it goes, and every fault of the field map that can be known by now."""
    conversion, report = run.config.conversion, run.report
    ids = "ids are kept" if conversion.kept else "new ids"
    if conversion.target not in page_models:
        if len(conversion.apps) > 1:
            raise ConfigError(
                f"There is no {conversion.target}, and it is in another app than "
                f"{conversion.source}.",
                found=f"remodel.yml: conversion.to ({run.config.origin.get('conversion.to')})",
                hint="A class is written only into the file of the old one: name the new model "
                "in its app, or one that exists. " + nearest(conversion.target, list(page_models)),
            )
        report.finding("conversion", f"to a child type that is written here; {ids}")
        return
    told = await judge_fields(run, conversion.fields)
    report.finding("conversion", f"to a {told['direction']} type that is there; {ids}")
    carried = sum(1 for row in told["rows"] if row["target"])
    gone = told["dropped"]
    report.finding(
        "field map",
        f"{carried} fields of {conversion.target} filled"
        + (f"; let go: {', '.join(gone)}" if gone else ""),
        "warn" if gone else "ok",
        "Their values are named as losses before the gate." if gone else "",
    )


async def _pages(run: Run, tree: PageTree) -> None:
    """The pages that remodel.yml names, as production has them: a typing error shows early."""
    for selector in run.config.conversion.pages:
        ((kind, value),) = selector.items()
        if kind == "where":
            run.report.finding("pages", "by a filter: they are looked for in the backup", "info")
        elif kind == "all":
            await _some(run, tree, "", "in the tree")
        elif kind == "under":
            top = await _one(tree, {"path": value}, "")
            await _some(run, tree, top.path, f"under {top.url_path}")
        else:
            page = await _one(tree, selector, "Name the page by its id or path.")
            if page.type.lower() != run.config.conversion.source.lower():
                raise ConfigError(
                    f"The page {page.title!r} is a {page.type}, not a "
                    f"{run.config.conversion.source}.",
                    found=f"{page.url_path} (id {page.id})",
                    hint="Has it been converted already? Correct conversion in remodel.yml.",
                )
            run.report.finding("page", f"{page.type} {page.title!r} at {page.url_path}")


async def _one(tree: PageTree, selector: Mapping[str, Any], hint: str) -> Node:
    """The one page that a selector names."""
    ((kind, value),) = selector.items()
    found, wanted = await tree.select(selector), f"the {kind} {value!r}"
    if not found:
        near = nearest(str(value), await tree.slugs()) if kind == "slug" else ""
        raise ConfigError(f"No page has {wanted}.", hint=near or "Look it up in the admin.")
    if len(found) > 1:
        raise ConfigError(
            f"{len(found)} pages have {wanted}.",
            found="\n".join(f"{page.type} {page.url_path} (id {page.id})" for page in found),
            hint=f"{hint} Correct conversion.pages.".strip(),
        )
    return found[0]


async def _some(run: Run, tree: PageTree, below: str, where: str) -> None:
    """There is a page of the source's type below a treebeard path."""
    source = run.config.conversion.source
    page = await tree.first(source, below=below)
    if page is None:
        raise ConfigError(
            f"No {source} is {where}.",
            hint="Has everything been converted already? Correct conversion.pages.",
        )
    run.report.finding("pages", f"{source} {where}; the first is {page.title!r}")


def _operations(run: Run) -> list[Operation]:
    hosts: dict[Login, Trust] = {}
    for target in run.config.reached:
        if target.ssh:
            *jumps, last = _way(run.login(target))
            for jump in jumps:
                hosts.setdefault(jump, Trust(jump, jump.destination, jump=True))
            hosts.setdefault(last, Trust(last, target.name))
    return [*hosts.values(), Preflight()]


def _way(login: Login) -> tuple[Login, ...]:
    """The hosts that are logged in to; what keeps us from telling, the last one's plan tells."""
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
