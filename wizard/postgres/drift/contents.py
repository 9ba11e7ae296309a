"""What a database holds, to be held against another: rows and contents of tables, sequences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from wizard.postgres.address import Address
from wizard.postgres.drift import fingerprint
from wizard.postgres.drift.fingerprint import TableFingerprint


@dataclass(frozen=True)
class DatabaseContents:
    """What a database holds, to be held against another. Sequences are at their last value."""

    tables: Mapping[str, TableFingerprint]
    sequences: Mapping[str, int | None]

    def to_json(self) -> dict[str, Any]:
        """Return it as it stands in the journal."""
        return {
            "tables": {name: asdict(table) for name, table in self.tables.items()},
            "sequences": dict(self.sequences),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> DatabaseContents:
        """Return it from the journal."""
        tables = {name: TableFingerprint(**table) for name, table in data["tables"].items()}
        return cls(tables, data["sequences"])


async def contents(address: Address) -> DatabaseContents:
    """Read what a database holds."""
    return DatabaseContents(await fingerprint.tables(address), await fingerprint.sequences(address))


def differences(expected: DatabaseContents, actual: DatabaseContents) -> list[str]:
    """Return sentences about where two contents differ."""
    return fingerprint.difference(expected.tables, actual.tables) + [
        f"sequence {name}: was at {value}, is at {actual.sequences.get(name)}"
        for name, value in expected.sequences.items()
        if actual.sequences.get(name) != value
    ]
