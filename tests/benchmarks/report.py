"""What was measured, as a table for the README and a plot beside it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.benchmarks.ours import total

Results = dict[str, Any]


def markdown(results: Results) -> str:
    """The tables of every part that has results."""
    parts: dict[str, Callable[[Any], str]] = {
        "children": _children,
        "posts": _posts,
        "tree": _tree,
        "drift": _drift,
        "moving": _moving,
        "swap": _swap,
        "objects": _objects,
    }
    written = [write(results[name]) for name, write in parts.items() if name in results]
    return "\n\n".join([_machine(results["machine"]), *written]) + "\n"


def notes_total(run: dict[str, Any]) -> float:
    """Seconds of the notes' procedure, without the start of its process."""
    return float(sum(value for name, value in run["seconds"].items() if name != "start"))


def _machine(machine: dict[str, Any]) -> str:
    names = ("Python", "Django", "Wagtail", "treebeard", "PostgreSQL")
    versions = ", ".join(f"{name} {machine[name]}" for name in names)
    return (
        f"Measured {machine['date']} on {machine['cores']} cores ({machine['processor']}), "
        f"{versions}; PostgreSQL durable, with the settings that it comes with. "
        "Each table is one run, each measurement on a fresh copy of the same database."
    )


def _children(sizes: list[Results]) -> str:
    rows = []
    for size in sizes:
        run, notes = size["ours"], size.get("notes")
        seconds = run["seconds"]
        ours = total(run)
        sampled = notes and notes["moved"] < notes["children"]
        rows.append(
            [
                f"{size['children']:,}",
                _seconds(notes_total(notes)) + (" *" if sampled else "") if notes else "not run",
                f"**{_seconds(ours)}**",
                f"**{notes_total(notes) / ours:,.0f} times**" if notes else "",
                *(_seconds(seconds[name]) for name in ("convert", "delete", "slugs")),
                _seconds(seconds["plan"]),
                _seconds(seconds["start"]),
            ]
        )
    heads = ["children", "the notes' way", "ours", "faster", "convert", "delete", "slugs"]
    lines = ["### One page with many children", "", _table([*heads, "plan", "worker start"], rows)]
    lines += [
        "",
        "*Ours* is convert, delete and slugs together, ledger and verification included; the plan "
        "and the start of the worker come on top and are told apart, as is the start of the "
        "notes' process. Every tenth child links to the page in a rich text, a stream (twice) and "
        "a revision, all of which follow.",
        "",
        "![Seconds by the number of children](tests/benchmarks/results.svg)",
    ]
    told = -3  # the line that the rest is added to
    for size in sizes:
        notes = size.get("notes")
        if notes and notes["moved"] < notes["children"]:
            lines[told] += (
                f" * {notes['moved']} of {notes['children']:,} children were moved, at the "
                "beginning, in the middle and at the end; their mean is taken for all. What the "
                "notes do once (copy, `fixtree`, deletion, slug) was run and measured in full. "
                "Ours and theirs took turns, and the median of each counts."
            )
    largest = sizes[-1]
    if (before := _size(sizes, 20_000)) and largest["children"] == 200_000:
        ratio = total(largest["ours"]) / total(before["ours"])
        lines[told] += f" 200,000 children take {ratio:.1f} times as long as 20,000."
    if largest.get("memory"):
        named = {name: largest["memory"][name] for name in ("worker", "wizard", "backend")}
        others = [size for name, size in largest["memory"].items() if name not in named]
        lines += [
            "",
            f"Memory at {largest['children']:,} children, the peak of each process: "
            f"{', '.join(f'{name} {size:.0f} MB' for name, size in named.items())}, every other "
            f"of PostgreSQL's at most {max(others):.0f} MB (of those, what is private).",
        ]
    return "\n".join(lines)


def _size(sizes: list[Results], children: int) -> Results | None:
    return next((size for size in sizes if size["children"] == children), None)


def tables_alone(stages: dict[str, float]) -> float:
    """Seconds of a conversion's stages that statements by hand have as well.

    `constraints` are the checks of foreign keys, which by hand come with the commit.
    """
    return sum(stages[name] for name in PLAIN)


