"""Step 4: pages of the new type with everything that belonged to the old ones."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from wizard.base.errors import ConfigError, OperationFailed, VerificationFailed
from wizard.config import fieldmap
from wizard.config.fieldmap import FieldTable, Row
from wizard.engine.context import Context
from wizard.engine.operation import Observation, Seen, Step, StepQuestion
from wizard.reports import ledger
from wizard.reports.ledger import Ledger
from wizard.session.plan import Gate, Loss, Plan
from wizard.steps import checkpointed
from wizard.steps.checkpointed import Checkpointed

FAULTS_SHOWN = 50
PAGES_NAMED = 50  # of more pages a plan tells the number and a hash
FEW = 5  # lines of a plan that are about one page each
MARKED = 20  # pages whose children a screen marks as moved


class Convert(Checkpointed):
    """Pages of the new type, new or in place; references follow. One transaction."""

    key = "copy.convert"
    title = "Convert the pages to the new type"
    about = "fields by the map, children and references follow, every one accounted for"
    gated = True

    async def plan(self, context: Context) -> Plan:
        context.facts.of("structure.migrate")
        conversion, site = context.config.conversion, await context.worker.client()
        arguments = {**_arguments(context), "fields": context.facts.answer(FIELDS_KEY)}
        found = await site.ask(
            "find_pages", model=conversion.old_type, selectors=[dict(p) for p in conversion.pages]
        )
        planned = await site.ask("convert_plan", **arguments, pages=[p["id"] for p in found])
        if planned["faults"]:
            raise _refused(planned["faults"])
        _tell(context, planned)
        pages = planned["pages"]
        losses = tuple(Loss(what, count) for what, count in planned["losses"].items())
        return Plan(
            operation=self.key,
            title=f"{'Convert' if conversion.kept else 'Copy'} {len(pages):,} {conversion.old_type} "
            f"to {conversion.new_type}" + (" in place" if conversion.kept else ""),
            does=(
                f"take the checkpoint {checkpointed.name(context, self.key)}",
                *_does(planned, kept=conversion.kept),
            ),
            destroys=losses,
            undo="`remodel undo --to copy` goes back to the checkpoints of this step",
            gate=Gate(conversion.new_type),
            facts={
                "from": conversion.old_type,
                "to": conversion.new_type,
                "ids": conversion.ids,
                "pages": named([page["url_path"] for page in pages]),
                "prefix": conversion.prefix,
                "move": list(conversion.move),
                "fields": [" ".join(row.cells()[:3]) for row in _rows(planned)],
            },
            details={
                "pages": [page["old"] for page in pages],
                "fields": arguments["fields"],
                "field_map": [row.cells() for row in _rows(planned)],
            },
        )

    async def apply(self, context: Context, plan: Plan) -> Mapping[str, Any]:
        done = await (await context.worker.client()).ask(
            "convert",
            context.report,
            **_arguments(context),
            fields=plan.details["fields"],
            pages=list(plan.details["pages"]),
        )
        account = Ledger.of(done["ledger"])
        ledger.write(context.session.folder, account)
        context.report.ledger(account.as_list())
        context.report.document("Ledger", "table", ledger.table(account))
        context.report.tree(await _done_marks(context, done["map"]))
        tell_left(context, done["left"])
        for check in done["verified"]:
            context.report.finding(check["name"], check["detail"])
        return {
            **{name: done[name] for name in ("map", "left", "verified", "seconds")},
            "ledger": account.totals,
            "message": f"pages converted: {len(done['map']):,}; {ledger.summed(account.totals)}",
        }

    async def finalize(self, context: Context, plan: Plan, facts: Mapping[str, Any]) -> None:
        account = ledger.read(context.session.folder)
        if account is None:
            context.report.finding(
                "ledger",
                "it was lost with the process that was cut off",
                "warn",
                "It balanced, or the conversion would not have been committed. To have it: "
                "`remodel undo --to copy`, and convert again.",
            )
            return
        if account.unbalanced:
            raise VerificationFailed(
                "The ledger does not balance: something has no account.",
                found="\n".join(
                    f"{entry.name}: {entry.before:,} before, {entry.accounted:,} accounted for"
                    for entry in account.unbalanced
                ),
                hint="`remodel undo --to copy` brings the checkpoint back.",
            )
        context.report.finding("ledger", f"balances: {ledger.summed(account.totals)}")

    async def observe(self, context: Context, plan: Plan) -> Observation:
        conversion = context.config.conversion
        observed = await (await context.worker.client()).ask(
            "observe_conversion",
            source=conversion.old_type,
            target=conversion.new_type,
            pages=list(plan.details["pages"]),
            prefix=conversion.prefix,
            ids=conversion.ids,
        )
        if observed["state"] == ("converted" if conversion.kept else "both"):
            facts = {"map": observed["map"], "left": [], "verified": [], "seconds": {}}
            return Observation(Seen.DONE, "the pages of the new type are there", facts)
        if context.session.journal.kept(self.key):
            # Sequences do not roll back: without the checkpoint the pages would get other ids.
            return Observation(Seen.PARTLY, "the transaction used up ids and was not committed")
        return Observation(Seen.NOT_DONE, "the transaction had not begun")

    async def clear(self, context: Context, plan: Plan) -> None:
        (context.session.folder / ledger.FILE).unlink(missing_ok=True)
        await super().clear(context, plan)


class DeleteOriginals(Checkpointed):
    """The old pages, once nothing refers to them, behind a gate of their own."""

    key = "copy.delete"
    title = "Delete the original pages"
    about = "exactly the old rows; no signal, no media file"

    def __init__(self, *, gated: bool) -> None:
        self.gated = gated

    async def plan(self, context: Context) -> Plan:
        mapping = context.facts.of("copy.convert")["map"]
        conversion = context.config.conversion
        if conversion.kept:
            return Plan(self.key, self.title, skip="ids are kept: nothing to delete")
        planned = await (await context.worker.client()).ask("delete_plan", map=mapping)
        in_the_way = {
            **planned["refers"],
            **({"children": n} if (n := planned["children"]) else {}),
        }
        if in_the_way:
            raise OperationFailed(
                "Something still belongs to the original pages; nothing is deleted.",
                found="\n".join(f"{name}: {count}" for name, count in in_the_way.items()),
                hint="Somebody worked on the local site since the copy. `remodel undo --to copy`.",
            )
        context.report.tree({int(old): "going" for old in mapping}, planned=True)
        pages = planned["pages"]
        return Plan(
            operation=self.key,
            title=f"Delete {len(pages):,} original {conversion.old_type}",
            does=(
                f"take the checkpoint {checkpointed.name(context, self.key)}",
                *first([f"delete {page['title']!r} ({page['url_path']})" for page in pages]),
            ),
            destroys=(
                Loss("the original pages", len(pages)),
                *(Loss(f"rows of {table}", n) for table, n in planned["destroys"].items()),
            ),
            undo="`remodel undo --to copy` goes back to the checkpoints of this step",
            gate=Gate(conversion.old_type),
            facts={"pages": named([page["url_path"] for page in pages])},
            details={"map": mapping},
        )

    async def apply(self, context: Context, plan: Plan) -> Mapping[str, Any]:
        site = await context.worker.client()
        done = await site.ask("delete_originals", context.report, map=plan.details["map"])
        context.report.tree(await _done_marks(context, plan.details["map"]))
        return {**done, "message": f"originals deleted: {len(plan.details['map']):,}"}

    async def observe(self, context: Context, plan: Plan) -> Observation:
        if await context.pagetree.among(int(old) for old in plan.details["map"]):
            return Observation(Seen.NOT_DONE, "the originals are there")
        return Observation(Seen.DONE, "the originals are gone", {"deleted": {}})


def first(lines: Sequence[str]) -> list[str]:
    """The first few of lines that are alike, and how many more there are."""
    if len(lines) <= FEW:
        return list(lines)
    return [*lines[: FEW - 1], f"and {len(lines) - FEW + 1:,} more"]


def named(names: Sequence[str]) -> dict[str, Any]:
    """Which pages a plan is about, as its fingerprint has it: by name, or by number and hash."""
    if len(names) <= PAGES_NAMED:
        return {"count": len(names), "names": list(names)}
    digest = hashlib.sha256("\n".join(sorted(names)).encode()).hexdigest()
    return {"count": len(names), "sha256 of their names": digest}


def _arguments(context: Context) -> dict[str, Any]:
    conversion = context.config.conversion
    return {
        "source": conversion.old_type,
        "target": conversion.new_type,
        "ids": conversion.ids,
        "prefix": conversion.prefix,
        "move": list(conversion.move),
    }


def _refused(faults: Sequence[str]) -> OperationFailed:
    shown = list(faults[:FAULTS_SHOWN])
    if len(faults) > len(shown):
        shown.append(f"and {len(faults) - len(shown):,} more")
    return OperationFailed(
        f"{len(faults):,} things stand in the way of the conversion; nothing was changed.",
        found="\n".join(shown),
        hint="Mend the pages, or choose others. `remodel undo --to copy` asks for the field map "
        "anew.",
    )


def _tell(context: Context, planned: Mapping[str, Any]) -> None:
    """What there is to read before consent."""
    report, account = context.report, Ledger.of(planned["ledger"])
    for warning in planned["warnings"]:
        report.finding(warning["name"], warning["detail"], "warn")
    tell_left(context, planned["left"])
    report.tree({int(page): mark for page, mark in planned["marks"].items()}, planned=True)
    if planned["fires"]:
        rows = [f"{one['signal']}\t{one['receiver']}\t{one['why']}" for one in planned["fires"]]
        report.document("Not fired", "table", "\n".join(["signal\treceiver\twhy", *rows]))
    report.document("What refers to the pages", "table", ledger.table(account, ()))
    report.document("Field map", "table", fieldmap.table(_rows(planned)))


def _rows(planned: Mapping[str, Any]) -> list[Row]:
    return [Row.of(row) for row in planned["field_map"]]


def _does(planned: Mapping[str, Any], *, kept: bool) -> list[str]:
    """What is done to the pages and what refers to them, in a few lines."""
    pages, refers = planned["pages"], Ledger.of(planned["ledger"]).totals["before"]
    if kept:
        told = [f"convert {page['title']!r} ({page['url_path']})" for page in pages]
        place = "ids, slugs and places in the tree stay as they are"
    else:
        told = [f"copy {page['title']!r} to the slug {page['new_slug']}" for page in pages]
        place = (
            "each new page takes its original's place in the tree; the original goes to the end "
            "of its siblings until it is deleted"
        )
    children = sum(page["children"] for page in pages)
    moves = [f"move {children:,} children under the new pages, in their order"]
    if kept or not children:
        moves = []
    return [
        *first(told),
        place,
        *moves,
        f"account for {refers:,} rows and values that refer to them",
    ]


async def _done_marks(context: Context, mapping: Mapping[str, int]) -> dict[int, str]:
    """The new pages as new, and the first of their children as moved: what a screen shows."""
    marks = {int(new): "new" for new in mapping.values()}
    if context.config.conversion.kept:
        return marks
    for page in await context.pagetree.among(list(marks)[:MARKED]):
        for child in await context.pagetree.children(page.path):
            marks[child.id] = "moved"
    return marks


def tell_left(context: Context, left: Sequence[Mapping[str, Any]]) -> None:
    """What has to do with the pages and stays behind: never silently."""
    for one in left:
        context.report.finding("not carried", f"{one['name']}: {one['count']}", "warn", one["why"])


async def _field_table(context: Context) -> FieldTable:
    """The field map of remodel.yml as a table; its faults are told when the answer is judged."""
    fields = context.config.conversion.fields
    return FieldTable.of(await _ask_field_map(context, fields), fields)


async def judge_fields(context: Context, fields: Mapping[str, Any]) -> dict[str, Any]:
    """The worker's `field_map` for these entries. Raises ConfigError with every fault of them."""
    conversion, told = context.config.conversion, await _ask_field_map(context, fields)
    if told["faults"]:
        raise ConfigError(
            f"The field map from {conversion.old_type} to {conversion.new_type} does not fit.",
            found="\n".join(told["faults"]),
            hint="By the target's field, say {from: field}, {value: constant}, "
            "{call: dotted.path} or drop.",
        )
    return told


