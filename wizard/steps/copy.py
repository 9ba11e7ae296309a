"""Step 4: pages of the new type with everything that belonged to the old ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wizard import checkpoints
from wizard.checkpoints import Checkpointed
from wizard.errors import OperationFailed
from wizard.operation import Gate, Loss, Observation, Plan, Seen, Step
from wizard.run import Run


class Convert(Checkpointed):
    """New pages beside the old ones; children and references move over. One transaction."""

    key = "copy.convert"
    title = "Copy the pages to the new type"
    about = "new pages under prefixed slugs; children and references move over"
    gated = True

    async def plan(self, run: Run) -> Plan:
        run.fact("structure.migrate")
        conversion, site = run.config.conversion, await run.site()
        found = await site.ask(
            "find_pages", model=conversion.source, selectors=[dict(p) for p in conversion.pages]
        )
        planned = await site.ask("convert_plan", **_arguments(run), pages=[p["id"] for p in found])
        if planned["clashes"]:
            raise OperationFailed(
                "The pages cannot have their prefixed slugs.",
                found="\n".join(planned["clashes"]),
                hint="Rename what is in the way, or choose another conversion.prefix.",
            )
        _tell_left(run, planned["left"])
        run.report.tree(_marks(planned["marks"]), planned=True)
        run.report.document("What refers to the pages", "table", _carried(planned["carries"]))
        pages = planned["pages"]
        children = sum(page["children"] for page in pages)
        label = checkpoints.name(run, self.key)
        return Plan(
            operation=self.key,
            title=f"Copy {len(pages)} {conversion.source} to {conversion.target}",
            does=(
                f"take the checkpoint {label}",
                *(f"copy {page['title']!r} to the slug {page['new_slug']}" for page in pages),
                f"move {children:,} children under the new pages, in their order",
                f"carry what refers to them: {sum(planned['carries'].values()):,} rows and values",
            ),
            destroys=tuple(Loss(what, count) for what, count in planned["drops"].items()),
            undo="`remodel undo --to copy` goes back to the checkpoints of this step",
            gate=Gate(conversion.target),
            facts={
                "from": conversion.source,
                "to": conversion.target,
                "pages": [page["slug"] for page in pages],
                "prefix": conversion.prefix,
                "move": list(conversion.move),
            },
            details={"pages": [page["old"] for page in pages]},
        )

    async def apply(self, run: Run, plan: Plan) -> Mapping[str, Any]:
        site = await run.site()
        done = await site.ask(
            "convert", run.report, **_arguments(run), pages=list(plan.details["pages"])
        )
        run.report.tree(await _done_marks(run, done["map"]))
        run.report.document("What was carried", "table", _carried(done["carried"]))
        _tell_left(run, done["left"])
        return {
            "map": done["map"],
            "carried": done["carried"],
            "left": done["left"],
            "message": f"pages copied: {len(done['map'])}; "
            f"{sum(done['carried'].values()):,} rows and values carried",
        }

    async def observe(self, run: Run, plan: Plan) -> Observation:
        observed = await (await run.site()).ask(
            "observe_conversion",
            target=run.config.conversion.target,
            pages=list(plan.details["pages"]),
            prefix=run.config.conversion.prefix,
        )
        if observed["state"] == "both":
            return Observation(
                Seen.DONE,
                "the new pages stand beside the old ones",
                {"map": observed["map"], "carried": {}, "left": []},
            )
        return Observation(Seen.NOT_DONE, "the transaction was not committed")


class DeleteOriginals(Checkpointed):
    """The old pages, once nothing refers to them, behind a gate of their own."""

    key = "copy.delete"
    title = "Delete the original pages"
    about = "exactly the old rows; no signal, no media file"
    gated = True

    async def plan(self, run: Run) -> Plan:
        mapping = run.fact("copy.convert")["map"]
        conversion = run.config.conversion
        planned = await (await run.site()).ask("delete_plan", map=mapping)
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
        run.report.tree({int(old): "going" for old in mapping}, planned=True)
        pages = planned["pages"]
        label = checkpoints.name(run, self.key)
        return Plan(
            operation=self.key,
            title=f"Delete {len(pages)} original {conversion.source}",
            does=(
                f"take the checkpoint {label}",
                *(f"delete {page['title']!r} ({page['url_path']})" for page in pages),
                "put each new page where its original stood among its siblings",
            ),
            destroys=(
                *(Loss(f"the original page {page['slug']}") for page in pages),
                *(Loss(f"rows of {table}", n) for table, n in planned["destroys"].items()),
            ),
            undo="`remodel undo --to copy` goes back to the checkpoints of this step",
            gate=Gate(conversion.source),
            facts={"pages": [page["slug"] for page in pages]},
            details={"map": mapping},
        )

    async def apply(self, run: Run, plan: Plan) -> Mapping[str, Any]:
        site = await run.site()
        done = await site.ask("delete_originals", run.report, map=plan.details["map"])
        run.report.tree(await _done_marks(run, plan.details["map"]))
        return {**done, "message": f"originals deleted: {len(plan.details['map'])}"}

    async def observe(self, run: Run, plan: Plan) -> Observation:
        for old in plan.details["map"]:
            if await run.pagetree.node(int(old)):
                return Observation(Seen.NOT_DONE, "the originals are there")
        return Observation(Seen.DONE, "the originals are gone", {"deleted": {}})


def _arguments(run: Run) -> dict[str, Any]:
    conversion = run.config.conversion
    return {
        "source": conversion.source,
        "target": conversion.target,
        "fields": list(conversion.move),
        "prefix": conversion.prefix,
    }


def _marks(marks: Mapping[str, str]) -> dict[int, str]:
    return {int(page): mark for page, mark in marks.items()}


async def _done_marks(run: Run, mapping: Mapping[str, int]) -> dict[int, str]:
    """The new pages as new, and the first of their children as moved: what a screen shows."""
    marks = {int(new): "new" for new in mapping.values()}
    for new in mapping.values():
        page = await run.pagetree.node(int(new))
        if page is not None:
            for child in await run.pagetree.children(page.path):
                marks[child.id] = "moved"
    return marks


def _tell_left(run: Run, left: list[Mapping[str, Any]]) -> None:
    """What has to do with the pages and stays behind: never silently."""
    for one in left:
        run.report.finding("not carried", f"{one['name']}: {one['count']}", "warn", one["why"])


def _carried(carried: Mapping[str, int]) -> str:
    rows = [f"{name}\t{count:,}" for name, count in sorted(carried.items())]
    return "\n".join(["where\trows", *rows])


STEP = Step(
    name="copy",
    title="Copy",
    purpose="Copy the pages to the new type, move their children and everything that refers "
    "to them, then delete the originals.",
    touches="Pages, revisions and references in the local database; a checkpoint before each act.",
    undo="`remodel undo --to copy` brings the checkpoint back.",
    operations=lambda run: [Convert(), DeleteOriginals()],
)
