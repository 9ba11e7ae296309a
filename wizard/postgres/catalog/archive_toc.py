"""The table of contents of an archive in pg_dump's custom format, read to its last field.

`pg_restore --list` leaves out what an entry is defined by. The layout is that of `ReadHead` and
`ReadToc` in src/bin/pg_dump/pg_backup_archiver.c; versions 1.14 (PostgreSQL 12 to 15), 1.15 (16)
and 1.16 (17 and 18) are known.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from wizard.base.errors import OperationFailed
from wizard.postgres.dumps.archive import MAGIC

KNOWN = ((1, 14), (1, 15), (1, 16))
TIME_FIELDS = 7  # seconds to daylight saving


@dataclass(frozen=True)
class TocEntry:
    """An entry as pg_dump wrote it. `kind` is its word: TABLE, ACL, DATABASE PROPERTIES, ..."""

    kind: str
    schema: str
    name: str
    owner: str
    tablespace: str
    access_method: str
    definition: str
    drop: str = ""
    number: int = 0
    depends_on: tuple[int, ...] = ()


def read(file: BinaryIO) -> Iterator[TocEntry]:
    """Yield the entries of an archive in its order.

    Raise OperationFailed where it is no archive of a known version, or not whole.
    """
    return _Reader(file).entries()


class _Reader:
    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        if self._bytes(len(MAGIC)) != MAGIC:
            raise OperationFailed("This is no archive of pg_dump.")
        major, minor, _, self._int_size, self._offset_size, _ = self._bytes(6)
        self._version = (major, minor)
        if self._version not in KNOWN:
            raise OperationFailed(
                f"pg_dump has written an archive of version {major}.{minor}.",
                found=f"known are {', '.join(f'{a}.{b}' for a, b in KNOWN)}",
                hint="Take a pg_dump of PostgreSQL 14 to 18.",
            )
        if self._version >= (1, 15):
            self._bytes(1)  # the method of compression
        else:
            self._int()
        for _ in range(TIME_FIELDS):
            self._int()
        for _ in range(3):  # the database, the server's version, pg_dump's
            self._text()

    def entries(self) -> Iterator[TocEntry]:
        for _ in range(self._int()):
            yield self._entry()

    def _entry(self) -> TocEntry:
        number = self._int()
        self._int()  # whether it has data
        self._text()  # OID of its catalog
        self._text()  # OID
        name, kind = self._text(), self._text()
        self._int()  # section
        definition = self._text()
        drop = self._text()
        self._text()  # COPY
        schema, tablespace, access_method = self._text(), self._text(), self._text()
        if self._version >= (1, 16):
            self._int()  # kind of relation
        owner = self._text()
        self._text()  # whether it has OIDs, which it has not
        depends_on = tuple(int(text) for text in iter(self._text, ""))
        self._bytes(1 + self._offset_size)  # where its data is
        return TocEntry(
            kind=kind,
            schema=schema,
            name=name,
            owner=owner,
            tablespace=tablespace,
            access_method=access_method,
            definition=definition,
            drop=drop,
            number=number,
            depends_on=depends_on,
        )

    def _bytes(self, count: int) -> bytes:
        data = self._file.read(count)
        if len(data) < count:
            raise OperationFailed("The archive of pg_dump ends in the middle.")
        return data

    def _int(self) -> int:
        data = self._bytes(1 + self._int_size)  # the sign comes first
        value = int.from_bytes(data[1:], "little")
        return -value if data[0] else value

    def _text(self) -> str:
        """Return a text; '' where there is none."""
        length = self._int()
        return self._bytes(length).decode() if length > 0 else ""
