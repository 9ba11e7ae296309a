"""A power failure, played on the files that a process wrote: what was not synced may be lost.

As fsync(2) and the file systems of Linux have it: a file's content outlasts a power failure once
the file was synced, and so does the entry that made it; a rename or a removal, once its folder
was. What came after may be there or not, each write by itself, in whatever order.
"""

from __future__ import annotations

import random
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

SOURCE = Path(__file__).with_name("written_files.c")
MEMORY = "-shm"  # SQLite's index of the write-ahead log: it is made anew


def compiled(folder: Path) -> Path:
    """Return the library to preload. Raise FileNotFoundError where there is no C compiler."""
    library = folder / "written_files.so"
    options = ["-shared", "-fPIC", "-O1", "-o", str(library), str(SOURCE), "-ldl"]
    subprocess.run(["cc", *options], check=True)
    return library


@dataclass(eq=False)
class File:
    """A file's content, whatever it is called."""

    content: bytearray = field(default_factory=bytearray)


@dataclass
class Step:
    """A change that is kept by the sync of its `file`, or of all the `folders` whose entries it
    changes."""

    apply: Callable[[], None]
    file: File | None = None
    folders: set[str] = field(default_factory=set)
    is_durable: bool = False

    def sync(self, path: str, file: File | None) -> None:
        """Something was synced: the file or the folder at `path`."""
        is_last = self.folders == {path}
        self.folders.discard(path)
        self.is_durable |= is_last or (file is not None and self.file is file)


class Disk:
    """The files under some folders as they were, and the steps that were recorded since."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self.folders = folders
        self.names = {str(path): File(bytearray(path.read_bytes())) for path in self._files()}
        self.steps: list[Step] = []
        self._touched: set[str] = set()

    def _files(self) -> Iterator[Path]:
        for folder in self.folders:
            for path in folder.rglob("*"):
                if path.is_file() and not path.is_symlink() and not path.name.endswith(MEMORY):
                    yield path

    def fail(self, log: bytes, kept: random.Random | None) -> int:
        """Make the files what a power failure leaves of them; return how many steps are lost.

        What was not synced is lost, or where `kept` is given, each of it by chance.
        """
        now = dict(self.names)
        for op, offset, data, path, other in records(log):
            if any(path.startswith(f"{folder}") for folder in self.folders):
                self._record(now, op, offset, data, path, other)
        lost = 0
        for step in self.steps:
            if step.is_durable or (kept is not None and kept.random() < 0.5):
                step.apply()
            else:
                lost += 1
        self._write()
        return lost

    def _record(
        self, now: dict[str, File], op: str, offset: int, data: bytes, path: str, other: str
    ) -> None:
        """Note a step; `now` is what each name means by then, with nothing lost."""
        if path.endswith(MEMORY):
            return
        parent = path.rpartition("/")[0]
        if op == "sync":
            for step in self.steps:
                step.sync(path, now.get(path))
            return
        self._touched |= {path, other}
        if op == "create":
            file = now[path] = File()  # whose sync keeps its entry, too
            self.steps.append(Step(lambda: self._name(path, file), file, {parent}))
        elif op in ("write", "truncate") and path in now:
            file = now[path]
            change = _writing(file, offset, data) if op == "write" else _cutting(file, offset)
            self.steps.append(Step(change, file))
        elif op == "unlink" and path in now:
            del now[path]
            self.steps.append(Step(lambda: self._unname(path), folders={parent}))
        elif op == "rename" and path in now:
            file = now[other] = now.pop(path)
            folders = {parent, other.rpartition("/")[0]}
            self.steps.append(Step(lambda: self._rename(path, other, file), folders=folders))

    def _name(self, path: str, file: File) -> None:
        self.names[path] = file

    def _unname(self, path: str) -> None:
        self.names.pop(path, None)

    def _rename(self, path: str, other: str, file: File) -> None:
        if self.names.get(path) is file:
            del self.names[path]
        self.names[other] = file

    def _write(self) -> None:
        """Write what is left. Folders stay: an empty one more tells nobody anything."""
        for name in filter(None, self._touched):
            path = Path(name)
            if name not in self.names:
                if path.is_file() or path.is_symlink():
                    path.unlink()
                continue
            content = bytes(self.names[name].content)
            if not path.exists() or path.read_bytes() != content:
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                path.write_bytes(content)
        for folder in self.folders:
            for path in folder.rglob(f"*{MEMORY}"):
                path.unlink()


def records(log: bytes) -> Iterator[tuple[str, int, bytes, str, str]]:
    """What was recorded: operation, offset, bytes, path, the other path of a rename."""
    at = 0
    while (end := log.find(b"\n", at)) >= 0:
        op, offset, length, paths = log[at:end].decode().split(" ", 3)
        path, _, other = paths.partition("\t")
        at = end + 1 + int(length)
        yield op, int(offset), log[end + 1 : at], path, other


def _writing(file: File, offset: int, data: bytes) -> Callable[[], None]:
    def write() -> None:
        file.content.extend(bytes(max(0, offset - len(file.content))))
        file.content[offset : offset + len(data)] = data

    return write


def _cutting(file: File, length: int) -> Callable[[], None]:
    def cut() -> None:
        file.content.extend(bytes(max(0, length - len(file.content))))
        del file.content[length:]

    return cut
