"""What a session holds: its files, and its databases on this machine and on its targets.

A database belongs to a session when the session's journal has its name and that name has the
session's id in it. Nothing is told from a name alone, or from a pattern.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from wizard.base.errors import ConnectionFailed, OperationFailed
from wizard.config.config import Config
from wizard.delivery import kinds
from wizard.postgres import server
from wizard.postgres.address import Address
from wizard.postgres.admin import checkpoint
from wizard.postgres.server import DatabaseRow
from wizard.session.journal import Journal, JournalEntry
from wizard.session.listed import Summary
from wizard.steps import checkpointed

# The keys under which plans and what was kept for an undo have names of databases.
_LOCAL = {
    "checkpoint": "the checkpoint before {operation}",
    "kept": "the local database as it was before the session",
    "beside": "left by a restore that was cut off",
    "scratch": "left by a drill that was cut off",
}


@dataclass(frozen=True)
class HeldDatabase:
    """A database that a session holds. `bytes` is None where our role may not know."""

    name: str
    what: str
    oid: int
    bytes: int | None

    def __str__(self) -> str:
        return f"{self.name}, {megabytes(self.bytes)}: {self.what}"


@dataclass(frozen=True)
class Use:
    """The disk that a session uses here. `databases` is None where the server is not reached;
    `far` are the databases on targets, by target, that the journal knows of."""

    records: int
    files: tuple[Path, ...]
    databases: tuple[HeldDatabase, ...] | None
    far: Mapping[str, tuple[str, ...]]

    @property
    def bytes(self) -> int:
        """All of it, on this machine."""
        return self.records + sized(self.files) + sum(x.bytes or 0 for x in self.databases or ())

    def __str__(self) -> str:
        databases = "local databases not reached"
        if self.databases is not None:
            databases = f"{len(self.databases)} local databases"
        return f"{megabytes(self.bytes)}: {len(self.files)} files in backups, {databases}"


def files(config: Config, session: str) -> list[Path]:
    """Return the dumps that the session made, with their checksums."""
    return sorted(path for path in config.backups.glob(f"db.*.{session}.*") if path.exists())


def local_names(config: Config, session: str, journal: Journal) -> dict[str, str]:
    """Return the databases that may be on the local server, each with what it is."""
    database, stamp = config.local.address.database, session.replace("-", "_")
    names: dict[str, str] = {}
    for entry in journal.entries():
        far = ":" in entry.operation
        if entry.kind == "intent" and not far:
            # It may have been copied by the time of a crash, and not been written down yet.
            with suppress(OperationFailed):  # too long for a name: none was taken either
                label = checkpointed.named(database, stamp, entry.operation)
                names[label] = _LOCAL["checkpoint"].format(operation=entry.operation)
                names |= dict.fromkeys(checkpoint.passing(label), "left by an undo, cut off")
        keys = {"scratch": _LOCAL["scratch"]} if far else _LOCAL
        names |= _named(entry, keys, stamp)
    return {name: what for name, what in names.items() if name != database}


def far_names(config: Config, session: str, journal: Journal, target: str) -> dict[str, str]:
    """Return the databases that may be on the server of a target, each with what it is."""
    stamp, names = session.replace("-", "_"), dict[str, str]()
    # Whatever kind the target is delivered by today, the journal may tell of another.
    keys = {key: what for kind in kinds.known() for key, what in kind.databases.items()}
    back = ""  # the name that a rollback gives the live one's, as soon as it is done
    for entry in journal.entries():
        if entry.operation.endswith(f":{target}"):
            names |= _named(entry, keys, stamp)
        if entry.operation == f"production.rollback:{target}":
            if entry.kind == "intent":
                back = entry.data.get("details", {}).get("kept", "")
            elif entry.kind == "done":
                names.pop(back, None)
    live = config.targets[target].address.database
    return {name: what for name, what in names.items() if name != live}


def _named(entry: JournalEntry, keys: Mapping[str, str], stamp: str) -> dict[str, str]:
    """Return the names under `keys` in a plan, or in what was kept for an undo."""
    if entry.kind not in ("intent", "kept"):
        return {}
    data = entry.data.get("details", {}) if entry.kind == "intent" else entry.data
    target = entry.operation.partition(":")[2]
    return {
        name: what.format(operation=entry.operation, target=target)
        for key, what in keys.items()
        if isinstance(name := data.get(key), str) and stamp in name
    }


def among(databases: Iterable[DatabaseRow], names: Mapping[str, str]) -> list[HeldDatabase]:
    """Return those of `names` that are among a server's databases."""
    return [
        HeldDatabase(row.name, names[row.name], row.oid, row.size)
        for row in databases
        if row.name in names
    ]


async def local(address: Address) -> list[DatabaseRow] | None:
    """Return every database of the local server; None when it cannot be reached."""
    try:
        return await server.databases(address)
    except ConnectionFailed:
        return None


def use(config: Config, of: Summary, databases: list[DatabaseRow] | None) -> Use:
    """Return what a session uses, from its journal and the databases of the local server."""
    folder, session = of.folder, of.id
    journal = Journal((folder / "journal.sqlite").resolve(), read_only=True)
    try:
        held = None
        if databases is not None:
            held = tuple(among(databases, local_names(config, session, journal)))
        far = {
            target: tuple(names)
            for target in config.targets
            if (names := _left(config, session, journal, target))
        }
    finally:
        journal.close()
    records = sized(path for path in folder.rglob("*") if path.is_file())
    return Use(records, tuple(files(config, session)), held, far)


def _left(config: Config, session: str, journal: Journal, target: str) -> list[str]:
    """Return what the journal has as delivered to a target and not purged since."""
    state = journal.state(f"production.deliver:{target}")
    if state is None or state.kind != "done":
        return []
    consented: set[str] = set()
    dropped: set[str] = set()
    for entry in journal.entries(f"purge.target:{target}"):
        if entry.kind == "intent":
            consented.update(entry.data["details"]["oids"])
        elif entry.kind in ("done", "skipped"):  # also of what one before it that was cut off did
            dropped |= consented
    return [
        name
        for name, what in far_names(config, session, journal, target).items()
        if name not in dropped and "cut off" not in what
    ]


def sized(paths: Iterable[Path]) -> int:
    """Return the bytes of files and of those in folders; what vanishes meanwhile is left out."""
    total = 0
    for path in paths:
        with suppress(FileNotFoundError):
            files = path.iterdir() if path.is_dir() else [path]
            total += sum(file.stat().st_size for file in files)
    return total


def megabytes(size: int | None) -> str:
    """Return a size in words: `12.3 MB`."""
    return "size not known" if size is None else f"{size / 1e6:,.1f} MB"
