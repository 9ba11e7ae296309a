"""The proof of the proposed models: each page type shows what it showed, but for what moves.

What a type shows is its edit form, its search fields, its API, and what Wagtail reads of the class,
built in a Python of its own before and after.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from wizard.base.errors import ConfigError, OperationFailed
from wizard.config.config import Conversion
from wizard.engine.context import Context
from wizard.project import package
from wizard.project.worker_results import Interface, PageInterfaces

Types = Mapping[str, PageInterfaces]

SHOWN = 160  # characters of an entry


@dataclass(frozen=True)
class Difference:
    """What a page type would show otherwise than planned: `now`, beside what it `was`.

    None where there is nothing of that name.
    """

    type: str
    section: str
    name: str
    file: str
    was: str | None
    now: str | None

    def __str__(self) -> str:
        where = f"{self.type}, {self.section}: {self.name}"
        if self.now is None:
            return f"{where} is missing"
        if self.was is None:
            return f"{where} is new: {self.now[:SHOWN]}"
        before = f" (was {self.was[:SHOWN]})" if self.was else ""
        return f"{where}: {self.now[:SHOWN]}{before}"


async def require_shown(
    context: Context,
    before: Types,
    after: Types,
    *,
    moved: Collection[str],
    path: Path,
    new_type: bool,
    by_hand: bool,
) -> None:
    """Raise OperationFailed where page types would differ from `before` by more than `moved`.

    `path` is the models file, `new_type` whether the new type is looked at as well. What a class
    that was written `by_hand` leaves out is reported only: its diff is consented to.
    """
    plan = context.config.conversion
    staying = in_what_stays(before, after, moved, plan)
    lacking = in_the_new_type(before, after, plan) if new_type else []
    if staying or lacking:
        async with context.worker.client_over({}) as worker:
            again = await worker.interfaces()
        staying, lacking = (steady(one, before, again) for one in (staying, lacking))
    if new_type:
        for module in set(before[plan.old_type]["modules"]) - set(after[plan.new_type]["modules"]):
            old, new = (label.partition(".")[2] for label in (plan.old_type, plan.new_type))
            context.report.finding(
                f"from {module} import {new}",
                f"does not work, as {module} imports {old} by its name",
                "warn",
                f"The conversion does not need it. Import {new} beside {old} in {module} after the "
                "conversion, if your code is to.",
            )
    if by_hand:
        for one in lacking:
            context.report.finding(
                f"{one.section} {one.name}",
                str(one),
                "warn",
                f"{plan.old_type} has it. Is it left out on purpose?",
            )
        lacking = []
    hints = []
    if staying:
        files = ", ".join(dict.fromkeys(_source(context, one.file) for one in staying))
        fields = ", ".join(plan.move)
        hints.append(
            f"Edit {files}: what is named above has to do without {fields}, which move. Take the "
            f'entry out, or have its code allow for that (`getattr(self, "{plan.move[0]}", None)`).'
            if moved
            else f"Edit {files} so that a child of {plan.old_type} does not change this."
        )
    if lacking:
        hints.append(
            f"Edit {path}: write the entry out in the list of {plan.old_type}, or the attribute in "
            f"its class, so that {plan.new_type} gets it; or write the new class by hand "
            "(structure.class in answers.yml)."
        )
    if hints:
        raise OperationFailed(
            f"Page types would not show what they show now; {path.name} was not changed.",
            found="\n".join(map(str, [*staying, *lacking])),
            hint=" ".join(hints),
        )
    for label, was in before.items():
        if plan.old_type in (label, *was["parents"]):
            for section, entries in was["sections"].items():
                if entries["error"] is not None:
                    context.report.finding(
                        f"{label}: {section}",
                        f"not compared: {entries['error']}",
                        "warn",
                        "It cannot be built now. Look at it after the conversion.",
                    )


def _source(context: Context, imported: str) -> str:
    """Return the operator's own file of an imported one; that one where there is none."""
    try:
        return str(package.source_of(context.config.project, Path(imported)))
    except ConfigError:
        return imported


def in_what_stays(
    before: Types, after: Types, moved: Collection[str], plan: Conversion
) -> list[Difference]:
    """Return how the types that are there already would differ.

    The old type and its children lose what is about the `moved` fields, and nothing else does.
    """
    differences = []
    for label, was in before.items():
        if label not in after:
            differences.append(Difference(label, "class", "the page type", was["file"], "", None))
            continue
        family = plan.old_type in (label, *was["parents"])
        differences += _compared(label, was, after[label], moved if family else (), plan.new_type)
    return differences


def in_the_new_type(before: Types, after: Types, plan: Conversion) -> list[Difference]:
    """Return what the new type would not show as the old one did. It may show more."""
    was, now = before[plan.old_type], after[plan.new_type]
    differences = _compared(plan.new_type, was, now, (), plan.new_type)
    return [one for one in differences if one.was is not None]


def steady(differences: list[Difference], before: Types, again: Types) -> list[Difference]:
    """Return those that are not due to values that differ from one process to the next."""
    unsteady = {
        (one.section, one.name)
        for label, was in before.items()
        for one in _compared(label, was, again[label], (), "")
    }
    return [one for one in differences if (one.section, one.name) not in unsteady]


def _compared(
    label: str, was: PageInterfaces, now: PageInterfaces, moved: Collection[str], new_type: str
) -> list[Difference]:
    differences = []
    for section, before in was["sections"].items():
        after = now["sections"][section]
        if before["error"] is not None:
            continue
        if after["error"] is not None:
            error = after["error"]
            differences.append(Difference(label, section, "it", now["file"], "built", error))
            continue
        expected, found = _entries(before, moved, new_type), _entries(after, (), new_type)
        lost, more = expected - found, found - expected
        gone = {name: fields for fields, name, _ in before["entries"] if set(fields) & set(moved)}
        for name in dict.fromkeys(name for name, _ in (*lost, *more)):
            texts = [
                "; ".join(text for one, text in entries if one == name) or None
                for entries in (lost, more)
            ]
            if name in gone and texts[0] is None:
                about = ", ".join(field for field in gone[name] if field in moved)
                texts = ["", f"is still there, and about {about}, which moves"]
            differences.append(Difference(label, section, name, now["file"], *texts))
    return differences


def _entries(section: Interface, moved: Collection[str], new_type: str) -> Counter[tuple[str, str]]:
    """Return the entries that are not about `moved` fields, nor the new type in a tree rule."""
    return Counter(
        (name, text)
        for fields, name, text in section["entries"]
        if not set(fields) & set(moved) and text != new_type
    )