def _posts(runs: list[Results]) -> str:
    rows = []
    for run in runs:
        ours, stages = run["ours"], run["ours"]["stages"]
        alone = tables_alone(stages)
        rest = {name: value for name, value in stages.items() if name not in PLAIN}
        rows.append(
            [
                run["ids"],
                _seconds(run["by_hand"]),
                _seconds(alone),
                f"**{alone / run['by_hand']:.1f} times**",
                *(_seconds(rest.get(name, 0)) for name in STAGES),
                _seconds(total(ours)),
                f"**{ours['pages'] / total(ours):,.0f}**",
            ]
        )
    pages = runs[0]["ours"]["pages"]
    heads = ["ids", "SQL by hand", "ours, tables alone", "", *STAGES, "whole operation"]
    return "\n".join(
        [
            f"### {pages:,} `Post` to `Episode`, a revision each",
            "",
            _table([*heads, "pages a second"], rows),
            "",
            "*SQL by hand* is the bare `INSERT ... SELECT` and `UPDATE` statements for the page, "
            "post, episode and revision tables, in one transaction. With new ids the whole "
            "operation includes the originals' deletion and their slugs.",
        ]
    )


PLAIN = ("pages", "revisions", "constraints")
STAGES = ("references", "links", "indexes", "ledger", "verify")


def _tree(runs: list[Results]) -> str:
    rows = [
        [f"{run['pages']:,}", *(f"{run['seconds'][name] * 1000:,.0f} ms" for name in OPENING)]
        for run in runs
    ]
    return "\n".join(
        [
            "### The page tree",
            "",
            _table(["pages", *OPENING.values()], rows),
            "",
            "Medians, in the app as it is over PostgreSQL; all pages are children of one.",
        ]
    )


OPENING = {
    "app": "start of the app to the first pages",
    "node": "opening the page that has them all",
    "more": "the next hundred",
}


def _drift(found: Results) -> str:
    seconds = found["seconds"]
    row = [f"{found['rows']:,}", *(_seconds(seconds[name]) for name in ("drift", "fingerprints"))]
    rest = [f"{found['ratio']:.1f} times", _seconds(seconds["baseline"])]
    last = f"{seconds['second'] * 1000:.0f} ms"
    heads = ["rows", "drift", "md5 fingerprints", "as long", "baseline", "second look"]
    return "\n".join(
        [
            "### Drift",
            "",
            _table(heads, [[*row, *rest, last]]),
            "",
            "Which rows of one table are new, changed and gone; medians. The baseline is taken "
            "while the backup is made, the second look while nobody can connect.",
        ]
    )


def _moving(found: Results) -> str:
    rows = []
    for name in ("fetch", "whole", "overhead"):
        for pair in found.get(name, []):
            usual, ours = pair["usual"], pair["ours"]
            longer = f"{ours / usual - 1:+.1%}"
            ratio = longer if name == "overhead" else f"{usual / ours:.2f} times"
            rows.append([pair["what"], _seconds(usual), f"**{_seconds(ours)}**", f"**{ratio}**"])
    return "\n".join(
        [
            f"### Moving {found['megabytes']:,.0f} MB of rows",
            "",
            _table(["", "the usual way", "ours", "faster, or longer"], rows),
            "",
            "Fetched from OpenSSH's server on this machine, through a line with that much delay. "
            "Our dump includes its SHA-256 and the proof, a reading of the whole archive; with one "
            "process that happens while it is made. Here the servers, the tools and the proof "
            "share the cores.",
        ]
    )


def _swap(found: Results) -> str:
    return "\n".join(
        [
            "### The swap",
            "",
            f"{found['swaps']} swaps under {found['clients']} clients that write all the time, "
            f"{found['transfers']:,} transfers in all: none was lost, each is in the live database "
            "or was told as drift, and the accounts balance. The clients fail for "
            f"**{found['window']:.0f} ms** at the median ({found['largest']:.0f} ms at most), "
            f"connecting anew included; the database is closed for {found['closed']:.0f} ms.",
        ]
    )


def _objects(found: Results) -> str:
    return "\n".join(
        [
            "### The account of the objects",
            "",
            f"{found['objects']:,} objects of {found['tables']:,} tables, of the live database and "
            f"of the new one, described and compared: **{_seconds(found['ours'])}**. `pg_dump "
            f"--schema-only` of both and `diff`: {_seconds(found['theirs'])}. Ours takes "
            f"{found['ours'] / found['theirs']:.2f} times as long.",
        ]
    )


def _table(heads: list[str], rows: list[list[str]]) -> str:
    lines = [heads, ["---:"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def _seconds(value: float) -> str:
    if value >= 100:
        return f"{value:,.0f} s"
    return f"{value:.1f} s" if value >= 10 else f"{value:.2f} s"
