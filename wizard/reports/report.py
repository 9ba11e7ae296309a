"""The session's report: what was converted, the account of it, how it was checked, the way back.

Made from the session's folder alone, at the end of a run and by `remodel report`, as report.md and
as a report.html that needs nothing else.
"""

from __future__ import annotations

import html
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from wizard import __version__
from wizard.base import files
from wizard.base.redaction import all_shown
from wizard.config import fieldmap
from wizard.delivery import kinds
from wizard.delivery.results import Delivered
from wizard.engine.context import Context
from wizard.engine.deployment import deployment
from wizard.project import recorded_urls
from wizard.session import ledger
from wizard.session.journal import Journal, JournalEntry

PAGES_SHOWN = 500
STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem}
h1,h2{line-height:1.2}h2{margin-top:2.5rem;border-bottom:1px solid #c9d3e0;padding-bottom:.2rem}
table{border-collapse:collapse;display:block;overflow-x:auto;margin:1rem 0}
th,td{text-align:left;vertical-align:top;padding:.2rem .8rem .2rem 0}
th,td{border-bottom:1px solid #e3e9f1}
th{color:#2b4a75}ul{padding-left:1.2rem}
@media(prefers-color-scheme:dark){body{background:#0e1420;color:#dbe4f0}th{color:#62a8f5}
h2,th,td{border-color:#2a3850}}
"""


@dataclass(frozen=True)
class ReportSection:
    """A heading, some lines, and a table whose first row are its headings."""

    title: str
    lines: tuple[str, ...] = ()
    table: tuple[tuple[str, ...], ...] = ()


def write(context: Context) -> list[Path]:
    """Write the report of this run's session; returns the files."""
    return write_into(context.session.folder, context.session.journal)


def write_into(folder: Path, journal: Journal) -> list[Path]:
    """Write report.md and report.html into a session's folder (0600), without any secret."""
    title = f"Remodel session {journal.noted('id', folder.name)}"
    sections = gather(folder, journal)
    texts = {"report.md": markdown(title, sections), "report.html": as_html(title, sections)}
    for name, text in texts.items():
        files.write(folder / name, text)
    return [folder / name for name in texts]


def gather(folder: Path, journal: Journal) -> list[ReportSection]:
    """Return what there is to report of a session, finished or not; sections without content left
    out."""
    states = journal.states()
    done = {key: entry.data for key, entry in states.items() if entry.kind == "done"}
    sections = [
        _deployment(journal),
        _conversion(journal, done),
        _pages(folder, done),
        _field_map(journal),
        _losses(journal, done),
        *_ledgers(folder, journal.noted("identity", {}).get("targets", {})),
        _left(done),
        _verified(journal, states),
        _deliveries(journal, done),
        _operations(states),
    ]
    # Before any of it is escaped for Markdown or HTML, where a secret would look otherwise.
    return [
        ReportSection(**all_shown(vars(section)))
        for section in sections
        if section.lines or section.table
    ]


def _deployment(journal: Journal) -> ReportSection:
    conversion = journal.noted("identity", {}).get("conversion", {})
    deployed = deployment(
        journal, conversion.get("from", ""), conversion.get("to", ""), conversion.get("move", ())
    )
    return ReportSection("To be deployed", tuple(deployed.lines()), ())


def _conversion(journal: Journal, done: Mapping[str, Any]) -> ReportSection:
    identity = journal.noted("identity", {})
    conversion = identity.get("conversion", {})
    pages = done.get("copy.convert", {}).get("map")
    how = "in place, ids kept" if conversion.get("ids") == "kept" else "as new pages, with new ids"
    finished = "finished" if journal.noted("finished") else "not finished"
    seconds = done.get("copy.convert", {}).get("seconds", {})
    return ReportSection(
        "Conversion",
        (
            f"From {conversion.get('from')} to {conversion.get('to')}, {how}",
            f"Pages: {len(pages):,}" if pages is not None else "No page is converted yet",
            *(
                [f"Seconds: {', '.join(f'{name} {float(n):.2f}' for name, n in seconds.items())}"]
                if seconds
                else []
            ),
            f"Project {identity.get('project')}, local database {identity.get('local')}",
            f"Session begun {_at(journal.noted('begun', 0.0))}, {finished}; "
            f"wagtail-remodel {__version__}",
        ),
    )


def _pages(folder: Path, done: Mapping[str, Any]) -> ReportSection:
    mapping = done.get("copy.convert", {}).get("map", {})
    shown = dict(islice(mapping.items(), PAGES_SHOWN))
    known = {
        old: (page["url"], page["title"])
        for page in recorded_urls.read(folder / "urls-before.json")
        if (old := str(page["page_id"])) in shown
    }
    rows = [(*known.get(old, ("", "")), old, str(new)) for old, new in shown.items()]
    all_of_them = f"{len(rows):,} of {len(mapping):,} are shown; the session's journal has all."
    return ReportSection(
        "Pages",
        (all_of_them,) if len(mapping) > len(rows) else (),
        _table(("URL", "title", "id before", "id after"), rows),
    )


def _field_map(journal: Journal) -> ReportSection:
    planned = journal.intent("copy.convert") or {}
    rows = [tuple(row) for row in planned.get("details", {}).get("field_map", ())]
    return ReportSection("Field map", (), _table(fieldmap.HEADINGS, rows))


def _losses(journal: Journal, done: Mapping[str, Any]) -> ReportSection:
    rows = [
        (key, what, "" if count is None else f"{count:,}")
        for key in ("copy.convert", "copy.delete", "slugs.migrate")
        if key in done
        for what, count in (journal.intent(key) or {}).get("destroys", ())
    ]
    return ReportSection("Let go, with consent", (), _table(("operation", "what", "count"), rows))


def _ledgers(folder: Path, targets: Iterable[str]) -> Iterator[ReportSection]:
    for read in ledger.read_all(folder, targets):
        subject = read.subject
        rows = [
            (entry.name, entry.kind, *map(ledger.number, entry.numbers(subject.accounts)))
            for entry in read.entries
        ]
        named = [
            (f"{entry.name} {entry.kind}", *row)
            for entry in read.entries
            for row in entry.rows
            if row[-1] in subject.named
        ]
        meanings = [f"{name}: {meaning}" for name, meaning in subject.accounts.items()]
        balance = "It balances." if not read.unbalanced else "IT DOES NOT BALANCE."
        yield ReportSection(
            subject.title,
            (f"{ledger.summed(read.totals, subject)}. {balance}", *meanings),
            _table(("where", "kind", "before", *subject.accounts), rows),
        )
        yield ReportSection(subject.heading, (), _table(("where", *subject.row, "account"), named))


def _left(done: Mapping[str, Any]) -> ReportSection:
    left = done.get("copy.convert", {}).get("left", ())
    rows = [(one["name"], str(one["count"]), one["why"]) for one in left]
    return ReportSection("Left as it is", (), _table(("what", "count", "why"), rows))


def _verified(journal: Journal, states: Mapping[str, JournalEntry]) -> ReportSection:
    """Return the last word of each check of the operations that are done."""
    checks: dict[tuple[str, str], tuple[str, ...]] = {}
    for _, event in journal.events(kind="finding"):
        state = states.get(event.get("operation", ""))
        if state is not None and state.kind == "done":
            row = (state.operation, event["status"], event["name"], event["value"])
            checks[state.operation, event["name"]] = row
    rows = [row for row in checks.values() if row[1] != "info"]
    return ReportSection("Checks", (), _table(("operation", "result", "what", "found"), rows))


def _deliveries(journal: Journal, done: Mapping[str, Any]) -> ReportSection:
    targets = journal.noted("identity", {}).get("targets", {})
    rows, back = [], []
    for key, facts in done.items():
        if not key.startswith(Delivered.KEY):
            continue
        name, delivered = key.removeprefix(Delivered.KEY), Delivered.from_json(facts)
        rolled = key.replace("deliver", "rollback") in done
        state = "rolled back" if rolled else "delivered"
        left = delivered.kept or delivered.safety or ""
        rows.append((name, targets.get(name, ""), state, left))
        intent = journal.intent(key)
        if intent is not None and not rolled:
            kind = kinds.named(intent["facts"]["delivery"])
            back.append(f"Back to how {name} was: {kind.way_back(name, delivered)}")
    if not rows:
        back = ["Back to before the conversion: remodel undo --to copy; before all: --to backup"]
    return ReportSection(
        "Deliveries and the way back",
        tuple(back),
        _table(("target", "what", "state", "kept as it was"), rows),
    )


def _operations(states: Mapping[str, JournalEntry]) -> ReportSection:
    rows = [
        (
            key,
            entry.kind,
            _at(entry.at),
            str(entry.data.get("message") or entry.data.get("why", "")),
        )
        for key, entry in states.items()
    ]
    return ReportSection("Operations", (), _table(("operation", "state", "at", "message"), rows))


def _at(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S %z", time.localtime(seconds))


def _table(headings: Sequence[str], rows: Sequence[tuple[str, ...]]) -> tuple[tuple[str, ...], ...]:
    """Headings and rows; nothing at all where there are no rows."""
    return (tuple(headings), *rows) if rows else ()


def markdown(title: str, sections: Sequence[ReportSection]) -> str:
    """Return the report as Markdown with GitHub's tables; nothing in it is read as markup."""

    def lines() -> Iterator[str]:
        yield f"# {_plain(title)}"
        for section in sections:
            yield f"\n## {_plain(section.title)}\n"
            yield from (f"- {_plain(line)}" for line in section.lines)
            if section.table:
                headings, *rows = section.table
                if section.lines:
                    yield ""
                yield f"| {' | '.join(map(_plain, headings))} |"
                yield "|---" * len(headings) + "|"
                yield from (f"| {' | '.join(map(_plain, row))} |" for row in rows)

    return "\n".join(lines()) + "\n"


def _plain(text: str) -> str:
    """`text` in one line, what Markdown would take for markup escaped."""
    return re.sub(r"([\\`*\[\]<>|])", r"\\\1", " ".join(str(text).split()))


def as_html(title: str, sections: Sequence[ReportSection]) -> str:
    """Return the report as one page without scripts or anything from elsewhere."""

    def parts() -> Iterator[str]:
        yield f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{_safe(title)}'
        yield f"</title><style>{STYLE}</style></head>\n<body><h1>{_safe(title)}</h1>"
        for section in sections:
            yield f"<h2>{_safe(section.title)}</h2>"
            if section.lines:
                yield f"<ul>{''.join(f'<li>{_safe(line)}</li>' for line in section.lines)}</ul>"
            if section.table:
                headings, *rows = section.table
                yield f"<table><thead>{_row(headings, 'th')}</thead><tbody>"
                yield from (_row(row, "td") for row in rows)
                yield "</tbody></table>"
        yield "</body></html>"

    return "\n".join(parts()) + "\n"


def _row(cells: Sequence[str], tag: str) -> str:
    return f"<tr>{''.join(f'<{tag}>{_safe(cell)}</{tag}>' for cell in cells)}</tr>"


def _safe(text: str) -> str:
    return html.escape(str(text))
