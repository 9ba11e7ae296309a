"""The sessions on disk, in the order in which they were begun, by what their journals hold.

Neither a folder's name nor a clock says which one is the newest: a folder is named in local time
and can be renamed or copied, and a clock can be set back. So a session notes its id when it
begins, a number greater than any in the folder, and which sessions without a number were there:
those of an older version, which follow one another by the time in their journals. The numbers go
on with each time that a session is opened to work on, so that operations of several sessions
follow one another, too. All that under the project's lock.
"""

from __future__ import annotations

import re
import sqlite3
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from wizard.base.errors import DiskFailed, OperationFailed
from wizard.session.journal import Journal

NAME = re.compile(r"\d{8}-\d{6}(-\d+)?")
"""What a session's folder is named when it begins."""
UNSETTLED = ("intent", "failed", "undoing")


@dataclass(frozen=True)
class Place:
    """Where a session stands among the others, noted when it began.

    `number` is 0 for a session of an older version. `after` are those that were there without a
    number: when they began by their own clock, which a journal keeps wherever it is moved.
    """

    number: int = 0
    after: tuple[float, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return it as it stands in the journal."""
        return {"number": self.number, "after": list(self.after)}

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Place:
        """Return it from the journal; an older session's is empty."""
        return cls(int(data.get("number", 0)), tuple(data.get("after", ())))


@dataclass(frozen=True)
class Summary:
    """A session as `remodel sessions` lists it.

    `at` is when each operation came to its state, to be compared with those of other sessions: the
    number that its session had then (0 in an older version), and the clock. `turn` is the last of
    these numbers. `acted` says whether any operation was begun that does more than look. A folder
    that is no session that could be worked on has `trouble`; `hides` tells that it may be the
    newest all the same.
    """

    id: str
    folder: Path
    begun: float = 0.0
    first: float = 0.0
    place: Place = Place()
    conversion: str = ""
    done: Sequence[str] = ()
    interrupted: Sequence[str] = ()
    at: Mapping[str, tuple[int, float]] = field(default_factory=dict)
    turn: int = 0
    acted: bool = False
    finished: bool = False
    trouble: str = ""
    hides: bool = False


def listed(folder: Path) -> list[Summary]:
    """Return the sessions in a folder, oldest first; what has trouble comes before them.

    Reads only; no lock is taken. A session that was cut off before it had begun is left out.
    """
    read = [_summary(path) for path in sorted(folder.iterdir())] if folder.exists() else []
    every = _copies_marked([one for one in read if one is not None])
    numbered = [one.place for one in every if one.place.number]

    def order(one: Summary) -> tuple[Any, ...]:
        if one.place.number:
            return (not one.trouble, one.place.number, 0, one.begun, one.first)
        older_than_it = [place.number for place in numbered if one.begun not in place.after]
        return (not one.trouble, max(older_than_it, default=0), 1, one.begun, one.first)

    return sorted(every, key=order)


def next_place(folder: Path) -> Place:
    """Return the place of the session that is about to begin in a folder, under the lock."""
    known = listed(folder)
    return Place(
        1 + max((max(one.place.number, one.turn) for one in known), default=0),
        tuple(one.begun for one in known if one.begun and not one.place.number),
    )


def take_turn(folder: Path, journal: Journal) -> None:
    """Note that a session is opened to work on, and after which of its rows, under the lock."""
    turns = [turn for turn in journal.noted("turns", []) if turn[1] < journal.last()]
    journal.note("turns", [*turns, [next_place(folder).number, journal.last()]])


def _summary(folder: Path) -> Summary | None:
    """Return what a session's journal tells; None where it had not begun."""
    try:
        path = folder.resolve() / "journal.sqlite"
        path.stat()
        with closing(Journal(path, read_only=True)) as journal:
            return _told(folder, journal)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except DiskFailed:  # nothing is wrong with the journal
        raise
    except OperationFailed as error:
        trouble = error.found
    except (OSError, sqlite3.Error, ValueError, TypeError, AttributeError) as error:
        trouble = f"{type(error).__name__}: {error}"
    trouble = f"its journal cannot be read: {trouble}"
    return Summary(folder.name, folder, trouble=trouble, hides=True)


def _told(folder: Path, journal: Journal) -> Summary | None:
    begun = journal.noted("begun")
    if begun is None:
        return None
    states = journal.states()
    conversion = journal.noted("identity", {}).get("conversion", {})
    acted = journal.acted()
    turns = [(int(number), int(after)) for number, after in journal.noted("turns", [])]
    return Summary(
        id=str(journal.noted("id", folder.name)),
        folder=folder,
        begun=float(begun),
        first=journal.first(),
        place=Place.of(journal.noted("place", {})),
        conversion=f"{conversion.get('from')} to {conversion.get('to')}",
        done=[key for key, entry in states.items() if entry.kind in ("done", "skipped")],
        interrupted=[key for key, entry in states.items() if acted and entry.kind in UNSETTLED],
        at={
            key: (max((n for n, after in turns if after < entry.id), default=0), entry.at)
            for key, entry in states.items()
        },
        turn=max((number for number, _ in turns), default=0),
        acted=acted,
        finished=bool(journal.noted("finished")),
    )


def _copies_marked(every: Sequence[Summary]) -> list[Summary]:
    """Return the sessions, those that are copies of another with that for their trouble.

    A copy has the journal of another: its id, or in an older version's what it began with. Which
    one is the session is told by the name that it was given.
    """
    alike: dict[object, list[Summary]] = defaultdict(list)
    for one in every:
        of_older = (one.begun, one.first) if one.first and not one.place.number else one.id
        alike[one.folder if one.trouble else of_older].append(one)
    marked = []
    for same in alike.values():
        named = [one for one in same if one.folder.name == one.id and NAME.fullmatch(one.id)]
        for one in same:
            if len(same) == 1 or [one] == named:
                marked.append(one)
            elif len(named) == 1:
                marked.append(replace(one, id=one.folder.name, trouble=f"a copy of {named[0].id}"))
            else:
                others = ", ".join(other.folder.name for other in same if other is not one)
                trouble = f"it has the same journal as {others}; which one is the session, "
                trouble += "nobody can tell"
                marked.append(replace(one, id=one.folder.name, trouble=trouble, hides=True))
    return marked
