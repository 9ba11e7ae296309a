"""Step 4: convert the pages to the new type, and delete the originals where ids are new."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from wizard.base.errors import ConfigError, OperationFailed, VerificationFailed, some
from wizard.config import fieldmap
from wizard.config.fieldmap import FieldTable, Row
from wizard.engine.context import Context
from wizard.engine.operation import Observation, Seen, Step, StepQuestion
from wizard.engine.results import Converted, OriginalsDeleted, SequencesSet
from wizard.project.worker_results import ConversionPlan, FieldMapJudgement, LeftBehind, PageMap
from wizard.session import ledger
from wizard.session.ledger import Ledger
from wizard.session.plan import Gate, Loss, Plan
from wizard.steps import checkpointed
from wizard.steps.checkpointed import Checkpointed

FAULTS_SHOWN = 50
PAGES_NAMED = 50  # for more pages, a plan has their number and a hash
FEW = 5  # lines of a plan on single pages
MARKED = 20  # pages whose children a screen marks as moved


class Convert(Checkpointed):
    """Convert the pages, as new ones or in place; references follow. One transaction."""

    key = "copy.convert"
    title = "Convert the pages to the new type"
    about = "fields by the map, children and references follow, every one accounted for"
    gated = True

    async def plan(self, context: Context) -> Plan:
        context.facts.require("structure.migrate")
        conversion, worker = context.config.conversion, await context.worker.client()
        fields = context.facts.answer(FIELDS_KEY)
        selected = await worker.find_pages(conversion)
        planned = await worker.convert_plan(conversion, fields, [page["id"] for page in selected])
        if planned["faults"]:
            raise refused(
                planned["faults"],
                "Fix the pages, or choose others. `remodel undo --to copy` asks for the field map "
                "anew.",
            )
        _show(context, planned)
        pages = planned["pages"]
        losses = tuple(Loss(what, count) for what, count in planned["losses"].items())
        carried = context.facts.of(SequencesSet)
        return Plan(
            operation=self.key,
            title=f"{'Convert' if conversion.kept else 'Copy'} {len(pages):,} "
            f"{conversion.old_type} to {conversion.new_type}"
            + (" in place" if conversion.kept else ""),
            does=(
                f"take the checkpoint {checkpointed.name(context, self.key)}",
                *_does(planned, kept=conversion.kept),
                *carried.sequences.values(),
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
                **carried.facts,
            },
            details={
                "pages": [page["old"] for page in pages],
                "fields": fields,
                "field_map": [row.cells() for row in _rows(planned)],
            },
        )

    async def apply(self, context: Context, plan: Plan) -> Converted:
        done = await (await context.worker.client()).convert(
            context.config.conversion,
            plan.details["fields"],
            plan.details["pages"],
            context.report,
        )
        account = Ledger.of(done["ledger"])
        ledger.write(context.session.folder, account)
        context.report.ledger(account.as_list())
        context.report.document("Ledger", "table", ledger.table(account))
        context.report.tree(await _done_marks(context, done["map"]))
        _show_left(context, done["left"])
        for check in done["verified"]:
            context.report.finding(check["name"], check["detail"])
        return Converted(
            page_map=done["map"],
            left=done["left"],
            verified=done["verified"],
            seconds=done["seconds"],
            ledger=account.totals,
            message=f"pages converted: {len(done['map']):,}; {ledger.summed(account.totals)}",
        )

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
        worker = await context.worker.client()
        observed = await worker.observe_conversion(conversion, plan.details["pages"])
        if observed["state"] == ("converted" if conversion.kept else "both"):
            converted = Converted(page_map=observed["map"])
            return Observation(Seen.DONE, "the pages of the new type are there", converted)
        if context.session.journal.kept(self.key):
            # Sequences do not roll back: without the checkpoint the pages would get other ids.
            return Observation(Seen.PARTLY, "the transaction used up ids and was not committed")
        return Observation(Seen.NOT_DONE, "the transaction had not begun")

    async def clear(self, context: Context, plan: Plan) -> None:
        (context.session.folder / ledger.REFERENCES.file).unlink(missing_ok=True)
        await super().clear(context, plan)


class DeleteOriginals(Checkpointed):
    """Delete the old pages once nothing refers to them, behind a gate of their own."""

    key = "copy.delete"
    title = "Delete the original pages"
    about = "exactly the old rows; no signal, no media file"

    def __init__(self, *, gated: bool) -> None:
        self.gated = gated

    async def plan(self, context: Context) -> Plan:
        page_map = context.facts.of(Converted).page_map
        conversion = context.config.conversion
        if conversion.kept:
            return Plan(self.key, self.title, skip="ids are kept: nothing to delete")
        planned = await (await context.worker.client()).delete_plan(page_map)
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
        context.report.tree({int(old): "going" for old in page_map}, planned=True)
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
            details={"map": page_map},
        )

    async def apply(self, context: Context, plan: Plan) -> OriginalsDeleted:
        page_map, worker = plan.details["map"], await context.worker.client()
        done = await worker.delete_originals(page_map, context.report)
        context.report.tree(await _done_marks(context, page_map))
        return OriginalsDeleted(
            deleted=done["deleted"], message=f"originals deleted: {len(page_map):,}"
        )

    async def observe(self, context: Context, plan: Plan) -> Observation:
        if await context.pagetree.among((int(old) for old in plan.details["map"]), limit=1):
            return Observation(Seen.NOT_DONE, "the originals are there")
        return Observation(Seen.DONE, "the originals are gone", OriginalsDeleted(deleted={}))


def first(lines: Sequence[str]) -> list[str]:
    """Return the first few of lines that are alike, and a line with the number of the others."""
    if len(lines) <= FEW:
        return list(lines)
    return [*lines[: FEW - 1], f"and {len(lines) - FEW + 1:,} more"]


def named(names: Sequence[str]) -> dict[str, Any]:
    """Return the pages of a plan for its fingerprint: their names, or their number and a hash."""
    if len(names) <= PAGES_NAMED:
        return {"count": len(names), "names": list(names)}
    digest = hashlib.sha256("\n".join(sorted(names)).encode()).hexdigest()
    return {"count": len(names), "sha256 of their names": digest}


def refused(faults: Sequence[str], hint: str) -> OperationFailed:
    """Return the error of a conversion that something prevents, the first faults named."""
    count = "1 problem prevents" if len(faults) == 1 else f"{len(faults):,} problems prevent"
    return OperationFailed(
        f"{count} the conversion; nothing was changed.", found=some(faults, FAULTS_SHOWN), hint=hint
    )


def _show(context: Context, planned: ConversionPlan) -> None:
    """Report what there is to read before consent."""
    report, account = context.report, Ledger.of(planned["ledger"])
    for warning in planned["warnings"]:
        report.finding(warning["name"], warning["detail"], "warn")
    _show_left(context, planned["left"])
    report.tree({int(page): mark for page, mark in planned["marks"].items()}, planned=True)
    if planned["fires"]:
        rows = [f"{row['signal']}\t{row['receiver']}\t{row['why']}" for row in planned["fires"]]
        report.document("Not fired", "table", "\n".join(["signal\treceiver\twhy", *rows]))
    report.document("What refers to the pages", "table", ledger.table(account, ()))
    report.document("Field map", "table", fieldmap.table(_rows(planned)))


def _rows(planned: ConversionPlan) -> list[Row]:
    return [Row.of(row) for row in planned["field_map"]]


def _does(planned: ConversionPlan, *, kept: bool) -> list[str]:
    """Return what is done to the pages and to what refers to them, in a few lines."""
    pages, refers = planned["pages"], Ledger.of(planned["ledger"]).totals["before"]
    if kept:
        lines = [f"convert {page['title']!r} ({page['url_path']})" for page in pages]
        place = "ids, slugs and places in the tree stay as they are"
    else:
        lines = [f"copy {page['title']!r} to the slug {page['new_slug']}" for page in pages]
        place = (
            "each new page takes its original's place in the tree; the original goes to the end "
            "of its siblings until it is deleted"
        )
    children = sum(page["children"] for page in pages)
    moves = [f"move {children:,} children under the new pages, in their order"]
    if kept or not children:
        moves = []
    return [
        *first(lines),
        place,
        *moves,
        f"account for {refers:,} rows and values that refer to them",
    ]


async def _done_marks(context: Context, page_map: PageMap) -> dict[int, str]:
    """Return marks for the page tree: `new` for new pages, `moved` for some of their children."""
    marks = {int(new): "new" for new in page_map.values()}
    if context.config.conversion.kept:
        return marks
    for page in await context.pagetree.among(list(marks)[:MARKED]):
        for child in await context.pagetree.children(page.path):
            marks[child.id] = "moved"
    return marks


def _show_left(context: Context, left: Sequence[LeftBehind]) -> None:
    """Warn of everything that has to do with the pages and stays behind."""
    for rest in left:
        count = f"not carried: {rest['count']}"
        context.report.finding(rest["name"], count, "warn", rest["why"])


async def _field_table(context: Context) -> FieldTable:
    """Return the field map of remodel.yml as a table; `judge_fields` raises its faults later."""
    fields = context.config.conversion.fields
    return FieldTable.of(await _field_map(context, fields), fields)


async def judge_fields(context: Context, fields: Mapping[str, Any]) -> FieldMapJudgement:
    """Return what these entries come to. Raise ConfigError with all of their faults."""
    conversion, judgement = context.config.conversion, await _field_map(context, fields)
    if judgement["faults"]:
        raise ConfigError(
            f"The field map from {conversion.old_type} to {conversion.new_type} does not fit.",
            found="\n".join(judgement["faults"]),
            hint="By the target's field, say {from: field}, {value: constant}, "
            "{call: dotted.path} or drop.",
        )
    return judgement


async def _judge(context: Context, fields: Mapping[str, Any]) -> None:
    await judge_fields(context, fields)


async def _field_map(context: Context, fields: Mapping[str, Any]) -> FieldMapJudgement:
    return await (await context.worker.client()).field_map(context.config.conversion, fields)


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
