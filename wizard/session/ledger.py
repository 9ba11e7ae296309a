"""Ledgers: what there was, and the account of each of it.

The conversion's is of everything that refers to the converted pages. The worker makes it inside
the conversion's transaction and rolls back unless it balances. A delivery's is of every object of
the live database. Here they are read back, kept in the session's folder, summed up and shown.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

from wizard.base import files
from wizard.base.errors import OperationFailed
from wizard.base.redaction import redacted

ACCOUNTS: Final = {
    "kept": "the same row refers to the same page id",
    "followed": "the column has the new page's id",
    "rewritten": "a value was changed: rich text, stream, JSON, content type",
    "rebuilt": "derived rows, made anew",
    "dropped": "gone, named as a loss before the gate",
}
"""What becomes of a row or value that refers to a page, and what that means."""


@dataclass(frozen=True)
class Subject:
    """What a ledger is of: its file and title, what it counts, what its accounts mean.

    `row` heads the columns of one row or object: which one it is, and what there is to say of it;
    `shown` says which of an entry's are listed. The report lists those with one of the accounts
    `named`, under `heading`. `damaged` is the hint for a file that cannot be read.
    """

    file: str
    title: str
    counted: str
    accounts: Mapping[str, str]
    row: tuple[str, str]
    shown: str
    named: tuple[str, ...]
    heading: str
    damaged: str


REFERENCES: Final = Subject(
    "ledger.json",
    "Ledger of the conversion",
    "rows and values",
    ACCOUNTS,
    ("row", "page before"),
    "the first of them",
    ("dropped",),
    "Rows that were dropped",
    "It was damaged after it was written. `remodel undo --to copy` and the step again make it "
    "anew.",
)


def objects(target: str) -> Subject:
    """Return the subject of a delivery's ledger."""
    return Subject(
        f"objects.{target}.json",
        f"Objects of {target}",
        "objects",
        {
            "kept": "as it is live",
            "rewritten": "changed by the conversion, or accepted to differ",
            "rebuilt": "made anew from the live definition",
            "dropped": "gone by the conversion, or accepted to be",
        },
        ("object", "what"),
        "those that are not kept",
        ("rewritten", "rebuilt", "dropped", "new"),
        f"Objects of {target} that are not kept",
        "It was damaged after it was written; what was delivered is as it was.",
    )


@dataclass(frozen=True)
class LedgerEntry:
    """One place that refers to converted pages, such as `wagtailcore_comment.page_id`.

    Numbers count rows or values. `rows` are some of them, 1000 at most: the row's key, the page
    id it referred to, and its account. In a delivery's ledger a place is a schema, its kind one of
    objects, and `rows` are those that are not kept.
    """

    name: str
    kind: str
    before: int
    kept: int = 0
    followed: int = 0
    rewritten: int = 0
    rebuilt: int = 0
    dropped: int = 0
    rows: tuple[tuple[str, str, str], ...] = ()

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> LedgerEntry:
        """Return an entry as the worker tells it; numbers that it leaves out are 0."""
        numbers = {name: int(data.get(name) or 0) for name in ("before", *ACCOUNTS)}
        rows = tuple(
            (_as_text(key), _as_text(page), str(became))
            for key, page, became in data.get("rows", ())
        )
        return cls(name=str(data["name"]), kind=str(data["kind"]), rows=rows, **numbers)

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready; `of` reads it back."""
        return {item.name: getattr(self, item.name) for item in fields(self)}

    @property
    def accounted(self) -> int:
        """How many of `before` have an account."""
        return sum(getattr(self, name) for name in ACCOUNTS)

    @property
    def balanced(self) -> bool:
        """Whether each row has an account."""
        return self.before == self.accounted

    def numbers(self, accounts: Iterable[str] = ACCOUNTS) -> tuple[int, ...]:
        """Before, and then each account."""
        return (self.before, *(getattr(self, name) for name in accounts))


@dataclass(frozen=True)
class Ledger:
    """All entries, in the worker's order."""

    entries: tuple[LedgerEntry, ...]
    subject: Subject = REFERENCES

    @classmethod
    def of(cls, data: Iterable[Mapping[str, Any]]) -> Ledger:
        """From the worker's list of entries."""
        return cls(tuple(LedgerEntry.of(entry) for entry in data))

    def as_list(self) -> list[dict[str, Any]]:
        """JSON-ready; `of` reads it back."""
        return [entry.as_dict() for entry in self.entries]

    @property
    def totals(self) -> dict[str, int]:
        """`before` and each account, over all entries."""
        return {
            name: sum(getattr(entry, name) for entry in self.entries)
            for name in ("before", *ACCOUNTS)
        }

    @property
    def unbalanced(self) -> list[LedgerEntry]:
        """Entries with rows that have no account."""
        return [entry for entry in self.entries if not entry.balanced]


def summed(totals: Mapping[str, int], subject: Subject = REFERENCES) -> str:
    """`1,204 rows and values: 12 kept, 1,192 followed`."""
    parts = [f"{totals[name]:,} {name}" for name in subject.accounts if totals.get(name)]
    return f"{totals['before']:,} {subject.counted}: {', '.join(parts) or 'none'}"


def table(ledger: Ledger, accounts: Sequence[str] = tuple(ACCOUNTS)) -> str:
    """Return a document: tab-separated, headings first; a dash where there is nothing."""
    lines = ["\t".join(("where", "kind", "before", *accounts))]
    for entry in ledger.entries:
        numbers = map(number, entry.numbers(accounts))
        lines.append("\t".join((entry.name, entry.kind, *numbers)))
    return "\n".join(lines)


def number(value: int) -> str:
    """`1,204`, or a dash for nothing: a ledger is mostly that."""
    return f"{value:,}" if value else "-"


def write(folder: Path, ledger: Ledger) -> None:
    """Keep the ledger in the session's folder: 0600, in one piece, no secret in it."""
    text = json.dumps(redacted(ledger.as_list()), ensure_ascii=False)
    files.write(folder / ledger.subject.file, text)


def read(folder: Path, subject: Subject = REFERENCES) -> Ledger | None:
    """Return a ledger of a session; None when it has none. Raise OperationFailed when it is
    broken."""
    path = folder / subject.file
    if not path.exists():
        return None
    try:
        entries = Ledger.of(json.loads(path.read_text(encoding="utf-8"))).entries
        return Ledger(entries, subject)
    except (OSError, ValueError, KeyError, TypeError) as problem:
        raise OperationFailed(
            f"The ledger {path} cannot be read.",
            found=f"{type(problem).__name__}: {problem}",
            hint=subject.damaged,
        ) from None


def read_all(folder: Path, targets: Iterable[str]) -> list[Ledger]:
    """Return every ledger of a session: the conversion's, and those of its deliveries."""
    subjects = (REFERENCES, *map(objects, targets))
    return [ledger for subject in subjects if (ledger := read(folder, subject)) is not None]


def _as_text(value: Any) -> str:
    return "" if value is None else str(value)