async def _judge(context: Context, fields: Any) -> None:
    await judge_fields(context, fields)


async def _ask_field_map(context: Context, fields: Mapping[str, Any]) -> dict[str, Any]:
    conversion = context.config.conversion
    told: dict[str, Any] = await (await context.worker.client()).ask(
        "field_map",
        source=conversion.old_type,
        target=conversion.new_type,
        prefix=conversion.prefix,
        move=list(conversion.move),
        fields=dict(fields),
    )
    return told


FIELDS_KEY = "copy.fields"
FIELDS = StepQuestion(
    key=FIELDS_KEY,
    text="The field map",
    help="Where each field of the new type takes its value from. By the target's field:\n"
    "{from: field}, {value: constant}, {call: dotted.path} to a function of the page, or drop.\n"
    "What is not named is carried under the same name.",
    kind="fields",
    default_from=_field_table,
    judge=_judge,
)

STEP = Step(
    name="copy",
    title="Copy",
    purpose="Convert the pages to the new type, with everything that refers to them; then "
    "delete the originals, where ids are new.",
    touches="Pages, revisions and references in the local database; a checkpoint before each act.",
    undo="`remodel undo --to copy` brings the checkpoint back.",
    operations=lambda context: [
        Convert(),
        DeleteOriginals(gated=not context.config.conversion.kept),
    ],
    questions=lambda context: [FIELDS],
)
