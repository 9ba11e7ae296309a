"""Every object of a delivered database held against the live one.

What the conversion made of the objects is known from the local database: as it was restored, and
as it was dumped. All else has to be what is live; what a restore leaves out is made anew first.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg

from wizard.base import files
from wizard.base.errors import RemodelError, VerificationFailed, some
from wizard.base.events import Report
from wizard.config.databases import TEMPLATE, Target
from wizard.delivery import kinds
from wizard.delivery.verify import objects_ledger
from wizard.engine.context import Context
from wizard.engine.far_side import Describing
from wizard.engine.results import Fetched
from wizard.postgres import server
from wizard.postgres.address import Address
from wizard.postgres.catalog import account, entries, replay
from wizard.postgres.catalog import lacking as lacks
from wizard.postgres.catalog.account import Difference
from wizard.postgres.catalog.entries import Catalog, Key

RESTORED = "catalog.restored.json"
SHOWN = 20


@dataclass(frozen=True)
class Expected:
    """What a target's database has to consist of: of `live`, but for what the conversion `made`.

    `converted` is the local database as it was dumped. `alike` tells whether the local server has
    the target's major version, so that definitions read the same; `describe` described `live`.
    `accepted` names objects that may differ.
    """

    live: Catalog
    converted: Catalog
    made: list[Difference]
    alike: bool
    describe: Describing
    accepted: tuple[str, ...]

    def missing(self, delivered: Catalog) -> list[Difference]:
        """Return what of a database is not as it has to be.

        The database's own settings, owner and comment are left aside: they are told where they are
        copied. So is what nothing depends on.
        """
        differing = account.unexplained(self.live, delivered, self.made, alike=self.alike)
        return [
            one
            for one in differing
            if not one.key.of_database
            and one.key.kind not in account.TOLD
            and str(one.key) not in self.accepted
        ]


async def note_restored(context: Context) -> None:
    """Keep what the local database consists of, before anything is done to it.

    Tell what of the backup it has not.
    """
    there = await _note(context, RESTORED)
    backup = context.facts.of(Fetched).archive
    if backup.is_script:
        return
    with _telling(context.report):
        of_backup = entries.of_archive(backup.path)
        if lacking := sorted(of_backup - there.keys()):
            context.report.finding(
                "objects",
                f"{len(of_backup):,} in the backup, not in the local copy: "
                f"{some(list(map(str, lacking)), SHOWN, ', ')}",
                "warn",
                "A delivery makes them from the live definitions, or is refused by name.",
            )
        else:
            context.report.finding("objects", f"{len(of_backup):,}, each is in the local copy")


async def note_converted(context: Context, target: Target) -> None:
    """Keep what the local database consists of that is dumped for a target."""
    await _note(context, _converted(target))


async def lacking(context: Context, target: Target, live: Address) -> list[str]:
    """Return, as sentences, what our role lacks to make once more what a delivery makes.

    What the target's template has already, is not made; what is accepted to differ need not be.
    """
    remakes = kinds.kind_of(target).remakes
    if remakes is None:
        return []
    describe = await context.far.describing(target)
    catalog = await describe(live)
    there: Catalog = {}
    if target.template != TEMPLATE:
        there = await describe(live.at(target.template))
    remade = {
        key: one
        for key, one in catalog.items()
        if remakes(key, one) and there.get(key) != one and str(key) not in target.accept
    }
    async with server.session(live) as connection:
        return await lacks.lacking(connection, remade)


async def tell_lacking(context: Context, target: Target, live: Address) -> None:
    """Tell long before a delivery what our role lacks for it."""
    name = f"{target.name} objects"
    with _telling(context.report, name):
        if lines := await lacking(context, target, live):
            context.report.finding(
                name,
                some(lines, SHOWN),
                "warn",
                "A delivery there will be refused. Have a superuser grant our role what it lacks, "
                "or deliver as a role that may.",
            )


async def expected(context: Context, target: Target, live: Address) -> Expected | None:
    """Return what a target has to consist of; None where the session's backup kept no account.

    What is live is kept as a file of the session, for `compare_rolled_back`; and for the attempt
    after one that has left another database in its place, as a playbook does that fails.
    """
    describe = await context.far.describing(target)
    there = await server.database(live)
    oid = there.oid if there else 0
    earlier = _noted_live(context, target)
    if earlier is not None and earlier[0] != oid:
        as_live = earlier[1]
    else:
        as_live = await describe(live)
        kept = json.dumps({"oid": oid, "objects": entries.to_json(as_live)})
        files.write(context.artefact(_live(target)), kept)
    wanted = await _expected(context, target, as_live, describe)
    if wanted is None:
        text = "not compared with the live ones: this session's backup is of an older version"
        context.report.finding("objects", text, "warn")
    return wanted


async def _expected(
    context: Context, target: Target, live: Catalog, describe: Describing
) -> Expected | None:
    restored, converted = _noted(context, RESTORED), _noted(context, _converted(target))
    if restored is None or converted is None:
        return None
    there = await server.about(await context.far.address(target))
    alike = there.major == await context.tools.local_major()
    made = account.differences(restored, converted)
    return Expected(live, converted, made, alike, describe, target.accept)


async def make_same(
    context: Context, target: Target, wanted: Expected | None, new: Address, hint: str
) -> None:
    """Make what the database `new` lacks, and account for each object of it.

    Raise VerificationFailed with `hint` where something is left.
    """
    if wanted is None:
        return
    anew: set[Key] = set()
    refused: dict[Key, str] = {}
    delivered = await wanted.describe(new)
    if left := wanted.missing(delivered):
        async with server.session(new) as connection:
            refused = await replay.replay(connection, left, wanted.live)
        anew = {one.key for one in left} - refused.keys()
        delivered = await wanted.describe(new)
        left = wanted.missing(delivered)
    if left:
        raise _not_the_same(target, left, refused, hint)
    objects_ledger.keep(context, target, wanted.live, delivered, anew)


async def make_missing(
    target: Target, wanted: Expected | None, connection: psycopg.AsyncConnection[Any]
) -> None:
    """Make, in an open transaction, what the delivered dump does not have of the live database.

    Raise VerificationFailed where something cannot be made. What is there already stays.
    """
    if wanted is None:
        return
    stays = await replay.standing(connection)
    left = [
        one
        for one in wanted.missing(wanted.converted)
        if _to_make(one, wanted.alike)
        and not stays & {one.key, one.before.of if one.before else None}
    ]
    refused = await replay.replay(connection, left, wanted.live, may_be_there=True)
    if refused:
        raise _not_the_same(
            target,
            [one for one in left if one.key in refused],
            refused,
            f"Everything is as it was. {ways_out(target)}",
        )


def _to_make(one: Difference, alike: bool) -> bool:
    """Return whether a dump that brings no owners and privileges lacks something of an object.

    Owners and privileges are given on their own, but for those of large objects; a user mapping
    stays with its server.
    """
    if one.before is None or one.key.kind in (*entries.PRIVILEGES, "USER MAPPING"):
        return False
    if one.after is None or one.key.kind == entries.LARGE_OBJECT:
        return True
    if one.before.tablespace not in ("", one.after.tablespace):
        return True
    return alike and one.before.definition != one.after.definition


async def tell_delivered(context: Context, target: Target, address: Address) -> None:
    """Account for each object of a database that was delivered before we were cut off."""
    live = _noted_live(context, target)
    with _telling(context.report):
        describe = await context.far.describing(target)
        wanted = live and await _expected(context, target, live[1], describe)
        if not wanted:
            return
        delivered = await describe(address)
        if left := wanted.missing(delivered):
            lines = some(list(map(str, left)), SHOWN)
            context.report.finding("objects", lines, "warn", "They are not as they were live.")
        else:
            objects_ledger.keep(context, target, wanted.live, delivered, ())


async def compare_rolled_back(context: Context, target: Target, address: Address) -> None:
    """Tell what of a database that is live again differs from what it was before the delivery."""
    noted = _noted_live(context, target)
    if noted is None:
        return
    _, before = noted
    with _telling(context.report):
        now = await (await context.far.describing(target))(address)
        differing = [one for one in account.differences(before, now) if not one.key.of_database]
        if differing:
            lines = some(list(map(str, differing)), SHOWN)
            context.report.finding("objects", lines, "warn", "Find out who changed them.")
        else:
            context.report.finding("objects", f"{len(now):,}, each as before the delivery")


@contextmanager
def _telling(report: Report, name: str = "objects") -> Iterator[None]:
    """Report an error of the comparison as a warning: it must not end what it only looks at."""
    try:
        yield
    except RemodelError as error:
        text = " ".join(filter(None, (error.message, error.found)))
        report.finding(name, f"not compared: {text}", "warn", error.hint)


def ways_out(target: Target) -> str:
    """Return what there is to do about objects that cannot be made, for a hint."""
    return (
        "What was changed there since the backup needs a new backup. What our role may not make "
        "needs a role that may. What may differ is named, as here before the colon, in "
        f"targets.{target.name}.accept of remodel.yml. Then try again."
    )


def _not_the_same(
    target: Target, left: list[Difference], refused: Mapping[Key, str], hint: str
) -> VerificationFailed:
    return VerificationFailed(
        f"The objects of the new database differ from those of {target.address.database} in more "
        "than the conversion changes.",
        found=some([_line(difference, refused) for difference in left], SHOWN),
        hint=hint,
    )


def _line(difference: Difference, refused: Mapping[Key, str]) -> str:
    why = refused.get(difference.key)
    return f"{difference}; {why}" if why else str(difference)


async def _note(context: Context, name: str) -> Catalog:
    catalog = await entries.describe(context.config.local.address, await context.tools.pg_dump())
    files.write(context.artefact(name), json.dumps(entries.to_json(catalog)))
    return catalog


def _noted(context: Context, name: str) -> Catalog | None:
    path = context.artefact(name)
    return (
        entries.from_json(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else None
    )


def _noted_live(context: Context, target: Target) -> tuple[int, Catalog] | None:
    """Return which database was live before the delivery, by its OID, and what it consisted of."""
    path = context.artefact(_live(target))
    if not path.exists():
        return None
    noted = json.loads(path.read_text(encoding="utf-8"))
    return noted["oid"], entries.from_json(noted["objects"])


def _converted(target: Target) -> str:
    return f"catalog.{target.name}.converted.json"


def _live(target: Target) -> str:
    return f"catalog.{target.name}.live.json"
